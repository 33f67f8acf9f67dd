"""One attempt of one job: its spec and payload are read, its handler is called, and its end becomes a record for Redis.

`lanes.py` decides when an attempt runs, and `lease.py` sends the record. Every way in which a job's own code can end is
a function here that returns an `AttemptEnd`: complete, fail, hand_over, kill, give_up, put_off, release,
release_unstarted.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from lib.ids import queue_of
from lib.jobs.backoff import delay_s
from lib.jobs.failure import GAVE_UP, MESSAGE_CHARS, briefly, failure, gave_up, summary
from lib.jobs.job import MAX_DELAY_S, UNREADABLE_FOR_S, ClaimedJob
from lib.jobs.masking import error_to_keep, known_secrets
from lib.jobs.payload import Invalid
from lib.jobs.registry import Discard, Handler, HandOver, JobType, Registry, Retry, Snooze
from lib.jobs.result import Unkept, done, result_text
from lib.jobs.spec import JobSpec, SpecError, SpecTooNew
from lib.logs.log import Log
from lib.queue.end_record import (
    EndRecord,
    complete_record,
    complete_without_result,
    fail_record,
    hand_over_record,
    release_record,
    snooze_record,
)
from lib.queue.outcome_log import log_fields
from lib.work.runner.context import Context
from lib.work.runner.forks import Forks
from lib.work.runner.loop_parts import LoopParts

NOT_BEGUN = "job.not_begun"
"""The log event of an attempt that went back before its handler was called."""
UNREADABLE_PAUSE_S = 10.0


class TimedOut(Exception):
    """The handler ran longer than the job's timeout_s."""


class Cancelled(Exception):
    """Somebody asked for the job to be cancelled while it ran."""


class Released(Exception):
    """The runner exits; the job goes back to its queue, and its attempt does not count."""


class NotNow(Exception):
    """This runner can't read the job's spec or does not know its type; a runner of another version may."""

    kind = "unknown_type"


class DoesNotFit(NotNow):
    """The payload passed the checks of POST and fails the same checks here: the server or this runner is older."""

    kind = "unfit_payload"


@dataclass(slots=True)
class Prepared:
    """A job that can be run. payload: decoded into the class that the handler declares for it."""

    spec: JobSpec
    type: JobType
    payload: Any


@dataclass(slots=True)
class Raised:
    """What a handler raised in its thread, handed to the loop as a value.

    WHY not through the Future: it refuses a StopIteration, and it calls methods of the exception, which may be of a
    job's own class and raise. The lane would then wait until the job's timeout.
    """

    fault: BaseException


@dataclass(slots=True)
class AttemptEnd:
    """How an attempt ended.

    script: the Lua script that records the end: finish, fail, snooze, release or hand_over. record: the job's id and
    token, and what the script needs, such as `\\x1f3100\\x1f{"type": "ValueError", …}` for a retry in 3.1 s.
    event, msg, error: for the log, `"job.retried", "Job retry 2/5 in 3.1 s: …", ValueError(…)`; empty for `finish`,
    whose line is the same for every job.
    """

    script: str
    record: EndRecord
    event: str = ""
    msg: str = ""
    error: BaseException | None = None


def read(job: ClaimedJob) -> JobSpec:
    """The job's spec. Raises NotNow, or Discard for a text that no version can read."""
    try:
        return JobSpec.from_text(job.spec_text)
    except SpecTooNew as fault:
        raise NotNow(str(fault)) from None
    except SpecError as fault:
        raise Discard(str(fault)) from None


def prepare(spec: JobSpec, registry: Registry) -> Prepared:
    """The spec with its handler and its payload decoded. Raises NotNow."""
    job_type = registry.get(spec.type)
    if job_type is None:
        raise NotNow(f"no handler for the type {spec.type!r} is known here; see JOB_MODULES")
    try:
        return Prepared(spec, job_type, job_type.decode(spec.payload, "/payload"))
    except Invalid as fault:
        raise DoesNotFit(f"the payload does not fit its handler here: {fault}") from None


def run(prepared: Prepared, context: Context, parts: LoopParts) -> Awaitable[Any]:
    """Call the handler. The awaitable, to be awaited at once, gives its result, to be handed to `complete`.

    It raises whatever a coroutine raises, SystemExit as well. What a plain handler raises is its result, a `Raised`.
    A plain call: a coroutine of ours around the handler's own would be one more for every job.
    """
    handler: Handler = prepared.type.handler
    if prepared.type.is_async:
        context.enter()
        running: Awaitable[Any] = handler(context, prepared.payload)
        return running

    def in_thread() -> Any:
        if context.is_cancelled:
            return Raised(asyncio.CancelledError())  # The job was told to stop before a thread was free for it.
        context.enter()
        context.still_runs = True
        try:
            result = done(handler(context, prepared.payload))
        except BaseException as fault:  # noqa: BLE001  It is raised again on the loop.
            Forks.end_child(fault)
            return Raised(fault)
        finally:
            context.still_runs = False
        Forks.end_child(None)
        return result

    return asyncio.get_running_loop().run_in_executor(parts.threads, parts.blank.copy().run, in_thread)


