"""prod/clients/waybill.py against a live Waybill, against servers that answer what no good one does, and its fakes."""

import asyncio
import contextlib
import io
import json
import os
import pickle
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import unittest.mock
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from prod.clients import waybill as client
from prod.clients.waybill import AsyncFakeWaybill, AsyncWaybill, FakeWaybill, Waybill
from tests.private_redis import PrivateRedis
from tests.processes import JOB_MODULES, LIMIT_S, ROOT, Server, Worker
from tests.proxy import CUT_REPLY, PASS, Proxy, Request, Verdict
from tests.scripted_server import HANG_UP, Answer, Asked, ScriptedServer, answer, deaf_server
from tests.system.oracle import assert_sound, states

CLIENTS = ROOT / "prod" / "clients"
JOB: dict[str, Any] = {"id": "default-" + "0" * 32, "state": "ready"}
TAKEN = answer(202, body=JOB)
BUSY = answer(503, {"retry-after": "0"}, body={"type": "/problems/draining"})


def jobs(count: int, **options: Any) -> Iterator[dict[str, Any]]:
    """Jobs for a batch, one after the other."""
    for number in range(count):
        yield {"type": "noop", "payload": {"size": number}, **options}


class LiveCase(unittest.TestCase):
    """One Redis, server and worker for all of these."""

    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]
    worker: ClassVar[Worker]

    def setUp(self) -> None:
        self.waybill = self.enterContext(Waybill(self.server.url))
        self.queue = f"q{uuid.uuid4().hex[:12]}"
        """A queue of the test's own, which no worker serves."""

    def async_run(self, story: Callable[[AsyncWaybill], Awaitable[None]], **options: Any) -> None:
        async def run() -> None:
            async with AsyncWaybill(self.server.url, **options) as waybill:
                await story(waybill)

        asyncio.run(run())


def setUpModule() -> None:
    unittest.enterModuleContext(unittest.mock.patch.object(client, "FIRST_PAUSE_S", 0.02))
    LiveCase.redis = unittest.enterModuleContext(PrivateRedis())
    modules = f"{JOB_MODULES},lib.handlers.email"
    LiveCase.worker = unittest.enterModuleContext(Worker(LiveCase.redis.url, JOB_MODULES=modules))
    LiveCase.server = unittest.enterModuleContext(Server(LiveCase.redis.url, JOB_MODULES=modules))


class Operations(LiveCase):
    def test_a_job_goes_in_is_done_and_is_given_back(self) -> None:
        job = self.waybill.enqueue("echo", {"a": [1, "ü"]}, priority="high", max_attempts=2)
        done = self.waybill.wait(job.id, timeout_s=LIMIT_S)

        self.assertEqual(("completed", {"a": [1, "ü"]}, None), (done.state, done.result, done.error))
        self.assertEqual(("high", 2), (done["priority"], done["max_attempts"]))
        self.assertEqual(done, self.waybill.get(job.id))
        self.assertEqual("completed", self.waybill.enqueue("echo", {}, wait_s=20).state)

    def test_a_job_that_failed_while_it_was_waited_for_is_given_as_it_ended(self) -> None:
        job = self.waybill.enqueue("fail", {}, max_attempts=1, wait_s=20)

        self.assertEqual(("dead", "created"), (job.state, job["outcome"]))
        again = self.waybill.batch([{"type": "noop", "payload": {}, "idempotency_key": "twice"}] * 2)
        self.assertEqual(["created", "replayed"], sorted(str(item.outcome) for item in again))

    def test_the_same_without_threads_and_with_asyncio(self) -> None:
        async def story(waybill: AsyncWaybill) -> None:
            taken = await asyncio.gather(*[waybill.enqueue("echo", {"n": n}) for n in range(30)])
            done = await asyncio.gather(*[waybill.wait(job.id, timeout_s=LIMIT_S) for job in taken])
            self.assertEqual([{"n": n} for n in range(30)], [job.result for job in done])
            self.assertEqual(threads, threading.active_count())
            late = await waybill.enqueue("noop", {}, queue=self.queue, delay_s=600)
            del late["outcome"]
            self.assertEqual([late], [job async for job in waybill.list(queue=self.queue)])
            await waybill.cancel(late.id)
            await waybill.delete(late.id)
            with self.assertRaises(client.JobNotFound):
                await waybill.get(late.id)
            self.assertEqual("ok", (await waybill.health())["status"])

        threads = threading.active_count()
        self.async_run(story, connections=4)

    def test_who_waits_keeps_nobody_from_the_few_connections(self) -> None:
        async def story(waybill: AsyncWaybill) -> None:
            late = await waybill.enqueue("noop", {}, queue=self.queue, delay_s=600)
            waiting = asyncio.create_task(waybill.wait(late.id, timeout_s=LIMIT_S))
            await asyncio.sleep(0)  # By now it has asked, or is about to.
            self.assertEqual("cancelled", (await waybill.cancel(late.id)).state)
            self.assertEqual("cancelled", (await asyncio.wait_for(waiting, LIMIT_S / 2)).state)

        self.async_run(story, connections=1)

    def test_a_job_is_changed_cancelled_run_again_and_deleted(self) -> None:
        job = self.waybill.enqueue("noop", {}, queue=self.queue, delay_s=600)

        self.assertEqual("low", self.waybill.patch(job.id, priority="low")["priority"])
        self.assertEqual("cancelled", self.waybill.cancel(job.id).state)
        self.assertEqual("ready", self.waybill.retry(job.id).state)
        self.assertEqual("cancelled", self.waybill.cancel(job.id, force=True).state)
        self.assertIsNone(self.waybill.delete(job.id))
        with self.assertRaises(client.JobNotFound):
            self.waybill.get(job.id)

    def test_a_queue_is_paused_and_resumed_and_all_are_told(self) -> None:
        self.waybill.enqueue("noop", {}, queue=self.queue)

        self.assertIs(True, self.waybill.pause(self.queue)["paused"])
        self.assertIs(False, self.waybill.resume(self.queue)["paused"])
        self.assertIn(self.queue, [queue["name"] for queue in self.waybill.queues()])
        self.assertEqual(5, self.waybill.call("PATCH", f"/api/queues/{self.queue}", {"max_depth": 5})["max_depth"])

    def test_an_operation_without_a_method_of_its_own_is_called_by_its_path(self) -> None:
        job = self.waybill.enqueue("noop", {}, queue=self.queue)

        self.assertEqual("cancelled", self.waybill.call("POST", f"/api/jobs/{job.id}/cancel")["state"])
        self.assertEqual([], self.waybill.call("GET", f"/api/jobs/{job.id}/logs")["items"])
        self.assertIsNone(self.waybill.call("DELETE", f"/api/jobs/{job.id}"))
        for path in ("/api/jobs HTTP/1.1\r\nX-Evil: 1", "api/jobs", "/api/jobs?tag=ü"):
            for waybill in (self.waybill, AsyncWaybill(self.server.url)):
                with self.assertRaises(ValueError):
                    _done(waybill.call("GET", path))

    def test_a_list_goes_over_all_pages(self) -> None:
        taken = [self.waybill.enqueue("noop", {}, queue=self.queue).id for _ in range(7)]

        found = [job.id for job in self.waybill.list(queue=self.queue, state="ready", limit=3, type=None)]

        self.assertEqual(taken, found)

    def test_a_wait_that_is_over_gives_the_job_as_it_is(self) -> None:
        job = self.waybill.enqueue("noop", {}, queue=self.queue, delay_s=600)

        with self.assertRaises(client.WaitTimeout) as caught:
            self.waybill.wait(job.id, timeout_s=0.05)

        self.assertEqual("delayed", caught.exception.job.state)

    def test_ids_of_ones_own_go_with_the_job_and_what_is_none_is_left_out(self) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        named = self.waybill.within(request_id="order-4711", traceparent=f"00-{trace}-00f067aa0ba902b7-01")

        job = named.enqueue("noop", {}, queue=self.queue)
        other = self.waybill.within(request_id="a\r\nX-Evil: 1", traceparent="").enqueue("noop", {}, queue=self.queue)

        self.assertEqual(("order-4711", trace), (job["request_id"], job["trace_id"]))
        self.assertRegex(other["request_id"], r"^[0-9a-f-]{36}$")

    def test_threads_share_one_client(self) -> None:
        ids: list[str] = []

        def post() -> None:
            ids.extend(self.waybill.enqueue("noop", {}, queue=self.queue).id for _ in range(20))

        threads = [threading.Thread(target=post) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)

        self.assertEqual(160, len(set(ids)))
        self.assertLessEqual(set(ids), set(states(self.redis.client)))


