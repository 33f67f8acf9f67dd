"""A rolling upgrade: jobs of a type, and with a spec, that the workers of the older release do not know.

Each is put off by 10 s at a time, and no attempt counts; it runs when the newer workers are there. What nobody ever
knows is dead after 15 minutes. Redis' clock is moved on, so that this takes seconds.
"""

import json
import time
from collections.abc import Iterator

from lib.jobs import registry
from lib.jobs.job import NewJob
from tests.faults.clocks import Clock, NoCompiler
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import JOB_MODULES, Site
from tests.private_redis import PrivateRedis

NEWER = f"{JOB_MODULES},tests.faults.novelties"
COUNT = 50
PUT_OFF_S = 10
PATIENCE_S = 15 * 60
ROUNDS = 4


def run(*, is_quick: bool) -> Iterator[Row]:
    row = Row("rolling upgrade: unknown types and specs", runs=2 * COUNT)
    try:
        with Site() as outer:
            clock = Clock(outer.folder)
            redis_server = PrivateRedis(environment=clock.environment)
            redis_server.start()
            try:
                with Site(redis_server=redis_server) as site:
                    _upgrade(site, row, clock)
            finally:
                redis_server.close()
    except NoCompiler:
        row = Row(row.fault, note="not shown: needs a C compiler")
    yield row


def _upgrade(site: Site, row: Row, clock: Clock) -> None:
    site.types = registry.load(NEWER.split(","))
    older = site.worker()
    novel = site.put(COUNT, "novelty")
    strange = site.put_all(_of_another_version(site.new("work")) for _ in range(COUNT))
    known = site.put(COUNT, "work")
    for number in range(ROUNDS):
        _until_put_off(site, row, [*novel, *strange], number + 1)
        clock.jump(PUT_OFF_S + 1)
    site.until_completed(known)
    row.demand(all(run.job_id in set(known) for run in site.executions()), "what nobody knows was run")
    newer = site.worker(JOB_MODULES=NEWER)
    older.stop()
    began_s = time.monotonic()
    clock.jump(PUT_OFF_S + 1)
    site.until_completed(novel)
    row.recover_s.append(time.monotonic() - began_s)
    clock.jump(PATIENCE_S)
    site.until(lambda: site.client.zcard(f"{site.base}dead") == COUNT, "what nobody ever knows is dead")
    verdicts = {_verdict(record) for record in site.records(strange).values()}
    row.demand(verdicts == {"dead: unknown_type"}, f"specs of another version are {verdicts}")
    attempts = {record["attempts"] for record in site.records(novel).values()}
    row.demand(attempts == {"1"}, f"attempts counted: {attempts}")
    _judge(site, row, {*novel, *known}, [older, newer])


def _judge(site: Site, row: Row, runnable: set[str], workers: list[Runners]) -> None:
    site.accepted = [job_id for job_id in site.accepted if job_id in runnable]
    site.judge(row)
    fallen = [line["msg"] for worker in workers for line in worker.logged("consumer.failed")]
    row.demand(not fallen, f"a consumer fell over: {fallen[:1]}")


def _until_put_off(site: Site, row: Row, ids: list[str], times: int) -> None:
    """Each of them was claimed so many times by somebody who does not know it, and waits."""

    def are_delayed() -> bool:
        fates = {(record.get("state"), record.get("claims")) for record in site.records(ids).values()}
        return fates == {("delayed", str(times))}

    site.until(are_delayed, f"all that nobody knows is put off, {times} times")
    attempts = {record.get("attempts") for record in site.records(ids).values()}
    row.demand(attempts == {"0"}, f"attempts of what was put off: {attempts}")


def _of_another_version(job: NewJob) -> NewJob:
    spec = {**json.loads(job.spec_text), "v": 99}
    return job._replace(spec_text=json.dumps(spec, separators=(",", ":")))


def _verdict(record: dict[str, str]) -> str:
    return f"{record.get('state')}: {json.loads(record.get('error') or '{}').get('type')}"