def complete(job: ClaimedJob, spec: JobSpec, result: Any, log: Log) -> AttemptEnd:
    """The handler returned `result`. If that is a `Raised`, the handler's exception is raised here."""
    if type(result) is Raised:
        raise result.fault
    try:
        record = complete_record(job.job_id, job.token, spec.type, result_text(result))
    except Unkept as fault:
        about = log_fields(log, job.job_id, queue_of(job.job_id) or "", spec, job.attempt)
        log.warning("job.result_dropped", f"Job result is not kept: {job.job_id} | {fault}", about)
        record = complete_without_result(job.job_id, job.token, spec.type, str(fault))
    return AttemptEnd("finish", record)


def fail(
    job: ClaimedJob,
    spec: JobSpec,
    fault: BaseException,
    rng: Random,
    ran_s: float = 0.0,
    *,
    keeps_traceback: bool = True,
) -> AttemptEnd:
    """The handler raised `fault`, ran too long or was stopped: retry the job, snooze it, hand it over, or make it dead
    or cancelled.

    ran_s: how long it ran. keeps_traceback: whether the job's error keeps one. Never raises, whatever `fault` does when
    it is read: see failure.py.
    """
    within_s = _length_s(fault, "within_s") if issubclass(type(fault), HandOver) else None
    if within_s is not None:
        return hand_over(job, spec, within_s)
    asked_s = _asked_s(fault)
    if issubclass(type(fault), Snooze) and asked_s is not None:
        if _is_too_late(job, ran_s + asked_s):
            return give_up(job, spec, fault, keeps_traceback=keeps_traceback)
        record = snooze_record(job.job_id, job.token, briefly(fault), asked_s, holds_group=holds_group(fault))
        msg = f"Job snoozed for {asked_s:g} s{_rest(spec, fault)}: {job.job_id} | {summary(fault)}"
        return AttemptEnd("snooze", record, "job.snoozed", msg)
    is_last = issubclass(type(fault), Discard) or job.attempt >= spec.max_attempts
    wait_s = None if is_last else asked_s
    if wait_s is None and not is_last:
        wait_s = delay_s(job.attempt, base_s=spec.backoff.base_s, cap_s=spec.backoff.cap_s, rng=rng)
    if type(fault) is Cancelled:
        record = fail_record(job.job_id, job.token, kept(failure(fault, keeps_traceback=keeps_traceback), spec), wait_s)
        return AttemptEnd("fail", record, "job.cancelled", f"Job cancelled: {job.job_id}")
    if wait_s is None:
        return kill(job, fault, spec, keeps_traceback=keeps_traceback)
    if _is_too_late(job, ran_s + wait_s):
        return give_up(job, spec, fault, keeps_traceback=keeps_traceback)
    error = kept(failure(fault, keeps_traceback=keeps_traceback), spec)
    record = fail_record(
        job.job_id, job.token, error, wait_s, holds_group=holds_group(fault), strike=strike_text(fault)
    )
    retry = f"Job retry {job.attempt + 1}/{spec.max_attempts} in {wait_s:.1f} s"
    msg = f"{retry}{_rest(spec, fault)}: {job.job_id} | {summary(fault)}"
    return AttemptEnd("fail", record, "job.retried", msg, fault)


def hand_over(job: ClaimedJob, spec: JobSpec, within_s: float) -> AttemptEnd:
    """A service has taken the work, and will call back."""
    record = hand_over_record(job.job_id, job.token, within_s, is_last=job.attempt >= spec.max_attempts)
    msg = f"Job handed over for {within_s:g} s at most: {job.job_id}"
    return AttemptEnd("hand_over", record, "job.handed_over", msg)


def kill(
    job: ClaimedJob, fault: BaseException, spec: JobSpec | None = None, *, keeps_traceback: bool = True
) -> AttemptEnd:
    """The job is dead: no other attempt would help, or none is left. spec: None where it can't be read."""
    error = failure(fault, keeps_traceback=keeps_traceback)
    return _dead(job, error if spec is None else kept(error, spec), summary(fault), fault)


def give_up(job: ClaimedJob, spec: JobSpec, fault: BaseException, *, keeps_traceback: bool = True) -> AttemptEnd:
    """The next attempt would begin after the job's give_up_after_s. So the job is dead now, and not only then: whoever
    waits for it is answered."""
    error = kept(gave_up(fault, keeps_traceback=keeps_traceback), spec)
    return _dead(job, error, f"{GAVE_UP}: {error['message']}", fault)


