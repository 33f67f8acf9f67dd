"""The contract between Waybill and a handler: the `ctx` that a handler is given, and the exceptions that it may raise.

    @job("report")
    async def report(ctx: JobContext, payload: Report) -> dict[str, Any]:
        if not await is_ready(payload.month):
            raise Retry("the month is not closed yet", after_s=600)
        ctx.progress(0.5, "half of the pages")
        return {"pages": 12}

Job modules import these names from lib.jobs.registry. A runner's JobContext is made in work/runner/context.py, the one
of a unit test in lib/testing.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Protocol, TypeVar, overload

Handler = Callable[..., Any]
Resource = TypeVar("Resource")
_IMPORTED_FROM = "lib.jobs.registry"


class JobContext(Protocol):
    """What a handler is given beside its payload: which job and attempt it runs, and calls that act for that job."""

    @property
    def job_id(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def traceparent(self) -> str:
        """W3C trace context, to be sent along with every call that the handler makes to another service. It is the same
        in all of one attempt, and another one in each attempt."""

    @property
    def attempt(self) -> int:
        """The number of this attempt; 1 is the first."""

    @property
    def max_attempts(self) -> int:
        """How many attempts the job has at most, as its request or its type says."""

    @property
    def is_last_attempt(self) -> bool:
        """Whether the job is dead if this attempt fails. A `Retry` counts as a failure, a `Snooze` does not."""

    @property
    def timeout_s(self) -> float:
        """How long an attempt of the job may take. Then the handler is told to stop."""

    @property
    def scheduled_for(self) -> datetime | None:
        """The time, in UTC, for which a schedule queued the job, however late it runs and whatever attempt this is.
        None for a job of no schedule, and for one that somebody had a schedule run now."""

    @property
    def cancelled(self) -> bool:
        """Whether the handler is to stop: the job was cancelled, its timeout_s is over, or its runner leaves.

        An async handler is cancelled as well. A plain one runs in a thread, and should read `cancelled` now and then,
        and return. A handler that has read True here and returns has not done its work: the job is then cancelled,
        timed out or given back, and not completed.
        """

    @property
    def stopping(self) -> bool:
        """Whether the runner drains: it claims no more jobs, and tells those still running after SHUTDOWN_GRACE_S to
        stop. A long job may save its place by `checkpoint` and `raise Snooze(after_s=0)`."""

    def log(self, text: str) -> None:
        """Keep a line with the job, which keeps its last 200, and write the line to the worker's log."""

    def tell(self, event: str, msg: str, **fields: object) -> None:
        """Write a line to the worker's log alone, under an event such as `report.sent`. Takes a sixth of the time that
        `logging` takes."""

    def progress(self, fraction: float, note: str = "") -> None:
        """Say how far the job is, from 0 to 1. Raises ValueError for another fraction."""

    def checkpoint(self, state: Any) -> None:
        """Keep `state` for the job's next attempt, should there be one: after a failure, a crash, a snooze or a stop.

        A new checkpoint replaces the last one; None removes it, and so does the completion of the job. It is kept as a
        result is (JSON, 64 KiB); raises ValueError for a state that can't be kept. A checkpoint that Redis does not
        have when the attempt ends is sent with the end. If the runner is killed, the last few milliseconds are lost:
        so call this when a step is done.
        """

    @property
    def last_checkpoint(self) -> Any:
        """The state that an earlier attempt kept by `checkpoint`, or None."""

    def enqueue(self, type: str, payload: dict[str, Any], *, once: str | None = None, **options: Any) -> Any:
        """Enqueue another job under the same request id, and return its id (to be awaited in an async handler).

        options: the other fields of POST /api/jobs; `after` and `then` too, so that the job waits for others, or others
        for it: `after=[await ctx.enqueue("fetch", {})]`.
        once: a name of 1 to 64 letters, digits, _ . or -. For each name that this job gives there is one enqueued job
        for as long as this job's record is kept, however often this job is tried or run again by hand: a second call
        gives the id of the first one's job, even where its payload or options differ. A job may give 1,000 names.
        """

    def workflow(
        self,
        jobs: dict[str, Any],
        *,
        name: str | None = None,
        queue: str | None = None,
        then: Any = None,
        callback_url: str | None = None,
        once: str | None = None,
    ) -> Any:
        """Start a workflow, as POST /api/workflows does, and return its id (to be awaited in an async handler).

            await ctx.workflow({"fetch": {"type": "fetch", "payload": {}},
                                "sum": {"type": "sum", "payload": {}, "after": ["fetch"]}}, once="import")

        All of its jobs are queued, or none. once: as of `enqueue`; without it each attempt starts one more workflow.
        callback_url: where the workflow's end is sent, as a webhook.
        """

    def add(
        self, name: str, type: str, payload: dict[str, Any], *, after: Any = (), optional: bool = False, **options: Any
    ) -> Any:
        """Add one more job to the workflow to which this job belongs, and return its id (to be awaited in an async
        handler). The workflow ends when that job, too, has ended.

        name: the new job's in the workflow. However often this job is tried, it adds one job for each name.
        after: names of jobs of the workflow, as in POST /api/workflows. optional: the workflow completes though the job
        fails. options: the other fields of POST /api/jobs. Raises WrongState where this job belongs to no workflow, and
        WorkflowEnded where somebody has cancelled the workflow.
        """

    def results(self) -> Any:
        """What the jobs that this job has waited for (`after`) have come to: a Results of jobs/parents.py (to be
        awaited in an async handler).

            results = await ctx.results()
            results["fetch"]                 what the job named fetch returned
            [one.result for one in results]  of all; one.name, .job_id, .outcome, .error, .is_truncated say more

        They are the same at each attempt, whatever became of those jobs since. They are read when this is called.
        """

    def callback_key(self) -> Any:
        """The text with which another service may end this attempt (to be awaited in an async handler): it posts the
        outcome to /api/callbacks/<text>. To be asked for before the service is, and then `raise HandOver(…)`."""

    @overload
    def resource(self, factory: Callable[[Any], Coroutine[Any, Any, Resource]]) -> Any: ...
    @overload
    def resource(self, factory: Callable[[Any], Resource]) -> Resource: ...
    def resource(self, factory: Callable[[Any], Any]) -> Any:
        """What `factory(settings)` returns, made once in each runner and shared by its jobs: a pool, a client.

        Where the factory is an `async def`, an async handler awaits the resource, as in `await
        ctx.resource(make_pool)`; a plain handler is made to wait for it. The factory runs on the runner's loop, for
        all jobs that ask for the resource: stopping a job that waits does not stop the factory. If the factory raises,
        the jobs that wait get its exception, and the next job that asks has the factory called again. The resource is
        kept under the factory itself, so give a function of the module, and not a lambda that is made anew at each
        call.

        When the runner leaves, each resource's `aclose()` or `close()` is called, and awaited where it is async.
        """


