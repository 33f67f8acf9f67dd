"""New jobs on their way into Redis: every POST, and every job that a handler enqueues, passes here.

1. A job waits in its queue's `Committer` while an earlier commit is in flight, and goes with the next one.
2. Before a queue's first commit its name is written into `wb:queues`, so that nobody finds jobs of an unknown queue.
3. One call of enqueue.lua writes all jobs of the commit. The call has a number: sent again because its reply was lost,
   the same number is answered a second time and not run a second time.
4. If so many replicas are asked for (ACK_REPLICAS), the answer waits until they have the commit.
"""

import asyncio
import functools
import secrets
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

from lib.errors import OutcomeUnknown, RedisKeysBroken, RedisUnavailable, UpgradeNeeded
from lib.jobs.job import Accepted, NewJob
from lib.jobs.submission import without_group
from lib.queue.committer import Committer
from lib.queue.enqueue_text import BEGUN, accepted_from, new_jobs_text
from lib.queue.fleet import UpgradeGate
from lib.queue.keys import RedisKeys
from lib.queue.queue_beginnings import NONE, FirstSettings, QueueBeginnings
from lib.queue.refusals import REFUSED, refused_job_error
from lib.queue.replicas import Replicas
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

QUEUE_KNOWN_S = 30.0
"""A name that this process wrote into `wb:queues` is written again after so long: somebody may have removed it."""
GROUPS_SINCE = TAGS_SINCE = REPLACE_SINCE = CALLBACK_URL_SINCE = "0.3.0"
"""The first version that knows groups, tags, the unique modes replace and debounce, and callback_url. An older runner
never looks at the line of a group, knows no limit of one, tries a job again that was superseded, and tells nobody that
a job has ended. An older server or supervisor that deletes a job leaves the job's id in the indexes of its tags."""
PLACE_BYTES = 10 << 10
EnqueueCall = tuple[str, str, str, int, str]
"""One call of enqueue.lua: "enqueue", the queue's base, the id of this Enqueuer, the commit's number, the records."""


