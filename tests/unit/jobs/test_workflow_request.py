"""POST /api/workflows: the graph, and every fault with its pointer."""

import time
import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.ids import JobIds
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Edge
from lib.jobs.workflow_request import read_workflow
from tests.unit.jobs.graph_case import TRACE, TYPES, GraphCase, id_of, named, noop

DIAMOND = {
    "sum": noop(after=["a", {"job": "b", "on": "ended"}]),
    "fetch": noop(queue="other"),
    "a": noop(after=["fetch"]),
    "b": noop(after=["fetch"], optional=True),
}


class Members(GraphCase):
    def test_each_waits_for_the_workflow_and_its_parents_and_the_workflow_for_each(self) -> None:
        graph = self.workflow(DIAMOND, name="import 2026-11", queue="home")

        own = graph.anchor.job.job_id
        ids = {name: id_of(graph, name) for name in DIAMOND}
        jobs = named(graph)
        self.assertEqual((Edge(own, "o", ""), Edge(ids["a"], "c", "a"), Edge(ids["b"], "e", "b")), jobs["sum"].edges)
        self.assertEqual((Edge(own, "o", ""),), jobs["fetch"].edges)
        self.assertEqual({ids["a"], ids["b"], own}, {*jobs["fetch"].followers})
        self.assertEqual(
            (
                Edge(ids["fetch"], "m", "0/fetch"),
                Edge(ids["a"], "m", "1/a"),
                Edge(ids["b"], "n", "2/b"),
                Edge(ids["sum"], "m", "3/sum"),
            ),
            graph.anchor.edges,
        )
        self.assertEqual(((), (), True), (graph.anchor.followers, graph.anchor.opens, graph.anchor.is_workflow))
        queues = {name: one.job.queue for name, one in jobs.items()}
        self.assertEqual({"": "home", "fetch": "other", "a": "default", "b": "default", "sum": "default"}, queues)

    def test_the_workflows_own_job_has_its_name(self) -> None:
        named_one, nameless = self.workflow(DIAMOND, name="import"), self.workflow(DIAMOND)

        self.assertEqual(("workflow", {"name": "import"}), named_one.anchor.spec[:2])
        self.assertEqual(("workflow", {}), nameless.anchor.spec[:2])
        self.assertEqual("default", nameless.anchor.job.queue)

    def test_each_member_says_whose_it_is_and_a_job_of_then_is_no_member(self) -> None:
        graph = self.workflow({"a": noop(), "part": {"jobs": {"x": noop()}}}, then=[noop()])

        own, part_id = graph.anchor.job.job_id, id_of(graph, "part")
        self.assertEqual(
            {"": "", "a": own, "part": own, "x": part_id, "then 0": ""},
            {name: JobSpec.from_text(one.job.spec_text).workflow for name, one in named(graph).items()},
        )

    def test_what_a_handler_asks_for_says_who_asked(self) -> None:
        body = {"jobs": {"a": noop()}, "then": [noop()]}
        graph = read_workflow(body, TYPES, JobIds(), request_id="r", trace=TRACE, by="q-1")

        self.assertEqual(["q-1"] * 3, [JobSpec.from_text(one.job.spec_text).by for one in graph.jobs])

    def test_then_waits_for_the_whole(self) -> None:
        graph = self.workflow({"a": noop()}, then=[noop(on="failed", then=[noop()])])

        own = graph.anchor.job.job_id
        self.assertEqual((Edge(own, "f", ""),), named(graph)["then 0"].edges)
        self.assertEqual((id_of(graph, "then 0"),), graph.anchor.followers)
        self.assertEqual((id_of(graph, "then 0.0"),), graph.anchor.opens)

    def test_each_fault_has_its_pointer(self) -> None:
        wrong: list[tuple[Any, str, str]] = [
            ({}, "/jobs", "is empty: a workflow has one job at least"),
            (None, "/jobs", "must be an object, not null"),
            ([], "/jobs", "must be an object, not an array"),
            ({"a b": noop()}, "/jobs/a b", "is not a name"),
            ({"a/b": noop()}, "/jobs/a~1b", "is not a name"),
            ({"": noop()}, "/jobs/", "is not a name"),
            ({"a" * 65: noop()}, "/jobs/" + "a" * 65, "is not a name"),
            ({"a": 1}, "/jobs/a", "must be an object, a job, not an integer"),
            ({"a": {"type": "noop"}}, "/jobs/a/payload", "is missing"),
            ({"a": noop(payload={"seconds": "x"})}, "/jobs/a/payload/seconds", "must be a number, not a string"),
            ({"a": noop(after=["b"])}, "/jobs/a/after/0", "no job of this workflow has the name b"),
            ({"a": noop(after=[{"job": "b"}])}, "/jobs/a/after/0", "no job of this workflow has the name b"),
            ({"a": noop(), "b": noop(after=["a", "a"])}, "/jobs/b/after/1", "the job a is given twice"),
            ({"a": noop(), "b": noop(after="a")}, "/jobs/b/after", "must be an array, not a string"),
            ({"a": noop(), "b": noop(after=[{"job": "a", "on": "x"}])}, "/jobs/b/after/0/on", "must be one of"),
            ({"a": noop(), "b": noop(after=[{"job": "a", "name": "x"}])}, "/jobs/b/after/0/name", "is not known here"),
            ({"a": noop(optional=1)}, "/jobs/a/optional", "must be a boolean, not an integer"),
            ({"a": noop(unique={"key": "x"})}, "/jobs/a/unique", "give the workflow an Idempotency-Key"),
            ({"a": noop(then=[])}, "/jobs/a/then", "give the job that is to follow an `after`"),
            ({"a": noop(on="ended")}, "/jobs/a/on", "write it into `after`"),
            ({"a": noop(type="workflow")}, "/jobs/a/type", "a workflow within another has `jobs`"),
            ({"a": noop(after=["b"]), "b": noop(after=["a"])}, "/jobs", "a waits for b waits for a"),
            ({"a": noop(after=["a"])}, "/jobs", "a waits for a"),
            ({"a": noop(jobs={"b": noop()})}, "/jobs/a/type", "a workflow within another has `jobs`"),
            ({"a": {"jobs": {"b": noop(colour=1)}}}, "/jobs/a/jobs/b/colour", "is not known here"),
            ({"a": {"jobs": {}}}, "/jobs/a/jobs", "is empty"),
            (
                {"a": {"jobs": {"b": noop()}, "payload": {}}},
                "/jobs/a/payload",
                "known: jobs, queue, callback_url, ",
            ),
            (
                {"a": {"jobs": {"b": noop(after=["c"])}}, "c": noop()},
                "/jobs/a/jobs/b/after/0",
                "no job of this workflow",
            ),
        ]
        for jobs, pointer, detail in wrong:
            with self.subTest(jobs=jobs):
                faults = self.faults_of_workflow(jobs)

                self.assertEqual({pointer}, faults.keys())
                self.assertIn(detail, faults[pointer])

    def test_the_workflows_own_fields_are_checked(self) -> None:
        for fields, pointer in (
            ({"name": ""}, "/name"),
            ({"name": "a" * 201}, "/name"),
            ({"name": "a\nb"}, "/name"),
            ({"name": 7}, "/name"),
            ({"queue": "Q"}, "/queue"),
            ({"sealed": True}, "/sealed"),
            ({"unique": {"key": "x"}}, "/unique"),
            ({"then": [noop(colour=1)]}, "/then/0/colour"),
        ):
            self.assertEqual({pointer}, self.faults_of_workflow({"a": noop()}, **fields).keys())

    def test_a_body_without_jobs_is_told_so(self) -> None:
        with self.assertRaises(InvalidFields) as caught:
            read_workflow({"name": "x"}, TYPES, JobIds(), request_id="r", trace=TRACE)

        self.assertEqual(["/jobs"], [pointer for pointer, _ in caught.exception.errors])

    def test_a_job_that_is_not_valid_is_no_unknown_name_to_others(self) -> None:
        self.assertEqual(
            {"/jobs/a/queue"}, self.faults_of_workflow({"a": noop(queue="Q"), "b": noop(after=["a"])}).keys()
        )


