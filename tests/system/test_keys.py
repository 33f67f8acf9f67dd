"""A server with API_KEYS: who may do what, in which order that is looked at, and that no key is written anywhere."""

import functools
import http.client
import json
import re
import secrets
import socket
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

from lib.settings import api_keys
from lib.settings.api_keys import SCOPES
from lib.settings.config import EXIT_CONFIG
from tests import contract
from tests.contract import Answer, Operation
from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, ROOT, Server, Worker

CONTRACT = contract.load()
JOB = {"type": "noop", "payload": {}}
NO_JOB = "default-" + "0" * 32
PASSWORD = "n0t-t0-be-seen"


class Key:
    """A key of one scope, and its entry."""

    def __init__(self, name: str, scope: api_keys.Scope, expires: str = "") -> None:
        self.text, self.entry = api_keys.new_key(name, scope, expires, secrets.choice)
        self.bearer = f"Bearer {self.text}"


READ, WRITE, ADMIN = (Key(scope, scope) for scope in SCOPES)
NEXT = Key("write", "write", "2126-01-31")
EXPIRED = Key("gone", "admin", "2026-01-31T00:00:00Z")
STRANGER = Key("stranger", "admin")
ENTRIES = ",".join(key.entry for key in (READ, WRITE, ADMIN, NEXT, EXPIRED))


def target(operation: Operation) -> str:
    path = operation.path
    for name in operation.parameters_in("path"):
        path = path.replace(f"{{{name}}}", NO_JOB if name == "job_id" else "nobody")
    return path + ("?for_s=0" if operation.id == "readEvents" else "")


def scope_of(operation: Operation) -> str | None:
    return next((scopes[0] for need in operation.fields["security"] for scopes in need.values()), None)


class Guarded(unittest.TestCase):
    redis_url: ClassVar[str]
    server: ClassVar[Server]
    port: ClassVar[int]
    sources: ClassVar[Iterator[str]]

    @classmethod
    def setUpClass(cls) -> None:
        redis = cls.enterClassContext(PrivateRedis())
        redis.client.execute_command("ACL", "SETUSER", "app", "on", f">{PASSWORD}", "allkeys", "allcommands")
        cls.redis_url = f"unix://app:{PASSWORD}@{redis.path}"
        cls.server = cls.enterClassContext(
            Server(cls.redis_url, API_KEYS=ENTRIES, HOST="0.0.0.0", ALLOWED_HOSTS="localhost,127.0.0.1")
        )
        cls.port = urlsplit(cls.server.url).port or 0
        cls.sources = iter(f"127.0.{n // 250}.{n % 250 + 2}" for n in range(60_000))

    def ask(self, method: str, path: str, bearer: str | None = None, body: Any = None, **headers: str) -> Answer:
        """Each time from another address, so that no wrong key counts for the next one."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer is not None:
            fields["authorization"] = bearer
        if body is not None:
            fields.setdefault("content-type", "application/json")
        source = (next(type(self).sources), 0)
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S, source_address=source)
        try:
            link.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body).encode(), fields)
            reply = link.getresponse()
            raw = reply.read()
            content = json.loads(raw) if "json" in (reply.getheader("content-type") or "") and raw else raw
            return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, content)
        finally:
            link.close()

    def sent(self, raw: str) -> bytes:
        """All that comes back for bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as link:
            link.sendall(raw.replace("\n", "\r\n").encode("latin-1"))
            received = b""
            while data := link.recv(65536):
                received += data
        return received


