"""Graphs as values: their ids, and the same graph under another anchor."""

import unittest

from lib.jobs.spec import JobSpec
from lib.jobs.workflow import member_id, under
from tests.unit.jobs.graph_case import PARENTS, GraphCase, named, noop

ANCHOR = "default-019b2f0e1a2c8000a1b2c3d4e5f60718"
OTHER = "default-019b2f0e1a2d8000a1b2c3d4e5f69999"


class Ids(unittest.TestCase):
    def test_a_members_id_is_the_same_at_every_call_and_ends_as_its_anchors(self) -> None:
        first = member_id("emails", ANCHOR, "fetch")

        self.assertEqual(first, member_id("emails", ANCHOR, "fetch"))
        self.assertRegex(first, "^emails-019b2f0e1a2c8[0-9a-f]{3}[89ab][0-9a-f]{11}0718$")
        self.assertEqual(3, len({first, member_id("emails", ANCHOR, "a"), member_id("emails", OTHER, "fetch")}))


class Under(GraphCase):
    def test_a_graph_under_its_own_anchor_is_itself(self) -> None:
        graph = self.workflow({"a": noop()})

        self.assertIs(graph, under(graph, graph.anchor.job.job_id))

    def test_two_tries_of_one_request_make_the_same_jobs(self) -> None:
        jobs = {
            "a": noop(),
            "part": {"jobs": {"x": noop(queue="other"), "y": {"jobs": {"z": noop()}, "after": ["x"]}}, "after": ["a"]},
        }
        then = [noop(then=[noop(on="ended")])]
        first, second = self.workflow(jobs, then=then), self.workflow(jobs, then=then)

        moved = under(second, first.anchor.job.job_id)

        self.assertNotEqual(first, second)
        self.assertEqual(first, moved)

    def test_a_members_text_names_its_workflow_as_its_spec_does(self) -> None:
        graph = under(self.workflow({"a": noop(), "part": {"jobs": {"x": noop()}}}), OTHER)

        jobs = named(graph)
        part_id = jobs["part"].job.job_id
        self.assertEqual([OTHER, OTHER, part_id], [jobs[name].spec.workflow for name in ("a", "part", "x")])
        for one in graph.jobs:
            self.assertEqual(one.spec, JobSpec.from_text(one.job.spec_text))

    def test_parents_outside_the_graph_keep_their_ids(self) -> None:
        first, second = (self.job_graph(after=PARENTS[:2], then=[noop(), noop(then=[noop()])]) for _ in range(2))

        self.assertEqual(first, under(second, first.anchor.job.job_id))


if __name__ == "__main__":
    unittest.main()
