"""Jobs whose exceptions, results and last log lines are as odd as a handler can make them.

JOB_MODULES=tests.jobs_for_tests,tests.jobs_that_end_oddly
{"type": "odd", "payload": {"text": "retry_nan"}}     raises that row of ODDITIES
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lib.jobs.registry import Discard, JobContext, Retry, Snooze, job
from tests.jobs_for_tests import QUICK, Sealed, Work, enter, write_line


class BareRetry(Retry):
    """Does not call super().__init__(), so that it has no after_s."""

    def __init__(self) -> None:
        pass


class BareSnooze(Snooze):
    def __init__(self) -> None:
        pass


class BareDiscard(Discard):
    def __init__(self) -> None:
        pass


class StubbornRetry(Retry):
    @property
    def after_s(self) -> float:
        raise LookupError("after_s can't be read")

    @after_s.setter
    def after_s(self, value: float | None) -> None:
        pass


class Nameless(type):
    """A metaclass whose classes can't be asked for their names."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__module__", "__mro__"):
            raise SystemExit(name)
        return super().__getattribute__(name)


class OfNoName(Exception, metaclass=Nameless):
    pass


class Masked(Exception):
    """An exception of which every attribute, and even the class, raises an error."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise SystemExit("no class")

    def __str__(self) -> str:
        raise KeyboardInterrupt("no text")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("neither")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    def __hash__(self) -> int:
        raise RuntimeError("nor to be kept")

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"nor asked for its {name}")


class LongText(str):
    """A str of a class of its own, as str() of an exception may return it, which can't be cut or measured."""

    def __getitem__(self, at: Any) -> Any:
        raise RuntimeError("not to be cut")

    def __len__(self) -> int:
        raise RuntimeError("nor measured")


class OfLongText(Exception):
    def __str__(self) -> str:
        return LongText("its text is of a class of its own")


class OwnBase(BaseException):
    pass


class OwnStop(StopIteration):
    pass


