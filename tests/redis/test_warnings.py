"""What a runner's resources find wrong, on its way to the log and to whoever asks for the warnings."""

import asyncio
import contextvars
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.logs.log import open_logs
from lib.queue.bulkheads import Bulkheads
from lib.settings import config
from lib.warning_codes import HealthWarning
from lib.work.runner import probes
from lib.work.runner.resources import Resources
from lib.work.runner.warnings import Warnings
from tests.redis.case import RedisCase


class RedisLink:
    """A resource that says of itself what it is told to."""

    def __init__(self, settings: Any) -> None:
        self.warning = ""


class OfARunner(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.now_s = 1000.0
        self.probes: list[float] = []
        self.outcome = ""
        self.log_path = folder / "worker.log"
        self.log = open_logs(self.log_path, level="INFO", console_format="json", max_bytes=0, backups=1)
        self.addCleanup(self.log.close)
        self.resources = Resources(config.load({}, folder), self.log, contextvars.Context)
        bulkheads = Bulkheads(self.log)
        self.warnings = Warnings(
            [("m", self.probe)], self.resources, self.queues, bulkheads, self.log, random.Random(7), lambda: self.now_s
        )

    async def probe(self, resource: Callable[[Any], RedisLink]) -> None:
        self.probes.append(self.now_s)
        resource(RedisLink).warning = self.outcome
        if self.outcome:
            raise OSError(self.outcome)

    async def turn(self) -> None:
        """One look, with the probe that it begins."""
        self.warnings.probes.start_if_due()
        if self.warnings.probes.task is not None:
            await asyncio.wait([self.warnings.probes.task])
            self.warnings.probes.start_if_due()
        await self.warnings.check()

    def events(self) -> list[str]:
        self.log.close()
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines()]
        return [line["event"] for line in lines]

    async def test_what_is_well_is_probed_once(self) -> None:
        for _ in range(5):
            await self.turn()
            self.now_s += 1000

        self.assertEqual(([1000.0], []), (self.probes, await self.queues.warnings.all()))

    async def test_what_is_wrong_is_probed_again_with_growing_pauses_until_it_is_mended(self) -> None:
        self.outcome = "the server says no"
        for _ in range(4000):
            await self.turn()
            self.now_s += 1
        [warning] = await self.queues.warnings.all()
        pauses = [later - earlier for earlier, later in zip(self.probes, self.probes[1:], strict=False)]
        count = len(self.probes)
        self.outcome = ""
        for _ in range(2500):
            await self.turn()
            self.now_s += 1

        self.assertEqual("worker", warning.code)
        self.assertTrue(warning.text.endswith(": the server says no"))
        self.assertLess(pauses[0], 40)
        self.assertEqual(pauses[:4], sorted(pauses[:4]))
        self.assertLessEqual(max(pauses), probes.LONGEST_PAUSE_S * 1.2 + 1)
        self.assertEqual(count + 1, len(self.probes))
        self.assertEqual([], await self.queues.warnings.all())
        self.assertEqual(["warning.raised", "warning.mended"], self.events())

    async def test_what_a_job_finds_wrong_later_is_told_and_looked_at_again(self) -> None:
        await self.turn()
        self.resources.get(RedisLink).warning = "the password has changed"

        await self.turn()

        self.assertEqual(1, len(await self.queues.warnings.all()))
        self.now_s += 40
        await self.turn()
        self.assertEqual(([], 2), (await self.queues.warnings.all(), len(self.probes)))

    async def test_what_comes_and_goes_does_not_fill_the_log(self) -> None:
        await self.turn()
        for _ in range(10):
            self.resources.get(RedisLink).warning = "now and then"
            await self.warnings.check()
            self.resources.get(RedisLink).warning = ""
            await self.warnings.check()

        self.assertEqual(["warning.raised", "warning.mended"], self.events())

    async def test_what_nobody_repeats_lapses(self) -> None:
        await self.queues.warnings.add([HealthWarning("worker", "of a runner that was killed")], 0.05)
        await self.queues.warnings.add([HealthWarning("worker", "of one that lives")], 30)

        while len(found := await self.queues.warnings.all()) > 1:
            await asyncio.sleep(0.01)

        self.assertEqual(["of one that lives"], [one.text for one in found])

    async def test_it_begins_when_it_was_first_told_and_is_readable_in_redis(self) -> None:
        fault = HealthWarning("mail_blocked", "worker on a: no mail gets out")
        before_ms = await self.now_ms()
        await self.queues.warnings.add([fault], 30)
        (first,) = await self.queues.warnings.all()
        await asyncio.sleep(0.005)
        await self.queues.warnings.add([fault], 30)

        (member,) = self.client.zrange("wb:warnings", 0, -1)
        self.assertRegex(member.decode(), r"^worker on a: no mail gets out \[mail_blocked since 20[-0-9]+T[0-9:.]+Z\]$")
        self.assertEqual([first], await self.queues.warnings.all())
        self.assertEqual(fault, first._replace(since_ms=None))
        self.assertLessEqual(before_ms, first.since_ms or 0)
        await self.queues.warnings.remove([fault])
        self.assertEqual([], await self.queues.warnings.all())

    async def test_what_the_runners_of_a_host_tell_is_shown_once_and_as_old_as_the_oldest(self) -> None:
        fault = HealthWarning("mail_blocked", "worker on a: no mail gets out")
        for second in (31, 30, 32):
            text = f"{fault.text} [mail_blocked since 2026-11-29T23:40:{second}.123Z]"
            self.client.zadd("wb:warnings", {text: 9e15})
        self.client.zadd("wb:warnings", {fault.text: 9e15})

        self.assertEqual([fault._replace(since_ms=1_795_995_630_123)], await self.queues.warnings.all())

    async def test_what_an_older_or_a_newer_version_wrote_is_shown_as_a_workers(self) -> None:
        texts = ["no mail gets out", "new trouble [unheard_of since 2026-11-29T23:40:30.000Z]", "odd [worker since 1Z]"]
        self.client.zadd("wb:warnings", dict.fromkeys(texts, 9e15))

        self.assertEqual(
            [
                HealthWarning("worker", "new trouble", since_ms=1_795_995_630_000),
                HealthWarning("worker", "no mail gets out"),
                HealthWarning("worker", "odd [worker since 1Z]"),
            ],
            await self.queues.warnings.all(),
        )
