"""Every raw request of the table against server.py itself: whole, a byte at a time, and cut in two at its offsets.

Beside the statuses: every answer has its id, every error is a problem, what hides in a body is never served, and no
refused request queues a job. A client that never reads is in test_deadlines.py, where the 30 s are shrunk.
"""

import functools
import json
import re
import socket
import threading
import time
import unittest
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.private_redis import PrivateRedis
from tests.processes import Server
from tests.wire.conversation import Answer, NotHttp, answers, converse
from tests.wire.http_cases import BODY_LIMIT, FOLLOWER, JOB, C, Case, H, chunked, counted, get, post
from tests.wire.stream_cases import ALL_CASES

# Up to here a case is cut at every offset, and sent in single bytes; above, at so many places.
EVERY_OFFSET_BYTES = 100
PLACES = 20
MOST_PIECES = 400
MOST_FAULTS = 20
WAITERS = 50
CLOSE = b"Connection: close\r\n"
LINE_END = re.compile(rb"[}\]]\n\Z")
UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

redis: PrivateRedis
open_to_all: Server
guarded: Server
trickle: "Trickle"


def setUpModule() -> None:
    """One Redis; a server for any host, and one with the default of ALLOWED_HOSTS."""
    global redis, open_to_all, guarded, trickle
    redis = unittest.enterModuleContext(PrivateRedis())
    open_to_all = unittest.enterModuleContext(Server(redis.url, ALLOWED_HOSTS="*", LOG_MAX_BYTES=0))
    guarded = unittest.enterModuleContext(Server(redis.url))
    trickle = Trickle(port_of(open_to_all))


@functools.cache
def port_of(server: Server) -> int:
    """Where it listens. Read from its log once: that grows to tens of thousands of lines."""
    port = urlsplit(server.url).port
    assert port is not None
    return port


def queued() -> int:
    """How many jobs were ever queued."""
    (received,) = converse(port_of(open_to_all), [[get(H + CLOSE, line=b"GET /api/queues HTTP/1.1")]])
    (answer,) = answers(received)
    return sum(queue["totals"].get("enqueued", 0) for queue in answer.json()["items"])


def cuts(raw: bytes) -> list[list[bytes]]:
    """`raw` in two parts, at each of its offsets or at PLACES of them."""
    step = 1 if len(raw) <= EVERY_OFFSET_BYTES else len(raw) / PLACES
    offsets = {int(number * step) for number in range(1, int(len(raw) / step) + 1)} - {0, len(raw)}
    return [[raw[:offset], raw[offset:] + FOLLOWER] for offset in sorted(offsets | {len(raw)})]


def pieces(raw: bytes) -> list[bytes]:
    """`raw` a byte at a time; what is long in MOST_PIECES."""
    size = 1 + len(raw) // MOST_PIECES
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def fault_of(answer: Answer) -> str | None:
    """What this answer lacks, whatever it was asked for."""
    headers = answer.headers
    if answer.status < 200:
        return None
    if not UUID4.fullmatch(headers.get("x-request-id", "")):
        return "it has no X-Request-ID"
    if "date" not in headers:
        return "it has no Date"
    if "json" in headers.get("content-type", "") and answer.body and not LINE_END.search(answer.body):
        return "its JSON does not end with a newline"
    if answer.status < 400 or not answer.body:
        return None
    if headers["content-type"] != "application/problem+json":
        return f"an error as {headers['content-type']}"
    problem = answer.json()
    if problem["status"] != answer.status or problem["request_id"] != headers["x-request-id"]:
        return f"the problem tells of another answer: {problem}"
    return None


def fault_in(case: Case, received: bytes) -> str | None:
    """What is wrong with what came back for a case; None where it is as the table says."""
    try:
        found = answers(received, is_to_head=case.is_to_head)
    except NotHttp as fault:
        return str(fault)
    statuses = [answer.status for answer in found]
    if statuses != case.expected:
        return f"answered {statuses}, not {case.expected}"
    last = found[len(case.statuses) - 1]
    if last.ends_early != case.ends:
        return f"ended early with {last.ends_early}, not {case.ends}"
    if (last.headers.get("connection") == "close") != (case.closes and not case.ends and not case.is_cut):
        return f"Connection: {last.headers.get('connection')}"
    if b"sesame" in received:
        return "a field of the request is in the answer"
    return next(filter(None, map(fault_of, found)), None)


