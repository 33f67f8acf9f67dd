"""Redis away, killed, frozen, emptied, its links cut and its scripts thrown out, under a worker that works."""

import time
import unittest

from tests.private_redis import wait_until
from tests.processes import Server
from tests.system.worker_case import WorkerCase


class Outage(WorkerCase):
    aof = "always"

    def test_redis_killed_and_started_again_loses_nothing_and_gets_the_results_later(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5")
        gate = self.flag()
        running = self.post_many(5, "sleep", until=str(gate))
        waiting = self.post_many(20, "noop")
        self.until_begun(*running)

        self.redis.kill()
        worker.wait_for("redis.lost")
        gate.touch()
        self.until(lambda: sum(line.startswith("ended") for line in self.lines()) == 5, "the handlers have ended")
        self.redis.start()

        self.until_all([*running, *waiting], "completed")
        self.assertEqual(25, len(self.executions()))
        self.assertEqual([], worker.logged("worker.reaped"))

    def test_redis_frozen_for_longer_than_the_lease_reaps_nobody(self) -> None:
        worker = self.ready(LEASE_S=3)
        gate = self.flag()
        running = self.post_many(3, "sleep", until=str(gate))
        self.until_begun(*running)

        self.redis.freeze()
        worker.wait_for("redis.lost")
        self.redis.thaw()
        gate.touch()

        self.until_all(running, "completed")
        self.assertEqual((3, []), (len(self.executions()), worker.logged("worker.reaped")))

    def test_a_worker_started_before_redis_begins_when_it_is_there(self) -> None:
        job_id = self.post("noop")
        self.redis.stop()
        worker = self.worker()
        worker.wait_for("redis.lost")

        self.redis.start()

        self.until_all([job_id], "completed")

    def test_a_worker_stops_in_time_while_redis_is_away(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=1)
        job_id = self.post("sleep", seconds=60)
        self.until_begun(job_id)
        self.redis.stop()
        worker.wait_for("redis.lost")

        began_s = time.monotonic()
        worker.stop(30)

        self.assertLess(time.monotonic() - began_s, 20)
        self.assertEqual([], worker.runner_pids())
        self.redis.start()


class Disturbed(WorkerCase):
    def test_cut_links_and_forgotten_scripts_are_not_felt(self) -> None:
        self.ready(WORKER_QUEUES="default=20")
        ids = self.post_many(400, "sleep", seconds=0.02)
        client = self.redis.client

        def disturb() -> bool:
            for link in client.client_list(_type="normal"):
                if link["name"] == "waybill":
                    client.client_kill_filter(_id=link["id"])
            client.script_flush()
            return not client.zcard("wb:{default}:all") or client.zcard("wb:{default}:completed") == len(ids)

        # Not as fast as it can: a busy machine would do nothing but open links.
        wait_until(disturb, "all have completed under it", within_s=60, every_s=0.05)

        # A claim whose reply was lost is claimed again, and nothing was run: no job begins twice.
        self.assertEqual(len(ids), len(self.executions()))
        self.assertEqual({1}, {execution.attempt for execution in self.executions()})

    def test_large_jobs_that_went_astray_are_begun_one_claim_after_the_other(self) -> None:
        """They are too much for one, and the next is not to come only when it is time again to look for strays."""
        self.ready()
        client = self.redis.client
        ids = [self.post("noop", text="x" * 400_000) for _ in range(9)]
        self.until_all(ids, "completed")
        (runner_id,) = client.hkeys("wb:{default}:workers")
        pipe = client.pipeline()
        for job_id in ids:
            pipe.zrem("wb:{default}:completed", job_id)
            pipe.hset(f"wb:{{default}}:job:{job_id}", mapping={"state": "active"})
            pipe.lpush(f"wb:{{default}}:active:{runner_id.decode()}", job_id)
        pipe.execute()

        self.until_all(ids, "completed")

        started_ms = [record.started_ms or 0 for record in self.records(ids)]
        self.assertLess(max(started_ms) - min(started_ms), 3_000)
        self.assertEqual(18, len(self.executions()))

    def test_a_redis_that_was_emptied_is_served_again(self) -> None:
        worker = self.ready()
        self.until(lambda: self.redis.client.exists("wb:{default}:epoch"), "the supervisor has looked")
        others = {link["id"] for link in self.redis.client.client_list()}
        server = Server(self.redis.url)
        self.addCleanup(server.close)
        server.start()
        server.wait_until_ready()
        waiting = server.request("POST", "/api/jobs", {"type": "noop", "payload": {}, "delay_s": 60})[1]["id"]
        self.until(lambda: self.has_looked(others), "the server has looked")

        self.redis.client.flushall()

        for program in (worker, server):
            (line,) = program.wait_for("redis.emptied")
            self.assertEqual(("ERROR", ["default"]), (line["level"], line["queues"]))
            self.assertIn("FLUSHALL", line["msg"])
        worker.wait_for("worker.registered", 2)
        self.assertEqual((1, 0), (len(worker.logged("worker.forgotten")), len(worker.logged("worker.reaped"))))
        warnings = server.request("GET", "/api/health")[1]["warnings"]
        self.assertTrue(
            any(one["code"] == "redis_emptied" and "FLUSHALL" in one["what_to_do"] + one["text"] for one in warnings),
            warnings,
        )
        self.assertEqual(404, server.request("GET", f"/api/jobs/{waiting}")[0])
        job_id = server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})[1]["id"]
        self.until_all([job_id], "completed")

    def has_looked(self, others: set[str]) -> bool:
        """Whether a link that is not among the others ended a look: its last command was the GET of a marker."""
        links = self.redis.client.client_list()
        return any(link["cmd"] == "get" and link["id"] not in others for link in links)

    def test_garbage_in_the_lists_does_not_stop_a_worker(self) -> None:
        self.ready()
        client = self.redis.client
        client.rpush("wb:{default}:ready:normal", "garbage", b"\xff\xfe", "a\x1eb\x1fc")
        client.set("wb:{default}:job:wrong", "x")
        client.lpush("wb:{default}:ready:high", "wrong")

        job_id = self.post("noop")

        self.until_all([job_id], "completed")
        self.until(lambda: client.llen("wb:{default}:quarantine") == 4, "all of it is in the quarantine")
        client.delete("wb:{default}:job:wrong")

    def test_one_queue_whose_keys_are_of_the_wrong_type_does_not_stop_the_others(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5")
        client = self.redis.client
        client.sadd("wb:queues", "broken")
        client.set("wb:{broken}:delayed", "x")
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag))
        self.until_begun(job_id)

        worker.wait_for("upkeep.failed")
        flag.touch()

        self.until_all([job_id], "completed")
        self.assertEqual(1, len(self.executions(job_id)))
        client.delete("wb:{broken}:delayed")

    def test_ends_that_a_broken_key_stands_against_wait_until_it_is_mended_and_nothing_runs_again(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5")
        client = self.redis.client
        client.set("wb:{default}:completed", "x")
        ids = self.post_many(3, "noop")
        self.until_begun(*ids)
        worker.wait_for("ending.failed")

        client.delete("wb:{default}:completed")

        worker.wait_for("ending.mended")
        self.until_all(ids, "completed")
        self.assertEqual((3, 1), (len(self.executions()), len(worker.logged("ending.failed"))))


if __name__ == "__main__":
    unittest.main()
