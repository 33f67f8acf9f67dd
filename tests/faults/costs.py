"""What one call of each kind costs inside Redis, by its own count: of two sites in turns, so both see the same day.

depth.py demands that a million jobs cost what a thousand do; `make bench` shows the figures.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from lib.jobs.job import ClaimedJob, Revision
from lib.queue.end_record import complete_record
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.redis_link.link import RedisLink, open_link
from tests.faults.row import percentile
from tests.faults.site import Site

CALLS = 10
BITE = 10_000
TYPE = "nothing"
YEAR_MS = 365 * 86_400_000
Calls = dict[str, Callable[[], Awaitable[None]]]

# Copies of one real job: what a million enqueues leave behind, in seconds instead of a minute.
_COPIES = """
local base, name, spec, from, count, due = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
for n = from, from + count - 1 do
  local id = string.format('%s-01900000000070008%015x', name, n)
  redis.call('HSET', base .. 'job:' .. id, 'spec', spec, 'state', due == '' and 'ready' or 'delayed')
  redis.call('ZADD', base .. 'all', 1600000000000 + n, id)
  if due == '' then
    redis.call('LPUSH', base .. 'ready:normal', id)
  else
    redis.call('ZADD', base .. 'delayed', tonumber(due) + n, id)
  end
end
"""


class Side(NamedTuple):
    """A site, and the queues in it that are used in turns."""

    site: Site
    queues: Sequence[str] = ("default",)


def fill(
    side: Side,
    count: int,
    *,
    first: int = 0,
    state: Literal["ready", "delayed"] = "ready",
    type_name: str = TYPE,
) -> None:
    """Put so many into each of its queues; the delayed ones are due in a year. first: the number of the first."""
    site = side.site
    due = site.client.time()[0] * 1000 + YEAR_MS if state == "delayed" else ""
    for queue in side.queues:
        spec = site.new(type_name, {"queue": queue}).spec_text
        for at in range(first, first + count, BITE):
            bite = min(BITE, first + count - at)
            site.client.eval(_COPIES, 0, RedisKeys("wb").base(queue), queue, spec, at, bite, due)
        site.client.sadd("wb:queues", queue)


async def costs_us(*sides: Side, rounds: int) -> list[dict[str, float]]:
    """Microseconds inside Redis for one call of each kind, in each site.

    In turns and in short rounds, of which the middle one counts: what else this machine does falls on both sites.
    """
    links = [open_link(side.site.url, timeout_s=30) for side in sides]
    kinds = [await _calls(side, link) for side, link in zip(sides, links, strict=True)]
    costs: list[dict[str, list[float]]] = [{name: [] for name in calls} for calls in kinds]
    for _ in range(rounds):
        for name in kinds[0]:
            for side, calls, cost in zip(sides, kinds, costs, strict=True):
                cost[name].append(await _cost_us(side.site, calls[name]))
    for link in links:
        await link.close()
    return [{name: percentile(values, 0.5) for name, values in cost.items()} for cost in costs]


def evalsha(site: Site) -> dict[str, float]:
    """Redis' own count of script calls, since it was reset."""
    stats: Any = site.client.info("commandstats")
    return dict(stats["cmdstat_evalsha"])


async def _calls(side: Side, link: RedisLink) -> Calls:
    keys = RedisKeys("wb")
    queue = JobStore(link, keys)
    leases = [Lease(link, link, keys, name, "w", Random(1)) for name in side.queues]
    for lease in leases:
        await lease.register({"pid": 0})
    to_enqueue, to_claim = itertools.cycle(side.queues), itertools.cycle(leases)
    ids: list[str] = []
    claimed: list[tuple[Lease, ClaimedJob]] = []
    patched = itertools.count()

    async def enqueue() -> None:
        job = side.site.new(TYPE, {"queue": next(to_enqueue)})
        ids.append(job.job_id)
        await queue.enqueue(job)

    async def claim() -> None:
        lease = next(to_claim)
        claimed.extend((lease, job) for job in (await lease.claim(1)).jobs)

    async def finish() -> None:
        lease, job = claimed.pop()
        await lease.end_and_wait("finish", complete_record(job.job_id, job.token, TYPE, ""))

    async def patch() -> None:
        at = -1 - next(patched) % CALLS
        await queue.patch(ids[at], lambda record: Revision(record.spec_text.decode(), "low"))

    async def cancel() -> None:
        await queue.cancel(ids.pop())

    return {"enqueue": enqueue, "claim": claim, "finish": finish, "patch": patch, "cancel": cancel}


async def _cost_us(site: Site, call: Callable[[], Awaitable[None]]) -> float:
    site.client.config_resetstat()
    for _ in range(CALLS):
        await call()
    return evalsha(site)["usec_per_call"]


def measured(*sides: Side, rounds: int) -> list[dict[str, float]]:
    """costs_us, for who has no loop."""
    return asyncio.run(costs_us(*sides, rounds=rounds))