class WireTestCase(unittest.TestCase):
    """Asks one server."""

    def ask(self, raw: bytes, server: Server | None = None, *, is_to_head: bool = False) -> list[Answer]:
        """All the answers to `raw`, sent whole on a connection that the server must close."""
        (received,) = converse(port_of(server or open_to_all), [[raw]])
        return answers(received, is_to_head=is_to_head)

    def one(self, raw: bytes, server: Server | None = None) -> Answer:
        (answer,) = self.ask(raw, server)
        return answer

    def link(self, server: Server | None = None) -> socket.socket:
        return self.enterContext(socket.create_connection(("127.0.0.1", port_of(server or open_to_all)), 20))


class Trickle:
    """A client that sends a byte a second, from the first test on; looked at when the others are through."""

    def __init__(self, port: int) -> None:
        self.received = b""
        self.spent_s = 0.0
        self._port = port
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(20)

    def _run(self) -> None:
        began_s = time.monotonic()
        with socket.create_connection(("127.0.0.1", self._port), 1) as link:
            link.sendall(b"GET /livez HTTP/1.1\r\nX: ")
            while time.monotonic() < began_s + 20 and not self.received:
                link.sendall(b"y")
                try:
                    self.received = link.recv(65536)
                except TimeoutError:
                    continue
        self.spent_s = time.monotonic() - began_s


class Table(WireTestCase):
    """THE TABLE, in every cutting."""

    def test_every_case_sent_whole(self) -> None:
        self._run([(case, [case.raw + FOLLOWER]) for case in ALL_CASES])

    def test_every_case_a_byte_at_a_time(self) -> None:
        self._run([(case, [*pieces(case.raw), FOLLOWER]) for case in ALL_CASES])

    def test_every_case_cut_in_two(self) -> None:
        self._run([(case, parts) for case in ALL_CASES for parts in cuts(case.raw)])

    def _run(self, rows: Sequence[tuple[Case, list[bytes]]]) -> None:
        before = queued()

        received = converse(port_of(open_to_all), [parts for _, parts in rows])

        faults = [
            f"{case.group}: {fault}: {case.raw[:120]!r} in {len(parts)} parts, the first of {len(parts[0])} bytes"
            for (case, parts), came in zip(rows, received, strict=True)
            if (fault := fault_in(case, came))
        ]
        self.assertEqual(faults[:MOST_FAULTS], [], f"{len(faults)} of {len(rows)}")
        self.assertEqual(queued() - before, sum(case.jobs for case, _ in rows), "jobs queued")

    @classmethod
    def tearDownClass(cls) -> None:
        """After all of them: nothing hidden was served, and nothing failed."""
        lines = open_to_all.logged()
        assert not [line for line in lines if "hidden" in line.get("path", "")], "what hid in a body was served"
        errors = [line for line in lines if line["level"] == "ERROR"]
        assert not errors, f"errors in the log: {errors[:3]}"
        assert "Traceback" not in open_to_all.said(), "a traceback on the console"


class TheSlowClient(WireTestCase):
    """The last in the alphabet."""

    def test_a_head_of_a_byte_a_second_is_408_at_the_total_deadline(self) -> None:
        trickle.join()

        (answer,) = answers(trickle.received)

        self.assertEqual((answer.status, answer.headers["connection"]), (408, "close"))
        self.assertIsNone(fault_of(answer))
        self.assertTrue(9.9 <= trickle.spent_s <= 15, trickle.spent_s)


