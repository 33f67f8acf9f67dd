"""unique with the mode replace: the last job that is sent under a key is what runs, and never beside another one."""

import asyncio
import unittest
from typing import Any

from lib.errors import GroupFull, WrongState
from lib.jobs.backoff import Backoff
from lib.jobs.job import Accepted, ClaimedJob, JobRecord, NewJob, Revision
from lib.jobs.spec import JobSpec
from lib.queue.lease import Lease
from tests.redis.case import TRACE, RedisCase, ending, until

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class ReplaceCase(RedisCase):
    mode = "replace"

    def new(self, n: int = 0, *, key: str = "k", kind: str = "a", mode: str = "", **options: Any) -> NewJob:
        """n: its payload is {"n": n}."""
        priority = options.get("priority", "normal")
        spec = JobSpec(kind, {"n": n}, "request", TRACE, 5, 60.0, Backoff(), priority, unique_key=key)
        spec = spec._replace(group=options.get("group", ""), tags=options.get("tags", ()))
        options = {"priority": priority, "unique_key": key, "unique_mode": mode or self.mode, **options}
        return NewJob(self.ids.new("q", "request"), spec_text=spec.to_text(), **options)

    async def post(self, n: int = 0, **options: Any) -> Accepted:
        return await self.job_store.enqueue(self.new(n, **options))

    async def running(self, n: int = 0, **options: Any) -> tuple[Lease, ClaimedJob]:
        await self.post(n, **options)
        lease = await self.lease()
        # The first claim in a queue with groups says that the queue has such.
        (job,) = (await lease.claim(1)).jobs or (await lease.claim(1)).jobs
        return lease, job

    async def end(self, lease: Lease, job: ClaimedJob, script: str = "finish", **how: Any) -> JobRecord:
        """The job behind the end of its attempt; who waits for the end was told."""
        await lease.end_and_wait(script, ending(script, job, **how))
        await self.job_store.notices.tell("q")
        return await self.record(job.job_id)

    async def n(self, job_id: str) -> Any:
        spec = (await self.record(job_id)).spec
        return spec and spec.payload["n"]

    def field(self, job_id: str, name: str) -> str:
        found: Any = self.client.hget(f"{self.base}job:{job_id}", name)
        return found.decode() if found else ""


