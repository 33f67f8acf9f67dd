"""Jobs as the API sees them: taken in, read, listed, cancelled, run again, changed, deleted.

    jobs = JobStore(link, keys)
    accepted = await jobs.enqueue(NewJob("email-4d1e…", "normal", '{"v":1,"type":"email",…}'))
    record = await jobs.read(accepted.job_id)        # record.state == "ready"

Every change is one script of lua/, and its answer is `done`, or the state of the job that forbids it. How jobs are
taken in is enqueuer.py's; what a runner does with a job, lease.py's; what is kept of a queue as a whole,
queue_store.py's.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable

from lib.errors import JobNotFound, RedisKeysBroken, RedisUnavailable, WrongState
from lib.ids import queue_of
from lib.jobs.job import NO_KEY, JobRecord, Keyed, Revision
from lib.jobs.state import BLOCKED, WAITING
from lib.queue.enqueuer import TAGS_SINCE, Enqueuer
from lib.queue.fleet import Fleet, UpgradeGate
from lib.queue.framing import shown_text
from lib.queue.job_record import record_from
from lib.queue.keys import RedisKeys
from lib.queue.listing import Cursor, ListingPart, Wanted, merged, page_from
from lib.queue.named_jobs import NamedJobs
from lib.queue.replays import is_replay
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable, understood
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument

DONE = "done"
UNIQUE = "unique "
WAITS = "waits"
PATCH_TRIES = 10
UNCHANGEABLE = "only one that is ready or delayed can be changed"


class JobStore:
    """The jobs of every queue, by id."""

    def __init__(
        self,
        link: RedisLink,
        keys: RedisKeys,
        *,
        commit_link: RedisLink | None = None,
        ack_replicas: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """commit_link: a link for new jobs alone, so that neither they nor the other calls wait for each other."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._gate = UpgradeGate(Fleet(link, keys), clock)
        self._enqueuer = Enqueuer(
            link, commit_link or link, keys, ack_replicas=ack_replicas, clock=clock, gate=self._gate
        )
        # Taken over as they are, and not called by methods of this class: every job passes here.
        self.enqueue = self._enqueuer.enqueue
        self.post = self._enqueuer.post
        self.forget_names = self._enqueuer.forget_names
        self.prepare_removal = self._enqueuer.prepare_removal
        self.named_jobs = NamedJobs(link, keys, self.enqueue)

    async def read(self, job_id: str) -> JobRecord:
        """Raises JobNotFound."""
        records = await self.read_many([job_id])
        if not records:
            raise job_not_found(job_id)
        return records[0]

    async def read_many(self, job_ids: list[str]) -> list[JobRecord]:
        """The jobs of `job_ids` that exist, in that order."""
        by_queue: dict[str, list[str]] = {}
        for job_id in job_ids:
            by_queue.setdefault(queue_of(job_id) or "", []).append(job_id)
        found: dict[str, JobRecord] = {}
        for queue, ids in by_queue.items():
            texts = await self._scripts.call("read", self._keys.base(queue), *ids) if queue else []
            found.update((job_id, record_from(job_id, text)) for job_id, text in zip(ids, texts, strict=False) if text)
        return [found[job_id] for job_id in job_ids if job_id in found]

    async def page(self, queues: list[str], wanted: Wanted, after: Cursor | None, limit: int) -> ListingPart:
        """The next jobs of these queues that fit `wanted`, newest first: `limit` at most.

        A page may be short, or empty, with more jobs behind it: Redis looks at about 800 jobs a call. Only ids are
        returned; the jobs are not read. A queue whose keys are broken is left out, and named in `unreadable`.
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
        """Stop a job that waits, or ask the runner of an active job to stop it.

        is_forced: the runner gives the handler no time to end. Returns True if the same change was made before under
        the same idempotency key (`retry` does so, too). Raises JobNotFound, WrongState or IdempotencyKeyReused.
        """
        state = await self._change("cancel", job_id, "1" if is_forced else "", *keyed)
        if is_replay(state):
            return True
        if state not in (DONE, "requested"):
            raise _wrong_state(state, "only one that is ready, delayed or active can be cancelled")
        queue = queue_of(job_id) or ""
        if not self._enqueuer.is_named(queue):
            # Upkeep visits a queue that was named lately soon enough to remove the job's record in time. The job is
            # cancelled whether this succeeds or not.
            with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
                await self._enqueuer.name(queue)
        return False

    async def retry(self, job_id: str, keyed: Keyed = NO_KEY, *, from_start: bool = False) -> bool:
        """Run a finished job again: with no attempt counted, and under its unique key if the job has one.

        from_start: without the checkpoint that a job has which did not complete. Returns True as `cancel` does. Raises
        JobNotFound, WrongState or IdempotencyKeyReused.
        """
        unique_key = _unique_key(await self.read(job_id))
        state = await self._change("retry", job_id, unique_key, *keyed, "1" if from_start else "")
        if is_replay(state):
            return True
        if state.startswith(UNIQUE):
            raise WrongState(f"the job {state.removeprefix(UNIQUE)} holds the same unique key")
        if state == WAITS:
            raise WrongState("the job waited for other jobs; only a newer version of Waybill can run it again")
        if state != DONE:
            raise _wrong_state(state, "only one that is dead, completed or cancelled can be run again")
        return False

    async def patch(self, job_id: str, revise: Callable[[JobRecord], Revision]) -> None:
        """Change a job that waits, as `revise(record)` says.

        If somebody else changes the job in that moment, `revise` is called again with the new record. Raises
        JobNotFound or WrongState, UpgradeNeeded for tags while an older program runs, and what `revise` raises.
        """
        for _ in range(PATCH_TRIES):
            record = await self.read(job_id)
            if record.state not in WAITING:
                raise _wrong_state(record.state, UNCHANGEABLE)
            spec_text, priority, due, tags = revise(record)
            if tags is not None:
                await self._gate.require("tags", TAGS_SINCE)
            if due is not None and not self._enqueuer.is_named(record.queue):
                # Upkeep may have planned its next visit to the queue for a time after the job's new one.
                await self._enqueuer.name(record.queue)
            seen = hashlib.sha1(record.spec_text, usedforsecurity=False).hexdigest()
            wanted = (spec_text, priority or "", "" if due is None else due)
            tags_wanted = "" if tags is None else f"={','.join(tags)}"
            state = await self._change("patch", job_id, seen, *wanted, _unique_key(record), tags_wanted)
            if state == DONE:
                return
            if state != "changed":
                raise _wrong_state(state, UNCHANGEABLE)
        raise WrongState("the job is being changed by others over and over; send it again")

    async def delete(self, job_id: str) -> None:
        """Forget a finished job. Raises JobNotFound or WrongState."""
        state = await self._change("delete", job_id)
        if state != DONE:
            raise _wrong_state(state, "cancel it first, then delete it")

    async def log_of(self, job_id: str) -> list[str]:
        """The lines that the job's handler logged, newest last. Raises JobNotFound."""
        await self.read(job_id)
        lines = await self._link.call("LRANGE", self._keys.log(queue_of(job_id) or "", job_id), 0, -1)
        return [shown_text(line) for line in lines]

    async def _change(self, script: str, job_id: str, *arguments: Argument) -> str:
        """The script's answer: DONE, or the state that forbids the change. Raises JobNotFound."""
        queue = queue_of(job_id)
        if queue is None:
            raise job_not_found(job_id)
        answer: bytes | list[bytes] = await self._scripts.call(script, self._keys.base(queue), job_id, *arguments)
        # cancel.lua, retry.lua and delete.lua take many jobs, and answer a word for each; here it is one.
        state = answer if isinstance(answer, bytes) else answer[0]
        if not state:
            raise job_not_found(job_id)
        with understood(queue):
            return state.decode()


def _unique_key(record: JobRecord) -> bytes:
    """The job's unique key, b"" for none. Through str(), for a spec that somebody wrote by hand may hold a number."""
    return str(record.spec.unique_key).encode("utf-8", "replace") if record.spec else b""


def job_not_found(job_id: str) -> JobNotFound:
    """What is raised for an id that no job of this Redis has."""
    return JobNotFound(f"there is no job {job_id[:120]}; it may have been trimmed, see RETAIN_COMPLETED and retain_s")


def _wrong_state(state: str, rule: str) -> WrongState:
    """rule: which jobs the change is for."""
    if state == BLOCKED:
        rule = "it waits for other jobs, or for a call from outside, and only a newer version of Waybill can change it"
    return WrongState(f"the job is {state}; {rule}")
