"""Webhooks from end to end: a real server and worker, and receivers on this host."""

import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from lib.jobs import registry, submission
from lib.settings import config
from tests.processes import ROOT, Server, Worker
from tests.scripted_server import Asked, ScriptedServer, answer
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace

SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 32).decode()
AT_ONCE = {"backoff": {"base_s": 0.05, "cap_s": 0.1}}
NEVER = {"backoff": {"base_s": 3600, "cap_s": 3600}}


def is_genuine(asked: Asked, secret: str) -> bool:
    """Whether one of the request's signatures is by that secret, as the specification says, in code of its own."""
    fields = asked.headers
    signed = b".".join((fields["webhook-id"].encode(), fields["webhook-timestamp"].encode(), asked.body))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in fields.get("webhook-signature", "").split(" ")


class WebhookCase(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        # A server that allows more than the workers do.
        allows = config.load({"WEBHOOK_ALLOW_PRIVATE": "1", "PUBLIC_URL": "http://127.0.0.1"}, Path("none"))
        self.types = registry.load(["lib.handlers.webhook"], allows)
        self.settings = {
            "WORKER_QUEUES": "webhook=5",
            "JOB_MODULES": "lib.handlers.webhook",
            "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
            "WEBHOOK_SECRET": SECRET,
        }

    def receiver(self, *answers: Any) -> ScriptedServer:
        started: ScriptedServer = self.enterContext(ScriptedServer(*answers))
        return started

    def hook(self, url: str, options: dict[str, Any] | None = None, **payload: Any) -> str:
        """Queue a webhook. Returns its id."""
        body = {"type": "webhook", "payload": {"url": url, **payload}, **(options or {})}
        job, *_ = submission.read(body, self.types, self.ids, request_id="order-4711", trace=new_trace())
        return self.put(job)[0]

    def server(self, **settings: object) -> Server:
        server: Server = self.enterContext(Server(self.redis.url, **{**self.settings, **settings}))
        return server


class Webhooks(WebhookCase):
    def test_it_is_sent_and_signed_and_the_answer_is_its_result(self) -> None:
        receiver = self.receiver(answer(201, {"x-request-id": "theirs", "set-cookie": "a=b"}, body={"ok": True}))
        worker = self.ready()

        job_id = self.hook(f"{receiver.url}/hook?token=hush", headers={"Authorization": "Bearer me"}, body={"n": "ü"})

        self.until_all([job_id], "completed")
        (asked,) = receiver.asked
        self.assertEqual(("POST", "/hook?token=hush", '{"n":"ü"}'.encode()), (asked.method, asked.path, asked.body))
        expected = {
            "host": receiver.url.removeprefix("http://"),
            "content-type": "application/json",
            "content-length": "10",
            "accept-encoding": "identity",
            "authorization": "Bearer me",
            "webhook-id": job_id,
            "x-request-id": "order-4711",
            "waybill-attempt": "1/18",
        }
        self.assertEqual(expected, {name: asked.headers.get(name) for name in expected})
        self.assertTrue(is_genuine(asked, SECRET))
        self.assertLess(abs(time.time() - int(asked.headers["webhook-timestamp"])), 30)
        record = self.record(job_id)
        assert record.spec is not None
        _, trace_id, span_id, _ = asked.headers["traceparent"].split("-")
        self.assertEqual(record.spec.trace.trace_id, trace_id)
        self.assertNotEqual(record.spec.trace.span_id, span_id)
        self.assertEqual(receiver.url.removeprefix("http://"), record.spec.group)
        result = dict(record.result)
        self.assertGreater(result.pop("duration_ms"), 0)
        headers = {"content-type": "application/json", "x-request-id": "theirs", "date": result["headers"].get("date")}
        self.assertEqual(
            {
                "status": 201,
                "headers": headers,
                "body": '{"ok": true}',
                "body_base64": None,
                "body_truncated": False,
                "address": "127.0.0.1",
                "attempt": 1,
            },
            result,
        )
        (line,) = worker.wait_for("webhook.sent")
        self.assertEqual((job_id, "order-4711", 201), (line["job_id"], line["request_id"], line["status"]))
        self.assertNotIn("hush", str(worker.logged()))

    def test_it_is_tried_again_under_the_same_id_with_a_signature_and_a_span_of_its_own(self) -> None:
        receiver = self.receiver(answer(500, body=b"try later"), answer(302, {"location": "/other"}), answer(200))
        worker = self.ready()

        job_id = self.hook(f"{receiver.url}/hook?token=hush", AT_ONCE, body=1)

        self.until_all([job_id], "completed")
        asked = receiver.asked
        self.assertEqual(["/hook?token=hush"] * 3, [one.path for one in asked])
        self.assertEqual([job_id] * 3, [one.headers["webhook-id"] for one in asked])
        self.assertEqual(["1/18", "2/18", "3/18"], [one.headers["waybill-attempt"] for one in asked])
        self.assertEqual(3, len({one.headers["traceparent"] for one in asked}))
        self.assertEqual([True] * 3, [is_genuine(one, SECRET) for one in asked])
        first, second, _ = self.record(job_id).history
        assert first.error is not None
        self.assertEqual(
            {"type": "HTTPStatus", "message": "500 from 127.0.0.1", "status": 500, "body": "try later"},
            {name: value for name, value in first.error.items() if name != "traceback"},
        )
        assert second.error is not None
        self.assertIn("never followed", second.error["message"])
        self.assertEqual(2, len(worker.wait_for("webhook.failed", 2)))
        self.assertNotIn("hush", str(worker.logged()))

    def test_retry_after_rests_the_host_and_no_other(self) -> None:
        busy = self.receiver(answer(429, {"retry-after": "2"}), answer(200), answer(200))
        other = self.receiver(answer(200))
        self.ready()
        first = self.hook(busy.url, NEVER)
        self.until(lambda: self.record(first).state == "delayed", "the first was refused")

        second, third = self.hook(busy.url), self.hook(other.url)

        self.until_all([third], "completed")
        self.assertEqual(1, len(busy.asked))
        self.until_all([first, second], "completed")
        refused, *later = busy.asked
        self.assertGreater(min(one.at_s for one in later) - refused.at_s, 1.9)

    def test_what_is_gone_for_good_is_dead_at_once(self) -> None:
        receiver = self.receiver(answer(410), answer(400), answer(500, {"waybill-retry": "no"}))
        self.ready()

        for statuses in ([], [400], []):
            job_id = self.hook(receiver.url, give_up_on=statuses)

            self.until_all([job_id], "dead")
            record = self.record(job_id)
            assert record.error is not None
            self.assertEqual(("HTTPStatusFinal", 1), (record.error["type"], record.attempts))

    def test_a_secret_of_the_payload_signs_in_place_of_the_settings_which_may_hold_two(self) -> None:
        receiver = self.receiver(answer(200), answer(200))
        self.ready(WEBHOOK_SECRET=f"{OTHER} {SECRET}")

        self.until_all([self.hook(receiver.url)], "completed")
        self.until_all([self.hook(receiver.url, secret=SECRET)], "completed")

        both, own = receiver.asked
        self.assertEqual((True, True), (is_genuine(both, SECRET), is_genuine(both, OTHER)))
        self.assertEqual((True, False), (is_genuine(own, SECRET), is_genuine(own, OTHER)))

    def test_without_any_secret_it_goes_unsigned_and_health_warns(self) -> None:
        receiver = self.receiver(answer(200))
        self.settings["WEBHOOK_SECRET"] = ""
        worker, server = self.ready(), self.server()
        self.assertEqual([], worker.logged("warning.raised"))

        self.until_all([self.hook(receiver.url)], "completed")

        self.assertNotIn("webhook-signature", receiver.asked[0].headers)
        self.assertIn("webhooks go out unsigned", worker.wait_for("warning.raised")[0]["msg"])
        self.until(lambda: "webhooks_unsigned" in str(server.request("GET", "/api/health")[1]["warnings"]), "health")

    def test_an_address_that_may_not_be_reached_gets_no_byte(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            self.settings["WEBHOOK_ALLOW_PRIVATE"] = "10.0.0.0/8"
            self.ready()
            server = self.server()

            ids = [self.hook(f"http://{host}:{port}/") for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]")]

            self.until_all(ids, "dead")
            for record in self.records(ids):
                assert record.error is not None
                self.assertEqual(("AddressNotAllowed", 1), (record.error["type"], record.attempts))
                self.assertIn("WEBHOOK_ALLOW_PRIVATE=", record.error["message"])
            for host in ("127.0.0.1", "[::1]", "169.254.169.254"):
                body = {"type": "webhook", "payload": {"url": f"http://{host}:{port}/"}}
                status, problem, _ = server.request("POST", "/api/jobs", body)
                self.assertEqual((422, "/payload/url"), (status, problem["errors"][0]["pointer"]))
                self.assertIn("WEBHOOK_ALLOW_PRIVATE", problem["errors"][0]["detail"])
            listening.setblocking(False)
            with self.assertRaises(BlockingIOError):
                listening.accept()

    def test_a_receiver_that_does_not_answer_is_left_in_time_and_the_error_says_so(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.ready()

            job_id = self.hook(f"http://127.0.0.1:{listening.getsockname()[1]}", {"timeout_s": 2, "max_attempts": 1})

            self.until_all([job_id], "dead")
            error = self.record(job_id).error
            assert error is not None
            self.assertIn("TimedOut", error["type"])
            self.assertIn("127.0.0.1", error["message"])

    def test_through_a_proxy_of_the_settings_which_looks_names_up(self) -> None:
        receiver = self.receiver(answer(200))
        with _Proxy(receiver.url.rpartition(":")[2]) as proxy:
            self.ready(WEBHOOK_PROXY=f"http://me:hunter2@127.0.0.1:{proxy.port}", WEBHOOK_ALLOW_PRIVATE="")

            self.until_all([self.hook("http://orders.internal/hook")], "completed")

        self.assertTrue(proxy.head.startswith(b"CONNECT orders.internal:80 HTTP/1.1\r\n"), proxy.head)
        self.assertIn(b"Proxy-Authorization: Basic bWU6aHVudGVyMg==\r\n", proxy.head)
        self.assertEqual("orders.internal", receiver.asked[0].headers["host"])

    def test_a_runner_that_dies_behind_the_answer_sends_it_again_under_the_same_id(self) -> None:
        worker: Worker = self.ready(LEASE_S=2)
        (runner,) = worker.runner_pids()
        begun, stopped = threading.Event(), threading.Event()
        with _Receiver(begun, stopped) as receiver:
            job_id = self.hook(receiver.url)
            self.assertTrue(begun.wait(20), "the webhook came")
            # The runner does not see the answer: it stands still while the receiver gives it, and is then killed.
            os.kill(runner, signal.SIGSTOP)
            stopped.set()
            self.until(lambda: receiver.answered, "the receiver has answered 200")
            os.kill(runner, signal.SIGKILL)

            self.until_all([job_id], "completed")

        self.assertEqual([job_id, job_id], receiver.ids)

    def test_who_leaves_webhooks_out_of_the_settings_is_told(self) -> None:
        job = {"type": "webhook", "payload": {"url": "https://api.example.com"}}
        without = self.server(JOB_MODULES="lib.handlers.email")
        status, problem, _ = without.request("POST", "/api/jobs", job)
        self.assertEqual((422, "/type"), (status, problem["errors"][0]["pointer"]))
        self.assertIn("add lib.handlers.webhook to JOB_MODULES", problem["errors"][0]["detail"])
        self.ready(WORKER_QUEUES="default=5")
        server = self.server()

        status, accepted, _ = server.request("POST", "/api/jobs", job)

        self.assertEqual(202, status)
        self.accepted.append(accepted["id"])
        self.until(lambda: "webhook" in str(server.request("GET", "/api/health")[1]["warnings"]), "health warns")
        _, health, _ = server.request("GET", "/api/health")
        self.assertIn("name it in WORKER_QUEUES", str(health["warnings"]))

    def test_settings_that_can_not_be_used_end_the_start_and_show_no_secret(self) -> None:
        for name, value in (
            ("WEBHOOK_SECRET", "hunter2"),
            ("WEBHOOK_ALLOW_PRIVATE", "10.0.0.0/99"),
            ("WEBHOOK_CA_FILE", "/nowhere/ca.pem"),
            ("WEBHOOK_PROXY", "https://me:hunter2@proxy.example"),
            ("PUBLIC_URL", "https://me:hunter2@waybill.example.com"),
        ):
            server = Server(self.redis.url, **{**self.settings, name: value})
            self.addCleanup(server.close)
            server.start()

            self.assertEqual(78, server.wait())

            self.assertIn(f"{name}: ", server.said())
            self.assertNotIn("hunter2", server.said())


class Receivers(WebhookCase):
    """The receivers in prod/receivers: they take what is signed, and nothing else, and each webhook once."""

    def judge(self, *command: str) -> None:
        environ = {**os.environ, "WEBHOOK_SECRET": SECRET}
        self.ready()
        with subprocess.Popen([*command, "0"], env=environ, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            try:
                url = program.stdout.readline().split()[-1]
                taken = self.hook(url, body={"order": 4711})
                self.until_all([taken], "completed")
                refused = self.hook(url, {"max_attempts": 1}, secret=OTHER)
                self.until_all([refused], "dead")
                self.asked(lambda store: store.retry(refused))
                self.until(lambda: len(self.record(refused).history) == 2, "it was refused again")
            finally:
                program.kill()
            said = program.stdout.read()

        self.assertEqual(f'{taken} {{"order":4711}}\n', said)
        error = self.record(refused).error
        assert error is not None
        self.assertEqual(401, error["status"])

    def test_the_one_in_python(self) -> None:
        self.judge(sys.executable, str(ROOT / "prod/receivers/webhook_receiver.py"))

    def test_the_one_in_node(self) -> None:
        node = shutil.which("node")
        if node is None:
            self.skipTest("node is not here")
        self.judge(node, str(ROOT / "prod/receivers/webhook_receiver.mjs"))

    def test_they_are_short(self) -> None:
        for path in Path(ROOT / "prod/receivers").iterdir():
            self.assertLess(len(path.read_text(encoding="utf-8").splitlines()), 50)


class _Proxy:
    """Takes one CONNECT, for whatever name, and passes on what comes to a port of this host."""

    def __init__(self, port: str) -> None:
        self.head = b""
        self._to = ("127.0.0.1", int(port))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]

    def __enter__(self) -> "_Proxy":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        link, _ = self._listening.accept()
        with link, socket.create_connection(self._to) as onward:
            while not self.head.endswith(b"\r\n\r\n"):
                self.head += link.recv(1)
            link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(onward, link), daemon=True)
            back.start()
            _pass_on(link, onward)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class _Receiver:
    """Sets `begun` when the first request is there, and answers it when `stopped` is set; the next ones at once."""

    def __init__(self, begun: threading.Event, stopped: threading.Event) -> None:
        self.ids: list[str] = []
        self.answered = 0
        self._begun, self._stopped = begun, stopped
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:{1}".format(*self._listening.getsockname())

    def __enter__(self) -> "_Receiver":
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listening.accept()
            except OSError:
                return
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += link.recv(65536)
            self.ids += [line[12:].decode() for line in head.split(b"\r\n") if line.startswith(b"webhook-id: ")]
            self._begun.set()
            self._stopped.wait(20)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            link.close()
            self.answered += 1
