"""A million jobs waiting: what enqueue, claim and cancel cost Redis, against a thousand; and pages of GET /api/jobs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

from lib.queue.client import open_link
from lib.queue.keys import Keys
from lib.queue.lease import Lease
from lib.queue.queue import Queue
from tests.faults.outages import ask
from tests.faults.row import Row
from tests.faults.site import Site

SHALLOW = 1000
CALLS = 100
ROUNDS = 9
PAGE_S = 0.05
PAGES = 20

# Copies of one real job: what a million enqueues leave behind, in seconds instead of a minute.
_COPIES = """
local base, spec, from, count = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
for n = from, from + count - 1 do
  local id = string.format('default-01900000000070008%015x', n)
  redis.call('HSET', base .. 'job:' .. id, 'spec', spec, 'state', 'ready')
  redis.call('ZADD', base .. 'all', 1600000000000 + n, id)
  redis.call('LPUSH', base .. 'ready:normal', id)
end
"""


def run(*, is_quick: bool) -> Iterator[Row]:
    deep = 100_000 if is_quick else 1_000_000
    row = Row(f"{deep:,} waiting: cost against {SHALLOW:,}", runs=CALLS * ROUNDS)
    with Site() as site:
        _fill(site, 0, SHALLOW)
        shallow = asyncio.run(_costs(site))
        _fill(site, SHALLOW, deep - SHALLOW)
        costs = asyncio.run(_costs(site))
        for name, cost_us in costs.items():
            ratio = cost_us / shallow[name]
            row.demand(
                ratio <= 1.2, f"{name} costs {cost_us:.0f} us, {ratio:.2f} times the {shallow[name]:.0f} us of before"
            )
        row.note = ", ".join(f"{name} {shallow[name]:.0f} -> {costs[name]:.0f} us" for name in costs)
        yield row
        yield _pages(site, deep)


def _fill(site: Site, begin: int, count: int) -> None:
    spec = site.new("nothing").spec_text
    for at in range(begin, begin + count, 10_000):
        site.client.eval(_COPIES, 0, site.base, spec, at, min(10_000, begin + count - at))
    site.client.sadd("wb:queues", site.queue)


async def _costs(site: Site) -> dict[str, float]:
    """Microseconds inside Redis for one call of each; the best of some rounds, which is what else ran left alone."""
    link, pop_link = open_link(site.url, timeout_s=30), open_link(site.url, timeout_s=30)
    keys = Keys("wb")
    queue = Queue(link, keys)
    lease = Lease(link, pop_link, keys, site.queue, "w", Random(1))
    await lease.register({})
    ids: list[str] = []

    async def enqueue() -> None:
        job = site.new("nothing")
        ids.append(job.job_id)
        await queue.enqueue(job)

    async def claim() -> None:
        await lease.claim(1)

    async def cancel() -> None:
        await queue.cancel(ids.pop())

    best: dict[str, float] = {}
    calls: dict[str, Callable[[], Awaitable[None]]] = {"enqueue": enqueue, "claim": claim, "cancel": cancel}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            site.client.config_resetstat()
            for _ in range(CALLS):
                await call()
            stats: Any = site.client.info("commandstats")
            cost_us = stats["cmdstat_evalsha"]["usec_per_call"]
            best[name] = min(cost_us, best.get(name, cost_us))
    await link.close()
    await pop_link.close()
    return best


def _pages(site: Site, deep: int) -> Row:
    """Each page is asked for three times, and the quickest counts: what else this machine did is no cost of it."""
    row = Row(f"{deep:,} waiting: pages of GET /api/jobs")
    url = site.server().url
    slowest: dict[str, float] = {}
    for query in ("", "?limit=200", "?state=ready", "?state=ready&limit=200", "?queue=default", "?state=dead"):
        cursor = ""
        for _ in range(PAGES):
            joined = f"{query}{'&' if query else '?'}cursor={cursor}" if cursor else query
            answers = [ask(url, f"/api/jobs{joined}") for _ in range(3)]
            row.demand(all(status == 200 for status, *_ in answers), f"{joined}: {answers[0][0]}")
            took_s = min(took_s for _, took_s, *_ in answers)
            row.runs += 1
            row.recover_s.append(took_s)
            slowest[query] = max(took_s, slowest.get(query, 0.0))
            cursor = json.loads(answers[0][3]).get("next_cursor") or ""
    for query, took_s in slowest.items():
        row.demand(took_s < PAGE_S, f"GET /api/jobs{query}: a page took {took_s * 1000:.0f} ms")
    row.note = "slowest: " + ", ".join(
        f"{query or 'plain'} {took_s * 1000:.0f} ms" for query, took_s in slowest.items()
    )
    return row
