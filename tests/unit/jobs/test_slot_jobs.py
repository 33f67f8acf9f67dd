"""The jobs of a slot: one job, or a graph whose ids are made of the schedule's name, its version and the slot."""

import unittest
from typing import Any

from lib.ids import JobIds, request_mark
from lib.jobs.schedule import Schedule, ScheduleSlot
from lib.jobs.slot_jobs import graph_of, graph_of_slot, job_of_slot
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Graph
from lib.tracing import Sampler, trace_of

SLOT = ScheduleSlot(1_796_002_200_000, 1_796_002_200_500)


def job(queue: str = "q", **fields: Any) -> dict[str, Any]:
    return {"type": "t", "payload": {}, "queue": queue, **fields}


THEN = Schedule("@daily", 0, "UTC", job(then=[job("r", on="ended", then=[job("s")])]))
NESTED = {"jobs": {"c": job("s")}, "after": ["a"]}
FLOW = Schedule(
    "@daily", 0, "UTC", {}, workflow={"name": "w", "queue": "q", "jobs": {"a": job("r"), "p": NESTED}, "then": [job()]}
)


def of_slot(schedule: Schedule, name: str = "daily", version: int = 7, at_ms: int = SLOT.at_ms) -> Graph:
    return graph_of_slot(schedule, JobIds(), name, version, ScheduleSlot(at_ms, at_ms))


class OfASlot(unittest.TestCase):
    def test_the_same_slot_has_the_same_jobs_whoever_makes_them(self) -> None:
        for schedule in (THEN, FLOW):
            self.assertEqual(of_slot(schedule), of_slot(schedule))

    def test_another_name_version_or_slot_has_others(self) -> None:
        for schedule in (THEN, FLOW):
            graphs = [
                of_slot(schedule),
                of_slot(schedule, name="dail"),
                of_slot(schedule, version=8),
                of_slot(schedule, at_ms=5),
            ]

            ids = [one.job.job_id for graph in graphs for one in graph.jobs]
            self.assertEqual(len(ids), len(set(ids)))

    def test_the_anchor_has_the_time_of_the_slot_and_the_mark_of_the_request_which_all_have(self) -> None:
        for schedule in (THEN, FLOW):
            graph = of_slot(schedule)

            self.assertRegex(graph.anchor.job.job_id, rf"^q-{SLOT.at_ms:012x}8[0-9a-f]{{3}}[89ab][0-9a-f]{{15}}$")
            request_ids = {one.spec.request_id for one in graph.jobs}
            self.assertEqual(1, len(request_ids))
            self.assertEqual({request_mark(*request_ids)}, {one.job.job_id[-4:] for one in graph.jobs})

    def test_every_job_is_one_of_the_schedule_and_its_text_says_so(self) -> None:
        for schedule in (THEN, FLOW):
            for one in of_slot(schedule).jobs:
                self.assertEqual(("daily", SLOT.at_ms), (one.spec.schedule, one.spec.scheduled_for))
                self.assertEqual(one.spec, JobSpec.from_text(one.job.spec_text))

    def test_the_jobs_wait_for_each_other_as_the_schedule_says(self) -> None:
        anchor, (first, second) = of_slot(THEN).anchor, of_slot(THEN).members

        self.assertEqual(((first.job.job_id,), (second.job.job_id,)), (anchor.followers, anchor.opens))
        self.assertEqual([("e", anchor.job.job_id)], [(edge.rule, edge.parent_id) for edge in first.edges])
        self.assertEqual(("r", "s"), (first.job.queue, second.job.queue))

    def test_the_members_name_their_workflow(self) -> None:
        graph = of_slot(FLOW)
        names = {one.name: one for one in graph.members}

        self.assertEqual(["a", "p", "c", "then 0"], [*names])
        self.assertEqual(graph.anchor.job.job_id, names["a"].spec.workflow)
        self.assertEqual(names["p"].job.job_id, names["c"].spec.workflow)
        self.assertEqual(({"name": "w"}, True), (graph.anchor.spec.payload, graph.anchor.is_workflow))

    def test_all_its_jobs_are_sampled_or_none_is(self) -> None:
        slot = ScheduleSlot(SLOT.at_ms, SLOT.at_ms)
        for schedule in (THEN, FLOW):
            for ratio, flags in ((0.0, "00"), (1.0, "01")):
                graph = graph_of_slot(schedule, JobIds(), "daily", 7, slot, Sampler(ratio))
                self.assertEqual({flags}, {one.spec.trace.flags for one in graph.jobs})
        plain = Schedule("@daily", 0, "UTC", job())
        _, spec = job_of_slot(plain, JobIds(), "daily", 7, slot, Sampler(0.0))
        self.assertEqual("00", spec.trace.flags)


class OfARun(unittest.TestCase):
    def test_a_run_has_new_ids_each_time_and_no_slot(self) -> None:
        def run() -> Graph:
            return graph_of(FLOW, JobIds(), name="daily", slot=None, request_id="r", trace=trace_of("0" * 48))

        first, again = run(), run()

        ids = [one.job.job_id for graph in (first, again) for one in graph.jobs]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(
            {("daily", 0, "r")}, {(s.schedule, s.scheduled_for, s.request_id) for _, _, _, _, s, *_ in first.jobs}
        )


if __name__ == "__main__":
    unittest.main()
