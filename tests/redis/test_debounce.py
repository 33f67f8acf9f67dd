"""unique with the mode debounce: a job runs when nobody has asked for it for a while, or not for too long."""

import asyncio
import unittest
from typing import Any

from tests.redis.case import until
from tests.redis.test_replace import HOUR_MS, ReplaceCase

QUIET_MS = 60_000


class Debounce(ReplaceCase):
    mode = "debounce"

    def asked(self, **options: Any) -> dict[str, Any]:
        return {"delay_ms": QUIET_MS, "unique_ttl_ms": HOUR_MS, **options}

    async def due_ms(self, job_id: str) -> int:
        """Ms until the job is due."""
        return ((await self.record(job_id)).run_at_ms or 0) - await self.now_ms()

    async def test_each_request_puts_the_job_off_and_is_what_it_becomes(self) -> None:
        first = await self.post(1, **self.asked(delay_ms=1000))

        second = await self.post(2, **self.asked())

        self.assertEqual(("new", "replaced", first.job_id), (first.outcome, second.outcome, second.job_id))
        self.assertEqual(({first.job_id: "delayed"}, 2), (self.states(), await self.n(first.job_id)))
        self.assertAlmostEqual(QUIET_MS, await self.due_ms(first.job_id), delta=5000)

    async def test_it_is_put_off_no_longer_than_it_may_wait_from_the_first_request_on(self) -> None:
        first = await self.post(1, **self.asked(unique_ttl_ms=2 * QUIET_MS))
        due_by = self.field(first.job_id, "due_by")

        await self.post(2, **self.asked(delay_ms=HOUR_MS, unique_ttl_ms=HOUR_MS))

        self.assertEqual(due_by, self.field(first.job_id, "due_by"))
        self.assertAlmostEqual(2 * QUIET_MS, await self.due_ms(first.job_id), delta=5000)

    async def test_when_that_time_is_over_a_request_leaves_it_ready(self) -> None:
        first = await self.post(1, **self.asked(delay_ms=1, unique_ttl_ms=1))

        async def is_due() -> bool:
            return await self.due_ms(first.job_id) <= 0

        await until(is_due, "it is due")
        await self.post(2, **self.asked())

        self.assertEqual(({first.job_id: "ready"}, 2), (self.states(), await self.n(first.job_id)))

    async def test_one_that_is_due_and_has_not_begun_is_put_off_again(self) -> None:
        first = await self.post(1, mode="keep")

        await self.post(2, **self.asked())

        self.assertEqual({first.job_id: "delayed"}, self.states())
        self.assertEqual([], (await (await self.lease()).claim(1)).jobs)

    async def test_while_it_runs_the_next_one_waits_for_that_and_for_its_quiet_time(self) -> None:
        lease, job = await self.running(1, mode="keep")
        second = await self.post(2, **self.asked())
        third = await self.post(3, **self.asked())

        self.assertEqual(("superseding", "replaced", second.job_id), (second.outcome, third.outcome, third.job_id))
        self.assertEqual("blocked", await self.state(second.job_id))
        await self.end(lease, job)

        self.assertEqual(("delayed", 3), (await self.state(second.job_id), await self.n(second.job_id)))
        self.assertAlmostEqual(QUIET_MS, await self.due_ms(second.job_id), delta=5000)

    async def test_where_that_ran_longer_than_the_quiet_time_the_next_one_begins_at_once(self) -> None:
        lease, job = await self.running(1, mode="keep")
        second = await self.post(2, **self.asked(delay_ms=1))

        async def is_quiet() -> bool:
            return int(self.field(second.job_id, "free_due")) < await self.now_ms()

        await until(is_quiet, "the quiet time is over")
        await self.end(lease, job)

        self.assertEqual("ready", await self.state(second.job_id))

    async def test_the_one_that_waits_behind_it_is_put_off_from_its_own_first_request_on(self) -> None:
        await self.running(1, mode="keep")
        second = await self.post(2, **self.asked(unique_ttl_ms=2 * QUIET_MS))
        due_by = self.field(second.job_id, "due_by")

        await self.post(3, **self.asked(delay_ms=HOUR_MS))

        self.assertEqual((due_by, due_by), (self.field(second.job_id, "due_by"), self.field(second.job_id, "free_due")))

    async def test_the_key_is_held_for_a_day_beyond_the_due_time(self) -> None:
        await self.post(1, **self.asked(unique_ttl_ms=QUIET_MS))

        self.assertAlmostEqual(86_400_000 + QUIET_MS, self.client.pttl(self.base + "unique:k"), delta=5000)

    async def test_200_requests_are_one_job_and_the_last_of_them(self) -> None:
        await asyncio.gather(*[self.post(number, **self.asked(delay_ms=20 + number)) for number in range(200)])

        (job_id,) = self.states()
        self.assertEqual(199, await self.n(job_id))


if __name__ == "__main__":
    unittest.main()
