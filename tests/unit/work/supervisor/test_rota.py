"""Which queues upkeep visits: each round where something moves, now and then where nothing does."""

import unittest
from math import inf
from random import Random

from lib.work.supervisor.rota import ASLEEP_S, AWAKE_S, Rota


class Visits(unittest.TestCase):
    def setUp(self) -> None:
        self.rota = Rota(Random(1))

    def visits(self, names: list[str], seconds: int, *, is_busy: bool = False, wait_s: float = inf) -> list[int]:
        """How many are visited in each of so many rounds, a second apart, from the first one on."""
        found = []
        for second in range(seconds):
            due = self.rota.due(names, float(second))
            found.append(len(due))
            for queue in due:
                self.rota.visited(queue, float(second), is_busy=is_busy, wait_s=wait_s)
        return found

    def test_all_are_visited_in_the_first_round_and_then_a_few_at_a_time(self) -> None:
        names = [f"q{number}" for number in range(1000)]

        first, *rest = self.visits(names, 200)

        self.assertEqual(1000, first)
        self.assertLess(max(rest[60:]), 100)
        self.assertLess(sum(rest), 1000 * 200 / (ASLEEP_S / 2))

    def test_none_sleeps_longer_than_it_may(self) -> None:
        names = [f"q{number}" for number in range(100)]
        at = dict.fromkeys(names, 0)
        for second in range(200):
            for queue in self.rota.due(names, float(second)):
                self.assertLessEqual(second - at[queue], ASLEEP_S + 1)
                at[queue] = second
                self.rota.visited(queue, float(second), is_busy=False, wait_s=inf)

    def test_one_in_which_there_is_something_to_do_is_visited_each_time(self) -> None:
        self.assertEqual([1] * 100, self.visits(["q"], 100, is_busy=True))

    def test_one_that_sleeps_wakes_when_something_is_due(self) -> None:
        self.assertEqual([1, 0, 0, 1, 0, 0, 1], self.visits(["q"], 7, wait_s=2.5))

    def test_one_that_is_named_is_awake_until_it_would_be_named_again(self) -> None:
        self.visits(["q"], 1)

        self.rota.wake("q", 0.5)

        rounds = self.visits(["q"], 200)[1:]
        self.assertEqual([1] * int(AWAKE_S), rounds[: int(AWAKE_S)])
        self.assertLess(sum(rounds[int(AWAKE_S) :]), 20)

    def test_one_that_is_gone_is_forgotten_and_new_when_it_is_back(self) -> None:
        self.visits(["q"], 1)
        self.assertEqual([], self.rota.due([], 1.0))

        self.assertEqual(["q"], self.rota.due(["q"], 2.0))


if __name__ == "__main__":
    unittest.main()