class Batches(LiveCase):
    def test_2500_jobs_are_told_of_one_by_one_and_not_queued_twice(self) -> None:
        bad = [{**job, "type": "nobody"} if number == 1700 else job for number, job in enumerate(jobs(2500))]
        keyed = [{**job, "queue": self.queue, "idempotency_key": f"{self.queue}-{n}"} for n, job in enumerate(bad)]

        first = self.waybill.batch(keyed)
        again = self.waybill.batch(iter(keyed))

        self.assertEqual(list(range(2500)), [item.index for item in first])
        (refused,) = [item for item in first if item.problem]
        self.assertEqual((1700, 422, None), (refused.index, refused.status, refused.id))
        self.assertIsInstance(refused.problem, client.InvalidFields)
        self.assertEqual("/type", refused.problem.errors[0].pointer if refused.problem else "")
        self.assertEqual([item.id for item in first], [item.id for item in again])
        self.assertEqual(2499, self.ready())

    def ready(self) -> int:
        return int(self.waybill.call("GET", f"/api/queues/{self.queue}")["counts"]["ready"])

    def test_a_thousand_and_none_and_with_asyncio(self) -> None:
        async def story(waybill: AsyncWaybill) -> None:
            self.assertEqual([], await waybill.batch([]))
            self.assertEqual({202}, {item.status for item in await waybill.batch(jobs(1000, queue=self.queue))})
            self.assertEqual({202}, {item.status async for item in waybill.stream(jobs(1001, queue=self.queue))})

        self.async_run(story)

        self.assertEqual(2001, self.ready())

    def test_a_stream_sends_no_more_than_is_taken(self) -> None:
        endless = ({"type": "noop", "payload": {"text": "x" * 4000}, "queue": self.queue} for _ in iter(int, 1))

        with contextlib.closing(self.waybill.stream(endless)) as items:  # type: ignore[type-var]
            self.assertEqual(0, next(items).index)

        self.assertLess(self.ready(), 2000)

    def test_a_batch_that_is_refused_as_a_whole_raises(self) -> None:
        with self.assertRaises(client.NotFound):
            Waybill(self.server.url + "/elsewhere").batch(jobs(1))


