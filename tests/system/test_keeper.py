"""Several idle runners and jobs that are due one after another: one runner keeps the clock for all."""

import json
import os
import signal
import unittest

from lib.queue.scripts import text_of
from tests.system.worker_case import WorkerCase

RUNNERS = 4
JOBS = 20


class Keeper(WorkerCase):
    settings = {"WORKER_QUEUES": "default=2", "WORKER_PROCESSES": RUNNERS}  # noqa: RUF012

    def idle_runners(self) -> None:
        self.ready()
        client = self.redis.client
        self.until(lambda: int(client.info("clients")["blocked_clients"]) >= RUNNERS, "every runner blocks")

    def calls(self, script: str) -> int:
        """How often a script was called since `count_calls`."""
        sha1 = self.redis.client.script_load(text_of(script))
        entries = self.redis.client.slowlog_get(100_000)
        return sum(entry["command"].startswith(f"EVALSHA {sha1}".encode()) for entry in entries)

    def count_calls(self) -> None:
        """Have Redis note every command in its slow log."""
        self.redis.client.config_set("slowlog-max-len", 100_000)
        self.redis.client.config_set("slowlog-log-slower-than", 0)
        self.redis.client.slowlog_reset()

    def late_ms(self, ids: list[str]) -> list[int]:
        """How long after its time each job was handed out, by Redis' own clock."""
        fields = [self.redis.client.hmget(f"wb:{{default}}:job:{job_id}", "since", "started") for job_id in ids]
        return [int(started) - int(since) for since, started in fields]

    def post_delayed(self, first_s: float) -> list[str]:
        return self.put(*[self.new("noop", {"delay_s": first_s + 0.1 * number}) for number in range(JOBS)])

    def test_one_runner_promotes_for_all(self) -> None:
        self.idle_runners()
        self.count_calls()

        ids = self.post_delayed(0.5)
        self.until_all(ids, "completed")

        # About one a job. Where each runner set a timer of its own it was RUNNERS * JOBS.
        self.assertLess(self.calls("promote"), 2 * JOBS)
        self.assertTrue(all(late >= 0 for late in self.late_ms(ids)), self.late_ms(ids))

    def test_where_the_keeper_stands_still_its_deputy_is_half_a_second_late_once(self) -> None:
        self.idle_runners()
        ids = self.post_delayed(1.9)
        keeper = self.until(lambda: self.redis.client.get("wb:{default}:keeper"), "a runner keeps the clock")
        about = json.loads(self.redis.client.hget("wb:{default}:workers", keeper.split()[1]))
        self.until(lambda: self.redis.client.get("wb:{default}:deputy"), "it has a deputy")

        os.kill(about["pid"], signal.SIGSTOP)
        try:
            self.until(lambda: self.redis.client.zcard("wb:{default}:delayed") == 0, "all are due")
        finally:
            os.kill(about["pid"], signal.SIGCONT)
        self.until_all(ids, "completed")

        # Without a deputy, a job would wait for the end of a block: up to 2 s.
        self.assertLess(max(self.late_ms(ids)), 1200, self.late_ms(ids))


if __name__ == "__main__":
    unittest.main()
