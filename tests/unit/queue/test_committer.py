"""Group commit: batches, their order and bounds, and who is told what when one fails."""

import asyncio
import unittest
from collections.abc import Callable

from lib.errors import OutcomeUnknown, RedisKeysBroken, RedisUnavailable
from lib.queue import committer
from lib.queue.committer import Committer


class Sender:
    """Stands for Redis: keeps the batches, answers with the items, waits at the gate."""

    def __init__(self, most_at_once: int = 1) -> None:
        self.most_at_once = most_at_once
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.faults: list[Exception] = []
        self.at_once = 0

    def send(self, items: list[str], on_outcome: Callable[..., None]) -> None:
        self.batches.append(items)
        on_outcome(self.answered, items)

    async def answered(self, items: list[str]) -> list[str]:
        self.at_once += 1
        assert self.at_once <= self.most_at_once, f"{self.at_once} batches at a time"
        await self.gate.wait()
        self.at_once -= 1
        if self.faults:
            raise self.faults.pop(0)
        return [item.upper() for item in items]


class Commits(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.sender = Sender()
        self.committer: Committer[str, str] = Committer(self.sender.send, len)

    async def test_each_is_told_its_own_answer(self) -> None:
        answers = [self.committer.submit(item) for item in ("a", "b", "c")]

        self.assertEqual(["A", "B", "C"], [await answer for answer in answers])
        self.assertEqual([["a", "b", "c"]], self.sender.batches)

    async def test_what_arrives_while_one_is_in_flight_goes_with_the_next(self) -> None:
        self.sender.gate.clear()
        first = self.committer.submit("a")
        await asyncio.sleep(0)
        rest = [self.committer.submit(item) for item in ("b", "c")]

        self.sender.gate.set()

        self.assertEqual(["A", "B", "C"], [await answer for answer in (first, *rest)])
        self.assertEqual([["a"], ["b", "c"]], self.sender.batches)

    async def test_two_in_flight_and_the_third_waits(self) -> None:
        self.sender = Sender(most_at_once=2)
        self.committer = Committer(self.sender.send, len, in_flight=2)
        self.sender.gate.clear()
        answers = []
        for items in (["a"], *[["b"] * committer.WORTH_ITEMS] * 3):
            answers += [self.committer.submit(item) for item in items]
            await asyncio.sleep(0)

        in_flight = [len(batch) for batch in self.sender.batches]
        self.sender.gate.set()
        await self.committer.wait_until_idle()

        self.assertEqual(["A"] + ["B"] * 3 * committer.WORTH_ITEMS, [await answer for answer in answers])
        self.assertEqual([1, committer.WORTH_ITEMS], in_flight)
        self.assertEqual([2 * committer.WORTH_ITEMS], [len(batch) for batch in self.sender.batches[2:]])

    async def test_few_wait_for_the_answer_to_the_batch_before_them(self) -> None:
        self.sender = Sender(most_at_once=2)
        self.committer = Committer(self.sender.send, len, in_flight=2)
        self.sender.gate.clear()
        answers = []
        for item in ("a", *["b"] * (committer.WORTH_ITEMS - 1)):
            answers.append(self.committer.submit(item))
            await asyncio.sleep(0)

        self.assertEqual([["a"]], self.sender.batches)
        self.sender.gate.set()
        self.assertEqual(["A"] + ["B"] * (committer.WORTH_ITEMS - 1), [await answer for answer in answers])
        self.assertEqual(2, len(self.sender.batches))

    async def test_what_is_in_bulk_goes_behind_all_else(self) -> None:
        self.sender.gate.clear()
        heard: list[object] = []
        for _ in range(2 * committer.MAX_ITEMS):
            self.committer.post("b", heard.append, in_bulk=True)
        await asyncio.sleep(0)
        one = self.committer.submit("a")

        self.sender.gate.set()
        await one
        await self.committer.wait_until_idle()

        self.assertEqual(2 * committer.MAX_ITEMS, len(heard))
        self.assertEqual(
            (committer.MAX_ITEMS, "a", 1),
            (*map(len, self.sender.batches[:1]), self.sender.batches[1][0], len(self.sender.batches[2])),
        )

    async def test_one_that_fails_to_listen_keeps_no_other_from_its_answer(self) -> None:
        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        heard: list[object] = []
        self.committer.post("a", lambda _: heard.append(1 / 0))
        self.committer.post("b", heard.append)

        self.assertEqual("C", await self.committer.submit("c"))
        self.assertEqual(["B"], heard)
        self.assertEqual([ZeroDivisionError], [type(context["exception"]) for context in told])

    async def test_where_a_commit_fails_what_is_in_bulk_behind_it_is_told(self) -> None:
        self.sender.faults = [OutcomeUnknown("lost")]
        heard: list[object] = []
        answer = self.committer.submit("a")
        for _ in range(committer.MAX_ITEMS):
            self.committer.post("b", heard.append, in_bulk=True)

        with self.assertRaises(OutcomeUnknown):
            await answer
        await self.committer.wait_until_idle()

        self.assertEqual([OutcomeUnknown] * (committer.MAX_ITEMS - 1) + [RedisUnavailable], list(map(type, heard)))

    async def test_a_batch_has_its_bounds(self) -> None:
        many = [self.committer.submit("x") for _ in range(committer.MAX_ITEMS + 1)]
        await asyncio.gather(*many)
        big = "y" * (committer.MAX_BYTES // 2)
        await asyncio.gather(*[self.committer.submit(item) for item in (big, big, big, big * 4, "z")])

        self.assertEqual([committer.MAX_ITEMS, 1, 2, 1, 1, 1], [len(batch) for batch in self.sender.batches])

    async def test_when_one_fails_all_of_it_are_told_and_those_behind_it_that_nothing_was_sent(self) -> None:
        self.sender.gate.clear()
        self.sender.faults = [OutcomeUnknown("lost")]
        first = [self.committer.submit(item) for item in ("a", "b")]
        await asyncio.sleep(0)
        behind = self.committer.submit("c")
        self.sender.gate.set()

        told = await asyncio.gather(*first, behind, return_exceptions=True)

        self.assertEqual([OutcomeUnknown, OutcomeUnknown, RedisUnavailable], [type(fault) for fault in told])
        self.assertEqual([["a", "b"]], self.sender.batches)

    async def test_those_behind_one_that_met_broken_keys_are_told_of_them(self) -> None:
        """Theirs are the same keys; they would be sent in vain, and Redis is not away."""
        self.sender.gate.clear()
        self.sender.faults = [RedisKeysBroken("all holds no sorted set")]
        heard: list[object] = []
        first = self.committer.submit("a")
        await asyncio.sleep(0)
        behind = self.committer.submit("b")
        self.committer.post("c", heard.append, in_bulk=True)
        self.sender.gate.set()

        told = await asyncio.gather(first, behind, return_exceptions=True)

        self.assertEqual([RedisKeysBroken] * 3, [type(fault) for fault in (*told, *heard)])
        self.assertEqual([["a"]], self.sender.batches)

    async def test_after_a_failure_it_works_again(self) -> None:
        self.sender.faults = [ValueError("a bug")]
        with self.assertRaises(ValueError):
            await self.committer.submit("a")

        self.assertEqual("B", await self.committer.submit("b"))

    async def test_an_item_that_nobody_waits_for_is_sent_all_the_same(self) -> None:
        answer = self.committer.submit("a")
        answer.cancel()

        await self.committer.wait_until_idle()

        self.assertEqual([["a"]], self.sender.batches)
        self.assertEqual("B", await self.committer.submit("b"))

    async def test_wait_until_idle_waits_for_what_was_handed_in_meanwhile_too(self) -> None:
        self.sender.gate.clear()
        first = self.committer.submit("a")
        settled = asyncio.create_task(self.committer.wait_until_idle())
        await asyncio.sleep(0)
        second = self.committer.submit("b")

        self.sender.gate.set()
        await settled

        self.assertTrue(first.done() and second.done())

    async def test_wait_until_idle_returns_at_once_where_nothing_waits(self) -> None:
        await asyncio.wait_for(self.committer.wait_until_idle(), 1)


if __name__ == "__main__":
    unittest.main()
