"""lib/queue/workflow_text.py: the jobs of a graph, byte for byte as plant.lua reads them."""

import unittest

from lib.jobs.job import Keyed
from lib.queue.enqueue_text import new_jobs_text
from lib.queue.framing import FIELD, PART, RECORD
from lib.queue.workflow_text import MOST_CHARACTERS, anchor_text, jobs_by_queue, member_calls, record_of
from tests.unit.jobs.graph_case import PARENTS, GraphCase, id_of, named, noop


class Records(GraphCase):
    def test_a_job_that_waits_for_nobody_is_written_as_a_new_job(self) -> None:
        graph = self.job_graph(delay_s=60, tags=["eu"])

        self.assertEqual(new_jobs_text([graph.anchor.job]), record_of(graph.anchor))

    def test_each_option_has_its_letter(self) -> None:
        graph = self.job_graph(
            after=[PARENTS[0], {"job": PARENTS[1], "on": "ended", "name": "x"}], then=[noop(then=[noop()])], delay_s=1.5
        )

        job_id, priority, options, spec = anchor_text(graph).rstrip(RECORD).split(FIELD)
        self.assertEqual(
            [
                "d+1500",
                f"bc{PARENTS[0]} ,e{PARENTS[1]} x",
                f"l{id_of(graph, 'then 0')}",
                f"o{id_of(graph, 'then 0.0')}",
                "",
            ],
            options.split(PART),
        )
        self.assertEqual((graph.anchor.job.job_id, "normal", graph.anchor.job.spec_text), (job_id, priority, spec))

    def test_a_workflow_says_that_it_is_one_and_names_its_members_by_their_place(self) -> None:
        graph = self.workflow({"b": noop(after=["a"]), "a": noop(optional=True)})

        options = anchor_text(graph).split(FIELD)[2].split(PART)
        self.assertEqual([f"bn{id_of(graph, 'a')} 0/a,m{id_of(graph, 'b')} 1/b", "j1", ""], options)

    def test_the_anchor_alone_has_the_requests_key(self) -> None:
        graph = self.workflow({"a": noop()})

        self.assertIn(f"iops order-7{PART}fabc{PART}", anchor_text(graph, Keyed("ops order-7", "abc")))
        self.assertNotIn("order-7", member_calls(graph)[0].text)


class Calls(GraphCase):
    def test_a_call_has_the_jobs_of_one_queue_and_not_the_anchor(self) -> None:
        graph = self.workflow({"a": noop(), "b": noop(queue="other"), "c": noop()})

        jobs = named(graph)
        self.assertEqual(
            {"default": record_of(jobs["a"]) + record_of(jobs["c"]), "other": record_of(jobs["b"])},
            dict(member_calls(graph)),
        )
        self.assertEqual({"default": 3, "other": 1}, jobs_by_queue(graph))

    def test_a_call_has_a_hundred_records_at_most(self) -> None:
        graph = self.workflow({f"j{number}": noop() for number in range(250)})

        self.assertEqual([100, 100, 50], [text.count(RECORD) for _, text in member_calls(graph)])

    def test_large_jobs_go_fewer_at_a_time_and_one_that_is_too_large_alone(self) -> None:
        large = noop(payload={"text": "x" * (MOST_CHARACTERS // 3)})
        huge = noop(payload={"text": "x" * MOST_CHARACTERS})
        graph = self.workflow({"a": large, "b": large, "c": large, "d": huge, "e": large})

        self.assertEqual([2, 1, 1, 1], [text.count(RECORD) for _, text in member_calls(graph)])


if __name__ == "__main__":
    unittest.main()
