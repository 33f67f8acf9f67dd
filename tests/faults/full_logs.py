"""The disk of the logs is full while jobs come and go: the service goes on, no line is torn, what was dropped is told.

Beside it: a folder that goes away and whose place is taken by a file. The rest (rotation, many writers) is in the tests
of the log itself, which stand in this table too.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.site import Site

SIZE = "256k"
HOLD_S = 2.0


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _full()
    yield _gone()


def _full() -> Row:
    row = Row("the disk of the logs full", runs=1)
    with Site() as site:
        folder = site.folder / "logs"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "wb", str(folder)]
        if os.geteuid() or subprocess.run(mount, check=False).returncode:
            row.note = "not shown: needs root, to mount a small tmpfs"
            return row
        try:
            _suffer(site, row, folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    return row


def _suffer(site: Site, row: Row, folder: Path) -> None:
    """A server and a worker on one small disk: it fills, stays full for a while, and has room again."""
    server = site.server(LOG_DIR=folder, LOG_MAX_BYTES=0)
    url = server.url
    worker = site.worker(LOG_DIR=folder, LOG_LEVEL="INFO", LOG_MAX_BYTES=0)
    with Load(lambda: url, lambda: site.body("work"), per_s=100) as load:
        site.until(lambda: _is_full(folder), "the disk is full", 60)
        done = len(load.accepted)
        began_s = time.monotonic()
        while time.monotonic() < began_s + HOLD_S:
            _fill(folder)
            time.sleep(0.05)
        row.demand(len(load.accepted) > done + 50, f"{len(load.accepted) - done} jobs taken in while it was full")
        for path in (folder / "filler", folder / "app.log", folder / "worker.log"):
            row.violations += _torn(path)
            path.unlink(missing_ok=True)
        freed_s = time.monotonic()
        site.until(lambda: _recovered(folder) == {"app.log", "worker.log"}, "both logs work again, and say so")
        row.recover_s.append(time.monotonic() - freed_s)
    site.accepted += load.accepted
    site.until_completed(site.accepted)
    site.judge(row)
    row.demand(set(load.answers) == {"202"}, f"the API answered {dict(load.answers)}")
    for path in (folder / "app.log", folder / "worker.log"):
        row.violations += _torn(path)
    told = [program.said().count("Log file in trouble") for program in (server, worker)]
    row.demand(all(told), "nothing was said of it on the console")
    row.note = f"{len(site.accepted)} jobs, {', '.join(sorted(_dropped(folder)))} lines dropped and counted"


def _gone() -> Row:
    """The folder of the logs is taken away under load, and a file put in its place; then it may be made again."""
    row = Row("the folder of the logs gone", runs=1)
    with Site() as site:
        folder = site.folder / "logs"
        url = site.server(LOG_DIR=folder).url
        site.worker(LOG_DIR=folder, LOG_LEVEL="INFO")
        with Load(lambda: url, lambda: site.body("work"), per_s=100) as load:
            site.until(lambda: len(load.accepted) > 20, "load")
            folder.rename(site.folder / "elsewhere")
            folder.touch()
            done = len(load.accepted)
            site.until(lambda: len(load.accepted) > done + 100, "jobs are taken in")
            folder.unlink()
            freed_s = time.monotonic()
            site.until(lambda: _recovered(folder) == {"app.log", "worker.log"}, "both logs work again, and say so")
            row.recover_s.append(time.monotonic() - freed_s)
        site.accepted += load.accepted
        site.until_completed(site.accepted)
        site.judge(row)
        row.demand(set(load.answers) == {"202"}, f"the API answered {dict(load.answers)}")
        row.note = f"{len(site.accepted)} jobs"
    return row


def _is_full(folder: Path) -> bool:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize < 8192


def _fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


def _torn(path: Path) -> list[str]:
    """What of a log is no whole line of JSON."""
    if not path.exists() or path.name == "filler":
        return []
    *lines, last = path.read_bytes().split(b"\n")
    wrong = [line for line in lines if not _is_json(line)]
    return [f"{path.name}: a torn line: {line[:80]!r}" for line in [*wrong, *filter(None, [last])][:3]]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _recovered(folder: Path) -> set[str]:
    """The logs that tell of lines that were dropped."""
    paths = [folder / name for name in ("app.log", "worker.log")]
    return {path.name for path in paths if path.exists() and "log.recovered" in path.read_text(encoding="utf-8")}


def _dropped(folder: Path) -> list[str]:
    lines = [
        line
        for path in folder.glob("*.log")
        for line in path.read_text(encoding="utf-8").split("\n")
        if "log.recovered" in line
    ]
    return [str(json.loads(line)["dropped"]) for line in lines]