class Scopes(Guarded):
    def test_a_key_tells_its_owner_what_it_may_do_and_until_when(self) -> None:
        for key, name, scope, expires_at in (
            (READ, "read", "read", None),
            (NEXT, "write", "write", "2126-02-01T00:00:00.000Z"),
            (ADMIN, "admin", "admin", None),
        ):
            expected = {"name": name, "scope": scope, "expires_at": expires_at, "asks_for_key": True}
            self.assertEqual(expected, self.ask("GET", "/api/caller", key.bearer).body)

    def test_every_operation_with_every_kind_of_key(self) -> None:
        kinds: dict[str | None, Key | None] = {
            None: None,
            "stranger": STRANGER,
            "expired": EXPIRED,
            "read": READ,
            "write": WRITE,
            "admin": ADMIN,
        }
        ranks: dict[str | None, int] = {scope: rank for rank, scope in enumerate(SCOPES, 1)}
        seen = set()
        for operation in CONTRACT.operations:
            needed = scope_of(operation)
            for kind, key in kinds.items():
                answer = self.ask(operation.method, target(operation), key.bearer if key else None, b"")
                with self.subTest(operation=operation.id, key=kind):
                    if needed is None:
                        self.assertNotIn(answer.status, (401, 403, 429))
                        continue
                    rank = ranks.get(kind, 0)
                    expected = 401 if rank == 0 else 403 if rank < ranks[needed] else 0
                    self.assertEqual(expected, refusal := _refusal(answer))
                    self.assertEqual(bool(refusal), "www-authenticate" in answer.headers)
                    if refusal:
                        self.assertEqual([], CONTRACT.answer_faults(operation, answer))
                    seen.add(refusal)

        self.assertEqual({0, 401, 403}, seen)

    def test_head_and_options_need_what_get_needs(self) -> None:
        for method in ("HEAD", "OPTIONS"):
            self.assertEqual(401, self.ask(method, "/api/queues").status)
            self.assertIn(self.ask(method, "/api/queues", READ.bearer).status, (200, 204))
        for path in ("/livez", "*"):
            self.assertEqual(204, self.ask("OPTIONS", path).status)

    def test_without_a_key_nobody_learns_what_there_is(self) -> None:
        for method, path in (
            ("GET", "/api"),
            ("GET", "/api/"),
            ("GET", "/api/nothing"),
            ("PUT", "/api/jobs"),
            ("PROPFIND", "/api/jobs"),
            ("GET", f"/api/jobs/{NO_JOB}"),
            ("GET", "/api//jobs"),
            ("GET", "/api/../livez"),
            ("GET", "/api/queues?colour=red"),
        ):
            self.assertEqual(401, self.ask(method, path).status, path)
        self.assertEqual(404, self.ask("GET", "/api/nothing", READ.bearer).status)
        self.assertEqual(405, self.ask("PUT", "/api/jobs", READ.bearer).status)
        for path in ("/nothing", "//api/jobs", "/API/jobs", "/%61pi/jobs", "/livez/"):
            self.assertEqual(404, self.ask("GET", path).status, path)

    def test_scope_comes_before_the_body_its_type_and_whether_the_job_is_there(self) -> None:
        for operation_id, path in (("createJob", "/api/jobs"), ("cancelJob", f"/api/jobs/{NO_JOB}/cancel")):
            answer = self.ask("POST", path, READ.bearer, b"{", content_type="text/plain")

            self.assertEqual([], CONTRACT.answer_faults(CONTRACT.operation(operation_id), answer))
            self.assertEqual((403, "/problems/scope-missing"), (answer.status, answer.body["type"]))
        self.assertEqual(415, self.ask("POST", "/api/jobs", WRITE.bearer, b"{", content_type="text/plain").status)

    def test_no_body_is_asked_for_where_it_would_be_refused(self) -> None:
        for authorization, status in (("", 401), (f"Authorization: {READ.bearer}\n", 403)):
            received = self.sent(
                f"POST /api/jobs HTTP/1.1\nHost: localhost\n{authorization}Content-Type: application/json\n"
                "Content-Length: 1000000\nExpect: 100-continue\n\n"
            )

            self.assertTrue(received.startswith(f"HTTP/1.1 {status} ".encode()), received[:60])

    def test_every_form_of_a_request_is_asked_for_its_key(self) -> None:
        good = f"Authorization: {READ.bearer}\n"
        for head, fields, status in (
            ("GET /api/queues HTTP/1.0", "", 401),
            ("GET /api/queues HTTP/1.0", good, 200),
            ("GET http://localhost/api/queues HTTP/1.1", "Host: localhost\n", 401),
            ("GET http://localhost/api/queues HTTP/1.1", f"Host: localhost\n{good}", 200),
            ("GET http://evil.example/api/queues HTTP/1.1", f"Host: localhost\n{good}", 421),
            ("GET /api/queues HTTP/1.1", f"Host: localhost\n{good}{good}", 400),
            ("GET /api/queues HTTP/1.1", f"Host: localhost\nauthorization:{READ.bearer}\n", 200),
            ("GET /api/queues HTTP/1.1", f"Host: localhost\nX-Authorization: {READ.bearer}\n", 401),
            ("GET /api/queues HTTP/1.1", f"Host: localhost\nCookie: {READ.bearer}\n", 401),
            ("GET /api/queues HTTP/1.1", f"Host: localhost\nProxy-{good}", 401),
            (f"GET /api/queues?access_token={READ.text} HTTP/1.1", "Host: localhost\n", 401),
        ):
            with self.subTest(head, fields=fields):
                received = self.sent(f"{head}\n{fields}Connection: close\n\n")

                self.assertTrue(received.startswith(f"HTTP/1.1 {status} ".encode()), received[:80])

    def test_a_key_is_good_for_its_own_request_on_a_connection_alone(self) -> None:
        first = f"GET /api/queues HTTP/1.1\nHost: localhost\nAuthorization: {READ.bearer}\n\n"

        received = self.sent(f"{first}GET /api/queues HTTP/1.1\nHost: localhost\nConnection: close\n\n")

        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received[:60])
        self.assertIn(b"HTTP/1.1 401 ", received)

    def test_what_follows_a_body_that_was_refused_is_never_read_as_a_request(self) -> None:
        hidden = f"GET /api/queues HTTP/1.1\nHost: localhost\nAuthorization: {READ.bearer}\n\n"
        received = self.sent(
            "POST /api/jobs HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 9\n\n" + hidden
        )

        self.assertTrue(received.startswith(b"HTTP/1.1 401 "), received[:60])
        self.assertEqual(1, received.count(b"HTTP/1.1 "))

    def test_a_key_in_a_trailer_is_none(self) -> None:
        received = self.sent(
            "POST /api/jobs HTTP/1.1\nHost: localhost\nContent-Type: application/json\nTransfer-Encoding: chunked\n"
            f"Trailer: Authorization\n\n2\n{{}}\n0\nAuthorization: {ADMIN.bearer}\n\n"
        )

        self.assertTrue(received.startswith(b"HTTP/1.1 401 "), received[:60])

    def test_one_caller_is_not_answered_for_anothers_idempotency_key(self) -> None:
        first = self.ask("POST", "/api/jobs", WRITE.bearer, JOB, idempotency_key="k")
        rotated = self.ask("POST", "/api/jobs", NEXT.bearer, JOB, idempotency_key="k")
        other = self.ask("POST", "/api/jobs", ADMIN.bearer, JOB, idempotency_key="k")

        self.assertEqual("true", rotated.headers.get("idempotency-replayed"))
        self.assertEqual(first.body["id"], rotated.body["id"])
        self.assertEqual((202, None), (other.status, other.headers.get("idempotency-replayed")))
        self.assertNotEqual(first.body["id"], other.body["id"])

    def test_pages_of_other_sites_are_refused_whatever_the_key(self) -> None:
        for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "same-site"}):
            answer = self.ask("POST", "/api/jobs", ADMIN.bearer, JOB, **headers)
            self.assertEqual((403, "/problems/cross-site"), (answer.status, answer.body["type"]))
        own = {"origin": f"http://127.0.0.1:{self.port}", "sec_fetch_site": "same-origin"}
        self.assertEqual(202, self.ask("POST", "/api/jobs", ADMIN.bearer, JOB, **own).status)


