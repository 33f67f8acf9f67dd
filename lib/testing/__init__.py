"""Runs a handler in a unit test, without Redis, server or worker: a context for the handler, and what became of the
call.

    from lib.testing import JobContext, run

    ctx = JobContext(attempt=2)
    assert run(report, {"month": "2026-11"}, ctx) == {"month": "2026-11"}
    assert ctx.logs == ["for test-request, attempt 2"]

`run` checks the payload as POST does, calls the handler as a runner does, and returns the result as it would be kept.
An exception of the handler passes through, Retry, Snooze, HandOver and Discard too. No running Waybill imports this
module.
"""

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, overload

from lib.errors import FieldError, InvalidFields
from lib.ids import JobIds
from lib.jobs import result, submission
from lib.jobs.declaration import type_of
from lib.jobs.handler import Handler, checked_fraction
from lib.jobs.job_type import JobType
from lib.jobs.parents import Parent, Results
from lib.jobs.registry import Registry
from lib.jobs.request_fields import fields_error
from lib.json_text import TOO_DEEP, is_too_deep, to_json
from lib.testing.asked_jobs import TRACE, AnyType, AskedJobs
from lib.testing.records import Added, Enqueued, Planned, Step, Told

__all__ = ["Added", "Enqueued", "Interrupted", "JobContext", "Planned", "Step", "Told", "run", "run_async"]

Resource = TypeVar("Resource")


class Interrupted(Exception):
    """The handler read `ctx.cancelled` as True and returned: its job would be cancelled or given back, not
    completed."""


