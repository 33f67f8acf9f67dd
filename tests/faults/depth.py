"""A million jobs waiting: what enqueue, claim, patch and cancel cost, against a thousand; pages of GET /api/jobs."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

from lib.jobs.job import Revision
from lib.queue.client import Link, open_link
from lib.queue.keys import Keys
from lib.queue.lease import Lease
from lib.queue.queue import Queue
from tests.faults.load import ask
from tests.faults.row import Row, percentile
from tests.faults.site import Site

SHALLOW = 1000
CALLS = 10
ROUNDS = 150
SLACK_US = 8  # What a few more misses of the CPU's caches come to: one key among a million is in none of them.
PAGE_S = 0.05
PAGES = 20
CALL_MS = 10
QUERIES = (
    "",
    "?limit=200",
    "?state=ready",
    "?state=ready&limit=200",
    "?state=active",
    "?state=dead",
    "?queue=default",
    "?type=another",
    "?request_id=another&state=ready",
)

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
    count = 100_000 if is_quick else 1_000_000
    row = Row(f"{count:,} waiting: cost against {SHALLOW:,}", runs=CALLS * ROUNDS)
    with Site() as shallow, Site() as deep:
        # As many more as will be claimed meanwhile.
        _fill(shallow, SHALLOW + CALLS * ROUNDS)
        _fill(deep, count + CALLS * ROUNDS)
        before_us, after_us = asyncio.run(_measure(shallow, deep))
        for name, cost_us in after_us.items():
            ratio = cost_us / before_us[name]
            is_same = ratio <= 1.2 or cost_us - before_us[name] <= SLACK_US
            row.demand(is_same, f"{name} costs {cost_us:.0f} us, {ratio:.2f} times {before_us[name]:.0f} us")
        row.note = ", ".join(f"{name} {before_us[name]:.1f} -> {after_us[name]:.1f} us" for name in after_us)
        yield row
        yield _pages(deep, count)


def _fill(site: Site, count: int) -> None:
    spec = site.new("nothing").spec_text
    for at in range(0, count, 10_000):
        site.client.eval(_COPIES, 0, site.base, spec, at, min(10_000, count - at))
    site.client.sadd("wb:queues", site.queue)


async def _measure(*sites: Site) -> list[dict[str, float]]:
    """Microseconds inside Redis for one call of each kind, in each site.

    In turns and in short rounds, of which the middle one counts: what else this machine does falls on both sites.
    """
    links = [open_link(site.url, timeout_s=30) for site in sites]
    kinds = [await _calls(site, link) for site, link in zip(sites, links, strict=True)]
    costs_us: list[dict[str, list[float]]] = [{name: [] for name in calls} for calls in kinds]
    for _ in range(ROUNDS):
        for name in kinds[0]:
            for site, calls, costs in zip(sites, kinds, costs_us, strict=True):
                costs[name].append(await _cost_us(site, calls[name]))
    for link in links:
        await link.close()
    return [{name: percentile(values, 0.5) for name, values in costs.items()} for costs in costs_us]


async def _calls(site: Site, link: Link) -> dict[str, Callable[[], Awaitable[None]]]:
    keys = Keys("wb")
    queue = Queue(link, keys)
    lease = Lease(link, link, keys, site.queue, "w", Random(1))
    await lease.register({})
    ids: list[str] = []
    calls = itertools.count()

    async def enqueue() -> None:
        job = site.new("nothing")
        ids.append(job.job_id)
        await queue.enqueue(job)

    async def claim() -> None:
        await lease.claim(1)

    async def patch() -> None:
        at = -1 - next(calls) % CALLS
        await queue.patch(ids[at], lambda record: Revision(record.spec_text.decode(), "low"))

    async def cancel() -> None:
        await queue.cancel(ids.pop())

    return {"enqueue": enqueue, "claim": claim, "patch": patch, "cancel": cancel}


async def _cost_us(site: Site, call: Callable[[], Awaitable[None]]) -> float:
    site.client.config_resetstat()
    for _ in range(CALLS):
        await call()
    return _evalsha(site)["usec_per_call"]


def _evalsha(site: Site) -> dict[str, float]:
    stats: Any = site.client.info("commandstats")
    return dict(stats["cmdstat_evalsha"])


def _pages(site: Site, deep: int) -> Row:
    """Each page is asked for three times, and the quickest counts: what else this machine did is no cost of it."""
    row = Row(f"{deep:,} waiting: pages of GET /api/jobs")
    url = site.server().url
    slowest: dict[str, float] = {}
    for query in QUERIES:
        cursor = ""
        site.client.config_resetstat()
        for _ in range(PAGES):
            joined = f"{query}{'&' if query else '?'}cursor={cursor}" if cursor else query
            answers = [ask(url, f"/api/jobs{joined}") for _ in range(3)]
            row.demand(all(status == 200 for status, *_ in answers), f"{joined}: {answers[0][0]}")
            took_s = min(took_s for _, took_s, *_ in answers)
            row.runs += 1
            row.recover_s.append(took_s)
            slowest[query] = max(took_s, slowest.get(query, 0.0))
            cursor = json.loads(answers[0][3]).get("next_cursor") or ""
        call_ms = _evalsha(site)["usec_per_call"] / 1000
        row.demand(call_ms < CALL_MS, f"GET /api/jobs{query}: a call held Redis for {call_ms:.1f} ms")
    for query, took_s in slowest.items():
        row.demand(took_s < PAGE_S, f"GET /api/jobs{query}: a page took {took_s * 1000:.0f} ms")
    row.note = "slowest: " + ", ".join(
        f"{query or 'plain'} {took_s * 1000:.0f} ms" for query, took_s in slowest.items()
    )
    return row
