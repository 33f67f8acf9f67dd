"""The alerts of prod/prometheus/ in a real Prometheus, where one is installed: each fires when it should.

Their times are cut (`for` to a second, windows to half a minute, a wait of 300 s to one): what is tried is that the
expressions see what happens, on the metrics of a real server. WaybillJobsDead sees the first jobs that a type ever had.
"""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

from tests.private_redis import PrivateRedis
from tests.processes import ROOT, Server, Worker

PROMETHEUS = shutil.which("prometheus")
CUT = (
    (r"for: \d+m", "for: 1s"),
    (r"\[(?:5|15)m\]", "[30s]"),
    (r"\[1d\] offset 15m", "[1h] offset 30s"),
    (r"> 300", "> 1"),
    (r"> 60", "> 1"),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@unittest.skipUnless(PROMETHEUS, "prometheus is not installed here")
class Alerts(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.redis = self.enterContext(PrivateRedis())
        modules = {"JOB_MODULES": "tests.jobs_for_tests"}
        self.server = self.enterContext(Server(self.redis.url, **modules))
        self.worker = Worker(self.redis.url, **modules)
        self.addCleanup(self.worker.close)

    def start_prometheus(self) -> None:
        rules = (ROOT / "prod" / "prometheus" / "waybill.rules.yml").read_text(encoding="utf-8")
        for pattern, short in CUT:
            rules, count = re.subn(pattern, short, rules)
            self.assertTrue(count, pattern)
        (self.folder / "rules.yml").write_text(rules, encoding="utf-8")
        target = self.server.url.removeprefix("http://")
        (self.folder / "prometheus.yml").write_text(
            # Without Redis a scrape waits for it, up to a second.
            "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 500ms}\n"
            "rule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: waybill, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        self.port = free_port()
        program = subprocess.Popen(
            [
                PROMETHEUS or "",
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)

    def firing(self) -> set[str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=2) as reply:
                alerts = json.load(reply)["data"]["alerts"]
        except OSError:
            return set()
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def until_firing(self, name: str) -> None:
        self.server.until(lambda: name in self.firing(), f"{name} fires", within_s=20)

    def test_each_fires(self) -> None:
        self.start_prometheus()
        self.server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
        self.until_firing("WaybillNoWorker")
        self.until_firing("WaybillQueueLate")

        self.worker.start()
        self.server.until(lambda: not self.firing(), "all is well", within_s=20)
        for _ in range(5):
            self.server.request("POST", "/api/jobs", {"type": "fail", "payload": {}, "max_attempts": 1})
        self.until_firing("WaybillJobsDead")

        self.server.request("PATCH", "/api/queues/default", {"rate": {"limit": 1, "per_s": 3600}})
        for _ in range(3):
            self.server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
        self.until_firing("WaybillQueueLimited")
        self.server.request("POST", "/api/jobs", {"type": "noop", "payload": {}, "group": "tenant-42"})
        self.redis.client.zadd("wb:{default}:resting", {"tenant-42": 4_000_000_000_000})
        self.redis.client.hset("wb:{default}:held", "tenant-42", "4000000000000 default-1")
        self.until_firing("WaybillGroupHeld")
        self.redis.client.hset("wb:{default}:strikes", "tenant-42", "3 1 4000000000000 LinkLost: closed")
        self.until_firing("WaybillHostSilent")

        # At its max_depth the queue has no room for the job of a slot, which stays due.
        self.server.request("PATCH", "/api/queues/default", {"max_depth": 0})
        tick = {"every_s": 1, "job": {"type": "noop", "payload": {}}}
        self.assertEqual(201, self.server.request("PUT", "/api/schedules/tick", tick)[0])
        self.until_firing("WaybillScheduleOverdue")

        self.redis.freeze()
        for _ in range(3):
            self.server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
        self.until_firing("WaybillRedisAway")
        self.until_firing("WaybillServerErrors")


if __name__ == "__main__":
    unittest.main()
