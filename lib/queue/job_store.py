"""Jobs as the API sees them: taken in, looked at, cancelled, run again, forgotten.

`enqueue` is the one hot call: all jobs that arrive while a commit of their queue is in flight go with the next one.
What the worker does with a job is `lease.py`'s; what is kept of a queue as a whole, `queue_store.py`'s.
"""

import asyncio
import contextlib
import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

from lib.errors import (
    InvalidFields,
    JobNotFound,
    NotReplicated,
    OutcomeUnknown,
    QueueFull,
    RedisKeysBroken,
    RedisUnavailable,
    WrongState,
    behind_a_change,
)
from lib.ids import queue_of
from lib.jobs import submission
from lib.jobs.job import NO_KEY, Accepted, JobRecord, Keyed, NewJob, Revision
from lib.jobs.state import WAITING
from lib.queue.children import Children
from lib.queue.committer import Committer
from lib.queue.job_record import record_from
from lib.queue.keys import RedisKeys
from lib.queue.listing import Cursor, ListingPart, Wanted, merged, page_from
from lib.queue.queue_store import Unreadable, each_readable, understood
from lib.queue.replays import is_replay
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument

QUEUE_KNOWN_S = 30.0
"""For so long a name is taken to stand in `wb:queues`; then it is written again, should someone have removed it."""


REPLICATION_MS = 500
COMMIT_KEPT_S = 3600  # as in enqueue.lua
NO_OPTIONS = NewJob("", "", "")[3:]
EnqueueCall = tuple[str, str, str, int, str]
"""One call of enqueue.lua: its name, the queue's base, this process, the commit's number, the records."""
BEGUN = b"+"
REFUSED = ("full", "brief")
"""The outcomes of a NewJob that was not taken in; see `refused_job_error`."""
DONE = "done"
UNIQUE = "unique "
PATCH_TRIES = 10


