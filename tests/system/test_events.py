"""GET /api/events against a real server, worker and Redis: every transition, resumed without a silent gap."""

import contextlib
import http.client
import json
import socket
import time
import unittest
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lib.api.events import BOOKMARK_S, MOST_READERS
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import LIMIT_S, Server, Worker

NOOP: dict[str, Any] = {"type": "noop", "payload": {}}


class Message(NamedTuple):
    """What an EventSource would hand on; `last_id` is what it would come back with."""

    event: str
    data: Any
    last_id: str

    @property
    def step(self) -> tuple[str, str]:
        return self.data["by"], self.data["state"]


class EventsCase(unittest.TestCase):
    accept_encoding = "identity"

    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url))

    @contextlib.contextmanager
    def following(self, query: str = "", last_id: str = "") -> Iterator[Iterator[Message]]:
        """The messages of a stream that has begun."""
        parts = urlsplit(self.server.url)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
        with contextlib.closing(link):
            fields = {"Accept-Encoding": self.accept_encoding, **({"Last-Event-ID": last_id} if last_id else {})}
            link.request("GET", f"/api/events{query}", headers=fields)
            answer = link.getresponse()
            self.assertEqual((200, "text/event-stream"), (answer.status, answer.headers["Content-Type"]))
            self.assertEqual("no", answer.headers["X-Accel-Buffering"], "nginx would hold the stream back")
            self.assertEqual("Accept-Encoding", answer.headers["Vary"])
            is_gzipped = answer.headers["Content-Encoding"] == "gzip"
            self.assertEqual(self.accept_encoding == "gzip", is_gzipped)
            yield self.messages(self.unpacked(answer) if is_gzipped else answer)

    def unpacked(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        """The lines of a gzipped stream, as soon as they have come. Fails for one that ends amid gzip."""
        unpacker, rest = zlib.decompressobj(31), b""
        while packed := answer.read1():
            *lines, rest = (rest + unpacker.decompress(packed)).split(b"\n")
            yield from [line + b"\n" for line in lines]
        self.assertEqual((True, b"", b""), (unpacker.eof, unpacker.unused_data, rest))

    def messages(self, answer: Iterable[bytes]) -> Iterator[Message]:
        """As the HTML standard reads a stream. Fails for a block that it and common clients would read differently."""
        fields: dict[str, str] = {}
        is_first = True
        for raw in answer:
            line = raw.decode().rstrip("\n")
            if line.startswith(":"):
                self.assertEqual({}, fields, "a comment amid a message")
                continue
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            self.assertLessEqual({"id", "data"}, {*fields}, "a block without data, or without an id")
            self.assertEqual(is_first, "retry" in fields)
            self.assertLess(len(fields["id"]), 2000)
            yield Message(fields.get("event", "message"), json.loads(fields["data"]), fields["id"])
            fields, is_first = {}, False

    def post(self, body: dict[str, Any] = NOOP, **headers: str) -> str:
        status, job, _ = self.server.request("POST", "/api/jobs", body, **headers)
        self.assertEqual(202, status)
        return str(job["id"])

    def steps(self, messages: Iterator[Message], job_id: str, last: str) -> list[tuple[str, str]]:
        """What happens to one job, until it is in the state `last`."""
        found: list[tuple[str, str]] = []
        for message in messages:
            if message.data is not None and message.data.get("id") == job_id:
                found.append(message.step)
                if message.data["state"] == last:
                    return found
        raise AssertionError(f"the stream ended: {found}")


class Gzipped(EventsCase):
    accept_encoding = "gzip"

    def test_each_message_is_there_at_once_and_who_comes_back_misses_none(self) -> None:
        # A queue that begins amid the stream may tell of its first job or not: it is named before the job is there.
        self.post()
        with self.following("?queue=default") as messages:
            for _ in range(3):
                began_s = time.monotonic()
                job_id = self.post()
                message = next(messages)

                self.assertEqual(job_id, message.data["id"])
                self.assertLess(time.monotonic() - began_s, BOOKMARK_S, "gzip holds it back")
        missed = self.post()

        with self.following("?queue=default", last_id=message.last_id) as messages:
            self.assertEqual(missed, next(messages).data["id"])

    def test_it_ends_whole_after_for_s_and_when_the_server_leaves(self) -> None:
        with self.following("?for_s=0.1") as messages:
            self.assertEqual([], [message for message in messages if message.event != "bookmark"])
        with self.following() as messages:
            self.server.signal(15)

            self.assertEqual([], list(messages))
            self.assertEqual(0, self.server.wait())


class EventStream(EventsCase):
    def test_a_job_is_told_of_at_each_of_its_steps(self) -> None:
        with Worker(self.redis.url), self.following() as messages:
            done = self.post()
            self.assertEqual(
                [("enqueue", "ready"), ("claim", "active"), ("complete", "completed")],
                self.steps(messages, done, "completed"),
            )
            failing = self.post({"type": "fail", "payload": {}, "max_attempts": 2})
            steps = self.steps(messages, failing, "dead")
            self.assertEqual(
                [
                    ("enqueue", "ready"),
                    ("claim", "active"),
                    ("fail", "delayed"),
                    ("promote", "ready"),
                    ("claim", "active"),
                    ("fail", "dead"),
                ],
                steps,
            )
            later = self.post({**NOOP, "delay_s": 600})
            self.server.request("POST", f"/api/jobs/{later}/cancel")
            self.assertEqual(
                [("enqueue", "delayed"), ("cancel", "cancelled")], self.steps(messages, later, "cancelled")
            )
            self.server.request("POST", f"/api/jobs/{later}/retry")
            self.assertEqual(
                [("retry", "ready"), ("claim", "active"), ("complete", "completed")],
                self.steps(messages, later, "completed"),
            )

    def test_a_queue_that_begins_later_is_followed_too(self) -> None:
        with self.following() as messages:
            self.post({**NOOP, "queue": "first"})
            found = next(message for message in messages if message.data is not None)
            self.assertEqual(("reset", {"queue": "first"}), (found.event, found.data))
            wait_until(lambda: self.redis.client.exists("wb:{first}:listened"), "the new queue is listened to")
            job_id = self.post({**NOOP, "queue": "first"})

            self.assertEqual([("enqueue", "ready")], self.steps(messages, job_id, "ready"))

    def test_a_queue_that_is_none_yet_is_followed_once_it_is_one_and_until_then_nothing_is_kept_for_it(self) -> None:
        self.assertEqual(200, self.server.request("GET", "/api/events?queue=ghost&for_s=0.3")[0])
        with self.following("?queue=ghost") as messages:
            self.assertEqual([], self.redis.client.keys("wb:{ghost}:*"))
            self.post({**NOOP, "queue": "ghost"})
            found = next(message for message in messages if message.data is not None)
            job_id = self.post({**NOOP, "queue": "ghost"})

            self.assertEqual(("reset", {"queue": "ghost"}), (found.event, found.data))
            self.assertEqual([("enqueue", "ready")], self.steps(messages, job_id, "ready"))

    def test_a_queue_whose_stream_somebody_broke_costs_itself_its_events_until_it_is_mended(self) -> None:
        for queue in ("broken", "default"):
            self.post({**NOOP, "queue": queue})
        self.redis.client.set("wb:{broken}:events", "no stream")
        with self.following() as messages:
            job_id = self.post()
            self.assertEqual([("enqueue", "ready")], self.steps(messages, job_id, "ready"))
            status, problem, _ = self.server.request("GET", "/api/events?queue=broken")
            self.assertEqual((503, "/problems/keys-broken"), (status, problem["type"]))

            self.redis.client.delete("wb:{broken}:events")
            wait_until(lambda: self.redis.client.exists("wb:{broken}:events"), "it is listened to again")
            job_id = self.post({**NOOP, "queue": "broken"})

            self.assertEqual([("enqueue", "ready")], self.steps(messages, job_id, "ready"))

    def test_whoever_waits_for_a_job_of_such_a_queue_is_answered_a_little_later(self) -> None:
        self.redis.client.set("wb:{default}:events", "no stream")
        with Worker(self.redis.url):
            status, job, _ = self.server.request("POST", "/api/jobs", NOOP, prefer="wait=8")

        self.assertEqual((200, "completed"), (status, job["state"]))
        self.redis.client.delete("wb:{default}:events")

    def test_filters_leave_out_all_others(self) -> None:
        one = self.post({**NOOP, "delay_s": 600})
        self.post({**NOOP, "queue": "email"})
        with (
            self.following("?queue=email") as of_queue,
            self.following(f"?job={one}") as of_job,
            self.following("?request_id=mine.7") as of_request,
        ):
            self.post()
            asked = self.post({**NOOP, "queue": "email"}, x_request_id="mine.7")
            self.server.request("POST", f"/api/jobs/{one}/cancel")

            self.assertEqual(asked, self.first(of_queue).data["id"])
            cancelled = self.first(of_job).data
            self.assertEqual((one, "cancelled"), (cancelled["id"], cancelled["state"]))
            self.assertEqual(asked, self.first(of_request).data["id"])

    def first(self, messages: Iterator[Message]) -> Message:
        return next(message for message in messages if message.event == "message")

    def test_nothing_is_told_to_nobody(self) -> None:
        self.post()
        self.assertEqual(0, self.redis.client.xlen("wb:{default}:events"))

    def test_the_limit_of_readers_holds_however_many_ask_at_once(self) -> None:
        parts = urlsplit(self.server.url)
        with contextlib.ExitStack() as stack:
            links = [
                stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S))
                for _ in range(MOST_READERS + 20)
            ]
            for link in links:
                link.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            statuses = Counter(link.recv(12)[9:] for link in links)

        self.assertEqual({b"200": MOST_READERS, b"503": 20}, statuses)

    def test_what_can_not_be_is_refused(self) -> None:
        for query in ("?queue=A", "?job=x", "?for_s=-1", "?for_s=4000", f"?queue=b&job=a-{'0' * 32}", "?colour=red"):
            self.assertEqual(422, self.server.request("GET", f"/api/events{query}")[0], query)

    def test_it_ends_after_for_s_and_when_the_server_leaves(self) -> None:
        self.assertEqual(200, self.server.request("GET", "/api/events?for_s=0.2")[0])
        with self.following() as messages:
            self.server.signal(15)

            self.assertEqual([], [message for message in messages if message.data is not None])
            self.assertEqual(0, self.server.wait())

    def test_a_reader_that_left_is_not_kept(self) -> None:
        before = len(self.server.logged("request.ended"))
        for _ in range(3):
            with self.following():
                pass

        self.server.wait_for("request.ended", before + 3, within_s=10)


