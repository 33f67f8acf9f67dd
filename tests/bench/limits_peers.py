"""What limits and groups do beside BullMQ and groupmq: the same work by each, as far as it can.

1. `groups_10`, `groups_1000`: jobs that do nothing, of so many groups, one of each group at a time: jobs a second, and
   Redis' CPU for each (claim to end). groupmq's groups are always so. BullMQ has none: they are in BullMQ Pro.
2. `rate`: 50 starts a second, and all workers idle: the most starts in any second, Redis' commands for each start, and
   starts a second once the first 50 have begun. groupmq has no rate.
3. `slots`: at most 5 jobs at once over 4 processes: the most that did run at once, and jobs a second of 50 that can be.
   groupmq has no concurrency of a queue.
4. `tenants`: one tenant of nine has many long jobs, and each other posts a short one ten times a second: how long the
   short ones wait. Waybill's tenants may have half of the slots each; groupmq's have one each; BullMQ's stand in one
   queue.

`contenders.py` has the contenders; each scenario here is for any of them. The starts of `rate` are those in the jobs'
records: Waybill writes Redis' clock there, BullMQ the worker's. All else is by the clocks of the handlers.
"""

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.contenders import PROCESSES, SLOTS, Contender, Job, NodePeer, Stamp, Waybill
from tests.bench.figure import Figure
from tests.bench.spent import Spent
from tests.faults.row import percentile
from tests.private_redis import wait_until

JOBS = 2000
RATE, SPELL_MS = 50, 10
RATED = 200
MOST, HELD_MS = 5, 100
HELD = 150
LONG, LONG_MS = 1500, 200
OTHERS = [f"tenant-{number}" for number in range(1, 9)]
POSTS, POST_S = 40, 0.1
LIMIT_S = 120.0
LOOK_S = 0.002

Scenario = Callable[[str, Contender, int], Iterator[Figure]]


def run(*, is_quick: bool) -> Iterator[Figure]:
    for scenario in (_groups_10, _groups_1000, _rate, _slots, _tenants):
        with Waybill() as waybill:
            yield from scenario("limits_peers", waybill, 5 if is_quick else 1)
    yield Figure("limits_peers.load", os.getloadavg()[0], "processes")


def peers(_folder: Path) -> Iterator[Figure]:
    return _peers(1)


def quick_peers(_folder: Path) -> Iterator[Figure]:
    return _peers(5)


def _peers(shrunk: int) -> Iterator[Figure]:
    can = {"groupmq": (_groups_10, _groups_1000, _tenants), "bullmq": (_rate, _slots, _tenants)}
    for name, scenarios in can.items():
        for scenario in scenarios:
            with NodePeer(name) as peer:
                yield from scenario(f"{name}.limits", peer, shrunk)


def _groups_10(key: str, site: Contender, shrunk: int) -> Iterator[Figure]:
    return _groups(f"{key}.groups_10", site, 10, JOBS // shrunk)


def _groups_1000(key: str, site: Contender, shrunk: int) -> Iterator[Figure]:
    return _groups(f"{key}.groups_1000", site, 1000, JOBS // shrunk)


def _groups(key: str, site: Contender, groups: int, jobs: int) -> Iterator[Figure]:
    site.group_concurrency(1)
    site.pause()
    site.add([Job(f"tenant-{number % groups}") for number in range(jobs)])
    site.resume()
    first = wait_until(site.ended, "a job has ended", within_s=LIMIT_S, every_s=LOOK_S)
    spent, began_s = Spent(site.redis), time.perf_counter()
    wait_until(lambda: site.ended() >= jobs, f"{jobs} jobs have ended", within_s=LIMIT_S, every_s=LOOK_S)
    ended = max(1, jobs - first)
    yield Figure(f"{key}.jobs", ended / (time.perf_counter() - began_s), "jobs/s")
    yield Figure(f"{key}.redis", spent.cpu_us / ended, "µs per job")


def _rate(key: str, site: Contender, shrunk: int) -> Iterator[Figure]:
    jobs = RATED // (2 if shrunk > 1 else 1)
    site.rate(RATE, 1000)
    before = _commands(site)
    site.add([Job("tenant-1", SPELL_MS)] * jobs)
    _all(site, jobs)
    commands, begun_s = _commands(site) - before, site.started_s()
    assert len(begun_s) == jobs, f"{len(begun_s)} of {jobs} jobs have a start"
    yield Figure(f"{key}.rate.most", _most_in(begun_s, 1.0), "starts")
    yield Figure(f"{key}.rate.commands", commands / jobs, "commands")
    yield Figure(f"{key}.rate.starts", (jobs - RATE) / (begun_s[-1] - begun_s[0]), "starts/s")


def _slots(key: str, site: Contender, shrunk: int) -> Iterator[Figure]:
    jobs = HELD // shrunk
    site.concurrency(MOST)
    site.add([Job("tenant-1", HELD_MS)] * jobs)
    stamps = _all(site, jobs)
    took_s = max(one.ended_s for one in stamps) - min(one.begun_s for one in stamps)
    yield Figure(f"{key}.slots.most", _most_at_once(stamps), "jobs")
    yield Figure(f"{key}.slots.jobs", jobs / took_s, "jobs/s")


def _tenants(key: str, site: Contender, shrunk: int) -> Iterator[Figure]:
    site.group_concurrency(PROCESSES * SLOTS // 2)
    site.add([Job("tenant-0", LONG_MS)] * (LONG // shrunk))
    posts = POSTS // shrunk
    for _ in range(posts):
        site.add([Job(tenant, SPELL_MS) for tenant in OTHERS])
        time.sleep(POST_S)
    stamps = _all(site, posts * len(OTHERS), but="tenant-0")
    waits_ms = [(one.begun_s - one.sent_s) * 1000 for one in stamps]
    yield Figure(f"{key}.tenants.p50", percentile(waits_ms, 0.5), "ms")
    yield Figure(f"{key}.tenants.p99", percentile(waits_ms, 0.99), "ms")


def _all(site: Contender, count: int, but: str = "") -> list[Stamp]:
    """The stamps of `count` jobs, when all have ended, without those of the name `but`."""

    def found() -> Any:
        stamps = [one for one in site.stamps() if one.name != but]
        return len(stamps) >= count and stamps

    return list(wait_until(found, f"{count} jobs have ended", within_s=LIMIT_S, every_s=0.05))


def _most_in(times_s: list[float], span_s: float) -> int:
    """The most of these sorted times that lie in any span, its end not in it."""
    return max(bisect_left(times_s, time_s + span_s) - first for first, time_s in enumerate(times_s))


def _most_at_once(stamps: list[Stamp]) -> int:
    changes = sorted([(one.begun_s, 1) for one in stamps] + [(one.ended_s, -1) for one in stamps])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def _commands(site: Contender) -> float:
    """All that Redis has run, those of scripts with it."""
    stats: Any = site.redis.client.info("commandstats")
    return float(sum(row["calls"] for name, row in stats.items() if name != "cmdstat_info"))
