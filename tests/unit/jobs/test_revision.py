"""What PATCH takes, and what becomes of the job's spec by it."""

import unittest
from dataclasses import dataclass
from typing import Any

from lib.errors import InvalidFields, WrongState
from lib.jobs import revision
from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord
from lib.jobs.masking import MASK
from lib.jobs.payload import decoder_for
from lib.jobs.registry import JobType, Registry
from lib.jobs.spec import JobSpec
from lib.tracing import Trace


@dataclass
class Mail:
    to: str
    secret: str = ""


TRACE = Trace("1" * 32, "2" * 16, "01")
SPEC = JobSpec("mail", {"to": "a", "secret": "s"}, "r1", TRACE, 5, 60.0, Backoff(), "low", unique_key="key")
RECORD = JobRecord("q-1", "q", "ready", SPEC)
REGISTRY = Registry([JobType("mail", lambda ctx, mail: None, decoder_for(Mail), is_async=False)])


class Read(unittest.TestCase):
    def pointers(self, body: Any) -> list[str]:
        with self.assertRaises(InvalidFields) as refused:
            revision.read(body).of(RECORD, REGISTRY)
        return [error.pointer for error in refused.exception.errors]

    def test_what_is_named_is_set_and_the_rest_stays(self) -> None:
        text, *rest = revision.read({"max_attempts": 9}).of(RECORD, REGISTRY)

        self.assertEqual((SPEC._replace(max_attempts=9), [None, None, None]), (JobSpec.from_text(text), rest))

    def test_all_at_once(self) -> None:
        body = {"payload": {"to": "b"}, "priority": "high", "run_at": "1970-01-01T00:00:01.5Z", "max_attempts": 1}

        text, *rest = revision.read({**body, "tags": ["eu", "eu"]}).of(RECORD, REGISTRY)

        expected = SPEC._replace(payload={"to": "b"}, priority="high", max_attempts=1, tags=("eu",))
        self.assertEqual((expected, ["high", 1500, ("eu",)]), (JobSpec.from_text(text), rest))

    def test_no_tags_are_a_change_as_well_and_null_is_none(self) -> None:
        tagged = RECORD._replace(spec=SPEC._replace(tags=("eu",)))

        text, *_, tags = revision.read({"tags": []}).of(tagged, REGISTRY)

        self.assertEqual((SPEC, ()), (JobSpec.from_text(text), tags))
        self.assertEqual([""], self.pointers({"tags": None}))

    def test_the_group_stays_whatever_the_payload_says(self) -> None:
        grouped = Registry([JobType("mail", lambda ctx, mail: None, decoder_for(Mail), False, group_by="to")])
        record = RECORD._replace(spec=SPEC._replace(group="a"))

        text, *_ = revision.read({"payload": {"to": "b"}}).of(record, grouped)

        self.assertEqual("a", JobSpec.from_text(text).group)
        self.assertEqual(["/group"], self.pointers({"group": "b"}))

    def test_run_at_null_and_the_beginning_of_time_mean_now(self) -> None:
        for run_at in (None, "1970-01-01T00:00:00Z"):
            self.assertEqual("now", revision.read({"run_at": run_at}).of(RECORD, REGISTRY).due)

    def test_a_masked_secret_is_kept(self) -> None:
        text, *_ = revision.read({"payload": {"to": "b", "secret": MASK}}).of(RECORD, REGISTRY)

        self.assertEqual({"to": "b", "secret": "s"}, JobSpec.from_text(text).payload)

    def test_each_fault_has_its_place(self) -> None:
        for body, pointers in (
            ([], [""]),
            ({}, [""]),
            ({"type": "mail"}, ["/type"]),
            ({"priority": "urgent", "max_attempts": 0, "run_at": 5}, ["/priority", "/max_attempts", "/run_at"]),
            ({"payload": {"secret": 5, "x": 1}}, ["/payload/to", "/payload/secret", "/payload/x"]),
            ({"payload": {"to": "b", "token": MASK}}, ["/payload/token"]),
            ({"payload": None, "priority": None}, [""]),
            ({"callback_url": "https://a.example"}, ["/callback_url"]),
        ):
            self.assertEqual(pointers, self.pointers(body), body)

    def test_a_payload_of_a_type_that_nobody_knows_here_is_refused_and_other_fields_are_not(self) -> None:
        with self.assertRaises(InvalidFields):
            revision.read({"payload": {}}).of(RECORD, Registry([]))

        self.assertEqual("high", revision.read({"priority": "high"}).of(RECORD, Registry([])).priority)

    def test_a_job_that_can_not_be_read_can_not_be_changed(self) -> None:
        with self.assertRaises(WrongState):
            revision.read({"priority": "high"}).of(RECORD._replace(spec=None), REGISTRY)


if __name__ == "__main__":
    unittest.main()
