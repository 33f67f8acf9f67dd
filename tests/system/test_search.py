"""GET /api/jobs with `q`, orders, several states and summaries, against a real server and Redis."""

import base64
import json
import unittest
from typing import Any
from urllib.parse import urlencode

from tests.private_redis import PrivateRedis
from tests.processes import Server

SECRETS = {"password": "hunter2-aa", "api_key": 4711_0815, "headers": {"Authorization": "Bearer hunter2-aa"}}


class SearchCase(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url))

    def post(self, payload: dict[str, Any], **fields: Any) -> str:
        body = {"type": "echo", "payload": payload, "delay_s": 600, **fields}
        return str(self.server.request("POST", "/api/jobs", body)[1]["id"])

    def post_many(self, count: int, payload: dict[str, Any], queue: str = "default") -> None:
        line = json.dumps({"type": "echo", "queue": queue, "payload": payload, "delay_s": 600}).encode() + b"\n"
        status, _, _ = self.server.request(
            "POST", "/api/jobs/batch", line * count, content_type="application/x-ndjson", x_request_id="others"
        )
        self.assertEqual(200, status)

    def page(self, **parameters: Any) -> dict[str, Any]:
        status, page, _ = self.server.request("GET", f"/api/jobs?{urlencode(parameters)}")
        self.assertEqual(200, status, page)
        return dict(page)

    def refused(self, **parameters: Any) -> str:
        status, problem, _ = self.server.request("GET", f"/api/jobs?{urlencode(parameters)}")
        self.assertEqual(422, status)
        return str(problem["errors"][0]["pointer"])

    def walked(self, **parameters: Any) -> list[dict[str, Any]]:
        """All pages, each without its ids and cursors' text, which differ between two stores."""
        pages, cursor = [], ""
        while True:
            page = self.page(cursor=cursor, **parameters)
            cursor = page["next_cursor"]
            pages.append(page)
            if cursor is None:
                return pages


class Sought(SearchCase):
    def test_a_text_is_found_wherever_it_stands_in_the_payload_among_thousands(self) -> None:
        ours = self.post({"text": "x" * 9000, "to": "Ann@Example.com"})
        self.post_many(1500, {"to": "bob@example.com"})

        pages = self.walked(q="ann@example", fields="summary")

        self.assertEqual([ours], [row["id"] for page in pages for row in page["items"]])
        self.assertEqual(1501, pages[-1]["of"])
        self.assertEqual(1501, pages[-1]["looked_at"])

    def test_the_error_is_searched_too(self) -> None:
        job_id = self.post({})
        error = '{"type":"SMTPError","message":"421 mailbox of Ann is full, password=hunter2","traceback":""}'
        self.redis.client.hset(f"wb:{{default}}:job:{job_id}", "error", error)

        self.assertEqual(1, len(self.page(q="MAILBOX of ann")["items"]))
        self.assertEqual(0, len(self.page(q="hunter2")["items"]))

    def test_a_field_as_a_row_shows_it_and_letters_of_other_alphabets(self) -> None:
        job_id = self.post({"mail_no": 4711, "to": "Jürgen", "city": "МОСКВА", "note": "x" * 40 + "ü" * 40})
        texts = ("mail_no: 4711", '"mail_no":4711', "to: jürg", "JÜRGEN", "Москва", "city: москва")

        for text in (*texts, "city:МОС", "x" * 40 + "Ü" * 40):
            self.assertEqual([job_id], [one["id"] for one in self.page(q=text)["items"]], text)
        for text in ("mail_no: 711", "JURGEN", "to: ürgen", "x" * 40 + "ü" * 41):
            self.assertEqual([], self.page(q=text)["items"], text)

    def test_with_other_filters(self) -> None:
        first, _ = self.post({"a": "needle"}, tags=["eu"]), self.post({"a": "needle"})

        self.assertEqual([first], [one["id"] for one in self.page(q="needle", tag="eu", state="delayed")["items"]])

    def test_what_it_may_be(self) -> None:
        for text in ("ab", "x" * 201, "a\nbc", "a\0bc"):
            self.assertEqual("?q", self.refused(q=text))
        status, problem, _ = self.server.request("POST", "/api/queues/default/redrive", {"q": "abc"})
        self.assertEqual((422, "/q"), (status, problem["errors"][0]["pointer"]))


