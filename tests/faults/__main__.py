"""`python -m tests.faults [--quick] [name …]`: the faults of the real thing, and a table of what came of each.

Every scenario has a Redis of its own and real processes; none is told anything by lib/. Exit code 1 on any violation.
"""

import argparse
import dataclasses
import json
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import (
    callbacks,
    checkpoints,
    clocks,
    cluster,
    crowds,
    delayed,
    depth,
    full_logs,
    graphs,
    hosts,
    idempotency,
    isolation,
    kills,
    lag,
    leaks,
    limits,
    named,
    outages,
    poison,
    races,
    redrive,
    restarts,
    retention,
    schedules,
    sentinel,
    settings,
    sweep,
    upgrade,
    versions,
    worn,
    zombies,
)
from tests.faults.row import Row, table

# The longest first, so that the end is not one of them alone.
SCENARIOS: dict[str, Callable[..., Iterator[Row]]] = {
    "kills": kills.run,
    "delayed": delayed.run,
    "schedules": schedules.run,
    "depth": depth.run,
    "births": sweep.run_births,
    "sweep": sweep.run,
    "outages": outages.run,
    "zombies": zombies.run,
    "restarts": restarts.run,
    "lives": sweep.run_others,
    "sentinel": sentinel.run,
    "named": named.run,
    "leaks": leaks.run,
    "limits": limits.run,
    "hosts": hosts.run,
    "poison": poison.run,
    "graphs": graphs.run,
    "graphs-outages": graphs.run_outages,
    "graphs-cluster": graphs.run_cluster,
    "graphs-sentinel": graphs.run_sentinel,
    "isolation": isolation.run,
    "checkpoints": checkpoints.run,
    "callbacks": callbacks.run,
    "retention": retention.run,
    "clocks": clocks.run,
    "races": races.run,
    "redrive": redrive.run,
    "cluster": cluster.run,
    "crowds": crowds.run,
    "idempotency": idempotency.run,
    "lag": lag.run,
    "logs": full_logs.run,
    "settings": settings.run,
    "upgrade": upgrade.run,
    "versions": versions.run,
    "worn": worn.run,
}
# What these measure would be another scenario's load; the others wait most of the time, and run several at once.
ALONE = ("kills", "delayed", "depth", "schedules")
AT_ONCE = 3
FOOTER = """Not in this table: the loss of power, which no test on one machine shows (the README says what each
appendfsync promises). A row that says "not shown" names what it needs."""
LOOK_S = 0.1


def main() -> int:
    arguments = _arguments()
    if arguments.rows:
        (name,) = arguments.names
        rows = [dataclasses.asdict(row) for row in _run(name, is_quick=arguments.quick)]
        arguments.rows.write_text(json.dumps(rows))
        return 0
    began_s = time.monotonic()
    names = arguments.names or list(SCENARIOS)
    found: dict[str, list[Row]] = {}
    for is_alone, at_once in ((True, 1), (False, arguments.j)):
        found |= _run_all([name for name in names if (name in ALONE) is is_alone], at_once, is_quick=arguments.quick)
    return _report([row for name in names for row in found[name]], time.monotonic() - began_s)


def _report(rows: list[Row], took_s: float) -> int:
    print(f"\n{table(rows)}\n")
    for row in rows:
        for violation in row.violations:
            print(f"VIOLATION  {row.fault}: {violation}")
    print(f"{FOOTER}\n{took_s:.0f} s", flush=True)
    return 1 if not rows or any(row.violations for row in rows) else 0


def _run_all(names: list[str], at_once: int, *, is_quick: bool) -> dict[str, list[Row]]:
    """Each in a process of its own, so many at a time."""
    waiting, running, found = list(names), dict[str, subprocess.Popen[bytes]](), dict[str, list[Row]]()
    with tempfile.TemporaryDirectory(prefix="wb-faults-") as folder:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    name = waiting.pop(0)
                    running[name] = _start(name, Path(folder) / name, is_quick=is_quick)
                for name in [name for name, process in running.items() if process.poll() is not None]:
                    found[name] = _rows(name, Path(folder) / name, running.pop(name).returncode)
                time.sleep(LOOK_S)
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait()
    return found


def _start(name: str, file: Path, *, is_quick: bool) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.faults", name, "--rows", str(file), *(["--quick"] if is_quick else [])]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def _rows(name: str, file: Path, code: int) -> list[Row]:
    if code or not file.exists():
        return [Row(name, violations=[f"its process ended with {code}"])]
    return [Row(**fields) for fields in json.loads(file.read_text(encoding="utf-8"))]


def _run(name: str, *, is_quick: bool) -> list[Row]:
    """One scenario, in its process; each row is told as it comes."""
    began_s = time.monotonic()
    rows: list[Row] = []
    try:
        for row in SCENARIOS[name](is_quick=is_quick):
            rows.append(row)
            print("   ".join(row.cells), *row.violations, sep="\n     ", flush=True)
    except Exception:  # noqa: BLE001  One scenario that can't go on must not hide what the others find.
        rows.append(Row(name, violations=[traceback.format_exc()]))
        print(rows[-1].violations[0], flush=True)
    print(f"== {name}: {time.monotonic() - began_s:.0f} s", flush=True)
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="fewer of everything")
    parser.add_argument("-j", type=int, default=AT_ONCE, metavar="N", help="scenarios at a time, of those that wait")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario is called {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    return arguments


if __name__ == "__main__":
    # However it is ended, the processes that it started go with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
