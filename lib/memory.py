"""How much memory this process holds: its resident set (RSS), shared pages of libraries among it."""

import os
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")
_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
MIB = 1 << 20


def rss_bytes() -> int:
    """The resident set at this moment. Systems without /proc (macOS, BSD) tell the largest that it ever was: there a
    process that once ran one large job counts as large until it ends. 0 where neither is known."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource  # Here: Linux needs it never, and Windows has none.
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT_BYTES
