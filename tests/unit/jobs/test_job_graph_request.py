"""POST /api/jobs with `after` and `then`: the graph, and every fault with its pointer."""

import unittest
from typing import Any

from lib.jobs.graph_reader import NAME_RULE
from lib.jobs.workflow import Edge, OutsideEdge
from tests.unit.jobs.graph_case import PARENTS, GraphCase, id_of, named, noop


class After(GraphCase):
    def test_a_job_waits_for_jobs_that_are_there(self) -> None:
        graph = self.job_graph(
            after=[PARENTS[0], {"job": PARENTS[1], "on": "ended", "name": "fetch"}, {"job": PARENTS[2], "on": "failed"}]
        )

        own = graph.anchor.job.job_id
        rules = list(zip(PARENTS, "cef", strict=True))
        self.assertEqual(
            (Edge(PARENTS[0], "c", ""), Edge(PARENTS[1], "e", "fetch"), Edge(PARENTS[2], "f", "")), graph.anchor.edges
        )
        self.assertEqual(tuple(OutsideEdge(parent, own, rule) for parent, rule in rules), graph.outside)
        self.assertEqual(((), (), False), (graph.members, graph.anchor.followers, graph.anchor.is_workflow))

    def test_nothing_to_wait_for_is_nothing_wrong(self) -> None:
        self.assertEqual(((), ()), self.job_graph(after=None, then=None)[1:])
        self.assertEqual(((), ()), self.job_graph(after=[], then=[])[1:])

    def test_each_fault_has_its_pointer(self) -> None:
        wrong: list[tuple[Any, str, str]] = [
            ("a", "/after", "must be an array, not a string"),
            (["nope"], "/after/0", "must be a job's id, as POST /api/jobs answers it"),
            ([1], "/after/0", "must be a string or an object with job and on, not an integer"),
            ([{}], "/after/0/job", "is missing"),
            ([{"job": None}], "/after/0/job", "is missing"),
            ([{"job": 7}], "/after/0/job", "must be a string, not an integer"),
            ([{"job": "nope"}], "/after/0/job", "must be a job's id, as POST /api/jobs answers it"),
            ([{"job": PARENTS[0], "on": "done"}], "/after/0/on", "must be one of completed, ended, failed"),
            ([{"job": PARENTS[0], "on": []}], "/after/0/on", "must be one of completed, ended, failed"),
            (
                [{"job": PARENTS[0], "name": "a b"}],
                "/after/0/name",
                f"must be a name: {NAME_RULE}",
            ),
            ([{"job": PARENTS[0], "optional": True}], "/after/0/optional", "is not known here; known: job, on, name"),
            ([PARENTS[0], {"job": PARENTS[0], "on": "ended"}], "/after/1", f"the job {PARENTS[0]} is given twice"),
            (
                [{"job": PARENTS[0], "name": "x"}, {"job": PARENTS[1], "name": "x"}],
                "/after/1/name",
                "the name x is given twice",
            ),
            (PARENTS[:1] * 1001, "/after", "has 1001 elements; a job waits for 1000 jobs at most"),
        ]
        for after, pointer, detail in wrong:
            with self.subTest(after=str(after)[:80]):
                self.assertEqual({pointer: detail}, self.faults_of_job(after=after))

    def test_the_jobs_own_faults_are_told_beside(self) -> None:
        faults = self.faults_of_job(queue="Q", after=["nope"], then=[noop(queue="Q")])

        self.assertEqual({"/queue", "/after/0", "/then/0/queue"}, faults.keys())

    def test_no_more_faults_are_told_than_of_any_body(self) -> None:
        self.assertEqual(100, len(self.faults_of_job(after=["nope"] * 1000)))

    def test_unique_and_workflow_say_what_to_do(self) -> None:
        self.assertIn("Idempotency-Key", self.faults_of_job(unique={"key": "x"}, after=PARENTS)["/unique"])
        self.assertIn("POST /api/workflows makes one", self.faults_of_job(type="workflow", after=PARENTS)["/type"])


class Then(GraphCase):
    def test_a_follower_hangs_on_the_job_and_a_deeper_one_on_the_word_that_it_is_there_as_well(self) -> None:
        graph = self.job_graph(
            then=[noop(queue="other", on="failed"), noop(then=[noop(on="ended"), noop()]), noop(on="ended")]
        )

        own = graph.anchor.job.job_id
        jobs = named(graph)
        self.assertEqual(["then 0", "then 1", "then 2", "then 1.0", "then 1.1", ""], list(jobs))
        self.assertEqual((Edge(own, "f", ""),), jobs["then 0"].edges)
        self.assertEqual((Edge(own, "c", ""),), jobs["then 1"].edges)
        self.assertEqual((Edge(id_of(graph, "then 1"), "e", ""), Edge(own, "a", "")), jobs["then 1.0"].edges)
        self.assertEqual(tuple(id_of(graph, f"then {number}") for number in range(3)), graph.anchor.followers)
        self.assertEqual((id_of(graph, "then 1.0"), id_of(graph, "then 1.1")), graph.anchor.opens)
        self.assertEqual(graph.anchor.opens, jobs["then 1"].followers)
        self.assertEqual(("other", "default"), (jobs["then 0"].job.queue, jobs["then 1"].job.queue))

    def test_the_jobs_of_a_then_are_checked_as_any_job(self) -> None:
        wrong: list[tuple[Any, str, str]] = [
            ({}, "/then", "must be an array, not an object"),
            ([1], "/then/0", "must be an object, a job, not an integer"),
            ([noop(payload={"seconds": "x"})], "/then/0/payload/seconds", "must be a number, not a string"),
            ([noop(then=[noop(colour=1)])], "/then/0/then/0/colour", "is not known here"),
            ([noop(on="done")], "/then/0/on", "must be one of completed, ended, failed"),
            ([noop(unique={"key": "x"})], "/then/0/unique", "send an Idempotency-Key"),
            ([noop(after=PARENTS)], "/then/0/after", "waits for the job whose `then` it stands in"),
            ([noop(type="workflow")], "/then/0/type", "POST /api/workflows makes one"),
            ([noop(then=7)], "/then/0/then", "must be an array, not an integer"),
            ([{"payload": {}}], "/then/0/type", "is missing"),
        ]
        for then, pointer, detail in wrong:
            with self.subTest(then=then):
                faults = self.faults_of_job(then=then)

                self.assertEqual({pointer}, faults.keys())
                self.assertIn(detail, faults[pointer])

    def test_a_thousand_jobs_are_the_most_at_whatever_depth(self) -> None:
        wide = [noop() for _ in range(1000)]
        deep = [noop(then=wide[:600]), noop(then=wide[:399])]

        self.assertEqual({}, self.faults_of_job(then=wide))
        for then in ([*wide, noop()], deep):
            self.assertEqual({"/then": "has more than 1000 jobs in all"}, self.faults_of_job(then=then))

    def test_a_chain_of_a_thousand_is_read(self) -> None:
        chain: list[Any] = []
        for _ in range(1000):
            chain = [noop(then=chain)]

        graph = self.job_graph(then=chain)

        self.assertEqual(1000, len(graph.members))

    def test_a_job_of_a_then_has_the_request_and_trace_of_the_request(self) -> None:
        graph = self.job_graph(then=[noop(delay_s=60, tags=["eu"], group="g")])

        (member,) = graph.members
        self.assertEqual(graph.anchor.spec[2:4], member.spec[2:4])
        self.assertEqual((60_000, ("eu",), "g"), (member.job.delay_ms, member.job.tags, member.job.group))


if __name__ == "__main__":
    unittest.main()