class Retry(Exception):
    """Raised by a handler: this attempt failed, try again after `after_s` seconds (the backoff's where None).

    after_s may be a number, a Decimal or a timedelta. A value that is no length of time, such as a NaN, counts as None.
    hold: until then no job of this job's group begins, for what said "429 Too Many Requests" to one would say so to
    all. Of a job without a group, only the job itself waits; and nothing rests where this was the last attempt.
    """

    __module__ = _IMPORTED_FROM
    after_s: float | None = None  # A subclass may not call this __init__.
    hold: bool = False

    def __init__(self, reason: str = "", *, after_s: float | None = None, hold: bool = False) -> None:
        super().__init__(reason or "the handler asked for a retry")
        self.after_s = after_s
        self.hold = hold


class Snooze(Exception):
    """Raised by a handler: nothing failed, run the job again in `after_s` seconds. The attempt does not count.

    Where after_s is no length of time, the attempt fails like any other: else the job would be run on and on.
    hold: as for a `Retry`.
    """

    __module__ = _IMPORTED_FROM
    after_s: float | None = None
    hold: bool = False

    def __init__(self, reason: str = "", *, after_s: float, hold: bool = False) -> None:
        super().__init__(reason or "the handler asked to wait")
        self.after_s = after_s
        self.hold = hold


class HandOver(Exception):
    """Raised by a handler: another service has taken the work, and will call back (`ctx.callback_key`).

    The job waits, blocked, for within_s seconds at most; then the attempt has failed. Where within_s is no length of
    time, it has failed at once.
    """

    __module__ = _IMPORTED_FROM

    def __init__(self, *, within_s: float) -> None:
        super().__init__(f"another service has taken the work, and is to call back within {within_s:g} s")
        self.within_s = within_s


class Discard(Exception):
    """Raised by a handler: the job can never work. It is dead at once, with `reason` as its error."""

    __module__ = _IMPORTED_FROM


def checked_fraction(fraction: float) -> float:
    """The fraction that `ctx.progress` was given. Raises ValueError for one that is not from 0 to 1."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"progress is from 0 to 1, not {fraction!r}")
    return float(fraction)