class JobContext:
    """The `ctx` of a handler. A test sets what the handler finds, and reads afterwards what the handler did.

    attempt, max_attempts, timeout_s, stopping, cancelled, last_checkpoint: attributes that a test may also change
    between two runs, or in a fake that the handler calls. `cancelled = True` while an async handler runs cancels it, as
    a runner does. logs, told, steps, checkpoints, enqueued: the handler's calls of log, tell, progress, checkpoint and
    enqueue, in order. resources: what `ctx.resource(factory)` gives for each factory, mostly a fake. Any other factory
    is a LookupError. types: handlers whose payloads `ctx.enqueue` checks. Any other type takes any object. parents:
    what `ctx.results()` gives: `{"fetch": {"rows": 5}}` for parents that completed, by name, or Parents
    (jobs/parents.py). members: the names of the jobs in the workflow to which this job belongs, for `ctx.add`; None for
    no workflow.
    """

    def __init__(
        self,
        *,
        attempt: int = 1,
        max_attempts: int = 5,
        timeout_s: float = 60,
        cancelled: bool = False,
        stopping: bool = False,
        last_checkpoint: Any = None,
        job_id: str = "default-00000000000000000000000000000001",
        request_id: str = "test-request",
        scheduled_for: datetime | None = None,
        resources: Mapping[Callable[[Any], Any], object] | None = None,
        types: Iterable[Handler] = (),
        parents: Mapping[str, Any] | Iterable[Parent] = (),
        members: Iterable[str] | None = None,
    ) -> None:
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.timeout_s = timeout_s
        self.stopping = stopping
        self.last_checkpoint = last_checkpoint
        self.job_id = job_id
        self.request_id = request_id
        self.scheduled_for = scheduled_for
        self.traceparent = TRACE.traceparent
        self.resources = dict(resources or {})
        self.logs: list[str] = []
        self.told: list[Told] = []
        self.steps: list[Step] = []
        self.checkpoints: list[Any] = []
        self.enqueued: list[Enqueued] = []
        self.planned: list[Planned] = []
        self.added: list[Added] = []
        self.parents = parents
        self.has_heard = False
        """Whether the handler has read `cancelled` as True."""
        self._cancelled = cancelled
        self._cancel: Callable[[], object] | None = None
        self._is_async: bool | None = None
        self._asked = AskedJobs(AnyType(map(type_of, types), signs_webhooks=True), job_id, request_id, members)

    @property
    def is_last_attempt(self) -> bool:
        return self.attempt >= self.max_attempts

    @property
    def cancelled(self) -> bool:
        self.has_heard = self.has_heard or self._cancelled
        return self._cancelled

    @cancelled.setter
    def cancelled(self, is_so: bool) -> None:
        self._cancelled = is_so
        if is_so and self._cancel is not None:
            self._cancel()

    def log(self, text: str) -> None:
        self.logs.append(str(text))

    def tell(self, event: str, msg: str, **fields: object) -> None:
        self.told.append(Told(event, msg, fields))

    def progress(self, fraction: float, note: str = "") -> None:
        self.steps.append(Step(checked_fraction(fraction), str(note)))

    def checkpoint(self, state: Any) -> None:
        try:
            text = result.result_text(state)
        except result.Unkept as fault:
            raise ValueError(f"the checkpoint can't be kept: {fault}") from None
        self.checkpoints.append(json.loads(text) if text else None)

    def enqueue(self, type: str, payload: dict[str, Any], *, once: str | None = None, **options: Any) -> Any:
        """The new job's id for a plain handler. For an async one a coroutine, which enqueues the job when it is
        awaited."""
        return self._given(lambda: self._enqueue(type, payload, once, options))

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
        given = {"name": name, "queue": queue, "then": then, "callback_url": callback_url}
        return self._given(lambda: self._workflow(jobs, once, {k: v for k, v in given.items() if v is not None}))

    def add(
        self, name: str, type: str, payload: dict[str, Any], *, after: Any = (), optional: bool = False, **options: Any
    ) -> Any:
        return self._given(lambda: self._add(name, type, payload, after, {"optional": optional, **options}))

    def results(self) -> Any:
        return self._given(lambda: _results_of(self.parents))

    def callback_key(self) -> Any:
        return self._given(lambda: f"{self.job_id}.{self.attempt}.wb_000000000000_{'0' * 43}")

    def _given(self, work: Callable[[], Any]) -> Any:
        """What `work` returns for a plain handler; for an async one a coroutine, which does the work when awaited."""
        if not self._is_on_loop:
            return work()

        async def on_await() -> Any:
            return work()

        return on_await()

    @property
    def _is_on_loop(self) -> bool:
        return self._is_async if self._is_async is not None else asyncio._get_running_loop() is not None

    @overload
    def resource(self, factory: Callable[[Any], Coroutine[Any, Any, Resource]]) -> Any: ...
    @overload
    def resource(self, factory: Callable[[Any], Resource]) -> Resource: ...
    def resource(self, factory: Callable[[Any], Any]) -> Any:
        """The fake for that factory. If the factory is an `async def`, an async handler is given a coroutine to
        await."""
        if factory not in self.resources:
            name = getattr(factory, "__name__", repr(factory))
            raise LookupError(f"the test gives none: JobContext(resources={{{name}: …}})")
        fake = self.resources[factory]
        return self._given(lambda: fake) if inspect.iscoroutinefunction(factory) else fake

    def _enqueue(self, type: str, payload: dict[str, Any], once: str | None, options: dict[str, Any]) -> str:
        new_id = self._asked.job({"type": type, "payload": payload, **options})
        job_id = self._asked.named(once, new_id)
        if job_id == new_id:
            self.enqueued.append(Enqueued(job_id, type, payload, once, options))
        return job_id

    def _workflow(self, jobs: dict[str, Any], once: str | None, options: dict[str, Any]) -> str:
        new_id = self._asked.workflow({"jobs": jobs, **options})
        job_id = self._asked.named(once, new_id)
        if job_id == new_id:
            self.planned.append(Planned(job_id, jobs, once, options))
        return job_id

    def _add(self, name: str, type: str, payload: dict[str, Any], after: Any, options: dict[str, Any]) -> str:
        body = {"type": type, "payload": payload, "after": after, **options}
        job_id = self._asked.added(name, body)
        if all(before.job_id != job_id for before in self.added):
            self.added.append(Added(job_id, name, type, payload, after, options))
        return job_id


