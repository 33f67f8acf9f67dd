"""GET /api/events?digest_s=…: the queues that have changed, against a real server, worker and Redis."""

import contextlib
import http.client
import itertools
import socket
import time
import unittest
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from lib.api.event_messages import HEARTBEAT_S
from lib.api.events import MOST_READERS
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import LIMIT_S, Server, Worker
from tests.system.test_events import NOOP, EventsCase, Message

FIELDS = {"at", "version", "start", "more", "late", "queues", "removed", "warnings"}


class DigestsCase(EventsCase):
    def digests(self, messages: Iterator[Message]) -> Iterator[dict[str, Any]]:
        """The data of each message, each of the form that the contract names."""
        for message in messages:
            self.assertEqual("queues", message.event)
            self.assertEqual(FIELDS, message.data.keys())
            self.assertLessEqual(len(message.data["queues"]), 50)
            yield message.data

    def started(self, digests: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
        """The queues with which a stream starts."""
        queues: list[dict[str, Any]] = []
        for digest in digests:
            self.assertTrue(digest["start"])
            queues += digest["queues"]
            if not digest["more"]:
                return queues
        raise AssertionError("the stream ended before it had started")

    def until(self, digests: Iterator[dict[str, Any]], queue: str, **fields: object) -> list[str]:
        """Read on until a message has the queue with these fields; the names of all queues that were told of."""
        told: list[str] = []
        for digest in digests:
            self.assertFalse(digest["start"])
            for one in digest["queues"]:
                told.append(one["name"])
                if one["name"] == queue and all(one[name] == value for name, value in fields.items()):
                    return told
        raise AssertionError(f"the stream ended: {told}")

    def names(self, queues: list[dict[str, Any]]) -> list[str]:
        return [one["name"] for one in queues]

    def fill(self, *queues: str) -> None:
        status, _, _ = self.server.request("POST", "/api/jobs/batch", [{**NOOP, "queue": queue} for queue in queues])
        self.assertEqual(200, status)


class Digests(DigestsCase):
    def test_it_starts_with_every_queue_as_the_list_shows_it_fifty_a_message(self) -> None:
        names = [f"queue-{number:03}" for number in range(120)]
        self.fill(*names)
        with self.following("?digest_s=1") as messages:
            first = [next(messages).data for _ in range(3)]

        _, listed, _ = self.server.request("GET", "/api/queues")
        told = [one for digest in first for one in digest["queues"]]
        self.assertEqual([(True, 50, 70), (True, 50, 20), (True, 20, 0)], [self.size(digest) for digest in first])
        self.assertEqual(names, self.names(told))
        self.assertEqual([self.without_age(one) for one in listed["items"]], [self.without_age(one) for one in told])

    def size(self, digest: dict[str, Any]) -> tuple[bool, int, int]:
        return digest["start"], len(digest["queues"]), digest["more"]

    def without_age(self, queue: dict[str, Any]) -> dict[str, Any]:
        """A minute may begin between two answers: the rates are left out as well."""
        return {**queue, "oldest_ready_age_s": queue["oldest_ready_age_s"] is None, "per_minute": None}

    def test_without_a_queue_it_starts_all_the_same(self) -> None:
        with self.following("?digest_s=1&for_s=0") as messages:
            (digest,) = self.digests(messages)

        self.assertEqual((True, [], 0), (digest["start"], digest["queues"], digest["more"]))

    def test_from_then_on_it_tells_of_changed_queues_alone(self) -> None:
        self.fill("idle", "email")
        # The worker is there before, for after 10 s the numbers of a minute ago are asked for again.
        with Worker(self.redis.url, WORKER_QUEUES="default=2"), self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.assertEqual(["default", "email", "idle"], self.names(self.started(digests)))
            self.fill("default")
            counts = dict.fromkeys(("ready", "active", "delayed", "blocked", "dead", "cancelled"), 0)

            self.assertEqual({"default"}, {*self.until(digests, "default", counts={**counts, "completed": 1})})

    def test_many_that_change_at_once_come_fifty_a_second(self) -> None:
        names = [f"queue-{number:03}" for number in range(120)]
        self.fill(*names)
        with self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.started(digests)
            self.fill(*names)
            told: list[str] = []
            times = []
            while len(set(told)) < len(names):
                digest = next(digests)
                times.append(datetime.fromisoformat(digest["at"]).timestamp())
                told += self.names(digest["queues"])

        self.assertGreaterEqual(len(times), 3)
        # The times are those of Redis, of which the server knows as well as its last answer was quick.
        self.assertGreater(min(after - before for before, after in itertools.pairwise(times)), 0.5)

    def test_a_pause_and_a_setting_are_changes(self) -> None:
        self.fill("email", "idle")
        with self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.started(digests)
            self.server.request("POST", "/api/queues/email/pause")
            self.until(digests, "email", paused=True)
            self.server.request("PATCH", "/api/queues/email", {"max_depth": 7})

            self.assertEqual(["email"], self.until(digests, "email", max_depth=7))

    def test_a_queue_that_begins_and_one_that_is_removed_are_told_of(self) -> None:
        job_id = self.post({**NOOP, "queue": "old", "delay_s": 60})
        with self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.started(digests)
            self.fill("new")
            self.until(digests, "new")
            self.server.request("POST", f"/api/jobs/{job_id}/cancel")
            self.server.request("DELETE", f"/api/jobs/{job_id}")
            self.assertEqual(204, self.server.request("DELETE", "/api/queues/old")[0])

            removed = next(digest for digest in digests if digest["removed"])
            self.assertEqual((["old"], False), (removed["removed"], "old" in self.names(removed["queues"])))

    def test_it_can_be_had_of_some_queues(self) -> None:
        self.fill("a", "b", "c")
        with self.following("?digest_s=1&queue=a,b,later") as messages:
            digests = self.digests(messages)
            self.assertEqual(["a", "b"], self.names(self.started(digests)))
            self.fill("c", "later")

            self.assertEqual(["later"], self.until(digests, "later"))

    def test_who_comes_back_starts_anew_and_misses_nothing(self) -> None:
        self.fill("a", "b")
        with self.following("?digest_s=1") as messages:
            last_id = next(messages).last_id
        self.fill("a", "c")

        with self.following("?digest_s=1", last_id=last_id) as messages:
            queues = self.started(self.digests(messages))

        self.assertEqual(
            [("a", 2), ("b", 1), ("c", 1)], [(queue["name"], queue["counts"]["ready"]) for queue in queues]
        )

    def test_an_id_of_a_digest_can_be_taken_to_the_stream_of_jobs(self) -> None:
        self.post()
        with self.following("?digest_s=1") as messages:
            last_id = next(messages).last_id
            missed = self.post()

        with self.following(last_id=last_id) as messages:
            self.assertEqual(missed, next(messages).data["id"])

    def test_a_slower_digest_tells_all_that_changed_meanwhile_at_once(self) -> None:
        self.fill("a", "b")
        began_s = time.monotonic()
        with self.following("?digest_s=4") as messages:
            digests = self.digests(messages)
            self.started(digests)
            self.fill("a")
            a_filled_s = time.monotonic()
            wait_until(lambda: time.monotonic() > a_filled_s + 1.5, "a beat has passed")
            self.fill("b")
            digest = next(digests)

        self.assertEqual(["a", "b"], sorted(self.names(digest["queues"])))
        self.assertGreater(time.monotonic() - began_s, 4)


class Gzipped(DigestsCase):
    accept_encoding = "gzip"

    def test_its_start_is_an_eighth_and_each_change_is_there_in_its_second(self) -> None:
        names = [f"queue-{number:03}" for number in range(120)]
        self.fill(*names)
        with self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.assertEqual(names, self.names(self.started(digests)))
            for ready in (2, 3):
                began_s = time.monotonic()
                self.fill("queue-007")
                told = next(digests)["queues"]

                self.assertEqual([("queue-007", ready)], [(one["name"], one["counts"]["ready"]) for one in told])
                self.assertLess(time.monotonic() - began_s, HEARTBEAT_S, "gzip holds it back")
        plain, gzipped = (self.size_of_start(encoding) for encoding in ("identity", "gzip"))
        self.assertLess(gzipped, plain / 8)

    def size_of_start(self, encoding: str) -> int:
        """The bytes of a stream that ends where it has started."""
        parts = urlsplit(self.server.url)
        with contextlib.closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)) as link:
            link.request("GET", "/api/events?digest_s=1&for_s=0", headers={"Accept-Encoding": encoding})
            return len(link.getresponse().read())


