"""Which suspects run in which isolation runner, and whose slots they take, by what the supervisor has seen so far."""

import unittest
from types import SimpleNamespace
from typing import Any

from lib.work.supervisor.isolation import Isolation
from lib.work.supervisor.quota import Quota
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.stand_by import NARROW_S, SPARE_S, STAND_BY_S, Width
from tests.unit.work.supervisor.a_pipe import APipe

NOW_S = 1000.0


class Case(unittest.TestCase):
    def begin(self, limits: dict[str, int], *, quotas: int = 1, most: int = 4) -> None:
        self.limits = limits
        self.quotas = [Quota(limits) for _ in range(quotas)]
        self.isolation = Isolation(limits, self.quotas, most)
        for quota in self.quotas:
            quota.serve(self.child("w"))

    def child(self, runner_id: str, *, is_waiting: bool = False) -> RunnerChild:
        process: Any = SimpleNamespace(returncode=None)
        pipe: Any = APipe()
        return RunnerChild(runner_id, process, pipe, self.limits, is_waiting=is_waiting)

    def isolation_runner(self, *, has_ticked: bool = True) -> RunnerChild:
        runner = self.child("w.alone")
        runner.silence.was_broken = has_ticked
        self.isolation.runner_started(runner)
        return runner

    def find(self, now_s: float = NOW_S, **suspects: int) -> None:
        self.isolation.suspects_found(suspects, now_s)
        self.isolation.settle(now_s)

    def obeyed(self, quota: int = 0) -> None:
        """The runner that serves that quota has let go of the slots that it is to use no more."""
        serving = self.quotas[quota].serving
        assert serving is not None
        use = sent(serving)[-1]
        serving.on_message({"is": "using", "slots": use["slots"], "time": use["time"]})
        self.isolation.settle(NOW_S)

    def suspect_done(self, runner: RunnerChild, *, found: bool = True) -> None:
        self.isolation.suspect_done(runner, {"queue": sent(runner)[-1]["queue"], "found": found})
        self.isolation.settle(NOW_S)

    def granted(self, quota: int = 0) -> list[dict[str, int]]:
        serving = self.quotas[quota].serving
        return [message["slots"] for message in sent(serving)] if serving else []


def sent(child: RunnerChild) -> list[dict[str, Any]]:
    pipe: Any = child.pipe
    return pipe.sent  # type: ignore[no-any-return]


def asked(*runners: RunnerChild) -> list[list[str]]:
    """The queues that each was asked to run a suspect of."""
    return [[message["queue"] for message in sent(runner) if message["do"] == "look"] for runner in runners]


