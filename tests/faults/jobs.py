"""The jobs that the fault scenarios run. JOB_MODULES=tests.faults.jobs.

The ledger is a file outside Redis: every execution appends "began <id> <attempt> <pid> <ns>" to it when it begins and
"ended …" when its work is done, each in one write. ns is the machine's monotonic clock, the same for all processes.
What a job returns is its pid and its attempt, so that the result that Redis kept tells whose it is.
"""

import asyncio
import ctypes
import os
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from lib.jobs.registry import Discard, JobContext, Snooze, job


@dataclass
class Work:
    """until: a path; the job goes on when it exists. kind: of poison, see POISONS; "progress" says how far it is."""

    ledger: str = ""
    seconds: float = 0.0
    until: str = ""
    kind: str = ""


def say(word: str, ctx: JobContext, work: Work) -> None:
    if not work.ledger:
        return
    write_line(work.ledger, f"{word} {ctx.job_id} {ctx.attempt} {os.getpid()} {time.monotonic_ns()}")


def write_line(path: str, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


async def work_on(ctx: JobContext, work: Work) -> list[int]:
    say("began", ctx, work)
    while work.until and not Path(work.until).exists():
        await asyncio.sleep(0.01)
    if work.seconds:
        await asyncio.sleep(work.seconds)
    if work.kind == "progress":
        ctx.progress(1.0, f"from {os.getpid()}")
    say("ended", ctx, work)
    return [os.getpid(), ctx.attempt]


@job("work", backoff=(0.05, 0.1), timeout_s=600)
async def work(ctx: JobContext, work: Work) -> list[int]:
    """Works for `seconds`, and until the file `until` exists."""
    return await work_on(ctx, work)


@job("fail_once", backoff=(0.05, 0.1))
async def fail_once(ctx: JobContext, work: Work) -> list[int]:
    """Fails at its first attempt."""
    if ctx.attempt == 1:
        say("began", ctx, work)
        say("ended", ctx, work)
        raise ValueError("the first attempt fails")
    return await work_on(ctx, work)


@job("snooze_once", max_attempts=3)
async def snooze_once(ctx: JobContext, work: Work) -> list[int]:
    """Asks to be put off, until the file `until` is there, which it makes."""
    if not Path(work.until).exists():
        say("began", ctx, work)
        say("ended", ctx, work)
        Path(work.until).touch()
        raise Snooze("once", after_s=0.05)
    return await work_on(ctx, work)


@job("stubborn")
async def stubborn(ctx: JobContext, work: Work) -> list[int]:
    """Is dead at once, until the file `until` is there."""
    if not Path(work.until).exists():
        say("began", ctx, work)
        say("ended", ctx, work)
        raise Discard("the file is missing")
    return await work_on(ctx, work)


@job("climb", timeout_s=600)
async def climb(ctx: JobContext, work: Work) -> list[int]:
    """Takes a step every `seconds` and saves it, until the file `until` is there. `<ledger>.steps` has a line
    "from <id> <pid> <step>" for each attempt, and "took <id> <pid> <step>" for each step."""
    steps = f"{work.ledger}.steps"
    say("began", ctx, work)
    step = ctx.last_checkpoint or 0
    write_line(steps, f"from {ctx.job_id} {os.getpid()} {step}")
    while not Path(work.until).exists():
        step += 1
        write_line(steps, f"took {ctx.job_id} {os.getpid()} {step}")
        ctx.checkpoint(step)
        await asyncio.sleep(work.seconds)
    say("ended", ctx, work)
    return [os.getpid(), ctx.attempt]


@job("nothing")
async def nothing(ctx: JobContext, work: Work) -> None:
    """Not a line in the ledger."""


@job("late")
async def late(ctx: JobContext, work: Work) -> None:
    """Writes down "<id> <us since 1970>": for delayed jobs, whose times are Redis' TIME."""
    if work.ledger:
        write_line(work.ledger, f"{ctx.job_id} {time.time_ns() // 1000}")


@job("poison")
async def poison(ctx: JobContext, work: Work) -> None:
    """Takes its runner down in the way that `kind` names."""
    say("began", ctx, work)
    await asyncio.sleep(work.seconds)
    POISONS[work.kind]()


def _leave() -> None:
    os._exit(9)


def _fault() -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    ctypes.string_at(0)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _eat() -> None:
    """Asks for more memory than it may have; what C code does then is abort."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
    eaten = []
    try:
        while True:
            eaten.append(bytearray(64 << 20))
    except MemoryError:
        os.abort()


POISONS = {"exit": _leave, "segv": _fault, "kill": _kill, "memory": _eat}
