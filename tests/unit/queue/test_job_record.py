"""lib/queue/job_record.py: a job as read.lua gives it, and one that somebody wrote by hand."""

import unittest

from lib.jobs.edges import KnownEdge
from lib.queue.job_record import record_from


def text(*fields: str, created: str = "5", due: str = "") -> bytes:
    return "\x1f".join((created, due, *fields)).encode()


class Record(unittest.TestCase):
    def test_of_a_blocked_job_the_time_is_shown_before_which_it_does_not_run(self) -> None:
        times = ("since", "5", "free_due", "7")

        self.assertEqual(7, record_from("q-1", text("state", "blocked", *times)).run_at_ms)
        self.assertEqual(5, record_from("q-1", text("state", "ready", *times)).run_at_ms)
        self.assertIsNone(record_from("q-1", text("state", "blocked", "since", "5")).run_at_ms)

    def test_a_job_that_failed_once_and_was_completed(self) -> None:
        record = record_from(
            "q-1",
            text(
                *("state", "completed", "attempts", "2", "claims", "3", "started", "20", "finished", "30"),
                *("worker", "w", "result", '{"sent":1}', "error", '{"type":"E"}', "spec", "{}"),
                *("history", '1\x1d7\x1d9\x1dw\x1dretried\x1d{"type":"E"}\x1c'),
            ),
        )

        self.assertEqual(("completed", 2, 3, 5, {"sent": 1}), (*record[2:3], *record[4:7], record.result))
        self.assertIsNone(record.error)
        self.assertEqual(
            [
                (1, 7, 9, "w", "retried", {"type": "E"}, None, None, None),
                (2, 20, 30, "w", "completed", None, None, 3, 5),
            ],
            [tuple(attempt) for attempt in record.history],
        )

    def test_a_line_of_history_has_as_many_parts_as_its_version_knew(self) -> None:
        lines = [
            "1\x1d7\x1d9\x1dw\x1dretried\x1d{}",
            "2\x1d7\x1d9\x1dw\x1dsnoozed\x1d\x1d1764410003000",
            "3\x1d7\x1d9\x1dw\x1dretried\x1d{}\x1d12\x1d3\x1d6\x1da part of a later version",
            "4\x1d7\x1d9\x1dw\x1dretried\x1d{}\x1dno time\x1d4\x1d",
        ]

        record = record_from("q-1", text("state", "ready", "history", "".join(f"{line}\x1c" for line in lines)))

        self.assertEqual([None, 1764410003000, 12, None], [attempt.retry_ms for attempt in record.history])
        self.assertEqual([None, None, 3, 4], [attempt.token for attempt in record.history])
        self.assertEqual([None, None, 6, 5], [attempt.ready_ms for attempt in record.history])
        self.assertEqual([1, 2, 3, 4], [attempt.attempt for attempt in record.history])

    def test_the_jobs_that_it_waits_for_and_those_that_wait_for_it(self) -> None:
        record = record_from("q-1", text("state", "blocked", "edges", "c.q-2 fetch,edr-3 ", "then", "q-4,r-5"))
        alone = record_from("q-1", text("state", "ready"))

        self.assertEqual((KnownEdge("c", ".", "q-2", "fetch"), KnownEdge("e", "d", "r-3", "")), record.edges)
        self.assertEqual(("q-4", "r-5"), record.then)
        self.assertEqual(((), ()), (alone.edges, alone.then))

    def test_what_makes_no_sense_is_absent(self) -> None:
        record = record_from("q-1", text("state", "dead", "attempts", "x", "result", "{", "error", "[1]", "odd"))

        self.assertEqual(("dead", 0, None, None), (record.state, record.attempts, record.result, record.error))
        self.assertEqual((None, ()), (record.spec, record.history))


if __name__ == "__main__":
    unittest.main()
