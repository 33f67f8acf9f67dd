"""What the jobs of one runner share: SMTP links, a database pool. Made at first use, closed at the end.

A resource belongs to no job. Its factory runs in a context of its own, so that what it starts (a task, a program) is
not taken for a part of the job that happened to ask first. What a coroutine makes is made in a task of its own, which
no job's end touches.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from inspect import isawaitable
from types import TracebackType
from typing import Any

from lib.jobs.failure import summary, traceback_of
from lib.logs.log import Log
from lib.settings.config import Settings

CLOSE_S = 2.0  # For all that is closed by coroutines.
_NOTHING = object()


class ResourceFailed(Exception):
    """The factory raised what would end whoever hears it: SystemExit, CancelledError."""


class Making:
    """What an async factory makes, or has made. given_up: called with the fault, once, where it comes to nothing."""

    def __init__(
        self,
        work: "Coroutine[Any, Any, Any]",
        context: contextvars.Context,
        given_up: "Callable[[Making, BaseException], object]",
    ) -> None:
        self._work = work
        self._context = context
        self._given_up = given_up
        self._task: asyncio.Task[tuple[Any, BaseException | None]] | None = None
        self._raised_at: TracebackType | None = None

    async def made(self) -> Any:
        """To be awaited on the runner's loop. Raises what the factory raised."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._make(), context=self._context)
            self._task.add_done_callback(self._note_fault)
        if not self._task.done():
            # Not the task itself: a job that is stopped here would have it stopped for all.
            await asyncio.wait([self._task])
        value, fault = _outcome(self._task)
        if fault is not None:
            # From the factory on each time, for whoever raises it again adds frames of its own.
            raise BaseException.with_traceback(fault, self._raised_at)
        return value

    async def left(self) -> Any:
        """At the end: what it has made. None where it has made nothing, and then it makes no more."""
        if self._task is None:
            self._work.close()
            return None
        self._task.cancel()
        await asyncio.wait([self._task])
        return _outcome(self._task)[0]

    async def _make(self) -> tuple[Any, BaseException | None]:
        try:
            return await self._work, None
        except Exception as fault:  # noqa: BLE001  It is the fault of whoever asks.
            self._raised_at = traceback_of(fault)
            return None, fault
        except BaseException as fault:  # noqa: BLE001  As an ending of this task, a SystemExit would be the runner's too.
            failed = ResourceFailed(f"its factory raised {summary(fault)}")
            failed.__cause__ = fault
            return None, failed

    def _note_fault(self, task: "asyncio.Task[tuple[Any, BaseException | None]]") -> None:
        _, fault = _outcome(task)
        if task.cancelled():
            self._work.close()  # Nobody has begun it.
        if fault is not None:
            self._given_up(self, fault)


class Resources:
    """fresh: gives a context that is no job's."""

    def __init__(self, settings: Settings, log: Log, fresh: Callable[[], contextvars.Context]) -> None:
        self._settings = settings
        self._log = log
        self._fresh = fresh
        self._made: dict[Any, Any] = {}
        self._locks: dict[Any, threading.Lock] = {}

    def get(self, factory: Callable[[Settings], Any]) -> Any:
        """What it gives; a Making, where that is yet to be awaited. Raises what it raises."""
        try:
            return self._made[factory]
        except KeyError:
            pass
        # A lock each: a database that does not answer must not hold up the loop, where mails ask for their links.
        with self._locks.setdefault(factory, threading.Lock()):
            made = self._made.get(factory, _NOTHING)
            if made is _NOTHING:
                made = self._made[factory] = self._begun(factory)
            return made

    def _begun(self, factory: Callable[[Settings], Any]) -> Any:
        made = self._fresh().run(factory, self._settings)
        # Not all that can be awaited: some clients can be, and can be used without it.
        if not issubclass(type(made), Coroutine):
            return made

        def forget(making: Making, fault: BaseException) -> None:
            self._log.warning("resource.failed", f"{factory!r} could not be made: {summary(fault)}")
            if self._made.get(factory) is making:
                del self._made[factory]  # Whoever asks next has it tried again.

        return Making(made, self._fresh(), forget)

    def warnings(self) -> list[str]:
        """What those find wrong at the moment that have a `warning`, a sentence or "", see warnings.py."""
        found = [getattr(made, "warning", "") for made in list(self._made.values())]
        # A logger's `warning`, for one, is a method.
        return [text for text in found if isinstance(text, str) and text]

    async def close(self) -> None:
        """Close each, the last one first. What does not come to its end in CLOSE_S is left."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + CLOSE_S
        for factory, made in reversed(list(self._made.items())):
            closing = loop.create_task(self._close(factory, made), context=self._fresh())
            await asyncio.wait([closing], timeout=max(0.0, until_s - loop.time()))
            if not closing.done():
                msg = f"{factory!r} was not closed: the runner's resources have {CLOSE_S:g} s for it together"
                self._log.warning("resource.close_cut_off", msg)

    async def _close(self, factory: Any, made: Any) -> None:
        try:
            if type(made) is Making:
                made = await made.left()
            close = getattr(made, "aclose", None) or getattr(made, "close", None)
            ended = close() if close is not None else None
            if isawaitable(ended):
                await ended
        except BaseException as fault:  # noqa: BLE001  A user's close() may fail in any way; the others still have to close.
            self._log.exception("resource.close_failed", f"{factory!r} could not be closed", fault)


def _outcome(task: "asyncio.Task[tuple[Any, BaseException | None]]") -> tuple[Any, BaseException | None]:
    """What is made, and the fault. It may have been cancelled before it began."""
    return (None, ResourceFailed("it was cancelled")) if task.cancelled() else task.result()
