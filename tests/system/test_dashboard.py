"""Every query of prod/grafana/ and every alert on the /metrics of a real server whose jobs do all that is counted.

The load repeats until all is there: jobs that are done, fail and die, groups and limits, a schedule, a workflow, a
webhook to nobody, a callback that nobody asked for. Where a Prometheus is installed each query gives a value there.
"""

import contextlib
import math
import re
import unittest
from collections import defaultdict

from tests import promql
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker
from tests.prometheus import PROGRAM, Prometheus

SAMPLE = re.compile(r"^(waybill_\w+)(?:\{(.*)\})? \S+$", re.MULTILINE)
OF_PROMETHEUS = {"job", "instance"}
VARIABLES = {"$job": "waybill", "$instance": ".*", "$queue": ".*", "$__rate_interval": "10s"}
NOWHERE = {"url": "http://127.0.0.1:9/"}
TICK = {"every_s": 1, "job": {"type": "noop", "payload": {}}}


class Dashboard(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        settings = {
            "JOB_MODULES": "lib.handlers.webhook,tests.jobs_for_tests",
            "WORKER_QUEUES": "default=5,webhook=5",
            "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
        }
        self.server = self.enterContext(Server(self.redis.url, **settings))
        self.enterContext(Worker(self.redis.url, **settings))
        limits = {"concurrency": 5, "rate": {"limit": 1000, "per_s": 1}, "groups": {"concurrency": 1}}
        self.ask("PUT", "/api/schedules/tick", TICK)
        self.post(type="noop")  # Before it there is no queue to be changed.
        self.ask("PATCH", "/api/queues/default", limits)
        for _ in range(2):  # The second one keeps the group among those that wait.
            self.post(type="sleep", payload={"seconds": 60}, group="tenant-1")

    def ask(self, method: str, path: str, body: object) -> None:
        status, answer, _ = self.server.request(method, path, body)
        self.assertLess(status, 300, answer)

    def post(self, **job: object) -> None:
        self.ask("POST", "/api/jobs", {"payload": {}, **job})

    def load(self) -> None:
        self.post(type="noop")
        self.post(type="fail", max_attempts=1)
        self.post(type="fail", max_attempts=2)
        self.post(type="webhook", payload=NOWHERE, max_attempts=1)
        jobs = {"a": {"type": "noop", "payload": {}}, "b": {"type": "noop", "payload": {}, "after": ["a"]}}
        self.ask("POST", "/api/workflows", {"jobs": jobs})
        self.server.request("POST", "/api/callbacks/nobody-asked-for-it", {"outcome": "completed"})

    def exported(self) -> dict[str, set[str]]:
        """The metrics that have a line now, each with the labels of all its lines."""
        found = defaultdict[str, set[str]](set)
        for name, labels in SAMPLE.findall(self.server.request("GET", "/metrics")[1].decode()):
            found[name].update(re.findall(r'(\w+)="', labels))
        return found

    def test_every_query_and_alert_asks_for_metrics_and_labels_that_a_server_shows(self) -> None:
        asked = {where: promql.asked(expr) for where, expr in promql.expressions().items()}
        names = {name for metrics in asked.values() for name in metrics if name.startswith("waybill_")}
        self.load()

        self.server.until(lambda: names <= self.exported().keys(), "every metric has a line")

        exported = self.exported()
        for where, metrics in asked.items():
            for name in metrics.keys() & names:
                with self.subTest(where):
                    self.assertEqual(set(), metrics[name] - exported[name] - OF_PROMETHEUS)

    @unittest.skipUnless(PROGRAM, "prometheus is not installed here")
    def test_every_query_gives_a_value_in_a_prometheus(self) -> None:
        missing = {where: expr for where, expr in promql.expressions().items() if where.startswith("panel ")}
        self.assertGreater(len(missing), 50)
        rules = promql.RULES.read_text(encoding="utf-8")

        with Prometheus([self.server.url], rules, scrape_s=1) as prometheus:

            def all_there() -> bool:
                self.load()
                for where, expr in list(missing.items()):
                    if has_value(prometheus, expr):
                        del missing[where]
                return not missing

            with contextlib.suppress(AssertionError):  # The next line says which are missing.
                self.server.until(all_there, "every query gives a value", within_s=40)
        self.assertEqual({}, missing)


def has_value(prometheus: Prometheus, expr: str) -> bool:
    """Whether there is a number for it now. Raises HTTPError where the expression is wrong."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return any(not math.isnan(float(row["value"][1])) for row in prometheus.query(expr))


if __name__ == "__main__":
    unittest.main()
