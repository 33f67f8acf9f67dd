"""The table of a job's fields against a job's record in Redis."""

from lib.queue.end_record import fail_record
from lib.queue.job_fields import FAILED_ONCE, JOB_FIELDS
from tests.redis.case import ERROR, RedisCase, ending


class Records(RedisCase):
    async def test_a_job_that_failed_once_has_the_fields_of_the_example(self) -> None:
        runner = await self.lease()
        await self.enqueue("high")
        job = await self.claimed(runner)

        await runner.end_and_wait("fail", fail_record(job.job_id, job.token, ERROR, 60.0))

        self.assertEqual(FAILED_ONCE.keys(), self.job_fields())

    async def test_a_job_that_is_retried_loses_every_field_that_retry_clears(self) -> None:
        runner = await self.lease()
        await self.enqueue(expires_in_ms=60_000, tags=("1",))
        job = await self.claimed(runner)
        await runner.end_and_wait("finish", ending("finish", job))
        # A retry of a workflow, of a job that waits for others or for which others wait writes fields again.
        of_graphs = {"waits", "joins", "opened", "round", "order", "followed"}
        written = JOB_FIELDS.keys() - {"spec", "state", "listed", "once:<name>"} - of_graphs
        self.client.hset(f"{self.base}job:{job.job_id}", mapping={**dict.fromkeys(written, "1"), "priority": "low"})

        await self.job_store.retry(job.job_id)

        cleared = {name for name, field in JOB_FIELDS.items() if "revive" in field.cleared_by.split()}
        self.assertEqual(written - cleared | {"spec", "state"}, self.job_fields())
