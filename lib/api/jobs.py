"""/api/jobs: take a job in, look at it, list, change, cancel, run again, delete. Parse, one call, reply."""

import asyncio
import functools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence

from lib.api import idempotency
from lib.api.cursor import cursor_of, cursor_text
from lib.api.shown import job_text, just_taken, new_job, outcome_of
from lib.errors import JobFailed, JobNotFound, RedisKeysBroken, RedisUnavailable, behind_a_change
from lib.http1.message import Request, Response
from lib.ids import QUEUE_NAME, JobIds, queue_of
from lib.jobs import revision, submission
from lib.jobs.job import Accepted, JobRecord, JobSpec, NewJob
from lib.jobs.registry import Registry
from lib.jobs.state import FINISHED, STATES
from lib.json_text import to_json
from lib.logs.log import NOTHING, Log
from lib.logs.log_lines import INFO, Form
from lib.queue.endings import EndWaiters
from lib.queue.job_store import REFUSED, JobStore, refused_job_error
from lib.queue.listing import Cursor, ListingPart, Wanted
from lib.queue.queue_store import QueueStore
from lib.web import json_body, query
from lib.web.drain import Drain
from lib.web.json_answer import answer_json, answer_text
from lib.web.preferences import NOTHING as NO_PREFERENCE
from lib.web.preferences import Preferences, preferred_by
from lib.web.router import Call, Outcome

LOOK_EVERY_S = 5.0
SEARCH_S = 0.5
PAGE_BYTES = 4 << 20
FIRST_SLICE = 10
SLICE_BYTES = 1 << 20
OUTCOME = "Waybill-Outcome"
CREATED = (OUTCOME, "created")
ENQUEUED = Form(
    INFO,
    "job.enqueued",
    "{kind} job added to queue",
    ("request_id", "trace_id", "job_id", "queue", "type"),
    said="kind",
)


