"""lib/jobs/edges.py: the text of edges, and what each mark means under each rule."""

import unittest

from lib.jobs.edges import CLASSES, KnownEdge, class_of, edges_from

MEANINGS = {
    #     ".cdxksgo"
    "c": "open ok bad bad cut off lost bad",
    "m": "open ok bad bad cut off lost bad",
    "e": "open ok ok ok ok ok lost bad",
    "n": "open ok ok ok ok ok lost bad",
    "f": "open off ok ok off off lost bad",
    "o": "open bad bad bad cut off lost ok",
    "?": "open bad bad bad bad bad lost bad",
}


class Edges(unittest.TestCase):
    def test_a_rule_and_a_mark_have_a_class(self) -> None:
        found = {rule: " ".join(class_of(rule, mark) for mark in ".cdxksgo") for rule in MEANINGS}

        self.assertEqual(MEANINGS, found)

    def test_the_classes_stand_by_their_rank(self) -> None:
        self.assertEqual("open lost cut bad off ok", " ".join(CLASSES))

    def test_a_text_of_edges_is_read(self) -> None:
        found = edges_from("c.email-01 fetch,fdemail-02 ,o.default-03 ,m.email-04 12/part.one")

        self.assertEqual(
            (
                KnownEdge("c", ".", "email-01", "fetch"),
                KnownEdge("f", "d", "email-02", ""),
                KnownEdge("o", ".", "default-03", ""),
                KnownEdge("m", ".", "email-04", "12/part.one"),
            ),
            found,
        )
        self.assertEqual(["fetch", "", "", "part.one"], [edge.shown_name for edge in found])
        self.assertEqual(["open", "ok", "open", "open"], [edge.class_name for edge in found])

    def test_no_text_is_no_edges_and_garbage_is_read_as_an_edge_that_is_bad(self) -> None:
        self.assertEqual((), edges_from(""))
        self.assertEqual(["bad", "bad"], [edge.class_name for edge in edges_from(",?")])


if __name__ == "__main__":
    unittest.main()