class Slots(Case):
    def test_a_suspect_waits_until_the_slot_that_is_set_apart_for_it_is_free(self) -> None:
        self.begin({"q": 4})
        runner = self.isolation_runner()

        self.find(q=1)
        before = asked(runner)
        self.obeyed()

        self.assertEqual(([[]], [["q"]], [{"q": 3}]), (before, asked(runner), self.granted()))

    def test_the_slots_of_a_runner_that_died_are_free_at_once(self) -> None:
        self.begin({"q": 4})
        (quota,) = self.quotas
        runner = self.isolation_runner()
        assert quota.serving is not None
        quota.leave(quota.serving)

        self.find(q=20)
        successor = self.child("w2", is_waiting=True)
        quota.serve(successor)

        self.assertEqual([["q"]], asked(runner))
        self.assertEqual([{"q": 2}], [message["slots"] for message in sent(successor)])

    def test_suspects_take_half_of_the_slots_so_that_others_go_on_beside_them(self) -> None:
        for limit, quotas, most, expected in ((20, 1, 4, 4), (5, 1, 4, 2), (2, 1, 4, 1), (1, 1, 4, 1), (1, 6, 4, 3)):
            self.begin({"q": limit}, quotas=quotas, most=most)

            self.find(q=30)

            self.assertEqual(expected, sum(quota.lent["q"] for quota in self.quotas))

    def test_where_there_is_one_slot_the_suspect_has_it_and_then_its_quota_again(self) -> None:
        self.begin({"q": 1})
        runner = self.isolation_runner()

        self.find(q=1)
        self.obeyed()
        self.suspect_done(runner)

        self.assertEqual([{"q": 0}, {"q": 1}], self.granted())

    def test_a_slot_goes_from_one_suspect_to_the_next_without_a_message_to_its_quota(self) -> None:
        self.begin({"q": 2})
        runner = self.isolation_runner()
        self.find(q=3)
        self.obeyed()

        self.suspect_done(runner)
        self.suspect_done(runner)

        self.assertEqual(([["q"] * 3], [{"q": 1}]), (asked(runner), self.granted()))

    def test_where_somebody_else_has_taken_the_suspects_all_slots_go_back(self) -> None:
        self.begin({"q": 8})
        runners = [self.isolation_runner() for _ in range(4)]
        self.find(q=20)
        self.obeyed()

        for runner in runners:
            self.suspect_done(runner, found=False)

        self.assertEqual(({"q": 8}, [["q"]] * 4), (self.granted()[-1], asked(*runners)))

    def test_what_is_set_apart_for_suspects_of_a_queue_that_is_paused_goes_back(self) -> None:
        self.begin({"q": 8})

        self.find(q=20)
        self.find(NOW_S + 1)

        self.assertEqual([{"q": 4}, {"q": 8}], self.granted())

    def test_the_slots_of_what_runs_are_kept_though_no_suspect_waits_any_more(self) -> None:
        self.begin({"q": 8})
        self.isolation_runner()
        self.find(q=1)
        self.obeyed()

        self.find(NOW_S + 1)

        self.assertEqual([{"q": 7}], self.granted())

    def test_a_runner_that_dies_with_its_suspect_leaves_its_slot_to_the_next(self) -> None:
        self.begin({"q": 2})
        poisoned = self.isolation_runner()
        self.find(q=2)
        self.obeyed()
        other = self.isolation_runner()

        self.isolation.runner_ended(poisoned)
        self.isolation.settle(NOW_S)

        self.assertEqual(([["q"], ["q"]], [{"q": 1}]), (asked(poisoned, other), self.granted()))

    def test_one_whose_handler_does_not_end_keeps_its_slot_until_it_is_gone(self) -> None:
        self.begin({"q": 1})
        deaf = self.isolation_runner()
        self.find(q=2)
        self.obeyed()

        deaf.on_message({"is": "retiring", "slots": {"q": 1}})
        self.suspect_done(deaf)
        other = self.isolation_runner()
        self.isolation._ask()
        before = asked(other)
        self.isolation.runner_ended(deaf)
        self.isolation.settle(NOW_S)

        self.assertEqual(([[]], [["q"]]), (before, asked(other)))

    def test_the_quota_that_has_a_slot_free_lends_it(self) -> None:
        self.begin({"q": 1}, quotas=3)
        runner = self.isolation_runner()
        dead = self.quotas[1]
        assert dead.serving is not None
        dead.leave(dead.serving)

        self.find(q=1)

        self.assertEqual(([["q"]], [0, 1, 0]), (asked(runner), [quota.lent["q"] for quota in self.quotas]))

    def test_queues_take_turns(self) -> None:
        self.begin({"a": 10, "b": 10, "unserved": 10}, most=1)
        runner = self.isolation_runner()
        self.find(a=3, b=2, elsewhere=5)
        self.obeyed()
        for _ in range(4):
            self.obeyed()
            self.suspect_done(runner)
        self.obeyed()

        self.assertEqual([["a", "b", "a", "b", "a"]], asked(runner))

    def test_an_older_answer_of_redis_is_ignored(self) -> None:
        self.begin({"q": 8})

        self.find(NOW_S, q=20)
        self.find(NOW_S - 1)

        self.assertEqual([{"q": 4}], self.granted())


