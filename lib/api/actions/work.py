"""How a batch of jobs is changed: by one call of BulkChanges a queue, with a log line for each job as for a single one.

changer = JobChanger(job_store, log)
outcomes = await changer.change("retry", records, call, only_as_read=True)
outcomes["email-0192…"]      ChangeOutcome("done", None)
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from lib.api.actions.asked import Kind
from lib.jobs.exported_spans import IN_PLACE
from lib.jobs.job import JobRecord
from lib.jobs.state import BLOCKED, FINISHED, WAITING
from lib.logs.log import Log
from lib.queue.bulk_changes import MOST_AT_ONCE, BulkChanges, ChangeOutcome
from lib.queue.job_spans import JobSpans
from lib.queue.job_store import JobStore
from lib.queue.refusals import DONE, REQUESTED, cancel_refusal, delete_refusal, retry_refusal
from lib.web.router import Call

# The log line of one job: as lib/api/jobs.py writes it.
_LINES: Final[dict[Kind, tuple[str, str]]] = {
    "retry": ("job.revived", "Job to be run again"),
    "cancel": ("job.cancel_asked", "Job asked to be cancelled"),
    "delete": ("job.deleted", "Job deleted"),
}
_REFUSALS: Final = {"retry": retry_refusal, "cancel": cancel_refusal, "delete": delete_refusal}


class JobChanger:
    """Changes batches of jobs, for one operation or another."""

    def __init__(self, job_store: JobStore, log: Log, spans: JobSpans | None = None) -> None:
        """spans: exports those of the jobs that are cancelled; None: nobody does."""
        self._bulk = job_store.in_bulk
        self._spans = spans
        self._log = log

    async def change(
        self, kind: Kind, records: Sequence[JobRecord], call: Call, *, only_as_read: bool, is_forced: bool = False
    ) -> dict[str, ChangeOutcome]:
        """What became of each job, by id. records: of any queues."""
        outcomes: dict[str, ChangeOutcome] = {}
        event, msg = _LINES[kind]
        for batch in _batches(records):
            words = await self._call(kind, batch, only_as_read, is_forced)
            for record, outcome in zip(batch, words, strict=True):
                outcomes[record.job_id] = outcome
                if outcome.refusal is None:
                    job_id = record.job_id
                    self._log.info(event, f"{msg}: {job_id}", **call.asked_by, job_id=job_id)
                    if self._spans is not None and kind == "cancel" and outcome.word == DONE:
                        self._spans.note(job_id, IN_PLACE)
        return outcomes

    def _call(
        self, kind: Kind, batch: list[JobRecord], only_as_read: bool, is_forced: bool
    ) -> Awaitable[list[ChangeOutcome]]:
        bulk: BulkChanges = self._bulk
        if kind == "cancel":
            return bulk.cancel(batch, only_as_read=only_as_read, is_forced=is_forced)
        change: Callable[..., Awaitable[list[ChangeOutcome]]] = bulk.retry if kind == "retry" else bulk.delete
        return change(batch, only_as_read=only_as_read)


def _batches(records: Sequence[JobRecord]) -> list[list[JobRecord]]:
    """The records by queue, MOST_AT_ONCE at most in each batch."""
    by_queue: dict[str, list[JobRecord]] = {}
    for record in records:
        by_queue.setdefault(record.queue, []).append(record)
    return [
        of_one[at : at + MOST_AT_ONCE] for of_one in by_queue.values() for at in range(0, len(of_one), MOST_AT_ONCE)
    ]


def would_be(kind: Kind, job_id: str, record: JobRecord | None) -> ChangeOutcome:
    """The outcome that the change would have now, for a dry run. It does not ask who holds the job's unique key."""
    state = record.state if record else ""
    allowed = {*WAITING, "active"} if kind == "cancel" else FINISHED
    # A workflow ends when the jobs of it that are asked to stop have ended.
    is_asked = state == "active" or (state == BLOCKED and record is not None and record.is_workflow)
    word = (REQUESTED if is_asked else DONE) if state in allowed else state
    if kind == "retry" and state == "completed" and record is not None and record.is_workflow:
        word = state
    return ChangeOutcome(word, _REFUSALS[kind](job_id, word))


def was_done(kind: Kind, record: JobRecord | None, began_ms: int) -> bool:
    """Whether the first try of a request, which began at began_ms and was never answered, seems to have changed this
    job already."""
    if kind == "delete":
        return record is None
    if record is None:
        return False
    if kind == "cancel":
        return record.state == "cancelled" or record.cancel_requested_ms is not None
    return record.state not in FINISHED or (record.finished_ms or 0) >= began_ms
