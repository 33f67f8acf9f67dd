"""cancel against claim against finish, and several reapers after one dead worker: one wins, and each job once."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

from lib.errors import WrongState
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.redis_link.link import open_link
from tests.faults.ledger import stale_results
from tests.faults.row import Row
from tests.faults.site import Site
from tests.system.oracle import faults

LEASE_S = 2
HELD = 30


def run(*, is_quick: bool) -> Iterator[Row]:
    yield cancels(1000 if is_quick else 10_000)
    yield _reapers(1 if is_quick else 5)


def cancels(count: int) -> Row:
    row = Row("cancel against claim against finish", runs=count)
    with Site() as site:
        site.worker(WORKER_PROCESSES=2, WORKER_QUEUES="default=20")
        ids = site.put_all(site.new("work", seconds=site.rng.choice((0, 0, 0.002, 0.01))) for _ in range(count))
        asyncio.run(_cancel(site, ids))
        site.until(lambda: not _left(site), "all have ended", 60, 0.1)
        records = site.records(ids)
        states = Counter(record.get("state", "missing") for record in records.values())
        row.lost = count - states["completed"] - states["cancelled"]
        row.demand(not row.lost, f"states: {dict(states)}")
        # On a busy machine most have run before the cancels come; that some were cancelled shows that they met.
        row.demand(min(states["completed"], states["cancelled"]) > 0, f"no race: {dict(states)}")
        begun = Counter(run.job_id for run in site.executions())
        row.twice = sum(number - 1 for number in begun.values())
        row.demand(not row.twice, f"{row.twice} ran twice")
        row.stale = len(stale_results(records, site.executions()))
        row.violations += [f"oracle: {fault}" for fault in faults(site.client)[:5]]
        row.note = ", ".join(f"{number} {state}" for state, number in states.items())
    return row


async def _cancel(site: Site, ids: list[str]) -> None:
    """About as fast as they are run, from both ends."""
    link = open_link(site.url, timeout_s=30)
    queue = JobStore(link, RedisKeys("wb"))
    order = [job_id for pair in zip(ids, reversed(ids), strict=True) for job_id in pair][: len(ids)]
    for job_id in order:
        try:
            await queue.cancel(job_id)
        except WrongState:
            continue
    await link.close()


def _left(site: Site) -> int:
    client = site.client
    ended = client.zcard(f"{site.base}completed") + client.zcard(f"{site.base}cancelled")
    return int(client.zcard(f"{site.base}all") - ended)


def _reapers(rounds: int) -> Row:
    """A worker whose host is gone, and three others that all see its lease run out."""
    row = Row(f"three reapers after one dead worker of {HELD} jobs", runs=rounds)
    with Site() as site:
        reapers = [site.worker(WORKER_QUEUES="elsewhere=1", LEASE_S=LEASE_S) for _ in range(3)]
        for number in range(rounds):
            victim = site.worker(WORKER_QUEUES=f"default={HELD}", LEASE_S=LEASE_S)
            flag = site.folder / f"flag-{number}"
            ids = site.put(HELD, "work", until=str(flag))
            site.until_begun(ids)
            victim.kill_all()
            killed_s = time.monotonic()
            site.until(lambda: site.client.llen(f"{site.base}ready:normal") >= HELD, "they are ready again", 20)
            row.recover_s.append(time.monotonic() - killed_s)
            flag.touch()
            other = site.worker(WORKER_QUEUES="default=10", LEASE_S=LEASE_S)
            site.until_completed(ids)
            other.stop()
        taken = sum(line["jobs"] for reaper in reapers for line in reaper.logged("worker.reaped"))
        row.demand(taken == HELD * rounds, f"{taken} jobs taken back, of {HELD * rounds}")
        begun = Counter(run.job_id for run in site.executions())
        row.demand(set(begun.values()) == {2}, f"executions of a job: {Counter(begun.values())}")
        site.judge(row, twice_allowed=True)
    return row
