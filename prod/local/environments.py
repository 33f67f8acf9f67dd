"""The two virtual environments: `.venv` to run and test, `.venv-lint` for the linters. Each is made once.

1. A stamp inside says for which Python and which requirements it was filled; when either has changed, pip runs again.
   `.venv` also gets what requirements-jobs.txt names, if there is one: what job modules import.
2. An environment whose Python does not start any more (the system's was replaced) is made anew.
3. Debian and Ubuntu ship Python without ensurepip: there `python3-venv` is installed first.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

from prod.local import ROOT, LocalError
from prod.local.packages import install

LINT_REQUIREMENTS = ("ruff==0.17.6", "mypy==2.4.1")
STAMP = "waybill-requirements.txt"
PIP_S = 900


def for_running() -> Path:
    """The interpreter of `.venv`, which holds requirements.txt and requirements-jobs.txt."""
    of_jobs = ROOT / "requirements-jobs.txt"
    return _ready(ROOT / ".venv", (), [of_jobs] if of_jobs.is_file() else [])


def for_linting() -> Path:
    """The interpreter of `.venv-lint`: the same, and the linters; mypy reads the types of what Waybill imports."""
    return _ready(ROOT / ".venv-lint", LINT_REQUIREMENTS, [])


def _ready(folder: Path, more: tuple[str, ...], files: list[Path]) -> Path:
    """more: requirements, files: of requirements; both beside requirements.txt."""
    files = [ROOT / "requirements.txt", *files]
    python = folder / "bin" / "python"
    stamp = folder / STAMP
    version = _version(python)
    # Filled for another Python than it has now: that one would look for its packages in a folder that is not there.
    if not version or not f"{_text(stamp) or version}\n".startswith(f"{version}\n"):
        _make(folder)
        version = _version(python)
    wanted = "\n".join((version, *more, *(file.read_text(encoding="utf-8") for file in files)))
    if _text(stamp) != wanted:
        _fill(python, more, files)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _text(stamp: Path) -> str:
    return stamp.read_text(encoding="utf-8") if stamp.is_file() else ""


def _version(python: Path) -> str:
    """`3.12`, or nothing where that interpreter does not run or is too old."""
    code = "import sys; print('%d.%d' % sys.version_info[:2] if sys.version_info >= (3, 11) else '')"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _make(folder: Path) -> None:
    _have_venv()
    print(f"Making {folder.name} with Python {sys.version.split()[0]}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if made.returncode:
        said = " ".join((made.stdout + made.stderr).split())[-400:]
        raise LocalError(f"{folder.name} could not be made: {said}")


def _have_venv() -> None:
    if all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return
    own = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    # Only apt-get's systems part ensurepip from Python. The name with the version fits one that is not the default.
    install({"apt-get": (own, "python3-venv")}, _runs_ensurepip)
    if not _runs_ensurepip():
        raise LocalError(f"This Python lacks the modules venv and ensurepip: install {own} (apt-get install {own}).")


def _runs_ensurepip() -> bool:
    done = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL)
    return done.returncode == 0


def _fill(python: Path, more: tuple[str, ...], files: list[Path]) -> None:
    print(f"Installing {' '.join((*(file.name for file in files), *more))}")
    words = [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    # All at once: pip then says which of them can't be had together.
    named = [word for file in files for word in ("-r", str(file))]
    try:
        done = subprocess.run([*words, *named, *more], stdin=subprocess.DEVNULL, timeout=PIP_S)
    except subprocess.TimeoutExpired:
        raise LocalError(f"pip took over {PIP_S} s; is there a way to the package index from here?") from None
    if done.returncode:
        raise LocalError("pip could not install the requirements; what it says stands above.")
