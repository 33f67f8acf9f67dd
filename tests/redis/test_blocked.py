"""A blocked job is a job: it is counted, shown, changed and cancelled as others are, it lives, and it is not lost."""

import unittest
from typing import Any

from lib.commands import audit
from lib.errors import QueueFull, QueueInUse, WrongState
from lib.jobs.job import JobRecord, Revision
from lib.queue.listing import Wanted
from lib.queue.scripts import fragments_of
from lib.queue.upkeep_steps import Retention
from tests.redis.case import KEEP_ALL, ids_of
from tests.redis.edged import EdgedCase
from tests.redis.schedule_case import ScheduleCase, every
from tests.system.oracle import assert_sound, counts

KEEP_NOTHING = Retention(0, 0, 0, 0)

# No script blocks a job that is ready: whoever frees one has all that it waits for, and that is never taken away.
_BLOCK_BY_HAND = """-- @use block mark_stale ready_list
local id, parent = ARGV[1], ARGV[2]
local job = base .. 'job:' .. id
local priority, suspect, group, stale_in = unpack(redis.call('HMGET', job, 'priority', 'suspect', 'group', 'listed'))
mark_stale(job, stale_in, ready_list(priority, suspect, group))
redis.call('HDEL', job, 'suspect')
redis.call('HSET', base .. 'parents:' .. id, parent, 'c.' .. '\\31', '#open', '1')
block(id, job, now + 15000, 'waits', '1')
"""


