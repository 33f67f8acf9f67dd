"""What the clients need, in a folder of their own: a node_modules, and a venv for each package of Python's."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
INSTALLED = FOLDER / ".installed"


def node_modules(*packages: str) -> Path | None:
    """The folder to run Node's scripts in, with these packages; None where there is no Node."""
    if not (shutil.which("node") and (npm := shutil.which("npm"))):
        return None
    folder = INSTALLED / "node"
    missing = [name for name in packages if not (folder / "node_modules" / name).exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if missing:
        (folder / "package.json").touch()
        if not (folder / "package.json").stat().st_size:
            (folder / "package.json").write_text("{}", encoding="utf-8")
        subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *missing], cwd=folder, check=True
        )
    for script in (FOLDER / "node").iterdir():
        # Node looks for packages beside a script, and upwards.
        shutil.copy(script, folder / script.name)
    return folder


def node_folder(name: str, *packages: str) -> Path | None:
    """A folder with a node_modules of its own that has these packages (name@version); None where there is no Node."""
    if not (shutil.which("node") and (npm := shutil.which("npm"))):
        return None
    folder = INSTALLED / f"node-{name}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}", encoding="utf-8")
        words = (npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *packages)
        subprocess.run(words, cwd=folder, check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    return folder


def python_with(package: str, *beside: str) -> Path:
    """A Python that has this package of PyPI, what it needs and those beside it. A venv of its own: some take each
    other's place."""
    folder = INSTALLED / f"python-{package}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", package, *beside], check=True, stdout=sys.stderr)
        (folder / "complete").touch()
    return python
