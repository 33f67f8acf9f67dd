"""/api/jobs: create a job, read, change, cancel, retry and delete jobs. (job_list.py lists them.)

Each operation parses its request, makes one call on the JobStore, and shows the job. `create` is the one that clients
call most; it runs without a task, as a chain of callbacks:

    create      parse the body, hand a NewJob to the JobStore, return
    _on_commit  Redis has the job, or refused it: called with Accepted("email-0192…", "new", 1795438188123)
    _outcome    log "job.enqueued", make the 202
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

from lib.api import idempotency
from lib.api.job_graphs import JobGraphs, without_graph
from lib.api.job_wait import JobWait
from lib.errors import JobFailed, JobNotFound, RedisKeysBroken, RedisUnavailable, behind_a_change
from lib.http1.message import Request, Response
from lib.ids import JobIds
from lib.jobs import revision, submission
from lib.jobs.exported_spans import IN_PLACE
from lib.jobs.job import DEBOUNCE, KEEP, Accepted, JobRecord, NewJob
from lib.jobs.registry import Registry
from lib.jobs.shown import job_text, just_taken, new_job, outcome_of
from lib.jobs.spec import JobSpec
from lib.jobs.state import FINISHED
from lib.jobs.timestamps import timestamp_or_none
from lib.logs.forms import JOB_ENQUEUED
from lib.logs.log import NOTHING, Log
from lib.queue.job_spans import JobSpans
from lib.queue.job_store import JobStore
from lib.queue.refusals import REFUSED, refused_job_error
from lib.web import json_body, query
from lib.web.json_answer import answer_json, answer_text
from lib.web.preferences import NOTHING as NO_PREFERENCE
from lib.web.preferences import Preferences, preferred_by
from lib.web.router import Call, Outcome

OUTCOME = "Waybill-Outcome"
CREATED = (OUTCOME, "created")
UNIQUE_OUTCOME = "Unique-Outcome"
TAKEN_IN = ("new", "superseding")


class JobOperations:
    """The operations on jobs."""

    def __init__(
        self,
        job_store: JobStore,
        registry: Registry,
        ids: JobIds,
        waits: JobWait,
        log: Log,
        spans: JobSpans | None,
    ) -> None:
        """spans: exports those of jobs that end before they began; None: nobody does."""
        self._spans = spans
        self._job_store = job_store
        self._graphs = JobGraphs(job_store, registry, ids, log)
        self._registry = registry
        self._ids = ids
        self._waits = waits
        self._log = log

    def create(self, call: Call, on_outcome: Callable[[Outcome], None]) -> None:
        """POST /api/jobs, as a Beginning: it takes no task, no future and no turn of the loop."""
        body = json_body.parse(call.request.body)
        if type(body) is dict and ("after" in body or "then" in body):
            single = without_graph(body)
            if single is None:
                on_outcome(self._create_graph(call, body, preferred_by(call)))
                return
            body = single
        job, spec = submission.read(body, self._registry, self._ids, request_id=call.request_id, trace=call.trace)
        preferred = preferred_by(call)
        key = call.request.headers.get("idempotency-key")
        if key is not None:
            job = idempotency.under_key(job, key, call, body, pointer="Idempotency-Key")
        if job.may_lose_group and not self._job_store.is_known_to_admit:
            on_outcome(self._create_admitted(call, job, spec, preferred))
            return
        self._job_store.post(job, functools.partial(self._on_commit, call, job, spec, preferred, on_outcome))

    async def _create_admitted(self, call: Call, job: NewJob, spec: JobSpec, preferred: Preferences) -> Response:
        """`create` for a job that may lose its group, so that the answer does not show a group that the job lost."""
        job = await self._job_store.admitted(job)
        accepted = await self._job_store.enqueue(job)
        outcome = self._outcome(call, job, spec._replace(group=job.group), preferred, accepted)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Response) else await outcome

    async def _create_graph(self, call: Call, body: dict[str, Any], preferred: Preferences) -> Response:
        """`create` for a job with `after` or `then`."""
        taken, accepted = await self._graphs.take_in(call, body)
        record = await self._current(taken, accepted, preferred.wait_s, call.request)
        return _accepted_answer(record, accepted, preferred)

    def _on_commit(
        self,
        call: Call,
        job: NewJob,
        spec: JobSpec,
        preferred: Preferences,
        on_outcome: Callable[[Outcome], None],
        accepted: Accepted | Exception,
    ) -> None:
        """Redis has answered the commit with the job. Never raises: other requests wait for the same commit."""
        outcome: Outcome
        try:
            if isinstance(accepted, Exception):
                outcome = accepted
            else:
                outcome = self._outcome(call, job, spec, preferred, accepted)
        except Exception as fault:  # noqa: BLE001  The middleware logs it, and answers.
            outcome = fault
        on_outcome(outcome)

    def _outcome(self, call: Call, job: NewJob, spec: JobSpec, preferred: Preferences, accepted: Accepted) -> Outcome:
        """The 202 for a new job; else what has to be awaited for the answer. Raises for a job that was refused."""
        if accepted.outcome in TAKEN_IN:
            job_id, type_name = job.job_id, spec.type
            self._log.write(
                JOB_ENQUEUED,
                NOTHING,
                call.request_id,
                call.trace.trace_id,
                job_id,
                job.queue,
                type_name,
                _kind(type_name),
            )
            if accepted.outcome != "new":
                self._log_superseded(call, accepted)
            elif preferred is NO_PREFERENCE:
                return Response(202, new_job(job, spec, accepted.created_ms), [_location(job_id), CREATED])
        elif accepted.outcome == "replaced":
            msg = f"Job replaced before it had begun: {accepted.job_id}"
            self._log.info("job.replaced", msg, **call.asked_by, job_id=accepted.job_id)
        elif accepted.outcome == "conflict":
            raise idempotency.key_reused_error()
        elif accepted.outcome in REFUSED:
            raise refused_job_error(accepted)
        return self._answer_later(call, job, spec, accepted, preferred)

    def _log_superseded(self, call: Call, accepted: Accepted) -> None:
        job_id, by = accepted.superseded_id, accepted.job_id
        msg = f"Job superseded: {job_id}, {by} takes its place"
        self._log.info("job.superseded", msg, **call.asked_by, job_id=job_id, by=by)
        if self._spans is not None:
            self._spans.note(job_id, IN_PLACE)

    async def _answer_later(
        self, call: Call, job: NewJob, spec: JobSpec, accepted: Accepted, preferred: Preferences
    ) -> Response:
        """The answer where an earlier job stands for the one that was sent, or the caller waits for the job's end."""
        taken = just_taken(job._replace(job_id=accepted.job_id), spec, accepted.created_ms)
        record = await self._current(taken, accepted, preferred.wait_s, call.request)
        return _accepted_answer(record, accepted, preferred, job.unique_mode)

    async def _current(self, taken: JobRecord, accepted: Accepted, wait_s: float, request: Request) -> JobRecord:
        """The accepted job as it is when it has ended, or after wait_s.

        taken: the job as it was sent, for where it can't be read. If it has ended already and its record was trimmed,
        the state is "": nothing else is known of it then.
        """
        try:
            if wait_s:
                return await self._waits.until_ended(accepted.job_id, wait_s, request)
            return taken if accepted.outcome == "new" else await self._job_store.read(accepted.job_id)
        except JobNotFound:
            return taken._replace(state="")
        except (RedisUnavailable, RedisKeysBroken):
            if accepted.outcome not in TAKEN_IN:
                raise
            # The job is in Redis: a 503 would make its sender send it again.
            return taken

    async def read(self, call: Call) -> Response:
        preferred = preferred_by(call)
        job_id = call.path["job_id"]
        record = await self._job_store.read(job_id)
        if preferred.wait_s and record.state not in FINISHED:
            record = await self._waits.until_ended(job_id, preferred.wait_s, call.request)
        return _shown(200, record, preferred.applied(is_finished=True))

    async def change(self, call: Call) -> Response:
        wanted = revision.read(json_body.parse(call.request.body))
        await self._job_store.patch(call.path["job_id"], lambda record: wanted.of(record, self._registry))
        return await self._changed(call, "job.changed", "Job changed")

    async def delete(self, call: Call) -> Response:
        job_id = call.path["job_id"]
        await self._job_store.delete(job_id)
        self._log.info("job.deleted", f"Job deleted: {job_id}", **call.asked_by, job_id=job_id)
        return Response(204)

    async def cancel(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        is_forced = query.flag(call.parameters, "force")
        if await self._job_store.cancel(call.path["job_id"], is_forced=is_forced, keyed=idempotency.keyed(call)):
            return await self._replayed(call)
        msg = "Job asked to be cancelled by force" if is_forced else "Job asked to be cancelled"
        if self._spans is not None:
            self._spans.note(call.path["job_id"], IN_PLACE)
        return await self._changed(call, "job.cancel_asked", msg)

    async def retry(self, call: Call) -> Response:
        json_body.expect_no_fields(call.request.body)
        from_start = query.flag(call.parameters, "from_start")
        if await self._job_store.retry(call.path["job_id"], idempotency.keyed(call), from_start=from_start):
            return await self._replayed(call)
        return await self._changed(call, "job.revived", "Job to be run again")

    async def logs(self, call: Call) -> Response:
        """The lines behind the first `after` ones."""
        after = query.whole(call.parameters, "after", 0, 999_999_999, 0)
        lines = [line for line in await self._job_store.log_of(call.path["job_id"]) if line.number > after]
        items = [{"at": timestamp_or_none(line.at_ms), "attempt": line.attempt, "text": line.text} for line in lines]
        return answer_json(200, {"items": items, "next": lines[-1].number if lines else after})

    async def _changed(self, call: Call, event: str, msg: str) -> Response:
        job_id = call.path["job_id"]
        self._log.info(event, f"{msg}: {job_id}", **call.asked_by, job_id=job_id)
        with behind_a_change():
            record = await self._job_store.read(job_id)
        self._job_store.notices.attend([record])
        return _shown(200, record)

    async def _replayed(self, call: Call) -> Response:
        """The answer to a request whose idempotency key came before: the change was made then, and not again."""
        return _shown(200, await self._job_store.read(call.path["job_id"]), [idempotency.REPLAYED])


def _shown(status: int, record: JobRecord, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return answer_text(status, job_text(record), headers)


@functools.lru_cache(maxsize=1024)
def _kind(type_name: str) -> str:
    """The name of a type, to begin a sentence with: email -> Email."""
    return type_name[:1].upper() + type_name[1:]


def _location(job_id: str) -> tuple[str, str]:
    return "Location", f"/api/jobs/{job_id}"


def _unique_outcome(unique_mode: str, accepted: Accepted) -> str:
    """What became of the job that lived under the unique key of the one that was sent; "" where none stands for it."""
    if accepted.outcome.endswith("replaced"):
        return "postponed" if unique_mode == DEBOUNCE else "replaced"
    return "kept" if accepted.outcome.endswith("duplicate") else ""


def _accepted_answer(
    record: JobRecord, accepted: Accepted, preferred: Preferences, unique_mode: str = KEEP
) -> Response:
    """202 with the job; 200 where another job stands for it, and for a job that has completed while its caller waited.
    Raises JobFailed for a job that ended otherwise while its caller waited. unique_mode: of the job that was sent."""
    is_finished = not record.state or record.state in FINISHED
    unique_outcome = _unique_outcome(unique_mode, accepted)
    is_ok = bool(unique_outcome) or (is_finished and preferred.wait_s > 0)
    outcome = outcome_of(accepted)
    headers = [_location(accepted.job_id), (OUTCOME, outcome), *preferred.applied(is_finished=is_finished)]
    if unique_outcome:
        headers.append((UNIQUE_OUTCOME, unique_outcome))
    if accepted.outcome.startswith("replayed"):
        headers.append(idempotency.REPLAYED)
    text = f'{job_text(record)[:-1]},"outcome":"{outcome}"}}'
    if preferred.wait_s and record.state in ("dead", "cancelled"):
        detail = f"the job {record.job_id} is {record.state}; its error says why, and POST …/retry runs it again"
        raise JobFailed(detail, headers=headers, members={"job": json.loads(text)})
    return answer_text(200 if is_ok else 202, text, headers)