class Hosts(Guarded):
    def test_a_host_is_compared_without_its_port_and_nothing_else_is_forgiven(self) -> None:
        for host, status in (
            ("localhost", 200),
            ("LOCALHOST:1", 200),
            ("localhost:", 200),
            ("127.0.0.1:65535", 200),
            ("localhost.", 421),
            ("localhost.evil.example", 421),
            ("evil.example:80", 421),
            ("127.0.0.2", 421),
            ("[::1]", 421),
            ("0x7f.1", 421),
            ("%6cocalhost", 421),
            ("[fe80::1%25eth0]", 400),
            ("localhost@evil.example", 400),
            ("evil.example#localhost", 400),
            ("localhost:99999", 400),
            ("", 400),
        ):
            with self.subTest(host):
                received = self.sent(f"GET /livez HTTP/1.1\nHost: {host}\nConnection: close\n\n")

                self.assertTrue(received.startswith(f"HTTP/1.1 {status} ".encode()), received[:60])


class Named(Guarded):
    def test_what_somebody_changed_is_logged_with_the_name_of_the_key(self) -> None:
        job = self.ask("POST", "/api/jobs", WRITE.bearer, JOB).body["id"]
        schedule = {"every_s": 3600, "job": JOB}
        asked: tuple[tuple[Key, str, str, Any, str], ...] = (
            (WRITE, "PATCH", f"/api/jobs/{job}", {"priority": "low"}, "job.changed"),
            (WRITE, "POST", f"/api/jobs/{job}/cancel", None, "job.cancel_asked"),
            (WRITE, "POST", f"/api/jobs/{job}/retry", None, "job.revived"),
            (WRITE, "POST", f"/api/jobs/{job}/cancel", None, "job.cancel_asked"),
            (WRITE, "POST", "/api/jobs/actions", {"action": "retry", "ids": [job]}, "job.revived"),
            (ADMIN, "POST", "/api/jobs/actions", {"action": "cancel", "ids": [job]}, "job.cancel_asked"),
            (WRITE, "DELETE", f"/api/jobs/{job}", None, "job.deleted"),
            (ADMIN, "PATCH", "/api/queues/default", {"max_depth": 1000}, "queue.changed"),
            (ADMIN, "POST", "/api/queues/default/pause", None, "queue.changed"),
            (ADMIN, "POST", "/api/queues/default/resume", None, "queue.changed"),
            (ADMIN, "POST", "/api/queues/default/redrive", {}, "jobs.redriven"),
            (ADMIN, "POST", "/api/queues/default/purge", {"state": "dead"}, "jobs.purged"),
            (ADMIN, "PATCH", "/api/queues/default/groups/a", {"paused": True}, "group.changed"),
            (ADMIN, "DELETE", "/api/queues/default/groups/a", None, "group.changed"),
            (ADMIN, "PUT", "/api/schedules/nightly", schedule, "schedule.created"),
            (ADMIN, "POST", "/api/schedules/nightly/pause", None, "schedule.paused"),
            (ADMIN, "POST", "/api/schedules/nightly/resume", None, "schedule.resumed"),
            (ADMIN, "POST", "/api/schedules/nightly/run", None, "schedule.run"),
            (ADMIN, "DELETE", "/api/schedules/nightly", None, "schedule.deleted"),
        )

        for at, (key, method, path, body, event) in enumerate(asked):
            with self.subTest(method, path=path, body=body):
                answer = self.ask(method, path, key.bearer, body, x_request_id=f"who-{at}")
                self.assertLess(answer.status, 300, answer.body)
                self.assertEqual(
                    [key.entry.split(":")[0]], self.server.until(functools.partial(self.who, event, at), event)
                )

    def who(self, event: str, at: int) -> list[str]:
        """The callers that the lines of this event name, of the request who-<at>."""
        return [line["caller"] for line in self.server.logged(event) if line["request_id"] == f"who-{at}"]


