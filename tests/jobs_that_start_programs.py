"""Jobs that start programs and processes, and jobs that print, in a module with an exit hook.

JOB_MODULES=tests.jobs_for_tests,tests.jobs_that_start_programs. Every program that is started writes its process id, a
line each, into the file that `text` names.
"""

import asyncio
import atexit
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from lib.jobs.registry import JobContext, job
from tests.jobs_for_tests import QUICK, Work, enter, write_line

FORK = multiprocessing.get_context("fork")
EXIT_HOOK = "AT_EXIT_WRITE_TO"
# A shell that starts another program and waits, as `shell=True` and pipelines do.
FAMILY = ("sh", "-c", 'sleep 60 & echo $! >> "$0"; echo $$ >> "$0"; wait')


if path := os.environ.get(EXIT_HOOK):

    def _say_good_bye() -> None:
        asyncio.run(asyncio.sleep(0))
        write_line(path or "", "good-bye")
        if path and "hang" in path:
            time.sleep(60)

    atexit.register(_say_good_bye)


@job("program_in_thread", backoff=QUICK)
def program_in_thread(ctx: JobContext, work: Work) -> int:
    enter(ctx, work)
    return subprocess.run([*FAMILY, work.text], check=False).returncode


@job("program_async", backoff=QUICK)
async def program_async(ctx: JobContext, work: Work) -> int:
    enter(ctx, work)
    program = await asyncio.create_subprocess_exec(*FAMILY, work.text)
    return await program.wait()


@job("program_to_thread", backoff=QUICK)
async def program_to_thread(ctx: JobContext, work: Work) -> int:
    enter(ctx, work)
    done = await asyncio.to_thread(subprocess.run, [*FAMILY, work.text], check=False)
    return done.returncode


@job("program_left", backoff=QUICK)
async def program_left(ctx: JobContext, work: Work) -> None:
    """Leaves its program running; fails if `seconds` is not 0."""
    enter(ctx, work)
    program = subprocess.Popen([*FAMILY, work.text])
    # The shell writes its own id last. Programs of other jobs write into the same file.
    while not (path := Path(work.text)).exists() or str(program.pid) not in path.read_text(encoding="utf-8").split():
        await asyncio.sleep(0.01)
    if work.seconds:
        raise ValueError("with a program left behind")


@job("program_apart", backoff=QUICK)
async def program_apart(ctx: JobContext, work: Work) -> int:
    """Starts a program in a session of its own, which is meant to outlive the job."""
    enter(ctx, work)
    return subprocess.Popen(["sleep", "60"], start_new_session=True).pid


@job("program_quick", backoff=QUICK)
def program_quick(ctx: JobContext, work: Work) -> int:
    """Runs a program that takes `seconds`; returns its exit code."""
    enter(ctx, work)
    return subprocess.run(["sleep", str(work.seconds)], check=False).returncode


@job("program_before", backoff=QUICK)
def program_before(ctx: JobContext, work: Work) -> str:
    """Runs a program that has ended when the job's own work begins."""
    subprocess.run(["true"], check=True)
    enter(ctx, work)
    time.sleep(work.seconds)
    return "done"


def _write_and_sleep(path: str) -> None:
    write_line(path, str(os.getpid()))
    time.sleep(60)


@job("process_in_thread", backoff=QUICK)
def process_in_thread(ctx: JobContext, work: Work) -> None:
    enter(ctx, work)
    process = FORK.Process(target=_write_and_sleep, args=(work.text,))
    process.start()
    process.join()


def _exit_codes() -> list[Any]:
    """The exit codes of processes that end well, by sys.exit(3), by an error and by terminate(), with a Pool given up
    afterwards."""
    ways: list[tuple[Any, ...]] = [(time.sleep, (0,)), (sys.exit, (3,)), (int, ("no number",)), (time.sleep, (60,))]
    processes = [FORK.Process(target=target, args=arguments) for target, arguments in ways]
    for process in processes:
        process.start()
    processes[-1].terminate()
    for process in processes:
        process.join()
    with FORK.Pool(2) as pool:
        try:
            pool.apply_async(time.sleep, (60,)).get(timeout=0.1)
        except multiprocessing.TimeoutError:
            return [process.exitcode for process in processes]
    return []


@job("exit_codes_thread", max_attempts=1)
def exit_codes_thread(ctx: JobContext, work: Work) -> list[Any]:
    return _exit_codes()


@job("exit_codes_async", max_attempts=1)
async def exit_codes_async(ctx: JobContext, work: Work) -> list[Any]:
    return _exit_codes()


def _fork(ctx: JobContext, work: Work) -> int | None:
    """Fork. Returns the child's exit code; in the child, ends as `text` says: exit, fail, or a return."""
    for number in range(20):
        logging.getLogger("forks").info("line %d of %s", number, ctx.job_id)
    print(f"printed by {ctx.job_id}", end="")
    if (pid := os.fork()) > 0:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    logging.getLogger("forks").info("the child of %s", ctx.job_id)
    if work.text == "exit":
        sys.exit(3)
    if work.text == "fail":
        raise ValueError("in the child")
    return None


@job("fork_thread", max_attempts=1)
def fork_thread(ctx: JobContext, work: Work) -> int | None:
    enter(ctx, work)
    return _fork(ctx, work)


@job("fork_async", max_attempts=1)
async def fork_async(ctx: JobContext, work: Work) -> int | None:
    enter(ctx, work)
    return _fork(ctx, work)


@job("child_is_mortal", max_attempts=1)
async def child_is_mortal(ctx: JobContext, work: Work) -> list[int]:
    """Returns the exit codes of forked children that got SIGTERM, SIGHUP and SIGUSR1."""
    codes = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        process = FORK.Process(target=time.sleep, args=(60,))
        process.start()
        os.kill(process.pid or 0, number)
        process.join()
        codes.append(process.exitcode or 0)
    return codes


@job("prints")
async def prints(ctx: JobContext, work: Work) -> None:
    """Prints a line and the beginning of another, from itself and from a thread, and waits for `until`."""
    enter(ctx, work)
    print(f"a line of {work.text}")
    await asyncio.to_thread(
        sys.stdout.write, f"a line from a thread of {work.text}\nand the beginning of another of {work.text}"
    )
    while not os.path.exists(work.until):  # noqa: PTH110
        await asyncio.sleep(0.01)


@job("hangs_in_thread", backoff=QUICK)
def hangs_in_thread(ctx: JobContext, work: Work) -> None:
    """Waits `seconds` whatever happens, and writes `ended` into the ledger."""
    enter(ctx, work)
    threading.Event().wait(work.seconds)
    write_line(work.ledger, f"ended {ctx.job_id}")
