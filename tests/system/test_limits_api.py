"""Limits over HTTP, from a real server: what is set is shown, bad input is told why, an older program refuses."""

import unittest
from typing import Any, ClassVar

from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server

NONE = {"concurrency": None, "rate": None, "max_depth": None}
RATE = {"limit": 100, "per_s": 60}
UNTIL_MS = 4_000_000_000_000
OLDER = "runner 0.2.0 jobs1.815.03bb12cc"


class Api(unittest.TestCase):
    """One server without a worker; each test has a queue of its own."""

    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.server = cls.enterClassContext(Server(cls.redis.url))

    def setUp(self) -> None:
        self.queue = f"q{abs(hash(self.id())) % 10**12}"
        self.path = f"/api/queues/{self.queue}"

    def ask(self, method: str, below: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
        status, answer, _ = self.server.request(method, self.path + below, body, **headers)
        return status, answer

    def patched(self, body: Any, below: str = "") -> Any:
        status, answer = self.ask("PATCH", below, body)
        self.assertEqual(200, status, answer)
        return answer

    def post(self, group: str = "", **fields: Any) -> tuple[int, Any, dict[str, str]]:
        body = {"type": "noop", "payload": {}, "queue": self.queue, **({"group": group} if group else {}), **fields}
        return self.server.request("POST", "/api/jobs", body)

    def logged(self, event: str, count: int = 1) -> list[str]:
        """The log's sentences about this test's queue, as soon as there are `count` of them."""

        def found() -> list[str]:
            return [line["msg"] for line in self.server.logged(event) if line["queue"] == self.queue]

        return list(self.server.until(lambda: len(found()) >= count and found(), f"{count} {event}"))


class OfQueues(Api):
    def test_what_is_set_is_shown_and_stays_until_it_is_taken_away(self) -> None:
        first = self.patched({"concurrency": 20, "rate": RATE, "groups": {"concurrency": 2, "max_depth": 1000}})
        second = self.patched({"groups": {"concurrency": None, "rate": {"limit": 5, "per_s": 0.25}}, "max_depth": 7})
        _, read = self.ask("GET")
        listed = {one["name"]: one for one in self.server.request("GET", "/api/queues")[1]["items"]}[self.queue]
        third = self.patched({"concurrency": None, "rate": None, "groups": None})

        self.assertEqual((20, RATE, None), (first["concurrency"], first["rate"], first["limited"]))
        self.assertEqual({"concurrency": 2, "rate": None, "max_depth": 1000}, first["groups"])
        groups = {"concurrency": None, "rate": {"limit": 5, "per_s": 0.25}, "max_depth": 1000}
        self.assertEqual(groups, second["groups"])
        self.assertEqual((20, RATE, 7), (second["concurrency"], second["rate"], second["max_depth"]))
        self.assertEqual(second, read)
        self.assertEqual({name: read[name] for name in listed}, listed)
        self.assertEqual((None, None, NONE, 7), tuple(third[n] for n in ("concurrency", "rate", "groups", "max_depth")))

    def test_a_change_is_logged_as_it_was_asked_for(self) -> None:
        self.patched({"rate": RATE, "groups": {"rate": None}})

        self.assertEqual(
            [f'Queue {self.queue} changed: rate {{"limit":100,"per_s":60}}, groups {{"rate":null}}'],
            self.logged("queue.changed"),
        )

    def test_bad_input_is_told_where_and_what_to_do(self) -> None:
        for body, pointer, words in (
            ({"concurrency": 0}, "/concurrency", "pause it"),
            ({"concurrency": 100_001}, "/concurrency", "from 1 to 100000, or null"),
            ({"concurrency": "5"}, "/concurrency", "must be an integer"),
            ({"rate": 5}, "/rate", '{"limit": 100, "per_s": 60}'),
            ({"rate": {"limit": 5}}, "/rate/per_s", "is missing"),
            ({"rate": {"limit": 0, "per_s": 1}}, "/rate/limit", "pause it"),
            ({"rate": {"limit": 1, "per_s": 0}}, "/rate/per_s", "from 0.001 to 86400"),
            ({"rate": {"limit": 1, "per_m": 1}}, "/rate/per_m", "known: limit, per_s"),
            ({"groups": {}}, "/groups", "give one of concurrency, rate, max_depth"),
            ({"groups": {"rate": {"limit": 1_000_001, "per_s": 1}}}, "/groups/rate/limit", "from 1 to 1000000"),
            ({"groups": {"max_depth": -1}}, "/groups/max_depth", "from 0 to 1000000000"),
        ):
            with self.subTest(body):
                status, answer = self.ask("PATCH", "", body)

                self.assertEqual((422, "/problems/invalid-fields"), (status, answer["type"]))
                self.assertEqual([pointer], [error["pointer"] for error in answer["errors"]])
                self.assertIn(words, answer["errors"][0]["detail"])
        self.assertEqual(404, self.ask("GET")[0], "what is refused begins no queue")

    def test_a_limit_is_refused_while_an_older_program_runs_and_nothing_else_is(self) -> None:
        self.patched({"concurrency": 5})
        self.redis.client.zadd("wb:fleet", {OLDER: 2**53})
        self.redis.client.zadd("wb:runners", {OLDER.split()[2]: 2**53})
        try:
            wait_until(lambda: self.ask("PATCH", "", {"concurrency": 5})[0] == 503, "it is refused")
            for body in ({"rate": RATE}, {"groups": {"max_depth": 5}}, {"paused": True, "concurrency": 1}):
                status, answer = self.ask("PATCH", "", body)
                self.assertEqual((503, "/problems/upgrade-needed"), (status, answer["type"]), body)
                self.assertIn("jobs1.815.03bb12cc (0.2.0)", answer["detail"])
            self.assertEqual("/problems/upgrade-needed", self.ask("PATCH", "/groups/a", {"paused": True})[1]["type"])
            self.assertEqual((5, False), tuple(self.ask("GET")[1][name] for name in ("concurrency", "paused")))
            self.patched({"paused": True, "max_depth": 9, "concurrency": None})
        finally:
            self.redis.client.zrem("wb:fleet", OLDER)
            self.redis.client.zrem("wb:runners", OLDER.split()[2])
            wait_until(lambda: self.ask("PATCH", "", {"concurrency": 5})[0] == 200, "it is taken again")


class OfGroups(Api):
    def test_a_job_beyond_its_groups_max_depth_is_refused_and_others_are_not(self) -> None:
        self.patched({"groups": {"max_depth": 1}})
        first, (status, problem, headers), other = (self.post(group) for group in ("a", "a", "b"))
        alone = self.post()
        (line,) = self.server.request(
            "POST", "/api/jobs/batch", [{"type": "noop", "payload": {}, "queue": self.queue, "group": "a"}]
        )[1]["items"]

        self.assertEqual([202, 202, 202], [one[0] for one in (first, other, alone)])
        self.assertEqual((503, "/problems/group-full"), (status, problem["type"]))
        self.assertEqual(str(problem["retry_after_s"]), headers["retry-after"])
        self.assertEqual((503, "/problems/group-full"), (line["status"], line["problem"]["type"]))


class OfOneGroup(Api):
    def setUp(self) -> None:
        super().setUp()
        self.patched({"groups": {"concurrency": 2}})

    def test_limits_of_one_group_are_set_shown_and_taken_away(self) -> None:
        for _ in range(3):
            self.post("tenant-42")
        before = self.ask("GET", "/groups")[1]
        changed = self.patched({"concurrency": 5, "rate": RATE}, "/groups/tenant-42")
        paused = self.patched({"paused": True, "rate": None}, "/groups/tenant-42")
        page = self.ask("GET", "/groups")[1]
        removed = self.ask("DELETE", "/groups/tenant-42")[0]
        after = self.ask("GET", "/groups")[1]

        state = {"limited_by": None, "until": None, "strikes": None}
        shown = {"name": "tenant-42", "ready": 3, "running": 0, **state}
        plain = {**shown, "limits": {"concurrency": 2, "rate": None}, "own": False}
        self.assertEqual({"items": [plain], "next_cursor": None}, before)
        self.assertEqual({**shown, "limits": {"concurrency": 5, "rate": RATE}, "own": True}, changed)
        self.assertEqual(
            {**shown, "limited_by": "paused", "limits": {"concurrency": 5, "rate": None}, "own": True}, paused
        )
        self.assertEqual([paused], page["items"])
        self.assertEqual((204, [plain]), (removed, after["items"]))
        self.assertEqual(
            [
                f'Group tenant-42 of queue {self.queue} changed: concurrency 5, rate {{"limit":100,"per_s":60}}',
                f"Group tenant-42 of queue {self.queue} changed: paused true, rate null",
                f"Group tenant-42 of queue {self.queue} has no limits of its own now",
            ],
            self.logged("group.changed", 3),
        )

    def test_a_name_with_a_slash_is_one_segment(self) -> None:
        self.post("eu/shop:7@x")

        changed = self.patched({"concurrency": 5}, "/groups/eu%2Fshop:7%40x")

        self.assertEqual(("eu/shop:7@x", 1), (changed["name"], changed["ready"]))
        self.assertEqual(404, self.ask("PATCH", "/groups/eu/shop:7@x", {"concurrency": 5})[0])
        self.assertEqual(204, self.ask("DELETE", "/groups/eu%2fshop%3A7@x")[0])

    def test_one_group_is_read_by_its_name_begun_or_not(self) -> None:
        self.post("eu/shop")

        begun, other = self.ask("GET", "/groups/eu%2Fshop"), self.ask("GET", "/groups/eu")

        state = {"limited_by": None, "until": None, "strikes": None}
        limits = {**state, "limits": {"concurrency": 2, "rate": None}, "own": False}
        self.assertEqual((200, {"name": "eu/shop", "ready": 1, "running": 0, **limits}), begun)
        self.assertEqual((200, {"name": "eu", "ready": 0, "running": 0, **limits}), other)

    def test_pages_of_groups_follow_each_other(self) -> None:
        names = sorted(f"g/{number}" for number in range(7))
        for name in names:
            self.post(name)

        found, cursor = [], ""
        for _ in range(4):
            page = self.ask("GET", f"/groups?limit=2&cursor={cursor}")[1]
            found += [one["name"] for one in page["items"]]
            cursor = page["next_cursor"] or ""
        self.assertEqual((names, ""), (found, cursor))
        for query in ("limit=0", "limit=201", "limit=x", "cursor=%25", "colour=red"):
            self.assertEqual(422, self.ask("GET", f"/groups?{query}")[0], query)

    def test_what_there_is_not_is_404(self) -> None:
        for method, below, body, slug in (
            ("DELETE", "/groups/tenant-42", None, "group-not-found"),
            ("POST", "/groups/tenant-42/release", None, "group-not-found"),
            ("PATCH", "/groups/tenant%2042", {"concurrency": 1}, "group-not-found"),
            ("GET", "/groups/tenant%2042", None, "group-not-found"),
            ("DELETE", f"/groups/{'x' * 129}", None, "group-not-found"),
        ):
            status, answer = self.ask(method, below, body)
            self.assertEqual((404, f"/problems/{slug}"), (status, answer["type"]), below)
        self.path = "/api/queues/nobody"
        for method, below, body in (
            ("GET", "/groups", None),
            ("PATCH", "/groups/a", {"concurrency": 1}),
            ("DELETE", "/groups/a", None),
            ("POST", "/groups/a/release", None),
        ):
            status, answer = self.ask(method, below, body)
            self.assertEqual((404, "/problems/queue-not-found"), (status, answer["type"]), (method, below))

    def test_bad_input_is_told_where_and_what_to_do(self) -> None:
        for body, pointers in (
            ({}, [""]),
            ({"concurrency": 0, "paused": 1}, ["/concurrency", "/paused"]),
            ({"rate": {"per_s": 1}}, ["/rate/limit"]),
            ({"max_depth": 5}, ["/max_depth"]),
        ):
            status, answer = self.ask("PATCH", "/groups/tenant-42", body)
            self.assertEqual((422, pointers), (status, [error["pointer"] for error in answer["errors"]]), body)
        self.assertEqual(422, self.ask("POST", "/groups/tenant-42/release", {"until": 5})[0])

    def test_a_release_that_is_sent_again_under_its_key_acts_once(self) -> None:
        self.post("tenant-42")
        base = f"wb:{{{self.queue}}}:"
        self.redis.client.zrem(base + "turns:normal", "tenant-42")
        self.redis.client.zadd(base + "resting", {"tenant-42": UNTIL_MS})
        self.redis.client.hset(base + "held", "tenant-42", f"{UNTIL_MS} {self.queue}-{'0' * 32}")
        held = self.ask("GET", "/groups")[1]["items"][0]

        answers = [
            self.server.request("POST", f"{self.path}/groups/tenant-42/release", idempotency_key="k") for _ in range(2)
        ]

        self.assertEqual("hold", held["limited_by"])
        self.assertEqual([200, 200], [status for status, _, _ in answers])
        self.assertEqual([None, "true"], [headers.get("idempotency-replayed") for _, _, headers in answers])
        self.assertEqual([None, None], [group["limited_by"] for _, group, _ in answers])
        self.assertEqual(1, len(self.logged("group.released")))


if __name__ == "__main__":
    unittest.main()
