"""Errors of one kind, counted together over the hours of a window."""

import unittest

from lib.jobs.error_kinds import ERROR_WINDOWS, ErrorKind, HourOfErrors, error_kinds, over_queues, worst_first

HOUR = 489_000
NOW_MS = HOUR * 3_600_000 + 12 * 60_000 + 7  # Twelve minutes past: the third five minutes of the hour.
BUSY = "email\x1fSMTPServerBusy\x1f# mails at most"


def counts(ms: int, job_id: str, rows: str) -> str:
    return f"{ms}\x1f{job_id}\x1f{rows}"


def kinds(window: str, *hours: HourOfErrors) -> list[ErrorKind]:
    return error_kinds("q", hours, ERROR_WINDOWS[window], NOW_MS)


class Kinds(unittest.TestCase):
    def test_the_last_hour_spans_two_hours_of_the_clock(self) -> None:
        hours = (
            HourOfErrors(HOUR - 1, [(BUSY, counts(NOW_MS - 50 * 60_000, "q-old", "2 9 9;4 0 1"))]),
            HourOfErrors(HOUR, [(BUSY, counts(NOW_MS - 1000, "q-new", "0 1 0;2 0 3"))]),
        )

        (found,) = kinds("1h", *hours)

        self.assertEqual(("email", "SMTPServerBusy", "# mails at most"), (found.job_type, found.type, found.message))
        self.assertEqual((1, 4, "q-new"), (found.dead, found.retried, found.last_job_id))
        self.assertEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3], found.line)

    def test_a_day_is_counted_by_hours(self) -> None:
        hours = [HourOfErrors(HOUR - at, [(BUSY, counts(NOW_MS - at, "q-1", "0 1 0;11 0 1"))]) for at in range(26)]

        (found,) = kinds("24h", *hours)

        self.assertEqual([2] * 24, found.line)
        self.assertEqual((24, 24), (found.dead, found.retried))

    def test_a_kind_that_came_up_before_the_window_alone_is_left_out(self) -> None:
        self.assertEqual([], kinds("1h", HourOfErrors(HOUR - 1, [(BUSY, counts(1, "q-1", "0 1 1"))])))

    def test_a_clock_that_was_set_back_counts_five_minutes_twice(self) -> None:
        (found,) = kinds("1h", HourOfErrors(HOUR, [(BUSY, counts(NOW_MS, "q-1", "2 1 0;1 1 0;2 1 0"))]))

        self.assertEqual((3, 2), (found.dead, found.line[-1]))

    def test_what_no_script_wrote_is_an_error(self) -> None:
        for kind, text in ((BUSY, "x"), ("no fields", counts(1, "q-1", "0 1 1")), (BUSY, counts(1, "q-1", "a b c"))):
            with self.subTest(text), self.assertRaises(ValueError):
                kinds("1h", HourOfErrors(HOUR, [(kind, text)]))

    def test_those_that_differ_in_the_queue_alone_are_one_over_all_queues(self) -> None:
        def of_queue(name: str, ms: int, text: str = BUSY) -> ErrorKind:
            hour = HourOfErrors(HOUR, [(text, counts(ms, f"{name}-1", "1 1 2;2 0 3"))])
            (kind,) = error_kinds(name, [hour], ERROR_WINDOWS["1h"], NOW_MS)
            return kind

        alone = [of_queue("a", 7, text) for text in (BUSY + "!", "sms" + BUSY, BUSY.replace("Busy", "Away"))]
        one, *others = over_queues([of_queue("a", 8), of_queue("b", 9), of_queue("c", 6), *alone])

        self.assertEqual((None, 3, "email", "SMTPServerBusy"), (one.queue, one.queues, one.job_type, one.type))
        self.assertEqual((3, 15, [0] * 10 + [9, 9]), (one.dead, one.retried, one.line))
        self.assertEqual((9, "b-1"), (one.last_ms, one.last_job_id))
        self.assertEqual(alone, others)
        self.assertEqual([("a", 1)] * 3, [(kind.queue, kind.queues) for kind in others])

    def test_the_worst_come_first(self) -> None:
        found = [ErrorKind("q", "t", name, "", 12) for name in ("retried", "killed", "later")]
        for kind, (dead, retried, ms) in zip(found, ((0, 9, 1), (1, 0, 1), (0, 9, 2)), strict=True):
            kind.add(0, dead, retried)
            kind.last_ms = ms

        self.assertEqual(["killed", "later", "retried"], [kind.type for kind in worst_first(found)])
