"""How the queues of one runner share what may be prefetched, and when prefetched jobs go back."""

import asyncio
import unittest

from lib.work.runner.prefetch.pace import MOST_PREFETCHED, SAMPLES
from lib.work.runner.prefetch.prefetch import PATIENCE_S, BusyQueues, Prefetch

LIMIT = 10


class OfSeveralQueues(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.busy = BusyQueues()
        self.given_back: list[int] = []

    def prefetch(self) -> Prefetch:
        """A queue whose jobs have shown that they are quick."""
        prefetch = Prefetch(LIMIT, self.given_back.append, self.busy)
        for _ in range(SAMPLES + 1):
            prefetch.unended += 1
            prefetch.note_end("quick", 0.0)
        return prefetch

    def have_run(self, prefetch: Prefetch, jobs: int) -> None:
        """Jobs of a claim that brought all it asked for, of a type that says nothing of the pace."""
        prefetch.note_claimed(jobs, jobs, has_room=False)
        for _ in range(jobs):
            prefetch.note_end(None, 0.0)

    def claims_first(self, prefetch: Prefetch) -> bool:
        """Whether the next claim leaves before the jobs of this one begin."""
        return prefetch.note_claimed(0, 0, has_room=True)

    async def test_one_alone_has_all_of_it_and_claims_in_halves(self) -> None:
        one = self.prefetch()
        self.have_run(one, LIMIT)

        self.assertEqual(
            (LIMIT + MOST_PREFETCHED, (LIMIT + MOST_PREFETCHED) // 2, True),
            (one.room, one.claim_size(), self.claims_first(one)),
        )

    async def test_those_that_have_jobs_share_it_between_their_claims_too_and_claim_all_they_may(self) -> None:
        several = [self.prefetch() for _ in range(4)]
        for one in several:
            self.have_run(one, LIMIT)

        self.assertEqual([LIMIT + MOST_PREFETCHED // 4] * 4, [one.room for one in several])
        self.assertEqual([one.room for one in several], [one.claim_size() for one in several])
        self.assertFalse(self.claims_first(several[-1]))

    async def test_where_starts_are_counted_nothing_is_claimed_ahead_of_a_free_slot(self) -> None:
        one = self.prefetch()
        self.have_run(one, LIMIT)

        one.is_rationed = True

        self.assertEqual(LIMIT, one.room)

    async def test_a_claim_is_for_no_more_than_there_is_room_for(self) -> None:
        one = self.prefetch()
        one.note_claimed(one.room - 1, 0, has_room=False)

        self.assertEqual(1, one.claim_size())
        one.limit = 0
        self.assertLess(one.claim_size(), 1)

    async def test_a_queue_whose_claim_brings_less_than_it_asked_for_leaves_its_share_to_the_others(self) -> None:
        one, other = self.prefetch(), self.prefetch()
        for _ in range(2):
            self.have_run(one, LIMIT)
            self.have_run(other, LIMIT)
        self.assertEqual(LIMIT + MOST_PREFETCHED // 2, one.room)

        other.note_claimed(LIMIT - 1, LIMIT, has_room=False)
        other.note_claimed(0, 1, has_room=False)

        self.assertEqual(LIMIT + MOST_PREFETCHED, one.room)

    async def test_a_queue_whose_jobs_are_not_quick_takes_no_share(self) -> None:
        one, slow = self.prefetch(), self.prefetch()
        self.have_run(one, LIMIT)
        slow.unended += 1
        slow.note_end("slow", 1.0)

        slow.note_claimed(LIMIT, LIMIT, has_room=False)

        self.assertEqual((LIMIT + MOST_PREFETCHED, True), (one.room, self.claims_first(one)))

    async def test_among_others_a_turn_for_each_is_waited_for_before_jobs_go_back(self) -> None:
        several = [self.prefetch() for _ in range(4)]
        for one in several:
            one.note_claimed(LIMIT, LIMIT, has_room=False)
        began_s = asyncio.get_running_loop().time()
        several[0].note_claimed(3, 3, has_room=False)
        while not self.given_back:
            await asyncio.sleep(PATIENCE_S / 5)

        self.assertGreaterEqual(asyncio.get_running_loop().time() - began_s, 3.9 * PATIENCE_S)
        self.assertEqual([3], self.given_back)


if __name__ == "__main__":
    unittest.main()
