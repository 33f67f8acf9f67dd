"""Where the figures were taken: without it they say nothing."""

import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

from tests.private_redis import PROGRAMS


def machine() -> dict[str, str | int]:
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "redis": _redis(),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found[1] if found else platform.processor()


def _redis() -> str:
    program = next(filter(None, map(shutil.which, PROGRAMS)), "")
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else ""
    found = re.search(r"v=(\S+)", said)
    return found[1] if found else "?"
