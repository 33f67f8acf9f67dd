"""Notices that nobody has told for a minute and more: a warning a queue, for /api/health.

    12 notices in the queue email wait to be told, the oldest for 75 s: jobs that wait for jobs of email go on waiting

A notice is told within milliseconds by the runner that ended the job, else a second later by any supervisor. One that
stays says that no supervisor runs, or that the queue of a follower does not answer.
"""

import asyncio
from collections.abc import Iterable

from lib.errors import RedisKeysBroken
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms
from lib.warning_codes import HealthWarning

LATE_MS = 60_000


class UntoldNotices:
    """The notices of any queue."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys

    async def warnings(self, queues: Iterable[str]) -> list[HealthWarning]:
        """A warning for each of these queues whose oldest notice has waited for LATE_MS. Raises RedisUnavailable. A
        queue whose keys somebody broke is passed over: others tell of it."""
        at_ms = await now_ms(self._link)
        found = await asyncio.gather(*(self._of_queue(queue, at_ms) for queue in queues))
        return [one for one in found if one is not None]

    async def _of_queue(self, queue: str, at_ms: int) -> HealthWarning | None:
        try:
            stream = self._keys.notices(queue)
            late = await self._link.call("XRANGE", stream, "-", at_ms - LATE_MS, "COUNT", 1)
            if not late:
                return None
            count = await self._link.call("XLEN", stream)
        except RedisKeysBroken:
            return None
        since_ms = int(late[0][0].partition(b"-")[0])
        notices = "1 notice" if count == 1 else f"{count} notices"
        text = (
            f"{notices} in the queue {queue} wait to be told, the oldest for {(at_ms - since_ms) // 1000} s: jobs that"
            f" wait for jobs of {queue} go on waiting"
        )
        return HealthWarning("notices_untold", text, queue, since_ms)
