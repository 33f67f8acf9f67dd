"""A step of walk.py: the numbers over time are the totals, also where a period that is rolled up early goes on."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from lib.jobs.error_kinds import ERROR_WINDOWS, error_kinds
from lib.jobs.period_stats import KEPT_MS
from lib.jobs.periods import PERIOD_MS
from lib.queue.error_store import read_hour
from lib.queue.framing import counters, named
from lib.queue.stats_store import read_periods
from tests.system.oracle import Client

LEASE_MS = 60_000


async def look_at_numbers(call: Callable[..., Awaitable[Any]], client: Client, base: str, rng: Random) -> None:
    """call: runs a script on the queue with this base. Raises AssertionError where numbers disagree."""
    if rng.random() < 0.5:
        periods: Any = client.zrange(f"{base}rollups", 0, -1)
        for period in periods:
            client.zadd(f"{base}rollups", {period: int(time.time() * 1000) - PERIOD_MS})
        await call("rollup", rng.choice((1, 9)), KEPT_MS)
    totals = Counter[str]()
    for name, count in counters(named(await call("census", LEASE_MS))["totals"]).items():
        totals[name.partition(" ")[0]] += count

    _, _, kept, still_open, _ = await call("stats", "", KEPT_MS, "")
    counted = Counter[str]()
    for one in (*read_periods(kept).values(), *read_periods(still_open).values()):
        counted.update({event: sum(counts) for event, counts in one.counts.items()})
    assert +counted == +totals, f"over time {dict(counted)} jobs are counted, and in all {dict(totals)}"

    now, *hours = await call("errors", 2)
    found = [read_hour(hour, kinds) for hour, kinds in zip(hours[::2], hours[1::2], strict=True)]
    kinds = error_kinds("q", found, ERROR_WINDOWS["24h"], int(now))
    dead, retried = sum(kind.dead for kind in kinds), sum(kind.retried for kind in kinds)
    assert dead == totals["dead"], f"{dead} errors were the last of a job, and {totals['dead']} jobs are dead"
    assert retried >= totals["retried"], f"{retried} errors were tried again, and {totals['retried']} jobs"