def run(handler: Handler, payload: object, ctx: JobContext | None = None, **context: Any) -> Any:
    """Run a `@job` function with that payload. Gives the result as it would be kept: a tuple as a list, a date as text.

    context: arguments of JobContext, where no `ctx` is given. An async handler runs on a loop of its own, a plain one
    in a thread, as in a runner. Raises InvalidFields where POST would answer 422, Interrupted, Unkept (see
    jobs/result.py) for a result that would be dropped, and whatever the handler raises.
    """
    if type_of(handler).is_async:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("a loop runs here already: await run_async(…)")
        return asyncio.run(run_async(handler, payload, ctx, **context))
    call = _Call(handler, payload, ctx, context)
    return call.kept(_in_thread(call.begin))


async def run_async(handler: Handler, payload: object, ctx: JobContext | None = None, **context: Any) -> Any:
    """`run` for a test that is async itself."""
    call = _Call(handler, payload, ctx, context)
    if not call.is_async:
        return call.kept(await asyncio.to_thread(_in_thread, call.begin))
    task: asyncio.Task[Any] = asyncio.ensure_future(call.begin())
    loop = asyncio.get_running_loop()
    call.ctx._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
    try:
        return call.kept(await task)
    finally:
        call.ctx._cancel = None


class _Call:
    """A handler with its decoded payload and its context. Raises InvalidFields for a payload that POST would refuse."""

    def __init__(self, handler: Handler, payload: object, ctx: JobContext | None, context: dict[str, Any]) -> None:
        if ctx is not None and context:
            raise TypeError("give a JobContext, or what it takes, not both")
        job_type = type_of(handler)
        self.is_async = job_type.is_async
        self.ctx = ctx or JobContext(**{"max_attempts": job_type.max_attempts, **context})
        self.ctx._is_async = self.is_async
        self._handler = handler
        self._payload = _decoded(job_type, payload)

    def begin(self) -> Any:
        return self._handler(self.ctx, self._payload)

    def kept(self, value: Any) -> Any:
        """The handler's result, as Redis would keep it."""
        value = result.done(value)
        if self.ctx.has_heard:
            raise Interrupted("the handler read ctx.cancelled as True and returned: its job is not completed")
        text = result.result_text(value)
        return json.loads(text) if text else None


def _decoded(job_type: JobType, payload: object) -> Any:
    """The payload as the handler is given it: written as JSON, checked as by POST, and decoded."""
    try:
        text = to_json(payload)
    except (TypeError, ValueError, RecursionError) as fault:
        raise _refused(f"is no JSON: {fault}") from None
    if is_too_deep(text):
        raise _refused(TOO_DEEP)
    body = {"type": job_type.name, "payload": json.loads(text)}
    submission.read(body, Registry([job_type]), JobIds(), request_id="test-request", trace=TRACE)
    return job_type.decode(body["payload"], "/payload")


def _results_of(parents: Mapping[str, Any] | Iterable[Parent]) -> Results:
    """The parents of a test as a handler reads them: results as JSON keeps them."""
    if not isinstance(parents, Mapping):
        return Results(list(parents))
    texts = {name: result.result_text(value) for name, value in parents.items()}
    found = [(name, json.loads(text) if text else None) for name, text in texts.items()]
    return Results([Parent(name, f"default-{at:032x}", "completed", value) for at, (name, value) in enumerate(found)])


def _refused(detail: str) -> InvalidFields:
    return fields_error([FieldError("/payload", detail)])


def _in_thread(work: Callable[[], Any]) -> Any:
    """What `work` returns or raises in a new thread."""
    ended: list[tuple[Any, BaseException | None]] = []

    def in_thread() -> None:
        try:
            ended.append((work(), None))
        except BaseException as fault:  # noqa: BLE001  Raised again below, in the test's own thread.
            ended.append((None, fault))

    thread = threading.Thread(target=in_thread, name="handler")
    thread.start()
    thread.join()
    ((value, fault),) = ended
    if fault is not None:
        raise fault
    return value