class Nested(GraphCase):
    def test_a_workflow_in_a_workflow_is_a_member_whose_members_hang_on_it(self) -> None:
        graph = self.workflow(
            {"a": noop(), "part": {"jobs": {"x": noop(), "y": noop(after=["x"])}, "after": ["a"], "optional": True}},
            queue="q",
        )

        own, part = graph.anchor.job.job_id, named(graph)["part"]
        part_id = part.job.job_id
        self.assertEqual(
            {Edge(own, "o", ""), Edge(id_of(graph, "a"), "c", "a")}, {e for e in part.edges if e.rule in "oc"}
        )
        self.assertEqual(
            [Edge(id_of(graph, "x"), "m", "0/x"), Edge(id_of(graph, "y"), "m", "1/y")],
            [edge for edge in part.edges if edge.rule == "m"],
        )
        self.assertEqual(Edge(part_id, "o", ""), named(graph)["x"].edges[0])
        self.assertEqual((own,), part.followers)
        self.assertIn(Edge(part_id, "n", "1/part"), graph.anchor.edges)
        self.assertEqual(("q", True, {"name": "part"}), (part.job.queue, part.is_workflow, part.spec.payload))

    def test_each_workflow_stands_before_its_members(self) -> None:
        graph = self.workflow({"a": {"jobs": {"b": {"jobs": {"c": noop()}}, "d": noop()}}})

        self.assertEqual(["a", "b", "c", "d"], [member.name for member in graph.members])

    def test_the_same_name_in_two_workflows_is_two_jobs(self) -> None:
        graph = self.workflow({"a": {"jobs": {"x": noop()}}, "b": {"jobs": {"x": noop()}}})

        self.assertEqual(5, len({one.job.job_id for one in graph.jobs}))

    def test_ten_deep_is_the_most(self) -> None:
        def nested(levels: int) -> dict[str, Any]:
            return {"a": {"jobs": nested(levels - 1)} if levels > 1 else noop()}

        self.assertEqual({}, self.faults_of_workflow(nested(10)))
        (detail,) = self.faults_of_workflow(nested(11)).values()
        self.assertIn("workflows may lie 10 deep in one another", detail)


