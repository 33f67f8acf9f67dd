"""Jobs that a running job enqueues under a name: one for each name, however often that job is tried.

A handler says `ctx.enqueue(…, once="mail")`. Parent and child may lie in two slots of a Cluster, so no script writes
both, and what dies between the writes must leave neither two children nor none:
1. The parent's record notes the child's id (once.lua, fenced by the token). The id is made of the parent's id and the
   name; what was noted first holds, whatever the handler says at a later attempt.
2. The child is enqueued under that id. Its queue notes it, too, apart from the child's record: so a second enqueue is
   told that it came before, though the child may have run and been trimmed by then.
3. The parent's record notes that the child was taken in (made.lua). From here on nobody enqueues it again, and the note
   of step 2 may go.
An attempt that finds step 1 done and not step 3 does step 2 again.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from lib.errors import OutcomeUnknown, RedisUnavailable, WrongState
from lib.ids import derived_id, queue_of
from lib.jobs.job import Accepted, ClaimedJob, NewJob
from lib.jobs.submission import check_once, once_error
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

MOST_NAMES = 1000
FORGOTTEN_S: Final = 600
"""So long the child's queue keeps its note when the parent has its own: an attempt that was overtaken may yet ask."""
_ONCE: Final = "once"  # As in enqueue.lua. It stands where other jobs under a key have a fingerprint.
_MADE = b"+"


class Children:
    """Those of all jobs. enqueue: as JobStore has it."""

    def __init__(self, link: RedisLink, keys: RedisKeys, enqueue: Callable[[NewJob], Awaitable[Accepted]]) -> None:
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._enqueue = enqueue

    async def enqueue(self, parent: ClaimedJob, name: str, job: NewJob) -> str:
        """The id of the job that stands for this name: `job` under an id of its own, or the one that came first.

        Raises InvalidFields, WrongState where the parent is no longer this runner's, and what JobStore.enqueue raises;
        whichever it is, the next attempt may ask again.
        """
        check_once(name)
        derived = derived_id(job.queue, parent.job_id, name)
        noted = await self._note(parent, name, derived)
        if noted.startswith(_MADE.decode()):
            return noted[1:]
        key = f"@once {noted}"  # No caller of the API is named so.
        accepted = await self._enqueue(job._replace(job_id=noted, idempotency_key=key, fingerprint=_ONCE))
        # The child is there, and the next attempt would find it: this is not to fail what has been done.
        with contextlib.suppress(RedisUnavailable):
            await self._confirm(parent.job_id, name, noted, accepted.job_id)
            await self._link.call("EXPIRE", self._keys.idempotency(queue_of(noted) or "", key), FORGOTTEN_S)
        return accepted.job_id

    async def _note(self, parent: ClaimedJob, name: str, derived: str) -> str:
        base = self._keys.base(queue_of(parent.job_id) or "")
        arguments = (parent.job_id, parent.token, name, derived, MOST_NAMES)
        try:
            noted = await self._scripts.call("once", base, *arguments)
        except OutcomeUnknown:
            noted = await self._scripts.call("once", base, *arguments)  # It says the same a second time.
        if noted == b"stale":
            raise WrongState(f"the job {parent.job_id} was given to another worker, or has ended; nothing was enqueued")
        if noted == b"full":
            raise once_error(f"is one too many: a job may enqueue under {MOST_NAMES} names")
        return str(noted, "ascii", "replace")

    async def _confirm(self, parent_id: str, name: str, noted: str, stands_for_it: str) -> None:
        base = self._keys.base(queue_of(parent_id) or "")
        await self._scripts.call("made", base, parent_id, name, noted, stands_for_it)
