"""Ends that are told to a callback_url: one webhook an end, whoever dies, and always with the same body."""

import asyncio
import json
import unittest
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.jobs.timestamps import timestamp
from lib.queue.end_webhooks import EndTold
from lib.queue.notices import AWAY_S, Notices
from lib.redis_link.link import RedisLink
from tests.redis.case import TRACE
from tests.redis.planting_case import RESULT
from tests.redis.test_notices import NoticesCase, WithReplicas
from tests.redis.test_once import FailsAt

URL = "https://api.example.com/done?job=1"


class CallbackCase(NoticesCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.ends_told: list[EndTold] = []

    def a_teller(self, link: RedisLink | None = None, **other: Any) -> Notices:
        def on_ends_told(told: Sequence[EndTold]) -> None:
            self.ends_told += told

        return super().a_teller(link, on_ends_told=on_ends_told, **other)

    def called_back(self, **other: Any) -> NewJob:
        """A new job of the queue "a" whose end is told."""
        job = self.job(queue="a", calls_back=True, **other)
        spec = JobSpec("noop", {"n": 7}, "order-4711", TRACE, 5, 60.0, Backoff(), callback_url=URL)
        return job._replace(spec_text=spec.to_text())

    async def ended(self, **other: Any) -> str:
        """The id of such a job, which has completed, and nobody was told."""
        job = self.called_back(**other)
        await self.job_store.enqueue(job)
        await self.end_all("a")
        return job.job_id

    def webhooks(self) -> dict[str, JobSpec]:
        """The webhooks that were queued, by their ids."""
        prefix = self.keys.base("webhook") + "job:"
        found = {key.decode().removeprefix(prefix): key for key in self.client.scan_iter(f"{prefix}*")}
        texts = {job_id: self.client.hget(key, "spec") or b"" for job_id, key in sorted(found.items())}
        return {job_id: JobSpec.from_text(text) for job_id, text in texts.items()}

    def events(self) -> list[tuple[str, str]]:
        """What the webhooks say, by the times of the ends: the job's id and the event."""
        bodies = sorted((spec.payload["body"] for spec in self.webhooks().values()), key=lambda body: body["timestamp"])
        return [(body["data"]["id"], body["type"]) for body in bodies]

    def followers(self) -> dict[bytes, bytes]:
        return dict(self.client.hgetall(self.keys.base("a") + "followers"))


class Told(CallbackCase):
    async def test_it_is_a_webhook_in_the_story_of_the_job(self) -> None:
        job_id = await self.ended()

        await self.a_teller().tell("a")

        ((webhook_id, spec),) = self.webhooks().items()
        self.assertEqual(
            ("webhook", "order-4711", TRACE.trace_id, job_id, "api.example.com:443"),
            (spec.type, spec.request_id, spec.trace.trace_id, spec.by, spec.group),
        )
        self.assertEqual(
            (URL, 18, 30, (30, 43200)), (spec.payload["url"], spec.max_attempts, spec.timeout_s, spec.backoff)
        )
        self.assertTrue(spec.payload["signed"])
        self.assertNotEqual(TRACE.span_id, spec.trace.span_id)
        (told,) = self.ends_told
        assert told.webhook is not None
        self.assertEqual((job_id, webhook_id, True), (told.end.job_id, told.webhook.job_id, told.is_new))
        self.assertEqual({}, self.left())
        self.assertEqual({}, self.followers())
        self.assertEqual({"ready"}, self.states_of([webhook_id]))

    async def test_a_job_without_callback_url_leaves_no_trace_of_one(self) -> None:
        job_id = await self.enqueue(queue="a")
        await self.end_all("a")

        self.assertFalse(self.client.exists(self.keys.base("a") + "followers", self.keys.notices("a")))
        self.assertIsNone(self.client.hget(f"{self.keys.base('a')}job:{job_id}", "followed"))

    async def test_two_tellers_at_once_queue_one_webhook_for_each_end(self) -> None:
        ids = [await self.ended() for _ in range(30)]

        await asyncio.gather(*(self.a_teller(self.a_link()).tell("a") for _ in range(4)))

        self.assertEqual(sorted(ids), sorted(job_id for job_id, _ in self.events()))
        self.assertEqual(30, sum(told.is_new for told in self.ends_told))

    async def test_followers_and_callback_are_told_of_one_end(self) -> None:
        job = self.called_back()
        await self.job_store.enqueue(job)
        graph = self.waiting_for(job.job_id)
        await self.job_store.workflows.plant(graph)
        await self.end_all("a")

        await self.a_teller().tell("a")

        self.assertEqual({"": "ready"}, self.ends(graph))
        self.assertEqual([(job.job_id, "job.completed")], self.events())
        record = await self.job_store.read(job.job_id)
        self.assertEqual((graph.anchor.job.job_id,), record.then)

    async def test_a_job_that_is_cancelled_while_it_waits_tells_it(self) -> None:
        job = self.called_back(delay_ms=60_000)
        await self.job_store.enqueue(job)
        await self.job_store.cancel(job.job_id)
        teller = self.a_teller()

        teller.attend([await self.job_store.read(job.job_id)])
        await teller.wait_until_idle()

        self.assertEqual([(job.job_id, "job.cancelled")], self.events())

    async def test_a_job_that_is_run_again_and_ends_again_calls_again(self) -> None:
        job_id = await self.ended()
        await self.a_teller().tell("a")
        await self.job_store.retry(job_id)
        await self.end_all("a")

        await self.a_teller().tell("a")

        self.assertEqual(2, len(self.webhooks()))
        self.assertEqual([(job_id, "job.completed")] * 2, self.events())

    async def test_the_body_holds_the_end_though_the_job_runs_again(self) -> None:
        job_id = await self.ended()
        finished_ms = (await self.job_store.read(job_id)).finished_ms
        await self.job_store.retry(job_id)

        await self.a_teller().tell("a")

        ((_, spec),) = self.webhooks().items()
        body = spec.payload["body"]
        self.assertEqual("job.completed", body["type"])
        self.assertEqual(("completed", json.loads(RESULT)), (body["data"]["state"], body["data"]["result"]))
        self.assertEqual([timestamp(finished_ms or 0)] * 2, [body["timestamp"], body["data"]["finished_at"]])

    async def test_the_body_holds_what_the_notice_knows_of_a_job_that_was_deleted(self) -> None:
        job_id = await self.ended()
        shown = await self.job_store.read(job_id)
        await self.job_store.delete(job_id)

        await self.a_teller().tell("a")

        ((_, spec),) = self.webhooks().items()
        data = spec.payload["body"]["data"]
        self.assertEqual(
            (job_id, "noop", "completed", None, True, json.loads(RESULT)),
            tuple(data[name] for name in ("id", "type", "state", "payload", "payload_truncated", "result")),
        )
        self.assertEqual(timestamp(shown.finished_ms or 0), data["finished_at"])

    async def test_a_record_that_is_not_kept_stays_for_hours_where_somebody_is_to_be_told(self) -> None:
        job_id = await self.ended(retain_ms=0)

        left_ms: Any = self.client.zscore(self.keys.base("a") + "fading", job_id)
        finished_ms = (await self.job_store.read(job_id)).finished_ms or 0
        self.assertEqual(3 * 3_600_000, left_ms - finished_ms)
        await self.a_teller().tell("a")

    async def test_one_that_nobody_can_read_is_lost_alone_and_it_is_told_why(self) -> None:
        broken, whole = await self.ended(), await self.ended()
        for entry_id, fields in self.client.xrange(self.keys.notices("a")):
            if fields[b"parent"].decode() == broken:
                self.client.xdel(self.keys.notices("a"), entry_id)
                self.client.xadd(self.keys.notices("a"), {**fields, b"head": b"{"})
        await self.job_store.delete(broken)

        await self.a_teller().tell("a")

        self.assertEqual([(whole, "job.completed")], self.events())
        (lost,) = [told for told in self.ends_told if told.webhook is None]
        self.assertEqual(broken, lost.end.job_id)
        self.assertIn("can't be read", lost.why)
        self.assertEqual({}, self.left())

    async def test_a_long_payload_is_left_out_of_the_body(self) -> None:
        job = self.called_back()
        spec = JobSpec.from_text(job.spec_text)._replace(payload={"text": "ü" * 140_000})
        await self.job_store.enqueue(job._replace(spec_text=spec.to_text()))
        await self.end_all("a")

        await self.a_teller().tell("a")

        ((_, webhook),) = self.webhooks().items()
        data = webhook.payload["body"]["data"]
        self.assertEqual((None, True, json.loads(RESULT)), (data["payload"], data["payload_truncated"], data["result"]))

    async def test_many_long_ones_go_in_several_calls(self) -> None:
        jobs = []
        for _ in range(10):
            job = self.called_back()
            spec = JobSpec.from_text(job.spec_text)._replace(payload={"text": "x" * 250_000})
            jobs.append(job._replace(spec_text=spec.to_text()))
            await self.job_store.enqueue(jobs[-1])
        while await self.end_all("a"):
            pass

        await self.a_teller().tell("a")

        self.assertEqual(sorted(job.job_id for job in jobs), sorted(job_id for job_id, _ in self.events()))


class BadDays(CallbackCase):
    async def test_a_teller_that_dies_anywhere_leaves_one_webhook_with_one_body(self) -> None:
        for is_sent in (False, True):
            for at in range(1, 20):
                self.empty()
                job_id = await self.ended()
                link = FailsAt(self.link, at, is_sent=is_sent, is_death=True)
                with suppress(RedisUnavailable):
                    await self.a_teller(link).tell("a")
                before = self.webhooks()
                self.client.hset(f"{self.keys.base('a')}job:{job_id}", "result", '"another"')

                self.now_s += AWAY_S + 1
                await self.a_teller().tell("a")

                self.assertEqual([(job_id, "job.completed")], self.events(), at)
                self.assertEqual({}, self.left())
                if before:
                    self.assertEqual(before, self.webhooks(), at)
                if link.calls < at:
                    break
            self.assertGreater(at, 4)

    async def test_a_lost_reply_is_no_second_webhook(self) -> None:
        for at in range(1, 20):
            self.empty()
            job_id = await self.ended()
            link = FailsAt(self.link, at, is_sent=True, is_death=False)
            teller = self.a_teller(link)
            for _ in range(2):
                with suppress(RedisUnavailable):
                    await teller.tell("a")
                self.now_s += AWAY_S + 1

            self.assertEqual([(job_id, "job.completed")], self.events(), at)
            self.assertEqual({}, self.left())

    async def test_a_broken_queue_of_webhooks_keeps_the_end_and_no_other_word(self) -> None:
        job = self.called_back()
        await self.job_store.enqueue(job)
        graph = self.waiting_for(job.job_id)
        await self.job_store.workflows.plant(graph)
        _, others = await self.followed("c")
        teller = self.a_teller()
        self.break_key("webhook", "all")

        await teller.tell("a")

        self.assertEqual({"ready"}, self.states_of([*others, graph.anchor.job.job_id]))
        self.assertIn(("webhook", "RedisKeysBroken"), self.faults)
        self.assertEqual({"a": 1}, self.left())
        self.mend_key("webhook", "all")
        self.now_s += AWAY_S + 1
        await teller.tell("a")
        self.assertEqual([(job.job_id, "job.completed")], self.events())
        self.assertEqual({}, self.left())

    async def test_a_full_queue_of_webhooks_takes_it_all_the_same(self) -> None:
        self.client.hset(self.keys.base("webhook") + "meta", "max_depth", "1")
        ids = [await self.ended() for _ in range(3)]

        await self.a_teller().tell("a")

        self.assertEqual(sorted(ids), sorted(job_id for job_id, _ in self.events()))

    async def test_a_queue_that_somebody_removed_is_named_again(self) -> None:
        teller = self.a_teller()
        await self.ended()
        await teller.tell("a")
        self.client.delete(self.keys.queues)
        self.client.delete(*self.client.scan_iter(self.keys.base("webhook") + "*"))

        await self.ended()
        await teller.tell("a")

        self.assertIn(b"webhook", self.client.smembers(self.keys.queues))
        self.client.sadd(self.keys.queues, "a")

    async def test_it_stays_until_a_replica_has_the_webhook(self) -> None:
        job_id = await self.ended()
        link = WithReplicas(self.link)
        teller = self.a_teller(link, ack_replicas=1)

        await teller.tell("a")
        self.assertEqual({"a": 1}, self.left())
        link.replicas = 1
        self.now_s += AWAY_S + 1
        await teller.tell("a")

        self.assertEqual({}, self.left())
        self.assertEqual([(job_id, "job.completed")], self.events())

    async def test_one_whose_place_another_takes_is_cancelled_and_says_so(self) -> None:
        held = self.called_back(unique_key="k")
        await self.job_store.enqueue(held)
        newer = self.job(queue="a", unique_key="k", unique_mode="replace")

        accepted = await self.job_store.enqueue(newer)
        await self.a_teller().tell("a")

        self.assertEqual(("superseding", held.job_id), (accepted.outcome, accepted.superseded_id))
        self.assertEqual([(held.job_id, "job.cancelled")], self.events())
        ((_, spec),) = self.webhooks().items()
        self.assertEqual("superseded", spec.payload["body"]["data"]["error"]["type"])

    async def test_one_that_would_be_refused_writes_nothing_of_itself(self) -> None:
        self.break_key("a", "followers")

        with self.assertRaises(RedisKeysBroken):
            await self.job_store.enqueue(self.called_back())

        self.assertEqual({}, self.states())
        self.mend_key("a", "followers")


class InGraphs(CallbackCase):
    async def test_a_workflow_and_its_members_each_tell_their_own_end(self) -> None:
        graph = self.workflow({"one": ("a", ""), "two": ("b", "cone"), "three": ("c", "ctwo")})
        spec = graph.anchor.spec._replace(callback_url=URL)
        anchor = graph.anchor._replace(
            spec=spec, job=graph.anchor.job._replace(spec_text=spec.to_text(), calls_back=True)
        )
        first = graph.members[0]
        spec = first.spec._replace(callback_url=URL)
        one = first._replace(spec=spec, job=first.job._replace(spec_text=spec.to_text(), calls_back=True))
        graph = graph._replace(anchor=anchor, members=(one, *graph.members[1:]))

        await self.job_store.workflows.plant(graph)
        await self.notices.wait_until_idle()
        await self.work(graph.members[1].job.job_id)

        self.assertEqual({"one": "completed", "two": "dead", "three": "cancelled", "": "dead"}, self.ends(graph))
        self.assertEqual({(one.job.job_id, "job.completed"), (anchor.job.job_id, "workflow.dead")}, set(self.events()))
        self.assertEqual((), (await self.job_store.read(anchor.job.job_id)).then)


if __name__ == "__main__":
    unittest.main()