class Ids(WireTestCase):
    """X-Request-ID of what is refused before any operation sees it."""

    def test_it_is_on_the_answer_and_in_the_log_line_whatever_the_answer_is(self) -> None:
        statuses = {}
        for status, raw in (
            (417, get(H + b"X-Request-ID: said-417\r\nExpect: foo\r\n")),
            (501, get(H + b"X-Request-ID: said-501\r\n", line=b"FOO /livez HTTP/1.1")),
            (505, get(H + b"X-Request-ID: said-505\r\n", line=b"GET /livez HTTP/2.0")),
            (400, get(b"X-Request-ID: said-400\r\n")),
            (431, get(H + b"X-Request-ID: said-431\r\n" + b"a: b\r\n" * 70)),
        ):
            answer = self.one(raw, guarded)

            said = f"said-{status}"
            self.assertEqual((status, said), (answer.status, answer.headers["x-request-id"]))
            self.assertEqual(said, answer.json()["request_id"])
            statuses[said] = status

        def are_logged() -> bool:
            lines = guarded.logged("request.refused")
            return statuses.items() <= {line["request_id"]: line["status"] for line in lines}.items()

        guarded.until(are_logged, "each has its line")

    def test_what_could_be_no_id_is_none(self) -> None:
        answer = self.one(get(b"X-Request-ID: not one\r\n"))

        self.assertRegex(answer.headers["x-request-id"], UUID4)


class Hosts(WireTestCase):
    """ALLOWED_HOSTS as it is by default."""

    def test_other_hosts_are_421(self) -> None:
        for host in (
            b"a",
            b"evil.example:8000",
            b"localhost.evil.example",
            b"127.0.0.1.nip.io",
            b"[::2]",
            b"%6cocalhost",
        ):
            answer = self.one(get(b"Host: %b\r\n" % host + CLOSE), guarded)
            self.assertEqual((answer.status, fault_of(answer)), (421, None), host)

    def test_its_own_names_are_served(self) -> None:
        for host in (b"localhost", b"LocalHost:1", b"127.0.0.1", b"127.0.0.1:8000", b"[::1]:80", b"localhost:"):
            answer = self.one(get(b"Host: %b\r\n" % host + CLOSE), guarded)
            self.assertEqual(answer.status, 200, host)

    def test_of_an_absolute_target_and_host_the_target_counts(self) -> None:
        good, bad = b"GET http://localhost/livez HTTP/1.1", b"GET http://b/livez HTTP/1.1"

        self.assertEqual(self.one(get(H + CLOSE, line=good), guarded).status, 200)
        self.assertEqual(self.one(get(b"Host: localhost\r\n" + CLOSE, line=bad), guarded).status, 421)
        self.assertEqual(self.one(get(b"", line=bad.replace(b"1.1", b"1.0")), guarded).status, 421)

    def test_a_post_for_another_host_queues_nothing(self) -> None:
        before = queued()

        self.assertEqual(self.one(counted(JOB, CLOSE), guarded).status, 421)

        self.assertEqual(queued(), before)


