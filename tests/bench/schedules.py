"""Schedules: a crowd that is due at one moment, what they cost while none is due, and how late a run is.

1. 10,000 schedules whose runs are due at the same millisecond, with two supervisors: how long until the last job is
   queued, and the longest script meanwhile, by Redis' SLOWLOG: by the clock on the wall, so that on a machine with
   other work the longest is one that had to wait for a core.
2. 10,000 schedules of which none is due: what Redis does for a supervisor at rest, beside the same without schedules.
3. Ten schedules of one second: how much later than its slot each job was queued, by Redis' clock.

The programs are real; the schedules are written as PUT writes them, without HTTP.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from lib.jobs.schedule import Schedule
from lib.jobs.spec import JobSpec
from lib.queue.keys import RedisKeys
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import open_link
from tests.bench.figure import Figure
from tests.bench.posts import MODULES
from tests.bench.spent import Spent
from tests.faults.row import percentile
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Worker

CROWD = 10_000
SUPERVISORS = 2
AT_ONCE = 50
REST_S, LATE_S = 20.0, 30.0
SECOND_MS, DAY_MS = 1000, 86_400_000
BASE = "wb:{default}:"
JOB = {"type": "noop", "payload": {}, "queue": "default", "priority": "normal"}


def run(*, is_quick: bool) -> Iterator[Figure]:
    shrunk = 10 if is_quick else 1
    yield from _crowd(CROWD // shrunk)
    yield from _idle(CROWD // shrunk, REST_S / shrunk)
    yield from _late(LATE_S / shrunk)


def _crowd(count: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        redis = _redis(stack)
        names = _write(redis, count, DAY_MS)
        for _ in range(SUPERVISORS):
            _worker(stack, redis)
        redis.client.config_set("slowlog-max-len", 100 * CROWD)
        redis.client.config_set("slowlog-log-slower-than", 0)
        due_ms = _now_ms(redis) + 5 * SECOND_MS
        pipe = redis.client.pipeline(transaction=False)
        for name in names:
            pipe.hset(f"{BASE}schedule:{name}", "slot", due_ms)
        pipe.zadd(f"{BASE}slots", dict.fromkeys(names, due_ms))
        pipe.execute()
        redis.client.slowlog_reset()
        wait_until(lambda: _fired(redis) == count, "all have fired", within_s=120, every_s=0.05)
        slow: Any = redis.client.slowlog_get(100 * CROWD)
        scripts_ms = [one["duration"] / 1000 for one in slow if one["command"].startswith(b"EVALSHA")]
        # The last job of the crowd: that is when the last of them had fired.
        last_ms = redis.client.zrange(f"{BASE}all", -1, -1, withscores=True)[0][1]
        yield Figure("schedules.crowd.all_fired", (last_ms - due_ms) / 1000, "s")
        yield Figure("schedules.crowd.script_p99", percentile(scripts_ms, 0.99), "ms")
        yield Figure("schedules.crowd.longest_script", max(scripts_ms), "ms")


def _idle(count: int, rest_s: float) -> Iterator[Figure]:
    for name, schedules in (("none", 0), ("idle", count)):
        with ExitStack() as stack:
            redis = _redis(stack)
            _write(redis, schedules, DAY_MS)
            _worker(stack, redis)
            time.sleep(3)
            _wait_for_rest(redis)
            spent = Spent(redis)
            time.sleep(rest_s)
            yield Figure(f"schedules.{name}.scripts", spent.calls / rest_s, "scripts/s")
            yield Figure(f"schedules.{name}.redis", spent.core_percent, "% of a core")


def _wait_for_rest(redis: PrivateRedis) -> None:
    """Until the supervisor has gone through all schedules, as it does at its start and once a day (zone_watch.py)."""
    for _ in range(60):
        spent = Spent(redis)
        time.sleep(1)
        if spent.calls < 10:
            return


def _late(seconds: float) -> Iterator[Figure]:
    with ExitStack() as stack:
        redis = _redis(stack)
        _worker(stack, redis)
        _write(redis, 10, SECOND_MS, pause_s=0.1)
        time.sleep(seconds)
        late_ms = []
        for raw, created_ms in redis.client.zrange(f"{BASE}all", 0, -1, withscores=True):
            spec = redis.client.hget(f"{BASE}job:{raw.decode()}", "spec")
            late_ms.append(created_ms - JobSpec.from_text(spec).scheduled_for)
        # The first slot of all may have waited for upkeep to find the queue.
        late_ms = late_ms[10:]
        yield Figure("schedules.late.p50", percentile(late_ms, 0.5), "ms")
        yield Figure("schedules.late.p99", percentile(late_ms, 0.99), "ms")
        yield Figure("schedules.late.runs", len(late_ms), "runs")


def _redis(stack: ExitStack) -> PrivateRedis:
    return stack.enter_context(PrivateRedis(aof="everysec"))


def _worker(stack: ExitStack, redis: PrivateRedis) -> None:
    stack.enter_context(Worker(redis.url, JOB_MODULES=MODULES, RETAIN_COMPLETED=10**6))


def _write(redis: PrivateRedis, count: int, every_ms: int, *, pause_s: float = 0) -> list[str]:
    names = [f"s{number}" for number in range(count)]
    schedule = Schedule("", every_ms, "UTC", JOB, overlap="allow")

    async def write() -> None:
        link = open_link(redis.url, timeout_s=30)
        store = ScheduleStore(link, RedisKeys("wb"))
        at_once = 1 if pause_s else AT_ONCE
        for at in range(0, count, at_once):
            await asyncio.gather(*[store.put(name, lambda present: schedule) for name in names[at : at + at_once]])
            await asyncio.sleep(pause_s)
        await link.close()

    asyncio.run(write())
    return names


def _now_ms(redis: PrivateRedis) -> int:
    at_s, us = redis.client.time()
    return int(at_s) * 1000 + int(us) // 1000


def _fired(redis: PrivateRedis) -> int:
    return int(redis.client.hget(f"{BASE}slot_counts", "fired") or 0)
