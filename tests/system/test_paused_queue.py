"""A queue that is paused while real workers serve it: what runs ends, nothing begins, all goes on afterwards."""

import asyncio
import unittest

from lib.queue.keys import RedisKeys
from lib.queue.queue_store import QueueStore
from lib.redis_link.link import open_link
from tests.system.worker_case import WorkerCase


class PausedQueue(WorkerCase):
    def pause(self, is_paused: bool) -> None:
        async def adjust() -> None:
            link = open_link(self.redis.url, timeout_s=5)
            try:
                await QueueStore(link, RedisKeys("wb")).adjust("default", {"paused": is_paused})
            finally:
                await link.close()

        asyncio.run(adjust())

    def held_back(self) -> int:
        """How often claim.lua has been asked; a runner that is held back asks again and again."""
        stats: dict[str, dict[str, int]] = self.redis.client.info("commandstats")
        return stats["cmdstat_hexists"]["calls"]

    def test_what_runs_ends_nothing_begins_and_all_goes_on_in_order(self) -> None:
        self.ready(WORKER_QUEUES="default=1")
        gate = self.flag()
        running = self.post("sleep", until=str(gate))
        self.until_begun(running)

        self.pause(True)
        waiting = [self.post("noop") for _ in range(5)]
        gate.touch()
        self.until_all([running], "completed")
        asked = self.held_back()
        self.until(lambda: self.held_back() > asked + 8, "it has asked a few times more")
        begun = len(self.executions())
        self.pause(False)
        self.until_all(waiting, "completed")

        self.assertEqual(1, begun)
        self.assertEqual([running, *waiting], [execution.job_id for execution in self.executions()])

    def test_an_idle_runner_that_blocks_gives_back_what_it_popped(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=3")
        self.pause(True)
        waiting = self.post_many(3, "noop")
        asked = self.held_back()
        self.until(lambda: self.held_back() > asked + 8, "it has asked a few times more")

        self.assertEqual([], self.executions())
        self.assertEqual(0, worker.stop())
        self.assertEqual({"ready"}, {record.state for record in self.records(waiting)})


if __name__ == "__main__":
    unittest.main()
