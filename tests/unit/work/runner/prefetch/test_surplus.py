"""How the queues of one runner share what may be claimed ahead, and when that goes back."""

import asyncio
import unittest

from lib.work.runner.prefetch.pace import MOST_AHEAD, SEEN
from lib.work.runner.prefetch.surplus import PATIENCE_S, Busy, Surplus

LIMIT = 10


class OfSeveralQueues(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.busy = Busy()
        self.given_back: list[int] = []

    def surplus(self) -> Surplus:
        """One whose jobs have shown that they are quick."""
        surplus = Surplus(LIMIT, self.given_back.append, self.busy)
        for _ in range(SEEN + 1):
            surplus.pace.ran("quick", 0.0)
        return surplus

    def have_run(self, surplus: Surplus, jobs: int) -> None:
        surplus.took(jobs, is_full=True)
        for _ in range(jobs):
            surplus.ended()

    async def test_one_alone_has_all_of_it_and_claims_in_halves(self) -> None:
        one = self.surplus()
        self.have_run(one, LIMIT)

        self.assertEqual(
            (LIMIT + MOST_AHEAD, (LIMIT + MOST_AHEAD) // 2, False), (one.room, one.bite, one.is_among_others)
        )

    async def test_those_that_have_jobs_share_it_between_their_claims_too_and_claim_all_they_may(self) -> None:
        several = [self.surplus() for _ in range(4)]
        for one in several:
            self.have_run(one, LIMIT)

        self.assertEqual([LIMIT + MOST_AHEAD // 4] * 4, [one.room for one in several])
        self.assertEqual([(one.room, True) for one in several], [(one.bite, one.is_among_others) for one in several])

    async def test_a_queue_whose_claim_brings_less_than_it_asked_for_leaves_its_share_to_the_others(self) -> None:
        one, other = self.surplus(), self.surplus()
        for _ in range(2):
            self.have_run(one, LIMIT)
            self.have_run(other, LIMIT)
        self.assertEqual(LIMIT + MOST_AHEAD // 2, one.room)

        other.took(LIMIT - 1, is_full=False)
        other.took(0, is_full=False)

        self.assertEqual(LIMIT + MOST_AHEAD, one.room)

    async def test_a_queue_whose_jobs_are_not_quick_takes_no_share(self) -> None:
        one, slow = self.surplus(), self.surplus()
        self.have_run(one, LIMIT)
        slow.pace.ran("slow", 1.0)

        slow.took(LIMIT, is_full=True)

        self.assertEqual((LIMIT + MOST_AHEAD, False), (one.room, one.is_among_others))

    async def test_among_others_a_turn_for_each_is_waited_for_before_jobs_go_back(self) -> None:
        several = [self.surplus() for _ in range(4)]
        for one in several:
            one.took(LIMIT, is_full=True)
        began_s = asyncio.get_running_loop().time()
        several[0].took(3, is_full=True)
        while not self.given_back:
            await asyncio.sleep(PATIENCE_S / 5)

        self.assertGreaterEqual(asyncio.get_running_loop().time() - began_s, 3.9 * PATIENCE_S)
        self.assertEqual([3], self.given_back)


if __name__ == "__main__":
    unittest.main()