class JobStore:
    """Every queue's jobs, by id. One for each process: a commit is known by this object's id and a number."""

    def __init__(
        self,
        link: RedisLink,
        keys: RedisKeys,
        *,
        commit_link: RedisLink | None = None,
        ack_replicas: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """commit_link: one of their own for commits, so that neither they nor the other calls wait for each other."""
        self._link = link
        self._commit_link = commit_link or link
        self._ack_replicas = ack_replicas
        self._keys = keys
        self._scripts = Scripts(link)
        self._commit_scripts = Scripts(self._commit_link)
        self._process_id = secrets.token_hex(8)
        self._clock = clock
        self._committers: dict[str, Committer[NewJob, Accepted]] = {}
        self._commit_number = 0  # Of all queues: what is kept of one may be forgotten, and no number comes twice.
        self._named_at: dict[str, float] = {}
        self._forgot_at_s = clock()
        self.children = Children(link, keys, self.enqueue)

    async def enqueue(self, job: NewJob) -> Accepted:
        """Take a job in; it is in Redis when this returns.

        Raises QueueFull, InvalidFields or RedisUnavailable where it was not taken in, OutcomeUnknown where it may have
        been.
        """
        accepted = await self._committer(job.queue).submit(job)
        if accepted.outcome in REFUSED:
            raise refused_job_error(accepted)
        return accepted

    def post(self, job: NewJob, hear: Callable[[Accepted | Exception], None], *, in_bulk: bool = False) -> None:
        """The same, a plain call: `hear` is called with what became of the job, REFUSED ones too, or what went wrong.

        in_bulk: behind those that come one by one."""
        self._committer(job.queue).post(job, hear, in_bulk=in_bulk)

    def _committer(self, queue: str) -> Committer[NewJob, Accepted]:
        committer = self._committers.get(queue)
        if committer is None:
            committer = self._committers[queue] = Committer(functools.partial(self._send, queue), _size_bytes)
        return committer

    def forget_names(self) -> None:
        """Redis was emptied: name each queue again with its next job, not only when QUEUE_KNOWN_S are over."""
        self._named_at.clear()

    def let_go(self, queue: str) -> list[str]:
        """The queue is to be removed: name it again with its next job. Gives the names, behind its base, of the keys
        that this process alone has there and does without."""
        self._named_at.pop(queue, None)
        committer = self._committers.get(queue)
        # Of a commit that is under way, the number is what keeps it from being run twice.
        return [] if committer is not None and not committer.is_idle else [f"commit:{self._process_id}"]

    async def read(self, job_id: str) -> JobRecord:
        """Raises JobNotFound."""
        records = await self.read_many([job_id])
        if not records:
            raise _not_found(job_id)
        return records[0]

    async def read_many(self, job_ids: list[str]) -> list[JobRecord]:
        """Those of the jobs that exist, in the order asked for."""
        by_queue: dict[str, list[str]] = {}
        for job_id in job_ids:
            by_queue.setdefault(queue_of(job_id) or "", []).append(job_id)
        found: dict[str, JobRecord] = {}
        for queue, ids in by_queue.items():
            texts = await self._scripts.call("read", self._keys.base(queue), *ids) if queue else []
            found.update((job_id, record_from(job_id, text)) for job_id, text in zip(ids, texts, strict=False) if text)
        return [found[job_id] for job_id in job_ids if job_id in found]

    async def page(self, queues: list[str], wanted: Wanted, after: Cursor | None, limit: int) -> ListingPart:
        """The next jobs of these queues that fit, newest first: `limit` at most, or fewer and still more behind them.

        About 800 are looked at, and none of them is read. A queue whose keys are broken is left out, and named.
        """
        arguments = wanted.arguments(after, limit, len(queues))

        async def ask(queue: str) -> ListingPart:
            reply = await self._scripts.call("page", self._keys.base(queue), *arguments)
            with understood(queue):
                return page_from(reply)

        answers = await each_readable(queues, ask)
        pages = [answer for answer in answers if not isinstance(answer, Unreadable)]
        return merged(pages, limit)._replace(unreadable=tuple(one for one in answers if isinstance(one, Unreadable)))

    async def cancel(self, job_id: str, *, is_forced: bool = False, keyed: Keyed = NO_KEY) -> bool:
        """Stop a job that waits, or ask the one that runs to stop; is_forced: its end does not wait for its handler's.

        Gives True where that had been done before, under the same idempotency key; and so below. Raises JobNotFound,
        WrongState or IdempotencyKeyReused.
        """
        state = await self._change("cancel", job_id, "1" if is_forced else "", *keyed)
        if is_replay(state):
            return True
        if state not in (DONE, "requested"):
            raise WrongState(f"the job is {state}; only one that is ready, delayed or active can be cancelled")
        queue = queue_of(job_id) or ""
        if not self._is_named(queue):
            # Upkeep may sleep past the time at which its record goes. It is cancelled either way.
            with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
                await self._name(queue)
        return False

    async def retry(self, job_id: str, keyed: Keyed = NO_KEY, *, from_start: bool = False) -> bool:
        """Run a finished job again, its attempts at 0; under its unique key, if it has one. from_start: without the
        checkpoint that one has which did not complete. Raises JobNotFound, WrongState or IdempotencyKeyReused."""
        unique_key = _unique_key(await self.read(job_id))
        state = await self._change("retry", job_id, unique_key, *keyed, "1" if from_start else "")
        if is_replay(state):
            return True
        if state.startswith(UNIQUE):
            raise WrongState(f"the job {state.removeprefix(UNIQUE)} waits or runs under the same unique key")
        if state != DONE:
            raise WrongState(f"the job is {state}; only one that is dead, completed or cancelled can be run again")
        return False

    async def patch(self, job_id: str, revise: Callable[[JobRecord], Revision]) -> None:
        """Change a job that waits. `revise` is given the job as it is; again, where it was changed in that moment.

        Raises JobNotFound or WrongState, and what `revise` raises.
        """
        for _ in range(PATCH_TRIES):
            record = await self.read(job_id)
            if record.state not in WAITING:
                raise _not_waiting(record.state)
            spec_text, priority, due = revise(record)
            if due is not None and not self._is_named(record.queue):
                await self._name(record.queue)  # Upkeep may have been told of a later time.
            seen = hashlib.sha1(record.spec_text, usedforsecurity=False).hexdigest()
            wanted = (spec_text, priority or "", "" if due is None else due)
            state = await self._change("patch", job_id, seen, *wanted, _unique_key(record))
            if state == DONE:
                return
            if state != "changed":
                raise _not_waiting(state)
        raise WrongState("the job is being changed by others over and over; send it again")

    async def delete(self, job_id: str) -> None:
        """Forget a finished job. Raises JobNotFound or WrongState."""
        state = await self._change("delete", job_id)
        if state != DONE:
            raise WrongState(f"the job is {state}; cancel it first, then delete it")

    async def log_of(self, job_id: str) -> list[str]:
        """What its handler logged, newest last. Raises JobNotFound."""
        await self.read(job_id)
        lines = await self._link.call("LRANGE", self._keys.log(queue_of(job_id) or "", job_id), 0, -1)
        return [line.decode("utf-8", "replace") for line in lines]

    async def _change(self, script: str, job_id: str, *arguments: Argument) -> str:
        """What the script says: DONE, or the state that forbids it. Raises JobNotFound."""
        queue = queue_of(job_id)
        if queue is None:
            raise _not_found(job_id)
        state: bytes = await self._scripts.call(script, self._keys.base(queue), job_id, *arguments)
        if not state:
            raise _not_found(job_id)
        with understood(queue):
            return state.decode()

    def _send(self, queue: str, jobs: list[NewJob], hear: Callable[..., None]) -> None:
        """One commit."""
        if not self._is_named(queue):
            hear(self._name_and_commit, queue, jobs)
            return
        call = self._call(queue, jobs)
        self._commit_scripts.send(functools.partial(hear, self._read, queue, jobs, call), *call)

    def _call(self, queue: str, jobs: list[NewJob]) -> EnqueueCall:
        self._commit_number += 1
        return "enqueue", self._keys.base(queue), self._process_id, self._commit_number, "".join(map(_record, jobs))

    def _read(
        self, queue: str, jobs: list[NewJob], call: EnqueueCall, reply: bytes | Exception
    ) -> list[Accepted] | Coroutine[Any, Any, list[Accepted]]:
        """What became of the jobs of a commit, or what comes to know it."""
        if isinstance(reply, OutcomeUnknown):
            return self._commit_again(queue, jobs, call, reply)
        if isinstance(reply, Exception):
            raise reply
        if reply.startswith(BEGUN):
            return self._begun(queue, jobs, call, reply)
        return self._replicated(queue, jobs, call, reply) if self._ack_replicas else _accepted(jobs, reply)

    async def _begun(self, queue: str, jobs: list[NewJob], call: EnqueueCall, reply: bytes) -> list[Accepted]:
        """The queue began with this commit. It may have been removed since it was named here, so its name is said again
        before anybody is told that a job of it was accepted."""
        with behind_a_change(), contextlib.suppress(RedisKeysBroken):
            await self._link.call("SADD", self._keys.queues, queue)
        return await self._replicated(queue, jobs, call, reply) if self._ack_replicas else _accepted(jobs, reply)

    async def _name_and_commit(self, queue: str, jobs: list[NewJob]) -> list[Accepted]:
        await self._name(queue)
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
        """Once more where a reply was lost: under the same number, so it is not run twice."""
        try:
            reply = await self._commit_scripts.call(*call)
        except RedisUnavailable:
            raise fault from None
        if reply.startswith(BEGUN):
            return await self._begun(queue, jobs, call, reply)
        return await self._replicated(queue, jobs, call, reply) if self._ack_replicas else _accepted(jobs, reply)

    async def _replicated(self, queue: str, jobs: list[NewJob], call: EnqueueCall, reply: bytes) -> list[Accepted]:
        """Wait until enough replicas have what was written. Raises NotReplicated, OutcomeUnknown.

        WHY three commands in one packet: when the link was cut behind the commit, the server that answers now may be
        another one, promoted without the job, and WAIT would count that one's replicas. The GET asks the same server
        whether this commit is the last that it has of us; the EXPIRE is a write, so that WAIT has one to wait for.
        """
        commit = self._keys.commit(queue, self._process_id)
        try:
            _, last, replicas = await asyncio.gather(
                self._commit_link.call("EXPIRE", commit, COMMIT_KEPT_S),
                self._commit_link.call("GET", commit),
                self._commit_link.call("WAIT", self._ack_replicas, REPLICATION_MS),
            )
        except RedisUnavailable as fault:
            raise OutcomeUnknown(fault.detail) from None
        if last is None or not last.startswith(b"%d " % call[3]):
            raise OutcomeUnknown("another Redis was promoted, and the one that answers now does not have the job")
        if replicas < self._ack_replicas:
            detail = f"{replicas} of {self._ack_replicas} replicas have it after {REPLICATION_MS} ms"
            raise NotReplicated(f"{detail}; send it again with the same Idempotency-Key")
        return _accepted(jobs, reply)

    def _is_named(self, queue: str) -> bool:
        return self._clock() - self._named_at.get(queue, -inf) < QUEUE_KNOWN_S

    async def _name(self, queue: str) -> None:
        """See that the queue stands in the set of queues, before its first job is there to be found."""
        now = self._clock()
        self._forget_idle(now)
        try:
            await self._scripts.call("name", self._keys.queues, self._keys.moved, queue)
        except OutcomeUnknown as fault:
            # Whatever became of the name, no job was sent.
            raise RedisUnavailable(fault.detail) from None
        except RedisKeysBroken:
            return  # A broken set of names stops no queue; it is tried again with the next commit.
        self._named_at[queue] = now

    def _forget_idle(self, now: float) -> None:
        """Once in a while: queues come and go, and nothing is to be kept of each for good."""
        if now - self._forgot_at_s < QUEUE_KNOWN_S:
            return
        self._forgot_at_s = now
        self._committers = {queue: one for queue, one in self._committers.items() if not one.is_idle}
        self._named_at = {queue: at for queue, at in self._named_at.items() if now - at < QUEUE_KNOWN_S}


def refused_job_error(accepted: Accepted) -> QueueFull | InvalidFields:
    """What is said of a job that was not taken in."""
    if accepted.outcome == "brief":
        return submission.fields_error([submission.BRIEF])
    queue, seconds = queue_of(accepted.job_id), accepted.retry_after_s
    return QueueFull(
        f"the queue {queue} is at its max_depth; nothing was taken in: send it again in {seconds} s",
        headers=[("Retry-After", str(seconds))],
    )


def _accepted(jobs: list[NewJob], reply: bytes) -> list[Accepted]:
    """As `enqueue.lua` answers."""
    if reply == b"superseded":
        raise OutcomeUnknown("a later commit of this process overtook this one")
    now, *stand_ins = reply.decode().split("\x1e")
    now_ms = int(now)
    accepted = [tuple.__new__(Accepted, (job[0], "new", now_ms, 0)) for job in jobs]  # as in job.py's first lines
    for number, outcome, job_id in (stand_in.split("\x1f") for stand_in in stand_ins):
        new = accepted[int(number) - 1]
        if outcome == "full":
            accepted[int(number) - 1] = new._replace(outcome=outcome, retry_after_s=int(job_id))
        elif outcome == "brief":
            accepted[int(number) - 1] = new._replace(outcome=outcome)
        else:
            accepted[int(number) - 1] = new._replace(outcome=outcome, job_id=job_id)
    return accepted


def _unique_key(record: JobRecord) -> bytes:
    """b"" for none. str: somebody may have written the spec by hand."""
    return str(record.spec.unique_key).encode("utf-8", "replace") if record.spec else b""


def _not_found(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id[:120]}; it may have been trimmed, see RETAIN_COMPLETED and retain_s")


def _not_waiting(state: str) -> WrongState:
    return WrongState(f"the job is {state}; only one that is ready or delayed can be changed")


def _record(job: NewJob) -> str:
    return f"{job.job_id}\x1f{job.priority}\x1f{_options(job)}\x1f{job.spec_text}\x1e"


def _options(job: NewJob) -> str:
    if job[3:] == NO_OPTIONS:
        return ""
    due = f"+{job.delay_ms}" if job.delay_ms is not None else "" if job.run_at_ms is None else str(job.run_at_ms)
    expires = "" if job.expires_in_ms is None else str(job.expires_in_ms)
    unique_ttl = str(job.unique_ttl_ms) if job.unique_ttl_ms else ""
    retain = "" if job.retain_ms is None else str(job.retain_ms)
    patience = "" if job.give_up_ms is None else str(job.give_up_ms)
    keys = (job.unique_key, unique_ttl, job.idempotency_key, job.fingerprint)
    return "\x1d".join((due, expires, *keys, retain, patience))


def _size_bytes(job: NewJob) -> int:
    return len(job.spec_text)
