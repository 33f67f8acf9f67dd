"""What jobs of one runner share, as they are given it."""

import contextvars
import threading
import unittest
from typing import Any, cast

from lib.settings.config import Settings
from lib.work.runner.resources import Resources
from tests.a_log import ALog

LIMIT_S = 5.0


class Shared(unittest.TestCase):
    def setUp(self) -> None:
        self.resources = Resources(cast(Settings, object()), ALog(self), contextvars.Context)

    def test_who_asks_for_one_does_not_wait_for_another_that_is_slow_to_be_made(self) -> None:
        is_asked, may_go_on = threading.Event(), threading.Event()

        def slow(settings: Any) -> str:
            is_asked.set()
            return "slow" if may_go_on.wait(LIMIT_S) else "nobody could ask for the other one"

        thread = threading.Thread(target=self.resources.get, args=(slow,))
        thread.start()
        self.assertTrue(is_asked.wait(LIMIT_S))

        self.assertEqual("quick", self.resources.get(lambda settings: "quick"))
        may_go_on.set()
        thread.join(LIMIT_S)
        self.assertEqual("slow", self.resources.get(slow))

    def test_one_is_made_once_however_many_ask_at_once(self) -> None:
        made: list[object] = []
        start = threading.Barrier(8)

        def factory(settings: Any) -> object:
            made.append(object())
            return made[-1]

        def ask() -> None:
            start.wait(LIMIT_S)
            self.resources.get(factory)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)

        self.assertEqual(1, len(made))


if __name__ == "__main__":
    unittest.main()