class Problems(LiveCase):
    def test_each_kind_that_matters_is_a_class(self) -> None:
        late = self.waybill.enqueue("noop", {}, queue=self.queue, delay_s=600, idempotency_key=self.queue)
        cases: dict[type[client.Problem], Callable[[], object]] = {
            client.JobNotFound: lambda: self.waybill.get("default-" + "0" * 32),
            client.QueueNotFound: lambda: self.waybill.pause("nobodys"),
            client.NotFound: lambda: self.waybill.get("../../livez"),
            client.Conflict: lambda: self.waybill.delete(late.id),
            client.InvalidFields: lambda: self.waybill.enqueue("noop", {}, no_such_option=1),
            client.IdempotencyKeyReused: lambda: self.waybill.enqueue(
                "echo", {}, queue=self.queue, idempotency_key=self.queue
            ),
            client.Problem: lambda: self.waybill.enqueue("noop", {"text": "x" * (3 << 20)}),
        }
        for kind, call in cases.items():
            with self.subTest(kind), self.assertRaises(kind) as caught:
                call()
            self.assertTrue(caught.exception.detail and caught.exception.title and caught.exception.request_id)
            self.assertEqual(f"{caught.exception}", f"{pickle.loads(pickle.dumps(caught.exception))}")

        self.assertEqual((413, "payload-too-large"), (caught.exception.status, caught.exception.slug))

    def test_a_field_that_is_wrong_is_pointed_to(self) -> None:
        with self.assertRaises(client.InvalidFields) as caught:
            self.waybill.enqueue("noop", {"seconds": "soon"}, priority="highest")

        self.assertEqual(["/payload/seconds", "/priority"], sorted(fault.pointer for fault in caught.exception.errors))
        self.assertIn("/payload/seconds must be a number", str(caught.exception))

    def test_a_full_queue_says_when_to_come_back(self) -> None:
        self.waybill.enqueue("noop", {}, queue=self.queue)
        self.waybill.call("PATCH", f"/api/queues/{self.queue}", {"max_depth": 1})

        with self.assertRaises(client.QueueFull) as caught:
            Waybill(self.server.url, tries=1).enqueue("noop", {}, queue=self.queue)
        (item,) = Waybill(self.server.url, total_s=0.1).batch(jobs(1, queue=self.queue))

        self.assertGreater(caught.exception.retry_after_s or 0, 0)
        self.assertIsInstance(item.problem, client.QueueFull)


class BrokenLinks(LiveCase):
    def test_requests_go_over_one_connection_and_a_server_that_closed_it_is_dialled_anew(self) -> None:
        connections: list[int] = []

        def judge(request: Request) -> Verdict:
            connections.append(request.connection)
            return PASS

        with Proxy(self.server.url, framing="bytes", tcp=True, judge=judge) as proxy:
            waybill = Waybill(proxy.url)
            for _ in range(10):
                waybill.enqueue("noop", {}, queue=self.queue)
            self.assertEqual({1}, set(connections))
            proxy.cut_all()
            waybill.enqueue("noop", {}, queue=self.queue)

        self.assertEqual({1, 2}, set(connections))

    def test_a_forked_process_dials_anew(self) -> None:
        with ScriptedServer(TAKEN, TAKEN, TAKEN) as server:
            waybill = Waybill(server.url)
            waybill.enqueue("email", {})
            child = os.fork()
            if not child:
                with contextlib.suppress(BaseException):
                    waybill.enqueue("email", {})
                os._exit(0)
            os.waitpid(child, 0)
            waybill.enqueue("email", {})

        first, forked, last = [request.connection for request in server.asked]
        self.assertEqual((True, False), (first == last, first == forked))

    def test_a_reply_that_was_lost_makes_one_job(self) -> None:
        is_cut: list[bool] = []

        def judge(request: Request) -> Verdict:
            is_cut.append(request.words[0].startswith(b"POST") and not any(is_cut))
            return CUT_REPLY if is_cut[-1] else PASS

        async def story(url: str) -> None:
            async with AsyncWaybill(url) as waybill:
                await waybill.enqueue("noop", {}, queue=self.queue)

        with Proxy(self.server.url, framing="bytes", tcp=True, judge=judge) as proxy:
            Waybill(proxy.url).enqueue("noop", {}, queue=self.queue)
            is_cut.clear()
            asyncio.run(story(proxy.url))
            is_cut.clear()
            Waybill(proxy.url).batch(jobs(3, queue=self.queue))

        self.assertEqual(5, len([*self.waybill.list(queue=self.queue)]))

    def test_a_server_killed_before_its_reply_and_back_again_has_one_job(self) -> None:
        server = self.enterContext(Server(self.redis.url))
        killed = threading.Event()

        def judge(request: Request) -> Verdict:
            return PASS if killed.is_set() else Verdict("cut_reply", kill)

        def kill() -> None:
            server.kill()
            killed.set()

        with Proxy(server.url, framing="bytes", tcp=True, judge=judge) as proxy:
            found: list[client.Job] = []
            patient = Waybill(proxy.url, tries=1000, total_s=LIMIT_S)
            asking = threading.Thread(target=lambda: found.append(patient.enqueue("noop", {}, queue=self.queue)))
            asking.start()
            self.assertTrue(killed.wait(LIMIT_S))
            proxy.target = self.server.url
            asking.join(LIMIT_S)

        self.assertEqual("replayed", found[0].pop("outcome"))
        self.assertEqual(found, [*self.waybill.list(queue=self.queue)])

    def tearDown(self) -> None:
        assert_sound(self.redis.client)