class Oracle(SearchCase):
    """Who may read jobs learns nothing of their secrets by looking for them."""

    def fill(self) -> None:
        for number in range(6):
            self.post({"to": "ann@example.com", "number": number, **SECRETS})
            self.post_many(250, {"to": "bob@example.com", **SECRETS}, "default" if number % 2 else "email")
        job_id = self.post({**SECRETS})
        error = '{"type":"X","message":"hunter2-aa was refused; token=tok-bb","traceback":"x"}'
        self.redis.client.hset(f"wb:{{default}}:job:{job_id}", "error", error)

    def test_a_right_guess_is_answered_as_a_wrong_one_is(self) -> None:
        self.fill()
        guesses = (
            ("hunter2-aa", "hunter2-ab"),
            ("r2-a", "r2-x"),
            ("47110815", "47110816"),
            ('"password":"hunter2', '"password":"hunterx'),
            ('"api_key":4', '"api_key":5'),
            ("bearer h", "bearer x"),
            ("password: hunter2", "password: hunterx"),
            ("api_key: 4711", "api_key: 4712"),
            ("token=tok-b", "token=tok-c"),
            ("********", "*******x"),
        )
        for others in ({}, {"state": "delayed", "limit": 3}, {"state": "delayed,dead", "order": "oldest"}):
            for right, wrong in guesses:
                with self.subTest(right, others=others):
                    told, untold = (self.walked(q=guess, **others) for guess in (right, wrong))

                    self.assertEqual([], [row for page in told for row in page["items"]])
                    self.assertEqual(self.without_marks(untold), self.without_marks(told))

    def test_a_page_that_has_jobs_ends_where_it_would_without_those_that_only_hide_the_text(self) -> None:
        """The text is shown in some jobs, and hidden in many: the cursors are those of a store that hides nothing."""
        self.fill()
        shown = [self.post({"to": "hunter2-aa", "n": n}) for n in range(5)]
        for limit in (1, 2, 4, 5, 6):
            pages = self.walked(q="hunter2-aa", limit=limit)

            with_words = self.walked(q='"to":"hunter2-aa', limit=limit)
            self.assertEqual(self.without_marks(with_words), self.without_marks(pages))
            self.assertEqual(shown[::-1], [row["id"] for page in pages for row in page["items"]])

    def without_marks(self, pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The pages with their cursors without the mark of the filter, in which the guess itself is."""
        return [
            {**page, "next_cursor": _place(page["next_cursor"]), "back_to": _place(page["back_to"])} for page in pages
        ]


def _place(cursor: str | None) -> bytes | None:
    return None if cursor is None else base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).split(b" =")[0]


class Lists(SearchCase):
    def test_delayed_and_ready_jobs_have_the_next_one_first_and_others_the_newest(self) -> None:
        late, soon = self.post({}, delay_s=900), self.post({}, delay_s=300)
        low, high = self.post({}, delay_s=0, priority="low"), self.post({}, delay_s=0, priority="high")

        for parameters, ids, order in (
            ({"state": "delayed"}, [soon, late], "next"),
            ({"state": "delayed", "order": "oldest"}, [late, soon], "oldest"),
            ({"state": "ready"}, [high, low], "next"),
            ({"state": "ready,delayed"}, [high, low, soon, late], "newest"),
            ({}, [high, low, soon, late], "newest"),
            ({"order": "oldest"}, [late, soon, low, high], "oldest"),
        ):
            page = self.page(**parameters)
            self.assertEqual((ids, order), ([one["id"] for one in page["items"]], page["order"]), parameters)

    def test_pages_go_back_as_they_came(self) -> None:
        ids = [self.post({"n": number}) for number in range(7)][::-1]
        first = self.page(limit=3)
        second = self.page(limit=3, cursor=first["next_cursor"])
        third = self.page(limit=3, cursor=second["next_cursor"])
        back = self.page(limit=3, cursor=third["back_to"])
        begin = self.page(limit=3, cursor=back["back_to"])

        rows = [[one["id"] for one in page["items"]] for page in (first, second, third, back, begin)]
        self.assertEqual([ids[:3], ids[3:6], ids[6:], ids[3:6], ids[:3]], rows)
        self.assertEqual((None, None), (first["back_to"], third["next_cursor"]))
        self.assertIsNone(begin["back_to"])
        self.assertEqual(rows[2], [one["id"] for one in self.page(limit=3, cursor=back["next_cursor"])["items"]])
        self.assertEqual([(3, 7), (6, 7), (7, 7)], [(page["looked_at"], page["of"]) for page in (first, second, third)])

    def test_an_order_that_does_not_fit_is_refused_and_so_is_a_cursor_of_another_order(self) -> None:
        for order in ("next", "started", "up"):
            self.assertEqual("?order", self.refused(order=order))
            self.assertEqual("?order", self.refused(order=order, state="dead"))
        self.assertEqual("?state", self.refused(state="dead,none"))
        self.assertEqual("?fields", self.refused(fields="few"))
        for _ in range(2):
            self.post({})
        cursor = self.page(limit=1, order="oldest")["next_cursor"]
        self.assertEqual("?cursor", self.refused(limit=1, order="newest", cursor=cursor))

    def test_a_summary_is_small_and_has_no_secrets(self) -> None:
        for _ in range(50):
            self.post({"report": "of the month", "text": "x" * 20_000, **SECRETS})

        status, page, _ = self.server.request("GET", "/api/jobs?fields=summary")

        self.assertEqual((200, 50), (status, len(page["items"])))
        self.assertLess(len(json.dumps(page)), 30_000)
        self.assertNotIn("hunter2", json.dumps(page))
        self.assertTrue(page["items"][0]["gist"].startswith("report: of the month · text: xxx"))


if __name__ == "__main__":
    unittest.main()
