"""Suspects: jobs that were aboard two runners that died. Each runs in a process of its own, several side by side."""

import asyncio
import os
import signal
import unittest
from pathlib import Path
from random import Random
from typing import Any

from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.queue.queue_store import QueueStore
from lib.queue.scripts import Scripts
from lib.redis_link.link import open_link
from tests.processes import Worker, is_alive
from tests.proxy import CUT_REPLY, PASS, Proxy, Request, Verdict
from tests.system.test_worker_limits import Case

QUEUE = "wb:{default}:"


class SideBySide(Case):
    settings = {"WORKER_QUEUES": "default=8", "CRASH_LIMIT": 100}  # noqa: RUF012

    def aboard_two_that_died(self, count: int, until: Path) -> list[str]:
        """Ids of so many jobs whose runner was killed twice; they run alone, and wait for the file `until`."""
        ids = self.post_many(count, "sleep", until=str(until))
        for attempt in (1, 2):
            self.until_begun(*ids, attempts=attempt)
            (pid,) = {run.pid for run in self.executions() if run.attempt == attempt}
            os.kill(pid, signal.SIGKILL)
        return ids

    def suspects(self, count: int, until: Path, queue: str = "default") -> list[str]:
        """The same without a worker: as Redis has such jobs after two runners that claimed them have died."""
        ids = self.post_many(count, "sleep", {"queue": queue}, until=str(until))

        async def crash() -> None:
            link = open_link(self.redis.url, timeout_s=5)
            keys = RedisKeys("wb")
            for runner_id in ("first", "second"):
                lease = Lease(link, link, keys, queue, f"{queue}.{runner_id}", Random())
                await lease.register({})
                await lease.claim(count)
                await QueueStore(link, keys).runners.reap(queue, lease.runner_id, crash_limit=100)
            await link.close()

        asyncio.run(crash())
        return ids

    def alone(self, worker: Worker) -> set[int]:
        """The pids of its isolation runners that live."""
        started = [line for line in worker.logged("runner.started") if ".alone" in line["msg"]]
        return {pid for line in started if is_alive(pid := int(line["pid"]))}

    def pids(self, ids: list[str], attempt: int = 3) -> list[int]:
        """Where these jobs have begun for the so-manieth time."""
        return [run.pid for run in self.executions() if run.job_id in ids and run.attempt == attempt]

    def waiting(self) -> int:
        found: Any = self.redis.client.llen(QUEUE + "suspects")
        return int(found)

    def test_they_run_beside_each_other_each_in_its_own_process_and_other_jobs_beside_them(self) -> None:
        worker = self.ready()
        flag = self.flag()
        ids = self.aboard_two_that_died(6, flag)

        self.watch(lambda: len(self.pids(ids)) == 4, 8)
        beside = self.post_many(20, "sleep", seconds=0.01)
        self.watch(self.are(beside, "completed"), 8)

        pids = self.pids(ids)
        self.assertEqual((4, 4, 2), (len(pids), len(set(pids)), self.waiting()))
        self.assertEqual(set(pids), self.alone(worker))
        flag.touch()
        self.watch(self.are(ids, "completed"), 8)
        self.assertEqual([3] * 6, [len(self.executions(job_id)) for job_id in ids])
        self.assertEqual(set(pids), set(self.pids(ids)))  # The others ran where these had.
        self.assertEqual(0, worker.stop())

    def test_of_a_queue_in_which_one_may_run_no_other_runs_beside_one_and_all_have_their_turn(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=1")
        flag = self.flag()
        (suspect,) = self.aboard_two_that_died(1, flag)
        self.until_begun(suspect, attempts=3)
        after = self.post_many(3, "sleep", seconds=0.05)
        worker.wait_for("worker.registered", 4)  # Three that served, and an isolation runner.
        self.assertEqual([], [job_id for job_id in after if self.executions(job_id)])

        flag.touch()

        self.watch(self.are([suspect, *after], "completed"), 1)
        self.assertEqual(self.alone(worker), set(self.pids([suspect])))

    def test_a_suspect_waits_for_a_slot_that_others_use_and_is_the_next_to_have_it(self) -> None:
        self.ready(WORKER_QUEUES="default=2")
        flag, other_flag = self.flag(), self.folder / "other"
        busy = self.post_many(2, "sleep", until=str(other_flag))
        self.until_begun(*busy)
        ids = self.suspects(2, flag)
        later = self.post_many(4, "sleep", until=str(flag))
        self.watch(lambda: len(self.redis.client.hkeys(QUEUE + "workers")) == 2, 2)
        self.assertEqual(2, self.waiting())

        other_flag.touch()

        # One slot is a suspect's, and one everybody's.
        self.watch(lambda: len(self.pids(ids)) == 1 and sum(map(len, map(self.executions, later))) == 1, 2)
        flag.touch()
        self.watch(self.are([*ids, *busy, *later], "completed"), 2)

    def test_a_handler_that_does_not_end_costs_its_own_runner_and_the_others_have_their_turn(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=2", UNWIND_S=1)
        flag = self.flag()
        ids = [self.post("sleep", until=str(flag)), self.post("swallow", seconds=60)]
        for attempt in (1, 2):
            self.until_begun(*ids, attempts=attempt)
            os.kill(self.executions(ids[0])[-1].pid, signal.SIGKILL)
        flag.touch()
        self.until_begun(ids[1], attempts=3)

        self.cancel(ids[1])
        self.watch(self.are(ids[:1], "completed"), 2)

        self.until_all(ids[1:], "cancelled")
        self.until(lambda: self.waiting() == 0, "no suspect is left")
        self.assertEqual(2, len(worker.logged("runner.died")))

    def test_a_stop_gives_them_back_as_suspects_and_the_next_worker_runs_them_alone(self) -> None:
        flag = self.flag()
        ids = self.suspects(5, flag)
        worker = self.ready(SHUTDOWN_GRACE_S=0)
        self.until(lambda: len(self.pids(ids)) == 4, "four run")

        self.assertEqual(0, worker.stop())
        self.assertEqual((5, set()), (self.waiting(), self.alone(worker)))
        self.assertEqual([2] * 5, [record.attempts for record in self.records(ids)])
        other = self.ready()
        self.until(lambda: len(self.pids(ids)) == 8, "four run again")

        self.assertLessEqual(set(self.pids(ids)[4:]), self.alone(other))
        flag.touch()
        self.watch(self.are(ids, "completed"), 8)

    def test_those_whose_supervisor_is_killed_come_to_their_end_and_run_once(self) -> None:
        flag = self.flag()
        ids = self.suspects(6, flag)
        worker = self.ready(LEASE_S=2)
        self.until(lambda: len(self.pids(ids)) == 4, "four run")
        orphans = self.alone(worker)

        worker.kill()
        other = self.ready(LEASE_S=2)
        self.until(lambda: len(self.pids(ids)) == 6, "the other two run elsewhere")
        flag.touch()

        self.until_all(ids, "completed")
        self.assertEqual([1] * 6, [len(self.executions(job_id)) for job_id in ids])
        self.assertLessEqual(set(self.pids(ids)), orphans | self.alone(other))
        self.until(lambda: not any(map(is_alive, orphans)), "the orphans have left")

    def test_two_workers_share_them_and_none_runs_twice(self) -> None:
        flag = self.flag()
        ids = self.suspects(7, flag)
        worker, other = self.worker(), self.worker()

        self.until(lambda: len(self.pids(ids)) == 7, "all of them run")
        flag.touch()

        self.until_all(ids, "completed")
        self.assertEqual((7, 7), (len(self.pids(ids)), len(set(self.pids(ids)))))
        for mine in (self.alone(worker), self.alone(other)):
            self.assertGreaterEqual(len(mine.intersection(self.pids(ids))), 3)

    def test_one_whose_claim_was_answered_to_nobody_is_run_once(self) -> None:
        (job_id,) = self.suspects(1, self.folder)
        self.redis.client.hset(QUEUE + "meta", "paused", "1")
        worker = self.ready()
        (runner,) = worker.runner_pids()
        os.kill(runner, signal.SIGKILL)
        (runner_id,) = self.until(self.alone_ids, "an isolation runner stands by")

        self.redis.client.hdel(QUEUE + "meta", "paused")
        asyncio.run(self.claim_for(runner_id))

        self.until_all([job_id], "completed")
        self.assertEqual(([3], [1]), self.lives([job_id]))

    def test_one_whose_claim_loses_its_reply_is_run_once_by_who_claimed_it(self) -> None:
        nobody: Any = None
        claim = str(Scripts(nobody).command("claim", QUEUE)[1]).encode()
        lost: list[int] = []

        def judge(request: Request) -> Verdict:
            if claim in request.words and b".alone" in Path(f"/proc/{request.pid}/cmdline").read_bytes() and not lost:
                lost.append(request.pid)
                return CUT_REPLY
            return PASS

        ids = self.suspects(2, self.folder)
        with Proxy(self.redis.url) as proxy:
            proxy.judge = judge
            self.worker(REDIS_URL=proxy.url, ISOLATION_RUNNERS=1)

            self.until_all(ids, "completed")

        self.assertEqual(([3, 3], [1, 1]), self.lives(ids))
        self.assertEqual(lost, list(set(self.pids(ids))))

    async def claim_for(self, runner_id: str) -> None:
        """A claim of that isolation runner's, of which it hears nothing."""
        link = open_link(self.redis.url, timeout_s=5)
        await Lease(link, link, RedisKeys("wb"), "default", runner_id, Random()).claim(1, source="suspects")
        await link.close()

    def lives(self, ids: list[str]) -> tuple[list[int], list[int]]:
        """The attempts that each has had counted, and how often it truly ran here."""
        return [record.attempts for record in self.records(ids)], [len(self.executions(job_id)) for job_id in ids]

    def alone_ids(self) -> list[str]:
        """The ids under which isolation runners serve the queue."""
        found: Any = self.redis.client.hkeys(QUEUE + "workers")
        return [raw.decode() for raw in found if raw.endswith(b".alone")]

    def test_in_a_queue_with_a_concurrency_no_more_of_them_run_at_once(self) -> None:
        gate = self.flag()
        ids = self.suspects(2, gate)

        async def limit() -> None:
            link = open_link(self.redis.url, timeout_s=5)
            await Scripts(link).call("adjust", QUEUE, "default", "", "", "concurrency", "1")
            await link.close()

        asyncio.run(limit())
        self.ready()
        self.until(lambda: len(self.executions()) == 1, "one of them has begun")
        gate.touch()

        self.until_all(ids, "completed")
        records = sorted(self.records(ids), key=lambda record: record.started_ms or 0)
        self.assertGreaterEqual(records[1].started_ms or 0, records[0].finished_ms or 0)

    def test_in_a_paused_queue_they_wait_and_hold_up_no_other_queues(self) -> None:
        flag = self.flag()
        ids, others = self.suspects(2, flag), self.suspects(2, flag, "elsewhere")
        self.redis.client.hset(QUEUE + "meta", "paused", "1")
        self.ready(WORKER_QUEUES="default=2,elsewhere=2", ISOLATION_RUNNERS=1)
        self.until(lambda: self.pids(others), "one of another queue runs")

        self.assertEqual(([], 2), (self.pids(ids), self.waiting()))
        self.redis.client.hdel(QUEUE + "meta", "paused")
        flag.touch()

        self.until_all([*ids, *others], "completed")
        self.assertEqual(1, len(set(self.pids([*ids, *others]))))


if __name__ == "__main__":
    unittest.main()
