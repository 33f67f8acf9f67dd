"""What a runner does once a second, beside running jobs. runner.py runs both methods in tasks, for as long as it lives.

tick      shows the watchdog (watchdog.py) and the supervisor that the runner's loop turns; calls no Redis
attend    sends timings to Redis, stops jobs that somebody cancelled, and beats for a runner without a supervisor
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from lib.errors import RedisUnavailable
from lib.memory import rss_bytes
from lib.processes.pipe import TICK_S, Pipe
from lib.queue.bulkheads import ALL
from lib.queue.queue_store import QueueStore
from lib.queue.runners import Vitals
from lib.work.runner.consumer import Consumer
from lib.work.runner.loop_parts import LoopParts
from lib.work.runner.watchdog import Watchdog


class EverySecond:
    """is_orphaned: whether the supervisor is gone, so that the runner beats for itself."""

    def __init__(
        self,
        consumers: Sequence[Consumer],
        parts: LoopParts,
        queues: QueueStore,
        pipe: Pipe,
        watchdog: Watchdog,
        is_orphaned: Callable[[], bool],
    ) -> None:
        self._consumers = consumers
        self._parts = parts
        self._queues = queues
        self._pipe = pipe
        self._watchdog = watchdog
        self._is_orphaned = is_orphaned

    async def tick(self) -> None:
        """Tell the watchdog and the supervisor that the loop turns. WHY apart from `attend`: a slow Redis must not
        delay the ticks, because the supervisor takes a runner without ticks for one whose loop is stuck."""
        while True:
            self._watchdog.tick()
            workers = {consumer.queue: consumer.runner_id for consumer in self._consumers}
            silent_s = max(consumer.silent_s() for consumer in self._consumers)
            running = sum(consumer.running for consumer in self._consumers)
            ended = sum(consumer.lanes.prefetch.runs for consumer in self._consumers)
            told = {"is": "tick", "workers": workers, "running": running, "silent_s": silent_s}
            self._pipe.send(**told, ended=ended, rss_bytes=rss_bytes())
            await asyncio.sleep(TICK_S)

    async def attend(self) -> None:
        """Add the jobs' timings to Redis, stop the jobs that were cancelled, and beat if no supervisor does."""
        next_beat_s = 0.0
        while True:
            await self._parts.timings.flush()
            with contextlib.suppress(RedisUnavailable):
                for consumer in self._consumers:
                    with self._parts.bulkheads.around(consumer.queue, "cancelling"):
                        await consumer.stop_cancelled()
                if self._is_orphaned() and time.monotonic() > next_beat_s:
                    await self._beat()
                    next_beat_s = time.monotonic() + self._parts.settings.lease_s / 5
            await asyncio.sleep(TICK_S)

    async def _beat(self) -> None:
        """A runner whose supervisor is gone beats for itself, and takes no more jobs."""
        bulkheads = self._parts.bulkheads
        for consumer in self._consumers:
            with bulkheads.around(consumer.queue, "beat"):
                vitals = {consumer.runner_id: Vitals(rss_bytes(), is_draining=True)}
                await self._queues.runners.beat(consumer.queue, [consumer.runner_id], vitals)
        runners, lease_s = self._queues.runners, self._parts.settings.lease_s
        runner_ids = [consumer.runner_id for consumer in self._consumers]
        with bulkheads.around(ALL, "fleet"):
            await runners.show_version(runner_ids, lease_s)
        with bulkheads.around(ALL, "count"):
            await runners.show(runner_ids, lease_s)
