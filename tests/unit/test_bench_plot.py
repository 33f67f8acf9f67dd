"""The picture, the table and the file of `make bench`: whatever was measured is in them, in XML that is well-formed."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.bench import bars, plot, svg
from tests.bench.figure import Figure, Measured, gathered
from tests.bench.peers import PeerFailed, run
from tests.bench.results import measure, merged, read, unfit, write
from tests.bench.rows import ROWS, compared, table
from tests.private_redis import wait_until
from tests.processes import ROOT, is_alive

CHAR_13, CHAR_12 = 7.0, 6.6  # pixels that a letter takes in the middle, in the widest of the fonts
SVG = "{http://www.w3.org/2000/svg}"
MACHINE = {
    "cores": 2,
    "processor": "x",
    "memory_gb": 8,
    "python": "3.11.7",
    "redis": "7.0.15 <beta> & more",
    "redis_link": "a socket",
}


def measured(figures: Iterable[Figure]) -> dict[str, Any]:
    """As of one round, on one day, of one commit."""
    return measure(gathered([figures]), date="2026-01-31", commit="c0ffee", rounds=1, is_quick=False)


def results(figures: Iterable[Figure]) -> dict[str, Any]:
    """results.json of a run that found these."""
    return merged({}, MACHINE, {"all": measured(figures)})


def everything() -> list[Figure]:
    """Every figure that the table knows, and those of the charts."""
    keys = [part for row in ROWS for key in (row.key, row.other_key) for part in key.split(" + ") if part]
    keys += ["post.jobs_per_call", "work.jobs_per_call_c1"]
    keys += [f"scaling.{what}_p{p}_c{c}" for what in ("posts", "posts_redis") for p in (1, 2) for c in (1, 8, 64)]
    keys += [f"scaling.{what}_p{p}_c{c}" for what in ("jobs", "jobs_redis") for p in (1, 2) for c in (1, 10, 100)]
    return [Figure(key, 100.0 + n, "jobs/s") for n, key in enumerate(dict.fromkeys(keys))]


def bench(*words: str, **environment: str) -> tuple[int, str]:
    """The command: its exit code, and all that it says."""
    command = [sys.executable, "-m", "tests.bench", *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


class Picture(unittest.TestCase):
    def test_every_row_of_the_table_is_in_the_picture(self) -> None:
        found = results(everything())

        shown = texts(plot.drawn(found))

        for row in found["table"]:
            if not row["key"].startswith(("scaling.", "depth.")):
                with self.subTest(row["what"]):
                    self.assertTrue([text for text in shown if text.startswith(row["what"])])

    def test_of_each_kind_of_fullness_the_worst_figure_is_in_the_picture(self) -> None:
        costs = {"waiting.enqueue": 11.0, "waiting.claim_finish": 14.0, "delayed.enqueue": 16.0}
        figures = [Figure(f"depth.{key}", cost_us, "µs") for key, cost_us in costs.items()]
        beside = [Figure(f"depth.{key.replace('.', '_beside.')}", 10.0, "µs") for key in costs]

        shown = texts(plot.drawn(results(figures + beside)))

        self.assertEqual([text for text in shown if text.endswith("µs")], ["14 : 10 µs", "16 : 10 µs"])

    def test_a_bar_that_goes_beyond_the_scale_has_a_tip(self) -> None:
        for rate, tips in ((100.0, 0), (399.0, 0), (401.0, 1), (24.0, 1)):
            with self.subTest(rate):
                figures = [Figure("post.rate", rate, "/s"), Figure("fastify.http_jobs_c64.rate", 100.0, "/s")]

                drawn = ElementTree.fromstring(plot.drawn(results(figures)))

                self.assertEqual(len(list(drawn.iter(f"{SVG}polygon"))), tips)

    def test_a_fact_has_the_colour_of_its_goal(self) -> None:
        for start_ms, colour in ((699.0, svg.GOOD), (701.0, svg.SHORT)):
            with self.subTest(start_ms):
                drawn = ElementTree.fromstring(plot.drawn(results([Figure("start.worker", start_ms, "ms")])))

                self.assertIn(colour, [bar.get("fill") for bar in drawn.iter(f"{SVG}rect")])

    def test_names_have_room_in_their_columns(self) -> None:
        for row in results(everything())["table"]:
            if "ratio" in row and not row["key"].startswith(("scaling.", "depth.")):
                with self.subTest(row["what"], other=row["other"]):
                    self.assertLessEqual(len(row["what"]) * CHAR_13, bars.OTHER - svg.LEFT)
                    self.assertLessEqual(len(row["other"]) * CHAR_12, bars.BARS - bars.OTHER)

    def test_no_text_is_smaller_than_11(self) -> None:
        drawn = ElementTree.fromstring(plot.drawn(results(everything())))

        self.assertEqual(drawn.get("width"), "830")
        self.assertGreaterEqual(min(float(text.get("font-size", 0)) for text in drawn.iter(f"{SVG}text")), 11)

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

    def test_a_ratio_is_the_middle_one_of_the_rounds_not_that_of_the_middle_ones(self) -> None:
        figures = {
            "mails.rate": Measured("mails/s", (10.0, 20.0, 90.0)),
            "mails.smtplib": Measured("mails/s", (10.0, 40.0, 30.0)),
        }

        (row,) = compared(figures)

        self.assertEqual((row["value"], row["other_value"], row["ratio"]), (20.0, 30.0, 1.0))
        self.assertEqual(row["ratios"], [1.0, 0.5, 3.0])

    def test_a_row_of_two_figures_has_the_sum_of_each_round(self) -> None:
        figures = {
            "post.redis_us": Measured("µs per job", (10.0, 20.0, 30.0)),
            "work.redis_us_c100": Measured("µs per job", (9.0, 1.0, 2.0)),
        }

        (row,) = compared(figures)

        self.assertEqual((row["value"], row["is_reached"]), (21.0, True))

    def test_a_row_of_two_figures_is_not_there_with_one_of_them(self) -> None:
        self.assertEqual(compared({"post.redis_us": Measured("µs per job", (10.0,))}), [])

    def test_the_table_has_a_line_for_each_row(self) -> None:
        rows = results(everything())["table"]

        self.assertEqual(len(table(rows).splitlines()), len(rows) + 1)


class Rounds(unittest.TestCase):
    def test_the_middle_round_counts(self) -> None:
        found = gathered([[Figure("a.b", value, "ms")] for value in (9.0, 1.0, 2.0)])

        self.assertEqual((found["a.b"].value, found["a.b"].rounds), (2.0, (9.0, 1.0, 2.0)))

    def test_a_figure_that_one_round_lacks_is_refused(self) -> None:
        rounds = [[Figure("a.b", 1.0, "ms"), Figure("peer.x", 4.0, "/s")], [Figure("a.b", 3.0, "ms")]]

        with self.assertRaisesRegex(ValueError, "not in each of 2 rounds: peer.x"):
            gathered(rounds)


class File(unittest.TestCase):
    def test_a_run_of_a_part_takes_the_place_of_that_part_alone(self) -> None:
        old = merged({}, MACHINE, {name: measured([Figure(f"{name}.rate", 1.0, "/s")]) for name in ("post", "mails")})

        new = merged(old, MACHINE, {"mails": measured([Figure("mails.rate", 2.0, "/s")])})

        self.assertEqual([row["value"] for row in new["table"]], [1.0, 2.0])

    def test_what_is_written_is_read_as_it_was(self) -> None:
        found = results(everything())
        with tempfile.TemporaryDirectory() as folder:
            write(path := Path(folder) / "results.json", found)

            self.assertEqual(read(path), json.loads(json.dumps(found)))

    def test_figures_of_two_machines_do_not_get_into_one_file(self) -> None:
        found = results([])

        self.assertEqual(unfit(found, {**MACHINE, "cores": 64}), "of another machine (cores)")
        self.assertEqual(unfit(found, {**MACHINE, "python": "3.14.0"}), "")

    def test_a_part_is_not_put_into_a_file_of_an_older_form(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (path := Path(folder) / "results.json").write_text('{"machine": {}, "figures": {}}')

            code, said = bench("post", "--results", str(path))

            self.assertEqual((code, path.read_text(encoding="utf-8")), (2, '{"machine": {}, "figures": {}}'))
            self.assertIn("of an older form", said)


class Failure(unittest.TestCase):
    def test_what_fails_is_told_at_the_end_and_the_others_are_measured(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.json"

            # On that PATH are no curl and a Redis that ends at its start.
            (program := Path(folder) / "redis-server").write_text("#!/bin/sh\necho Redis server v=7.2.0\n")
            program.chmod(0o755)
            code, said = bench("memory", "batch", "--alone", "--rounds", "1", "--results", str(path), PATH=folder)

            self.assertEqual((code, path.exists()), (1, False))
            self.assertRegex(said, r"(?s)not measured:\nmemory: RuntimeError: .*\nbatch: SystemExit: .*needs curl")


class Peers(unittest.TestCase):
    """Of a real program in the place of peers.py."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def said(self, program: str, limit_s: float = 20.0) -> list[Figure]:
        (self.folder / "peers.py").write_text(program)
        return run(self.folder, ["bee"], ["bee.jobs.rate"], limit_s=limit_s)

    def test_what_is_asked_for_is_given(self) -> None:
        found = self.said("""print('npm says so\\n{"peer": "bee", "what": "jobs", "rate": 7, "p50": "640us"}')""")

        self.assertEqual(found, [Figure("bee.jobs.rate", 7.0, "/s")])

    def test_a_peer_that_did_not_run_is_no_round(self) -> None:
        with self.assertRaisesRegex(PeerFailed, "did not say bee.jobs.rate"):
            self.said("""print('{"peer": "bee", "what": "did not run"}')""")

    def test_a_peer_that_refused_is_no_round(self) -> None:
        with self.assertRaises(PeerFailed):
            self.said("""print('{"peer": "bee", "what": "jobs", "rate": 7, "non2xx": "12"}')""")

    def test_what_a_peer_started_ends_with_it_when_it_takes_too_long(self) -> None:
        program = (
            "import subprocess as s; p = s.Popen(['sleep', '60']); open('pid', 'w').write(f'{p.pid}\\n'); p.wait()"
        )

        with self.assertRaises(subprocess.TimeoutExpired):
            self.said(program, limit_s=2.0)

        pid = int((self.folder / "pid").read_text(encoding="utf-8"))
        wait_until(lambda: not is_alive(pid), "it has ended")

    def test_an_exit_code_is_looked_at(self) -> None:
        with self.assertRaisesRegex(PeerFailed, "ended with 3"):
            self.said("""print('{"peer": "bee", "what": "jobs", "rate": 7}'); raise SystemExit(3)""")


if __name__ == "__main__":
    unittest.main()
