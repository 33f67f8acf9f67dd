"""What the jobs of one runner share: SMTP links, a database pool. Made at first use, closed at the runner's end.

A handler asks with `ctx.resource(factory)`, and the resource is kept under its factory. A resource belongs to no job:
its factory runs in a context of its own, so that a task or a program that it starts does not count as the job's that
happened to ask first. What an `async def` factory makes is made in a task of its own, which no job's end cancels.
"""

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from inspect import isawaitable
from types import TracebackType
from typing import Any

from lib.jobs.failure import summary, traceback_of
from lib.jobs.webhook_outcomes import WebhookOutcomes
from lib.logs.log import Log
from lib.settings.config import Settings
from lib.warning_codes import KINDS, HealthWarning

CLOSE_S = 2.0
"""All resources of a runner together may take this long to close."""
_NOTHING = object()


class ResourceFailed(Exception):
    """The factory raised SystemExit or CancelledError, say, which would end the job's lane or the runner."""


class AsyncResource:
    """What an async factory makes. on_failed: called with the fault, once, if it makes nothing."""

    def __init__(
        self,
        work: "Coroutine[Any, Any, Any]",
        context: contextvars.Context,
        on_failed: "Callable[[AsyncResource, BaseException], object]",
    ) -> None:
        self._work = work
        self._context = context
        self._on_failed = on_failed
        self._task: asyncio.Task[tuple[Any, BaseException | None]] | None = None
        self._raised_at: TracebackType | None = None

    async def value(self) -> Any:
        """The resource, made by the first who asks. To be awaited on the runner's loop. Raises what the factory
        raised."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._make(), context=self._context)
            self._task.add_done_callback(self._on_made)
        if not self._task.done():
            # Not `await self._task`: a job that is stopped while it waits would cancel it for all.
            await asyncio.wait([self._task])
        value, fault = _outcome(self._task)
        if fault is not None:
            # With the factory's frames alone: each raise of one exception adds frames to it.
            raise BaseException.with_traceback(fault, self._raised_at)
        return value

    async def stop(self) -> Any:
        """At the runner's end: stop the factory if it runs. Gives the resource to be closed, None if there is none."""
        if self._task is None:
            self._work.close()
            return None
        self._task.cancel()
        await asyncio.wait([self._task])
        return _outcome(self._task)[0]

    async def _make(self) -> tuple[Any, BaseException | None]:
        try:
            return await self._work, None
        except Exception as fault:  # noqa: BLE001  It is raised in those who ask.
            self._raised_at = traceback_of(fault)
            return None, fault
        except BaseException as fault:  # noqa: BLE001  A task that raises SystemExit would end the runner.
            failed = ResourceFailed(f"its factory raised {summary(fault)}")
            failed.__cause__ = fault
            return None, failed

    def _on_made(self, task: "asyncio.Task[tuple[Any, BaseException | None]]") -> None:
        _, fault = _outcome(task)
        if task.cancelled():
            self._work.close()  # The task was cancelled before its first step.
        if fault is not None:
            self._on_failed(self, fault)


class Resources:
    """new_context: gives a context that is no job's."""

    def __init__(self, settings: Settings, log: Log, new_context: Callable[[], contextvars.Context]) -> None:
        self._settings = settings
        self._log = log
        self._new_context = new_context
        self._made: dict[Any, Any] = {}
        self._locks: dict[Any, threading.Lock] = {}

    def get(self, factory: Callable[[Settings], Any]) -> Any:
        """`factory(settings)`, made now or earlier; an AsyncResource if the factory is async. Raises what the factory
        raises. Any thread may call."""
        try:
            return self._made[factory]
        except KeyError:
            pass
        # A lock for each factory: while a database does not answer, other jobs still get their SMTP links.
        with self._locks.setdefault(factory, threading.Lock()):
            made = self._made.get(factory, _NOTHING)
            if made is _NOTHING:
                made = self._made[factory] = self._make(factory)
            return made

    def _make(self, factory: Callable[[Settings], Any]) -> Any:
        made = self._new_context().run(factory, self._settings)
        # A coroutine only: some database clients can be awaited, and can be used without it.
        if not issubclass(type(made), Coroutine):
            return made

        def forget(resource: AsyncResource, fault: BaseException) -> None:
            self._log.warning("resource.failed", f"{factory!r} could not be made: {summary(fault)}")
            if self._made.get(factory) is resource:
                del self._made[factory]  # The next `get` tries again.

        return AsyncResource(made, self._new_context(), forget)

    def warnings(self) -> list[HealthWarning]:
        """The `warning` of each resource that has one at the moment, a sentence such as "the mail server mx:587 refuses
        our login", with its `warning_code` where that is one of lib/warning_codes.py; see warnings.py."""
        warnings = []
        for made in list(self._made.values()):
            text, code = getattr(made, "warning", ""), getattr(made, "warning_code", "worker")
            # Only text: a logger has a `warning` too, a method.
            if isinstance(text, str) and text:
                warnings.append(HealthWarning(code if isinstance(code, str) and code in KINDS else "worker", text))
        return warnings

    def take_outcomes(self) -> Counter[tuple[str, str]]:
        """What the resources have counted of webhooks since the last call, by queue and outcome; see timings.py."""
        found: Counter[tuple[str, str]] = Counter()
        for made in list(self._made.values()):
            outcomes = getattr(made, "outcomes", None)
            if type(outcomes) is WebhookOutcomes:  # A resource of a user's may have something else of that name.
                found.update(outcomes.take())
        return found

    async def close(self) -> None:
        """Close the resources, the last one first. After CLOSE_S the rest is left to the end of the process."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + CLOSE_S
        for factory, made in reversed(list(self._made.items())):
            closing = loop.create_task(self._close(factory, made), context=self._new_context())
            await asyncio.wait([closing], timeout=max(0.0, until_s - loop.time()))
            if not closing.done():
                msg = f"{factory!r} was not closed: the runner's resources have {CLOSE_S:g} s for it together"
                self._log.warning("resource.close_cut_off", msg)

    async def _close(self, factory: Any, made: Any) -> None:
        try:
            if type(made) is AsyncResource:
                made = await made.stop()
            close = getattr(made, "aclose", None) or getattr(made, "close", None)
            ended = close() if close is not None else None
            if isawaitable(ended):
                await ended
        except BaseException as fault:  # noqa: BLE001  A user's close() may fail in any way; the others still have to close.
            self._log.exception("resource.close_failed", f"{factory!r} could not be closed", fault)


def _outcome(task: "asyncio.Task[tuple[Any, BaseException | None]]") -> tuple[Any, BaseException | None]:
    """The resource and the fault of a done task, one of them None. A task may be cancelled before its first step."""
    return (None, ResourceFailed("it was cancelled")) if task.cancelled() else task.result()