def in_a_ring() -> BaseException:
    """Two exceptions, each the cause of the other."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    return one


def in_a_line() -> BaseException:
    """An exception with a chain of a thousand causes."""
    last: BaseException = ValueError("the first of a thousand")
    for number in range(1000):
        another = ValueError(f"cause {number}")
        another.__cause__ = last
        last = another
    return last


ODDITIES: dict[str, Callable[[], BaseException]] = {
    "bare_retry": BareRetry,
    "bare_snooze": BareSnooze,
    "stubborn_retry": lambda: StubbornRetry("later", after_s=1),
    "retry_true": lambda: Retry("x", after_s=True),
    "retry_nan": lambda: Retry("x", after_s=float("nan")),
    "snooze_nan": lambda: Snooze("x", after_s=float("nan")),
    "snooze_none": lambda: Snooze("x", after_s=None),  # type: ignore[arg-type]
    "snooze_word": lambda: Snooze("x", after_s="soon"),  # type: ignore[arg-type]
    "retry_decimal": lambda: Retry("x", after_s=Decimal("0.01")),  # type: ignore[arg-type]
    "retry_timedelta": lambda: Retry("x", after_s=timedelta(milliseconds=10)),  # type: ignore[arg-type]
    "no_name": OfNoName,
    "masked": Masked,
    "long_text": OfLongText,
    "own_base": OwnBase,
    "own_stop": OwnStop,
    "generator_exit": GeneratorExit,
    "keyboard": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "ring": in_a_ring,
    "line": in_a_line,
    "group": lambda: BaseExceptionGroup("several", [Masked(), OfNoName(), OwnBase()]),
}


@job("odd", backoff=QUICK, max_attempts=2)
async def odd(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise ODDITIES[work.text]()


@job("odd_thread", backoff=QUICK, max_attempts=2)
def odd_thread(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise ODDITIES[work.text]()


@job("bare_discard", backoff=QUICK, max_attempts=2)
async def bare_discard(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise BareDiscard


class Exiting:
    """A result that ends the process which reads one of its attributes."""

    def __getattribute__(self, name: str) -> Any:
        sys.exit(3)


@dataclass
class Found:
    when: datetime
    price: Decimal
    tags: set[str]
    share: float


@job("gives_a_dataclass")
async def gives_a_dataclass(ctx: JobContext, work: Work) -> Found:
    return Found(datetime(2026, 11, 29, tzinfo=UTC), Decimal("1.50"), {"a"}, float("nan"))


@job("gives_depth")
def gives_depth(ctx: JobContext, work: Work) -> list[Any]:
    """A list of `size` levels."""
    nested: list[Any] = []
    for _ in range(work.size - 1):
        nested = [nested]
    return nested


@job("odd_result", backoff=QUICK, max_attempts=2)
async def odd_result(ctx: JobContext, work: Work) -> Any:
    enter(ctx, work)
    return Exiting()


def last_words(ctx: JobContext, work: Work) -> None:
    for number in range(work.size):
        ctx.log(f"line {number}")
    ctx.progress(0.9, "last")


def end_as(how: str) -> None:
    """how: "fail", "snooze", or "" for a good end."""
    if how == "fail":
        raise ValueError("as it was told to")
    if how == "snooze":
        raise Snooze("later", after_s=60)


@job("says_last", max_attempts=1)
async def says_last(ctx: JobContext, work: Work) -> None:
    """Logs `size` lines while a first note is still on its way to Redis, and ends as `text` says (see end_as)."""
    enter(ctx, work)
    ctx.progress(0.1, "first")
    await asyncio.sleep(0.00005)
    last_words(ctx, work)
    end_as(work.text)


@job("says_last_thread", max_attempts=1)
def says_last_thread(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    ctx.progress(0.1, "first")
    last_words(ctx, work)
    end_as(work.text)


@job("says_last_beside", max_attempts=1)
async def says_last_beside(ctx: JobContext, work: Work) -> None:
    """Logs from a thread of its own beside the loop."""
    enter(ctx, work)
    await asyncio.to_thread(last_words, ctx, work)
    end_as(work.text)


@job("says_last_when_stopped", max_attempts=1)
async def says_last_when_stopped(ctx: JobContext, work: Work) -> None:
    """Logs while it is being cancelled."""
    ctx.log("begun")
    enter(ctx, work)
    try:
        await asyncio.sleep(60)
    finally:
        last_words(ctx, work)


@job("says_it_slowly", max_attempts=1)
async def says_it_slowly(ctx: JobContext, work: Work) -> None:
    for number in range(work.size):
        ctx.log(f"line {number}")
        await asyncio.sleep(0.02)
    ctx.progress(0.9, "last")


@job("says_a_surrogate", max_attempts=1)
async def says_a_surrogate(ctx: JobContext, work: Work) -> None:
    ctx.log("half of a pair: \udc80, and \x1c\x1d\x1e\x1f")
    ctx.progress(0.5, "half of a pair: \udc80, and \x1c\x1d\x1e\x1f")


@job("tells_its_secret", backoff=QUICK, max_attempts=2)
def tells_its_secret(ctx: JobContext, payload: Sealed) -> None:
    try:
        json.loads(payload.api_key)
    except ValueError as fault:
        raise LookupError(f"refused: {payload.api_key}") from fault


@job("odd_result_thread", backoff=QUICK, max_attempts=2)
def odd_result_thread(ctx: JobContext, work: Work) -> Any:
    enter(ctx, work)
    return Exiting()


@job("until_stopping", max_attempts=1)
async def until_stopping(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    while not ctx.stopping:
        await asyncio.sleep(0.01)
    return "saved its place"


@job("until_stopping_thread", max_attempts=1)
def until_stopping_thread(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    while not ctx.stopping:
        time.sleep(0.01)
    return "saved its place"


@job("slow_to_unwind", max_attempts=1)
async def slow_to_unwind(ctx: JobContext, work: Work) -> None:
    """Takes `seconds` for its `finally`, and writes `ended` into the ledger at the end of it."""
    enter(ctx, work)
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(work.seconds)
        write_line(work.ledger, f"ended {ctx.job_id}")


@job("heeds", max_attempts=1)
async def heeds(ctx: JobContext, work: Work) -> str:
    """A coroutine that catches its cancellation, checks the reason, and returns a result."""
    enter(ctx, work)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        if ctx.cancelled:
            return "stopped half-way"
    return "slept"


@job("stops_with_an_error", max_attempts=1)
def stops_with_an_error(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    while not ctx.cancelled:
        time.sleep(0.01)
    raise ValueError("told to stop")
