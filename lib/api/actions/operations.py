"""POST /api/queues/{queue}/redrive and …/purge, and POST /api/jobs/actions: many jobs changed by one request.

A redrive or purge walks over the jobs of its queue that fit, changes them some 100 at a time, and answers how many.
After some seconds, or at its limit, it answers with a cursor with which the next call goes on. Jobs that come to fit
after the first call are left alone. An action is for jobs that its caller names, or for up to 200 that fit. With
`dry_run` nothing is changed.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from lib.api import idempotency
from lib.api.actions.answers import Sample, answer, item
from lib.api.actions.asked import ActionAsked, Kind, SweepAsked, read_action, read_purge, read_redrive
from lib.api.actions.plan import SweepPlan
from lib.api.actions.sweep import Sweep
from lib.api.actions.work import JobChanger, was_done, would_be
from lib.api.job_search import JobSearch
from lib.api.queues import check_name
from lib.errors import FieldError, OutcomeUnknown, QueueNotFound, RedisUnavailable, WaybillError
from lib.http1.message import Response
from lib.ids import queue_of
from lib.jobs.job import NO_KEY, JobRecord, Keyed
from lib.jobs.request_fields import fields_error
from lib.jobs.state import FINISHED
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.bulk_changes import ChangeOutcome
from lib.queue.job_spans import JobSpans
from lib.queue.job_store import JobStore
from lib.queue.queue_store import QueueStore
from lib.queue.refusals import DONE
from lib.web import json_body
from lib.web.json_answer import answer_text
from lib.web.router import Call

MOST_SKIPPED: Final = 20
ACTION_EVENTS: Final[Mapping[Kind, str]] = {
    "retry": "jobs.retried",
    "cancel": "jobs.cancelled",
    "delete": "jobs.deleted",
}


class SweepKind(NamedTuple):
    """operation: its word in the path. change: what happens to each job. counted: the name of their number in the
    answer. event: of the log."""

    operation: str
    change: Kind
    counted: str
    event: str


REDRIVE: Final = SweepKind("redrive", "retry", "redriven", "jobs.redriven")
PURGE_ENDED: Final = SweepKind("purge", "delete", "deleted", "jobs.purged")
PURGE_WAITING: Final = SweepKind("purge", "cancel", "cancelled", "jobs.purged")


class ActionOperations:
    """The operations on many jobs."""

    def __init__(
        self, job_store: JobStore, search: JobSearch, queues: QueueStore, log: Log, spans: JobSpans | None
    ) -> None:
        self._job_store = job_store
        self._search = search
        self._changer = JobChanger(job_store, log, spans)
        self._queues = queues
        self._log = log

    async def redrive(self, call: Call) -> Response:
        body = json_body.parse(call.request.body)
        return await self._sweep(call, REDRIVE, read_redrive(body), body)

    async def purge(self, call: Call) -> Response:
        body = json_body.parse(call.request.body)
        asked = read_purge(body)
        return await self._sweep(call, PURGE_ENDED if asked.wanted.state in FINISHED else PURGE_WAITING, asked, body)

    async def _sweep(self, call: Call, kind: SweepKind, asked: SweepAsked, body: dict[str, Any]) -> Response:
        queue = call.path["queue"]
        await self._expect_queue(queue)
        plan = SweepPlan(asked, kind.operation, queue)
        if asked.is_dry:
            plan.begin(await self._job_store.now_ms())
            return await self._rehearse(queue, kind, plan)
        keyed = idempotency.keyed_with_body(call, body)
        begun = await self._job_store.kept_answers.begin(queue, keyed)
        if begun.answer:
            return answer_text(200, begun.answer, [idempotency.REPLAYED])
        plan.begin(begun.began_ms)
        return await self._kept(queue, keyed, await self._run(call, queue, kind, plan))

    async def _rehearse(self, queue: str, kind: SweepKind, plan: SweepPlan) -> Response:
        sweep, sample = Sweep(self._search, queue, plan.wanted), Sample()
        async for records in sweep.batches(plan.after, plan.asked.limit):
            sample.add(records)
        members = {"matched": sweep.matched, kind.counted: 0, "skipped": []}
        return answer_text(200, answer(members, plan.cursor(sweep.end), sample))

    async def _run(self, call: Call, queue: str, kind: SweepKind, plan: SweepPlan) -> str:
        sweep, skipped = Sweep(self._search, queue, plan.wanted), list[dict[str, str]]()
        counts = {"matched": 0, kind.counted: 0}
        with self._told(call, kind.event, counts, queue, plan.asked.named):
            async for records in sweep.batches(plan.after, plan.asked.limit):
                outcomes = await self._changer.change(kind.change, records, call, only_as_read=True)
                refused = [(job_id, one.refusal) for job_id, one in outcomes.items() if one.refusal]
                counts["matched"] = sweep.matched
                counts[kind.counted] += len(outcomes) - len(refused)
                skipped += [{"id": job_id, "reason": why.detail} for job_id, why in refused]
                del skipped[MOST_SKIPPED:]
        return answer({**counts, "skipped": skipped}, plan.cursor(sweep.end), None)

    async def act(self, call: Call) -> Response:
        body = json_body.parse(call.request.body)
        asked = read_action(body)
        queue = asked.queue or next(filter(None, map(queue_of, asked.ids)), "")
        if asked.queue and not await self._queues.existing([queue]):
            raise fields_error([FieldError("/queue", f"there is no queue {queue!r}")])
        plan = SweepPlan(asked.sweep, "actions", queue)
        if asked.sweep.is_dry:
            plan.begin(await self._job_store.now_ms())
            return answer_text(200, await self._act(call, asked, plan, None))
        # Where no text of `ids` is a job's id, there is no queue to keep the answer in, and nothing to be done twice.
        keyed = idempotency.keyed_with_body(call, body) if queue else NO_KEY
        begun = await self._job_store.kept_answers.begin(queue, keyed)
        if begun.answer:
            return answer_text(200, begun.answer, [idempotency.REPLAYED])
        plan.begin(begun.began_ms)
        again_ms = begun.began_ms if begun.is_again else None
        return await self._kept(queue, keyed, await self._act(call, asked, plan, again_ms))

    async def _act(self, call: Call, asked: ActionAsked, plan: SweepPlan, again_ms: int | None) -> str:
        """The answer to an action. again_ms: when its first try began, which was never answered; None for a first."""
        sweep, sample = Sweep(self._search, asked.queue, plan.wanted), Sample() if asked.sweep.is_dry else None
        outcomes: dict[str, ChangeOutcome] = {}
        counts = {"matched": 0, "done": 0}
        slices = self._search.slices(asked.ids) if asked.ids else sweep.slices(plan.after, plan.asked.limit)
        with self._told(call, ACTION_EVENTS[asked.action], counts, asked.queue, asked.sweep.named):
            async for some in slices:
                records = [record for record in some.values() if record]
                if sample is not None:
                    sample.add(records)
                    some_outcomes = {job_id: would_be(asked.action, job_id, record) for job_id, record in some.items()}
                else:
                    some_outcomes = await self._changed(call, asked, some, again_ms)
                outcomes |= some_outcomes
                counts["matched"] += len(records)
                counts["done"] += sum(one.refusal is None for one in some_outcomes.values())
        items = [item(job_id, outcomes[job_id], call.request_id) for job_id in asked.ids or outcomes]
        return answer({"matched": counts["matched"], "items": items}, plan.cursor(sweep.end), sample)

    async def _changed(
        self, call: Call, asked: ActionAsked, some: Mapping[str, JobRecord | None], again_ms: int | None
    ) -> dict[str, ChangeOutcome]:
        """Change these jobs, but those that the first try of the request has changed, and those that are not there."""
        kind = asked.action
        outcomes = {job_id: would_be(kind, job_id, record) for job_id, record in some.items() if record is None}
        if again_ms is not None:
            done = {job_id for job_id, record in some.items() if was_done(kind, record, again_ms)}
            outcomes |= dict.fromkeys(done, ChangeOutcome(DONE, None))
        left = [record for job_id, record in some.items() if record is not None and job_id not in outcomes]
        by_filter = not asked.ids
        return outcomes | await self._changer.change(
            kind, left, call, only_as_read=by_filter, is_forced=asked.is_forced
        )

    async def _kept(self, queue: str, keyed: Keyed, text: str) -> Response:
        await self._job_store.kept_answers.keep(queue, keyed, text)
        return answer_text(200, text)

    async def _expect_queue(self, queue: str) -> None:
        check_name(queue)
        if not await self._queues.existing([queue]):
            raise QueueNotFound(f"there is no queue {queue!r}; a queue begins with its first job or its first worker")

    @contextlib.contextmanager
    def _told(
        self, call: Call, event: str, counts: Mapping[str, int], queue: str, named: Mapping[str, Any]
    ) -> Iterator[None]:
        """Put around the changes that one request makes: one log line says who asked for what, and how many jobs were
        changed. Raises OutcomeUnknown if Redis goes away behind the first change.

        counts: grow as jobs are changed; the last of them counts changed jobs. queue: "" for jobs that were named by
        their ids. Nothing is logged for a dry run."""
        fault: WaybillError | None = None
        try:
            yield
        except WaybillError as error:
            fault = error
            changed = [*counts.values()][-1]
            if changed and isinstance(error, RedisUnavailable):
                raise OutcomeUnknown(f"{changed} jobs were changed, then Redis failed: {error.detail}") from error
            raise
        finally:
            if not named.get("dry_run"):
                self._log_end(call, event, counts, queue, named, fault)

    def _log_end(
        self,
        call: Call,
        event: str,
        counts: Mapping[str, int],
        queue: str,
        named: Mapping[str, Any],
        fault: WaybillError | None,
    ) -> None:
        numbers = ", ".join(f"{count} {name}" for name, count in counts.items())
        asked = ", ".join(f"{name} {to_json(value)}" for name, value in named.items())
        why = f" | ended early: {fault.detail}" if fault else ""
        log = self._log.warning if fault else self._log.info
        about = {"queue": queue} if queue else {}
        msg = f"{f'Queue {queue}' if queue else 'Jobs by their ids'}: {numbers} ({asked}){why}"
        log(event, msg, **call.asked_by, **about, **counts)