class InPlace(ReplaceCase):
    async def test_a_job_that_has_never_begun_becomes_the_new_one_and_keeps_its_id(self) -> None:
        first = await self.post(1)
        created_ms = (await self.record(first.job_id)).created_ms

        second = await self.post(2, priority="high")

        self.assertEqual(("replaced", first.job_id), (second.outcome, second.job_id))
        self.assertEqual({first.job_id: "ready"}, self.states())
        record = await self.record(first.job_id)
        assert record.spec is not None
        self.assertEqual((2, "high", created_ms), (record.spec.payload["n"], record.spec.priority, record.created_ms))
        claimed = await self.claimed(await self.lease())
        self.assertEqual((first.job_id, b'{"n":2}' in claimed.spec_text), (claimed.job_id, True))

    async def test_it_keeps_its_place_in_its_line(self) -> None:
        first = await self.post(1)
        behind = [await self.enqueue() for _ in range(3)]

        await self.post(2)

        claim = await (await self.lease()).claim(5)
        self.assertEqual([first.job_id, *behind], [job.job_id for job in claim.jobs])

    async def test_everything_that_the_request_asks_for_is_new_and_the_rest_is_gone(self) -> None:
        first = await self.post(
            1,
            delay_ms=HOUR_MS,
            expires_in_ms=2 * HOUR_MS,
            retain_ms=5000,
            give_up_ms=HOUR_MS,
            tags=("eu", "old"),
            unique_ttl_ms=2 * HOUR_MS,
        )

        await self.post(2, tags=("eu", "new"))

        record = await self.record(first.job_id)
        self.assertEqual(("ready", None, None), (record.state, record.expires_ms, record.give_up_ms))
        self.assertIsNone(record.retain_ms)
        assert record.spec is not None
        self.assertEqual(("eu", "new"), record.spec.tags)
        self.assertFalse(self.client.zcard(self.base + "expiring"))
        self.assertAlmostEqual(DAY_MS, self.client.pttl(self.base + "unique:k"), delta=5000)

    async def test_what_the_new_one_asks_for_holds(self) -> None:
        first = await self.post(1)

        await self.post(2, delay_ms=HOUR_MS, expires_in_ms=2 * HOUR_MS, retain_ms=5000, give_up_ms=HOUR_MS)

        record, now_ms = await self.record(first.job_id), await self.now_ms()
        self.assertEqual(("delayed", 5000, HOUR_MS), (record.state, record.retain_ms, record.give_up_ms))
        assert record.run_at_ms and record.expires_ms and record.gives_up_ms
        for at_ms, hours in ((record.run_at_ms, 1), (record.expires_ms, 2), (record.gives_up_ms, 2)):
            self.assertAlmostEqual(now_ms + hours * HOUR_MS, at_ms, delta=5000)
        self.assertEqual(1, self.client.zcard(self.base + "expiring"))

    async def test_a_delayed_one_that_is_wanted_at_once_is_ready_and_back(self) -> None:
        first = await self.post(1, delay_ms=HOUR_MS)
        seen = []
        for options in ({}, {"delay_ms": HOUR_MS}, {"delay_ms": 2 * HOUR_MS}, {}, {"priority": "low"}, {}):
            await self.post(2, **options)
            seen.append(self.states()[first.job_id])

        self.assertEqual(["ready", "delayed", "delayed", "ready", "ready", "ready"], seen)
        claim = await (await self.lease()).claim(5)
        self.assertEqual([first.job_id], [job.job_id for job in claim.jobs])

    async def test_an_idle_runner_hears_of_an_earlier_time(self) -> None:
        await self.post(1, delay_ms=HOUR_MS)
        self.client.delete(self.base + "ready:normal")

        await self.post(2, delay_ms=HOUR_MS // 2)

        self.assertEqual([b"bell"], self.client.lrange(self.base + "ready:normal", 0, -1))

    async def test_a_claim_that_was_given_back_unbegun_is_no_beginning(self) -> None:
        lease, job = await self.running(1)
        await self.end(lease, job, "release", is_begun=False)

        second = await self.post(2)

        self.assertEqual(("replaced", job.job_id), (second.outcome, second.job_id))
        self.assertEqual(2, await self.n(job.job_id))

    async def test_those_who_wait_for_the_id_wait_for_what_it_is_now(self) -> None:
        first = await self.post(1)
        self.client.hset(self.base + "followers", first.job_id, "q-x")

        await self.post(2)

        self.assertEqual(b"q-x", self.client.hget(self.base + "followers", first.job_id))
        self.client.delete(self.base + "followers")

    async def test_many_in_one_commit_are_one_job_and_the_last_one(self) -> None:
        times: tuple[dict[str, Any], ...] = (
            {},
            {"delay_ms": HOUR_MS},
            {},
            {"priority": "high"},
            {"priority": "low", "delay_ms": 5000},
        )
        jobs = [self.new(n, **options) for n in range(8) for options in times]

        accepted = await asyncio.gather(*map(self.job_store.enqueue, [*jobs, self.new(99, priority="low")]))

        self.assertEqual(1, [one.outcome for one in accepted].count("new"))
        (job_id,) = {one.job_id for one in accepted}
        self.assertEqual(({job_id: "ready"}, 99), (self.states(), await self.n(job_id)))

    async def test_a_queue_that_is_full_has_room_for_what_replaces(self) -> None:
        first = await self.post(1)
        await self.queues.adjust("q", {"max_depth": 1})

        self.assertEqual(("replaced", first.job_id), (await self.post(2))[1::-1])

    async def test_a_job_of_another_type_or_key_is_not_touched(self) -> None:
        others = [await self.post(1, kind="b"), await self.post(1, key="other")]

        self.assertEqual("new", (await self.post(2)).outcome)
        self.assertEqual([1, 1], [await self.n(other.job_id) for other in others])
        self.assertEqual("replaced", (await self.post(3, kind="b")).outcome)

    async def test_one_of_the_mode_keep_is_replaced_and_keep_is_answered_with_it(self) -> None:
        first = await self.post(1, mode="keep")

        self.assertEqual(("replaced", first.job_id), (await self.post(2))[1::-1])
        self.assertEqual(("duplicate", first.job_id), (await self.post(3, mode="keep"))[1::-1])
        self.assertEqual(2, await self.n(first.job_id))

    async def test_in_a_group_it_keeps_its_line_and_in_another_one_it_is_another_job(self) -> None:
        first = await self.post(1, group="g")
        self.assertEqual("replaced", (await self.post(2, group="g")).outcome)

        other = await self.post(3, group="h")

        self.assertEqual(("superseding", first.job_id), (other.outcome, other.superseded_id))
        self.assertEqual({first.job_id: "cancelled", other.job_id: "ready"}, self.states())
        error = (await self.record(first.job_id)).error
        self.assertEqual({"type": "superseded", "message": f"the job {other.job_id} took its place"}, error)

    async def test_where_the_other_group_has_no_room_nothing_changes(self) -> None:
        await self.post(0, key="other", group="h")
        self.client.hset(self.base + "meta", "group_max_depth", "1")
        first = await self.post(1, group="g")

        with self.assertRaises(GroupFull):
            await self.post(2, group="h")

        self.assertEqual(("ready", 1), (await self.state(first.job_id), await self.n(first.job_id)))


class ThatHasBegun(ReplaceCase):
    async def test_one_in_backoff_ends_and_the_new_one_begins_as_new(self) -> None:
        for script, how in (("fail", {"delay_s": 60}), ("snooze", {"delay_s": 60}), ("release", {"is_begun": True})):
            with self.subTest(script):
                self.client.flushall()
                self.job_store.forget_names()
                lease, job = await self.running(1)
                await self.end(lease, job, script, **how)

                second = await self.post(2)

                self.assertEqual(("superseding", job.job_id), (second.outcome, second.superseded_id))
                self.assertEqual({job.job_id: "cancelled", second.job_id: "ready"}, self.states())
                record = await self.record(second.job_id)
                self.assertEqual((0, None, 2), (record.attempts, record.error, await self.n(second.job_id)))
                self.assertEqual(("replaced", second.job_id), (await self.post(3))[1::-1])

    async def test_it_takes_no_more_room_than_the_one_that_ended(self) -> None:
        lease, job = await self.running(1)
        await self.end(lease, job, "fail", delay_s=60)
        await self.queues.adjust("q", {"max_depth": 1})

        self.assertEqual("superseding", (await self.post(2)).outcome)

    async def test_a_suspect_ends_too(self) -> None:
        await self.post(1)
        for runner in ("w1", "w2"):
            await self.claimed(await self.lease(runner))
            await self.crash(runner)
        (suspect,) = self.states()
        self.assertEqual("1", self.field(suspect, "suspect"))

        second = await self.post(2)

        self.assertEqual({suspect: "cancelled", second.job_id: "ready"}, self.states())


class ThatRuns(ReplaceCase):
    async def test_the_new_one_waits_for_its_end_and_the_last_one_is_what_runs(self) -> None:
        lease, job = await self.running(1)

        second, third = await self.post(2), await self.post(3)

        self.assertEqual(("superseding", job.job_id), (second.outcome, second.superseded_id))
        self.assertEqual(("replaced", second.job_id), (third.outcome, third.job_id))
        self.assertEqual({job.job_id: "active", second.job_id: "blocked"}, self.states())
        (edge,) = (await self.record(second.job_id)).edges
        self.assertEqual((job.job_id, "e", "."), (edge.parent_id, edge.rule, edge.mark))
        self.assertEqual([], (await lease.claim(5)).jobs)
        self.assertEqual("completed", (await self.end(lease, job)).state)
        claimed = await self.claimed(lease)
        self.assertEqual((second.job_id, 3), (claimed.job_id, await self.n(claimed.job_id)))
        self.assertEqual("completed", (await self.end(lease, claimed)).state)

    async def test_however_it_ends_no_attempt_of_it_is_made_and_the_new_one_runs(self) -> None:
        ends: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("fail", {"delay_s": 0}, "cancelled"),
            ("fail", {"delay_s": None}, "dead"),
            ("snooze", {"delay_s": 0}, "cancelled"),
            ("release", {"is_begun": True}, "cancelled"),
            ("release", {"is_begun": False}, "cancelled"),
            ("finish", {}, "completed"),
        )
        for script, how, state in ends:
            with self.subTest(script, how=how):
                self.client.flushall()
                self.job_store.forget_names()
                lease, job = await self.running(1)
                second = await self.post(2)

                record = await self.end(lease, job, script, **how)

                self.assertEqual({job.job_id: state, second.job_id: "ready"}, self.states())
                if state == "cancelled":
                    assert record.error is not None
                    self.assertEqual(
                        ("superseded", f"the job {second.job_id} took its place"), tuple(record.error.values())[:2]
                    )
                    self.assertEqual(script == "fail", "cause" in record.error)
                    self.assertEqual("d", (await self.record(second.job_id)).edges[0].mark)

    async def test_a_runner_that_crashes_is_such_an_end(self) -> None:
        _, job = await self.running(1)
        second = await self.post(2)

        await self.crash("w")
        await self.job_store.notices.tell("q")

        self.assertEqual({job.job_id: "cancelled", second.job_id: "ready"}, self.states())

    async def test_a_person_who_cancels_it_has_cancelled_it(self) -> None:
        lease, job = await self.running(1)
        second = await self.post(2)
        await self.job_store.cancel(job.job_id)

        record = await self.end(lease, job, "fail", delay_s=5)

        self.assertEqual(("cancelled", "ValueError"), (record.state, (record.error or {})["type"]))
        self.assertEqual("k", (await self.record(second.job_id)).edges[0].mark)
        self.assertEqual("ready", await self.state(second.job_id))

    async def test_where_the_one_that_waits_was_cancelled_the_next_waits_for_the_one_that_runs(self) -> None:
        lease, job = await self.running(1)
        second = await self.post(2)
        await self.job_store.cancel(second.job_id)

        third = await self.post(3)

        self.assertEqual({job.job_id: "active", second.job_id: "cancelled", third.job_id: "blocked"}, self.states())
        self.assertEqual(("duplicate", third.job_id), (await self.post(4, mode="keep"))[1::-1])
        await self.end(lease, job)
        self.assertEqual("ready", await self.state(third.job_id))
        self.assertEqual("cancelled", await self.state(second.job_id))

    async def test_where_the_one_that_waits_is_deleted_too(self) -> None:
        _, job = await self.running(1)
        second = await self.post(2)
        await self.job_store.cancel(second.job_id)
        await self.job_store.delete(second.job_id)

        self.assertEqual(("duplicate", job.job_id), (await self.post(4, mode="keep"))[1::-1])
        self.assertEqual("blocked", await self.state((await self.post(3)).job_id))

    async def test_where_the_one_that_waits_expires_the_key_is_that_of_the_one_that_runs(self) -> None:
        _, job = await self.running(1)
        second = await self.post(2, expires_in_ms=1)
        await until(self._expired, "it has expired")

        self.assertEqual("dead", await self.state(second.job_id))
        third = await self.post(3)
        self.assertEqual(
            ("superseding", job.job_id, "blocked"), (*third[1:2], third.superseded_id, await self.state(third.job_id))
        )

    async def _expired(self) -> bool:
        await self.queues.upkeep.expire("q")
        return "dead" in self.states().values()

    async def test_one_of_another_group_waits_for_it_as_well(self) -> None:
        lease, job = await self.running(1, group="g")
        second, third = await self.post(2, group="h"), await self.post(3, group="i")

        self.assertEqual(("superseding", second.job_id), (third.outcome, third.superseded_id))
        self.assertEqual({job.job_id: "active", second.job_id: "cancelled", third.job_id: "blocked"}, self.states())
        await self.end(lease, job)
        self.assertEqual("ready", await self.state(third.job_id))

    async def test_a_delay_counts_from_when_it_is_free_and_a_time_holds(self) -> None:
        for options, waits_ms in (
            ({"delay_ms": HOUR_MS}, HOUR_MS),
            ({"run_at_ms": await self.now_ms() + DAY_MS}, DAY_MS),
        ):
            self.client.flushall()
            self.job_store.forget_names()
            lease, job = await self.running(1)
            second = await self.post(2, **options)

            await self.end(lease, job)

            record = await self.record(second.job_id)
            self.assertEqual("delayed", record.state)
            self.assertAlmostEqual(await self.now_ms() + waits_ms, record.run_at_ms or 0, delta=5000)

    async def test_one_that_was_superseded_is_run_again_only_when_the_key_is_free_and_is_as_new(self) -> None:
        lease, job = await self.running(1)
        second = await self.post(2)
        await self.end(lease, job, "fail", delay_s=0)
        with self.assertRaises(WrongState):
            await self.job_store.retry(job.job_id)
        await self.job_store.cancel(second.job_id)

        await self.job_store.retry(job.job_id)

        self.assertEqual(("ready", ""), (await self.state(job.job_id), self.field(job.job_id, "superseded")))
        again = await self.claimed(lease)
        await self.end(lease, again, "fail", delay_s=60)
        self.assertEqual("delayed", await self.state(job.job_id))

    async def test_the_one_that_waits_may_be_changed(self) -> None:
        lease, job = await self.running(1)
        second = await self.post(2)
        record = await self.record(second.job_id)
        assert record.spec is not None
        text = record.spec._replace(payload={"n": 7}, priority="high").to_text()

        await self.job_store.patch(second.job_id, lambda _: Revision(text, priority="high"))
        await self.end(lease, job)

        self.assertEqual(("ready", 7), (await self.state(second.job_id), await self.n(second.job_id)))
        self.assertEqual("replaced", (await self.post(8)).outcome)

    async def test_the_one_that_waits_and_takes_no_room_is_freed_in_a_queue_that_is_full_or_paused(self) -> None:
        lease, job = await self.running(1)
        await self.enqueue()
        await self.queues.adjust("q", {"max_depth": 1, "paused": True})
        second = await self.post(2)

        await self.end(lease, job)

        self.assertEqual("ready", await self.state(second.job_id))

    async def test_a_job_that_runs_may_ask_for_itself_again(self) -> None:
        lease, job = await self.running(1)
        once = await self.job_store.named_jobs.enqueue(job, "again", self.new(2), "request")

        again = await self.job_store.named_jobs.enqueue(job, "again", self.new(3), "request")

        self.assertEqual((once, "blocked", 2), (again, await self.state(once), await self.n(once)))
        await self.end(lease, job)
        self.assertEqual("ready", await self.state(once))

    async def test_an_end_of_whoever_waits_tells_its_own_followers(self) -> None:
        lease, job = await self.running(1)
        await self.end(lease, job, "fail", delay_s=60)
        self.client.hset(self.base + "followers", job.job_id, "q-x")

        await self.post(2)

        ((_, notice),) = self.client.xrange(self.base + "notices")
        self.assertEqual((b"d", b"q-x"), (notice[b"outcome"], notice[b"followers"]))
        self.client.delete(self.base + "notices")


