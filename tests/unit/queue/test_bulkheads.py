"""What is caught where one queue's keys are broken, and how often it is said."""

import asyncio
import unittest

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.queue.bulkheads import LOG_AGAIN_S, MOST_KNOWN, Bulkheads
from tests.a_log import ALog


class Around(unittest.TestCase):
    def setUp(self) -> None:
        self.now_s = 0.0
        self.log = ALog(self)
        self.bulkheads = Bulkheads(self.log, lambda: self.now_s)

    def fail(self, fault: BaseException, queue: str = "a", step: str = "beat") -> None:  # type: ignore[override]
        with self.bulkheads.around(queue, step):
            raise fault

    def said(self) -> list[str]:
        return [f"{line['level']} {line['event']} {line.get('queue')}" for line in self.log.lines()]

    def test_a_fault_that_comes_back_is_said_once_and_again_after_a_while(self) -> None:
        for self.now_s in range(int(LOG_AGAIN_S) + 1):
            self.fail(RedisKeysBroken("no hash"))

        self.assertEqual(["ERROR beat.failed a"] * 2, self.said())

    def test_another_fault_another_queue_and_another_step_are_said(self) -> None:
        for _ in range(3):
            self.fail(RedisKeysBroken("no hash"))
            self.fail(ValueError("no number"))
            self.fail(RedisKeysBroken("no hash"), queue="b")
            self.fail(RedisKeysBroken("no hash"), step="reap")

        self.assertEqual(4, len(self.said()))

    def test_its_end_is_said_once(self) -> None:
        self.fail(RedisKeysBroken("no hash"))

        for _ in range(3):
            with self.bulkheads.around("a", "beat"):
                pass

        self.assertEqual(["ERROR beat.failed a", "INFO beat.mended a"], self.said())

    def test_what_comes_and_goes_every_second_is_said_once_as_well(self) -> None:
        for _ in range(100):
            self.fail(RedisKeysBroken("no hash"))
            with self.bulkheads.around("a", "beat"):
                pass

        self.assertEqual(2, len(self.said()))

    def test_faults_that_never_say_the_same_do_not_fill_the_log(self) -> None:
        for number in range(2 * MOST_KNOWN):
            self.fail(ValueError(str(number)))

        self.assertEqual(MOST_KNOWN, len(self.said()))

    def test_redis_being_away_and_a_cancellation_pass(self) -> None:
        for fault in (RedisUnavailable("away"), asyncio.CancelledError()):
            with self.assertRaises(type(fault)):
                self.fail(fault)

        self.assertEqual([], self.said())


if __name__ == "__main__":
    unittest.main()