class BlockedCase(EdgedCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.parent = await self.enqueue(delay_ms=600_000)

    async def blocked(self, **options: Any) -> str:
        return await self.waits_for(f"c{self.parent} fetch", **options)

    async def free(self) -> None:
        """The parent completes."""
        await self.make_due(self.parent)
        await self.queues.upkeep.promote("q")
        await self.end(self.parent)

    async def assert_states(self, *states: str, of: list[str]) -> None:
        self.assertEqual(list(states), [await self.state(job_id) for job_id in of])
        assert_sound(self.client)


class Shown(BlockedCase):
    async def test_it_is_counted_as_itself_and_not_as_ready(self) -> None:
        await self.blocked()
        await self.enqueue()

        census = await self.queues.census("q")

        self.assertEqual((1, 1, 1), tuple(census.counts[state] for state in ("ready", "delayed", "blocked")))
        self.assertEqual({"ready": 1, "delayed": 1, "blocked": 1}, counts(self.client))

    async def test_it_is_not_the_oldest_that_is_ready(self) -> None:
        await self.blocked()

        self.assertIsNone((await self.queues.census("q")).oldest_ready_age_s)

    async def test_a_workflow_is_counted_as_blocked(self) -> None:
        await self.workflow("ma", "nb")

        self.assertEqual(1, (await self.queues.census("q")).counts["blocked"])

    async def test_it_is_listed_by_its_state_and_read(self) -> None:
        job_id = await self.blocked()
        await self.enqueue()

        page = await self.job_store.page(["q"], Wanted("blocked"), None, 50)

        self.assertEqual([job_id], [place.job_id for place in page.jobs])
        record = await self.record(job_id)
        self.assertEqual(("blocked", None, None), (record.state, record.started_ms, record.finished_ms))

    async def test_it_is_listed_by_tag_type_and_state_at_once(self) -> None:
        job_id = await self.blocked(tags=("eu",))
        await self.enqueue(tags=("eu",))

        page = await self.job_store.page(["q"], Wanted("blocked", "noop", tag="eu"), None, 50)

        self.assertEqual([job_id], [place.job_id for place in page.jobs])

    async def test_the_audit_knows_its_place(self) -> None:
        job_id = await self.blocked()
        self.assertEqual([], await audit.find_faults(self.link, self.keys))

        self.client.zrem(self.base + "blocked", job_id)

        self.assertEqual(
            [f"q: {job_id} is blocked and stands in no place"], await audit.find_faults(self.link, self.keys)
        )
        self.client.zadd(self.base + "blocked", {job_id: 1})

    async def test_a_queue_that_holds_one_is_not_removed(self) -> None:
        await self.blocked(queue="other")

        with self.assertRaisesRegex(QueueInUse, "1 blocked"):
            await self.queues.remove("other")

    async def test_every_change_of_its_state_is_an_event(self) -> None:
        await self.scripts.call("listen", self.base, 60)
        freed, dropped = await self.blocked(), await self.blocked()
        failed = await self.enqueue()
        heir = await self.waits_for(f"c{failed} ")
        await self.end(failed, "fail")
        await self.job_store.cancel(dropped)
        await self.job_store.retry(dropped)
        await self.free()

        entries: Any = self.client.xrange(self.base + "events")

        seen = [(fields[b"state"].decode(), fields[b"by"].decode(), fields[b"ids"].decode()) for _, fields in entries]
        told = {job_id: [(state, by) for state, by, ids in seen if job_id in ids] for job_id in (freed, dropped, heir)}
        self.assertEqual([("blocked", "enqueue"), ("ready", "resolve")], told[freed])
        self.assertEqual([("blocked", "enqueue"), ("cancelled", "resolve")], told[heir])
        self.assertEqual(
            [("blocked", "enqueue"), ("cancelled", "cancel"), ("blocked", "retry"), ("ready", "resolve")],
            told[dropped],
        )


class Changed(BlockedCase):
    async def test_it_is_cancelled_and_those_that_wait_for_it_are_told(self) -> None:
        first = await self.blocked()
        second, third = await self.waits_for(f"c{first} "), await self.waits_for(f"e{first} ")

        await self.job_store.cancel(first)
        await self.tell()

        await self.assert_states("cancelled", "cancelled", "ready", of=[first, second, third])

    async def test_cancelled_by_a_person_it_is_not_freed_and_run_again_it_waits_again(self) -> None:
        job_id = await self.blocked()
        await self.job_store.cancel(job_id)
        await self.job_store.retry(job_id)
        await self.assert_states("blocked", of=[job_id])
        await self.job_store.cancel(job_id)
        await self.free()
        await self.assert_states("cancelled", of=[job_id])

        await self.job_store.retry(job_id)
        await self.ask(job_id)

        await self.assert_states("ready", of=[job_id])

    async def test_a_workflow_is_asked_to_stop(self) -> None:
        workflow, (member,) = await self.workflow("ma")

        await self.job_store.cancel(workflow)

        await self.assert_states("blocked", "ready", of=[workflow, member])
        self.assertIsNotNone((await self.record(workflow)).cancel_requested_ms)

    async def test_its_priority_payload_and_tags_are_changed_and_hold_when_it_is_free(self) -> None:
        job_id = await self.blocked()
        before = await self.enqueue()

        def revise(record: JobRecord) -> Revision:
            spec_text = record.spec_text.decode().replace('"payload":{}', '"payload":{"a":1}')
            return Revision(spec_text, "high", None, ("eu",))

        await self.job_store.patch(job_id, revise)
        await self.assert_states("blocked", of=[job_id])
        await self.free()

        record = await self.record(job_id)
        assert record.spec is not None
        self.assertEqual(("ready", {"a": 1}), (record.state, record.spec.payload))
        page = await self.job_store.page(["q"], Wanted(tag="eu"), None, 50)
        self.assertEqual([job_id], [place.job_id for place in page.jobs])
        self.assertEqual([job_id], self.list("ready:high"))
        self.assertNotIn(before, self.list("ready:high"))

    async def test_a_time_that_it_is_given_holds_when_it_is_free(self) -> None:
        job_id = await self.blocked()
        due_ms = await self.now_ms() + 60_000
        await self.job_store.patch(job_id, lambda record: Revision(record.spec_text.decode(), None, due_ms))
        await self.assert_states("blocked", of=[job_id])

        await self.free()

        await self.assert_states("delayed", of=[job_id])
        self.assertEqual(due_ms, (await self.record(job_id)).run_at_ms)

    async def test_its_delay_counts_from_when_it_is_free(self) -> None:
        job_id = await self.blocked(delay_ms=60_000)
        await self.assert_states("blocked", of=[job_id])
        free_ms = await self.now_ms()

        await self.free()

        due_ms = (await self.record(job_id)).run_at_ms
        assert due_ms is not None
        self.assertTrue(60_000 <= due_ms - free_ms < 70_000, due_ms - free_ms)

    async def test_it_is_not_deleted_and_not_run_again_while_it_waits(self) -> None:
        job_id = await self.blocked()

        for change in (self.job_store.delete, self.job_store.retry):
            with self.assertRaisesRegex(WrongState, "^the job is blocked; "):
                await change(job_id)

        await self.assert_states("blocked", of=[job_id])

    async def test_it_expires_and_those_that_wait_for_it_are_told(self) -> None:
        job_id = await self.blocked(expires_in_ms=60_000)
        heir = await self.waits_for(f"f{job_id} ")
        self.client.zadd(self.base + "expiring", {job_id: 1})

        await self.queues.upkeep.expire("q")
        await self.tell()

        await self.assert_states("dead", "ready", of=[job_id, heir])

    async def test_no_step_of_upkeep_runs_or_forgets_it(self) -> None:
        job_id = await self.blocked(retain_ms=0)
        self.client.zadd(self.base + "delayed", {job_id: 1})

        await self.queues.upkeep.promote("q")
        await self.queues.upkeep.trim("q", KEEP_NOTHING)

        await self.assert_states("blocked", of=[job_id])
        self.assertNotIn(job_id, self.list("ready:normal"))

    async def test_upkeep_is_told_when_it_is_to_ask_and_whether_words_wait(self) -> None:
        job_id = await self.blocked()
        survey = dict(await self._survey())
        self.client.zadd(self.base + "unsure", {job_id: 1})
        await self.job_store.cancel(self.parent)

        later = dict(await self._survey())

        self.assertEqual((b"", b""), (survey[b"asking"], survey[b"notices"]))
        self.assertEqual(b"1", later[b"asking"])
        self.assertGreaterEqual(int(later[b"notices"]), 0)
        await self.tell()

    async def _survey(self) -> list[tuple[bytes, bytes]]:
        flat = await self.scripts.call("survey", self.base, *KEEP_ALL.arguments, 10)
        return list(zip(flat[::2], flat[1::2], strict=True))


class Living(BlockedCase, ScheduleCase):
    """Where it is asked whether a job lives, a blocked one does."""

    async def test_it_keeps_its_unique_key(self) -> None:
        job = self.job(unique_key="report")
        await self.plant(job, [f"c{self.parent} "])
        self.client.set(self.base + "unique:report", job.job_id)

        accepted = await self.job_store.enqueue(self.job(unique_key="report"))

        self.assertEqual(("duplicate", job.job_id), (accepted.outcome, accepted.job_id))

    async def test_no_job_is_run_again_under_the_unique_key_that_it_holds(self) -> None:
        first = self.job(unique_key="report")
        first = first._replace(spec_text=first.spec_text.replace('"payload"', '"unique_key":"report","payload"'))
        await self.job_store.enqueue(first)
        await self.job_store.cancel(first.job_id)
        second = self.job()
        await self.plant(second, [f"c{self.parent} "])
        self.client.set(self.base + "unique:report", second.job_id)

        with self.assertRaisesRegex(WrongState, f"the job {second.job_id} holds the same unique key"):
            await self.job_store.retry(first.job_id)

    async def test_a_schedule_that_skips_waits_until_it_has_ended(self) -> None:
        await self.put(every(60))
        job_id = await self.blocked()
        self.client.hset(self.keys.schedule("q", "s"), "last", job_id)
        await self.bring_now()

        (skipped,) = await self.take()
        await self.free()
        await self.end(job_id)
        await self.bring_now()
        (taken,) = await self.take()

        self.assertEqual(["skipped", "fired"], [skipped.outcome, taken.outcome])


class Depth(BlockedCase, ScheduleCase):
    """max_depth counts what is ready or delayed, and refuses new jobs alone."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.job_store.cancel(self.parent)
        await self.queues.adjust("q", {"max_depth": 1})
        self.ready = await self.enqueue()

    async def assert_full(self) -> None:
        with self.assertRaises(QueueFull):
            await self.job_store.enqueue(self.job())

    async def test_blocked_jobs_take_no_room_from_new_ones_and_from_slots(self) -> None:
        await self.job_store.cancel(self.ready)
        other = await self.enqueue(queue="other")
        for _ in range(3):
            await self.waits_for(f"c{other} ")
        await self.assert_room_for_one()

        await self.put(every(60, overlap="allow"))
        await self.bring_now()
        self.assertEqual(["full"], [one.outcome for one in await self.take()])
        await self.assert_full()

    async def assert_room_for_one(self) -> None:
        self.assertEqual("new", (await self.job_store.enqueue(self.job())).outcome)
        await self.assert_full()

    async def test_a_job_that_is_freed_is_not_refused(self) -> None:
        other = await self.enqueue(queue="other")
        ids = [await self.waits_for(f"c{other} ") for _ in range(3)]
        await self.assert_full()

        await self.end(other)

        await self.assert_states(*["ready"] * 3, of=ids)

    async def test_a_job_that_is_run_again_is_not_refused(self) -> None:
        await self.end(self.ready)
        await self.enqueue()
        await self.assert_full()

        await self.job_store.retry(self.ready)
        await self.job_store.retry(self.parent)

        await self.assert_states("ready", "ready", of=[self.ready, self.parent])

    async def test_a_job_that_is_given_back_or_taken_back_is_not_refused(self) -> None:
        await self.begin()
        await self.enqueue()
        await self.assert_full()

        await self.end(self.ready, "snooze")
        await self.assert_states("delayed", of=[self.ready])
        crashed = await self.begin(runner_id="x")
        await self.crash("x")

        await self.assert_states(*["ready"] * len(crashed), of=crashed)
        await self.assert_full()


class Met(BlockedCase):
    """The id of a blocked job is stale in a ready list, and is met there."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.client.flushall()
        self.parent = await self.enqueue(queue="other", delay_ms=600_000)

    async def block(self, job_id: str) -> str:
        text = "\n".join(["local base = KEYS[1]", *fragments_of(_BLOCK_BY_HAND).values(), _BLOCK_BY_HAND])
        self.client.eval(text, 1, self.base, job_id, self.parent)
        return job_id

    async def assert_still_blocked(self, *ids: str) -> None:
        await self.assert_states(*["blocked"] * len(ids), of=list(ids))

    async def assert_freed_and_claimed(self, *ids: str) -> None:
        """Freed, each is ready in one place, and is handed out once."""
        for job_id in ids:
            await self.resolve(job_id, self.parent, b"c")
        assert_sound(self.client)
        claim = await (await self.lease("later")).claim(10)
        self.assertEqual(set(ids), set(ids_of(claim)))

    async def test_claim_drops_it_strikes_its_letter_and_it_is_not_lost(self) -> None:
        ids = [await self.block(await self.enqueue(priority)) for priority in ("high", "normal", "low")]

        claim = await (await self.lease()).claim(10)

        self.assertEqual([], claim.jobs)
        await self.assert_still_blocked(*ids)
        self.assertNotIn("listed", self.job_fields())
        self.assertEqual([], await self.queues.quarantine("q"))
        await self.assert_freed_and_claimed(*ids)

    async def test_freed_before_it_is_met_it_has_its_place_again(self) -> None:
        ids = [await self.block(await self.enqueue()) for _ in range(3)]

        await self.assert_freed_and_claimed(*ids)

    async def test_a_runner_that_has_popped_it_drops_it(self) -> None:
        job_id = await self.block(await self.enqueue())
        runner = await self.lease()
        self.assertEqual(job_id, self.popped(runner))

        self.assertEqual([], (await runner.claim(1, source="popped")).jobs)

        await self.assert_still_blocked(job_id)
        await self.assert_freed_and_claimed(job_id)

    async def test_a_paused_queue_drops_one_that_was_popped_and_puts_none_back(self) -> None:
        job_id = await self.block(await self.enqueue())
        runner = await self.lease()
        self.popped(runner)
        await self.queues.adjust("q", {"paused": True})

        await runner.claim(1, [job_id])

        await self.assert_still_blocked(job_id)
        self.assertEqual([], self.list("ready:normal"))
        await self.queues.adjust("q", {"paused": False})
        await self.assert_freed_and_claimed(job_id)

    async def test_reap_drops_one_that_a_dead_runner_had_popped(self) -> None:
        job_id = await self.block(await self.enqueue())
        self.popped(await self.lease())

        await self.crash("w")

        await self.assert_still_blocked(job_id)
        await self.assert_freed_and_claimed(job_id)

    async def test_a_suspect_is_dropped_from_the_suspects(self) -> None:
        job_id = await self.enqueue()
        for runner_id in ("w1", "w2"):
            await self.claimed(await self.lease(runner_id))
            await self.crash(runner_id)
        self.assertEqual([job_id], self.list("suspects"))
        await self.block(job_id)

        await (await self.lease("x.alone")).claim(1, source="suspects")

        await self.assert_still_blocked(job_id)
        await self.assert_freed_and_claimed(job_id)


if __name__ == "__main__":
    unittest.main()
