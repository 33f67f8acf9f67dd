"""Peers of npm and PyPI, installed when they are first asked for, each measure's into a folder in `cache()`."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.node import cache
from tests.bench.peers import PeerFailed

INSTALL_S = 300.0


def npm(folder_name: str, packages: Mapping[str, str]) -> Path:
    """The folder node_modules with these packages: {"bullmq": "6.7.0"}. Raises PeerFailed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise PeerFailed("node and npm are not here")
    folder = cache() / folder_name
    modules = folder / "node_modules"
    if not all((modules / name).is_dir() for name in packages):
        folder.mkdir(parents=True, exist_ok=True)
        wanted = json.dumps({"private": True, "dependencies": packages})
        (folder / "package.json").write_text(wanted, encoding="utf-8")
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder)
    return modules


def pip(folder_name: str, packages: Sequence[str], program: str) -> Path:
    """The folder bin of a venv with these packages, of which one brings `program`. Raises PeerFailed."""
    folder = cache() / folder_name
    if not (folder / "bin" / program).exists():
        cache().mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(folder)], cache())
        _run([str(folder / "bin" / "pip"), "-q", "install", *packages], cache())
    return folder / "bin"


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
    if done.returncode:
        raise PeerFailed(f"{command[:3]} ended with {done.returncode}:\n{done.stderr[-1000:]}")
