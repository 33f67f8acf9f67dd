"""Which job runs when: priorities, delays, limits, several runners."""

import time
import unittest

from lib.queue.scripts import text_of
from tests.processes import Worker
from tests.proxy import CUT_REPLY, PASS, Proxy, Request, Verdict
from tests.system.oracle import states
from tests.system.worker_case import WorkerCase


class Order(WorkerCase):
    def test_high_before_normal_before_low(self) -> None:
        gate = self.flag()
        worker = self.ready(WORKER_QUEUES="default=1")
        first = self.post("sleep", until=str(gate))
        self.until_begun(first)
        ids = [self.post("noop", {"priority": priority}) for priority in ("low", "normal", "high") * 3]
        gate.touch()

        self.until_all(ids, "completed")

        ran = [execution.job_id for execution in self.executions()][1:]
        self.assertEqual([*ids[2::3], *ids[1::3], *ids[0::3]], ran, worker.said())

    def test_a_job_that_expires_behind_others_is_in_the_log_under_its_requests_id(self) -> None:
        gate = self.flag()
        worker = self.ready(WORKER_QUEUES="default=1")
        first = self.post("sleep", until=str(gate))
        self.until_begun(first)
        # One that upkeep finds in time, and one that a claim does: upkeep finds it in no index.
        by_upkeep, by_claim = self.post_many(2, "noop", {"expires_in_s": 0.2})
        self.redis.client.zrem("wb:{default}:expiring", by_claim)
        self.until_all([by_upkeep], "dead")
        gate.touch()

        self.until_all([by_claim], "dead")

        died = self.until(lambda: len(lines := worker.logged("job.died")) == 2 and lines, "both are in the log")
        self.assertEqual({(by_upkeep, "r"), (by_claim, "r")}, {(line["job_id"], line["request_id"]) for line in died})
        self.assertTrue(all("expired" in line["msg"] for line in died))

    def test_jobs_whose_claims_reply_was_lost_run_in_their_old_order(self) -> None:
        with Proxy(self.redis.url) as proxy:
            claims: list[Request] = []
            claim = self.redis.client.script_load(text_of("claim")).encode()

            def judge(request: Request) -> Verdict:
                if claims or request.words[:2] != (b"EVALSHA", claim):
                    return PASS
                claims.append(request)
                return CUT_REPLY

            ids = self.post_many(5, "noop")
            proxy.judge = judge
            worker = Worker(proxy.url, **self.settings)
            self.addCleanup(worker.close)
            worker.start()
            self.until_all(ids, "completed")

            self.assertEqual(1, len(claims))
            self.assertEqual(ids, [execution.job_id for execution in self.executions()])
            self.assertEqual(0, worker.stop())

    def test_an_idle_worker_takes_up_a_job_of_any_priority_at_once(self) -> None:
        self.ready()
        for priority in ("high", "normal", "low"):
            began_s = time.monotonic()

            job_id = self.post("noop", {"priority": priority})
            self.until_all([job_id], "completed")

            # A bell that was not heard would cost the 2 s of a blocking pop.
            self.assertLess(time.monotonic() - began_s, 1.5, priority)

    def test_delayed_jobs_run_in_time_and_never_early(self) -> None:
        self.ready()
        ids = [self.post("noop", {"delay_s": 0.3 + 0.1 * number}) for number in range(8)]
        due_ms = {record.job_id: record.run_at_ms for record in self.records(ids)}

        self.until_all(ids, "completed")

        for record in self.records(ids):
            late_ms = (record.started_ms or 0) - (due_ms[record.job_id] or 0)
            self.assertGreaterEqual(late_ms, 0)
            self.assertLess(late_ms, 1500)

    def test_a_queues_limit_is_never_exceeded_and_is_used(self) -> None:
        flag = self.flag()
        ids = [self.post("sleep", {"queue": queue}, until=str(flag)) for _ in range(12) for queue in ("wide", "narrow")]
        self.ready(WORKER_QUEUES="wide=8,narrow=2")

        def active() -> dict[str, int]:
            known = states(self.redis.client)
            return {q: sum(known[i] == "active" for i in ids if i.startswith(q)) for q in ("wide", "narrow")}

        self.until(lambda: active() == {"wide": 8, "narrow": 2}, "both limits are used")
        flag.touch()
        self.until_all(ids, "completed")

        begun, at_once, highest = set(), 0, 0
        for line in self.lines():
            word, *_ = line.split()
            if word == "ended":
                at_once -= "narrow" in line
            else:
                begun.add(word)
                at_once += word.startswith("narrow")
                highest = max(highest, at_once)
        self.assertEqual((2, set(ids)), (highest, begun))

    def test_five_runners_share_the_work_and_do_each_job_once(self) -> None:
        worker = self.ready(WORKER_PROCESSES=5, WORKER_QUEUES="default=2")
        ids = self.post_many(300, "sleep", seconds=0.02)

        self.until_all(ids, "completed", 40)

        ran = self.executions()
        self.assertEqual((300, 300), (len(ran), len({execution.job_id for execution in ran})))
        self.assertEqual(5, len({execution.pid for execution in ran}))
        self.assertEqual(0, worker.stop())


if __name__ == "__main__":
    unittest.main()
