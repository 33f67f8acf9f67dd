"""What processes cost, as /proc tells it (Linux): CPU seconds, and memory counted in two ways."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS_A_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """That process, and all that it and its children started."""
    parents = {int(path.parent.name): _stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    found = [pid]
    for parent in found:  # It grows meanwhile: children of children.
        found += [child for child, stat in parents.items() if stat and int(stat[1]) == parent]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """In user and system code since their starts; /proc/<pid>/stat counts it in hundredths of a second."""
    stats = [_stat(Path(f"/proc/{pid}/stat")) for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS_A_S


def rss_mb(pids: Iterable[int]) -> float:
    """Resident pages; what several processes share (Python itself, its libraries) counts in each."""
    return _memory_mb(pids, "status", "VmRSS:")


def pss_mb(pids: Iterable[int]) -> float:
    """The same, but a page that n processes share counts 1/n in each: what would be free without them."""
    return _memory_mb(pids, "smaps_rollup", "Pss:")


def _memory_mb(pids: Iterable[int], file: str, label: str) -> float:
    kilobytes = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8").splitlines()
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith(label))
    return kilobytes * 1024 / 1e6


def _stat(path: Path) -> list[str]:
    """The fields behind the name, which may hold blanks; none where the process has ended."""
    try:
        return path.read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []
