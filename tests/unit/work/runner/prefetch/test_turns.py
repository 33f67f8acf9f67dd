"""One lane in each turn of the loop, whichever queue it is of."""

import asyncio
import functools
import unittest

from lib.work.runner.prefetch.turns import Turns


class OneATurn(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.turns = Turns()
        self.woken: list[str] = []

    def ask(self, *names: str) -> None:
        for name in names:
            self.turns.schedule(functools.partial(self.woken.append, name))

    async def test_the_first_at_once_and_each_of_the_others_in_a_turn_of_its_own(self) -> None:
        self.ask("a", "b", "c")

        seen = [len(self.woken)]
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(len(self.woken))

        self.assertEqual(([1, 2, 3, 3], ["a", "b", "c"]), (seen, self.woken))

    async def test_whoever_asks_later_is_behind_those_that_wait_and_at_once_where_none_does(self) -> None:
        self.ask("a", "b")
        await asyncio.sleep(0)
        self.ask("c")
        self.assertEqual(["a", "b"], self.woken)
        for _ in range(3):
            await asyncio.sleep(0)

        self.ask("d")

        self.assertEqual(["a", "b", "c", "d"], self.woken)

    async def test_what_a_lane_says_in_its_turn_is_heard_before_the_lane_behind_the_next(self) -> None:
        """Otherwise Redis would be idle until both have run."""
        loop = asyncio.get_running_loop()
        heard: list[str] = []

        def lane(name: str) -> None:
            heard.append(f"{name} runs")
            loop.call_soon(heard.append, f"{name} is heard")

        def wake(name: str) -> None:
            loop.call_soon(lane, name)

        for name in ("a", "b", "c"):
            self.turns.schedule(functools.partial(wake, name))
        for _ in range(6):
            await asyncio.sleep(0)

        self.assertLess(heard.index("a is heard"), heard.index("c runs"))
        self.assertEqual(["a runs", "b runs", "c runs"], [words for words in heard if "runs" in words])


if __name__ == "__main__":
    unittest.main()
