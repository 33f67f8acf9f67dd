"""`make run RELOAD=1`: server and worker are stopped and started again when code was edited.

1. Looked at are Waybill's own files, what lies beside server.py, and the folders of PYTHONPATH: time, size and inode of
   each *.py and *.lua, and of the env files. Nothing is imported, and no file is read that has not changed.
2. A look every quarter of a second, or more seldom where there are so many files that a look takes long. An edit
   counts when two looks in a row agree: a checkout of a hundred files is one edit.
3. A file that can't be compiled is named, and what runs goes on until it is mended. A process that ends by itself, as
   for an import that fails, ends its brother too, and the next edit is waited for.
4. Running jobs and requests get SHUTDOWN_GRACE_S, as at any stop.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prod.local import ROOT, LocalError
from prod.local.processes import LOOK_S, Crew, Ended, Stopped

LOOK_EVERY_S = 0.25
SHARE_OF_A_CORE = 0.01
SHOWN = 3
SUFFIXES = (".py", ".lua")
ENV_FILES = (".env", ".env.local")
# Of Waybill's folder: what neither server nor worker imports.
OTHERS_HERE = {str(ROOT / name) for name in ("prod", "tests", "logs", "var")}
NO_CODE = {"node_modules", "site-packages", "__pycache__"}
SERVICE = ("server", "worker")


class Stamp(NamedTuple):
    """Of one file. An editor that writes anew and renames gives it another inode."""

    mtime_ns: int
    size_bytes: int
    inode: int


Seen = dict[str, Stamp]


class Reload:
    """Keeps server and worker running over edits. start: starts both and waits until they can be used."""

    def __init__(self, crew: Crew, start: Callable[[], None], python_path: str) -> None:
        self._crew = crew
        self._start = start
        self._folders = folders(python_path)
        self._seen: Seen = {}
        self._faulty: list[str] = []
        self._pause_s = LOOK_EVERY_S

    def start(self) -> None:
        """Returns when both run; till then it waits for the edit that lets them."""
        while not self._started():
            self._until_edited()

    def watch(self) -> None:
        """Returns never: raises Stopped after a signal, and Ended where another than server and worker has ended."""
        while True:
            changed = self._until_edited()
            faults = syntax_faults({*self._faulty, *changed})
            self._faulty = list(faults)
            if faults:
                print(f"Reload: {'; '.join(faults.values())}. Nothing is started again before that is mended.")
                continue
            print(f"Reload: {shown(changed)}: server and worker are started again once they have finished.")
            self._crew.stop_service()
            self._crew.check()
            self.start()
            print("Reload: they run again.")

    def _started(self) -> bool:
        # Before they read their files: what is edited meanwhile is an edit.
        self._seen = self._look()
        try:
            self._start()
        except Stopped:
            raise
        except LocalError as fault:
            self._give_up(fault)
            return False
        return True

    def _give_up(self, fault: LocalError) -> None:
        """They do not run; another of the crew that is gone (Redis) ends all."""
        if isinstance(fault, Ended) and fault.name not in SERVICE:
            raise fault
        print(f"Reload: {fault} The next edit is waited for.")
        self._crew.stop_service()

    def _until_edited(self) -> list[str]:
        """The files that are not as they were, once they are still."""
        before = self._seen
        while True:
            self._rest()
            found = self._look()
            changed = differing(before, found)
            if changed and found == self._seen:
                forget_compiled(changed)
                return changed
            self._seen = found

    def _rest(self) -> None:
        """Until the next look; a process that has ended by itself is told of once, and the others with it stopped."""
        until_s = time.monotonic() + self._pause_s
        while time.monotonic() < until_s:
            try:
                self._crew.check()
            except Ended as fault:
                self._give_up(fault)
            time.sleep(LOOK_S)

    def _look(self) -> Seen:
        begun_s = time.monotonic()
        seen = dict(look(self._folders))
        self._pause_s = max(LOOK_EVERY_S, (time.monotonic() - begun_s) / SHARE_OF_A_CORE)
        return seen


def folders(python_path: str) -> list[str]:
    """Where code may lie that server and worker import: Waybill's folder, and those that PYTHONPATH names."""
    named = [str(Path(entry).resolve()) for entry in python_path.split(os.pathsep) if entry]
    return list(dict.fromkeys([str(ROOT), *named]))


def look(folders: list[str]) -> Iterator[tuple[str, Stamp]]:
    """The files of code in these folders and below, each with its stamp; what vanishes meanwhile is left out."""
    waiting = list(folders)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if _holds_code(entry):
                        waiting.append(entry.path)
                    elif _is_code(entry.name) and (stamp := _stamp(entry)):
                        yield entry.path, stamp
        except OSError:
            continue  # It was deleted, or may not be read.


def _is_code(name: str) -> bool:
    """Emacs' lock of a file that is edited, `.#a.py`, is none."""
    return name in ENV_FILES or (name.endswith(SUFFIXES) and not name.startswith("."))


def _stamp(entry: "os.DirEntry[str]") -> Stamp | None:
    """None of a file that is gone, or a link to nothing."""
    try:
        stat = entry.stat()
    except OSError:
        return None
    return Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _holds_code(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a folder to be looked into. A virtual environment is none: pip writes there."""
    if entry.name.startswith(".") or entry.name in NO_CODE or not entry.is_dir(follow_symlinks=False):
        return False
    return entry.path not in OTHERS_HERE and not Path(entry.path, "pyvenv.cfg").exists()


def differing(before: Seen, after: Seen) -> list[str]:
    """The files that are new, gone or changed."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def syntax_faults(paths: Iterable[str]) -> dict[str, str]:
    """What is wrong with each Python file that can't be compiled."""
    faults = {path: _syntax_fault(path) for path in sorted(paths) if path.endswith(".py")}
    return {path: fault for path, fault in faults.items() if fault}


def _syntax_fault(path: str) -> str:
    try:
        compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    except SyntaxError as fault:
        return f"{path}, line {fault.lineno}: {fault.msg}"
    except ValueError as fault:
        return f"{path}: {fault}"  # It holds a null byte.
    except OSError:
        return ""  # It is gone; what imports it will say so.
    return ""


def forget_compiled(paths: list[str]) -> None:
    """Remove their bytecode. Python takes it for new if the source has the same size and the same second, and two edits
    may fall into one."""
    for path in map(Path, paths):
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink(missing_ok=True)


def shown(paths: list[str]) -> str:
    """The first of them, as somebody in Waybill's folder would name them."""
    names = [path.removeprefix(f"{ROOT}{os.sep}") for path in paths[:SHOWN]]
    return ", ".join(names) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
