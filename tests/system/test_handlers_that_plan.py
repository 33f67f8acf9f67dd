"""Handlers that enqueue jobs which wait for each other, start workflows, and add jobs to their own: in real runners."""

from typing import Any

from lib.errors import JobNotFound
from lib.jobs import registry
from lib.jobs.job import JobRecord
from tests.system.worker_case import WorkerCase

MODULE = "tests.jobs_that_plan"


class PlanCase(WorkerCase):
    settings = {"WORKER_QUEUES": "default=10,other=10", "JOB_MODULES": MODULE}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load([MODULE])

    def done(self, job_id: str) -> JobRecord:
        """The record of a job, once it is completed."""
        self.until_all([job_id], "completed")
        return self.record(job_id)

    def result_of(self, type_name: str, **payload: Any) -> Any:
        """What a job of this type returns."""
        return self.done(self.post(type_name, **payload)).result

    def begun(self, type_name: str) -> list[str]:
        """The ids of the jobs of a type that have begun. (What is aboard a runner that is killed begins once more.)"""
        ids = sorted({run.job_id for run in self.executions()})
        return [one.job_id for one in self.records(ids) if one.spec and one.spec.type == type_name]


class Joins(PlanCase):
    def test_a_job_gathers_what_those_that_it_waited_for_have_returned(self) -> None:
        self.ready()

        joined = self.done(self.result_of("plan_a_join", count=3))

        self.assertEqual([[f"n{n}", "completed", n, None] for n in range(3)], joined.result)
        self.assertEqual({"default": "completed", "other": "completed"}, self.follow_ups(joined))

    def follow_ups(self, joined: JobRecord) -> dict[str, str]:
        """The states of the jobs that waited for the join, by queue; the one for a failure is left out."""
        self.until(lambda: len(self.begun("gather")) == 2, "the follow-up has begun")
        (follow_up,) = set(self.begun("gather")) - {joined.job_id}
        self.assertEqual([["completed", joined.result]], [row[1:3] for row in self.done(follow_up).result])
        self.assertEqual([], self.begun("noop"))
        return {"default": joined.state, "other": self.record(follow_up).state}

    def test_an_attempt_that_is_tried_again_plants_nothing_twice(self) -> None:
        for act in ("fail", "kill"):
            with self.subTest(act=act):
                self.ledger.unlink(missing_ok=True)
                worker = self.ready()

                joined = self.result_of("plan_a_join", count=2, act=act)

                self.done(joined)
                self.until(lambda: len(self.begun("gather")) == 2, "the follow-up has begun")
                self.assertEqual([1, 2, 2], [len(self.begun(name)) for name in ("plan_a_join", "give", "gather")])
                self.assertEqual(2, len(self.executions(self.begun("plan_a_join")[0])))
                worker.stop()

    def test_a_plain_handler_needs_no_await(self) -> None:
        self.ready()

        joined = self.done(self.result_of("plan_plainly"))

        self.assertEqual([[None, "completed", 7, None]], joined.result)

    def test_what_parents_have_returned_outlives_them(self) -> None:
        self.ready(WORKER_QUEUES="default=10")
        planner = self.done(self.post("plan_plainly", seconds=1))
        self.until(lambda: self.begun("give"), "the parent has begun")
        (parent,) = self.begun("give")
        self.done(parent)

        self.asked(lambda store: store.delete(parent))
        self.until(lambda: self.begun("gather_plainly"), "the job that waited has begun")

        self.assertEqual([[None, "completed", 7, None]], self.done(planner.result).result)
        with self.assertRaises(JobNotFound):
            self.record(parent)

    def test_each_job_knows_which_one_has_asked_for_it(self) -> None:
        self.ready()
        planner = self.post("plan_a_join", count=1)

        joined = self.done(self.done(planner).result)

        self.until(lambda: len(self.begun("gather")) == 2, "the follow-up has begun")
        specs = [record.spec for record in self.records([*self.begun("gather"), *self.begun("give")])]
        self.assertEqual([(planner, "r")] * 3, [(spec.by, spec.request_id) for spec in specs if spec])
        self.assertIn(joined.job_id, self.begun("gather"))


