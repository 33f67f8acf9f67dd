"""Garbage in any key, of any type: it costs the queue whose key it is, while it is there, and no other queue anything.

The kinds of keys are read from the table of lib/queue/keys.py, so that one that is added there is broken here too.
Each kind and each type of garbage has a queue of its own, `a-…`, all of them served by one runner together with `b`.
"""

import json
import re
import time
import unittest
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lib.queue import keys
from tests.processes import LIMIT_S, Server, Worker
from tests.system.worker_case import WorkerCase

RAW = (b"garbage", b"\xff\xfe", b"", b"a\x1eb\x1fc")
TYPES = ("string", "list", "hash", "set", "zset")
BROKEN_FOR_S = 1.5  # Long enough for upkeep, ticks and claims to come upon it.
SOON_S = 10.0
OF_GROUPS = ("line:", "turns:", "running:", "full", "resting", "held", "rate:", "limits", "groups", "stale", "bells")
"""How the kinds of keys begin that queues with limits or groups have."""
LIMITS = {"concurrency": 50, "groups": {"concurrency": 50, "rate": {"limit": 1000, "per_s": 1}}}
_ROW = re.compile(r"^wb:\{q\}:(\S.*?)\s{2,}([A-Z]+)\s", re.MULTILINE)


def kinds() -> Iterator[str]:
    """Every kind of a queue's keys, as the table names it: `ready:high`, `job:<id>` …"""
    for names, _ in _ROW.findall(str(keys.__doc__)):
        for name in [names] if "<" in names else names.split():
            stem, _, choices = name.rpartition(":")
            yield from [f"{stem}:{choice}" for choice in choices.split("|")] if "|" in name else [name]


