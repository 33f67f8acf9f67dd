"""Schedules: one job for each slot, whatever is killed and cut for a minute; and ten thousand that are due at once."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from lib.jobs.schedule import Schedule
from lib.queue.keys import RedisKeys
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import open_link
from tests.faults.row import Row, percentile
from tests.faults.site import Site

EVERY_MS = 1000
BEGIN_S = 4
AT_ONCE_S = 5.0
SLOW_US = 10_000
JOB = {"type": "nothing", "payload": {}, "queue": "default"}


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _killed(20, 6.0) if is_quick else _killed(200, 60.0)
    yield _at_once(1000 if is_quick else 10_000)


def _killed(count: int, for_s: float) -> Row:
    row = Row(f"{count} schedules of a second, supervisors killed and links cut for {for_s:g} s")
    rng = random.Random(7)
    with Site() as site:
        workers = [site.worker(WORKER_QUEUES="default=4") for _ in range(3)]
        begin_ms = _next_second_ms(site, BEGIN_S)
        _put(site, count, Schedule("", EVERY_MS, "UTC", JOB, "allow", "all", starts_ms=begin_ms))
        kills = cuts = 0
        ends_s = time.monotonic() + for_s
        while time.monotonic() < ends_s:
            time.sleep(rng.uniform(0.5, 2))
            workers.pop(0).kill()
            workers.append(site.worker(WORKER_QUEUES="default=4"))
            kills += 1
            if rng.random() < 0.7:
                site.client.client_kill_filter(_type="normal", skipme=True)
                cuts += 1
        site.until(lambda: not _due(site), "nothing is due any more", 60, 0.02)
        for worker in workers:
            worker.kill()
        fired = _fired(site)
        wanted, missed = _slots_until_now(site, count, begin_ms)
        row.runs, row.lost = sum(fired.values()), len(wanted - fired.keys())
        row.twice = row.runs - len(fired)
        row.note = f"{kills} killed, {cuts} times all links cut"
        row.demand(not row.lost and not missed, f"{row.lost} slots got no job, of which {missed} are told as missed")
        row.demand(not row.twice, f"{row.twice} slots got a second job")
    return row


def _at_once(count: int) -> Row:
    row = Row(f"{count:,} schedules due at one second: lateness", runs=count)
    with Site(options=("--slowlog-log-slower-than", str(SLOW_US), "--slowlog-max-len", "1000")) as site:
        site.worker(WORKER_QUEUES="elsewhere=1")
        due_ms = _next_second_ms(site, 10 + count / 500)
        _put(site, count, Schedule("", 3_600_000, "UTC", JOB, starts_ms=due_ms))
        row.demand(_now_ms(site) < due_ms, "they were due before all were in")
        site.client.slowlog_reset()
        site.until(lambda: site.client.zcard(f"{site.base}all") >= count, "all have fired", 120, 0.05)
        created: Any = site.client.zrange(f"{site.base}all", 0, -1, withscores=True)
        row.recover_s = [(ms - due_ms) / 1000 for _, ms in created]
        row.twice = len(created) - count
        late_s = percentile(row.recover_s, 1.0)
        row.demand(not row.twice, f"{row.twice} got a second job")
        row.demand(late_s < AT_ONCE_S, f"the last fired {late_s:.1f} s late")
        slow: Any = site.client.slowlog_get(1000)
        scripts = [entry["duration"] for entry in slow if entry["command"].split()[0] in (b"EVALSHA", b"EVAL")]
        row.demand(not scripts, f"{len(scripts)} scripts took up to {max(scripts, default=0) / 1000:.1f} ms")
    return row


def _put(site: Site, count: int, schedule: Schedule) -> None:
    async def put_all() -> None:
        link = open_link(site.url, timeout_s=30)
        store = ScheduleStore(link, RedisKeys("wb"))
        for at in range(0, count, 200):
            names = [f"s{number}" for number in range(at, min(count, at + 200))]
            await asyncio.gather(*[store.put(name, partial(_it, schedule)) for name in names])
        await link.close()

    asyncio.run(put_all())


def _it(schedule: Schedule, present: ScheduleSeen | None) -> Schedule:
    return schedule


def _now_ms(site: Site) -> int:
    seconds, microseconds = site.client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def _next_second_ms(site: Site, in_s: float) -> int:
    return (_now_ms(site) // 1000 + 1 + round(in_s)) * 1000


def _due(site: Site) -> bool:
    first: Any = site.client.zrange(f"{site.base}slots", 0, 0, withscores=True)
    return any(due_ms <= _now_ms(site) for _, due_ms in first)


def _fired(site: Site) -> Counter[tuple[str, int]]:
    """(schedule, slot) -> how many jobs."""
    found: Counter[tuple[str, int]] = Counter()
    for key in site.client.scan_iter(f"{site.base}job:*", count=5000):
        text: Any = site.client.hget(key, "spec")
        spec = json.loads(text)
        found[(spec["schedule"], spec["scheduled_for"])] += 1
    return found


def _slots_until_now(site: Site, count: int, begin_ms: int) -> tuple[set[tuple[str, int]], int]:
    """Every slot before the one that each schedule has next; and how many the schedules say were missed."""
    wanted: set[tuple[str, int]] = set()
    missed = 0
    for name in (f"s{number}" for number in range(count)):
        fields: Any = site.client.hmget(f"{site.base}schedule:{name}", "slot", "missed")
        next_ms, told = fields
        wanted.update((name, at_ms) for at_ms in range(begin_ms, int(next_ms), EVERY_MS))
        missed += int(told or 0)
    return wanted, missed