class Ends(DigestsCase):
    def test_it_ends_after_for_s_and_when_the_server_leaves(self) -> None:
        self.assertEqual(200, self.server.request("GET", "/api/events?digest_s=60&for_s=0.2")[0])
        with self.following("?digest_s=60") as messages:
            digests = self.digests(messages)
            self.started(digests)
            began_s = time.monotonic()
            self.server.signal(15)

            self.assertEqual([], list(digests))
            self.assertEqual(0, self.server.wait())
        self.assertLess(time.monotonic() - began_s, 5)

    def test_it_goes_on_after_redis_was_away_and_came_back_empty(self) -> None:
        self.fill("a", "b")
        with self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.started(digests)
            self.redis.stop()
            wait_until(lambda: self.server.request("GET", "/api/queues")[0] == 503, "the server has seen it")
            self.assertEqual(503, self.server.request("GET", "/api/events?digest_s=1")[0])
            self.redis.start()
            removed = next(digest for digest in digests if digest["removed"])
            wait_until(lambda: self.server.request("POST", "/api/jobs", {**NOOP, "queue": "c"})[0] == 202, "it is back")

            self.assertEqual(["a", "b"], sorted(removed["removed"]))
            self.until(digests, "c")

    def test_what_can_not_be_is_refused(self) -> None:
        many = ",".join(f"q{number}" for number in range(51))
        for query, pointer in (
            ("digest_s=0", "?digest_s"),
            ("digest_s=61", "?digest_s"),
            ("digest_s=1.5", "?digest_s"),
            ("digest_s=soon", "?digest_s"),
            (f"digest_s=1&job=a-{'0' * 32}", "?digest_s"),
            ("digest_s=1&request_id=mine", "?digest_s"),
            ("digest_s=1&queue=a,", "?queue"),
            (f"digest_s=1&queue={quote('a, b')}", "?queue"),
            (f"queue={many}", "?queue"),
        ):
            status, problem, _ = self.server.request("GET", f"/api/events?{query}")
            self.assertEqual((422, pointer), (status, problem["errors"][0]["pointer"]), query)

    def test_readers_of_digests_count_among_the_readers(self) -> None:
        parts = urlsplit(self.server.url)
        with contextlib.ExitStack() as stack:
            links = [
                stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S))
                for _ in range(MOST_READERS + 10)
            ]
            for link in links:
                link.sendall(b"GET /api/events?digest_s=9 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            statuses = Counter(link.recv(12)[9:] for link in links)

        self.assertEqual({b"200": MOST_READERS, b"503": 10}, statuses)

    def test_a_reader_that_left_is_not_kept(self) -> None:
        before = len(self.server.logged("request.ended"))
        for _ in range(3):
            with self.following("?digest_s=1"):
                pass

        self.server.wait_for("request.ended", before + 3, within_s=10)


class RedisAway(DigestsCase):
    """Redis keeps its data, and loses its connections: the read that waits for events ends, and goes on."""

    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis(aof="always"))
        self.server = self.enterContext(Server(self.redis.url))

    def post_when_back(self) -> str:
        def posted() -> Any:
            status, job, _ = self.server.request("POST", "/api/jobs", NOOP)
            return job["id"] if status == 202 else None

        return str(wait_until(posted, "Redis is back"))

    def expect_nothing_missed(self, interrupt: Callable[[], None]) -> None:
        self.post()
        with self.following("?queue=default") as of_jobs, self.following("?digest_s=1") as messages:
            digests = self.digests(messages)
            self.started(digests)
            before = self.post()
            self.assertEqual(before, next(of_jobs).data["id"])
            self.until(digests, "default", totals={"enqueued": 2})
            interrupt()
            after = self.post_when_back()

            message = next(message for message in of_jobs if message.event != "bookmark")
            self.assertEqual(("message", after), (message.event, message.data["id"]))
            self.until(digests, "default", totals={"enqueued": 3})

    def test_a_restart_costs_no_event(self) -> None:
        def restart() -> None:
            self.redis.kill()
            self.redis.start()

        self.expect_nothing_missed(restart)

    def test_a_time_in_which_redis_answers_nothing_costs_none_either(self) -> None:
        def freeze() -> None:
            self.redis.freeze()
            try:
                wait_until(lambda: self.server.request("GET", "/api/queues")[0] == 503, "the server has seen it")
            finally:
                self.redis.thaw()

        self.expect_nothing_missed(freeze)

    def test_a_stream_in_which_nothing_happens_tells_at_once_that_redis_went_away(self) -> None:
        self.post()
        parts = urlsplit(self.server.url)
        with contextlib.closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)) as link:
            link.request("GET", "/api/events?digest_s=1")
            lines = iter(link.getresponse())
            next(line for line in lines if line.startswith(b"data:"))
            self.redis.kill()
            began_s = time.monotonic()
            next(line for line in lines if line.startswith(b": Redis is away"))

            self.assertLess(time.monotonic() - began_s, HEARTBEAT_S)


class OfJobs(EventsCase):
    def test_the_jobs_of_several_queues_can_be_followed(self) -> None:
        self.post({**NOOP, "queue": "a"})
        self.post({**NOOP, "queue": "b"})
        self.post({**NOOP, "queue": "c"})
        with self.following("?queue=a,b") as messages:
            self.post({**NOOP, "queue": "c"})
            wanted = [self.post({**NOOP, "queue": queue}) for queue in ("a", "b")]

            self.assertEqual(wanted, [next(messages).data["id"] for _ in wanted])

    def test_a_pause_is_told_to_no_reader_of_jobs(self) -> None:
        self.post()
        with self.following() as messages:
            self.server.request("POST", "/api/queues/default/pause")
            job_id = self.post()
            message = next(messages)

            self.assertEqual(("message", job_id), (message.event, message.data["id"]))


if __name__ == "__main__":
    unittest.main()