class Tries(unittest.TestCase):
    """Against servers that answer as they are told to; what holds for Waybill holds for AsyncWaybill."""

    def on_both(self, *answers: Answer, fault: type[Exception] | None = None, **options: Any) -> list[list[Asked]]:
        """Enqueues with each client: gives what the server was asked by both."""

        async def enqueue(url: str) -> None:
            async with AsyncWaybill(url, **options) as waybill:
                await waybill.enqueue("email", {})

        def asked(call: Callable[[str], Any]) -> list[Asked]:
            refused = self.assertRaises(fault) if fault else contextlib.nullcontext()
            with ScriptedServer(*answers) as server, refused:
                call(server.url)
            return server.asked

        calls = (lambda url: Waybill(url, **options).enqueue("email", {}), lambda url: asyncio.run(enqueue(url)))
        with ThreadPoolExecutor() as threads:
            return [*threads.map(asked, calls)]

    def test_a_retry_after_is_obeyed(self) -> None:
        busy = answer(503, {"retry-after": "1"}, body={"type": "/problems/redis-unavailable"})

        for first, second in self.on_both(busy, TAKEN):
            self.assertGreaterEqual(second.at_s - first.at_s, 1.0)

    def test_one_that_is_longer_than_the_patience_is_told_at_once(self) -> None:
        for asked in self.on_both(answer(429, {"retry-after": "3600"}), fault=client.TooManyRequests):
            self.assertEqual(1, len(asked))

    def test_all_tries_are_one_request_to_the_service(self) -> None:
        html = answer(502, {"content-type": "text/html"}, body=b"<h1>Bad Gateway</h1>")

        for asked in self.on_both(BUSY, HANG_UP, html, TAKEN):
            self.assertEqual(4, len(asked))
            for name in ("idempotency-key", "x-request-id"):
                self.assertEqual(1, len({request.headers[name] for request in asked}), name)
            self.assertEqual(1, len({request.body for request in asked}))

    def test_tries_are_bounded_and_what_no_try_betters_is_not_tried_again(self) -> None:
        for asked in self.on_both(*[BUSY] * 9, fault=client.Unavailable, tries=3):
            self.assertEqual(3, len(asked))
        for status in (400, 401, 403, 404, 409, 422, 500):
            for asked in self.on_both(answer(status), fault=client.Problem):
                self.assertEqual(1, len(asked), status)

    def test_what_has_no_key_is_sent_again_only_where_nothing_was_done(self) -> None:
        unknown = answer(503, {"retry-after": "0"}, body={"type": "/problems/outcome-unknown"})
        calls: list[Callable[[Waybill], Any]] = [lambda w: w.retry("a"), lambda w: w.call("POST", "/api/x", {})]
        again, never = [BUSY, answer(429)], [unknown, HANG_UP, answer(502), answer(503)]
        for first in again + never:
            refused = self.assertRaises(client.WaybillError) if first in never else contextlib.nullcontext()
            for call in calls:
                with ScriptedServer(first, answer(200, body=JOB)) as server, refused:
                    call(Waybill(server.url))
                self.assertEqual(2 if first in again else 1, len(server.asked), first)

    def test_no_server_is_told_with_the_id_and_that_nothing_was_sent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = "http://127.0.0.1:{1}".format(*listening.getsockname())
            waiting = Waybill(url, timeout_s=0.05, tries=2)

            with self.assertRaises(client.NotReached) as silent:
                waiting.within(request_id="mine").get("a")
            began_s = time.monotonic()
            with self.assertRaises(client.NotReached):
                Waybill(url, timeout_s=60, total_s=0.1).get("a")
            self.assertLess(time.monotonic() - began_s, 20, "a try is cut off not long after the end of all")
        with socket.socket() as taken, self.assertRaises(client.NotReached) as refused:
            taken.bind(("127.0.0.1", 0))
            Waybill("http://127.0.0.1:{1}".format(*taken.getsockname()), tries=2).cancel("a")

        self.assertEqual(("mine", True), (silent.exception.request_id, silent.exception.is_sent))
        self.assertIs(False, refused.exception.is_sent)

    def test_a_wait_outlasts_an_outage(self) -> None:
        done = answer(200, body={**JOB, "state": "completed"})
        with ScriptedServer(BUSY, HANG_UP, BUSY, answer(200, body=JOB), done) as server:
            self.assertEqual("completed", Waybill(server.url, tries=1).wait("a", timeout_s=LIMIT_S).state)

    def test_jobs_of_a_batch_that_met_an_outage_are_sent_again(self) -> None:
        problem = {"type": "/problems/redis-unavailable", "status": 503}
        first = {"index": 0, "status": 202, "id": "a"}
        partly = [first, {"index": 1, "status": 503, "problem": problem}]
        early = [first, {"index": 1, "status": 503, "problem": problem, "ended_early": True}]
        whole = [first, {"index": 1, "status": 202, "id": "b"}]
        for broken in (partly, early, [first], []):
            answers = [answer(200, body={"items": items}) for items in (broken, whole)]
            alone: dict[str, Any] = {"tries": 1}
            for options, count in (({}, 2), (alone, 1)):
                with self.subTest(broken=broken, **options), ScriptedServer(*answers) as server:
                    items, fault = [], None
                    try:
                        for item in Waybill(server.url, **options).stream(jobs(2)):
                            items.append(item)
                    except client.WaybillError as raised:
                        fault = raised
                self.assertEqual(count, len(server.asked))
                told = [item.status for item in items]
                if count == 2:
                    self.assertEqual(([202, 202], None), (told, fault))
                elif broken is partly:
                    self.assertEqual(([202, 503], None), (told, fault))
                else:
                    self.assertEqual([202] * bool(broken), told)
                    self.assertIsInstance(fault, client.Unavailable if broken is early else client.NotReached)

    def test_an_answer_that_is_none_of_waybills_is_a_typed_error(self) -> None:
        odd: list[tuple[Answer, type[client.WaybillError]]] = [
            (answer(200, {"content-type": "text/html"}, body=b"<p>Log in"), client.NotWaybill),
            (answer(200, body=b"{"), client.NotWaybill),
            (answer(200, body=[1]), client.NotWaybill),
            (answer(302, {"location": "/login"}), client.Problem),
            (answer(400, body=["x"]), client.Problem),
            (answer(422, body={"type": 7, "errors": [3, {"pointer": 4}], "detail": None}), client.InvalidFields),
            (answer(418, body={"type": "/problems/of-a-later-version", "detail": "new"}), client.Problem),
            (answer(503, {"retry-after": "soon"}), client.Unavailable),
            (answer(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), client.Unavailable),
        ]
        for told, kind in odd:
            for asked in self.on_both(told, fault=kind, tries=1):
                self.assertEqual(1, len(asked))

    def test_an_answer_that_comes_before_all_is_sent_is_read(self) -> None:
        told = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        payload = {"text": "x" * (8 << 20)}

        with deaf_server(told) as url:
            for waybill in (Waybill(url, tries=1), AsyncWaybill(url, tries=1)):
                with self.assertRaises(client.Problem) as caught:
                    _done(waybill.enqueue("email", payload))
                self.assertEqual(413, caught.exception.status)

    def test_a_health_that_is_not_good_is_told_and_not_raised(self) -> None:
        told = answer(503, {"content-type": "application/json", "retry-after": "2"}, body={"status": "unavailable"})
        with ScriptedServer(told) as server:
            self.assertEqual("unavailable", Waybill(server.url).health()["status"])

    def test_a_key_is_sent_and_in_no_error(self) -> None:
        with ScriptedServer(TAKEN) as server:
            Waybill(server.url, key="wb_a_b\n").enqueue("email", {})
        with ScriptedServer(TAKEN) as keyless:
            Waybill(keyless.url, key="").enqueue("email", {})
        self.assertEqual("Bearer wb_a_b", server.asked[0].headers["authorization"])
        self.assertNotIn("authorization", keyless.asked[0].headers)

        for arguments in (("http://localhost", "wb_\r\nsecret"), ("http://user:secret@localhost",), ("ftp://secret",)):
            with self.assertRaises(ValueError) as caught:
                Waybill(*arguments)
            self.assertNotIn("secret", str(caught.exception))

    def test_a_connection_that_the_server_closes_is_not_used_again(self) -> None:
        async def story(url: str) -> None:
            async with AsyncWaybill(url, tries=1) as waybill:
                for _ in range(2):
                    await waybill.enqueue("email", {})

        closing = answer(202, {"connection": "close"}, body=JOB)
        with ScriptedServer(closing, TAKEN) as server, Waybill(server.url, tries=1) as waybill:
            for _ in range(2):
                waybill.enqueue("email", {})
        with ScriptedServer(closing, TAKEN) as server:
            asyncio.run(story(server.url))

    def test_a_client_goes_from_loop_to_loop(self) -> None:
        with ScriptedServer(TAKEN, TAKEN) as server:
            waybill = AsyncWaybill(server.url)
            for _ in range(2):
                asyncio.run(_enqueued(waybill))

        self.assertEqual(2, len({request.connection for request in server.asked}))

    def test_a_call_that_is_cancelled_leaves_no_half_read_connection(self) -> None:
        async def story(url: str) -> None:
            async with AsyncWaybill(url) as waybill:
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(waybill.enqueue("email", {}), 0.05)
                silent.set()
                self.assertEqual("b", (await waybill.enqueue("email", {})).id)

        silent = threading.Event()

        def judge(request: Request) -> Verdict:
            return PASS if silent.is_set() else Verdict("swallow_reply")

        server = self.enterContext(ScriptedServer(answer(202, body={"id": "a"}), answer(202, body={"id": "b"})))
        with Proxy(server.url, framing="bytes", tcp=True, judge=judge) as proxy:
            asyncio.run(story(proxy.url))

    def test_a_certificate_is_looked_at(self) -> None:
        tls, trusting = own_certificate(self)

        with ScriptedServer(TAKEN, TAKEN, tls=tls) as server:
            for waybill in (Waybill(server.url, tries=1000), AsyncWaybill(server.url, tries=1000)):
                began_s = time.monotonic()
                with self.assertRaises(client.NotReached) as caught:
                    _done(waybill.enqueue("email", {}))
                self.assertIn("CERTIFICATE_VERIFY_FAILED", str(caught.exception))
                self.assertLess(time.monotonic() - began_s, 20.0, "it gets no better by being tried again")
            self.assertEqual(JOB, Waybill(server.url, tls=trusting).enqueue("email", {}))
            self.assertEqual(JOB, asyncio.run(_enqueued(AsyncWaybill(server.url, tls=trusting))))


