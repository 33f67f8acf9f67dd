"""Checks what Waybill needs of this Python, before anything else of Waybill is imported, and prints one sentence in
place of a traceback. From here on Python's own modules are found first: a file beside server.py may be called email.py.

server.py and worker.py import this module first. Python 3.8 understands this module, and the two programs up to that
import: a person who starts a program with an old python3 of the system reads what to do. Exit status 78 tells systemd
and PM2 not to try again.
"""

import os
import sys

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: PM2 and systemd need not try again
OLDEST = (3, 11)
_FILL = "-m venv .venv && .venv/bin/pip install -r requirements.txt"


def are_met() -> bool:
    """Whether this Python has what Waybill needs. Where it has not, a sentence about that is on stderr."""
    if sys.version_info[:2] < OLDEST:
        _write_fault(f"needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}", "python3.11")
        return False
    _put_pythons_own_first()
    # WHY not `import redis`: worker.py starts its runners before it imports redis; the finders only look into folders.
    # WHY not importlib.util.find_spec: a runner's start does without importlib, and sys.meta_path has the same finders.
    found = [spec for finder in sys.meta_path for spec in [finder.find_spec("redis", None)] if spec]
    if not found:
        _write_fault(f"needs the Python package redis, and {sys.executable} has none", "python3")
        return False
    folders = list(found[0].submodule_search_locations or ())
    if not any(os.access(f"{folder}/asyncio", os.X_OK) for folder in folders):
        where = found[0].origin or folders[0]
        sys.stderr.write(f"Waybill needs the Python package redis, and {where} has its name: rename that one.\n")
        return False
    return True


def _put_pythons_own_first() -> None:
    # By default a file beside server.py or in PYTHONPATH hides the module of Python with its name, from asyncio too.
    # The module os is Python's: it was imported before such a file could be found.
    own = os.__file__.rpartition(os.sep)[0]
    ends = (own, "lib-dynload", f"python{sys.version_info[0]}{sys.version_info[1]}.zip")
    sys.path.sort(key=lambda folder: not folder.endswith(ends))


def _write_fault(fault: str, python: str) -> None:
    # sys.argv[0] is the program as it was typed, so that the command can be pasted.
    sys.stderr.write(
        f"Waybill {fault}: start it with the project's own, .venv/bin/python {sys.argv[0]} "
        f"(made by: {python} {_FILL}).\n"
    )
