"""An isolation runner's work: it runs suspects, one at a time and alone, when the supervisor asks for it.

A suspect is a job that was active in runners that crashed. A suspect that crashes its isolation runner
takes no other job with it, and is known to be the cause. The supervisor sends

    {"do": "look", "queue": "default"}

and this runner answers, when the suspect has ended or if there was none (false):

    {"is": "looked", "queue": "default", "found": true}
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

from lib.errors import RedisUnavailable
from lib.processes.pipe import Pipe
from lib.queue.bulkheads import Bulkheads
from lib.work.runner.consumer import Consumer

STRAYS_EVERY_S = 1.0
"""An isolation runner that has nothing to run reads its active lists this often."""


class SuspectRounds:
    """is_draining: whether the runner is to exit; then no suspect is begun."""

    def __init__(
        self, consumers: Sequence[Consumer], pipe: Pipe, bulkheads: Bulkheads, is_draining: Callable[[], bool]
    ) -> None:
        self._consumers = {consumer.queue: consumer for consumer in consumers}
        self._pipe = pipe
        self._bulkheads = bulkheads
        self._is_draining = is_draining
        self._asked: list[str] = []
        """The queues of which a suspect is to be run."""
        self._is_asked = asyncio.Event()

    def ask(self, queues: Iterable[str]) -> None:
        """Run a suspect of each of these queues."""
        self._asked += [queue for queue in queues if queue not in self._asked]
        self.wake()

    def wake(self) -> None:
        """Have `run` see at once what has changed: a queue that was asked for, or that the runner drains."""
        self._is_asked.set()

    async def run(self) -> None:
        """Until the runner drains."""
        await self._get_ready()
        while not self._is_draining():
            if not self._asked:
                await self._wait_until_asked()
                continue
            queue = self._asked.pop(0)
            self._pipe.send(**{"is": "looked", "queue": queue, "found": await self._has_run_one(queue)})

    async def _wait_until_asked(self) -> None:
        self._is_asked.clear()
        try:
            await asyncio.wait_for(self._is_asked.wait(), STRAYS_EVERY_S)
        except TimeoutError:
            await self._get_ready()

    async def _get_ready(self) -> None:
        with contextlib.suppress(RedisUnavailable):
            for queue, consumer in self._consumers.items():
                with self._bulkheads.around(queue, "consumer"):
                    await consumer.get_ready_for_suspects()

    async def _has_run_one(self, queue: str) -> bool:
        consumer = self._consumers.get(queue)
        if consumer is not None:
            with self._bulkheads.around(queue, "consumer"):
                return await consumer.run_suspect()
        return False