def own_certificate(case: unittest.TestCase) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate that nobody knows, and a client's that trusts it."""
    if not shutil.which("openssl"):
        case.skipTest("openssl is not installed here")
    folder = Path(case.enterContext(tempfile.TemporaryDirectory(prefix="wb-tls-")))
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a -keyout k -out c -addext"
    subprocess.run(
        ["openssl", *words.split(), "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "c", folder / "k")
    return tls, ssl.create_default_context(cafile=folder / "c")


class Fakes(LiveCase):
    """What an application's tests use in place of a server."""

    def both(self, call: Callable[[Waybill], Any]) -> tuple[Any, Any]:
        """What a call gives on the service and on the fake: a state, or the kind of fault and where it points to."""
        return tuple(self.outcome(call, waybill) for waybill in (self.waybill, self.fake))

    def outcome(self, call: Callable[[Waybill], Any], waybill: Waybill) -> Any:
        try:
            found = call(waybill)
        except client.Problem as problem:
            return type(problem), problem.slug, sorted({"/".join(f.pointer.split("/")[:2]) for f in problem.errors})
        return found.state if isinstance(found, client.Job) else found

    def setUp(self) -> None:
        super().setUp()
        self.fake = FakeWaybill()

    def enqueue(self, **fields: Any) -> Callable[[Waybill], Any]:
        options: dict[str, Any] = {"type": "noop", "payload": {}, "queue": self.queue, **fields}
        return lambda waybill: waybill.enqueue(**options)

    def test_they_take_and_refuse_what_the_service_does(self) -> None:
        right: list[dict[str, Any]] = [{}, {"delay_s": 600}, {"delay_s": 0}, {"timeout_s": 0.5}]
        right += [{"run_at": "2031-01-06T08:00:00+01:00"}, {"run_at": "2031-01-06T08:00:00Z", "delay_s": 0}]
        right += [{"max_attempts": 1.0}, {"priority": None, "unique": None}]
        right += [{"backoff": {}}, {"unique": {"key": "a", "ttl_s": 9}}, {"retain_s": 0}, {"expires_in_s": 1}]
        right += [{"group": "tenant-42", "tags": ["eu", "a/b"]}, {"tags": []}]
        wrong: list[dict[str, Any]] = [{"group": ""}, {"group": "a b"}, {"tags": "eu"}, {"tags": ["-"]}, {"tags": [1]}]
        wrong += [{"payload": []}, {"type": 3}, {"queue": "No"}, {"priority": "urgent"}, {"x": 1}]
        wrong += [{"delay_s": -1}, {"delay_s": True}, {"delay_s": "1"}, {"run_at": "tomorrow"}, {"max_attempts": 0}]
        wrong += [{"max_attempts": 1.5}, {"timeout_s": 0}, {"expires_in_s": 0}, {"unique": "a"}, {"unique": {}}]
        wrong += [{"backoff": {"x": 1}}, {"retain_s": -1}, {"x": 1, "priority": 2}, {"delay_s": 4e8}]
        wrong += [{"delay_s": 1, "run_at": "2031-01-06T08:00:00Z"}, {"idempotency_key": "a b"}]
        for fields in right + wrong:
            with self.subTest(fields):
                live, fake = self.both(self.enqueue(**fields))
                self.assertEqual(live, fake)
                self.assertEqual(fields in right, isinstance(live, str))

    def test_their_jobs_live_as_the_services_do(self) -> None:
        steps: list[Callable[[Waybill], Any]] = [
            self.enqueue(unique={"key": "u"}, delay_s=600),
            lambda waybill: self.first(waybill).state,
            self.enqueue(unique={"key": "u"}),
            lambda waybill: len([*waybill.list(queue=self.queue)]),
            lambda waybill: waybill.delete(self.first(waybill).id),
            lambda waybill: waybill.retry(self.first(waybill).id),
            lambda waybill: waybill.patch(self.first(waybill).id, priority="high")["priority"],
            lambda waybill: waybill.patch(self.first(waybill).id, tags=["eu"])["tags"],
            lambda waybill: waybill.patch(self.first(waybill).id, queue="a"),
            lambda waybill: waybill.cancel(self.first(waybill).id),
            lambda waybill: waybill.cancel(self.first(waybill).id),
            lambda waybill: waybill.patch(self.first(waybill).id, priority="low"),
            self.enqueue(unique={"key": "u"}),
            lambda waybill: waybill.retry(self.first(waybill, state="cancelled").id),
            lambda waybill: waybill.delete(self.first(waybill, state="cancelled").id),
            self.enqueue(idempotency_key=self.queue, delay_s=600),
            self.enqueue(idempotency_key=self.queue, delay_s=600),
            self.enqueue(idempotency_key=self.queue),
            lambda waybill: [item.status for item in waybill.batch([*jobs(2, queue=self.queue), {"payload": 3}])],
            lambda waybill: [item.status for item in waybill.batch(jobs(1001, queue=self.queue))][999:],
            lambda waybill: len([*waybill.list(queue=self.queue, limit=200)]),
            lambda waybill: waybill.pause(self.queue)["paused"],
            lambda waybill: [queue["counts"]["ready"] for queue in waybill.queues() if queue["name"] == self.queue],
            lambda waybill: waybill.pause("nobodys"),
            lambda waybill: waybill.get("default-" + "0" * 32),
            lambda waybill: waybill.call("GET", "/api/nothing"),
        ]
        for number, step in enumerate(steps):
            live, fake = self.both(step)
            self.assertEqual(live, fake, f"step {number}")

    def first(self, waybill: Waybill, **filters: Any) -> client.Job:
        return [*waybill.list(queue=self.queue, **filters)][-1]

    def test_what_was_enqueued_is_seen_and_its_handlers_run(self) -> None:
        sent: list[Any] = []

        def sign_up(waybill: Waybill) -> None:
            waybill.within(request_id="r").enqueue("email", {"to": "ada"}, delay_s=60)
            waybill.batch([{"type": "report", "payload": {"n": n}} for n in range(2)])

        async def report(payload: Any) -> Any:
            return payload["n"] + 1

        sign_up(self.fake)
        done = self.fake.run({"email": sent.append, "report": report})

        self.assertEqual([{"to": "ada"}], [job["payload"] for job in self.fake.enqueued("email")])
        self.assertEqual("r", self.fake.jobs[0]["request_id"])
        self.assertEqual(([{"to": "ada"}], [None, 1, 2]), (sent, [job.result for job in done]))
        self.assertEqual({"completed"}, {self.fake.get(job.id).state for job in done})

    def test_a_wait_runs_the_fakes_own_handlers_and_does_not_wait_where_there_are_none(self) -> None:
        fake = FakeWaybill({"double": lambda payload: payload["n"] * 2, "bad": lambda payload: payload["n"] * 2})

        self.assertEqual(6, fake.wait(fake.enqueue("double", {"n": 3}).id).result)
        self.assertEqual(("dead", "KeyError"), self.ended(fake.wait(fake.enqueue("bad", {}).id)))
        with self.assertRaises(client.WaitTimeout):
            fake.wait(fake.enqueue("other", {}).id, timeout_s=3600)

    def ended(self, job: client.Job) -> tuple[Any, Any]:
        return job.state, (job.error or {}).get("type")

    def test_what_a_handler_raises_is_raised_and_a_job_ends_as_it_is_told_to(self) -> None:
        bad, good = self.fake.enqueue("bad", {}), self.fake.enqueue("other", {})

        with self.assertRaises(KeyError):
            self.fake.run({"bad": lambda payload: payload["n"]})
        self.fake.finish(good.id, {"n": 1})

        self.assertEqual(("dead", "KeyError"), self.ended(self.fake.get(bad.id)))
        self.assertEqual({"n": 1}, self.fake.wait(good.id).result)
        self.assertEqual("dead", self.fake.fail(good.id, ValueError("no")).state)

    def test_calls_fail_where_they_are_told_to(self) -> None:
        self.fake.break_with(client.NotReached("down", is_sent=False))
        with self.assertRaises(client.NotReached):
            self.fake.enqueue("email", {})
        self.fake.break_with(None)

        self.assertEqual("ready", self.fake.enqueue("email", {}).state)

    def test_an_option_of_a_later_waybill_can_be_told_to_it(self) -> None:
        self.assertEqual(["a"], FakeWaybill(more_options=["tags"]).enqueue("email", {}, tags=["a"])["tags"])

    def test_the_async_one_does_the_same(self) -> None:
        async def double(payload: Any) -> Any:
            return payload["n"] * 2

        async def story() -> None:
            fake = AsyncFakeWaybill({"double": double})
            job = await fake.enqueue("double", {"n": 2}, delay_s=60)
            self.assertEqual(4, (await fake.wait(job.id)).result)
            self.assertEqual([202] * 3, [item.status for item in await fake.batch(jobs(3))])
            self.assertEqual(4, len([job async for job in fake.list(limit=2)]))
            with self.assertRaises(KeyError):
                await fake.run({"noop": lambda payload: payload["n"]})

        asyncio.run(story())


class Copied(LiveCase):
    """The file stands alone, in an application that has a package `lib` of its own."""

    def test_it_imports_nothing_of_waybill(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="wb-app-")))
        shutil.copy(CLIENTS / "waybill.py", folder)
        (folder / "lib").mkdir()
        (folder / "lib" / "__init__.py").write_text("OWN = 1\n")
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); import lib, waybill\n"
            "job = waybill.Waybill(sys.argv[2]).enqueue('echo', {'own': lib.OWN}, wait_s=20)\n"
            "print(job.result, sorted(m for m in sys.modules if m.partition('.')[0] in ('lib', 'redis', 'prod')))"
        )

        said = subprocess.run(
            [sys.executable, "-I", "-W", "error", "-c", code, str(folder), self.server.url],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

        self.assertEqual("{'own': 1} ['lib']\n", said.stdout, said.stderr)

    def said(self, code: str) -> str:
        """What Python code prints that was written for an application: the file is at hand, and an outbox."""
        code = code.replace("from waybill import", "from prod.clients.waybill import")
        for url in ("https://waybill.example.com", "http://127.0.0.1:8000"):
            code = code.replace(url, self.server.url)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), unittest.mock.patch.dict(os.environ, WAYBILL_KEY="wb_a_b"):
            exec(code, {"os": os})
        return said.getvalue()

    def test_the_examples_of_its_docstring_work(self) -> None:
        text = (client.__doc__ or "").replace('"report", "payload": {"page": n}', '"noop", "payload": {"size": n}')
        examples = re.findall(r"^((?:    .*\n|\n)+)", text, re.MULTILINE)

        said = self.said("".join(map(textwrap.dedent, examples)).replace("delay_s=60", "delay_s=0"))

        self.assertRegex(said, r"^email-[0-9a-f]{32} completed\n$")

    def test_the_examples_of_the_readmes_work(self) -> None:
        readme, page = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "prod/clients/README.md"))
        (short,), (usual, fake) = (re.findall(r"^```py\n(.*?)^```$", text, re.DOTALL | re.M) for text in (readme, page))

        self.assertEqual("completed\n", self.said(short.replace("delay_s=1", "delay_s=0")))
        self.assertEqual("completed\n", self.said(usual))
        self.assertEqual("", self.said(fake))

    @unittest.skipUnless(shutil.which("node"), "node is not installed here")
    def test_nodes_example_works(self) -> None:
        page = (CLIENTS / "README.md").read_text(encoding="utf-8")
        (code,) = re.findall(r"^```js\n(.*?)^```$", page, re.DOTALL | re.M)
        code = code.replace("http://127.0.0.1:8000", self.server.url)

        words = ["node", "--input-type=module", "-e", code]
        done = subprocess.run(words, cwd=CLIENTS, capture_output=True, text=True, timeout=LIMIT_S)

        self.assertEqual("completed\n", done.stdout, done.stderr)


