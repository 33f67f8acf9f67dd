"""A row of a table tells what a job is about, in a few hundred bytes and without its secrets."""

import json
import unittest
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord
from lib.jobs.masking import MASK
from lib.jobs.spec import JobSpec
from lib.jobs.summary import GIST_CHARS, gist_of, summary_text
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


class Gist(unittest.TestCase):
    def test_it_is_what_a_person_looks_for(self) -> None:
        rows: list[tuple[str, Any, str]] = [
            ("email", {"to": "ann@example.com", "subject": "Hi", "text": "x"}, "ann@example.com · Hi"),
            (
                "email",
                {"text": "x", "subject": "Hi", "to": ["a@b.example", "c@d.example"]},
                "a@b.example, c@d.example · Hi",
            ),
            ("webhook", {"url": "https://a.example/hook"}, "POST https://a.example/hook"),
            ("webhook", {"method": "PUT", "url": "https://a.example/?t=abc"}, f"PUT https://a.example/?t={MASK}"),
            (
                "report",
                {"report": 4711, "days": 30, "deep": {"a": 1}, "l": [1, 2]},
                "report: 4711 · days: 30 · deep: {1} · l: [2]",
            ),
            ("any", {"password": "hunter2", "a": None}, f"password: {MASK} · a: null"),
            ("any", {}, ""),
            ("any", "text", "text"),
        ]
        for type_name, payload, gist in rows:
            self.assertEqual(gist, gist_of(type_name, payload))

    def test_it_is_short_whatever_the_payload_is(self) -> None:
        for type_name in ("email", "webhook", "any"):
            for payload in ({"to": "a" * 900, "url": "u" * 900}, {"n" * 900: "v" * 900}, ["x" * 900] * 9, "x" * 900):
                self.assertLessEqual(len(gist_of(type_name, payload)), GIST_CHARS)


class Row(unittest.TestCase):
    def test_it_is_small_and_hides_what_is_hidden_elsewhere(self) -> None:
        payload = {"to": "ann@example.com", "subject": "Your order", "text": "x" * 100_000, "password": "hunter2"}
        spec = JobSpec("email", payload, "r1", TRACE, 5, 60.0, Backoff(), tags=("eu",), group="g")
        error = {"type": "X", "message": "hunter2 " + "m" * 900, "traceback": "t" * 900}
        record = JobRecord(
            "email-1", "email", "dead", spec, created_ms=1_795_438_188_123, error=error, result=["r" * 900]
        )

        text = summary_text(record)
        row = json.loads(text)

        self.assertLess(len(text), 600)
        self.assertEqual("ann@example.com · Your order", row["gist"])
        self.assertEqual(("eu", "g", "dead"), (row["tags"][0], row["group"], row["state"]))
        self.assertTrue(row["error"]["message"].startswith(MASK))
        self.assertEqual(set(), {"payload", "result", "history"} & row.keys())
        unreadable = json.loads(summary_text(record._replace(spec=None, error=None)))
        self.assertEqual((None, "", None), (unreadable["type"], unreadable["gist"], unreadable["error"]))

    def test_its_progress_is_told_with_the_beginning_of_the_note(self) -> None:
        record = JobRecord("q-1", "q", "active", None, progress={"fraction": 0.25, "note": "page " + "9" * 900})
        told = json.loads(summary_text(record))["progress"]
        unsaid = json.loads(summary_text(record._replace(progress=None)))["progress"]
        broken = json.loads(summary_text(record._replace(progress={"fraction": float("nan")})))["progress"]

        self.assertEqual((0.25, "page 9", 100), (told["fraction"], told["note"][:6], len(told["note"])))
        self.assertEqual((None, None), (unsaid, broken))

    def test_a_message_of_an_error_that_is_no_text_is_left_out(self) -> None:
        spec = JobSpec("any", {"a": float("nan")}, "r1", TRACE, 5, 60.0, Backoff())
        row = json.loads(summary_text(JobRecord("q-1", "q", "dead", spec, error={"type": ["X"], "message": 7})))

        self.assertEqual((None, ""), (row["error"], row["gist"]))
        spec = spec._replace(payload={})
        row = json.loads(summary_text(JobRecord("q-1", "q", "dead", spec, error={"type": ["X"], "message": 7})))
        self.assertEqual({"type": None, "message": None}, row["error"])


if __name__ == "__main__":
    unittest.main()