class Bodies(WireTestCase):
    """Bodies that come in turns, or not at all."""

    def test_100_comes_first_and_the_answer_behind_it(self) -> None:
        link = self.link()
        link.sendall(post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(JOB) + CLOSE))
        self.assertEqual(link.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")

        link.sendall(JOB)

        self.assertEqual([answer.status for answer in answers(_rest(link))], [202])

    def test_1_0_gets_no_100(self) -> None:
        link = self.link()
        line = b"POST /api/jobs HTTP/1.0"
        link.sendall(post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(JOB), line=line))
        link.sendall(JOB)

        self.assertEqual([answer.status for answer in answers(_rest(link))], [202])

    def test_half_a_body_and_a_fin_queue_nothing(self) -> None:
        before = queued()
        for raw in (counted(JOB)[:-5], chunked(JOB)[:-2], chunked(JOB)[:-7], post(b"Content-Length: 10\r\n", b"hello")):
            link = self.link()
            link.sendall(raw)
            link.shutdown(socket.SHUT_WR)

            self.assertEqual(_rest(link), b"", raw)

        self.assertEqual(queued(), before)

    def test_trailers_are_read_and_never_merged(self) -> None:
        body = b"%x\r\n%b\r\n0\r\nIdempotency-Key: k\r\nX-Request-ID: mine\r\n\r\n" % (len(JOB), JOB)

        found = self.ask(post(C, body) + post(C + CLOSE, body))

        self.assertEqual([answer.status for answer in found], [202, 202])
        self.assertNotEqual(found[0].json()["id"], found[1].json()["id"])
        self.assertNotIn("mine", [answer.headers["x-request-id"] for answer in found])

    def test_a_body_at_the_limit_is_read_and_one_above_it_is_413(self) -> None:
        full = JOB + b" " * (BODY_LIMIT - len(JOB))

        self.assertEqual(self.one(counted(full, CLOSE)).status, 202)
        self.assertEqual(self.one(chunked(full, CLOSE)).status, 202)
        self.assertEqual(self.one(counted(full + b" ", CLOSE)).status, 413)
        self.assertEqual(self.one(chunked(full + b" ", CLOSE)).status, 413)

    def test_what_a_payload_holds_comes_back_as_it_went_in(self) -> None:
        payload = (
            r'{"big":[9007199254740993,-9223372036854775809,' + "9" * 999 + ",0,-1],"
            r'"float":[1e308,1.5,-2.5e-10,5e-324],"":{"~/":[],"a":{}},"__proto__":[true,false,null],"text":['
            r'"\u0000\u001e\u001f\u007f\u0085\u2028\u2029\ufeff\ud83d\ude00","\r\nX: y","\u001b[31m","\\u0000"]}'
        )

        answer = self.one(counted(b'{"type":"echo","payload":%b}' % payload.encode(), CLOSE))
        read = self.one(get(H + CLOSE, line=b"GET %b HTTP/1.1" % answer.headers["location"].encode()))

        for came in (answer, read):
            self.assertEqual(came.json()["payload"], json.loads(payload))
            self.assertIn("9" * 999, came.body.decode())


class Waits(WireTestCase):
    """`?wait=`, when nobody is there any more to be answered."""

    def test_a_wait_ends_with_its_client(self) -> None:
        links = self._waiting("gone")

        for link in links:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            link.close()

        self._until_ended("gone")

    def test_a_wait_ends_when_its_client_closes_in_the_usual_way(self) -> None:
        links = self._waiting("left")

        for link in links:
            link.close()

        self._until_ended("left")

    def test_a_client_that_closes_its_half_is_answered_with_the_job_as_it_is(self) -> None:
        for link in self._waiting("half"):
            link.shutdown(socket.SHUT_WR)

            (answer,) = answers(_rest(link))

            self.assertEqual((answer.status, answer.json()["state"]), (200, "ready"))

    def _waiting(self, name: str) -> list[socket.socket]:
        """Connections that each wait for a job that nobody runs."""
        job_id = self.one(counted(JOB, CLOSE)).json()["id"]
        names = {f"{name}-{number}" for number in range(WAITERS)}
        links = [self.link(guarded) for _ in names]
        for waiter, link in zip(names, links, strict=True):
            line = b"GET /api/jobs/%b?wait=60 HTTP/1.1" % job_id.encode()
            link.sendall(get(b"Host: localhost\r\nX-Request-ID: %b\r\n" % waiter.encode(), line=line))
        guarded.until(lambda: names <= self._ids("request.started"), "all of them wait")
        return links

    def _until_ended(self, name: str) -> None:
        names = {f"{name}-{number}" for number in range(WAITERS)}
        guarded.until(lambda: names <= self._ids("request.ended"), "none of them is waited for", 10)

    @staticmethod
    def _ids(event: str) -> set[str]:
        return {line["request_id"] for line in guarded.logged(event)}


