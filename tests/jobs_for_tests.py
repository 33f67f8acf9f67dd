"""Jobs that behave as tests need them to: well, badly, and not at all. JOB_MODULES=tests.jobs_for_tests.

    {"type": "sleep", "payload": {"ledger": "/tmp/wb-test-1/ledger", "seconds": 0.5}}

A ledger is a file outside Redis. Every attempt that begins appends a line `job_id attempt pid` to it in one write, and
some jobs append `ended job_id`: so a test knows how often a job truly ran.

    default-0192f0c1a2b3c4d5e6f7a8b9c0d1e2f3 1 4711
    ended default-0192f0c1a2b3c4d5e6f7a8b9c0d1e2f3
"""

import asyncio
import contextlib
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lib.errors import InvalidFields, Throttled
from lib.jobs.registry import Discard, HandOver, JobContext, Retry, Snooze, job

QUICK = (0.05, 0.1)


@dataclass
class Work:
    """The payload of most jobs here. ledger: a path, "" for none. until: a path; a handler that waits goes on when a
    file is there. seconds, text, size: as the handler's docstring says."""

    ledger: str = ""
    seconds: float = 0.0
    until: str = ""
    text: str = ""
    size: int = 0


@dataclass
class Page:
    title: str
    size: int = 1


@dataclass
class AllKinds:
    """A field of every kind that a form may have to show."""

    month: str = field(metadata={"description": "As 2026-11."})
    total: float
    kind: Literal["pdf", "csv"]
    number: int | None = None
    draft: bool = False
    note: str | None = None
    body: str = ""
    level: Literal[1, 2, 3] = 2
    recipient: str | list[str] | None = None
    labels: list[str] = field(default_factory=list)
    cover: Page | None = None
    pages: list[Page] = field(default_factory=list)
    api_key: str = ""
    extra: Any = None


def enter(ctx: JobContext, work: Work) -> None:
    """Write into the ledger that this attempt has begun."""
    write_line(work.ledger, f"{ctx.job_id} {ctx.attempt} {os.getpid()}")


def write_line(path: str, line: str) -> None:
    if path:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{line}\n".encode())
        os.close(file)


@job("noop")
async def noop(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)


@job("hand_over")
async def hand_over(ctx: JobContext, work: Work) -> None:
    """Wait for a callback for work.seconds, or for an hour. The note of its progress is the callback's key."""
    enter(ctx, work)
    ctx.progress(0, await ctx.callback_key())
    raise HandOver(within_s=work.seconds or 3600)


@job("at_once")
async def at_once(ctx: JobContext, work: Work) -> None:
    """Writes that it has begun, gives others a turn of the loop, and writes that it has ended."""
    enter(ctx, work)
    await asyncio.sleep(0)
    write_line(work.ledger, f"ended {ctx.job_id}")


@job("echo")
async def echo(ctx: JobContext, payload: dict[str, Any]) -> Any:
    return payload


@job("all_kinds")
async def all_kinds(ctx: JobContext, payload: AllKinds) -> str:
    """Takes a field of every kind. Returns the number, in words that JSON does not round."""
    return f"{payload.number} of {payload.total}, key of {len(payload.api_key)}"


