"""One attempt of one job: spec and payload read, the handler run, and how it ended put into words for Redis.

`lanes.py` decides when, `lease.py` sends the words. Here is every way in which a job's own code can end.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lib.ids import queue_of
from lib.jobs.backoff import delay_s
from lib.jobs.failure import GAVE_UP, MESSAGE_CHARS, briefly, failure, gave_up, summary
from lib.jobs.job import MAX_DELAY_S, ClaimedJob
from lib.jobs.payload import Invalid
from lib.jobs.registry import Discard, Handler, JobType, Retry, Snooze
from lib.jobs.result import Unkept, done, result_text
from lib.jobs.spec import JobSpec, SpecError, SpecTooNew
from lib.queue.lease import Ended, failed, finished, finished_without, released, snoozed
from lib.work.fates import named
from lib.work.runner.context import Context, Shared
from lib.work.runner.forks import Forks

NOT_BEGUN = "job.not_begun"
UNKNOWN_PAUSE_S = 10.0
UNKNOWN_PATIENCE_S = 15 * 60.0


class TimedOut(Exception):
    """The handler ran longer than the job's timeout_s."""


class Cancelled(Exception):
    """Somebody asked for the job to be cancelled while it ran."""


class Released(Exception):
    """The runner leaves; the job goes back unfinished."""


class NotNow(Exception):
    """This runner can't read the job or does not know its type; another may."""

    kind = "unknown_type"


class DoesNotFit(NotNow):
    """The payload fitted when it was posted, and does not fit the class that this runner has: one is older."""

    kind = "unfit_payload"


@dataclass(slots=True)
class Prepared:
    """A job that can be run: its handler, and the payload as that asks for it."""

    spec: JobSpec
    type: JobType
    payload: Any


@dataclass(slots=True)
class Raised:
    """What a handler raised in its thread, on its way to the loop as a value.

    A Future would refuse a StopIteration, and calls methods of an exception that may be a job's own and raise: whoever
    waits for it would wait until the timeout.
    """

    fault: BaseException


@dataclass(slots=True)
class Ending:
    """How an attempt ended: the script that says so to Redis, its words, and what the log says (of a good end: nothing
    that could not be said of every one)."""

    script: str
    words: Ended
    event: str = ""
    note: str = ""
    error: BaseException | None = None


def read(job: ClaimedJob) -> JobSpec:
    """Raises NotNow, or Discard where nobody will ever be able to read it."""
    try:
        return JobSpec.from_text(job.spec_text)
    except SpecTooNew as fault:
        raise NotNow(str(fault)) from None
    except SpecError as fault:
        raise Discard(str(fault)) from None


def prepare(spec: JobSpec, shared: Shared) -> Prepared:
    """Raises NotNow."""
    job_type = shared.registry.get(spec.type)
    if job_type is None:
        raise NotNow(f"no handler for the type {spec.type!r} is known here; see JOB_MODULES")
    try:
        return Prepared(spec, job_type, job_type.decode(spec.payload, "/payload"))
    except Invalid as fault:
        raise DoesNotFit(f"the payload does not fit its handler here: {fault}") from None


def run(prepared: Prepared, context: Context, shared: Shared) -> Awaitable[Any]:
    """The handler's result, to be awaited at once and given to `completed`. Whatever a coroutine raises comes out,
    SystemExit as well; what a thread raises is `Raised`.

    A plain call: a coroutine of ours around the handler's own would be one more for every job.
    """
    handler: Handler = prepared.type.handler
    if prepared.type.is_async:
        context.enter()
        ended: Awaitable[Any] = handler(context, prepared.payload)
        return ended

    def in_thread() -> Any:
        if context.is_cancelled:
            return Raised(asyncio.CancelledError())  # There was no thread for it until it was told to stop.
        context.enter()
        context.goes_on = True
        try:
            result = done(handler(context, prepared.payload))
        except BaseException as fault:  # noqa: BLE001  It is raised again on the loop.
            Forks.end_child(fault)
            return Raised(fault)
        finally:
            context.goes_on = False
        Forks.end_child(None)
        return result

    return asyncio.get_running_loop().run_in_executor(shared.threads, shared.blank.context().run, in_thread)


def completed(job: ClaimedJob, spec: JobSpec, result: Any, shared: Shared) -> Ending:
    """The handler came to its end. Raises what it raised, if it did so in a thread."""
    if type(result) is Raised:
        raise result.fault
    try:
        words = finished(job.job_id, job.token, spec.type, result_text(result))
    except Unkept as fault:
        about = named(shared.log, job.job_id, queue_of(job.job_id) or "", spec, job.attempt)
        shared.log.warning("job.result_dropped", f"Job result is not kept: {job.job_id} | {fault}", about)
        words = finished_without(job.job_id, job.token, spec.type, str(fault))
    return Ending("finish", words)


