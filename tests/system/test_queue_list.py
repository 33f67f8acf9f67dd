"""GET /api/queues of a real server: by name, the worst first, a part of names, and page by page."""

import unittest
from typing import Any, ClassVar
from urllib.parse import urlencode

from tests.private_redis import PrivateRedis
from tests.processes import Server

WAITING = {"many": 3, "few": 1, "held": 2, "mail-a": 0, "mail-b": 0}


class QueueList(unittest.TestCase):
    """One server without a worker. `held` is paused; `mail-a` and `mail-b` have only settings."""

    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.server = cls.enterClassContext(Server(cls.redis.url))
        for queue, count in WAITING.items():
            cls.server.request("PATCH", f"/api/queues/{queue}", {"paused": queue == "held"})
            for _ in range(count):
                cls.server.request("POST", "/api/jobs", {"type": "noop", "payload": {}, "queue": queue})

    def ask(self, **parameters: Any) -> tuple[int, Any]:
        status, body, _ = self.server.request("GET", f"/api/queues?{urlencode(parameters)}")
        return status, body

    def names(self, **parameters: Any) -> list[str]:
        return [one["name"] for one in self.ask(**parameters)[1]["items"]]

    def walk(self, **parameters: Any) -> list[list[str]]:
        """The names on each page, first to last."""
        pages, cursor = [], ""
        for _ in range(10):
            _, body = self.ask(**parameters, cursor=cursor)
            pages.append([one["name"] for one in body["items"]])
            cursor = body["next_cursor"]
            if cursor is None:
                return pages
        raise AssertionError(f"the pages have no end: {pages}")

    def test_without_parameters_all_by_name_on_one_page(self) -> None:
        _, body = self.ask()

        self.assertEqual(sorted(WAITING), [one["name"] for one in body["items"]])
        self.assertEqual((None, len(WAITING), []), (body["next_cursor"], body["total"], body["warnings"]))

    def test_the_worst_first_and_each_says_why(self) -> None:
        _, body = self.ask(sort="trouble")

        troubles = {one["name"]: (one["trouble"] or {}).get("code") for one in body["items"]}
        expected = {"many": "unserved", "few": "unserved", "held": "paused", "mail-a": None, "mail-b": None}
        self.assertEqual(list(expected.items()), list(troubles.items()))
        worst = {"code": "unserved", "amount": 3, "text": "3 jobs wait, and no worker serves this queue"}
        self.assertEqual(worst, body["items"][0]["trouble"])

    def test_a_line_of_the_last_half_hour_for_each_that_is_shown(self) -> None:
        _, without = self.ask()
        _, body = self.ask(lately="true", sort="trouble", limit=2)

        self.assertEqual([], without["lately"])
        nothing = {"completed": [0] * 30, "wait_p95_s": None, "run_p95_s": None}
        self.assertEqual([{"queue": one["name"], **nothing} for one in body["items"]], body["lately"])

    def test_a_part_of_the_name(self) -> None:
        self.assertEqual(["mail-a", "mail-b"], self.names(name="ail-"))
        self.assertEqual(["mail-a", "mail-b"], self.names(name="mail", sort="trouble"))
        self.assertEqual([], self.names(name="nowhere"))

    def test_page_by_page_each_queue_comes_once(self) -> None:
        self.assertEqual([["few", "held"], ["mail-a", "mail-b"], ["many"]], self.walk(limit=2))
        by_trouble = [["many", "few"], ["held", "mail-a"], ["mail-b"]]
        self.assertEqual(by_trouble, self.walk(limit=2, sort="trouble"))
        self.assertEqual([["mail-a"], ["mail-b"]], self.walk(limit=1, name="mail"))

    def test_bad_parameters_are_told_what_to_do(self) -> None:
        _, first = self.ask(limit=2)
        cursor = first["next_cursor"]
        for parameters, pointer in (
            ({"sort": "age"}, "?sort"),
            ({"name": "Mail"}, "?name"),
            ({"limit": 501}, "?limit"),
            ({"limit": 0}, "?limit"),
            ({"cursor": "nonsense"}, "?cursor"),
            ({"cursor": cursor, "sort": "trouble"}, "?cursor"),
            ({"cursor": cursor, "name": "mail"}, "?cursor"),
            ({"colour": "red"}, "?colour"),
        ):
            with self.subTest(parameters):
                status, problem = self.ask(**parameters)
                self.assertEqual((422, pointer), (status, problem["errors"][0]["pointer"]), problem)