def put_off(job: ClaimedJob, fault: NotNow) -> AttemptEnd:
    """This runner can't run the job. In a rolling upgrade a newer runner soon can, so the job is snoozed; a job
    that no runner could run for UNREADABLE_FOR_S is dead."""
    since_ms = job.unknown_since_ms
    error = {"type": fault.kind, "message": str(fault)[:MESSAGE_CHARS]}
    if since_ms is not None and job.now_ms - since_ms > UNREADABLE_FOR_S * 1000:
        return _dead(job, error, error["message"])
    record = snooze_record(job.job_id, job.token, error, UNREADABLE_PAUSE_S, is_unknown=True)
    msg = f"Job put off for {UNREADABLE_PAUSE_S:g} s: {job.job_id} | {error['message']}"
    return AttemptEnd("snooze", record, "job.put_off", msg)


def release(job: ClaimedJob) -> AttemptEnd:
    """The runner exits before the job has ended. The job goes to the front of its queue, its attempt does not count."""
    record = release_record(job.job_id, job.token)
    return AttemptEnd("release", record, "job.released", f"Job released: {job.job_id}")


def release_unstarted(job: ClaimedJob) -> AttemptEnd:
    """The job goes back before its handler is called: it was prefetched and another job holds the slot for longer than
    was thought, or the runner exits."""
    record = release_record(job.job_id, job.token, is_begun=False)
    return AttemptEnd("release", record, NOT_BEGUN, f"Job not begun: {job.job_id}")


def kept(error: dict[str, Any], spec: JobSpec) -> dict[str, Any]:
    """The error as it is kept with the job: the payload's secrets are masked in it. Errors of many jobs are counted
    together and shown (lua/parts/note_error.lua), where no payload is at hand that says what is secret."""
    return error_to_keep(error, known_secrets(spec.payload))


def _dead(job: ClaimedJob, error: dict[str, Any], why: str, fault: BaseException | None = None) -> AttemptEnd:
    strike = None if fault is None else strike_text(fault)
    record = fail_record(job.job_id, job.token, error, None, strike=strike)
    return AttemptEnd("fail", record, "job.died", f"Job dead: {job.job_id} | {why}", fault)


def _is_too_late(job: ClaimedJob, later_s: float) -> bool:
    """Whether an attempt later_s after this one's claim would be too late. (In the last moment claim.lua decides.)"""
    return job.gives_up_ms is not None and job.now_ms + later_s * 1000 > job.gives_up_ms


def holds_group(fault: BaseException) -> bool:
    """Whether a Retry or a Snooze says that the job's whole group is to rest until the next attempt."""
    try:
        return issubclass(type(fault), Retry | Snooze) and getattr(fault, "hold", False) is True
    except BaseException:  # noqa: BLE001  `hold` may be a property of the job's own, and fail in any way.
        return False


def strike_text(fault: BaseException) -> str | None:
    """What went wrong, "LinkLost: api.example.com:443 …", where the exception's class says `strikes = True`: nobody
    answered, and the group's other jobs would meet the same. None for any other exception."""
    try:
        return summary(fault) if getattr(type(fault), "strikes", False) is True else None
    except BaseException:  # noqa: BLE001  The class may have a metaclass of the job's own, which fails in any way.
        return None


def _rest(spec: JobSpec, fault: BaseException) -> str:
    """The part of a log line that says which group rests. How long it rests for a strike, fail.lua alone knows."""
    if not spec.group:
        return ""
    if holds_group(fault):
        return f", and the group {spec.group} rests until then"
    return f", and the group {spec.group} rests for its strikes" if strike_text(fault) is not None else ""


def _asked_s(fault: BaseException) -> float | None:
    """The delay that a Retry or a Snooze asks for; None for another exception, no delay, or one that is no time."""
    return _length_s(fault, "after_s") if issubclass(type(fault), Retry | Snooze) else None


def _length_s(fault: BaseException, name: str) -> float | None:
    """The length of time under that name of an exception; None where it is no time."""
    try:
        asked = getattr(fault, name)
        if isinstance(asked, timedelta):
            asked = asked.total_seconds()
        # To Python a bool is an int; it is no time.
        if isinstance(asked, bool) or not isinstance(asked, int | float | Decimal):
            return None
        wait_s = float(asked)
        return max(0.0, min(wait_s, MAX_DELAY_S)) if wait_s == wait_s else None  # NaN is not itself.
    except BaseException:  # noqa: BLE001  It may be a property of the job's own, and fail in any way.
        return None