class Resumed(EventsCase):
    def read_until(self, messages: Iterator[Message], job_id: str) -> str:
        """The id of the message that tells of the job."""
        return next(message.last_id for message in messages if message.data.get("id") == job_id)

    def test_who_comes_back_is_told_what_happened_meanwhile(self) -> None:
        first = self.post()
        with self.following() as messages:
            seen = self.post()
            last_id = self.read_until(messages, seen)
        missed = [self.post(), self.post({**NOOP, "delay_s": 60})]

        with self.following(last_id=last_id) as messages:
            told = [next(message for message in messages if message.data is not None) for _ in missed]

        self.assertEqual(missed, [message.data["id"] for message in told])
        self.assertNotIn(first, [message.data["id"] for message in told])

    def test_who_comes_back_amid_a_batch_is_told_all_of_it(self) -> None:
        self.post()
        with self.following("?queue=default") as messages:
            self.server.request("POST", "/api/jobs/batch", [NOOP] * 3)
            (middle, *_) = [next(messages) for _ in range(3)][1:]

        with self.following("?queue=default", middle.last_id) as messages:
            again = [next(messages).data["id"] for _ in range(2)]

        self.assertIn(middle.data["id"], again)

    def test_where_nothing_is_told_for_a_while_a_bookmark_brings_the_id(self) -> None:
        self.post()
        with self.following("?request_id=other") as messages:
            bookmark = next(messages)
        missed = self.post(x_request_id="other")

        with self.following("?request_id=other", bookmark.last_id) as messages:
            told = next(messages)

        self.assertEqual(("bookmark", {"id": None}), (bookmark.event, bookmark.data))
        self.assertEqual(missed, told.data["id"])

    def test_the_first_id_over_many_queues_can_be_sent_back(self) -> None:
        jobs = [{**NOOP, "queue": f"a-queue-of-{number:04}"} for number in range(600)]
        self.server.request("POST", "/api/jobs/batch", jobs)
        with self.following() as messages:
            last_id = self.read_until(messages, self.post(jobs[7]))
        missed = self.post(jobs[8])

        with self.following(last_id=last_id) as messages:
            self.assertEqual([("enqueue", "ready")], self.steps(messages, missed, "ready"))

    def test_a_gap_is_told_and_what_is_there_still_comes(self) -> None:
        self.post()
        with self.following("?queue=default") as messages:
            last_id = self.read_until(messages, self.post())
        self.post()
        self.redis.client.xtrim("wb:{default}:events", maxlen=0, approximate=False)
        kept = self.post()

        with self.following("?queue=default", last_id) as messages:
            reset, job = [next(message for message in messages if message.data is not None) for _ in range(2)]

        self.assertEqual(("reset", {"queue": "default"}), (reset.event, reset.data))
        self.assertEqual(kept, job.data["id"])

    def test_a_time_in_which_nobody_listened_is_a_gap(self) -> None:
        self.post()
        with self.following("?queue=default") as messages:
            last_id = self.read_until(messages, self.post())
        self.redis.client.delete("wb:{default}:listened")
        self.post()

        with self.following("?queue=default", last_id) as messages:
            message = next(message for message in messages if message.data is not None)

        self.assertEqual(("reset", {"queue": "default"}), (message.event, message.data))

    def test_jobs_that_are_gone_may_have_been_of_the_request_and_are_told_of_by_a_reset(self) -> None:
        self.post()
        with self.following("?queue=default") as messages:
            last_id = self.read_until(messages, self.post())
        gone = [self.post({**NOOP, "delay_s": 60}, x_request_id="mine.8") for _ in range(2)]
        for job_id in gone:
            self.server.request("POST", f"/api/jobs/{job_id}/cancel")
            self.server.request("DELETE", f"/api/jobs/{job_id}")
        kept = self.post(x_request_id="mine.8")

        with self.following("?request_id=mine.8", last_id) as messages:
            reset, job = [next(message for message in messages if message.data is not None) for _ in range(2)]

        self.assertEqual(("reset", {"queue": "default"}), (reset.event, reset.data))
        self.assertEqual(kept, job.data["id"])

    def test_an_id_that_is_none_is_answered_by_a_reset_of_all(self) -> None:
        ahead = f"{time.time_ns() // 1_000_000};default=999999999999999-9"
        for last_id in ("x", "99999999999999", "1;a=1", "-1", "1" * 40, ahead):
            parts = urlsplit(self.server.url)
            link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
            with contextlib.closing(link):
                link.request("GET", "/api/events?for_s=0", headers={"Last-Event-ID": last_id})
                found = next(self.messages(link.getresponse()))

            self.assertEqual(("reset", {"queue": None}), (found.event, found.data), last_id)


if __name__ == "__main__":
    unittest.main()