class SentTwice(ReplaceCase):
    async def test_an_idempotency_key_is_answered_with_what_came_of_it(self) -> None:
        first = await self.post(1)
        keyed = {"idempotency_key": "caller x", "fingerprint": "f"}
        second = await self.post(2, **keyed)
        await self.post(3)

        again = await self.post(2, **keyed)

        self.assertEqual(("replaced", "replayed-replaced"), (second.outcome, again.outcome))
        self.assertEqual((first.job_id, 3), (again.job_id, await self.n(first.job_id)))

    async def test_so_is_that_of_one_that_waits_for_the_one_that_runs(self) -> None:
        await self.running(1)
        keyed = {"idempotency_key": "caller x", "fingerprint": "f"}
        second = await self.post(2, **keyed)

        again = await self.post(2, **keyed)

        self.assertEqual(("superseding", "replayed-new"), (second.outcome, again.outcome))
        self.assertEqual(second.job_id, again.job_id)

    async def test_200_posts_while_jobs_run_run_one_at_a_time_and_the_last_one_last(self) -> None:
        leases = [await self.lease(f"w{number}") for number in range(3)]
        ran: list[int] = []
        is_over = False

        async def run(lease: Lease) -> None:
            while not is_over:
                for job in (await lease.claim(2)).jobs:
                    self.assertEqual(1, list(self.states().values()).count("active"))
                    ran.append(await self.n(job.job_id))
                    script = ("finish", "fail", "snooze")[len(ran) % 3]
                    await self.end(lease, job, script, **({} if script == "finish" else {"delay_s": 60}))
                await asyncio.sleep(0)

        running = [asyncio.ensure_future(run(lease)) for lease in leases]
        for number in range(200):
            await self.post(number)
            if number % 7 == 0:
                await asyncio.sleep(0.002)

        async def has_run() -> bool:
            return ran[-1:] == [199]

        await until(has_run, "the last one runs")
        is_over = True
        await asyncio.gather(*running)

        self.assertEqual(sorted(ran), ran)
        self.assertGreater(len(ran), 3)


if __name__ == "__main__":
    unittest.main()
