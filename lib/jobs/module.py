"""A job module is imported: the module out, or one sentence that says why it can't be had.

It is code of somebody else's, and may do anything: raise what it likes, leave sys.path empty. Called by registry.py.
"""

import importlib
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType

from lib.jobs.failure import summary, traceback_of

_STDLIB = sysconfig.get_path("stdlib")
_OURS = f"{Path(__file__).parent}/"  # This room's alone: lib/handlers holds job modules, too.
_NOT_THEIRS = (_STDLIB, "lib-dynload", ".zip", "site-packages", "dist-packages")
"""How the entries of sys.path end that hold Python's own modules, or what was installed."""
# What Python looks modules up by. Some of Python's own, and of ours, are imported when they are first needed.
_WAYS = ("path", "meta_path", "path_hooks")


class ModuleFault(Exception):
    """Its text says which module, what is wrong, and where."""


def load_module(name: str) -> ModuleType:
    """Raises ModuleFault, whatever the module raised: nobody but the module says what its import can end by."""
    if is_pythons(name):
        raise ModuleFault(f"{name} is the name of one of Python's own modules, which is found first; rename yours")
    ways = {way: getattr(sys, way) for way in _WAYS}
    before = {way: list(value) for way, value in ways.items()}
    try:
        return importlib.import_module(name)
    except BaseException as fault:  # noqa: BLE001  SystemExit, CancelledError, a class of its own: the start is refused.
        hint = "".join(f"; {sentence}" for sentence in unreachable())
        raise ModuleFault(f"{name} can't be imported: {summary(fault)}{_where(fault)}{hint}") from None
    finally:
        for way, value in ways.items():
            now = getattr(sys, way, None)
            kept = now if isinstance(now, list) else []
            value[:] = [*kept, *(entry for entry in before[way] if entry not in kept)]
            setattr(sys, way, value)


def is_pythons(name: str) -> bool:
    """Whether a module of that name, or of a package of that name, is Python's own. `test` is not in its list."""
    return name.partition(".")[0] in {*sys.stdlib_module_names, "test"}


def unreachable() -> list[str]:
    """A sentence for each module beside server.py, or in PYTHONPATH, whose name is one of Python's own: whoever imports
    it is given Python's, for needs.py has that come first."""
    folders = [Path(entry) for entry in sys.path if entry and not entry.endswith(_NOT_THEIRS)]
    modules = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if _is_module(path)]
    words = "has the name of one of Python's own modules, and those who import it are given that one; rename it"
    return [f"{path} {words}" for path in sorted(modules) if is_pythons(path.stem)]


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _where(fault: BaseException) -> str:
    """The last line that is neither Python's own nor ours."""
    frames = traceback.extract_tb(traceback_of(fault))
    theirs = [frame for frame in frames if not frame.filename.startswith(("<", _OURS, _STDLIB))]
    return f" ({theirs[-1].filename}:{theirs[-1].lineno})" if theirs else ""
