"""One attempt of one job: spec and payload read, the handler run, and how it ended put into words for Redis.

`lanes.py` decides when, `lease.py` sends the words. Here is every way in which a job's own code can end.
"""

import asyncio
import inspect
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from lib.ids import queue_of
from lib.jobs.backoff import delay_s
from lib.jobs.job import MAX_DELAY_S, ClaimedJob, JobSpec, SpecError, SpecTooNew, to_json
from lib.jobs.payload import Invalid
from lib.jobs.registry import Discard, Handler, JobType, Retry, Snooze
from lib.queue.lease import Ended, failed, finished, released, snoozed
from lib.work.context import Context, Shared
from lib.work.fates import named

NOT_BEGUN = "job.not_begun"
RESULT_BYTES = 64 << 10
ERROR_CHARS = 8 << 10
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
    """The handler's result, to be awaited at once. Whatever the handler raises comes out, SystemExit as well.

    A plain call: a coroutine of ours around the handler's own would be one more for every job.
    """
    handler: Handler = prepared.type.handler
    if prepared.type.is_async:
        context.enter()
        ended: Awaitable[Any] = handler(context, prepared.payload)
        return ended

    def in_thread() -> Any:
        context.enter()
        try:
            return _done(handler(context, prepared.payload))
        except StopIteration as fault:
            # A Future refuses to carry one, and whoever waits for it would wait until the timeout.
            raise RuntimeError("the handler raised StopIteration") from fault

    return asyncio.get_running_loop().run_in_executor(shared.threads, shared.blank.context().run, in_thread)


def _done(result: Any) -> Any:
    """The result, unless it is work that has yet to be done: a decorator made a plain function of an async one."""
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result):
            result.close()
        kind = type(result).__name__
        raise TypeError(f"the handler gave a {kind} and did nothing: is a decorator's wrapper not async?")
    return result


def completed(job: ClaimedJob, spec: JobSpec, result: Any, shared: Shared) -> Ending:
    """The handler came to its end."""
    if result is None:
        return Ending("finish", finished(job.job_id, job.token, spec.type, ""))
    text, is_truncated = _result_text(result)
    if is_truncated:
        about = named(shared.log, job.job_id, queue_of(job.job_id) or "", spec, job.attempt)
        shared.log.warning("job.result_dropped", f"Job result is not kept: {job.job_id} | {text}", about)
        text = ""
    words = finished(job.job_id, job.token, spec.type, text, is_truncated=is_truncated)
    return Ending("finish", words)


def went_wrong(job: ClaimedJob, spec: JobSpec, fault: BaseException, shared: Shared) -> Ending:
    """The handler raised, ran too long, or was asked to stop."""
    asked_s = _asked_s(fault)
    if isinstance(fault, Snooze) and asked_s is not None:
        words = snoozed(job.job_id, job.token, _error(fault), asked_s)
        return Ending("snooze", words, "job.snoozed", f"Job snoozed for {asked_s:g} s: {job.job_id}")
    if isinstance(fault, Discard) or job.attempt >= spec.max_attempts:
        return dead(job, fault)
    wait_s = asked_s
    if wait_s is None:
        wait_s = delay_s(job.attempt, base_s=spec.backoff.base_s, cap_s=spec.backoff.cap_s, rng=shared.rng)
    words = failed(job.job_id, job.token, _error(fault), wait_s)
    if isinstance(fault, Cancelled):
        return Ending("fail", words, "job.cancelled", f"Job cancelled: {job.job_id}")
    note = f"Job retry {job.attempt + 1}/{spec.max_attempts} in {wait_s:.1f} s: {job.job_id} | {summary(fault)}"
    return Ending("fail", words, "job.retried", note, fault)


def dead(job: ClaimedJob, fault: BaseException) -> Ending:
    """No attempt will help, or none is left."""
    words = failed(job.job_id, job.token, _error(fault), None)
    return Ending("fail", words, "job.died", f"Job dead: {job.job_id} | {summary(fault)}", fault)


def put_off(job: ClaimedJob, fault: NotNow) -> Ending:
    """Nobody here can run it. In a rolling upgrade somebody else can, soon; so it waits, and for 15 minutes at most."""
    since_ms = job.unknown_since_ms
    error = {"type": fault.kind, "message": str(fault)[:ERROR_CHARS]}
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


def summary(fault: BaseException) -> str:
    """`Type: message`, cut at 8 KiB; for an exception whose str() raises, too."""
    error = _error(fault)
    return f"{error['type']}: {error['message']}"


def _asked_s(fault: BaseException) -> float | None:
    """The delay that a Retry or a Snooze names; None where it names none, or nothing that is a time."""
    asked = fault.after_s if isinstance(fault, Retry | Snooze) else None
    if not isinstance(asked, int | float) or asked != asked:  # NaN is not itself
        return None
    return float(max(0, min(asked, MAX_DELAY_S)))


def _error(fault: BaseException) -> dict[str, Any]:
    try:
        message = str(fault)
    except BaseException:  # noqa: BLE001  A user's __str__ may fail in any way; the job has failed all the same.
        message = "its message can't be shown: str() of it raised"
    return {"type": type(fault).__name__, "message": message[:ERROR_CHARS]}


def _result_text(result: Any) -> tuple[str, bool]:
    """The result as JSON text; or a reason and True where it can't be kept. The job's work is done either way."""
    try:
        text = to_json(result)
    except Exception as fault:  # noqa: BLE001  Whatever its own methods raise, the job's work is done.
        return f"not JSON: {fault!r}", True
    if not text.isascii():
        try:
            size_bytes = len(text.encode())
        except UnicodeEncodeError:
            # A lone surrogate can't be UTF-8; as an escape it can.
            text = json.dumps(result)
            size_bytes = len(text)
    else:
        size_bytes = len(text)
    if size_bytes > RESULT_BYTES:
        return f"{size_bytes} bytes, over {RESULT_BYTES}", True
    return text, False
