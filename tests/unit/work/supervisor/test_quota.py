"""Who may use how many slots of a place, by what its runners have said so far."""

import unittest
from typing import Any

from lib.work.supervisor.child import Child
from lib.work.supervisor.quota import MOST_RETIRING, Quota

LIMITS = {"a": 4, "b": 1}


class APipe:
    """Keeps what is said to a runner."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        self.said.append(message)


class Slots(unittest.TestCase):
    def setUp(self) -> None:
        self.quota = Quota(LIMITS)

    def runner(self, *, is_waiting: bool = True) -> tuple[Child, APipe]:
        pipe: Any = APipe()
        process: Any = None
        return Child("w", process, pipe, LIMITS, is_waiting=is_waiting), pipe

    def retired(self, **slots: int) -> Child:
        child, _ = self.runner(is_waiting=False)
        self.quota.serve(child)
        child.hear({"is": "retiring", "slots": slots})
        self.quota.retire(child)
        return child

    def test_a_first_runner_has_all_of_them_and_is_told_nothing(self) -> None:
        child, pipe = self.runner(is_waiting=False)

        self.quota.serve(child)

        self.assertEqual(([], LIMITS), (pipe.said, child.slots))

    def test_one_that_follows_a_runner_that_is_gone_is_told_that_it_has_all(self) -> None:
        child, pipe = self.runner()

        self.quota.serve(child)

        self.assertEqual([{"do": "use", "slots": LIMITS, "time": 1}], pipe.said)

    def test_what_a_retiring_runner_holds_is_missing_until_it_says_so_or_is_gone(self) -> None:
        old = self.retired(a=3, b=1)
        child, pipe = self.runner()

        self.quota.serve(child)
        old.hear({"is": "using", "slots": {"a": 1, "b": 1}, "time": 0})
        self.quota.tell()
        self.quota.leave(old)

        self.assertEqual([{"a": 1, "b": 0}, {"a": 3, "b": 0}, LIMITS], [said["slots"] for said in pipe.said])

    def test_one_that_retires_without_a_word_of_its_slots_holds_all_of_them(self) -> None:
        child, pipe = self.runner(is_waiting=False)
        self.quota.serve(child)
        child.hear({"is": "retiring", "why": "of an older version"})
        self.quota.retire(child)
        successor, pipe = self.runner()

        self.quota.serve(successor)

        self.assertEqual([], pipe.said)

    def test_what_several_that_retire_hold_is_added_up_and_never_below_nothing(self) -> None:
        for _ in range(2):
            self.retired(a=3, b=1)
        child, pipe = self.runner()

        self.quota.serve(child)

        self.assertEqual([], pipe.said)

    def test_of_too_many_that_retire_the_oldest_is_told_to_leave(self) -> None:
        children = [self.retired(a=1, b=0) for _ in range(MOST_RETIRING + 1)]

        self.assertEqual([True] + [False] * MOST_RETIRING, [child.is_in_the_way.is_set() for child in children])

    def test_slots_that_are_taken_away_count_until_the_runner_has_heard_it_and_let_go_of_them(self) -> None:
        child, _ = self.runner(is_waiting=False)

        child.use({"a": 2, "b": 1})
        child.hear({"is": "using", "slots": {"a": 0, "b": 0}, "time": 0})
        self.assertEqual(LIMITS, child.slots)
        child.hear({"is": "using", "slots": {"a": 3, "b": 1}, "time": 1})

        self.assertEqual({"a": 3, "b": 1}, child.slots)


if __name__ == "__main__":
    unittest.main()
