"""Which jobs of a runner that no longer turns have run out of time, whatever was done to Redis' clock."""

import unittest
from typing import cast

from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord
from lib.jobs.spec import JobSpec
from lib.queue.lease import Lease
from lib.work.supervisor.overdue import LATE_S, ClockLeaps, Held, is_overdue, overdue
from tests.traces import new_trace

HOUR_MS = 3_600_000
SPEC = JobSpec("noop", {}, "r", new_trace(), 5, 60.0, Backoff())


class Clocks:
    """Both clocks, and what a supervisor has seen of them, which looks once a second."""

    def __init__(self) -> None:
        self.leaps = ClockLeaps()
        self.now_s = 0.0
        self.set_by_ms = 0
        self.leaps.compare(self.now_ms, 0.0)

    @property
    def now_ms(self) -> int:
        return HOUR_MS * 9 + self.set_by_ms + round(self.now_s * 1000)

    def pass_by(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now_s += 1
            self.leaps.compare(self.now_ms, self.now_s)

    def is_overdue(self, started_ms: int, silent_s: float = 3.0) -> bool:
        record = JobRecord("q-1", "q", "active", SPEC, started_ms=started_ms)
        return is_overdue(record, self.now_ms, self.leaps, silent_s)


class IsOverdue(unittest.TestCase):
    def setUp(self) -> None:
        self.clocks = Clocks()
        self.clocks.pass_by(5)

    def test_after_its_timeout_a_job_is(self) -> None:
        started_ms = self.clocks.now_ms

        self.clocks.pass_by(round(SPEC.timeout_s + LATE_S))
        before = self.clocks.is_overdue(started_ms)
        self.clocks.pass_by(1)

        self.assertEqual((False, True), (before, self.clocks.is_overdue(started_ms)))

    def test_an_hour_that_the_clock_was_set_ahead_by_is_no_time_that_it_ran(self) -> None:
        started_ms = self.clocks.now_ms
        self.clocks.pass_by(10)
        self.clocks.set_by_ms = HOUR_MS
        self.clocks.pass_by(49)

        before = self.clocks.is_overdue(started_ms)
        self.clocks.pass_by(5)

        self.assertEqual((False, True), (before, self.clocks.is_overdue(started_ms)))

    def test_a_job_that_was_begun_after_the_leap_has_its_own_time(self) -> None:
        self.clocks.set_by_ms = HOUR_MS
        self.clocks.pass_by(5)
        started_ms = self.clocks.now_ms

        self.clocks.pass_by(59)
        before = self.clocks.is_overdue(started_ms)
        self.clocks.pass_by(5)

        self.assertEqual((False, True), (before, self.clocks.is_overdue(started_ms)))

    def test_where_the_clock_was_set_back_its_silence_convicts_it(self) -> None:
        started_ms = self.clocks.now_ms
        self.clocks.set_by_ms = -2 * HOUR_MS
        self.clocks.pass_by(100)

        self.assertFalse(self.clocks.is_overdue(started_ms, silent_s=60.0))
        self.assertTrue(self.clocks.is_overdue(started_ms, silent_s=62.0))

    def test_a_clock_that_is_slewed_leaps_not(self) -> None:
        started_ms = self.clocks.now_ms
        for _ in range(60):
            self.clocks.set_by_ms += 5
            self.clocks.pass_by(1)
        self.clocks.pass_by(2)

        self.assertTrue(self.clocks.is_overdue(started_ms))


class WhoIsToBlame(unittest.TestCase):
    """Two jobs that a loop keeps from ending: one has a second, the other a minute."""

    def setUp(self) -> None:
        self.clocks = Clocks()
        self.short, self.long = self.held("q-1", 1.0), self.held("q-2", 60.0)

    def held(self, job_id: str, timeout_s: float) -> Held:
        spec = SPEC._replace(timeout_s=timeout_s)
        return Held(cast(Lease, None), JobRecord(job_id, "q", "active", spec, started_ms=self.clocks.now_ms))

    def late(self, blocker: str | None) -> list[Held]:
        return overdue([self.short, self.long], blocker, self.clocks.now_ms, self.clocks.leaps, 3.0)

    def test_where_it_is_not_known_all_that_are_late(self) -> None:
        self.clocks.pass_by(10)

        self.assertEqual([self.short], self.late(None))

    def test_while_the_one_that_blocks_is_in_time_nobody(self) -> None:
        self.clocks.pass_by(10)

        self.assertEqual([], self.late("q-2"))

    def test_once_it_is_late_it_alone(self) -> None:
        self.clocks.pass_by(62)

        self.assertEqual(([self.long], [self.short, self.long]), (self.late("q-2"), self.late(None)))

    def test_one_that_is_not_held_any_more_excuses_nobody(self) -> None:
        self.clocks.pass_by(10)

        self.assertEqual([self.short], self.late("q-9"))


if __name__ == "__main__":
    unittest.main()
