"""How the jobs of several queues become one list in which nothing is missing, twice, or out of its order."""

import asyncio
import unittest
from random import Random

from lib.errors import RedisKeysBroken
from lib.queue.listing import MOST_LOOKED_AT, NEWEST_FIRST, Cursor, ListingPart, ListWalk, Wanted
from lib.queue.merged_list import FEWEST_LOOKED_AT, MergedList

SIEVED = Wanted(type_name="mail")


class Queues:
    """Queues as page.lua shows them, by its header. places: of each queue. fitting: those that are found."""

    def __init__(self, places: dict[str, list[Cursor]], fitting: set[Cursor], most: int = MOST_LOOKED_AT) -> None:
        self._places = places
        self._fitting = fitting
        self._most = most
        self.broken = ""
        self.looked_at: list[Cursor] = []
        self.calls = 0

    async def ask(
        self, queue: str, wanted: Wanted, after: Cursor | None, limit: int, walk: ListWalk, most: int
    ) -> ListingPart:
        self.calls += 1
        if queue == self.broken:
            raise RedisKeysBroken("it is broken")
        places = sorted(self._places[queue], reverse=not walk.is_up)
        passed = [one for one in places if after and (one < after if walk.is_up else one > after)]
        before = len(passed) + (after in places and not walk.with_place)
        shown: list[Cursor] = []
        for seen, place in enumerate(places[before:]):
            if len(shown) == limit or seen == min(most, self._most):
                return ListingPart(shown, places[before + seen - 1], (), before, seen, len(places))
            self.looked_at.append(place)
            if place in self._fitting:
                shown.append(place)
        return ListingPart(shown, None, (), before, len(places) - before, len(places))


def many(queues: int, jobs: int, rng: Random | None = None) -> dict[str, list[Cursor]]:
    """Queues whose jobs lie mixed in time, or, without `rng`, each queue's behind those of the one before."""
    scores = list(range(queues * jobs))
    if rng:
        rng.shuffle(scores)
    return {f"q{at}": [Cursor(score, f"q{at}-{score}") for score in scores[at * jobs :][:jobs]] for at in range(queues)}


class Merged(unittest.IsolatedAsyncioTestCase):
    async def test_walked_to_the_end_it_shows_each_job_that_fits_once_and_in_order_however_often_it_begins_anew(
        self,
    ) -> None:
        rng = Random(7)
        for _ in range(200):
            places = {
                name: [Cursor(rng.randrange(12), f"{name}-{number}") for number in range(rng.randrange(15))]
                for name in "abc"
            }
            walk = rng.choice((NEWEST_FIRST, ListWalk("oldest"), ListWalk("newest", is_back=True)))
            everything = sorted([one for some in places.values() for one in some], reverse=not walk.is_up)
            fitting = {place for place in everything if rng.random() < 0.4}
            queues, limit = Queues(places, fitting, rng.randrange(1, 6)), rng.randrange(1, 6)

            shown: list[Cursor] = []
            found = MergedList(queues.ask, "abc", SIEVED, None, walk)
            part = await found.next_part(limit)
            while part.end:
                self.assertLessEqual(len(part.jobs), limit)
                shown += part.jobs
                if rng.random() < 0.3:
                    found = MergedList(queues.ask, "abc", SIEVED, part.end, walk)
                part = await found.next_part(limit)

            self.assertEqual([place for place in everything if place in fitting], shown + part.jobs)

    async def test_no_job_is_looked_at_twice_and_each_queue_is_asked_few_times(self) -> None:
        for rng in (Random(3), None):
            places = many(100, 150, rng)
            queues = Queues(places, set())
            found = MergedList(queues.ask, [*places], SIEVED, None, NEWEST_FIRST)

            part = await found.next_part(50)
            while part.end:
                part = await found.next_part(50)

            self.assertEqual(len(set(queues.looked_at)), len(queues.looked_at))
            self.assertEqual((15_000, 15_000), (len(queues.looked_at), part.before + part.seen))
            self.assertLessEqual(queues.calls, 100 * 5)

    async def test_a_queue_that_has_all_the_jobs_is_soon_asked_for_many(self) -> None:
        places = many(300, 1) | {"large": [Cursor(1000 + number, f"large-{number}") for number in range(8000)]}
        queues = Queues(places, set())
        found = MergedList(queues.ask, [*places], SIEVED, None, NEWEST_FIRST)

        while (await found.next_part(50)).end:
            pass

        self.assertLessEqual(queues.calls, 301 + 16)

    async def test_of_queues_whose_jobs_come_later_no_more_are_looked_at_than_at_first(self) -> None:
        places = many(100, 150)
        queues = Queues(places, {place for some in places.values() for place in some})
        found = MergedList(queues.ask, [*places], SIEVED, None, NEWEST_FIRST)

        self.assertEqual(sorted(places["q99"], reverse=True)[:100], (await found.next_part(100)).jobs)

        of_later = [place for place in queues.looked_at if place not in places["q99"]]
        self.assertEqual(99 * FEWEST_LOOKED_AT, len(of_later))

    async def test_where_all_jobs_are_wanted_it_tells_to_the_last_one_how_far_it_is(self) -> None:
        places = many(100, 30, Random(5))
        everything = sorted([one for some in places.values() for one in some], reverse=True)
        queues = Queues(places, set(everything))
        found = MergedList(queues.ask, [*places], Wanted(), None, NEWEST_FIRST)

        shown: list[Cursor] = []
        while len(shown) < len(everything):
            part = await found.next_part(50)
            shown += part.jobs

            self.assertEqual((len(shown), 3000), (part.before + part.seen, part.of))
            self.assertLessEqual(len(queues.looked_at), len(shown) + 100 * FEWEST_LOOKED_AT * 2)
        self.assertEqual(everything, shown)

    async def test_a_queue_that_breaks_on_the_way_is_left_out_and_named(self) -> None:
        places = many(3, 2000, Random(6))
        everything = sorted([one for some in places.values() for one in some], reverse=True)
        queues = Queues(places, set(everything))
        found = MergedList(queues.ask, [*places], SIEVED, None, NEWEST_FIRST)
        part = await found.next_part(50)
        shown = part.jobs

        queues.broken = "q1"
        while part.end:
            part = await found.next_part(50)
            shown += part.jobs
            self.assertGreaterEqual(part.seen, 0)

        self.assertEqual(["q1"], [one.queue for one in part.unreadable])
        others = [one for one in everything if not one.job_id.startswith("q1")]
        self.assertEqual(others, [one for one in shown if not one.job_id.startswith("q1")])

    async def test_of_no_queue_it_is_empty_and_the_last(self) -> None:
        found = MergedList(Queues({}, set()).ask, [], Wanted(), None, NEWEST_FIRST)

        self.assertEqual(ListingPart([], None), await found.next_part(10))

    async def test_an_order_that_one_queue_cannot_tell_is_not_known(self) -> None:
        async def ask(queue: str, *_: object) -> ListingPart:
            await asyncio.sleep(0)
            return ListingPart([], None, is_order_known=queue != "b")

        part = await MergedList(ask, "abc", Wanted("ready"), None, ListWalk("next")).next_part(10)

        self.assertFalse(part.is_order_known)


if __name__ == "__main__":
    unittest.main()