def went_wrong(job: ClaimedJob, spec: JobSpec, fault: BaseException, shared: Shared, ran_s: float = 0.0) -> Ending:
    """The handler raised, ran too long, or was asked to stop. Does not raise, whatever it raised: see failure.py.

    ran_s: for so long it ran.
    """
    asked_s = _asked_s(fault)
    if issubclass(type(fault), Snooze) and asked_s is not None:
        if _is_too_late(job, ran_s + asked_s):
            return given_up(job, fault)
        words = snoozed(job.job_id, job.token, briefly(fault), asked_s)
        return Ending("snooze", words, "job.snoozed", f"Job snoozed for {asked_s:g} s: {job.job_id} | {summary(fault)}")
    is_last = issubclass(type(fault), Discard) or job.attempt >= spec.max_attempts
    wait_s = None if is_last else asked_s
    if wait_s is None and not is_last:
        wait_s = delay_s(job.attempt, base_s=spec.backoff.base_s, cap_s=spec.backoff.cap_s, rng=shared.rng)
    if type(fault) is Cancelled:
        words = failed(job.job_id, job.token, failure(fault), wait_s)
        return Ending("fail", words, "job.cancelled", f"Job cancelled: {job.job_id}")
    if wait_s is not None and _is_too_late(job, ran_s + wait_s):
        return given_up(job, fault)
    words = failed(job.job_id, job.token, failure(fault), wait_s)
    if wait_s is None:
        return Ending("fail", words, "job.died", f"Job dead: {job.job_id} | {summary(fault)}", fault)
    note = f"Job retry {job.attempt + 1}/{spec.max_attempts} in {wait_s:.1f} s: {job.job_id} | {summary(fault)}"
    return Ending("fail", words, "job.retried", note, fault)


def dead(job: ClaimedJob, fault: BaseException) -> Ending:
    """No attempt will help, or none is left."""
    words = failed(job.job_id, job.token, failure(fault), None)
    return Ending("fail", words, "job.died", f"Job dead: {job.job_id} | {summary(fault)}", fault)


def given_up(job: ClaimedJob, fault: BaseException) -> Ending:
    """The next attempt would begin behind its give_up_after_s. So it is dead now, and whoever waits for it is told."""
    error = gave_up(fault)
    words = failed(job.job_id, job.token, error, None)
    return Ending("fail", words, "job.died", f"Job dead: {job.job_id} | {GAVE_UP}: {error['message']}", fault)


def _is_too_late(job: ClaimedJob, later_s: float) -> bool:
    """Whether no attempt is to begin so long after this one was claimed. (In the last moment claim.lua has the say.)"""
    return job.gives_up_ms is not None and job.now_ms + later_s * 1000 > job.gives_up_ms


def put_off(job: ClaimedJob, fault: NotNow) -> Ending:
    """Nobody here can run it. In a rolling upgrade somebody else can, soon; so it waits, and for 15 minutes at most."""
    since_ms = job.unknown_since_ms
    error = {"type": fault.kind, "message": str(fault)[:MESSAGE_CHARS]}
    if since_ms is not None and job.now_ms - since_ms > UNKNOWN_PATIENCE_S * 1000:
        words = failed(job.job_id, job.token, error, None)
        return Ending("fail", words, "job.died", f"Job dead: {job.job_id} | {error['message']}")
    words = snoozed(job.job_id, job.token, error, UNKNOWN_PAUSE_S, is_unknown=True)
    note = f"Job put off for {UNKNOWN_PAUSE_S:g} s: {job.job_id} | {error['message']}"
    return Ending("snooze", words, "job.put_off", note)


def given_back(job: ClaimedJob) -> Ending:
    """The runner leaves before the job has ended."""
    words = released(job.job_id, job.token)
    return Ending("release", words, "job.released", f"Job released: {job.job_id}")


def not_begun(job: ClaimedJob) -> Ending:
    """Another one takes longer than was thought, and this one was claimed to be run behind it."""
    words = released(job.job_id, job.token, is_begun=False)
    return Ending("release", words, NOT_BEGUN, f"Job not begun: {job.job_id}")


def _asked_s(fault: BaseException) -> float | None:
    """The delay that a Retry or a Snooze names; None where it names none, or nothing that is a time."""
    if not issubclass(type(fault), Retry | Snooze):
        return None
    try:
        asked = fault.after_s  # type: ignore[attr-defined]
        if isinstance(asked, timedelta):
            asked = asked.total_seconds()
        # A bool is an int to Python, and no time.
        if isinstance(asked, bool) or not isinstance(asked, int | float | Decimal):
            return None
        wait_s = float(asked)
        return max(0.0, min(wait_s, MAX_DELAY_S)) if wait_s == wait_s else None  # NaN is not itself.
    except BaseException:  # noqa: BLE001  A property of the job's own may fail in any way.
        return None
