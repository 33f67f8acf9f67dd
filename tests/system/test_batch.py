"""POST /api/jobs/batch against a real server and Redis: arrays, uploads of any length, and uploads that break."""

import contextlib
import http.client
import json
import socket
import time
import unittest
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from lib.api.bulk.upload import LINE_BYTES
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import LIMIT_S, Server
from tests.system.oracle import assert_sound, states

NDJSON = "application/x-ndjson"
NOOP: dict[str, Any] = {"type": "noop", "payload": {}}
HEAD = b"POST /api/jobs/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"


def keyed(count: int) -> list[bytes]:
    """Lines, each with a key of its own."""
    return [json.dumps({**NOOP, "idempotency_key": f"line-{number}"}).encode() + b"\n" for number in range(count)]


class BatchCase(unittest.TestCase):
    aof: Literal["no", "always"] = "no"
    is_redis_gone = False

    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis(aof=self.aof))
        self.server = self.enterContext(Server(self.redis.url))

    def tearDown(self) -> None:
        if not self.is_redis_gone:
            assert_sound(self.redis.client)

    def take_redis_away(self) -> None:
        self.is_redis_gone = True
        self.redis.kill()

    def upload(self, body: bytes | Iterable[bytes], **headers: str) -> tuple[int, list[dict[str, Any]]]:
        """Sends all, then reads all, as http.client and requests do."""
        parts = urlsplit(self.server.url)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
        with contextlib.closing(link):
            link.request("POST", "/api/jobs/batch", body, {"Content-Type": NDJSON, **headers})
            answer = link.getresponse()
            return answer.status, [json.loads(line) for line in answer.read().splitlines()]

    def queued(self) -> int:
        return len(states(self.redis.client))

    def opened(self) -> socket.socket:
        parts = urlsplit(self.server.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S)


class Arrays(BatchCase):
    def post(self, body: Any, **headers: str) -> tuple[int, Any]:
        status, answer, _ = self.server.request("POST", "/api/jobs/batch", body, **headers)
        return status, answer

    def test_each_item_is_decided_by_itself_and_told_in_order(self) -> None:
        once = {**NOOP, "unique": {"key": "u"}}
        status, answer = self.post(
            [
                NOOP,
                3,
                {"type": "noop"},
                once,
                once,
                {**NOOP, "idempotency_key": "k"},
                {**NOOP, "idempotency_key": "k"},
                {**NOOP, "priority": "low", "idempotency_key": "k"},
                {**NOOP, "idempotency_key": 7},
                {**NOOP, "idempotency_key": ""},
                {**NOOP, "queue": "elsewhere", "delay_s": 60},
            ]
        )
        items = answer["items"]

        self.assertEqual((200, list(range(11))), (status, [item["index"] for item in items]))
        self.assertEqual([202, 422, 422, 202, 200, 202, 202, 422, 422, 422, 202], [item["status"] for item in items])
        self.assertEqual((items[3]["id"], items[5]["id"]), (items[4]["id"], items[6]["id"]))
        self.assertEqual("/problems/idempotency-key-reused", items[7]["problem"]["type"])
        self.assertEqual("/idempotency_key", items[8]["problem"]["errors"][0]["pointer"])
        self.assertEqual(4, self.queued())
        self.assertEqual(202, self.server.request("POST", "/api/jobs", NOOP, idempotency_key="k")[0])
        self.assertEqual(4, self.queued(), "a key here and in the header are one key")

    def test_at_most_one_job_in_a_time_though_it_has_ended_or_is_gone(self) -> None:
        once = {**NOOP, "unique": {"key": "u", "ttl_s": 600, "mode": "throttle"}}
        first = self.post([once])[1]["items"][0]
        self.server.request("POST", f"/api/jobs/{first['id']}/cancel")
        again = self.post([once, {**once, "unique": {**once["unique"], "mode": "latest"}}])[1]["items"]
        self.server.request("DELETE", f"/api/jobs/{first['id']}")
        gone = self.post([once])[1]["items"][0]

        self.assertEqual({"index": 0, "status": 200, "id": first["id"], "outcome": "duplicate"}, again[0])
        self.assertEqual((422, "/unique/mode"), (again[1]["status"], again[1]["problem"]["errors"][0]["pointer"]))
        self.assertEqual((409, first["id"]), (gone["status"], gone["problem"]["job_id"]))
        self.assertIn(gone["problem"]["retry_after_s"], range(500, 601))

    def test_a_thousand_and_none_are_fine_and_one_more_is_refused(self) -> None:
        self.assertEqual((200, []), (self.post([])[0], self.post([])[1]["items"]))
        self.assertEqual({202}, {item["status"] for item in self.post([NOOP] * 1000)[1]["items"]})

        status, problem = self.post([NOOP] * 1001)

        self.assertEqual((422, 1000), (status, self.queued()))
        self.assertIn("x-ndjson", problem["detail"])

    def test_a_job_that_waybill_stumbles_over_costs_itself_alone(self) -> None:
        good, bad = NOOP, {"type": "stumble", "payload": {}}

        status, answer = self.post([good, bad, good])

        self.assertEqual((200, [202, 500, 202]), (status, [item["status"] for item in answer["items"]]))
        self.assertEqual(2, self.queued())
        (line,) = self.server.logged("request.failed")
        self.assertIn("a fault that is not the payload's", line["traceback"])

    def test_what_is_no_batch_is_refused_whole(self) -> None:
        for body, expected in ((b"[", 400), (NOOP, 422), (b"", 400), (b"[1,]", 400), (b'"x"', 422)):
            self.assertEqual(expected, self.post(body)[0], body)
        self.assertEqual(422, self.post([NOOP], idempotency_key="k")[0])
        self.assertEqual(415, self.post([NOOP], content_type="text/csv")[0])
        with self.opened() as link, link.makefile("rb") as answer:
            link.sendall(HEAD.replace(b"x-nd", b"") + b"Content-Length: %d\r\n\r\n" % ((8 << 20) + 1))
            self.assertIn(b" 413 ", answer.readline())
        self.assertEqual(0, self.queued())

    def test_several_megabytes_are_taken(self) -> None:
        large = {"type": "echo", "payload": {"text": "x" * 15_000}}

        _, answer = self.post([large] * 500)

        self.assertEqual({202}, {item["status"] for item in answer["items"]})

    def test_at_max_depth_the_rest_is_refused_and_without_redis_each_is_503(self) -> None:
        self.post([NOOP])
        self.server.request("PATCH", "/api/queues/default", {"max_depth": 3})
        _, answer = self.post([NOOP] * 4)
        self.assertEqual([202, 202, 503, 503], [item["status"] for item in answer["items"]])
        self.take_redis_away()

        status, answer = self.post([NOOP] * 3)

        self.assertEqual((200, [503] * 3), (status, [item["status"] for item in answer["items"]]))
        self.assertEqual({"/problems/redis-unavailable"}, {item["problem"]["type"] for item in answer["items"]})


