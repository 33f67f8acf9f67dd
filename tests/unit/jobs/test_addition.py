"""jobs/addition.py: a job that a running member adds to its workflow, checked."""

import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.ids import JobIds
from lib.jobs.addition import Adder, read_addition, rule_of_member
from lib.jobs.registry import load
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Edge, GraphJob
from tests.traces import new_trace

TYPES = load(["tests.jobs_for_tests"])
ADDER_ID, WORKFLOW_ID, FETCH_ID, PART_ID = (f"default-{digit * 32}" for digit in "1234")
MEMBERS = {"fetch": FETCH_ID, "part": PART_ID}
BODY: dict[str, Any] = {"type": "echo", "payload": {"page": 7}}


def added(name: Any = "page", adder_id: str = ADDER_ID, **fields: Any) -> GraphJob:
    adder = Adder(adder_id, WORKFLOW_ID, MEMBERS, "request-1", new_trace())
    return read_addition(name, BODY | fields, adder, TYPES, JobIds())


class Added(unittest.TestCase):
    def test_it_waits_for_its_workflow_and_for_the_members_that_it_names(self) -> None:
        job = added(after=["fetch", {"job": "part", "on": "ended"}])

        self.assertEqual(
            (Edge(WORKFLOW_ID, "o", ""), Edge(FETCH_ID, "c", "fetch"), Edge(PART_ID, "e", "part")), job.edges
        )
        self.assertEqual(((WORKFLOW_ID,), False, "page"), (job.followers, job.is_workflow, job.name))

    def test_its_record_names_the_workflow_the_request_and_who_added_it(self) -> None:
        spec = JobSpec.from_text(added(queue="other", max_attempts=2).job.spec_text)

        self.assertEqual((WORKFLOW_ID, ADDER_ID, "request-1"), (spec.workflow, spec.by, spec.request_id))
        self.assertEqual(({"page": 7}, 2), (spec.payload, spec.max_attempts))

    def test_its_id_is_that_of_the_adder_and_the_name_whatever_else_it_has(self) -> None:
        first, again = added(payload={"page": 1}), added(payload={"page": 2}, after=["fetch"])

        self.assertEqual(first.job.job_id, again.job.job_id)
        others = (added("other"), added(adder_id=FETCH_ID), added(queue="other"))
        self.assertEqual(4, len({one.job.job_id for one in (first, *others)}))
        self.assertEqual("other", others[2].job.queue)

    def test_every_fault_is_told_at_once_with_its_place(self) -> None:
        with self.assertRaises(InvalidFields) as refused:
            added("a name", payload=[], after=["nobody", "fetch", "fetch", {"job": "part", "on": "begun"}, 5])

        told = {error.pointer: error.detail for error in refused.exception.errors}
        self.assertEqual({"/name", "/payload", "/after/0", "/after/2", "/after/3/on", "/after/4"}, told.keys())
        self.assertEqual("no job of this workflow has the name nobody; known: fetch, part", told["/after/0"])
        self.assertEqual("the job fetch is given twice", told["/after/2"])

    def test_what_has_no_place_in_a_workflow_is_refused_with_the_way_to_do_it(self) -> None:
        refused: dict[str, Any] = {
            "unique": {"key": "a"},
            "then": [BODY],
            "once": "a",
            "name": "a",
            "type": "workflow",
            "after": "fetch",
        }
        for field, value in refused.items():
            with self.subTest(field), self.assertRaises(InvalidFields) as told:
                added(**{field: value}) if field != "name" else added(None)
            self.assertEqual(f"/{field}", told.exception.errors[0].pointer)

    def test_whether_the_workflow_completes_without_it_is_true_or_false(self) -> None:
        self.assertEqual(("m", "n"), (rule_of_member(False), rule_of_member(True)))
        for value in (None, 1, "yes"):
            with self.assertRaises(InvalidFields):
                rule_of_member(value)


if __name__ == "__main__":
    unittest.main()