class Answers(WireTestCase):
    """What is in an answer beside its status."""

    def test_options_tells_what_is_allowed(self) -> None:
        for line, allowed in (
            (b"OPTIONS * HTTP/1.1", "DELETE, GET, HEAD, OPTIONS, POST"),
            (b"OPTIONS /livez HTTP/1.1", "GET, HEAD, OPTIONS"),
            (b"TRACE /livez HTTP/1.1", "GET, HEAD, OPTIONS"),
            (b"PUT /api/jobs HTTP/1.1", "GET, HEAD, OPTIONS, POST"),
        ):
            told = self.one(get(H + CLOSE, line=line)).headers["allow"]
            self.assertLessEqual(set(allowed.split(", ")), set(told.split(", ")), line)

    def test_head_has_the_fields_of_get(self) -> None:
        for path in (b"/livez", b"/openapi.yaml", b"/none", b"/api/jobs"):
            (got,) = self.ask(get(H + CLOSE, line=b"GET %b HTTP/1.1" % path))
            raw = get(line=b"HEAD %b HTTP/1.1" % path) + get(H + CLOSE, line=b"GET /readyz HTTP/1.1")

            headed, behind = self.ask(raw, is_to_head=True)

            self.assertEqual({*headed.headers} - {"keep-alive"}, {*got.headers}, path)
            self.assertEqual(headed.headers["content-length"], got.headers["content-length"])
            self.assertEqual((headed.body, behind.body), (b"", b'{"status":"ok"}\n'))

    def test_every_json_answer_ends_with_a_newline(self) -> None:
        job = self.one(counted(JOB, CLOSE)).json()
        path = f"/api/jobs/{job['id']}"
        asked = [
            f"GET {one}" for one in ("/livez", "/readyz", "/api/health", "/api/jobs", "/api/queues", "/api/workers")
        ]
        asked += [f"GET {path}", f"GET {path}/logs", f"GET /api/queues/{job['queue']}"]
        asked += [f"POST {path}/cancel", f"POST {path}/retry", "GET /api/jobs/none", "GET /none", "PUT /livez"]
        answered = [self.one(get(H + CLOSE, line=f"{line} HTTP/1.1".encode())) for line in asked]
        answered.append(self.one(counted(b"[%b]" % JOB, CLOSE).replace(b"/api/jobs", b"/api/jobs/batch")))

        for line, answer in zip([*asked, "a batch"], answered, strict=True):
            self.assertRegex(answer.headers["content-type"], "^application/(problem[+])?json$", line)
            self.assertTrue(answer.body.endswith(b"}\n"), (line, answer.body[-40:]))

    def test_a_good_request_id_is_kept_and_any_other_replaced(self) -> None:
        for good in (b"a", b"A-Z.a_z-0.9", b"x" * 128, b"..", b"-"):
            answer = self.one(get(H + CLOSE + b"X-Request-ID: %b\r\n" % good))
            self.assertEqual(answer.headers["x-request-id"].encode(), good)
        other = (
            b'a b;a,b;a\tb;a/b;a:b;<a>;{a};a%0d%0a;$(a);\';`a`;~;@;+;=;a|b;"a";a\\b;\xff;a\xa0;a\x85;a\xc3\xa9;'
            b"a\xe2\x80\xa8b;\xef\xbc\xa1"
        )
        for bad in (*other.split(b";"), b"", b"a;b", b"x" * 129):
            answer = self.one(get(H + CLOSE + b"X-Request-ID: %b\r\n" % bad))
            self.assertTrue(UUID4.fullmatch(answer.headers["x-request-id"]), bad)

    def test_an_unreadable_request_has_the_headers_of_every_answer(self) -> None:
        for raw in (get(b""), b"\0", get(line=b"FOO / HTTP/1.1")):
            headers = self.one(raw).headers
            self.assertEqual((headers["x-content-type-options"], headers["cache-control"]), ("nosniff", "no-store"))

    def test_no_error_tells_what_was_in_the_payload(self) -> None:
        secrets = {"password": "sesame-1", "n": {"token": "sesame-2"}}
        for body in (
            {"type": "noop", "payload": secrets},
            {"type": "none", "payload": secrets},
            {"type": "noop", "payload": {"seconds": "sesame-3", "text": ["sesame-4"]}, "priority": "sesame-5"},
            {
                "type": "sesame-6",
                "payload": {},
                "queue": "Sesame-7 sesame",
                "run_at": "sesame-8",
                "unique": {"key": ["sesame"]},
            },
        ):
            answer = self.one(counted(json.dumps(body).encode(), CLOSE))
            self.assertEqual(answer.status, 422)
            self.assertNotIn(b"sesame", answer.body.lower(), body)

    def test_a_key_in_the_wrong_place_is_in_no_log_line(self) -> None:
        secret = "Sesame" + "x" * 37
        key = f"wb_{'a' * 12}_{secret}".encode()
        fields = b"X-Request-ID|traceparent|User-Agent|Referer|Origin|Cookie|Accept|Idempotency-Key|Prefer|X-%b" % key
        fields += b"|Authorization|Proxy-Authorization|Sec-Fetch-Site|Expect|Connection|Transfer-Encoding|Content-Type"
        lines = (
            b"GET /%b HTTP/1.1|GET /api/jobs/%b HTTP/1.1|GET /%b/%b HTTP/1.1|GET /livez?key=%b HTTP/1.1|%b / HTTP/1.1"
            b"|GET http://%b/ HTTP/1.1|GET http://%b@localhost/ HTTP/1.1|GET /api/jobs?%b=1 HTTP/1.1|GET %b HTTP/1.1"
            b"|DELETE /api/jobs/%b HTTP/1.1|GET / %b/1.1|GET / HTTP/%b|GET /problems/%b HTTP/1.1"
            b"|PATCH /api/queues/%b HTTP/1.1|GET /api/queues/%b HTTP/1.1"
        )
        raws = [get(H + name + b": %b\r\n" % key) for name in fields.split(b"|")]
        raws += [get(b"Host: %b\r\n" % key), get(H + key + b"\r\n"), key, get(H) + key + b"\r\n\r\n"]
        raws += [get(line=line.replace(b"%b", key)) for line in lines.split(b"|")]
        bodies = [b'"%b"' % key, key, b'{"type":"%b","payload":{}}' % key, b'{"%b":1}' % key]
        bodies += [b'{"type":"noop","queue":"%b","payload":{"%b":1}}' % (key, key), b'["%b"]' % key]
        raws += [counted(body, C + b"%b: x\r\n" % key) for body in bodies] + [counted(body) for body in bodies]
        raws += [post(C, b"%b\r\n" % key), post(C, b"1;%b\r\n{\r\n0\r\n%b: %b\r\n\r\n" % (key, key, key))]

        for raw in raws:
            for server in (open_to_all, guarded):
                converse(port_of(server), [[raw + FOLLOWER]])

        for server in (open_to_all, guarded):
            written = (server.folder / "logs" / "app.log").read_text(encoding="utf-8") + server.said()
            self.assertNotIn("Sesame", written)

    def test_what_is_sent_can_not_write_log_lines(self) -> None:
        forged: list[dict[str, Any]] = [
            {"type": '\n{"event":"forged"}\x1b[2J', "payload": {}},
            {"type": "noop", "payload": {"\r\nforged": "\x1b]0;x\x07"}},
        ]
        for body in forged:
            self.one(counted(json.dumps(body).encode(), CLOSE))
        for raw in (
            get(H + CLOSE, line=b"GET /%0aforged%1b[2J HTTP/1.1".replace(b"[", b"%5b")),
            get(H + CLOSE, line=b"GET /a/{%22event%22:%22forged%22} HTTP/1.1"),
            get(H + CLOSE + b'X-Request-ID: a\xe2\x80\xa8{"event":"forged"}\r\n'),
            get(b"Host: \x1b[31mforged\r\n"),
            b"F\x1bORGED / HTTP/1.1\r\n" + H + b"\r\n",
        ):
            self.ask(raw)

        lines = open_to_all.logged()

        self.assertEqual([line for line in lines if line["event"] == "forged"], [])
        self.assertTrue(all({"ts", "level", "event", "msg"} <= line.keys() for line in lines))
        self.assertIsNone(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", open_to_all.said()))


def _rest(link: socket.socket) -> bytes:
    received = b""
    while data := link.recv(65536):
        received += data
    return received


if __name__ == "__main__":
    unittest.main()
