"""Jobs that take their runner down, in four ways, among healthy ones: they are convicted, and nobody with them."""

import json
import time
from collections import Counter
from collections.abc import Iterator

from tests.faults.jobs import POISONS
from tests.faults.row import Row
from tests.faults.site import Site

CRASH_LIMIT = 3


def run(*, is_quick: bool) -> Iterator[Row]:
    poisons, healthy = (8, 100) if is_quick else (50, 1000)
    row = Row(f"{poisons} poison jobs among {healthy}", runs=poisons)
    with Site() as site:
        kinds = list(POISONS)
        jobs = [site.new("poison", kind=kinds[n % len(kinds)], seconds=0.05) for n in range(poisons)]
        poison_ids = [job.job_id for job in jobs]
        jobs += [site.new("work", seconds=site.rng.uniform(0.01, 0.3)) for _ in range(healthy)]
        site.rng.shuffle(jobs)
        site.put_all(jobs)
        # Not awaited: with all that poison there may be no moment in which every runner lives.
        workers = [
            site.worker(is_awaited=False, WORKER_PROCESSES=2, WORKER_QUEUES="default=8", CRASH_LIMIT=CRASH_LIMIT)
            for _ in (1, 2)
        ]
        began_s = time.monotonic()
        everyone = len(jobs)
        site.until(
            lambda: site.client.zcard(f"{site.base}dead") + site.client.zcard(f"{site.base}completed") == everyone,
            "all have ended",
            300,
            0.2,
        )
        row.recover_s.append(time.monotonic() - began_s)
        records = site.records(poison_ids)
        site.accepted = [job_id for job_id in site.accepted if job_id not in records]
        site.judge(row, twice_allowed=True)
        verdicts = Counter(_verdict(record) for record in records.values())
        row.demand(verdicts == {"dead: worker_lost": poisons}, f"the poison jobs are {dict(verdicts)}")
        taken = Counter(run.job_id for run in site.executions() if run.job_id in records)
        row.demand(max(taken.values()) <= CRASH_LIMIT, f"one took {max(taken.values())} runners down")
        died = sum(len(worker.logged("runner.died")) for worker in workers)
        row.note = f"{died} runners died"
        row.demand(died <= CRASH_LIMIT * poisons, f"{died} runners died of {poisons} jobs")
    yield row


def _verdict(record: dict[str, str]) -> str:
    return f"{record.get('state')}: {json.loads(record.get('error') or '{}').get('type')}"