class Broken(NamedTuple):
    """A queue, the kind of its key that is broken, and by what."""

    queue: str
    kind: str
    garbage: str

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a job that uses such a key."""
        if self.kind.startswith("tag:"):
            return {"tags": ["a-tag"]}
        return {"group": "a-group"} if self.kind.startswith(OF_GROUPS) else {}


def fill(client: Any, key: str, garbage: str) -> None:
    """Garbage of one type. A hash keeps its fields, and a sorted set its members, with values that make no sense."""
    is_right = client.type(key).decode() == garbage
    known = client.hkeys(key) if is_right and garbage == "hash" else []
    known = client.zrange(key, 0, -1) if is_right and garbage == "zset" else known
    client.delete(key)
    writes: dict[str, Callable[[], Any]] = {
        "string": lambda: client.set(key, RAW[1]),
        "list": lambda: client.rpush(key, *RAW),
        "hash": lambda: client.hset(key, mapping=dict.fromkeys([*known, *RAW], RAW[1])),
        "set": lambda: client.sadd(key, *RAW),
        "zset": lambda: client.zadd(key, {**dict.fromkeys(known, float("inf")), **dict.fromkeys(RAW, -5)}),
    }
    writes[garbage]()


class BrokenCase(WorkerCase):
    maxDiff = None
    fields: dict[str, dict[str, Any]] = {}  # noqa: RUF012
    """queue -> the fields of its jobs, beside those of all."""

    def begin(self, worker_queues: str) -> None:
        self.runners = self.ready(WORKER_QUEUES=worker_queues)
        self.server = Server(self.redis.url)
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.wait_until_ready()
        parts = urlsplit(self.server.url)
        self.link = HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
        self.addCleanup(self.link.close)

    def taken(self, *queues: str, **options: Any) -> dict[str, str]:
        """queue -> the id of the job that it took in."""
        jobs = [
            {"type": "noop", "payload": {}, "queue": queue, **self.fields.get(queue, {}), **options} for queue in queues
        ]
        _, answer, _ = self.server.request("POST", "/api/jobs/batch", jobs)
        self.assertEqual([], [(queues[item["index"]], item) for item in answer["items"] if item["status"] != 202])
        return dict(zip(queues, [item["id"] for item in answer["items"]], strict=True))

    def state(self, queue: str, job_id: str) -> Any:
        return self.redis.client.hget(f"wb:{{{queue}}}:job:{job_id}", "state")

    def until_completed(self, ids: dict[str, str]) -> None:
        """queue -> the id of its job."""

        def rest() -> list[str]:
            return [queue for queue, job_id in ids.items() if self.state(queue, job_id) != b"completed"]

        try:
            self.until(lambda: not rest(), "all completed", SOON_S)
        except AssertionError:
            self.fail(f"not completed: {rest()}\n{self.runners.said()[-3000:]}")

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """As Server.request, on one connection for all."""
        fields = {"Content-Type": "application/json"}
        if path == "/api/jobs":
            fields["Idempotency-Key"] = "a-key"  # One request's, in each queue.
        self.link.request(method, path, json.dumps(body) if body is not None else None, fields)
        reply = self.link.getresponse()
        return reply.status, json.loads(reply.read())

    def assert_answered(self, *paths: str) -> None:
        for path in paths:
            self.assertEqual(200, self.server.request("GET", path, accept="*/*")[0], path)

    def assert_quiet(self, program: Worker | Server) -> None:
        """No process has said twice what went wrong. (What stands in `suspects` has an isolation runner started.)"""
        failed = [line for line in program.logged() if line["event"].endswith(".failed")]
        said = Counter((line["event"], line.get("queue"), line["msg"]) for line in failed)
        processes = max(1, len(program.logged("runner.started")))
        self.assertEqual({}, {what: count for what, count in said.items() if count > processes})

    def assert_undisturbed(self, pids: list[int]) -> None:
        self.assertEqual((pids, []), (self.runners.runner_pids()[:1], self.runners.logged("runner.died")))
        self.assert_quiet(self.runners)
        self.assert_quiet(self.server)
        self.assertEqual(0, self.runners.stop())


class OfAQueue(BrokenCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.clear)
        pairs = [(kind, garbage) for kind in kinds() for garbage in TYPES]
        self.all = [Broken(f"a-{re.sub('[^a-z]+', '-', kind)}-{garbage}", kind, garbage) for kind, garbage in pairs]
        self.fields = {one.queue: one.fields for one in self.all}
        self.begin(",".join(["b=4", *[f"{one.queue}=1" for one in self.all]]))
        for one in self.all:
            if "group" in one.fields:
                self.assertEqual(200, self.ask("PATCH", f"/api/queues/{one.queue}", LIMITS)[0])

    def key(self, one: Broken, job_id: str) -> str:
        """The key that is broken: where there are many of a kind, one that the queue uses."""
        (runner_id,) = self.redis.client.hkeys(f"wb:{{{one.queue}}}:workers")
        places = {
            "<id>": job_id,
            "<runner>": runner_id.decode(),
            "<process>": self.process_id(one.queue),
            "<n>": str(int(time.time() // 60)),
            "<period>": str(int(time.time() // 300)),
            "<hour>": str(int(time.time() // 3600)),
            "<key>": "a-key",
            "<group>": "a-group",
            "<priority>:<group>": "normal:a-group",
            "<tag>": "a-tag",
            "<name>": "a-schedule",
            "<caller> <key>": "- a-key",
        }
        stem, angle, place = one.kind.partition("<")
        return f"wb:{{{one.queue}}}:{stem}{places[angle + place] if angle else ''}"

    def process_id(self, queue: str) -> str:
        """Of the server, as its commits bear it."""
        (key,) = self.redis.client.keys(f"wb:{{{queue}}}:commit:*")
        return str(key.decode().rpartition(":")[2])

    def look(self, one: Broken, job_id: str) -> Iterator[str]:
        """What is asked of a broken queue and is answered as if by a fault of ours."""
        keyed = {"type": "noop", "payload": {}, "queue": one.queue, "unique": {"key": "a-key"}}
        for method, path, body in (
            ("POST", "/api/jobs", keyed),
            ("GET", f"/api/queues/{one.queue}", None),
            ("GET", f"/api/queues/{one.queue}/groups", None),
            ("GET", f"/api/jobs?queue={one.queue}", None),
            ("GET", f"/api/jobs/{job_id}", None),
            ("POST", f"/api/jobs/{job_id}/cancel", None),
        ):
            status, answer = self.ask(method, path, body)
            if status not in (200, 202, 404, 409) and answer["type"] != "/problems/keys-broken":
                yield f"{one.kind} {one.garbage}: {method} {path}: {answer}"

    def test_it_costs_the_queue_whose_key_it_is_and_no_other_anything(self) -> None:
        client = self.redis.client
        pids = self.runners.runner_pids()
        queues = [one.queue for one in self.all]
        before = self.taken("b")
        waiting = self.taken(*queues, delay_s=600)

        broken = {one: self.key(one, waiting[one.queue]) for one in self.all}
        for one, key in broken.items():
            fill(client, key, one.garbage)
        ends_s = time.monotonic() + BROKEN_FOR_S
        self.until_completed(self.taken("b"))
        self.assertEqual([], [fault for one in self.all for fault in self.look(one, waiting[one.queue])])
        self.assert_answered(
            "/api/jobs", "/api/queues", "/api/workers", "/api/jobs?queue=b", "/api/queues/b", "/metrics"
        )
        self.until(lambda: time.monotonic() > ends_s, "it has been broken for long enough")
        self.until_completed(self.taken("b"))
        client.delete(*broken.values())

        self.until_completed(self.taken(*queues, "b"))
        self.until_completed(before)
        self.assert_undisturbed(pids)

    def clear(self) -> None:
        """What was broken is not sound any more; `b` is looked at by the oracle."""
        client = self.redis.client
        client.delete(*client.keys("wb:{a-*"))
        client.srem("wb:queues", *[one.queue for one in self.all])


class Beside(BrokenCase):
    def setUp(self) -> None:
        super().setUp()
        self.redis.client.sadd("wb:queues", "a")
        self.redis.client.set("wb:{a}:all", "no sorted set")
        self.addCleanup(self.redis.client.delete, "wb:{a}:all")

    def test_in_a_batch_it_costs_its_own_jobs_alone(self) -> None:
        self.begin("b=4")
        queues = ["a", "b"] * 20
        jobs = [{"type": "noop", "payload": {}, "queue": queue} for queue in queues]
        lines = "\n".join(map(json.dumps, jobs)).encode()

        _, array, _ = self.server.request("POST", "/api/jobs/batch", jobs)
        _, upload, _ = self.server.request("POST", "/api/jobs/batch", lines, content_type="application/x-ndjson")

        for items in (array["items"], list(map(json.loads, upload.splitlines()))):
            self.assertEqual(len(queues), len(items))
            for queue, item in zip(queues, items, strict=True):
                self.assertEqual(202 if queue == "b" else 503, item["status"], item)

    def test_a_listing_of_all_names_it_and_shows_the_others(self) -> None:
        self.begin("b=4")
        ids = self.taken("b")

        for path in ("/api/jobs", "/api/queues", "/api/queues?sort=trouble"):
            status, answer = self.ask("GET", path)
            self.assertEqual((200, 1), (status, len(answer["items"])), answer)
            (warning,) = answer["warnings"]
            self.assertTrue(warning.startswith("a can't be read: ") and "WRONGTYPE" in warning, warning)
        self.assertEqual(ids["b"], self.ask("GET", "/api/jobs")[1]["items"][0]["id"])
        status, problem = self.ask("GET", "/api/jobs?queue=a")
        self.assertEqual((503, "/problems/keys-broken"), (status, problem["type"]))

    def test_the_doctor_names_the_key_and_goes_on(self) -> None:
        program = Worker(self.redis.url)
        self.addCleanup(program.close)
        job_id = self.post("noop", {"queue": "b"})
        self.redis.client.delete("wb:{b}:ready:normal")

        code, said = program.examined("--check")

        self.assertEqual(1, code)
        self.assertIn("WRONG  Jobs: a: wb:{a}:all holds no zset; mend it or delete it\n", said)
        self.assertIn(f"WRONG  Jobs: b: {job_id} is ready and stands in no place\n", said)
        self.redis.client.lpush("wb:{b}:ready:normal", job_id)


class OfAll(BrokenCase):
    """wb:queues and wb:runners, which are no queue's."""

    def test_a_broken_set_of_names_or_runners_stops_no_queue_and_mends_by_itself_once_it_is_deleted(self) -> None:
        self.redis.client.set("wb:queues", "no set")
        self.begin("b=4")
        client = self.redis.client
        pids = self.runners.runner_pids()

        for garbage in TYPES:
            for key in ("wb:queues", "wb:runners"):
                fill(client, key, garbage)
            self.until_completed(self.taken("b"))
            self.assert_answered("/api/jobs?queue=b", "/api/queues/b", "/api/health", "/metrics")
            for path in ("/api/queues", "/api/jobs"):
                status, answer = self.ask("GET", path)
                self.assertTrue(status == 200 or answer["type"] == "/problems/keys-broken", (garbage, answer))
            client.delete("wb:queues", "wb:runners")
            self.until(lambda: client.sismember("wb:queues", "b"), "it is named again", SOON_S)
        self.until(lambda: client.zcard("wb:runners") == 1, "the runner is counted again", SOON_S)

        self.assert_undisturbed(pids)


if __name__ == "__main__":
    unittest.main()
