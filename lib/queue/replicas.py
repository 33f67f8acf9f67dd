"""ACK_REPLICAS: waits until enough replicas have what one process has written.

A script that is given "<process> <number>" writes the number to `wb:{email}:commit:<process>`, in the slot of the jobs
that it writes. `confirm({"email": 17})` asks the Redis that answers now for that number, and for its replicas.
"""

import asyncio
from collections.abc import Mapping

from lib.errors import NotReplicated, OutcomeUnknown, RedisUnavailable
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink

REPLICATION_MS = 500
COMMIT_KEPT_S = 3600  # as in enqueue.lua


class Replicas:
    """link: the one over which the scripts were called. needed: ACK_REPLICAS; 0 where nobody waits for replicas."""

    def __init__(self, link: RedisLink, keys: RedisKeys, process_id: str, needed: int) -> None:
        self._link = link
        self._keys = keys
        self._process_id = process_id
        self.needed = needed

    async def confirm(self, numbers: Mapping[str, int]) -> None:
        """Wait until enough replicas have what was written. numbers: queue -> the number of this process' last call
        there. Raises NotReplicated, OutcomeUnknown.

        WHY three commands in one packet: if the link was cut behind the call, the server that answers now may be
        another one, promoted without the job, and WAIT would count the replicas of that server. The GET asks the same
        server for the number of the last call that the server has of this process; the EXPIRE is a write, so that
        WAIT has a write to wait for.
        """
        commits = [self._keys.commit(queue, self._process_id) for queue in numbers]
        try:
            *found, replicas = await asyncio.gather(
                *(self._link.call("EXPIRE", commit, COMMIT_KEPT_S) for commit in commits),
                *(self._link.call("GET", commit) for commit in commits),
                self._link.call("WAIT", self.needed, REPLICATION_MS),
            )
        except RedisUnavailable as fault:
            raise OutcomeUnknown(fault.detail) from None
        for last, number in zip(found[len(commits) :], numbers.values(), strict=True):
            if last is None or last.partition(b" ")[0] != b"%d" % number:
                raise OutcomeUnknown("another Redis was promoted, and the one that answers now does not have the job")
        if replicas < self.needed:
            detail = f"{replicas} of {self.needed} replicas have it after {REPLICATION_MS} ms"
            raise NotReplicated(f"{detail}; send it again with the same Idempotency-Key")
