"""The alerts of prod/prometheus/ in a real Prometheus, where one is installed: each fires when it should, and falls
silent when the cause is gone.

Their times are cut (`for` to a second, windows to some seconds, a wait of 300 s to one): what is tried is that the
expressions see what happens, on the metrics of a real server. WaybillJobsDead sees the first jobs that a type ever had.
"""

import re
import resource
import signal
import unittest

from tests import promql
from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker
from tests.prometheus import PROGRAM, Prometheus

CUT = (
    (r"for: \d+[mh]", "for: 1s"),
    (r"\[(?:5|15)m\]", "[{window_s}s]"),
    (r"\[1d\] offset 15m", "[1h] offset {window_s}s"),
    (r"> 300", "> 1"),
    (r"> 60", "> 1"),
)
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
FAR_MS = 4_000_000_000_000


@unittest.skipUnless(PROGRAM, "prometheus is not installed here")
class Alerts(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        modules = {"JOB_MODULES": "tests.jobs_for_tests"}
        self.server = self.enterContext(Server(self.redis.url, **modules))
        self.worker = Worker(self.redis.url, **modules)
        self.addCleanup(self.worker.close)

    def start_prometheus(self, scrape_s: int, window_s: int) -> None:
        rules = promql.RULES.read_text(encoding="utf-8")
        for pattern, short in CUT:
            rules, count = re.subn(pattern, short.format(window_s=window_s), rules)
            self.assertTrue(count, pattern)
        self.prometheus = self.enterContext(Prometheus([self.server.url], rules, scrape_s=scrape_s))

    def until_firing(self, name: str, *, posts: bool = False) -> None:
        """posts: jobs are posted all the while. Three answers between two scrapes are a series that begins with 3, and
        no rate."""

        def is_firing() -> bool:
            if posts:
                self.post(1, "noop")
            return name in self.prometheus.firing()

        self.server.until(is_firing, f"{name} fires", within_s=20)

    def until_silent(self) -> None:
        self.server.until(lambda: not self.prometheus.firing(), "all is well", within_s=30)

    def post(self, count: int, type_name: str, **options: object) -> None:
        for _ in range(count):
            self.server.request("POST", "/api/jobs", {"type": type_name, "payload": {}, **options})

    def test_each_fires(self) -> None:
        # Without Redis a scrape waits for it, up to a second.
        self.start_prometheus(scrape_s=2, window_s=30)
        self.post(1, "noop")
        self.until_firing("WaybillNoWorker")
        self.until_firing("WaybillQueueLate")

        self.worker.start()
        self.until_silent()
        self.post(5, "fail", max_attempts=1)
        self.until_firing("WaybillJobsDead")

        self.server.request("PATCH", "/api/queues/default", {"rate": {"limit": 1, "per_s": 3600}})
        self.post(3, "noop")
        self.until_firing("WaybillQueueLimited")
        self.post(1, "noop", group="tenant-42")
        self.redis.client.zadd("wb:{default}:resting", {"tenant-42": FAR_MS})
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
        self.until_firing("WaybillRedisAway", posts=True)
        self.until_firing("WaybillServerErrors", posts=True)

    @unittest.skipUnless(hasattr(resource, "prlimit"), "no process can be given a full disk here")
    def test_each_falls_silent_again(self) -> None:
        self.worker.start()
        self.start_prometheus(scrape_s=1, window_s=10)

        self.redis.client.sadd("wb:queues", "broken")
        self.redis.client.set("wb:{broken}:all", "no sorted set")
        self.until_firing("WaybillQueueUnreadable")
        self.redis.client.srem("wb:queues", "broken")
        self.until_silent()

        self.redis.client.zadd("wb:warnings", {"worker on host-1: the mail server refuses the login": FAR_MS})
        self.redis.client.zadd("wb:fleet", {"server 0.2.0 web1.4711.9f3a01c2": FAR_MS})
        self.until_firing("WaybillWorkerWarning")
        self.until_firing("WaybillVersionsMixed")
        self.redis.client.delete("wb:warnings")
        self.redis.client.zrem("wb:fleet", "server 0.2.0 web1.4711.9f3a01c2")
        self.until_silent()

        # They are tried again in an hour, so that none dies meanwhile.
        self.post(15, "fail", max_attempts=2, backoff={"base_s": 3600})
        self.until_firing("WaybillJobsFailing")
        self.post(16, "noop")
        self.until_silent()

        # To a process that may write no further byte the disk is full.
        resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        self.post(3, "noop")
        self.until_firing("WaybillLogLinesLost")
        resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        self.until_silent()

        self.server.signal(signal.SIGSTOP)
        self.until_firing("WaybillServerDown")
        self.server.signal(signal.SIGCONT)
        self.until_silent()


if __name__ == "__main__":
    unittest.main()
