"""Who may use how many job slots of a quota, by what its runners have sent so far."""

import unittest
from typing import Any

from lib.work.supervisor.quota import MOST_RETIRING, Quota
from lib.work.supervisor.runner_child import RunnerChild
from tests.unit.work.supervisor.a_pipe import APipe

LIMITS = {"a": 4, "b": 1}


class Slots(unittest.TestCase):
    def setUp(self) -> None:
        self.quota = Quota(LIMITS)

    def runner(self, *, is_waiting: bool = True) -> tuple[RunnerChild, APipe]:
        pipe: Any = APipe()
        process: Any = None
        return RunnerChild("w", process, pipe, LIMITS, is_waiting=is_waiting), pipe

    def retired(self, **slots: int) -> RunnerChild:
        runner, _ = self.runner(is_waiting=False)
        self.quota.serve(runner)
        runner.on_message({"is": "retiring", "slots": slots})
        self.quota.retire(runner)
        return runner

    def test_a_first_runner_has_all_of_them_and_is_sent_nothing(self) -> None:
        runner, pipe = self.runner(is_waiting=False)

        self.quota.serve(runner)

        self.assertEqual(([], LIMITS), (pipe.sent, runner.slots))

    def test_one_that_follows_a_runner_that_is_gone_is_granted_all(self) -> None:
        runner, pipe = self.runner()

        self.quota.serve(runner)

        self.assertEqual([{"do": "use", "slots": LIMITS, "time": 1}], pipe.sent)

    def test_what_a_retiring_runner_holds_is_missing_until_it_says_so_or_is_gone(self) -> None:
        old = self.retired(a=3, b=1)
        runner, pipe = self.runner()

        self.quota.serve(runner)
        old.on_message({"is": "using", "slots": {"a": 1, "b": 1}, "time": 0})
        self.quota.grant_free()
        self.quota.leave(old)

        self.assertEqual([{"a": 1, "b": 0}, {"a": 3, "b": 0}, LIMITS], [sent["slots"] for sent in pipe.sent])

    def test_one_that_retires_without_a_word_of_its_slots_holds_all_of_them(self) -> None:
        runner, pipe = self.runner(is_waiting=False)
        self.quota.serve(runner)
        runner.on_message({"is": "retiring", "why": "of an older version"})
        self.quota.retire(runner)
        successor, pipe = self.runner()

        self.quota.serve(successor)

        self.assertEqual([], pipe.sent)

    def test_what_several_that_retire_hold_is_added_up_and_never_below_nothing(self) -> None:
        for _ in range(2):
            self.retired(a=3, b=1)
        runner, pipe = self.runner()

        self.quota.serve(runner)

        self.assertEqual([], pipe.sent)

    def test_of_too_many_that_retire_the_oldest_must_leave_at_once(self) -> None:
        runners = [self.retired(a=1, b=0) for _ in range(MOST_RETIRING + 1)]

        self.assertEqual([True] + [False] * MOST_RETIRING, [runner.must_leave.is_set() for runner in runners])

    def test_those_that_make_way_for_a_successor_are_left_alone_and_count_for_none(self) -> None:
        worn = []
        for _ in range(MOST_RETIRING + 1):
            runner, pipe = self.runner(is_waiting=False)
            self.quota.serve(runner)
            runner.make_way()
            self.assertEqual({"do": "retire"}, pipe.sent[-1])
            self.quota.retire(runner)
            worn.append(runner)
        hung = [self.retired(a=1, b=0) for _ in range(MOST_RETIRING + 1)]

        self.assertEqual([False] * (MOST_RETIRING + 1), [runner.must_leave.is_set() for runner in worn])
        self.assertEqual([True] + [False] * MOST_RETIRING, [runner.must_leave.is_set() for runner in hung])

    def test_slots_that_are_taken_away_count_until_the_runner_has_heard_it_and_let_go_of_them(self) -> None:
        runner, _ = self.runner(is_waiting=False)

        runner.grant({"a": 2, "b": 1})
        runner.on_message({"is": "using", "slots": {"a": 0, "b": 0}, "time": 0})
        self.assertEqual(LIMITS, runner.slots)
        runner.on_message({"is": "using", "slots": {"a": 3, "b": 1}, "time": 1})

        self.assertEqual({"a": 3, "b": 1}, runner.slots)


if __name__ == "__main__":
    unittest.main()