class Runners(Case):
    def setUp(self) -> None:
        self.begin({"q": 20})

    def is_short(self, now_s: float = NOW_S, *, is_served: bool = True) -> bool:
        self.isolation.settle(now_s)
        return self.isolation.is_short(now_s, is_served=is_served)

    def test_they_are_started_one_after_another_as_many_as_there_are_suspects_for(self) -> None:
        self.find(q=3)
        runners: list[RunnerChild] = []

        while self.is_short(is_served=False):
            runners.append(self.isolation_runner(has_ticked=False))
            self.assertFalse(self.is_short())
            runners[-1].silence.was_broken = True

        self.assertEqual(3, len(runners))

    def test_never_more_than_the_setting_says(self) -> None:
        self.find(q=1000)

        while self.is_short():
            self.isolation_runner()

        self.assertEqual(4, len(self.isolation._runners))

    def test_without_a_crash_or_a_suspect_there_is_none(self) -> None:
        self.assertFalse(self.is_short())

    def test_after_a_crash_one_stands_by_once_there_is_a_runner_that_all_jobs_wait_for(self) -> None:
        crashed = self.child("w")
        crashed.silence.was_broken = True
        self.isolation.crash_seen(crashed, NOW_S)

        self.assertEqual([False, True], [self.is_short(is_served=is_served) for is_served in (False, True)])
        self.isolation_runner()
        self.assertFalse(self.is_short())

    def test_when_the_suspects_have_run_all_but_one_leave_soon_and_the_last_one_later(self) -> None:
        runners = [self.isolation_runner() for _ in range(4)]
        self.find(q=4)
        self.obeyed()
        for runner in runners:
            self.suspect_done(runner)

        left = []
        for later_s in (SPARE_S - 1, SPARE_S, STAND_BY_S - 1, STAND_BY_S):
            self.isolation.settle(NOW_S + later_s)
            left.append(sum(sent(runner)[-1]["do"] != "drain" for runner in runners))

        self.assertEqual([4, 1, 1, 0], left)

    def test_one_that_runs_a_suspect_is_not_dismissed(self) -> None:
        runner = self.isolation_runner()
        self.find(q=1)
        self.obeyed()

        self.isolation.settle(NOW_S + 10 * STAND_BY_S)

        self.assertEqual([["q"]], asked(runner))
        self.assertNotIn({"do": "drain"}, sent(runner))

    def test_one_that_was_dismissed_is_asked_for_nothing_more(self) -> None:
        runner = self.isolation_runner()
        self.isolation.settle(NOW_S)
        self.assertEqual([{"do": "drain"}], sent(runner))

        self.find(q=1)
        self.obeyed()

        self.assertEqual([[]], asked(runner))
        self.assertTrue(self.is_short())

    def test_after_one_died_at_its_start_no_more_than_live_are_started_and_none_at_once(self) -> None:
        self.find(q=20)
        self.isolation_runner()
        self.isolation_runner()
        dead = self.isolation_runner(has_ticked=False)

        self.isolation.runner_ended(dead)
        self.isolation.crash_seen(dead, NOW_S)
        self.isolation.runner_ended(self.isolation._runners[0])

        self.assertFalse(self.is_short())
        self.isolation.has_failed = False  # The next round of upkeep.
        self.assertTrue(self.is_short())
        self.isolation_runner()
        self.assertFalse(self.is_short())
        self.assertTrue(self.is_short(NOW_S + NARROW_S))


class HowMany(unittest.TestCase):
    def test_those_that_were_needed_stay_for_a_while(self) -> None:
        width = Width(4)

        wanted = [
            width.wanted(needed, at_s)
            for needed, at_s in ((4, 0), (1, SPARE_S - 1), (0, SPARE_S), (2, SPARE_S + 1), (0, 3 * SPARE_S))
        ]

        self.assertEqual([4, 4, 0, 2, 0], wanted)


if __name__ == "__main__":
    unittest.main()
