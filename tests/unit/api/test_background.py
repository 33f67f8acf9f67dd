"""A server's tasks beside its requests: tzdata that is upgraded or removed under a server."""

import asyncio
import contextlib
import importlib.util
import unittest
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from lib.api.background import read_zones_anew
from lib.api.shown_schedule import present_preview
from lib.jobs.schedule import Schedule
from lib.jobs.zones import UnknownZone, find_zone
from tests.a_log import ALog
from tests.zone_files import own_zone

ZONE = "Test/Zone"
LIMIT_S = 10.0
NOON_MS = 1_795_953_600_000
SCHEDULE = Schedule("30 2 * * *", 0, ZONE, {"queue": "q"})


class ZonesOfAServer(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.log = ALog(self)
        self.zone = self.enterContext(own_zone(ZONE, 3600))

    @contextlib.asynccontextmanager
    async def reading(self, *, is_spokesman: bool = True) -> AsyncIterator[None]:
        task = asyncio.create_task(read_zones_anew(self.log, 0.01, is_spokesman=is_spokesman))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def test_previews_go_by_rules_that_came_behind_its_start(self) -> None:
        before = next_run()
        self.zone.upgrade(7200)
        self.assertEqual(before, next_run())

        async with self.reading():
            await until(lambda: next_run() != before)

        self.assertEqual(timedelta(hours=-1), next_run() - before)

    @unittest.skipIf(importlib.util.find_spec("tzdata"), "PyPI's tzdata is installed")
    async def test_tzdata_that_is_gone_is_said(self) -> None:
        self.zone.remove()

        async with self.reading():
            await until(lambda: bool(self.log.lines()))

        line = self.log.lines()[0]
        self.assertEqual("zones.missing", line["event"])
        self.assertIn("apt-get install tzdata", line["msg"])

    async def test_of_several_processes_one_says_it(self) -> None:
        find_zone(ZONE)
        self.zone.remove()

        async with self.reading(is_spokesman=False):
            await until(is_unknown)

        self.assertEqual([], self.log.lines())


def next_run() -> datetime:
    return datetime.fromisoformat(present_preview(SCHEDULE, NOON_MS, 1)["next_runs"][0].replace("Z", "+00:00"))


def is_unknown() -> bool:
    try:
        find_zone(ZONE)
    except UnknownZone:
        return True
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


if __name__ == "__main__":
    unittest.main()