class Workflows(PlanCase):
    def jobs(self, split: dict[str, Any]) -> dict[str, Any]:
        """A workflow of a job that adds more, and one that waits for that job alone."""
        ledger = {"ledger": str(self.ledger)}
        return {
            "split": {"type": "split", "payload": {**ledger, **split}},
            "after-split": {"type": "gather", "payload": ledger, "after": ["split"]},
        }

    def test_a_member_adds_jobs_and_the_workflow_ends_behind_them(self) -> None:
        for act in ("", "fail", "kill"):
            with self.subTest(act=act):
                self.ledger.unlink(missing_ok=True)
                worker = self.ready()

                workflow = self.done(self.result_of("plan_a_workflow", jobs=self.jobs({"count": 3, "act": act})))

                (split,) = self.begun("split")
                added = self.record(split).result
                pages = [["page-0", "completed", 0, None], ["page-1", "completed", 1, None]]
                self.assertEqual([*pages, ["page-2", "failed", None, "ValueError"]], self.record(added[-1]).result)
                self.assertEqual({workflow.job_id}, {self.workflow_of(job_id) for job_id in [split, *added]})
                self.assertEqual((3, 2), (len(self.begun("give")), len(self.begun("gather"))))
                ends = [record.finished_ms or 0 for record in self.records(added)]
                self.assertGreaterEqual(workflow.finished_ms or 0, max(ends))
                worker.stop()

    def test_a_workflow_that_is_run_again_has_no_job_added_twice(self) -> None:
        self.ready()
        jobs = self.jobs({"count": 2, "act": "fail once"})
        jobs["split"]["max_attempts"] = 1
        workflow_id = self.result_of("plan_a_workflow", jobs=jobs)
        self.until_all([workflow_id], "dead")

        self.asked(lambda store: store.retry(workflow_id))

        self.done(workflow_id)
        (split,) = self.begun("split")
        self.assertEqual((2, 2, 2), (len(self.executions(split)), len(self.begun("give")), len(self.begun("gather"))))
        # What had come to its end stays as it was.
        self.assertEqual([1], [len(self.executions(job_id)) for job_id in self.begun("give") if self.is_done(job_id)])

    def is_done(self, job_id: str) -> bool:
        return self.record(job_id).state == "completed"

    def workflow_of(self, job_id: str) -> str:
        spec = self.record(job_id).spec
        return spec.workflow if spec else ""

    def test_a_planner_that_is_tried_again_starts_one_workflow(self) -> None:
        for act in ("fail", "kill"):
            with self.subTest(act=act):
                self.ledger.unlink(missing_ok=True)
                worker = self.ready()
                jobs = {"one": {"type": "give", "payload": {"ledger": str(self.ledger), "value": 1}}}

                self.done(self.result_of("plan_a_workflow", jobs=jobs, act=act))

                self.assertEqual((1, 1), (len(self.begun("plan_a_workflow")), len(self.begun("give"))))
                self.assertEqual(2, len(self.executions(self.begun("plan_a_workflow")[0])))
                worker.stop()

    def test_nothing_is_added_to_a_workflow_that_somebody_has_cancelled(self) -> None:
        self.ready()
        gate = self.flag()
        jobs = {"late": {"type": "add_late", "payload": {"ledger": str(self.ledger), "value": str(gate)}}}
        workflow_id = self.result_of("plan_a_workflow", jobs=jobs)
        self.until(lambda: self.begun("add_late"), "the member has begun")

        self.cancel(workflow_id)
        gate.touch()

        self.until(lambda: any(line.startswith("ended") for line in self.lines()), "the member has tried to add")
        (said,) = [line for line in self.lines() if line.startswith("ended")]
        self.assertIn(f"WorkflowEnded: the workflow {workflow_id} has ended, or was asked to stop", said)
        # Its only job may have come to its end before it was asked to stop.
        self.until(lambda: self.record(workflow_id).state in ("cancelled", "completed"), "the workflow has ended")
        self.assertEqual([], self.begun("noop"))

    def test_a_job_that_belongs_to_no_workflow_is_told_so(self) -> None:
        self.ready()

        self.assertIn("WrongState: this job belongs to no workflow", self.result_of("add", act="more"))

    def test_what_can_not_be_added_is_refused_in_words(self) -> None:
        self.ready()
        ledger = {"ledger": str(self.ledger)}
        members: dict[str, dict[str, Any]] = {
            "taken": {"act": "first"},
            "unknown": {"act": "more", "value": ["nobody"]},
            "misnamed": {"act": "a name"},
            "fine": {"act": "more", "value": ["first"]},
        }
        jobs: dict[str, Any] = {"first": {"type": "give", "payload": {**ledger, "value": 1}}}
        jobs |= {
            name: {"type": "add", "payload": {**ledger, **more}, "after": ["first"]} for name, more in members.items()
        }

        workflow = self.done(self.result_of("plan_a_workflow", jobs=jobs))

        results = [record.result for record in self.records(self.begun("add"))]
        said = "\n".join(results)
        self.assertIn("InvalidFields: /name: first is the name of another job of the workflow", said)
        self.assertIn("InvalidFields: /after/0: no job of this workflow has the name nobody; known: first", said)
        self.assertIn("InvalidFields: /name: must be a name: 1 to 64 letters", said)
        self.assertEqual(1, len(self.begun("noop")))
        self.assertEqual("completed", workflow.state)


if __name__ == "__main__":
    import unittest

    unittest.main()
