"""prod/grafana/waybill.json and the alerts, held to what lib/api/metrics.py exports and to the rules of a dashboard.

That every query gives a value is tried on a real server and Prometheus, in tests/system/test_dashboard.py.
"""

import itertools
import json
import re
import unittest

from lib.api import metrics
from lib.queue.meters import SPAN_OUTCOMES
from tests import promql
from tests.processes import ROOT

BOARD = json.loads(promql.DASHBOARD.read_text(encoding="utf-8"))
NOT_OURS = {"up", "ALERTS"}  # Prometheus makes these of each scrape and each rule.


def exported() -> set[str]:
    """The names of the metrics in the code; those of histograms with the three ends that a scrape has."""
    code = (ROOT / "lib" / "api" / "metrics.py").read_text(encoding="utf-8")
    names = set[str]()
    for name, kind in re.findall(r'"(waybill_[a-z_{}]+)",\s*"(gauge|counter|histogram)"', code):
        each = {name.replace("{event}", event) for event in metrics.EVENTS}
        if "{outcome}" in name:
            each = {name.replace("{outcome}", outcome) for outcome in SPAN_OUTCOMES}
        names |= {one + end for one in each for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else each
    return names


class Dashboard(unittest.TestCase):
    def test_every_query_asks_for_metrics_that_there_are(self) -> None:
        there = exported() | NOT_OURS

        self.assertGreater(len(there), 30)
        for where, expr in promql.expressions().items():
            with self.subTest(where):
                self.assertTrue(promql.asked(expr))
                self.assertEqual(set(), promql.asked(expr).keys() - there)

    def test_every_metric_is_on_it(self) -> None:
        asked = {name for panel in promql.panels() for one in panel["targets"] for name in promql.asked(one["expr"])}
        families = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}

        self.assertEqual(set(), {re.sub("_(bucket|sum|count)$", "", name) for name in exported()} - families)

    def test_every_panel_has_an_id_and_a_title_of_its_own_and_says_what_it_means(self) -> None:
        ids = [panel["id"] for panel in BOARD["panels"]]
        titles = [panel["title"] for panel in promql.panels()]

        self.assertEqual(sorted(set(ids)), sorted(ids))
        self.assertEqual(sorted(set(titles)), sorted(titles))
        for panel in promql.panels():
            with self.subTest(panel["title"]):
                self.assertEqual({"type": "prometheus", "uid": "${DS_PROMETHEUS}"}, panel["datasource"])
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertRegex(panel["description"], r"\w.{40,}\.$")
                letters = [target["refId"] for target in panel["targets"]]
                self.assertEqual([*"ABCDE"[: len(letters)]], letters)

    def test_panels_lie_side_by_side(self) -> None:
        taken = set[tuple[int, int]]()
        for panel in BOARD["panels"]:
            at = panel["gridPos"]
            columns, lines = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
            own = set(itertools.product(columns, lines))

            self.assertLessEqual(columns.stop, 24, panel["title"])
            self.assertEqual(set(), own & taken, panel["title"])
            taken |= own

    def test_every_variable_in_a_query_is_one_of_the_dashboards(self) -> None:
        variables = {one["name"] for one in BOARD["templating"]["list"]} | {"__rate_interval"}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD))) - {"__all"}

        self.assertEqual(variables, used)

    def test_what_all_servers_show_alike_is_never_added_up(self) -> None:
        """Each of N servers shows every job: their sum is N times too much, but for what a server counts itself."""
        own = ("waybill_http_", "waybill_log_")
        for where, expr in promql.expressions().items():
            for name in promql.asked(expr).keys() - NOT_OURS:
                one_of_all = rf"(?:max|min|count)(?: by \([a-z, ]+\) )?\((?:[a-z_]+\()?{name}\b"
                with self.subTest(where):
                    if not name.startswith(own):
                        self.assertEqual(len(re.findall(rf"{name}\b", expr)), len(re.findall(one_of_all, expr)))


class Alerts(unittest.TestCase):
    def test_each_says_what_is_wrong_how_bad_it_is_and_what_to_do(self) -> None:
        rules = list(promql.rules())

        self.assertEqual(sorted({rule.name for rule in rules}), sorted(rule.name for rule in rules))
        for rule in rules:
            with self.subTest(rule.name):
                self.assertRegex(rule.name, "^Waybill[A-Z]")
                self.assertRegex(rule.text, r"labels: \{severity: (page|warn|notice)\}")
                self.assertRegex(rule.text, r"summary: \S")
                self.assertRegex(rule.text, r"description: (?:>-\n +)?\S")

    def test_the_notes_list_each_with_its_severity(self) -> None:
        notes = (promql.PROD / "DEPLOYMENT-NOTES.md").read_text(encoding="utf-8")
        listed = dict(re.findall(r"^\| (Waybill\w+) \| (page|warn|notice) \|", notes, re.MULTILINE))

        severities = {rule.name: re.findall(r"severity: (\w+)", rule.text) for rule in promql.rules()}
        self.assertEqual(severities, {name: [severity] for name, severity in listed.items()})


class Expressions(unittest.TestCase):
    def test_promql_finds_what_is_asked_for(self) -> None:
        expr = 'sum by (le) (max by (queue, le) (rate(waybill_a{type="x", state=~"$s"}[5m]))) > on (queue) waybill_b'

        self.assertEqual({"waybill_a": {"type", "state", "queue", "le"}, "waybill_b": {"queue"}}, promql.asked(expr))


if __name__ == "__main__":
    unittest.main()
