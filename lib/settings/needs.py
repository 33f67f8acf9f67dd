"""What this Python must have before anything else of Waybill is imported: one sentence in place of a traceback.
Python's own modules come first from here on: a file beside server.py may be called email.py or queue.py.

The first that server.py and worker.py import. Python 3.8 can read it, and the two up to there: whoever starts them with
the system's python3 is told what to do, and exit 78 tells systemd and PM2 not to try again.
"""

import os
import sys

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: PM2 and systemd need not try again
OLDEST = (3, 11)
_FILL = "-m venv .venv && .venv/bin/pip install -r requirements.txt"


def are_met() -> bool:
    """False where something is missing; it has then been said."""
    if sys.version_info[:2] < OLDEST:
        _say(f"needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}", "python3.11")
        return False
    _put_pythons_own_first()
    # WHY not `import redis`: worker.py starts its runners before it imports that, and this looks into folders alone.
    # WHY not importlib: a runner's start does without it, and the finders are here.
    found = [spec for finder in sys.meta_path for spec in [finder.find_spec("redis", None)] if spec]
    if not found:
        _say(f"needs the Python package redis, and {sys.executable} has none", "python3")
        return False
    folders = list(found[0].submodule_search_locations or ())
    if not any(os.access(f"{folder}/asyncio", os.X_OK) for folder in folders):
        where = found[0].origin or folders[0]
        sys.stderr.write(f"Waybill needs the Python package redis, and {where} has its name: rename that one.\n")
        return False
    return True


def _put_pythons_own_first() -> None:
    # As Python has it, what lies beside server.py or in PYTHONPATH hides Python's own modules, from asyncio too.
    # os was imported before any of these could be found.
    own = os.__file__.rpartition(os.sep)[0]
    ends = (own, "lib-dynload", f"python{sys.version_info[0]}{sys.version_info[1]}.zip")
    sys.path.sort(key=lambda folder: not folder.endswith(ends))


def _say(fault: str, python: str) -> None:
    # sys.argv[0], not a name of ours: as it was typed, so that it can be pasted.
    sys.stderr.write(
        f"Waybill {fault}: start it with the project's own, .venv/bin/python {sys.argv[0]} "
        f"(made by: {python} {_FILL}).\n"
    )