class Uploads(BatchCase):
    def test_a_line_in_a_line_out_and_a_bad_one_spoils_no_other(self) -> None:
        good = json.dumps(NOOP).encode()
        lines = [
            good,
            b"",
            b'{"type": "noop"',
            b" \t\r",
            b"\xff\xfe",
            b'"' + b"x" * LINE_BYTES + b'"',
            good + b"\r",
            b'{"type":"noop","payload":{},"colour":1}',
            b'{"type":"noop","payload":{},"queue":"other"}',
            good,
        ]

        status, items = self.upload(b"\n".join(lines))

        self.assertEqual((200, list(range(8))), (status, [item["index"] for item in items]))
        self.assertEqual([202, 400, 400, 413, 202, 422, 202, 202], [item["status"] for item in items])
        self.assertEqual(4, self.queued())
        (line,) = self.server.wait_for("batch.ended")
        self.assertEqual((8, 4, 0, 4), (line["lines"], line["queued"], line["known"], line["refused"]))
        self.assertEqual(0, len(self.server.logged("job.enqueued")))

    def test_a_job_that_waybill_stumbles_over_costs_its_line_alone(self) -> None:
        good, bad = json.dumps(NOOP), json.dumps({"type": "stumble", "payload": {}})

        status, items = self.upload("\n".join([good, bad, good]).encode())

        self.assertEqual((200, [202, 500, 202]), (status, [item["status"] for item in items]))
        self.assertEqual(2, self.queued())

    def test_lines_are_answered_while_the_upload_goes_on(self) -> None:
        with self.opened() as link, link.makefile("rb") as answer:
            link.sendall(HEAD + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(b"HTTP/1.1 100 Continue\r\n", answer.readline())
            answer.readline()
            for number in range(3):
                line = json.dumps(NOOP).encode() + b"\n"
                link.sendall(b"%x\r\n%b\r\n" % (len(line), line))
                while (found := answer.readline()) and not found.startswith(b"{"):
                    self.assertTrue(number == 0 or not found.startswith(b"HTTP"))
                self.assertEqual((number, 202), (json.loads(found)["index"], json.loads(found)["status"]))
            link.sendall(b"0\r\n\r\n")

    def test_a_client_that_sends_everything_before_it_reads_gets_everything(self) -> None:
        # Refusals are longer than what is refused: some 30 MB of answer, far more than any socket holds.
        count = 100_000

        status, items = self.upload(b"{}\n" * count)

        self.assertEqual((200, count), (status, len(items)))
        self.assertEqual((list(range(count)), {422}), ([i["index"] for i in items], {i["status"] for i in items}))

    def test_memory_stays_as_it_is_however_long_the_upload(self) -> None:
        def body(count: int) -> Iterator[bytes]:
            for _ in range(count // 1000):
                yield (json.dumps(NOOP).encode() + b"\n") * 1000

        self.upload(body(2_000))
        before_kb = self.peak_kb()
        status, items = self.upload(body(20_000))

        self.assertEqual((200, {202}), (status, {item["status"] for item in items}))
        self.assertLess(self.peak_kb() - before_kb, 4_000)
        self.assertEqual(22_000, self.redis.client.zcard("wb:{default}:all"))

    def peak_kb(self) -> int:
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    def test_others_are_served_while_it_goes_on(self) -> None:
        with self.opened() as link:
            line = json.dumps(NOOP).encode() + b"\n"
            link.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (len(line) * 20_001) + line * 20_000)

            statuses = {self.server.request("GET", "/livez")[0] for _ in range(20)}
            status, _, _ = self.server.request("POST", "/api/jobs", NOOP)

            self.assertEqual(({200}, 202), (statuses, status))


class Breaks(BatchCase):
    aof = "always"

    def test_an_upload_that_broke_is_sent_again_and_each_line_is_queued_once(self) -> None:
        lines = keyed(3000)
        half = b"".join(lines[:1500])
        with self.opened() as link:
            link.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(b"".join(lines)) + half + lines[1500][:20])
            wait_until(lambda: self.redis.client.zcard("wb:{default}:all") == 1500, "what was sent is queued")

        status, items = self.upload(b"".join(lines))

        self.assertEqual((200, {202}, 3000), (status, {item["status"] for item in items}, len(items)))
        self.assertEqual(({item["id"] for item in items}, 3000), ({*states(self.redis.client)}, self.queued()))

    def test_a_server_that_is_killed_half_way_has_queued_no_line_twice_after_all(self) -> None:
        lines = keyed(5000)
        with self.opened() as link:
            link.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(b"".join(lines)) + b"".join(lines[:3000]))
            wait_until(lambda: self.redis.client.zcard("wb:{default}:all") >= 500, "some are queued")
            self.server.kill()
        with Server(self.redis.url) as self.server:
            _, items = self.upload(b"".join(lines))

        self.assertEqual((5000, {202}), (len({item["id"] for item in items}), {item["status"] for item in items}))
        self.assertEqual(5000, self.queued())

    def test_what_breaks_off_in_the_middle_of_a_line_is_no_line(self) -> None:
        with self.opened() as link:
            link.sendall(
                HEAD + b'Content-Length: 1000\r\n\r\n{"type":"noop","payload":{}}\n{"type":"noop","payload":{}}'
            )
            link.shutdown(socket.SHUT_WR)
            with link.makefile("rb") as answer:
                items = [json.loads(line) for line in answer if line.startswith(b"{")]

        self.assertEqual(
            [(0, 202, None), (1, 400, True)], [(i["index"], i["status"], i.get("ended_early")) for i in items]
        )
        self.assertEqual(1, self.queued())

    def test_redis_that_comes_back_costs_the_lines_that_were_on_their_way_and_no_others(self) -> None:
        lines = keyed(6000)

        def body() -> Iterator[bytes]:
            yield b"".join(lines[:1000])
            wait_until(lambda: self.redis.client.zcard("wb:{default}:all") == 1000, "they are queued")
            self.redis.kill()
            yield b"".join(lines[1000:2000])
            wait_until(lambda: self.server.request("GET", "/readyz")[0] == 503, "the server has seen that it is gone")
            self.redis.start()
            yield b"".join(lines[2000:])

        _, items = self.upload(body())
        _, again = self.upload(b"".join(lines))

        self.assertEqual(list(range(6000)), [item["index"] for item in items])
        self.assertFalse([item for item in items if "ended_early" in item])
        self.assertEqual({202, 503}, {item["status"] for item in items})
        self.assertEqual(202, items[-1]["status"])
        self.assertEqual({202}, {item["status"] for item in again})
        self.assertEqual({item["id"] for item in again}, {*states(self.redis.client)})

    def test_redis_that_stays_away_ends_it_with_a_line_that_says_where(self) -> None:
        lines = keyed(20_000)

        def body() -> Iterator[bytes]:
            yield b"".join(lines[:1000])
            wait_until(lambda: self.redis.client.zcard("wb:{default}:all") == 1000, "they are queued")
            self.take_redis_away()
            yield from lines[1000:]

        status, items = self.upload(body())
        *others, last = items

        self.assertEqual((200, [*range(len(items))]), (status, [item["index"] for item in items]))
        self.assertEqual((503, True), (last["status"], last["ended_early"]))
        self.assertIn("10 s", last["problem"]["detail"])
        # The last commit's reply may not have been read when Redis went: its lines are 503 outcome-unknown.
        self.assertEqual({202, 503}, {item["status"] for item in others})
        self.assertEqual({503}, {item["status"] for item in others[1000:]})
        self.assertLess(len(others), 6000)

    def test_a_server_that_leaves_says_so_in_the_last_line_however_silent_the_client_is(self) -> None:
        with self.opened() as link:
            line = json.dumps(NOOP).encode() + b"\n"
            link.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(line), line))
            wait_until(lambda: self.queued() == 1, "it is queued")
            self.server.signal(15)
            began_s = time.monotonic()
            with link.makefile("rb") as answer:
                items = [json.loads(found) for found in answer if found.startswith(b"{")]

        self.assertLess(time.monotonic() - began_s, 4)
        self.assertEqual("/problems/draining", items[-1]["problem"]["type"])
        self.assertTrue(items[-1]["ended_early"])
        self.assertEqual(0, self.server.wait())


if __name__ == "__main__":
    unittest.main()
