"""Where and of what the figures were taken: without it they say nothing, and nobody can take them again."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from tests.bench.node import cache
from tests.private_redis import server_program
from tests.processes import ROOT

NODE_PACKAGES = ("bullmq", "ioredis", "bee-queue", "express", "morgan", "fastify", "pino")
PYTHON_PACKAGES = ("arq", "fastapi", "uvicorn", "huey")
REDIS_LINK = "Waybill by a unix socket, the peers by TCP on loopback"
"""Waybill's tests have a Redis without a port, and peers.py has one without a socket."""


def machine(*, has_peers: bool) -> dict[str, str | int | dict[str, str]]:
    found: dict[str, str | int | dict[str, str]] = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "redis": _redis(),
        "redis_py": importlib.metadata.version("redis"),
        "redis_link": REDIS_LINK,
    }
    return {**found, "node": _said("node", "--version"), "peers": _peers()} if has_peers else found


def commit() -> str:
    """Of the code that is measured; `-dirty` behind it where files differ from the commit's."""
    return _said("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*") or "?"


def _peers() -> dict[str, str]:
    """Their versions, as they lie where peers.py installed them."""
    found = {}
    for name in NODE_PACKAGES:
        path = cache() / "node_modules" / name / "package.json"
        if path.exists():
            found[name] = str(json.loads(path.read_text(encoding="utf-8"))["version"])
    folders = [str(path) for path in (cache() / "v" / "lib").glob("python3*/site-packages")]
    installed = {one.name: one.version for one in importlib.metadata.distributions(path=folders)}
    return found | {name: installed[name] for name in PYTHON_PACKAGES if name in installed}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = (
        re.search(r"^model name\s*:\s*(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE) if path.exists() else None
    )
    return found[1] if found else platform.processor()


def _redis() -> str:
    found = re.search(r"v=(\S+)", _said(server_program(), "--version"))
    return found[1] if found else "?"


def _said(program: str, *words: str) -> str:
    """What it prints; nothing where it is not here."""
    if shutil.which(program) is None:
        return ""
    return subprocess.run([program, *words], capture_output=True, text=True).stdout.strip()