class Sizes(GraphCase):
    def test_a_workflow_has_a_thousand_jobs_at_most(self) -> None:
        jobs = {f"j{number}": noop() for number in range(1001)}

        self.assertIn("has 1001 jobs", self.faults_of_workflow(jobs)["/jobs"])
        del jobs["j0"]
        self.assertEqual({}, self.faults_of_workflow(jobs))

    def test_and_with_all_workflows_in_it_ten_thousand(self) -> None:
        part = {"jobs": {f"j{number}": noop() for number in range(999)}}
        jobs = {f"p{number}": part for number in range(10)}

        self.assertEqual({}, self.faults_of_workflow(jobs))
        self.assertEqual({"/jobs": "are more than 10000 jobs in all"}, self.faults_of_workflow(jobs | {"one": noop()}))

    def test_a_chain_of_a_thousand_named_backwards_is_read(self) -> None:
        chain = {f"j{number}": noop(after=[f"j{number + 1}"]) for number in range(999)} | {"j999": noop()}

        graph = self.workflow(chain)

        self.assertEqual(["0/j999", "999/j0"], [graph.anchor.edges[0].name, graph.anchor.edges[-1].name])

    def test_the_largest_is_read_in_seconds_and_nothing_in_it_is_quadratic(self) -> None:
        def took_s(parts: int) -> float:
            part = {"jobs": {f"j{n}": noop(after=[f"j{n - 1}"] if n else []) for n in range(999)}}
            begun_s = time.process_time()
            self.workflow({f"p{number}": part for number in range(parts)})
            return time.process_time() - begun_s

        self.assertLess(took_s(10), max(took_s(1), 0.01) * 40)

    def test_faults_are_counted_no_further_than_they_are_told(self) -> None:
        jobs = {f"j{number}": noop(colour=1) for number in range(1000)}

        self.assertEqual(100, len(self.faults_of_workflow(jobs)))


if __name__ == "__main__":
    unittest.main()
