"""Schedules that code declares: what a worker writes, what it leaves as it is, and what is orphaned."""

import json
import tempfile
from pathlib import Path
from typing import Any

from lib.commands.orphans import find_orphans
from lib.errors import RedisUnavailable, ScheduleElsewhere
from lib.jobs.declared_schedule import DeclaredSchedule
from lib.jobs.job_type import JobType
from lib.jobs.payload import decoder_for
from lib.jobs.registry import Registry
from lib.logs.log import open_logs
from lib.queue.bulkheads import Bulkheads
from lib.queue.code_schedules import CodeSchedules, CodeWrite
from lib.queue.fleet import Fleet, Program, UpgradeGate
from lib.queue.schedule_seen import ScheduleSeen
from lib.work.runner.schedule_writer import ScheduleWriter
from tests.redis.schedule_case import ScheduleCase, cron, every

LAPSES_S = 60.0


def declares(text: str = "0 3 * * *", **body: Any) -> DeclaredSchedule:
    """What code says: the schedule "s" of a job in the queue "q"."""
    job = {"type": "noop", "payload": {}, "queue": "q"}
    return DeclaredSchedule("s", {"cron": text, "owner": "code:shop.jobs", "job": job, **body})


class CodeCase(ScheduleCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.code = CodeSchedules(self.link, self.keys)
        await self.queues.runners.show_version(["host.1.00000001"], LAPSES_S)
        await self.queues.runners.show(["host.1.00000001"], LAPSES_S)

    async def start(self, text: str, *, was_undeclared: bool = False) -> CodeWrite:
        """A worker starts whose code says this cron."""
        await self.code.declare([declares(text)], LAPSES_S)
        schedule = cron(text, owner="code:shop.jobs")
        return await self.code.write(declares(text), schedule, was_undeclared=was_undeclared)

    def leave(self, text: str) -> None:
        """The workers whose code said so are gone, for longer than a declaration counts."""
        self.assertEqual(1, self.client.zrem(self.keys.declared, f"s {declares(text).digest}"))

    async def now(self) -> ScheduleSeen:
        return await self.schedules.read("s")


class Written(CodeCase):
    async def test_what_is_not_there_is_written_once(self) -> None:
        first = await self.start("0 3 * * *")
        again = await self.start("0 3 * * *")

        self.assertEqual(("created", "kept"), (first.outcome, again.outcome))
        self.assertEqual(first.seen, again.seen._replace(now_ms=first.seen.now_ms))
        self.assertEqual((declares().digest,), first.seen.digests)

    async def test_a_pause_and_an_edit_stay_when_the_same_code_starts(self) -> None:
        await self.start("0 3 * * *")
        edited = await self.put(cron("0 5 * * *", paused=True))

        again = await self.start("0 3 * * *")

        self.assertEqual(
            ("kept", edited.version, "0 5 * * *"), (again.outcome, again.seen.version, edited.schedule.cron)
        )

    async def test_changed_code_is_written_and_leaves_what_it_can_not_say(self) -> None:
        await self.start("0 3 * * *")
        end_ms = await self.now_ms() + 10**10
        await self.put(cron("0 5 * * *", paused=True, jitter_ms=7000, ends_ms=end_ms))

        changed = await self.start("0 4 * * *")

        schedule = changed.seen.schedule
        self.assertEqual(("changed", "0 4 * * *"), (changed.outcome, schedule.cron))
        self.assertEqual((True, 7000, end_ms), (schedule.paused, schedule.jitter_ms, schedule.ends_ms))
        self.assertEqual((declares("0 4 * * *").digest, declares().digest), changed.seen.digests)

    async def test_an_older_worker_that_starts_again_puts_nothing_back(self) -> None:
        await self.start("0 3 * * *")
        newer = await self.start("0 4 * * *")

        older = await self.start("0 3 * * *")

        self.assertEqual(("older", newer.seen.version), (older.outcome, older.seen.version))
        self.assertEqual("0 4 * * *", (await self.now()).schedule.cron)

    async def test_a_rollback_is_written_when_the_newer_workers_are_gone(self) -> None:
        await self.start("0 3 * * *")
        await self.start("0 4 * * *")
        self.leave("0 4 * * *")

        early = await self.start("0 3 * * *")
        back = await self.start("0 3 * * *", was_undeclared=True)
        forward = await self.start("0 4 * * *", was_undeclared=True)
        self.leave("0 3 * * *")
        at_last = await self.start("0 4 * * *", was_undeclared=True)

        outcomes = [one.outcome for one in (early, back, forward, at_last)]
        self.assertEqual(["undeclared", "changed", "older", "changed"], outcomes)
        self.assertEqual("0 4 * * *", (await self.now()).schedule.cron)
        self.assertEqual(2, len((await self.now()).digests))

    async def test_what_a_request_made_is_left_to_it(self) -> None:
        mine = await self.put(every(60))

        found = await self.start("0 3 * * *")

        self.assertEqual(("foreign", mine.version), (found.outcome, (await self.now()).version))

    async def test_one_that_lies_in_another_queue_is_refused(self) -> None:
        await self.start("0 3 * * *")
        elsewhere = cron(job={"type": "noop", "payload": {}, "queue": "other"})

        with self.assertRaises(ScheduleElsewhere):
            await self.code.write(declares(job={**elsewhere.job}), elsewhere)

    async def test_other_words_for_the_same_are_noted_once(self) -> None:
        first = await self.start("0 3 * * *")
        words = declares(timezone="UTC")

        outcomes = [(await self.code.write(words, first.seen.schedule)).outcome for _ in range(2)]

        self.assertEqual(["changed", "kept"], outcomes)
        self.assertEqual(first.seen.slot, (await self.now()).slot)

    async def test_so_many_texts_are_remembered_and_no_more(self) -> None:
        for minute in range(25):
            await self.start(f"{minute} 3 * * *")

        digests = (await self.now()).digests
        self.assertEqual((20, declares("24 3 * * *").digest), (len(digests), digests[0]))


class Orphaned(CodeCase):
    async def test_it_is_when_no_worker_that_runs_declares_it(self) -> None:
        await self.start("0 3 * * *")
        await self.put(cron(), "mine")
        declared = (await self.now()).is_orphaned
        self.leave("0 3 * * *")

        self.assertEqual((False, True), (declared, (await self.now()).is_orphaned))
        self.assertFalse((await self.schedules.read("mine")).is_orphaned)
        [sentence] = await find_orphans(self.link, self.keys, ())
        self.assertIn("s (code:shop.jobs) was written by a worker's code", sentence)
        self.assertEqual([], await find_orphans(self.link, self.keys, {"s"}))

    async def test_a_worker_that_declares_another_text_of_it_will_do(self) -> None:
        await self.start("0 3 * * *")
        await self.start("0 4 * * *")
        self.leave("0 4 * * *")

        self.assertFalse((await self.now()).is_orphaned)

    async def test_a_declaration_lapses(self) -> None:
        await self.start("0 3 * * *")
        self.client.zadd(self.keys.declared, {f"s {declares().digest}": await self.now_ms() - 1})

        self.assertTrue((await self.now()).is_orphaned)
        await self.code.declare([], LAPSES_S)
        self.assertEqual(0, self.client.exists(self.keys.declared))

    async def test_while_no_worker_runs_none_is(self) -> None:
        await self.start("0 3 * * *")
        self.leave("0 3 * * *")
        await self.queues.runners.hide(["host.1.00000001"])

        self.assertFalse((await self.now()).is_orphaned)

    async def test_a_broken_key_orphans_none(self) -> None:
        await self.start("0 3 * * *")
        self.client.set(self.keys.declared, "x")

        self.assertFalse((await self.now()).is_orphaned)


class ByARunner(CodeCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.log_path = folder / "worker.log"
        self.log = open_logs(self.log_path, level="INFO", console_format="json", max_bytes=0, backups=1)
        self.addCleanup(self.log.close)
        self.writer = self.runner(declares())

    def runner(self, *declared: DeclaredSchedule) -> ScheduleWriter:
        """The writer of a runner whose code declares these: of a job type "noop", and "noop1" and so on."""
        decode = decoder_for(dict)
        types = [
            JobType(f"noop{number or ''}", print, decode, True, queue="q", schedule=one)
            for number, one in enumerate(declared)
        ]
        gate = UpgradeGate(Fleet(self.link, self.keys), lambda: 0.0)
        bulkheads = Bulkheads(self.log)
        return ScheduleWriter(Registry(types), self.ids, self.code, gate, self.queues.warnings, bulkheads, self.log)

    def events(self) -> list[str]:
        self.log.close()
        return [json.loads(line)["event"] for line in self.log_path.read_text().splitlines()]

    async def test_it_is_written_and_said_once(self) -> None:
        for _ in range(3):
            await self.writer.write_all()

        self.assertEqual(["schedule.created"], self.events())
        self.assertEqual("code:shop.jobs", (await self.now()).schedule.owner)
        self.assertEqual([], await self.queues.warnings.all())

    async def test_what_is_deleted_comes_back_with_the_next_runner_alone(self) -> None:
        await self.writer.write_all()
        await self.schedules.delete("s")

        await self.writer.write_all()
        self.assertEqual({}, await self.schedules.index())

        await self.runner(declares()).write_all()
        self.assertEqual({"s": "q"}, await self.schedules.index())

    async def test_it_comes_back_when_redis_has_been_emptied(self) -> None:
        await self.writer.write_all()
        self.client.flushall()

        await self.writer.write_all()

        self.assertEqual({"s": "q"}, await self.schedules.index())

    async def test_a_schedule_of_a_request_is_warned_of_until_it_is_deleted(self) -> None:
        await self.put(every(60))
        for _ in range(3):
            await self.writer.write_all()
        [warning] = await self.queues.warnings.all()
        await self.schedules.delete("s")
        await self.writer.write_all()

        self.assertIn(
            "the schedule s of code:shop.jobs is not written: a request made the one of that name", warning.text
        )
        self.assertEqual("schedule_not_written", warning.code)
        self.assertEqual("0 3 * * *", (await self.now()).schedule.cron)
        self.assertEqual([], await self.queues.warnings.all())
        self.assertEqual(["schedule.not_written", "schedule.created"], self.events())

    async def test_one_in_another_queue_is_warned_of_until_it_is_deleted(self) -> None:
        await self.start("0 3 * * *")
        job = {"type": "noop", "payload": {}, "queue": "other"}
        writer = self.runner(declares(job=job))
        await writer.write_all()
        [warning] = await self.queues.warnings.all()
        await self.schedules.delete("s")
        await writer.write_all()

        self.assertIn("the schedule s queues its jobs in q, and stays there: delete it first", warning.text)
        self.assertEqual({"s": "other"}, await self.schedules.index())

    async def test_an_older_runner_says_once_that_it_leaves_it(self) -> None:
        await self.writer.write_all()
        await self.runner(declares("0 4 * * *")).write_all()
        for _ in range(3):
            await self.writer.write_all()

        self.assertEqual(["schedule.created", "schedule.changed", "schedule.left"], self.events())

    async def test_a_runner_that_stays_writes_a_rollback_when_the_newer_one_is_gone(self) -> None:
        await self.writer.write_all()
        await self.runner(declares("0 4 * * *")).write_all()
        await self.writer.write_all()
        self.leave("0 4 * * *")
        await self.writer.write_all()
        self.assertEqual("0 4 * * *", (await self.now()).schedule.cron)

        await self.writer.write_all()
        self.assertEqual("0 3 * * *", (await self.now()).schedule.cron)

    async def test_after_an_outage_an_older_runner_waits_for_the_newer_one_to_declare_again(self) -> None:
        newer = self.runner(declares("0 4 * * *"))
        await self.writer.write_all()
        await newer.write_all()
        self.client.delete(self.keys.declared)  # All has lapsed meanwhile.

        await self.writer.write_all()
        await newer.write_all()
        await self.writer.write_all()

        self.assertEqual("0 4 * * *", (await self.now()).schedule.cron)

    async def test_a_round_that_breaks_off_counts_as_none(self) -> None:
        await self.writer.write_all()
        await self.runner(declares("0 4 * * *")).write_all()
        self.leave("0 4 * * *")
        await self.writer.write_all()
        self.configure("maxmemory", 1)
        try:
            with self.assertRaises(RedisUnavailable):
                await self.writer.write_all()
        finally:
            self.configure("maxmemory", 0)

        await self.writer.write_all()
        self.assertEqual("0 4 * * *", (await self.now()).schedule.cron)
        await self.writer.write_all()
        self.assertEqual("0 3 * * *", (await self.now()).schedule.cron)

    async def test_one_that_is_broken_costs_the_others_nothing(self) -> None:
        other = declares("0 5 * * *")._replace(name="other")
        await self.writer.write_all()
        self.client.delete(self.keys.schedule("q", "s"))
        self.client.set(self.keys.schedule("q", "s"), "x")

        await self.runner(declares(), other).write_all()

        self.assertEqual("0 5 * * *", (await self.schedules.read("other")).schedule.cron)
        self.assertEqual(["schedule.created", "declaration.failed", "schedule.created"], self.events())
        await self.schedules.delete("s")

    async def test_it_waits_for_the_end_of_an_upgrade(self) -> None:
        older = Program("server", "0.2.0", "web1.1.00000001")
        fleet = Fleet(self.link, self.keys)
        await fleet.show([older], 60)
        await self.writer.write_all()
        self.assertEqual({}, await self.schedules.index())
        [warning] = await self.queues.warnings.all()
        await fleet.hide([older])

        await self.runner(declares()).write_all()

        self.assertIn("schedules need Waybill 0.3.0 or newer", warning.text)
        self.assertEqual({"s": "q"}, await self.schedules.index())