class JobOperations:
    """The operations on jobs."""

    def __init__(
        self,
        queue: JobStore,
        queues: QueueStore,
        registry: Registry,
        ids: JobIds,
        endings: EndWaiters,
        log: Log,
        drain: Drain,
    ) -> None:
        self._queue = queue
        self._queues = queues
        self._registry = registry
        self._ids = ids
        self._endings = endings
        self._log = log
        self._search = asyncio.Lock()
        # A drain answers every request that waits for a job's end at once, with the job as it is.
        self._drain = drain
        drain.on_begin(endings.wake_all)

    def create(self, call: Call, tell: Callable[[Outcome], None]) -> None:
        """Takes no task, no future and no turn of the loop: this is what clients ask for most."""
        body = json_body.parse(call.request.body)
        job, spec = submission.read(body, self._registry, self._ids, request_id=call.request_id, trace=call.trace)
        preferred = preferred_by(call)
        key = call.request.headers.get("idempotency-key")
        if key is not None:
            job = idempotency.under_key(job, key, call, body, pointer="Idempotency-Key")
        self._queue.post(job, functools.partial(self._heard, call, job, spec, preferred, tell))

    def _heard(
        self,
        call: Call,
        job: NewJob,
        spec: JobSpec,
        preferred: Preferences,
        tell: Callable[[Outcome], None],
        heard: Accepted | Exception,
    ) -> None:
        """The commit was answered. Does not raise: others wait for the same one."""
        outcome: Outcome
        try:
            outcome = heard if isinstance(heard, Exception) else self._outcome(call, job, spec, preferred, heard)
        except Exception as fault:  # noqa: BLE001  The middleware logs it, and answers.
            outcome = fault
        tell(outcome)

    def _outcome(self, call: Call, job: NewJob, spec: JobSpec, preferred: Preferences, accepted: Accepted) -> Outcome:
        if accepted.outcome == "new":
            job_id, type_name = job.job_id, spec.type
            self._log.write(
                ENQUEUED, NOTHING, call.request_id, call.trace.trace_id, job_id, job.queue, type_name, _kind(type_name)
            )
            if preferred is NO_PREFERENCE:
                return Response(202, new_job(job, spec, accepted.created_ms), [_location(job_id), CREATED])
        elif accepted.outcome == "conflict":
            raise idempotency.reused()
        elif accepted.outcome in REFUSED:
            raise refused_job_error(accepted)
        return self._not_at_once(call, job, spec, accepted, preferred)

    async def _not_at_once(
        self, call: Call, job: NewJob, spec: JobSpec, accepted: Accepted, preferred: Preferences
    ) -> Response:
        """Where another job stands for the one that was sent, or the caller would like to wait for its end."""
        taken = just_taken(job._replace(job_id=accepted.job_id), spec, accepted.created_ms)
        record = await self._now(taken, accepted, preferred.wait_s, call.request)
        return _taken_in(record, accepted, preferred)

    async def _now(self, taken: JobRecord, accepted: Accepted, wait_s: float, request: Request) -> JobRecord:
        """The job that was taken in, or stands for it, as it is after wait_s at most.

        Its state is "" where it has ended and its record is trimmed: what was asked for is all that is known then.
        """
        try:
            if wait_s:
                return await self._wait(accepted.job_id, wait_s, request)
            return taken if accepted.outcome == "new" else await self._queue.read(accepted.job_id)
        except JobNotFound:
            return taken._replace(state="")
        except (RedisUnavailable, RedisKeysBroken):
            if accepted.outcome != "new":
                raise
            # It was taken in: a 503 would have it sent again.
            return taken

    async def read(self, call: Call) -> Response:
        preferred = preferred_by(call)
        job_id = call.path["job_id"]
        record = await self._queue.read(job_id)
        if preferred.wait_s and record.state not in FINISHED:
            record = await self._wait(job_id, preferred.wait_s, call.request)
        return _shown(200, record, preferred.applied(is_finished=True))

    async def list_page(self, call: Call) -> Response:
        limit = query.whole(call.parameters, "limit", 1, 200, 50)
        after = cursor_of(call.parameters)
        state, queue = call.parameters.get("state"), call.parameters.get("queue")
        if state is not None and state not in STATES:
            raise query.parameter_error("state", "must be one of " + ", ".join(STATES))
        if queue is not None and not QUEUE_NAME.fullmatch(queue):
            raise query.parameter_error("queue", "is not a queue's name")
        queues = [queue] if queue is not None else await self._queues.names()
        wanted = Wanted(state, call.parameters.get("type"), call.parameters.get("request_id"))
        page = await self._found(queues, wanted, after, limit)
        if queue is not None and page.unreadable:
            raise RedisKeysBroken(page.unreadable[0].reason)
        items, end = await self._items(page, wanted)
        jobs = ",".join(map(job_text, items))
        next_cursor = to_json(cursor_text(end, call.parameters) if end else None)
        warnings = to_json([unreadable.warning for unreadable in page.unreadable])
        return answer_text(200, f'{{"items":[{jobs}],"next_cursor":{next_cursor},"warnings":{warnings}}}')

    async def change(self, call: Call) -> Response:
        wanted = revision.read(json_body.parse(call.request.body))
        await self._queue.patch(call.path["job_id"], lambda record: wanted.of(record, self._registry))
        return await self._changed(call, "job.changed", "Job changed")

    async def delete(self, call: Call) -> Response:
        job_id = call.path["job_id"]
        await self._queue.delete(job_id)
        self._log.info("job.deleted", f"Job deleted: {job_id}", request_id=call.request_id, job_id=job_id)
        return Response(204)

    async def cancel(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        is_forced = query.flag(call.parameters, "force")
        if await self._queue.cancel(call.path["job_id"], is_forced=is_forced, keyed=idempotency.keyed(call)):
            return await self._replayed(call)
        msg = "Job asked to be cancelled by force" if is_forced else "Job asked to be cancelled"
        return await self._changed(call, "job.cancel_asked", msg)

    async def retry(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        from_start = query.flag(call.parameters, "from_start")
        if await self._queue.retry(call.path["job_id"], idempotency.keyed(call), from_start=from_start):
            return await self._replayed(call)
        return await self._changed(call, "job.revived", "Job to be run again")

    async def logs(self, call: Call) -> Response:
        return answer_json(200, {"items": await self._queue.log_of(call.path["job_id"])})

    async def _changed(self, call: Call, event: str, msg: str) -> Response:
        job_id = call.path["job_id"]
        self._log.info(event, f"{msg}: {job_id}", request_id=call.request_id, job_id=job_id)
        with behind_a_change():
            return _shown(200, await self._queue.read(job_id))

    async def _replayed(self, call: Call) -> Response:
        """The change had been made under its key: nothing was done now."""
        return _shown(200, await self._queue.read(call.path["job_id"]), [idempotency.REPLAYED])

    async def _wait(self, job_id: str, wait_s: float, request: Request) -> JobRecord:
        """The job when it has finished, or as it is after wait_s, or when nobody is there any more to be told."""
        until_s = time.monotonic() + wait_s
        with self._endings.of(queue_of(job_id) or "", job_id) as ended:
            request.on_gone = ended.set
            while True:
                ended.clear()
                record = await self._queue.read(job_id)
                left_s = until_s - time.monotonic()
                if record.state in FINISHED or left_s <= 0 or self._drain.has_begun or request.is_gone:
                    return record
                try:
                    await asyncio.wait_for(ended.wait(), min(left_s, LOOK_EVERY_S))
                except TimeoutError:
                    continue

    async def _found(self, queues: list[str], wanted: Wanted, after: Cursor | None, limit: int) -> ListingPart:
        """The next jobs that fit: looked for, a page after the other, for SEARCH_S where most jobs do not.

        WHY one search at a time: each look holds Redis for some milliseconds. Many that search at once are slower, and
        whoever posts meanwhile waits for one look.
        """
        until_s = time.monotonic() + SEARCH_S
        page = await self._queue.page(queues, wanted, after, limit)
        while page.end and len(page.places) < wanted.enough(limit) and time.monotonic() < until_s:
            async with self._search:
                page = page.followed_by(await self._queue.page(queues, wanted, page.end, limit - len(page.places)))
        return page

    async def _items(self, page: ListingPart, wanted: Wanted) -> tuple[list[JobRecord], Cursor | None]:
        """The page's jobs that fit, and where to go on.

        They may be fewer than were asked for: the time was up, and the job that takes them over 4 MiB is the last.
        """
        items: list[JobRecord] = []
        page_bytes = 0
        async for place, record in self._records(page.places):
            if record is not None and wanted.fits(record):
                items.append(record)
                page_bytes += record.size_bytes
                if page_bytes > PAGE_BYTES:
                    return items, place
        return items, page.end

    async def _records(self, places: list[Cursor]) -> AsyncIterator[tuple[Cursor, JobRecord | None]]:
        """Each place with its job, read a few at a time: fifty jobs of a megabyte must not come in one piece."""
        at, slice_size = 0, FIRST_SLICE
        while at < len(places):
            some = places[at : at + slice_size]
            records = {record.job_id: record for record in await self._queue.read_many([p.job_id for p in some])}
            for place in some:
                yield place, records.get(place.job_id)
            at += len(some)
            mean_bytes = max(1, sum(record.size_bytes for record in records.values()) // len(some))
            slice_size = max(1, min(200, SLICE_BYTES // mean_bytes))


def _shown(status: int, record: JobRecord, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return answer_text(status, job_text(record), headers)


@functools.lru_cache(maxsize=1024)
def _kind(type_name: str) -> str:
    """A type's name, as a sentence begins with it."""
    return type_name[:1].upper() + type_name[1:]


def _location(job_id: str) -> tuple[str, str]:
    return "Location", f"/api/jobs/{job_id}"


def _taken_in(record: JobRecord, accepted: Accepted, preferred: Preferences) -> Response:
    """202 and the job; 200 where nothing new was queued, and where the caller waited and it has completed. Raises
    JobFailed where they waited, and it ended otherwise."""
    is_finished = not record.state or record.state in FINISHED
    is_ok = accepted.outcome.endswith("duplicate") or (is_finished and preferred.wait_s > 0)
    outcome = outcome_of(accepted)
    headers = [_location(accepted.job_id), (OUTCOME, outcome), *preferred.applied(is_finished=is_finished)]
    if accepted.outcome.startswith("replayed"):
        headers.append(idempotency.REPLAYED)
    text = f'{job_text(record)[:-1]},"outcome":"{outcome}"}}'
    if preferred.wait_s and record.state in ("dead", "cancelled"):
        detail = f"the job {record.job_id} is {record.state}; its error says why, and POST …/retry runs it again"
        raise JobFailed(detail, headers=headers, members={"job": json.loads(text)})
    return answer_text(200 if is_ok else 202, text, headers)
