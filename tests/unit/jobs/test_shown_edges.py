"""What a job waits for, as the API shows it: in one order, each with what became of it, and no word of its workflow."""

import unittest

from lib.jobs.edges import KnownEdge
from lib.jobs.shown_edges import shown_edges


class Edges(unittest.TestCase):
    def test_they_are_sorted_by_name_and_those_to_a_workflow_are_left_out(self) -> None:
        edges = [KnownEdge("c", ".", "q-3", "b"), KnownEdge("o", "o", "q-0", ""), KnownEdge("f", "d", "q-2", "a")]
        edges += [KnownEdge("m", "c", "q-4", "0/a"), KnownEdge("e", "g", "q-1", "")]

        shown = shown_edges(edges)

        self.assertEqual([("q-1", None), ("q-2", "a"), ("q-3", "b")], [(one["job"], one["name"]) for one in shown])
        self.assertEqual(["ended", "failed", "completed"], [one["on"] for one in shown])
        self.assertEqual(["gone", "failed", None], [one["outcome"] for one in shown])

    def test_each_mark_has_its_outcome(self) -> None:
        shown = shown_edges(KnownEdge("c", mark, f"q-{number}", "") for number, mark in enumerate(".cdxksg"))

        outcomes = [None, "completed", "failed", "cancelled", "cancelled", "skipped", "gone"]
        self.assertEqual(outcomes, [one["outcome"] for one in shown])


if __name__ == "__main__":
    unittest.main()
