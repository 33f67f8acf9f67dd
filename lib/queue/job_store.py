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
from collections.abc import Callable, Sequence

from lib.errors import RedisKeysBroken, RedisUnavailable, WaybillError, WrongState
from lib.ids import queue_of
from lib.jobs.job import NO_KEY, JobRecord, Keyed, Revision
from lib.jobs.parents import Results, results_from
from lib.jobs.state import WAITING
from lib.queue.bulk_changes import BulkChanges, unique_key_of
from lib.queue.callback_store import Callbacks
from lib.queue.enqueuer import TAGS_SINCE, Enqueuer
from lib.queue.fleet import Fleet, UpgradeGate
from lib.queue.framing import shown_text
from lib.queue.job_log import LogLine, lines_from
from lib.queue.job_record import record_from
from lib.queue.kept_answers import KeptAnswers
from lib.queue.keys import RedisKeys
from lib.queue.listing import NEWEST_FIRST, Cursor, ListingPart, ListWalk, Order, Wanted, page_from
from lib.queue.merged_list import MergedList
from lib.queue.named_jobs import NamedJobs
from lib.queue.notices import Notices
from lib.queue.queue_beginnings import NONE, FirstSettings
from lib.queue.refusals import CHANGED, DONE, cancel_refusal, delete_refusal, not_found, retry_refusal, wrong_state
from lib.queue.replays import is_replay
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.queue.workflow_store import Workflows
from lib.queue.workflow_views import WorkflowViews
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument

