"""Stray jobs: their ids stand in this runner's active list in Redis, and the runner does not know of them.

A claim or a pop moves ids to the active list. If the reply is lost, these jobs are active and nobody runs them. So the
consumer compares the list with the jobs it knows, and claims the strays. WHY here: nobody else may touch the list of a
runner that lives. And it is worse to lose a job than to run it twice.
"""

import time
from collections.abc import Collection

from lib.queue.lease import Lease

STRAYS_EVERY_S = 5.0


class Strays:
    """known: the jobs of the queue that this runner knows of, by id."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self.is_list_known = False
        """Whether the active list holds what the last replies have said. The consumer clears it before each call whose
        reply may be lost, and sets it when the reply is here."""
        self._due_s = 0.0

    @property
    def is_due(self) -> bool:
        """Whether STRAYS_EVERY_S have passed since the list was read. `find` then reads it in any case."""
        return time.monotonic() >= self._due_s

    async def are_due(self, lease: Lease) -> bool:
        """Whether the list was to be read again, and holds strays, which `find` gives then."""
        if self.is_due:
            self.is_list_known = not await self.find(lease)
            return not self.is_list_known
        return False

    async def find(self, lease: Lease) -> list[str]:
        """The ids of stray jobs, the oldest first. Reads the list only if it may hold a stray."""
        now_s = time.monotonic()
        if self.is_list_known and now_s < self._due_s:
            return []
        active_ids = await lease.active_ids()
        self._due_s = now_s + STRAYS_EVERY_S
        # The list's left end is the newest.
        return [job_id for job_id in reversed(active_ids) if job_id not in self._known]