@unittest.skipUnless(shutil.which("node"), "node is not installed here")
class Node(LiveCase):
    """prod/clients/waybill.mjs: the same, by stories that Node runs, many at once, for its start takes longest."""

    def tell(self, *stories: Sequence[str]) -> None:
        """Each story: its name and its arguments."""
        words = ["node", str(ROOT / "tests" / "system" / "clients.mjs"), json.dumps(stories)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=2 * LIMIT_S)
        self.assertEqual((0, f"{len(stories)} held\n"), (done.returncode, done.stdout), done.stderr)

    def told(self, *stories: tuple[Sequence[str], Sequence[Answer]]) -> list[list[Asked]]:
        """Each story is told of a server that answers as listed behind it. Gives what each was asked."""
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(ScriptedServer(*answers)) for _, answers in stories]
            words = [(story[0], server.url, *story[1:]) for (story, _), server in zip(stories, servers, strict=True)]
            self.tell(*words)
        return [server.asked for server in servers]

    def test_operations_batches_problems_and_the_fake(self) -> None:
        names = ("live", "batch", "problems", "fake", "fake_runs")

        self.tell(*[(name, self.server.url, f"{self.queue}-{name}") for name in names])

    def test_a_reply_that_was_lost_makes_one_job(self) -> None:
        is_cut: list[bool] = []

        def judge(request: Request) -> Verdict:
            is_cut.append(request.words[0].startswith(b"POST") and not any(is_cut))
            return CUT_REPLY if is_cut[-1] else PASS

        with Proxy(self.server.url, framing="bytes", tcp=True, judge=judge) as proxy:
            self.tell(("enqueue", proxy.url, self.queue))

        self.assertIn(True, is_cut)
        self.assertEqual(1, len([*self.waybill.list(queue=self.queue)]))

    def test_tries_are_bounded_have_one_key_and_obey_a_retry_after(self) -> None:
        html = answer(502, {"content-type": "text/html"}, body=b"<h1>Bad Gateway</h1>")
        slow = answer(503, {"retry-after": "1"}, body={"type": "/problems/redis-unavailable"})

        asked, bounded, patient = self.told(
            (("answered", JOB["id"], '{"key": "wb_a_b\\n"}'), [slow, HANG_UP, html, TAKEN]),
            (("answered", "Unavailable", '{"tries": 3}'), [BUSY] * 9),
            (("answered", "TooManyRequests"), [answer(429, {"retry-after": "3600"})]),
        )

        self.assertEqual((4, 3, 1), (len(asked), len(bounded), len(patient)))
        self.assertGreaterEqual(asked[1].at_s - asked[0].at_s, 1.0)
        for field in ("idempotency-key", "x-request-id"):
            self.assertEqual(1, len({request.headers[field] for request in asked}), field)
        self.assertEqual("Bearer wb_a_b", asked[0].headers["authorization"])

    def test_what_no_try_betters_and_what_is_none_of_waybills_is_typed(self) -> None:
        odd = [
            ("Problem", answer(500)),
            ("KeyRefused", answer(401)),
            ("NotWaybill", answer(200, {"content-type": "text/html"}, body=b"<p>Log in")),
            ("NotWaybill", answer(200, body=b"{")),
            ("NotWaybill", answer(200, body=[1])),
            ("Problem", answer(302, {"location": "/login"})),
            ("InvalidFields", answer(422, body={"type": 7, "errors": [3, {"pointer": 4}], "detail": None})),
            ("Problem", answer(418, body={"type": "/problems/of-a-later-version"})),
        ]

        asked = self.told(*[(("answered", name), [told]) for name, told in odd])

        self.assertEqual([1] * len(odd), list(map(len, asked)))

    def test_what_has_no_key_is_sent_again_only_where_nothing_was_done(self) -> None:
        busy, hung, broken, unknown = self.told(
            (("without_key", JOB["id"]), [BUSY, TAKEN]),
            (("without_key", "NotReached"), [HANG_UP, TAKEN]),
            (("without_key", "Problem"), [answer(502), TAKEN]),
            (("without_key", "Unavailable"), [answer(503), TAKEN]),
        )

        self.assertEqual((2, 1, 1, 1), (len(busy), len(hung), len(broken), len(unknown)))

    def test_an_outage_is_outlasted_by_a_wait_and_by_a_batch(self) -> None:
        done = answer(200, body={**JOB, "state": "completed"})
        problem = {"type": "/problems/redis-unavailable", "status": 503}
        first, again = {"index": 0, "status": 202, "id": "a"}, {"index": 1, "status": 503, "problem": problem}
        early = {**again, "ended_early": True}
        stories: list[tuple[Sequence[str], Sequence[Answer]]] = [
            (("wait",), [BUSY, HANG_UP, answer(200, body=JOB), done])
        ]
        for broken, told in (([first, again], "503"), ([first, early], '"Unavailable"'), ([first], '"NotReached"')):
            answers = [answer(200, body={"items": items}) for items in (broken, [first, first])]
            stories.append((("stream", "[202, 202]"), answers))
            stories.append((("stream", f"[202, {told}]", '{"tries": 1}'), answers))

        asked = self.told(*stories)

        self.assertEqual([4, *[2, 1] * 3], list(map(len, asked)))

    def test_no_server_is_told_and_a_certificate_is_looked_at(self) -> None:
        with socket.socket() as taken, ScriptedServer(tls=own_certificate(self)[0]) as server:
            taken.bind(("127.0.0.1", 0))  # Nobody listens there, and no other test can.
            url = "http://127.0.0.1:{1}".format(*taken.getsockname())
            self.tell(("unreached", url), ("certificate", server.url))
        self.assertEqual([], server.asked)


async def _enqueued(waybill: AsyncWaybill) -> client.Job:
    return await waybill.enqueue("email", {})


def _done(found: Any) -> Any:
    """A result, or what it is when it was awaited."""

    async def awaited() -> Any:
        return await found

    return asyncio.run(awaited()) if isinstance(found, Awaitable) else found


if __name__ == "__main__":
    unittest.main()
