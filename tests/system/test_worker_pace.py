"""Quick jobs are claimed ahead of a free slot; what then turns out to wait goes back, and is run by others."""

import unittest

from lib.jobs.job import NewJob
from tests.system.worker_case import WorkerCase

BEHIND = 10
JOBS = 2000


class Ahead(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.settings = {**self.settings, "WORKER_QUEUES": "default=1"}

    def quick(self, count: int) -> list[NewJob]:
        return [self.new("noop") for _ in range(count)]

    def waiting(self) -> int:
        return int(self.redis.client.llen("wb:{default}:ready:normal"))

    def held(self) -> int:
        return sum(int(self.redis.client.llen(key)) for key in self.redis.client.keys("wb:{default}:active:*"))

    def test_one_at_a_time_and_far_less_than_a_call_for_each(self) -> None:
        calls_before = int(self.redis.client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))
        ids = self.put(*[self.new("at_once") for _ in range(1000)])
        self.ready()

        self.until_all(ids, "completed")

        calls = int(self.redis.client.info("commandstats")["cmdstat_evalsha"]["calls"]) - calls_before
        # One by one there are two for each: a claim, and the word of its end.
        self.assertLess(calls, 1700)
        self.assertEqual([job_id for i in ids for job_id in (i, f"ended {i}")], self.words())

    def until_more_than(self, known: int) -> None:
        self.until(lambda: len(self.executions()) > known, "it has begun some")

    def words(self) -> list[str]:
        """The ledger, without attempts and pids."""
        return [line if line.startswith("ended") else line.split()[0] for line in self.lines()]

    def test_what_waits_behind_a_long_job_is_run_by_another_runner_in_its_old_order(self) -> None:
        for long in ("sleep", "block"):
            with self.subTest(long):
                flag = self.flag()
                # "sleep" was quick before: it is found out while it runs. "block" was never seen, and lets nobody act.
                before = [*self.quick(40), *[self.new("sleep") for _ in range(40)], *self.quick(40)]
                options = {"until": str(flag)} if long == "sleep" else {"seconds": 6.0}
                job, behind = self.new(long, **options), self.quick(BEHIND)
                first = self.worker()
                self.put(*before, job, *behind)
                self.until_begun(job.job_id)

                try:
                    self.until(lambda: (self.held(), self.waiting()) == (1, BEHIND), "they are back", 5)
                except AssertionError:
                    raise AssertionError(f"{self.held()} held, {self.waiting()} waiting") from None
                second = self.ready()
                self.until_all([one.job_id for one in behind], "completed")

                self.assertEqual("active", self.record(job.job_id).state)
                flag.touch()
                self.until_all([job.job_id], "completed")
                ran = [execution.job_id for execution in self.executions()]
                self.assertEqual([one.job_id for one in behind], ran[-BEHIND:])
                for record in self.records([one.job_id for one in behind]):
                    self.assertEqual((1, 1), (record.attempts, len(record.history)), record)
                self.assertEqual([0, 0], [first.stop(), second.stop()])

    def test_a_drain_amid_quick_jobs_burns_no_attempt(self) -> None:
        ids = self.put(*self.quick(JOBS))
        for _ in range(4):
            if (known := len(self.executions())) < JOBS:
                worker = self.worker()
                self.until_more_than(known)
                self.assertEqual(0, worker.stop())
        self.ready()

        self.until_all(ids, "completed")

        self.assertEqual([1] * JOBS, [record.attempts for record in self.records(ids)])
        self.assertEqual(JOBS, len(self.executions()))


if __name__ == "__main__":
    unittest.main()
