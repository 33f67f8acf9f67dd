"""What a factory makes, async or not: how often, in which context, how a fault is shared, and how it is closed."""

import asyncio
import contextvars
import threading
import unittest
from collections.abc import Awaitable, Callable
from typing import Any, cast
from unittest.mock import patch

from lib.jobs.registry import Retry
from lib.settings.config import Settings
from lib.work.runner import resources
from lib.work.runner.resources import AsyncResource, ResourceFailed, Resources
from tests.a_log import ALog

LIMIT_S = 5.0
tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


class Pool:
    """A resource with an async close(), which adds its name to `closed`."""

    def __init__(self, closed: list[str], name: str = "pool") -> None:
        self.closed, self.name = closed, name

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed.append(self.name)


class ResourcesCase(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.log = ALog(self)
        self.resources = Resources(cast(Settings, "settings"), self.log, contextvars.Context)
        self.closed: list[str] = []

    async def ask(self, factory: Callable[[Any], Awaitable[Any]]) -> Any:
        making = self.resources.get(factory)
        assert type(making) is AsyncResource
        async with asyncio.timeout(LIMIT_S):
            return await making.value()


class Made(ResourcesCase):
    async def test_it_is_made_once_for_all_who_ask_while_it_is_made_and_after(self) -> None:
        asked: list[Any] = []

        async def factory(settings: Any) -> Pool:
            asked.append(settings)
            await asyncio.sleep(0)
            return Pool(self.closed)

        found = [*await asyncio.gather(*[self.ask(factory) for _ in range(5)]), await self.ask(factory)]

        self.assertEqual((["settings"], 1), (asked, len(set(map(id, found)))))

    async def test_who_is_stopped_while_it_is_made_stops_it_for_nobody(self) -> None:
        may_go_on = asyncio.Event()

        async def factory(settings: Any) -> str:
            await may_go_on.wait()
            return "made"

        first, other = (asyncio.create_task(self.ask(factory)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        may_go_on.set()

        self.assertEqual((True, "made", "made"), (first.cancelled(), await other, await self.ask(factory)))

    async def test_it_is_made_in_no_jobs_context(self) -> None:
        async def later(settings: Any) -> str:
            return tenant.get()

        def at_once(settings: Any) -> list[str]:
            return [tenant.get()]

        tenant.set("the first who asks")

        self.assertEqual(("nobody", ["nobody"]), (await self.ask(later), self.resources.get(at_once)))

    async def test_what_fails_is_told_to_all_who_asked_and_tried_again_for_the_next(self) -> None:
        faults: list[BaseException] = [OSError("away"), Retry("later", after_s=9)]

        async def factory(settings: Any) -> str:
            await asyncio.sleep(0)
            if faults:
                raise faults.pop(0)
            return "made"

        told = await asyncio.gather(*[self.ask(factory) for _ in range(3)], return_exceptions=True)
        again = await asyncio.gather(self.ask(factory), return_exceptions=True)

        self.assertEqual([OSError] * 3 + [Retry], [type(fault) for fault in (*told, *again)])
        self.assertEqual("made", await self.ask(factory))

    async def test_what_would_end_the_loop_or_a_task_is_an_error_of_who_asked(self) -> None:
        for raised in (SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()):

            async def factory(settings: Any, raised: BaseException = raised) -> None:
                await asyncio.sleep(0)
                raise raised

            with self.assertRaisesRegex(ResourceFailed, f"its factory raised {type(raised).__name__}"):
                await self.ask(factory)

    async def test_one_that_is_cancelled_with_all_tasks_fails_who_asked_and_is_tried_again(self) -> None:
        async def factory(settings: Any) -> str:
            await asyncio.sleep(0 if self.closed else 3600)
            return "made"

        asking = asyncio.create_task(self.ask(factory))
        await asyncio.sleep(0)
        (task,) = asyncio.all_tasks() - {asyncio.current_task(), asking} - self.others
        self.closed.append("not so long any more")
        task.cancel()

        with self.assertRaises(ResourceFailed):
            await asking
        self.assertEqual("made", await self.ask(factory))

    async def asyncSetUp(self) -> None:
        self.others = asyncio.all_tasks()

    async def test_a_client_that_can_be_awaited_and_need_not_be_is_given_as_it_is(self) -> None:
        class Client:
            def __await__(self) -> Any:
                raise AssertionError("nobody asked for it")

        client = Client()

        self.assertIs(client, self.resources.get(lambda settings: client))


class FromThreads(unittest.TestCase):
    """Plain handlers ask from threads of their own."""

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


class Closed(ResourcesCase):
    async def test_all_are_closed_the_last_made_first_by_whatever_way_they_have(self) -> None:
        closed = self.closed

        class Plain:
            def close(self) -> None:
                closed.append("plain")

        class Both:
            close = None

            async def aclose(self) -> None:
                await asyncio.sleep(0)
                closed.append("both")

        async def pool(settings: Any) -> Pool:
            return Pool(closed)

        async def nobody_awaits(settings: Any) -> Pool:
            return Pool(closed, "never made")

        self.resources.get(lambda settings: Plain())
        await self.ask(pool)
        self.resources.get(lambda settings: Both())
        self.resources.get(lambda settings: object())
        self.resources.get(nobody_awaits)

        await self.resources.close()

        self.assertEqual(["both", "pool", "plain"], closed)
        self.assertEqual([], self.log.lines())

    async def test_one_that_fails_or_does_not_end_keeps_no_other_from_it(self) -> None:
        closed = self.closed

        class Exits:
            def close(self) -> None:
                raise SystemExit(3)

        class Hangs:
            async def close(self) -> None:
                await asyncio.sleep(3600)

        async def never(settings: Any) -> None:
            await asyncio.sleep(3600)

        async def pool(settings: Any) -> Pool:
            return Pool(closed)

        class Plain:
            def close(self) -> None:
                closed.append("plain")

        self.resources.get(lambda settings: Plain())
        self.resources.get(lambda settings: Hangs())
        await self.ask(pool)
        self.resources.get(lambda settings: Exits())
        making = self.resources.get(never)
        asking = asyncio.create_task(making.value())
        await asyncio.sleep(0)

        with patch.object(resources, "CLOSE_S", 0.05):
            await self.resources.close()

        self.assertEqual(["pool", "plain"], closed)
        said = {line["event"] for line in self.log.lines()}
        self.assertEqual({"resource.close_failed", "resource.close_cut_off", "resource.failed"}, said)
        with self.assertRaises(ResourceFailed):
            await asking


if __name__ == "__main__":
    unittest.main()
