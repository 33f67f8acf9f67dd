"""Jobs that a running job enqueues under a name: one job for each name, however often the running job is tried.

A handler calls `ctx.enqueue("send_email", {…}, once="mail")`. The job that runs is the parent, the new job the child.
Parent and child may lie in two slots of a Cluster, so no script can write both, and a process that dies between two
writes must leave neither two children nor none:

1. The parent's record notes the child's id in its field `once:mail` (once.lua, only with the parent's token). The id is
   made of the parent's id and the name. The first note holds, whatever the handler asks for at a later attempt.
2. The child is enqueued under that id. The child's queue notes the id as well, apart from the child's record: a second
   enqueue is answered with the first one, though the child may have run and been trimmed by then.
3. The parent's record notes that the child was taken in: `+` before the id (made.lua). From here on nobody enqueues the
   child again, and the note of step 2 may go.

An attempt that finds step 1 done and step 3 not done does step 2 again.

`ctx.enqueue(…, after=…, once=…)` and `ctx.workflow(…, once=…)` go the same way with a whole graph: the child is its
anchor, from whose id the ids of its other jobs are made.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from lib.errors import OutcomeUnknown, RedisUnavailable, WrongState
from lib.ids import derived_id, queue_of
from lib.jobs.job import Accepted, ClaimedJob, Keyed, NewJob
from lib.jobs.submission import check_once, once_error
from lib.jobs.workflow import Graph, under
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.queue.workflow_store import Planted
from lib.redis_link.link import RedisLink

MOST_NAMES = 1000
FORGOTTEN_S: Final = 600
"""How long the child's queue keeps its note after step 3: an attempt that was overtaken may still ask."""
_ONCE: Final = "once"  # As in enqueue.lua. It stands where the fingerprint of a request stands for other jobs.
_TAKEN_IN = "+"


class NamedJobs:
    """The children of every job. enqueue: as Enqueuer has it; plant: as Workflows has it."""

    def __init__(
        self,
        link: RedisLink,
        keys: RedisKeys,
        enqueue: Callable[[NewJob], Awaitable[Accepted]],
        plant: Callable[[Graph, Keyed], Awaitable[Planted]],
    ) -> None:
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._enqueue = enqueue
        self._plant = plant

    async def enqueue(self, parent: ClaimedJob, name: str, job: NewJob, request_id: str) -> str:
        """The id of the child for this name: `job` under an id of its own, or the child that an earlier call enqueued.

        request_id: that of both jobs. Raises InvalidFields, WrongState if the parent is no longer this runner's, and
        what Enqueuer.enqueue raises; the next attempt may ask again in any case.
        """

        async def take_in(noted: str, key: Keyed) -> str:
            child = job._replace(job_id=noted, idempotency_key=key.key, fingerprint=key.fingerprint)
            return (await self._enqueue(child)).job_id

        return await self._under_name(parent, name, job.queue, request_id, take_in)

    async def plant(self, parent: ClaimedJob, name: str, graph: Graph, request_id: str) -> str:
        """The id of the anchor for this name: that of `graph` under an id of its own, with all of its jobs; or that of
        the graph that an earlier call planted. A graph of which some jobs were written is written anew under the same
        ids. Raises as `enqueue` does, and what Workflows.plant raises."""

        async def take_in(noted: str, key: Keyed) -> str:
            return (await self._plant(under(graph, noted), key)).anchor_id

        return await self._under_name(parent, name, graph.anchor.job.queue, request_id, take_in)

    async def _under_name(
        self,
        parent: ClaimedJob,
        name: str,
        queue: str,
        request_id: str,
        take_in: Callable[[str, Keyed], Awaitable[str]],
    ) -> str:
        """All three steps. take_in: step 2, under the id that the parent's record has noted; returns the id of the job
        that was taken in."""
        check_once(name)
        noted = await self._note(parent, name, derived_id(queue, parent.job_id, name, request_id))
        if noted.startswith(_TAKEN_IN):
            return noted[1:]
        key = f"@once {noted}"  # No caller of the API can have the name `@once`.
        child_id = await take_in(noted, Keyed(key, _ONCE))
        # Redis has the child, and the parent's next attempt would find it: a failure from here on does no harm.
        with contextlib.suppress(RedisUnavailable):
            await self._confirm(parent.job_id, name, noted, child_id)
            await self._link.call("EXPIRE", self._keys.idempotency(queue_of(noted) or "", key), FORGOTTEN_S)
        return child_id

    async def _note(self, parent: ClaimedJob, name: str, derived: str) -> str:
        """Step 1. Returns the id that the parent's record holds for the name, with + before it after step 3."""
        base = self._keys.base(queue_of(parent.job_id) or "")
        arguments = (parent.job_id, parent.token, name, derived, MOST_NAMES)
        try:
            noted = await self._scripts.call("once", base, *arguments)
        except OutcomeUnknown:
            noted = await self._scripts.call("once", base, *arguments)  # Answers the same when asked again.
        if noted == b"stale":
            raise WrongState(f"the job {parent.job_id} was given to another worker, or has ended; nothing was enqueued")
        if noted == b"full":
            raise once_error(f"is one too many: a job may enqueue under {MOST_NAMES} names")
        return shown_text(noted)

    async def _confirm(self, parent_id: str, name: str, noted: str, child_id: str) -> None:
        """Step 3. child_id: `noted`, or the job that lives under the child's unique key."""
        base = self._keys.base(queue_of(parent_id) or "")
        await self._scripts.call("made", base, parent_id, name, noted, child_id)
