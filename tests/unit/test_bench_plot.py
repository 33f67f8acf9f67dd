"""The picture and the table of `make bench`: whatever was measured is in them, in XML that is well-formed."""

import unittest
from typing import Any
from xml.etree import ElementTree

from tests.bench import plot
from tests.bench.figure import Figure, medians
from tests.bench.rows import ROWS, compared, table

SVG = "{http://www.w3.org/2000/svg}"
MACHINE = {"cores": 2, "python": "3.11.7", "redis": "7.0.15 <beta> & more", "date": "2026-01-31"}


def results(figures: list[Figure]) -> dict[str, Any]:
    """results.json of a run that found these."""
    shown = {figure.key: {"value": figure.value, "unit": figure.unit} for figure in figures}
    rows = compared({figure.key: figure for figure in figures})
    return {"machine": MACHINE, "rounds": 5, "is_quick": False, "figures": shown, "table": rows}


def everything() -> list[Figure]:
    """Every figure that the table knows, and those of the charts."""
    keys = [key for row in ROWS for key in (row.key, row.other_key) if key]
    keys += [f"depth.{kind}.{what}" for kind in ("waiting", "waiting_beside") for what in ("enqueue", "jobs")]
    keys += ["ceiling.enqueue", "ceiling.claim_finish", "scaling.posts_limit", "scaling.jobs_limit"]
    keys += [f"scaling.{what}_p{p}_c{c}" for what in ("posts", "posts_redis") for p in (1, 2) for c in (1, 8, 64)]
    keys += [f"scaling.{what}_p{p}_c{c}" for what in ("jobs", "jobs_redis") for p in (1, 2) for c in (1, 10, 100)]
    return [Figure(key, 100.0 + n, "jobs/s") for n, key in enumerate(keys)]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


class Picture(unittest.TestCase):
    def test_every_row_of_the_table_is_in_the_picture(self) -> None:
        found = results(everything())

        shown = texts(plot.drawn(found))

        for row in found["table"]:
            if not plot.IN_CHARTS.match(row["key"]):
                with self.subTest(row["what"]):
                    self.assertTrue([text for text in shown if text.startswith(row["what"])])

    def test_a_chart_has_a_line_for_one_process_and_one_for_two(self) -> None:
        lines = ElementTree.fromstring(plot.drawn(results(everything()))).iter(f"{SVG}polyline")

        self.assertEqual([len(line.get("points", "").split()) for line in lines], [3, 3, 3, 3])

    def test_who_can_not_see_it_is_told_every_row(self) -> None:
        found = results(everything())
        root = ElementTree.fromstring(plot.drawn(found))

        self.assertEqual(root.findtext(f"{SVG}title"), "How fast Waybill is")
        for row in found["table"]:
            self.assertIn(row["what"], root.findtext(f"{SVG}desc") or "")

    def test_a_run_of_one_measure_without_peers_is_drawn(self) -> None:
        figures = [Figure("post.rate", 9000.0, "requests/s")]

        self.assertIn("POST /api/jobs, 64 connections: 9,000 requests/s", texts(plot.drawn(results(figures))))

    def test_nothing_is_drawn_beyond_the_card(self) -> None:
        figures = [Figure("post.rate", 1e6, "/s"), Figure("express.http_jobs_c64.rate", 1.0, "/s")]

        root = ElementTree.fromstring(plot.drawn(results(figures)))

        for bar in root.iter(f"{SVG}rect"):
            self.assertLessEqual(float(bar.get("x", 0)) + float(bar.get("width", 0)), float(root.get("width", 0)))


class Table(unittest.TestCase):
    def test_a_goal_of_a_ratio_is_judged_by_the_ratio(self) -> None:
        figures = [Figure("mails.rate", 90.0, "mails/s"), Figure("mails.smtplib", 100.0, "mails/s")]

        (row,) = results(figures)["table"]

        self.assertEqual((row["ratio"], row["goal"], row["is_reached"]), (0.9, "≥ 0.9", True))

    def test_a_goal_of_a_value_is_judged_by_the_value(self) -> None:
        (row,) = results([Figure("start.server", 401.0, "ms")])["table"]

        self.assertEqual((row["goal"], row["is_reached"]), ("< 400 ms", False))

    def test_a_goal_beside_a_peer_that_did_not_run_is_neither_reached_nor_missed(self) -> None:
        (row,) = results([Figure("work.c1", 5000.0, "jobs/s")])["table"]

        self.assertIsNone(row["is_reached"])

    def test_the_table_has_a_line_for_each_row(self) -> None:
        rows = results(everything())["table"]

        self.assertEqual(len(table(rows).splitlines()), len(rows) + 1)


class Medians(unittest.TestCase):
    def test_the_middle_round_counts(self) -> None:
        rounds = [[Figure("a.b", value, "ms")] for value in (9.0, 1.0, 2.0)]

        self.assertEqual(medians(rounds), [Figure("a.b", 2.0, "ms")])

    def test_a_figure_that_one_round_lacks_is_that_of_the_others(self) -> None:
        rounds = [[Figure("a.b", 1.0, "ms"), Figure("peer.x", 4.0, "/s")], [Figure("a.b", 3.0, "ms")]]

        self.assertEqual(medians(rounds), [Figure("a.b", 2.0, "ms"), Figure("peer.x", 4.0, "/s")])


if __name__ == "__main__":
    unittest.main()