@job("echo_text")
async def echo_text(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    return work.text


@job("gather")
async def gather(ctx: JobContext, work: Work) -> dict[str, Any]:
    """Returns what the jobs that it has waited for returned, by their names."""
    enter(ctx, work)
    return {str(parent.name): parent.result for parent in await ctx.results()}


@job("when_there", max_attempts=1)
async def when_there(ctx: JobContext, work: Work) -> None:
    """Fails where the file `until` does not exist."""
    enter(ctx, work)
    if not Path(work.until).exists():
        raise FileNotFoundError("it is not there yet")


@job("sleep", backoff=QUICK)
async def sleep(ctx: JobContext, work: Work) -> str:
    """Waits `seconds`, or for the file `until`. At its end it writes `ended <job_id>`."""
    enter(ctx, work)
    if work.until:
        while not Path(work.until).exists():
            await asyncio.sleep(0.01)
    await asyncio.sleep(work.seconds)
    write_line(work.ledger, f"ended {ctx.job_id}")
    return "slept"


@job("sleep_thread", backoff=QUICK)
def sleep_thread(ctx: JobContext, work: Work) -> str:
    """As `sleep`, in a thread; returns early if it is cancelled."""
    enter(ctx, work)
    ends_s = time.monotonic() + work.seconds
    while (time.monotonic() < ends_s or (work.until and not Path(work.until).exists())) and not ctx.cancelled:
        time.sleep(0.01)
    write_line(work.ledger, f"ended {ctx.job_id}")
    return "slept"


@job("deaf_thread", backoff=QUICK)
def deaf_thread(ctx: JobContext, work: Work) -> str:
    """A thread that never checks whether it was asked to stop."""
    enter(ctx, work)
    time.sleep(work.seconds)
    write_line(work.ledger, f"ended {ctx.job_id}")
    return "slept"


@job("block", backoff=QUICK)
async def block(ctx: JobContext, work: Work) -> None:
    """Blocks the loop, as a handler does that calls a function which is not async."""
    enter(ctx, work)
    time.sleep(work.seconds)


@job("block_once", backoff=QUICK)
async def block_once(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    if ctx.attempt == 1:
        time.sleep(work.seconds)
    return "at the second attempt"


@job("swallow", backoff=QUICK)
async def swallow(ctx: JobContext, work: Work) -> str:
    """Goes on for `seconds` although it is cancelled."""
    enter(ctx, work)
    ends_s = time.monotonic() + work.seconds
    while time.monotonic() < ends_s:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)
    return "swallowed"


@job("fail", backoff=QUICK)
async def fail(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise ValueError(work.text or "as it was told to")


@job("fail_once", backoff=QUICK)
async def fail_once(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    if ctx.attempt == 1:
        raise ValueError("the first attempt fails")
    return "at the second attempt"


@job("fail_once_aloud", backoff=QUICK)
async def fail_once_aloud(ctx: JobContext, work: Work) -> None:
    """Logs a line, fails once, and logs another when the file `until` is there."""
    enter(ctx, work)
    ctx.log(f"begin {ctx.attempt}")
    if ctx.attempt == 1:
        raise ValueError("the first attempt fails")
    while not Path(work.until).exists():
        await asyncio.sleep(0.01)
    ctx.log("end")


@job("fail_but_for_the_last", backoff=QUICK, max_attempts=3)
async def fail_but_for_the_last(ctx: JobContext, work: Work) -> str:
    """Fails in every attempt but the last."""
    enter(ctx, work)
    if not ctx.is_last_attempt:
        raise ValueError(f"attempt {ctx.attempt} of {ctx.max_attempts}")
    return f"attempt {ctx.attempt} of {ctx.max_attempts}"


class Unspeakable(Exception):
    """An exception whose str() raises."""

    def __str__(self) -> str:
        raise RuntimeError("str() of this raises")

    __repr__ = __str__


@job("fail_unspeakably", backoff=QUICK, max_attempts=1)
async def fail_unspeakably(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise Unspeakable


@job("exit", backoff=QUICK, max_attempts=1)
async def leave(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    sys.exit(3)


@job("exit_thread", backoff=QUICK, max_attempts=1)
def leave_thread(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    sys.exit(3)


@job("crash")
async def crash(ctx: JobContext, work: Work) -> None:
    """Ends its runner's process, after `seconds` or when `until` exists."""
    enter(ctx, work)
    while work.until and not Path(work.until).exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(work.seconds)
    os._exit(9)


@job("crash_once")
async def crash_once(ctx: JobContext, work: Work) -> str:
    """Ends its runner's process in its first attempt alone, by SIGSEGV."""
    enter(ctx, work)
    if ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return "at the second attempt"


@job("parents")
async def parents(ctx: JobContext, work: Work) -> list[dict[str, Any]]:
    """Returns what the jobs that it has waited for have come to."""
    enter(ctx, work)
    results = await ctx.results()
    return [{"name": one.name, "outcome": one.outcome, "result": one.result} for one in results]


@job("big")
async def big(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    return "x" * work.size


@job("unserialisable")
async def unserialisable(ctx: JobContext, work: Work) -> object:
    enter(ctx, work)
    return object()


@job("retry")
async def retry(ctx: JobContext, work: Work) -> str:
    """Raises Retry in its first attempt, to be tried again after `seconds`."""
    enter(ctx, work)
    if ctx.attempt == 1:
        raise Retry("not yet", after_s=work.seconds)
    return "at the second attempt"


@job("hold")
async def hold(ctx: JobContext, work: Work) -> str:
    """Has its whole group rest for `seconds`, in its first attempt."""
    enter(ctx, work)
    if ctx.attempt == 1:
        raise Retry("429 Too Many Requests", after_s=work.seconds, hold=True)
    return "at the second attempt"


@job("snooze", max_attempts=1)
async def snooze(ctx: JobContext, work: Work) -> str:
    """Snoozes for `seconds` until the file `until` exists."""
    enter(ctx, work)
    if not Path(work.until).exists():
        raise Snooze("too early", after_s=work.seconds)
    return "woken"


@job("snooze_lone_surrogate")
async def snooze_lone_surrogate(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise Snooze("half of a pair: \udc80", after_s=work.seconds)


@job("fail_lone_surrogate", backoff=QUICK)
async def fail_lone_surrogate(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise ValueError("half of a pair: \udc80")


@job("stop_iteration", backoff=QUICK)
def stop_iteration(ctx: JobContext, work: Work) -> str:
    """Raises StopIteration, which a Future refuses to hold, by next() on an empty iterator."""
    enter(ctx, work)
    return next(iter(()))


@job("shrug")
async def shrug(ctx: JobContext, work: Work) -> str:
    """Returns a result when it is cancelled."""
    enter(ctx, work)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    return "shrugged"


@job("group", backoff=QUICK)
async def group(ctx: JobContext, work: Work) -> None:
    """Raises an ExceptionGroup: one task of a TaskGroup fails."""
    enter(ctx, work)

    async def fails() -> None:
        raise ValueError("one of the group")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fails())
        await asyncio.sleep(5)


@job("discard")
async def discard(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    raise Discard(work.text or "never")


@job("steps", backoff=QUICK)
async def steps(ctx: JobContext, work: Work) -> dict[str, Any]:
    """Takes `size` steps, each written into the ledger and then saved as a checkpoint. text: "3 raise" does so after
    step 3; also exit, snooze, and wait (for `until`)."""
    enter(ctx, work)
    done = ctx.last_checkpoint or {"step": 0}
    at, _, act = work.text.partition(" ")
    for step in range(done["step"] + 1, work.size + 1):
        write_line(work.ledger, f"ended step-{step}")
        ctx.checkpoint({"step": step, "token": "hush"})
        if str(step) != at:
            continue
        if act == "raise":
            raise ValueError("half-way")
        if act == "snooze":
            raise Snooze(after_s=0.05)
        if act == "exit":
            await asyncio.sleep(0.1)  # The checkpoint reaches Redis meanwhile.
            os.kill(os.getpid(), signal.SIGKILL)
        while not Path(work.until).exists():
            await asyncio.sleep(0.01)
    return {"began_at": done["step"]}


@job("climb", max_attempts=1, timeout_s=600)
async def climb(ctx: JobContext, work: Work) -> int:
    """Takes `size` steps, one an attempt: each is saved, and the runner is then to be killed. The last step ends the
    job. Returns how many attempts it took."""
    enter(ctx, work)
    step = (ctx.last_checkpoint or 0) + 1
    write_line(work.ledger, f"ended step-{step}")
    if step == work.size:
        return ctx.attempt
    ctx.checkpoint(step)
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")


@job("hoards", max_attempts=1)
async def hoards(ctx: JobContext, work: Work) -> str:
    """Tries to save a checkpoint that is too large, and one that is no JSON; returns the texts of both errors."""
    errors = []
    for state in ("x" * (64 << 10), object()):
        try:
            ctx.checkpoint(state)
        except ValueError as fault:
            errors.append(str(fault))
    return " | ".join(errors)


@job("talk")
async def talk(ctx: JobContext, work: Work) -> str:
    """Logs lines, reports progress, waits `seconds`, and queues a job; returns the id of that job."""
    enter(ctx, work)
    ctx.log("first line")
    ctx.log("second\nline \x1e\x1f with controls")
    ctx.progress(0.5, "half-way")
    await asyncio.sleep(work.seconds)
    return str(await ctx.enqueue("noop", {"ledger": work.ledger}))


@job("parent", backoff=QUICK)
async def parent(ctx: JobContext, work: Work) -> list[str]:
    """Queues one job under each of two names, and fails between them in its first attempt; returns both ids."""
    enter(ctx, work)
    first = await ctx.enqueue("noop", {"ledger": work.ledger}, once="first")
    if ctx.attempt == 1:
        end_badly(work)
    return [first, await ctx.enqueue("noop", {"ledger": work.ledger}, once="second")]


@job("parent_thread", backoff=QUICK)
def parent_thread(ctx: JobContext, work: Work) -> list[str]:
    """As `parent`, in a thread."""
    enter(ctx, work)
    first = ctx.enqueue("noop", {"ledger": work.ledger}, once="first")
    if ctx.attempt == 1:
        end_badly(work)
    return [first, ctx.enqueue("noop", {"ledger": work.ledger}, once="second")]


@job("spans", backoff=QUICK)
async def spans(ctx: JobContext, work: Work) -> dict[str, Any]:
    """Reads its `traceparent` again and again, fails in its first attempt, and queues two jobs in its second one."""
    enter(ctx, work)
    read = {ctx.traceparent for _ in range(3)} | {await asyncio.to_thread(lambda: ctx.traceparent)}
    if ctx.attempt == 1:
        ctx.checkpoint(sorted(read))
        end_badly(work)
    queued = [await ctx.enqueue("noop", {}, once="named"), await ctx.enqueue("noop", {})]
    return {"first": ctx.last_checkpoint, "second": sorted(read), "queued": queued}


@job("misnames")
async def misnames(ctx: JobContext, work: Work) -> None:
    await ctx.enqueue("noop", {}, once="no name")


def end_badly(work: Work) -> None:
    """Raise an exception, or (text "kill") kill the whole runner."""
    if work.text == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError("as it was told to")


def _recur() -> None:
    _recur()


def _raise(fault: BaseException) -> None:
    raise fault


REFUSALS: dict[str, Callable[[], object]] = {
    "ValueError": lambda: _raise(ValueError("as it was told to")),
    "AssertionError": lambda: _raise(AssertionError("as it was told to")),
    "KeyError": lambda: REFUSALS["month"],
    "IndexError": lambda: list(REFUSALS)[1000],
    "RecursionError": _recur,
    "SystemExit": lambda: sys.exit(3),
    "KeyboardInterrupt": lambda: _raise(KeyboardInterrupt()),
    "GeneratorExit": lambda: _raise(GeneratorExit()),
    "CancelledError": lambda: _raise(asyncio.CancelledError()),
    "Unspeakable": lambda: _raise(Unspeakable()),
}


@dataclass
class Checked:
    """A payload whose own check raises the exception that `raises` names in REFUSALS."""

    raises: str = ""
    text: str = ""
    ledger: str = ""

    def __post_init__(self) -> None:
        if self.raises:
            REFUSALS[self.raises]()


@job("checked")
async def checked(ctx: JobContext, payload: Checked) -> str:
    write_line(payload.ledger, f"{ctx.job_id} {ctx.attempt} {os.getpid()}")
    return payload.text


@job("enqueue_checked")
async def enqueue_checked(ctx: JobContext, work: Work) -> list[str]:
    """Tries to queue a `checked` job for every row of REFUSALS; returns the errors that a handler gets."""
    found = []
    for name in REFUSALS:
        try:
            await ctx.enqueue("checked", {"raises": name})
        except InvalidFields as fault:
            found.append(f"{type(fault).__name__} {fault}")
    return found


@job("enqueue_unique")
async def enqueue_unique(ctx: JobContext, work: Work) -> list[str]:
    """Queues two jobs under one unique key, and returns both answers."""
    enter(ctx, work)
    return [str(await ctx.enqueue("noop", {"size": n}, delay_s=60, unique={"key": "one"})) for n in range(2)]


@job("enqueue_throttled")
async def enqueue_throttled(ctx: JobContext, work: Work) -> str:
    """Queues a job of which there may be one an hour; returns its id, or what refuses it."""
    enter(ctx, work)
    try:
        unique = {"key": "hourly", "ttl_s": 3600, "mode": "throttle"}
        return str(await ctx.enqueue("noop", {}, delay_s=60, unique=unique))
    except Throttled as fault:
        return f"{fault.slug} {fault.members['job_id']}"


LEAKED: list[bytes] = []


@job("leak")
async def leak(ctx: JobContext, work: Work) -> None:
    """Holds `size` bytes more for as long as its process lives, and takes `seconds`."""
    enter(ctx, work)
    LEAKED.append(b"x" * work.size)
    await asyncio.sleep(work.seconds)
    write_line(work.ledger, f"ended {ctx.job_id}")


def _plainly_wrapped(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapper(*arguments: Any) -> Any:
        return handler(*arguments)

    return wrapper


@job("wrapped")
@_plainly_wrapped
async def wrapped(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)


class Strange(dict[str, Any]):
    """A result that is a dict, and can't be read."""

    def items(self) -> Any:
        raise LookupError("no items")


@job("strange_result")
async def strange_result(ctx: JobContext, work: Work) -> Any:
    return Strange(a=1)


class ExitInStr(Exception):
    """An exception whose str() ends the process."""

    def __str__(self) -> str:
        sys.exit(3)


@job("fail_with_an_exit_in_str")
async def fail_with_an_exit_in_str(ctx: JobContext, work: Work) -> None:
    raise ExitInStr


@job("terminate_a_child")
async def terminate_a_child(ctx: JobContext, work: Work) -> int:
    """Starts a program and sends SIGTERM to it; returns its exit code. (The runner itself ignores signals.)"""
    child = await asyncio.create_subprocess_exec("sleep", "60")
    child.terminate()
    return await child.wait()


@job("talk_thread")
def talk_thread(ctx: JobContext, work: Work) -> str:
    enter(ctx, work)
    ctx.log("from a thread")
    ctx.progress(1)
    return str(ctx.enqueue("noop", {"ledger": work.ledger}))


@dataclass
class Sealed:
    api_key: str
    n: int = 0


@job("keeps_a_secret")
async def keeps_a_secret(ctx: JobContext, payload: Sealed) -> str:
    """Returns the secret in its payload, so that a test sees which secret the handler got."""
    return f"{payload.api_key} {payload.n}"


@dataclass
class Customer:
    id: str | int | None = None


@dataclass
class Order:
    customer: Customer | None = None
    ledger: str = ""


@job("order", group_by="customer.id", backoff=QUICK)
async def order(ctx: JobContext, payload: Order) -> None:
    """A job of its customer's group."""
    enter(ctx, Work(payload.ledger))


@job("orders", backoff=QUICK, max_attempts=1)
async def orders(ctx: JobContext, payload: dict[str, Any]) -> str:
    """Enqueues an `order` with this payload, and with the tag that it is given. Returns its id."""
    child: str = await ctx.enqueue("order", payload["order"], tags=payload["tags"])
    return child


@job("impatient", give_up_after_s=600, backoff=QUICK, max_attempts=1000)
async def impatient(ctx: JobContext, work: Work) -> None:
    """Raises Retry in every attempt, or (text "snooze") Snooze."""
    enter(ctx, work)
    if work.text == "snooze":
        raise Snooze("not yet", after_s=work.seconds)
    raise Retry("once more", after_s=work.seconds)


@job("vanish", retain_s=0, backoff=QUICK, max_attempts=1)
async def vanish(ctx: JobContext, work: Work) -> str:
    """A job without retention: its record is deleted as soon as it has ended. text: fails with that error."""
    enter(ctx, work)
    if work.text:
        raise ValueError(work.text)
    return "gone"


@job("tell_the_time")
async def tell_the_time(ctx: JobContext, payload: dict[str, Any]) -> str | None:
    """Returns the time for which a schedule queued it."""
    return None if ctx.scheduled_for is None else ctx.scheduled_for.isoformat()


class Unwritable(float):
    """A number of seconds that can't be put into a spec."""

    def __format__(self, how: str) -> str:
        raise RuntimeError("a fault that is not the payload's")


@job("stumble", timeout_s=Unwritable(59.5))
async def stumble(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Can't be queued: Waybill raises an error that is not the payload's when it writes the spec."""
