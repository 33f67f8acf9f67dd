"""A workflow in the words of the API: as the contract says, also where a member's record is gone."""

import unittest
from typing import Any

from lib.api.shown_workflow import present_workflow
from lib.jobs.backoff import Backoff
from lib.jobs.edges import KnownEdge
from lib.jobs.job import JobRecord
from lib.jobs.spec import JobSpec
from lib.jobs.workflow_view import WorkflowMember
from tests import contract
from tests.traces import new_trace

CONTRACT = contract.load()
NOW = 1_795_953_600_000  # 2026-11-29T12:00:00Z
WORKFLOW, FETCH, SUM, MAIL = (f"q{digit}-{digit * 32}" for digit in "1234")


def a_workflow(payload: dict[str, Any], **fields: Any) -> JobRecord:
    spec = JobSpec("workflow", payload, "order-1", new_trace(), 1, 60, Backoff(1, 2))
    return JobRecord(WORKFLOW, "default", "blocked", spec, created_ms=NOW)._replace(**fields)


MEMBERS = (
    WorkflowMember("fetch", FETCH, "m", "c"),
    WorkflowMember(
        "sum", SUM, "n", ".", "blocked", "sum", (KnownEdge("c", "c", FETCH, "fetch"), KnownEdge("f", "x", MAIL, ""))
    ),
)
ENDED = WorkflowMember("sum", SUM, "m", "c", "completed", "sum", (), None, NOW, NOW + 1500)
DELAYED = ENDED._replace(state="delayed", due_ms=NOW + 60_000, started_ms=None, finished_ms=None)


class Shown(unittest.TestCase):
    def test_it_has_the_fields_of_the_contract(self) -> None:
        shown = present_workflow(a_workflow({"name": "import"}, then=(MAIL,)), MEMBERS)

        self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Workflow"))))
        self.assertEqual({*CONTRACT.schema("Workflow")["properties"]} - {"outcome"}, {*shown})
        self.assertEqual(
            ("import", "blocked", 0.5, [MAIL]), tuple(shown[n] for n in ("name", "state", "progress", "then"))
        )
        self.assertEqual([True, False], [one["optional"] for one in reversed(shown["jobs"])])
        self.assertEqual(
            [
                {"job": MAIL, "name": None, "on": "failed", "outcome": "cancelled"},
                {"job": FETCH, "name": "fetch", "on": "completed", "outcome": "completed"},
            ],
            shown["jobs"][1]["after"],
        )

    def test_a_member_without_a_record_keeps_its_state_and_lacks_its_type(self) -> None:
        shown = present_workflow(a_workflow({}), MEMBERS)

        self.assertIsNone(shown["name"])
        fetch: dict[str, Any] = {
            "name": "fetch",
            "id": FETCH,
            "type": None,
            "state": "completed",
            "after": [],
            "optional": False,
            **dict.fromkeys(("run_at", "started_at", "finished_at")),
        }
        self.assertEqual({**fetch, "after": [], "optional": False}, shown["jobs"][0])

    def test_a_member_has_the_times_that_fit_its_state(self) -> None:
        shown = present_workflow(a_workflow({}), (ENDED, DELAYED, DELAYED._replace(due_ms=10**18)))

        self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Workflow"))))
        self.assertEqual(
            [
                (None, "2026-11-29T12:00:00.000Z", "2026-11-29T12:00:01.500Z"),
                ("2026-11-29T12:01:00.000Z", None, None),
                (None, None, None),
            ],
            [(one["run_at"], one["started_at"], one["finished_at"]) for one in shown["jobs"]],
        )

    def test_a_record_that_cannot_be_read_is_shown_with_what_is_known(self) -> None:
        shown = present_workflow(JobRecord(WORKFLOW, "default", "", None, created_ms=10**18), ())

        self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Workflow"))))
        self.assertEqual((None, None, []), (shown["state"], shown["created_at"], shown["jobs"]))


if __name__ == "__main__":
    unittest.main()