class Secrecy(Guarded):
    def test_after_all_of_this_no_key_and_no_password_stands_in_a_log(self) -> None:
        hidden = {PASSWORD, "s3cret-in-a-query", "s3cret-in-a-payload"}
        mail_url = f"smtp://u:{PASSWORD}@127.0.0.1:1"
        with Worker(self.redis_url, API_KEYS=ENTRIES, LOG_LEVEL="DEBUG", SMTP_URL=mail_url) as worker:
            for key in (READ, WRITE, ADMIN, NEXT, EXPIRED, STRANGER):
                hidden |= {key.text, key.text[3:15], key.text[16:], api_keys.digest(key.text).hex()}
                job = {"type": "noop", "payload": {"x": "s3cret-in-a-payload"}}
                self.ask("POST", "/api/jobs?token=s3cret-in-a-query", key.bearer, job)
                self.ask("POST", "/api/jobs", key.bearer, JOB, idempotency_key=key.text[16:])
                self.ask("GET", "/api/health", f"Basic {key.text}")
                self.ask("GET", f"/api/queues?key={key.text}", f"Bearer {key.text[:-1]}")
                hidden.add(key.text[16:-1])
                for path in (key.text, key.text[:-1], f"%77{key.text[1:]}", key.text.replace("_", "%5f")):
                    self.ask("GET", f"/{path.replace(key.text[3:15], 'a' * 12)}", key.bearer)
                self.sent(f"GET /livez HTTP/1.1\nHost: localhost\nAuthorization: {key.bearer}\nAuthorization: x\n\n")
            answer = self.ask("GET", "/api/health", ADMIN.bearer)
            worker.wait_for("job.finished")
            told = [json.dumps([answer.body, answer.headers])]
            for program in (self.server, worker):
                self.assertTrue(program.logged())
                told += [
                    program.said(),
                    *(path.read_text(encoding="utf-8") for path in (program.folder / "logs").iterdir()),
                ]

        for secret in hidden:
            self.assertFalse(any(secret in text for text in told), secret)
        callers = {line.get("caller") for line in self.server.logged("request.ended")}
        self.assertLessEqual({None, "read", "write", "admin"}, callers)

    def test_what_would_end_a_line_does_not(self) -> None:
        self.ask("GET", "/api/queues", f"Bearer {STRANGER.text}", x_request_id="a\tb")
        self.sent(f"GET /\x85\x9b31m HTTP/1.1\nHost: localhost\nX: {'y' * 10}\n\n")

        for line in self.server.said().split("\n"):
            self.assertFalse([c for c in line if ord(c) < 32 or 127 <= ord(c) < 160], line)


