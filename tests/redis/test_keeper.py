"""Which of the idle runners asks again when a delayed job is due: the keeper of the clock, and its deputy."""

import unittest

from tests.redis.case import RedisCase

DUE_MS = 1900


class Keeper(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.keeper, self.deputy, self.third = [await self.lease(name) for name in ("keeper", "deputy", "third")]

    def posts(self) -> dict[str, str]:
        """The runner in each post that is held."""
        values = {post: self.client.get(self.base + post) for post in ("keeper", "deputy")}
        return {post: value.decode().split()[1] for post, value in values.items() if value}

    async def elect(self) -> None:
        """A job is delayed, and the three runners find nothing to do, in the order of their names."""
        await self.enqueue(delay_ms=DUE_MS)
        for runner in (self.keeper, self.deputy, self.third):
            await runner.claim(1)

    async def test_the_first_idle_runner_asks_in_time_the_second_a_little_later_and_no_other(self) -> None:
        await self.enqueue(delay_ms=DUE_MS)

        said = [(await runner.claim(1)).ask_again_s for runner in (self.keeper, self.deputy, self.third)]

        keeper_s, deputy_s, third_s = said
        assert keeper_s is not None and deputy_s is not None
        self.assertTrue(1.5 < keeper_s <= DUE_MS / 1000, keeper_s)
        self.assertTrue(0.15 < deputy_s - keeper_s <= 0.5, said)
        self.assertIsNone(third_s)
        self.assertEqual({"keeper": "keeper", "deputy": "deputy"}, self.posts())

    async def test_the_posts_are_vacant_soon_after_their_time(self) -> None:
        await self.elect()

        self.assertTrue(DUE_MS - 500 < self.client.pttl(self.base + "keeper") <= DUE_MS + 100)
        self.assertTrue(DUE_MS - 500 < self.client.pttl(self.base + "deputy") <= DUE_MS + 600)

    async def test_a_claim_that_hands_out_a_job_elects_nobody(self) -> None:
        await self.enqueue(delay_ms=DUE_MS)
        await self.enqueue_many(2)

        claim = await self.keeper.claim(10)

        self.assertEqual((2, None, {}), (len(claim.jobs), claim.ask_again_s, self.posts()))

    async def test_a_job_that_is_due_later_than_a_block_lasts_elects_nobody(self) -> None:
        await self.enqueue(delay_ms=60_000)

        self.assertIsNone((await self.keeper.claim(1)).ask_again_s)
        self.assertIsNone(await self.keeper.promote())
        self.assertEqual({}, self.posts())

    async def test_who_hears_of_an_earlier_time_is_the_keeper_now(self) -> None:
        await self.elect()
        await self.enqueue(delay_ms=500)

        claim = await self.third.claim(1)

        self.assertLessEqual(claim.ask_again_s or 9, 0.5)
        self.assertEqual("third", self.posts()["keeper"])

    async def test_the_keeper_goes_on_with_the_next_time_though_it_has_no_free_slot(self) -> None:
        await self.elect()
        later = await self.enqueue(delay_ms=DUE_MS + 200)
        (due,) = set(self.states()) - {later}
        await self.make_due(due)

        wait_s = await self.keeper.promote()

        self.assertTrue(1.6 < (wait_s or 0) <= (DUE_MS + 200) / 1000, wait_s)
        self.assertEqual("keeper", self.posts()["keeper"])
        self.assertEqual([due], [job_id for job_id in self.list("ready:normal") if job_id != "bell"])

    async def test_upkeep_keeps_no_clock(self) -> None:
        await self.enqueue(delay_ms=DUE_MS)

        await self.queues.upkeep.promote("q")

        self.assertEqual({}, self.posts())

    async def test_a_paused_queue_needs_no_clock(self) -> None:
        self.client.hset(self.base + "meta", "paused", "1")
        await self.enqueue(delay_ms=DUE_MS)

        claim = await self.keeper.claim(1)

        self.assertEqual((None, {}), (claim.ask_again_s, self.posts()))

    async def test_where_the_keeper_is_gone_another_runner_is_woken_and_keeps_the_clock(self) -> None:
        await self.elect()
        self.client.delete(self.base + "ready:normal")

        await self.crash("keeper")
        await self.crash("deputy")

        self.assertEqual(({}, ["bell"]), (self.posts(), self.list("ready:normal")))
        self.assertIsNotNone((await self.third.claim(1)).ask_again_s)
        self.assertEqual({"keeper": "third"}, self.posts())

    async def test_a_broken_post_is_filled_again(self) -> None:
        self.client.sadd(self.base + "keeper", "garbage")
        self.client.set(self.base + "deputy", "garbage")
        await self.elect()

        self.assertEqual({"keeper": "keeper", "deputy": "deputy"}, self.posts())


if __name__ == "__main__":
    unittest.main()
