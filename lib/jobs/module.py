"""Imports a job module: the module, or a ModuleFault with one sentence that says why it can't be imported.

A job module is the user's code, and may do anything while it is imported: raise any exception, or leave sys.path empty.
Called by registry.py.
"""

import importlib
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType

from lib.jobs.failure import summary, traceback_of

_STDLIB = sysconfig.get_path("stdlib")
_OURS = f"{Path(__file__).parent}/"  # This folder alone: lib/handlers holds job modules, too.
_NOT_THEIRS = (_STDLIB, "lib-dynload", ".zip", "site-packages", "dist-packages")
"""How entries of sys.path end that hold Python's own modules or installed packages."""
# The lists of `sys` by which Python finds modules. A job module may replace or empty them; `load_module` puts back what
# was there, because some modules of Python and of Waybill are imported only when they are first needed.
_FINDERS = ("path", "meta_path", "path_hooks")


class ModuleFault(Exception):
    """Its text says which module can't be imported, why, and in which line."""


def load_module(name: str) -> ModuleType:
    """The module of that name. Raises ModuleFault, whatever the module itself raised."""
    if is_pythons(name):
        raise ModuleFault(f"{name} is the name of one of Python's own modules, which is found first; rename yours")
    lists = {finder: getattr(sys, finder) for finder in _FINDERS}
    before = {finder: list(entries) for finder, entries in lists.items()}
    try:
        return importlib.import_module(name)
    except BaseException as fault:  # noqa: BLE001  SystemExit, CancelledError, a class of its own: the start is refused.
        hint = "".join(f"; {sentence}" for sentence in unreachable())
        raise ModuleFault(f"{name} can't be imported: {summary(fault)}{_where(fault)}{hint}") from None
    finally:
        for finder, entries in lists.items():
            now = getattr(sys, finder, None)
            kept = now if isinstance(now, list) else []
            entries[:] = [*kept, *(entry for entry in before[finder] if entry not in kept)]
            setattr(sys, finder, entries)


def is_pythons(name: str) -> bool:
    """Whether Python has a module or package of that name, or of the name before its first dot, as in "email.jobs"."""
    return name.partition(".")[0] in {*sys.stdlib_module_names, "test"}  # Python's list lacks its package `test`.


def unreachable() -> list[str]:
    """A sentence for each module beside server.py, or in PYTHONPATH, that has the name of one of Python's own modules.
    An import of that name gives Python's module, because needs.py puts these first."""
    folders = [Path(entry) for entry in sys.path if entry and not entry.endswith(_NOT_THEIRS)]
    modules = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if _is_module(path)]
    words = "has the name of one of Python's own modules, and an import of that name gives Python's; rename yours"
    return [f"{path} {words}" for path in sorted(modules) if is_pythons(path.stem)]


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _where(fault: BaseException) -> str:
    """The traceback's last line that is neither Python's nor Waybill's, as in " (reports/jobs.py:12)"; "" for none."""
    frames = traceback.extract_tb(traceback_of(fault))
    theirs = [frame for frame in frames if not frame.filename.startswith(("<", _OURS, _STDLIB))]
    return f" ({theirs[-1].filename}:{theirs[-1].lineno})" if theirs else ""
