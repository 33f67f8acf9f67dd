"""Many jobs complete and few are kept: what Redis and the processes hold in memory stays as it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.row import Row
from tests.faults.site import Site

KEPT = 1000
BITE = 20_000
MOST_ENTRIES = 1200  # 1,000, and what "about" means to Redis


def run(*, is_quick: bool) -> Iterator[Row]:
    count = 60_000 if is_quick else 1_000_000
    row = Row(f"{count:,} completed, {KEPT:,} kept: memory", runs=count)
    with Site() as site:
        worker = site.worker(WORKER_QUEUES="default=50", RETAIN_COMPLETED=KEPT)
        redis_mb, process_mb = [], []
        job = site.new("nothing")
        for _ in range(count // BITE):
            # Copies of one job under ids of their own: to make each from a request takes longer than to run it.
            site.put_all(job._replace(job_id=site.ids.new(site.queue, "request")) for _ in range(BITE))
            site.until(lambda: _completed(site) == len(site.accepted), "all have completed", 120, 0.1)
            site.until(lambda: site.client.zcard(f"{site.base}all") <= KEPT, "the rest is trimmed", 120, 0.1)
            redis_mb.append(_redis_mb(site))
            process_mb.append(sum(_resident_mb(pid) for pid in (worker.pid, *worker.runner_pids())))
        entries = site.client.xlen(f"{site.base}events")
        row.demand(entries < MOST_ENTRIES, f"the stream of endings holds {entries} entries")
        row.lost = count - _completed(site)
        row.demand(not row.lost, f"{row.lost} did not complete")
        row.demand(redis_mb[-1] < redis_mb[1] + 1, f"Redis grew from {redis_mb[1]:.1f} to {redis_mb[-1]:.1f} MB")
        row.demand(
            process_mb[-1] < process_mb[1] + 4, f"processes grew from {process_mb[1]:.0f} to {process_mb[-1]:.0f} MB"
        )
        row.note = f"Redis {redis_mb[1]:.1f} -> {redis_mb[-1]:.1f} MB, "
        row.note += f"processes {process_mb[1]:.0f} -> {process_mb[-1]:.0f} MB"
        site.accepted.clear()
        site.judge(row)
    yield row


def _completed(site: Site) -> int:
    totals: Any = site.client.hgetall(f"{site.base}totals")
    return sum(int(count) for name, count in totals.items() if name.startswith(b"completed "))


def _redis_mb(site: Site) -> float:
    """Less the stream of endings, which is as long as it may be only after some 100,000 jobs."""
    used: int = site.client.info("memory")["used_memory"]
    return (used - (site.client.memory_usage(f"{site.base}events") or 0)) / 1e6


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0
