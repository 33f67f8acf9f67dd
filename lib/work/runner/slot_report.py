"""How many slots of each queue a runner uses, reported to its supervisor.

Two runners share the slots of one place while the older retires: its running jobs keep their slots, and its successor
gets the others. For this the supervisor grants slots over the pipe,

    {"do": "use", "slots": {"default": 3}, "time": 7}

and the runner answers each grant, and each change until it uses no more than was granted:

    {"is": "using", "slots": {"default": 4}, "time": 7}
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from lib.processes.pipe import Pipe
from lib.work.runner.consumer import Consumer

REPORT_S = 0.05


class SlotReport:
    """One runner's, over all its queues."""

    def __init__(self, consumers: Sequence[Consumer], pipe: Pipe) -> None:
        self._consumers = consumers
        self._pipe = pipe
        self._grant = 0
        """The number of the last grant, its `time`."""
        self._is_due = asyncio.Event()
        self._is_retiring = False

    @property
    def slots(self) -> dict[str, int]:
        """How many slots of each queue may be in use."""
        return {consumer.queue: consumer.lanes.occupied for consumer in self._consumers}

    def grant(self, message: dict[str, Any]) -> None:
        """A supervisor's {"do": "use", …}: run as many jobs of each queue at a time from now on."""
        for consumer in self._consumers:
            consumer.lanes.limit = message["slots"][consumer.queue]
        self._grant = message["time"]
        self._is_due.set()

    def retire(self, why: str) -> None:
        """Tell the supervisor that a successor may have the slots, and report until this runner exits."""
        self._is_retiring = True
        self._pipe.send(**{"is": "retiring", "why": why, "slots": self.slots})
        self._is_due.set()

    async def run(self) -> None:
        """Report whenever slots were granted, and each change while there may be any: when more slots are in use than
        were granted, and when this runner retires."""
        reported: tuple[dict[str, int], int] | None = None
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            while True:
                slots = self.slots
                if reported != (reported := (slots, self._grant)):
                    self._pipe.send(**{"is": "using", "slots": slots, "time": self._grant})
                is_settled = all(slots[consumer.queue] <= consumer.lanes.limit for consumer in self._consumers)
                if is_settled and not self._is_retiring:
                    break
                await asyncio.sleep(REPORT_S)
