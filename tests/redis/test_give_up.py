"""A job that is given up: behind its time and `give_up_after_s` no attempt of it begins, whatever state it waits in."""

import asyncio
import json
from typing import Any

from lib.jobs.job import JobRecord, NewJob, Revision
from tests.redis.case import RedisCase, ending, ids_of

SHORT_MS = 30
LONG_MS = 600_000


class GiveUp(RedisCase):
    async def pass_by(self, job_id: str) -> None:
        """Let the job's patience end, without waiting for it."""
        self.client.hset(f"{self.base}job:{job_id}", "gives_up", await self.now_ms() - 1)

    async def died(self, job_id: str) -> Any:
        """What it died of."""
        record = await self.record(job_id)
        self.assertEqual("dead", record.state)
        return record.error

    async def test_it_counts_from_when_the_job_is_due(self) -> None:
        now_ms = await self.now_ms()
        cases: list[tuple[dict[str, Any], int]] = [
            ({}, 0),
            ({"delay_ms": 5000}, 5000),
            ({"run_at_ms": now_ms + 9000}, 9000),
        ]
        for times, due_ms in cases:
            record = await self.record(await self.enqueue(give_up_ms=LONG_MS, **times))

            assert record.gives_up_ms is not None
            self.assertEqual(LONG_MS, record.give_up_ms)
            self.assertLess(abs(record.gives_up_ms - now_ms - due_ms - LONG_MS), 2000)
        self.assertIsNone((await self.record(await self.enqueue())).gives_up_ms)

    async def test_the_runner_is_told_when_that_is(self) -> None:
        job_id = await self.enqueue(give_up_ms=LONG_MS)
        taken = await self.claimed(await self.lease())

        self.assertEqual((await self.record(job_id)).gives_up_ms, taken.gives_up_ms)

    async def test_none_begins_behind_it_whatever_the_job_did_before(self) -> None:
        runner = await self.lease()
        for script in ("", "fail", "snooze", "release"):
            job_id = await self.enqueue(give_up_ms=LONG_MS)
            if script:
                await runner.end_and_wait(script, ending(script, await self.claimed(runner)))
            if script in ("fail", "snooze"):
                await self.make_due(job_id)
            await self.pass_by(job_id)

            claim = await runner.claim(10)

            self.assertEqual(([], (job_id,)), (claim.jobs, claim.dead_ids), script)
            error = await self.died(job_id)
            begun = "before its next try" if script else "before it had begun"
            self.assertEqual(("gave_up", f"its give_up_after_s was over {begun}"), (error["type"], error["message"]))
            self.assertEqual({"fail": "ValueError"}.get(script), error.get("cause", {}).get("type"), script)

    async def test_the_others_that_wait_beside_it_are_handed_out(self) -> None:
        runner = await self.lease()
        ids = [*await self.enqueue_many(3, give_up_ms=LONG_MS), *await self.enqueue_many(3)]
        await self.pass_by(ids[1])
        await self.pass_by(ids[2])

        claim = await runner.claim(10)

        self.assertEqual({ids[0], *ids[3:]}, set(ids_of(claim)))
        self.assertEqual({ids[1], ids[2]}, set(claim.dead_ids))

    async def test_one_that_was_popped_or_crashed_is_not_begun_either(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(give_up_ms=LONG_MS)
        self.popped(runner)
        await self.pass_by(job_id)
        self.assertEqual((job_id,), (await runner.claim(1, [job_id])).dead_ids)

        job_id = await self.enqueue(give_up_ms=LONG_MS)
        await self.claimed(runner)
        await self.crash("w")
        await self.pass_by(job_id)
        self.assertEqual((job_id,), (await (await self.lease("v")).claim(1)).dead_ids)

    async def test_an_attempt_that_has_begun_is_not_ended_by_it(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(give_up_ms=LONG_MS)
        taken = await self.claimed(runner)
        await self.pass_by(job_id)
        found = await runner.claim(1, [job_id])  # Its reply was lost: it is handed out again.

        self.assertEqual([job_id], ids_of(found))
        self.assertTrue(await runner.end_and_wait("finish", ending("finish", taken._replace(token=taken.token + 1))))
        self.assertEqual("completed", await self.state(job_id))

    async def test_it_is_so_as_time_goes_by(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(give_up_ms=SHORT_MS)
        while await self.now_ms() <= ((await self.record(job_id)).gives_up_ms or 0):
            await asyncio.sleep(0.005)

        await runner.claim(1)

        self.assertEqual("gave_up", (await self.died(job_id))["type"])

    async def test_a_retry_by_hand_and_a_new_time_begin_it_anew(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(give_up_ms=LONG_MS)
        await self.pass_by(job_id)
        await runner.claim(1)
        await self.job_store.retry(job_id)
        self.assertGreater((await self.record(job_id)).gives_up_ms or 0, await self.now_ms())
        await self.pass_by(job_id)
        due_ms = await self.now_ms() + 60_000

        await self.job_store.patch(job_id, lambda record: _at(record, due_ms))

        self.assertEqual(due_ms + LONG_MS, (await self.record(job_id)).gives_up_ms)
        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode()))
        self.assertEqual(due_ms + LONG_MS, (await self.record(job_id)).gives_up_ms)

    async def test_what_somebody_wrote_there_by_hand_breaks_nothing(self) -> None:
        runner = await self.lease()
        for written in ("soon", "", "1e300", "9\x1f9"):
            job_id = await self.enqueue(give_up_ms=LONG_MS)
            self.client.hset(f"{self.base}job:{job_id}", "gives_up", written)

            taken = await self.claimed(runner)

            self.assertEqual((job_id, None), (taken.job_id, taken.gives_up_ms))
            await runner.end_and_wait("finish", ending("finish", taken))

    async def test_a_cause_is_kept_as_json(self) -> None:
        runner = await self.lease()
        job_id = await self.enqueue(give_up_ms=LONG_MS)
        await runner.end_and_wait("fail", ending("fail", await self.claimed(runner)))
        self.client.hset(f"{self.base}job:{job_id}", "error", "garbage")
        await self.make_due(job_id)
        await self.pass_by(job_id)

        await runner.claim(1)

        raw: Any = self.client.hget(f"{self.base}job:{job_id}", "error")
        self.assertEqual({"type", "message"}, set(json.loads(raw)))


def _at(record: JobRecord, due_ms: int) -> Revision:
    return Revision(record.spec_text.decode(), None, due_ms)


class WithoutOne(RedisCase):
    async def test_a_job_without_one_has_no_such_field(self) -> None:
        job: NewJob = self.job()
        await self.job_store.enqueue(job)

        fields = set(self.client.hkeys(f"{self.base}job:{job.job_id}"))

        self.assertEqual({b"spec", b"state"}, fields)
