"""What is wrong with a queue, told from its numbers, and the order of queues by it."""

import unittest

from lib.jobs import queue_settings
from lib.jobs.state import STATES
from lib.queue.census import Census, Limited
from lib.queue.queue_trouble import BACKLOG_S, FAILING_PERCENT, LEAST_ATTEMPTS, TROUBLES, Place, place_of, trouble_of

QUIET = {"enqueued": 0, "completed": 0, "retried": 0, "dead": 0, "cancelled": 0}


def census(ready: int = 0, *, workers: int = 1, is_paused: bool = False, oldest_s: float | None = None) -> Census:
    counts: dict[str, int] = {**dict.fromkeys(STATES, 0), "ready": ready}
    settings = queue_settings.shown({"paused": "1"} if is_paused else {})
    return Census("q", counts, workers, oldest_s, QUIET, {}, settings, None, {}, 0, 0)


def attempts(completed: int, retried: int, dead: int = 0) -> Census:
    return census()._replace(per_minute={**QUIET, "completed": completed, "retried": retried, "dead": dead})


def code(of: Census) -> str | None:
    trouble = trouble_of(of)
    return trouble.code if trouble else None


def text(of: Census) -> str:
    trouble = trouble_of(of)
    return trouble.text if trouble else ""


class OneQueue(unittest.TestCase):
    def test_a_queue_that_is_served_and_has_jobs_waiting_is_in_no_trouble(self) -> None:
        self.assertIsNone(trouble_of(census(500, oldest_s=BACKLOG_S - 1)))

    def test_jobs_wait_and_nobody_serves_them(self) -> None:
        self.assertEqual("1 job waits, and no worker serves this queue", text(census(1, workers=0)))
        self.assertEqual("12 jobs wait, and no worker serves this queue", text(census(12, workers=0)))
        self.assertIsNone(code(census(0, workers=0)))

    def test_jobs_have_died_lately(self) -> None:
        self.assertEqual("1 job has died within the last hour", text(census()._replace(dead_lately=1)))
        self.assertEqual("dying", code(census()._replace(dead_lately=35)))

    def test_a_share_of_few_attempts_says_nothing(self) -> None:
        self.assertEqual("failing", code(attempts(LEAST_ATTEMPTS - 2, 2)))
        self.assertIsNone(code(attempts(LEAST_ATTEMPTS - 3, 2)))

    def test_a_small_share_of_failures_is_no_trouble(self) -> None:
        self.assertIsNone(code(attempts(100 - FAILING_PERCENT + 1, FAILING_PERCENT - 1)))
        self.assertEqual("40 % of the attempts of the last minute have failed (4 of 10)", text(attempts(6, 3, 1)))

    def test_the_oldest_waits_for_long(self) -> None:
        late = census(3, oldest_s=95.4)

        self.assertEqual("the oldest ready job has waited for 95 s", text(late))
        limited = late._replace(limited=Limited("rate", 1))
        self.assertEqual(
            "the oldest ready job has waited for 95 s; the queue's rate lets none start now", text(limited)
        )

    def test_a_pause_is_why_jobs_wait(self) -> None:
        paused = census(7, workers=0, is_paused=True, oldest_s=9999.0)

        self.assertEqual(("paused", "the queue is paused, and 7 jobs wait"), (code(paused), text(paused)))
        self.assertIsNone(code(census(0, is_paused=True)))


class Order(unittest.TestCase):
    def test_the_first_code_that_fits_is_told(self) -> None:
        worst = census(3, workers=0, oldest_s=99.0)._replace(dead_lately=4)

        self.assertEqual(
            ["unserved", "dying", "backlog"],
            [code(worst), code(worst._replace(workers=1)), code(worst._replace(workers=1, dead_lately=0))],
        )

    def test_worst_code_first_then_the_larger_amount_then_the_name(self) -> None:
        queues = {
            "calm-b": census(),
            "calm-a": census(),
            "paused": census(900, is_paused=True),
            "few": census(2, workers=0),
            "many": census(30, workers=0),
            "many-too": census(30, workers=0),
            "dying": census()._replace(dead_lately=1000),
        }

        ordered = sorted(queues, key=lambda name: place_of(name, trouble_of(queues[name])))
        self.assertEqual(["many", "many-too", "few", "dying", "paused", "calm-a", "calm-b"], ordered)
        self.assertEqual(Place(len(TROUBLES), 0, "calm-a"), place_of("calm-a", None))
