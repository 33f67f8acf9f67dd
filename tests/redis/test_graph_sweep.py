"""A sample of graph_sweep.py: whoever plants, tells or asks dies or is frozen at some call; some random graphs."""

import os
import unittest

from lib.queue.scripts import Scripts
from tests.redis import graph_fuzz, graph_sweep
from tests.redis.case import RedisCase
from tests.redis.graph_judge import evaluate
from tests.redis.graph_trial import Trial
from tests.redis.graphs import DIAMOND, NESTED, TREE

DEATHS, FREEZES, RESENDS, GRAPHS = 40, 10, 10, 15


class Evaluator(unittest.TestCase):
    """The plain rules by hand: the trials are worth what these are."""

    def test_where_all_is_well_the_alarm_is_skipped(self) -> None:
        marks, ran = evaluate(DIAMOND, ())

        self.assertEqual({"fetch", "p1", "p2", "p3", "side", "sum", "mail"}, ran)
        self.assertEqual(("s", "c"), (marks["alarm"], marks["w"]))

    def test_a_failed_parent_cancels_and_sets_off_the_alarm(self) -> None:
        marks, ran = evaluate(DIAMOND, {"p1"})

        self.assertEqual({"fetch", "p1", "p2", "p3", "side", "alarm", "mail"}, ran)
        self.assertEqual(("d", "x", "c", "d"), tuple(marks[name] for name in ("p1", "sum", "alarm", "w")))

    def test_who_waits_for_an_end_does_not_mind_a_failure(self) -> None:
        self.assertIn("sum", evaluate(DIAMOND, {"p3"}).ran)

    def test_a_workflow_in_a_workflow_begins_behind_its_parents_and_fails_with_its_members(self) -> None:
        marks, ran = evaluate(NESTED, {"part.x"})

        self.assertEqual({"first", "part.x", "extra", "alarm", "report.read"}, ran)
        self.assertEqual(("d", "x", "d", "x"), tuple(marks[name] for name in ("part", "part.y", "w", "report")))

    def test_a_workflow_that_never_begins_takes_its_members_with_it(self) -> None:
        marks, ran = evaluate(NESTED, {"first"})

        self.assertEqual({"first", "extra", "alarm", "report.read"}, ran)
        self.assertEqual({"x"}, {marks[name] for name in ("part", "part.x", "part.y", "last")})

    def test_an_optional_job_may_fail(self) -> None:
        self.assertEqual("c", evaluate(NESTED, {"extra"}).marks["w"])

    def test_what_follows_a_job_waits_for_it_alone(self) -> None:
        self.assertEqual({"root", "m", "x", "y"}, evaluate(TREE, {"m"}).ran)
        self.assertEqual({"root", "z", "y", "x"}, evaluate(TREE, {"root"}).ran)

    def test_what_had_completed_is_not_run_again(self) -> None:
        first = evaluate(DIAMOND, {"p1"})

        again = evaluate(DIAMOND, (), first.marks)

        self.assertEqual({"p1", "sum"}, again.ran)
        self.assertEqual("c", again.marks["w"])


class Trials(RedisCase):
    def setUp(self) -> None:
        self.seed = int.from_bytes(os.urandom(3), "big")  # An AssertionError of a trial names it, or what it was.

    async def test_whoever_plants_or_tells_may_die_at_each_call(self) -> None:
        ended = await graph_sweep.sweep(self.link, self.client, "deaths", DEATHS, self.seed)

        self.assertEqual(DEATHS, ended.total())

    async def test_a_planter_may_be_frozen_at_each_call(self) -> None:
        ended = await graph_sweep.sweep(self.link, self.client, "freezes", FREEZES, self.seed)

        self.assertEqual({"ran": FREEZES}, dict(ended))

    async def test_a_request_that_is_sent_again_makes_one_graph(self) -> None:
        ended = await graph_sweep.sweep(self.link, self.client, "resends", RESENDS, self.seed)

        self.assertEqual({"ran": RESENDS}, dict(ended))

    async def test_a_workflow_does_not_wait_for_a_job_whose_record_is_gone(self) -> None:
        trial = Trial(self.link, self.client, DIAMOND, ("p1",))
        await trial.well.plant(DIAMOND, trial.anchor_id)
        await trial.go_on()
        await self.job_store.delete(trial.ids["p1"])

        await Scripts(self.link).call("retry", self.keys.base("a"), trial.anchor_id, "", "", "", "", "", "")
        await trial.go_on()

        found = trial.found()
        self.assertEqual(({}, "dead", "cancelled"), (found.left, found.states["w"], found.states["sum"]))

    async def test_random_graphs_end_as_they_must(self) -> None:
        ended = await graph_fuzz.graphs(self.link, self.client, "random", GRAPHS, self.seed)

        self.assertEqual(GRAPHS, ended.total())

    async def test_a_workflow_is_stopped_and_run_again(self) -> None:
        ended = await graph_fuzz.graphs(self.link, self.client, "again", GRAPHS, self.seed)

        self.assertEqual(GRAPHS, ended.total())


if __name__ == "__main__":
    unittest.main()