class Enqueuer:
    """Takes in the jobs of every queue. Redis knows a commit by the id of this object and a number."""

    def __init__(
        self,
        link: RedisLink,
        commit_link: RedisLink,
        keys: RedisKeys,
        *,
        ack_replicas: int,
        clock: Callable[[], float],
        gate: UpgradeGate,
        first_settings: FirstSettings = NONE,
    ) -> None:
        """commit_link: for commits alone, if it is another one than `link`. clock: seconds, of this process alone."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._commit_scripts = Scripts(commit_link)
        self._process_id = secrets.token_hex(8)
        self._ack_replicas = ack_replicas
        self._replicas = Replicas(commit_link, keys, self._process_id, ack_replicas)
        self._clock = clock
        self._gate = gate
        self.beginnings = QueueBeginnings(link, keys, first_settings)
        self._asking: set[asyncio.Task[None]] = set()
        self._committers: dict[str, Committer[NewJob, Accepted]] = {}
        # One count for all queues: a queue's committer may be forgotten and made anew, and no number may come twice.
        self._commit_number = 0
        self._named_at_s: dict[str, float] = {}
        self._forgot_at_s = clock()

    async def enqueue(self, job: NewJob) -> Accepted:
        """Take a job in; when this returns, Redis has the job.

        Raises QueueFull, GroupFull, InvalidFields, Throttled, UpgradeNeeded or RedisUnavailable if the job was not
        taken in. Raises OutcomeUnknown if it may have been.
        """
        if job.group or job.tags or job.calls_back or (job.unique_key and job.takes_place):
            job = await self.admitted(job)
        accepted = await self._committer(job.queue).submit(job)
        if accepted.outcome in REFUSED:
            raise refused_job_error(accepted)
        return accepted

    def post(self, job: NewJob, on_answer: Callable[[Accepted | Exception], None], *, in_bulk: bool = False) -> None:
        """Take a job in without a coroutine: `on_answer` is called with what became of it, or with what went wrong.

        A job that was refused is answered too, with an outcome of REFUSED. in_bulk: behind all jobs that come singly.
        """
        is_new = job.group or job.tags or job.calls_back or (job.unique_key and job.takes_place)
        if is_new and not self.is_known_to_admit:
            asking = asyncio.ensure_future(self._post_admitted(job, on_answer, in_bulk=in_bulk))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            return
        self._committer(job.queue).post(job, on_answer, in_bulk=in_bulk)

    async def _post_admitted(
        self, job: NewJob, on_answer: Callable[[Accepted | Exception], None], *, in_bulk: bool
    ) -> None:
        """`post` for a job with a group, tags, a callback_url or a unique mode that takes a place, behind a look at
        which programs use this Redis."""
        try:
            job = await self.admitted(job)
        except Exception as fault:  # noqa: BLE001  Whatever it is, somebody waits for an answer.
            on_answer(fault)
        else:
            self._committer(job.queue).post(job, on_answer, in_bulk=in_bulk)

    @property
    def is_known_to_admit(self) -> bool:
        """Whether it is known, without asking Redis, that `admitted` would give every job back as it is."""
        return self._gate.is_open(GROUPS_SINCE)

    async def admitted(self, job: NewJob) -> NewJob:
        """The job as every program that uses this Redis can treat it: without the group, if it may lose that.

        Raises UpgradeNeeded, RedisUnavailable."""
        if job.takes_place:
            await self._gate.require("the unique modes replace and debounce", REPLACE_SINCE)
        if job.tags:
            await self._gate.require("tags", TAGS_SINCE)
        if job.calls_back:
            await self._gate.require("jobs with a callback_url", CALLBACK_URL_SINCE)
        if not job.group:
            return job
        try:
            await self._gate.require("groups", GROUPS_SINCE)
        except UpgradeNeeded:
            if not job.may_lose_group:
                raise
            return without_group(job)
        return job

    def is_named(self, queue: str) -> bool:
        """True if this process wrote the queue's name into `wb:queues` within the last QUEUE_KNOWN_S."""
        return self._clock() - self._named_at_s.get(queue, -inf) < QUEUE_KNOWN_S

    async def name(self, queue: str) -> None:
        """Write the queue's name into `wb:queues`, before the queue's first job. Raises RedisUnavailable."""
        now_s = self._clock()
        self._forget_idle(now_s)
        try:
            await self._scripts.call("name", self._keys.queues, self._keys.moved, queue)
        except OutcomeUnknown as fault:
            # The name may have been written or not; no job was sent.
            raise RedisUnavailable(fault.detail) from None
        except RedisKeysBroken:
            return  # A broken set of names stops no queue; the next commit tries again.
        self._named_at_s[queue] = now_s

    def forget_names(self) -> None:
        """Redis was emptied: name each queue again with its next job, and not only after QUEUE_KNOWN_S."""
        self._named_at_s.clear()

    def prepare_removal(self, queue: str) -> list[str]:
        """The queue is about to be removed: name it again with its next job.

        Returns the names, without the queue's base, of the keys that this process alone has there and can spare.
        """
        self._named_at_s.pop(queue, None)
        committer = self._committers.get(queue)
        # The number of a commit in flight must stay: it keeps the commit from being run twice.
        return [] if committer is not None and not committer.is_idle else [f"commit:{self._process_id}"]

    def _committer(self, queue: str) -> Committer[NewJob, Accepted]:
        committer = self._committers.get(queue)
        if committer is None:
            committer = self._committers[queue] = Committer(functools.partial(self._send, queue), _size_bytes)
        return committer

    def _forget_idle(self, now_s: float) -> None:
        """Drop the committers and names of queues that were idle, every QUEUE_KNOWN_S: queues come and go."""
        if now_s - self._forgot_at_s < QUEUE_KNOWN_S:
            return
        self._forgot_at_s = now_s
        self._committers = {queue: one for queue, one in self._committers.items() if not one.is_idle}
        self._named_at_s = {queue: at_s for queue, at_s in self._named_at_s.items() if now_s - at_s < QUEUE_KNOWN_S}

    # One commit.

    def _send(self, queue: str, jobs: list[NewJob], on_outcome: Callable[..., None]) -> None:
        if not self.is_named(queue):
            on_outcome(self._name_and_commit, queue, jobs)
            return
        call = self._call(queue, jobs)
        self._commit_scripts.send(functools.partial(on_outcome, self._read, queue, jobs, call), *call)

    def _call(self, queue: str, jobs: list[NewJob]) -> EnqueueCall:
        self._commit_number += 1
        return "enqueue", self._keys.base(queue), self._process_id, self._commit_number, new_jobs_text(jobs)

    def _read(
        self, queue: str, jobs: list[NewJob], call: EnqueueCall, reply: bytes | Exception
    ) -> list[Accepted] | Coroutine[Any, Any, list[Accepted]]:
        """What became of the jobs of a commit; a coroutine if something has to be asked or waited for first."""
        if isinstance(reply, OutcomeUnknown):
            return self._commit_again(queue, jobs, call, reply)
        if isinstance(reply, Exception):
            raise reply
        if self._ack_replicas or reply.startswith(BEGUN):
            return self._confirmed(queue, jobs, call, reply)
        return accepted_from(jobs, reply)

    async def _name_and_commit(self, queue: str, jobs: list[NewJob]) -> list[Accepted]:
        await self.name(queue)
        call = self._call(queue, jobs)
        try:
            reply = await self._commit_scripts.call(*call)
        except OutcomeUnknown as fault:
            reply = fault
        read = self._read(queue, jobs, call, reply)
        return read if isinstance(read, list) else await read

    async def _commit_again(
        self, queue: str, jobs: list[NewJob], call: EnqueueCall, fault: OutcomeUnknown
    ) -> list[Accepted]:
        """Send a commit whose reply was lost once more, under the same number. Raises `fault` if that fails, too."""
        try:
            reply = await self._commit_scripts.call(*call)
        except RedisUnavailable:
            raise fault from None
        return await self._confirmed(queue, jobs, call, reply)

    async def _confirmed(self, queue: str, jobs: list[NewJob], call: EnqueueCall, reply: bytes) -> list[Accepted]:
        """What became of the jobs, once the queue's name and the replicas are sure."""
        if reply.startswith(BEGUN):
            await self.beginnings.begun(queue)
        if self._ack_replicas:
            await self._replicas.confirm({queue: call[3]})
        return accepted_from(jobs, reply)


def _size_bytes(job: NewJob) -> int:
    """WHY a job that takes another's place counts for more: it costs Redis a tenth of a millisecond, five times as much
    as a plain one, and a commit is to hold Redis for 10 ms at most."""
    return len(job.spec_text) + (PLACE_BYTES if job.unique_key and job.takes_place else 0)