class RateLimits(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())

    def serve(self, **settings: str) -> Server:
        server = self.enterContext(Server(self.redis.url, RATE_LIMIT="5/3600", **settings))
        assert isinstance(server, Server)
        return server

    def test_one_name_has_its_requests_once_on_all_servers_and_with_all_its_keys(self) -> None:
        servers = [self.serve(API_KEYS=ENTRIES), self.serve(API_KEYS=ENTRIES)]

        asked = [
            servers[number % 2].request("GET", "/api/health", authorization=(WRITE, NEXT)[number // 2 % 2].bearer)
            for number in range(8)
        ]
        other = servers[0].request("GET", "/api/queues", authorization=READ.bearer)
        unmetered = servers[0].request("GET", "/livez", authorization=WRITE.bearer)

        self.assertEqual([200] * 5 + [429] * 3, [status for status, _, _ in asked])
        self.assertEqual([4, 3, 2, 1, 0, 0, 0, 0], [_left(headers) for _, _, headers in asked])
        self.assertEqual({'"default";q=5;w=3600'}, {headers["ratelimit-policy"] for _, _, headers in asked})
        self.assertLessEqual(int(asked[-1][2]["retry-after"]), 720)
        self.assertEqual((200, 4), (other[0], _left(other[2])))
        self.assertEqual((200, False), (unmetered[0], "ratelimit" in unmetered[2]))

    def test_errors_count_and_say_what_is_left(self) -> None:
        server = self.serve()

        status, _, headers = server.request("POST", "/api/jobs", b"{")

        self.assertEqual((400, 4), (status, _left(headers)))

    def test_what_is_refused_before_its_operation_counts_as_well(self) -> None:
        server = self.serve(API_KEYS=ENTRIES)
        refused: tuple[tuple[int, str, dict[str, str]], ...] = (
            (415, WRITE.bearer, {"content_type": "text/plain"}),
            (406, WRITE.bearer, {"accept": "text/html"}),
            (412, WRITE.bearer, {"if_match": '"x"'}),
            (415, WRITE.bearer, {"content_encoding": "gzip"}),
            (415, WRITE.bearer, {"content_type": "text/plain"}),
            (429, WRITE.bearer, {"content_type": "text/plain"}),
            (403, READ.bearer, {}),
        )

        about: dict[str, str] = {"x_request_id": "refused"}
        asked = [
            server.request("POST", "/api/jobs", JOB, authorization=key, **fields, **about) for _, key, fields in refused
        ]

        self.assertEqual([status for status, _, _ in refused], [status for status, _, _ in asked])
        self.assertEqual([4, 3, 2, 1, 0, 0, 4], [_left(headers) for _, _, headers in asked])
        ended = server.until(lambda: len(found := self.refused(server)) >= len(asked) and found, "all have ended")
        self.assertEqual([status for status, _, _ in refused], ended)
        self.assertEqual(401, server.request("POST", "/api/jobs", JOB)[0])

    def refused(self, server: Server) -> list[int]:
        """The statuses in the log. It has other lines too: of the questions whether the server is ready."""
        return [line["status"] for line in server.logged("request.ended") if line["request_id"] == "refused"]

    def test_who_has_none_left_is_asked_for_no_body(self) -> None:
        with self._link(self.serve()) as link:
            for _ in range(5):
                self._send(link, json.dumps(JOB).encode())
                self.assertTrue(link.recv(65536).startswith(b"HTTP/1.1 202 "))
            link.sendall(self._head(2))

            self.assertTrue(link.recv(65536).startswith(b"HTTP/1.1 429 "))
            self.assertEqual(b"", link.recv(65536))

    def test_who_is_asked_for_its_body_and_ends_its_side_is_waited_for_no_longer(self) -> None:
        server = self.serve()
        for body, status in ((json.dumps(JOB).encode(), 202), (b"{", 400)):
            with self._link(server) as link:
                self._send(link, body, prefer="wait=60")
                link.shutdown(socket.SHUT_WR)

                self.assertTrue(link.recv(65536).startswith(b"HTTP/1.1 %d " % status))

    def _head(self, body_bytes: int, prefer: str = "") -> bytes:
        fields = (
            "POST /api/jobs HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            "Expect: 100-continue",
            f"Content-Length: {body_bytes}",
            f"Prefer: {prefer}",
        )
        return ("\r\n".join(fields) + "\r\n\r\n").encode()

    def _send(self, link: socket.socket, body: bytes, prefer: str = "") -> None:
        """The head, and once it is asked for the body."""
        link.sendall(self._head(len(body), prefer))
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", link.recv(65536))
        link.sendall(body)

    def _link(self, server: Server) -> socket.socket:
        parts = urlsplit(server.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S)

    def test_with_redis_away_the_request_finds_out_for_itself_and_soon(self) -> None:
        server = self.serve()
        server.request("GET", "/api/health")

        self.redis.freeze()
        began_s = time.monotonic()
        status, body, headers = server.request("GET", "/api/queues")
        took_s = time.monotonic() - began_s
        self.redis.thaw()

        self.assertEqual((503, "/problems/redis-unavailable", False), (status, body["type"], "ratelimit" in headers))
        self.assertLess(took_s, 5)


class Starting(unittest.TestCase):
    def start(self, **settings: str) -> tuple[int, str]:
        program = Server("unix:///nonexistent/redis", **settings)
        self.addCleanup(program.close)
        program.start()
        return program.wait(), program.said()

    def test_an_address_that_others_reach_is_refused_without_keys(self) -> None:
        code, said = self.start(HOST="0.0.0.0")

        self.assertEqual(EXIT_CONFIG, code)
        self.assertIn("HOST: 0.0.0.0 can be reached from elsewhere", said)

    def test_a_key_that_stands_in_api_keys_itself_is_refused_and_not_repeated(self) -> None:
        code, said = self.start(API_KEYS=f"ops:admin:{STRANGER.text}")

        self.assertEqual(EXIT_CONFIG, code)
        self.assertIn("API_KEYS: entry 1 holds a key itself", said)
        self.assertNotIn(STRANGER.text[16:], said)


class NewKey(unittest.TestCase):
    def run_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "server.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)

    def test_it_prints_a_key_and_the_setting_that_makes_it_good(self) -> None:
        done = self.run_command("--new-key", "ops", "--scope", "admin", "--expires", "2126-01-31")
        key, setting = done.stdout.splitlines()
        name, _, entries = setting.partition("=")

        with PrivateRedis() as redis, Server(redis.url, **{name: entries}) as server:
            with_key = server.request("GET", "/api/health", authorization=f"Bearer {key}")
            without = server.request("GET", "/api/health")

        self.assertEqual((0, "API_KEYS"), (done.returncode, name))
        self.assertEqual((200, 401), (with_key[0], without[0]))
        self.assertNotIn(key, done.stderr)

    def test_what_it_does_not_understand_it_refuses_with_its_usage(self) -> None:
        for arguments in (
            ("--new-key", "ops"),
            ("--new-key", "ops", "--scope", "root"),
            ("--new-key", "a:b", "--scope", "read"),
            ("--new-key", "ops", "--scope", "read", "--expires", "soon"),
            ("--new-key", "ops", "--scope", "read", "--expires", "2020-01-31"),
            ("--port", "1"),
            ("serve",),
        ):
            done = self.run_command(*arguments)

            self.assertEqual((2, ""), (done.returncode, done.stdout), arguments)
            self.assertIn("usage: server.py", done.stderr)


def _left(headers: dict[str, str]) -> int:
    """The r of RateLimit."""
    match = re.fullmatch(r'"default";r=([0-9]+);t=[0-9]+', headers["ratelimit"])
    assert match is not None
    return int(match[1])


def _refusal(answer: Answer) -> int:
    """401 or 403 where the answer is about the key, else 0."""
    return answer.status if answer.status in (401, 403, 429) else 0


if __name__ == "__main__":
    unittest.main()