PATCH_TRIES = 10
SAID_AT_ONCE = 100
OUTSIDE = "outside"
UNCHANGEABLE = "only one that is ready, delayed or blocked can be changed"


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
        notices: Notices | None = None,
        first_settings: FirstSettings = NONE,
    ) -> None:
        """commit_link: a link for new jobs alone, so that neither they nor the other calls wait for each other.
        notices: where a program has its own, which logs. first_settings: what queues begin with that have their first
        job from here."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._gate = UpgradeGate(Fleet(link, keys), clock)
        self._enqueuer = Enqueuer(
            link,
            commit_link or link,
            keys,
            ack_replicas=ack_replicas,
            clock=clock,
            gate=self._gate,
            first_settings=first_settings,
        )
        self.beginnings = self._enqueuer.beginnings
        # Taken over as they are, and not called by methods of this class: every job passes here.
        self.enqueue = self._enqueuer.enqueue
        self.post = self._enqueuer.post
        self.admitted = self._enqueuer.admitted
        self.forget_names = self._enqueuer.forget_names
        self.prepare_removal = self._enqueuer.prepare_removal
        self.kept_answers = KeptAnswers(link, keys)
        self.notices = notices or Notices(link, keys, commit_link=commit_link, ack_replicas=ack_replicas, clock=clock)
        self.workflows = Workflows(
            link,
            commit_link or link,
            keys,
            enqueuer=self._enqueuer,
            gate=self._gate,
            notices=self.notices,
            ack_replicas=ack_replicas,
        )
        self.workflow_views = WorkflowViews(link, keys, self.workflows)
        self.in_bulk = BulkChanges(link, keys, self._note_use, self.workflow_views.expect_members, self.notices)
        self.callbacks = Callbacks(link, keys, self.notices)
        self.named_jobs = NamedJobs(link, keys, self.enqueue, self.workflows.plant)

    @property
    def is_known_to_admit(self) -> bool:
        return self._enqueuer.is_known_to_admit

    async def read(self, job_id: str) -> JobRecord:
        """Raises JobNotFound."""
        records = await self.read_many([job_id])
        if not records:
            raise not_found(job_id)
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

    def listing(
        self, queues: Sequence[str], wanted: Wanted, after: Cursor | None, walk: ListWalk = NEWEST_FIRST
    ) -> MergedList:
        """The jobs of these queues that fit `wanted`, behind `after`, in the order of the walk.

        Redis looks at 800 jobs a call, or at 5,000 ids for the jobs of a request. Only ids are returned; the jobs are
        not read."""
        return MergedList(self._page_of_one, queues, wanted, after, walk)

    async def page(
        self, queues: list[str], wanted: Wanted, after: Cursor | None, limit: int, walk: ListWalk = NEWEST_FIRST
    ) -> ListingPart:
        """The first part of a listing."""
        return await self.listing(queues, wanted, after, walk).next_part(limit)

    async def _page_of_one(
        self, queue: str, wanted: Wanted, after: Cursor | None, limit: int, walk: ListWalk, most: int | None = None
    ) -> ListingPart:
        arguments = wanted.arguments(after, limit, walk, most)
        reply = await self._scripts.call("page", self._keys.base(queue), *arguments)
        with understood(queue):
            return page_from(reply)

    async def page_of_oldest(self, queue: str, wanted: Wanted, after: Cursor | None, limit: int) -> ListingPart:
        """The next jobs of one queue that fit `wanted`, oldest first, delayed ones as they fall due; else as `page`.
        Raises RedisKeysBroken."""
        order: Order = "next" if wanted.state == "delayed" and wanted.tag is None else "oldest"
        return await self._page_of_one(queue, wanted, after, limit, ListWalk(order))

    async def now_ms(self) -> int:
        """Redis' clock, by which every time of a job was noted."""
        return await redis_info.now_ms(self._link)

    async def cancel(self, job_id: str, *, is_forced: bool = False, keyed: Keyed = NO_KEY) -> bool:
        """Stop a job that waits, or ask the runner of an active job to stop it.

        is_forced: the runner gives the handler no time to end. Returns True if the same change was made before under
        the same idempotency key (`retry` does so, too). Raises JobNotFound, WrongState or IdempotencyKeyReused.
        """
        word = await self._change("cancel", job_id, "1" if is_forced else "", *keyed, "")
        if is_replay(word):
            return True
        _raise_if(cancel_refusal(job_id, word))
        await self._note_use(queue_of(job_id) or "")
        return False

    async def _note_use(self, queue: str) -> None:
        """Jobs of the queue were cancelled: upkeep visits a queue that was named lately soon enough to remove their
        records in time. They are cancelled whether this succeeds or not."""
        if not self._enqueuer.is_named(queue):
            with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
                await self._enqueuer.name(queue)

    async def retry(self, job_id: str, keyed: Keyed = NO_KEY, *, from_start: bool = False) -> bool:
        """Run a finished job again: with no attempt counted, and under its unique key if the job has one.

        from_start: without the checkpoint that a job has which did not complete. Returns True as `cancel` does. Raises
        JobNotFound, WrongState, MemberGone or IdempotencyKeyReused.
        """
        record = await self.read(job_id)
        await self.workflow_views.expect_members(record)
        word = await self._change("retry", job_id, unique_key_of(record), *keyed, "1" if from_start else "", "", "")
        if is_replay(word):
            return True
        _raise_if(retry_refusal(job_id, word))
        return False

    async def patch(self, job_id: str, revise: Callable[[JobRecord], Revision]) -> None:
        """Change a job that waits, as `revise(record)` says.

        If somebody else changes the job in that moment, `revise` is called again with the new record. Raises
        JobNotFound or WrongState, UpgradeNeeded for tags while an older program runs, and what `revise` raises.
        """
        for _ in range(PATCH_TRIES):
            record = await self.read(job_id)
            if record.state not in WAITING:
                raise wrong_state(record.state, UNCHANGEABLE)
            spec_text, priority, due, tags = revise(record)
            if tags is not None:
                await self._gate.require("tags", TAGS_SINCE)
            if due is not None and not self._enqueuer.is_named(record.queue):
                # Upkeep may have planned its next visit to the queue for a time after the job's new one.
                await self._enqueuer.name(record.queue)
            seen = hashlib.sha1(record.spec_text, usedforsecurity=False).hexdigest()
            wanted = (spec_text, priority or "", "" if due is None else due)
            tags_wanted = "" if tags is None else f"={','.join(tags)}"
            state = await self._change("patch", job_id, seen, *wanted, unique_key_of(record), tags_wanted)
            if state == DONE:
                return
            if not state:
                raise not_found(job_id)
            if state == OUTSIDE:
                raise WrongState("a service has taken the job and will call back; cancel the job, and send another one")
            if state != CHANGED:
                raise wrong_state(state, UNCHANGEABLE)
        raise WrongState("the job is being changed by others over and over; send it again")

    async def delete(self, job_id: str) -> None:
        """Forget a finished job. Raises JobNotFound or WrongState."""
        _raise_if(delete_refusal(job_id, await self._change("delete", job_id, "")))

    async def results(self, job_id: str) -> Results:
        """What the jobs that this job has waited for have come to; none where there is no such job.

        WHY in bites: a thousand parents may have said 64 KiB each, and Redis does nothing else while it answers a call.
        """
        queue, said, cursor = queue_of(job_id) or "", dict[str, str](), b"0"
        edges = await self._link.call("HGETALL", self._keys.parents(queue, job_id))
        while edges:
            cursor, some = await self._link.call("HSCAN", self._keys.said(queue, job_id), cursor, "COUNT", SAID_AT_ONCE)
            said |= _pairs(some)
            if cursor == b"0":
                break
        return results_from(_pairs(edges), said)

    async def log_of(self, job_id: str) -> list[LogLine]:
        """The lines that the job's handler logged, newest last. Raises JobNotFound."""
        await self.read(job_id)
        lines = await self._link.call("LRANGE", self._keys.log(queue_of(job_id) or "", job_id), 0, -1)
        return lines_from(lines)

    async def _change(self, script: str, job_id: str, *arguments: Argument) -> str:
        """The script's answer: DONE, the state that forbids the change, or "" where there is no such job. Raises
        JobNotFound for a text that is no job's id."""
        queue = queue_of(job_id)
        if queue is None:
            raise not_found(job_id)
        answer: bytes | list[bytes] = await self._scripts.call(script, self._keys.base(queue), job_id, *arguments)
        # cancel.lua, retry.lua and delete.lua take many jobs, and answer a word for each; here it is one.
        word = answer if isinstance(answer, bytes) else answer[0]
        with understood(queue):
            return word.decode()


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    """What HGETALL or HSCAN answer: name, value, name, value …"""
    return {shown_text(name): shown_text(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _raise_if(refusal: WaybillError | None) -> None:
    if refusal is not None:
        raise refusal
