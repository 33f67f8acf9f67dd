"""A runner's process, from its first line to its last. Called by a worker.py that the supervisor started."""

import asyncio
import gc
import socket
from collections.abc import Callable
from typing import NoReturn

from lib.jobs import registry
from lib.jobs.registry import Registry
from lib.logs.log import Bound, Log
from lib.processes import guard, loops
from lib.processes.pipe import Pipe
from lib.processes.spawn import EXIT_FAULT
from lib.settings.config import Settings
from lib.work.runner import job_programs, runner_exit
from lib.work.runner.current_job import about_current_job, note_program
from lib.work.runner.forks import Forks
from lib.work.runner.runner import Runner

LogOpener = Callable[[Settings, Callable[[], Bound]], Log]


def run(settings: Settings, runner_id: str, pipe_fd: int, open_log: LogOpener, *, is_waiting: bool) -> NoReturn:
    """The whole process. pipe_fd: the descriptor of the pipe to the supervisor. is_waiting: see Runner.

    Raises ConfigError for job modules that can't be used.
    """
    # Before the job modules are imported: they may print, fork and start programs.
    runner_exit.print_by_lines()
    Forks.watch()
    job_programs.watch_starts(note_program)
    with guard.around_imports(pipe_fd):
        types = registry.load(settings.job_modules, settings)

    log = open_log(settings, about_current_job)
    _collect_less_garbage()
    _log_unserved(types, settings, log)
    # Not asyncio.run: before it returned, it would wait for a handler that swallows its cancellation.
    try:
        is_orphaned = loops.runner().run(_run(settings, types, log, runner_id, pipe_fd, is_waiting=is_waiting))
    except BaseException as fault:
        Forks.end_child(fault)
        log.exception("worker.crashed", "Worker crashed", fault)
        runner_exit.exit_runner(log, EXIT_FAULT, is_orphaned=False)
    runner_exit.exit_runner(log, 0, is_orphaned=is_orphaned)


async def _run(
    settings: Settings, types: Registry, log: Log, runner_id: str, pipe_fd: int, *, is_waiting: bool
) -> bool:
    """Whether the supervisor is gone when the runner has left."""
    Forks.keep_from_child(log, asyncio.get_running_loop())
    pipe = await Pipe.over(socket.socket(fileno=pipe_fd))
    runner = Runner(settings, types, log, runner_id, pipe, is_waiting=is_waiting)
    await runner.run()
    return runner.is_orphaned


def _collect_less_garbage() -> None:
    """Have the collector leave out the imported modules, which stay, and run after 10,000 new objects instead of 700:
    jobs make many objects, and no cycles but those of their handlers."""
    gc.freeze()
    gc.set_threshold(10_000)


def _log_unserved(types: Registry, settings: Settings, log: Log) -> None:
    """Name the queues of job types that WORKER_QUEUES leaves out: their jobs may wait for ever."""
    served = settings.worker_queues
    elsewhere = [f"{queue} ({', '.join(names)})" for queue, names in types.queues.items() if queue not in served]
    if elsewhere:
        log.info("worker.serves_not", f"Queues that WORKER_QUEUES does not name here: {', '.join(elsewhere)}")
