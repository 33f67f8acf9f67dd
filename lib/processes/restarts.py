"""When a child that ended is started again, and what to do while the system can start none.

A child that lived for YOUNG_S is replaced at once. A child that ended sooner mostly does so again when it is replaced,
so the pauses grow: 0.25 s, 0.5 s, and so on up to 5 s. Called by the server's parent and the worker's supervisor.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lib.logs.log import Log

Started = TypeVar("Started")

YOUNG_S = 1.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0


async def keep_trying(begin: Callable[[], Awaitable[Started]], stop: asyncio.Event, log: Log) -> Started | None:
    """Await `begin`, which starts a child, again and again while it raises OSError: the system has no process, thread
    or descriptor left. Jobs may have used them up, and may give them back. Returns None once `stop` is set."""
    while not stop.is_set():
        try:
            return await begin()
        except OSError as fault:
            log_not_started(fault, log)
            await pause(stop, LONGEST_PAUSE_S)
    return None


def log_not_started(fault: OSError, log: Log) -> None:
    """Log that a child could not be started. The caller tries again."""
    log.error("process.not_started", f"No process could be started: {fault}; it is tried again")


def pause_before_restart_s(lived_s: float, last_pause_s: float) -> float:
    """Seconds to wait before the next start. lived_s: how long the last child lived; last_pause_s: 0.0 at first, then
    what this function returned last."""
    if lived_s >= YOUNG_S:
        return 0.0
    return min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, last_pause_s * 2))


async def pause(stop: asyncio.Event, pause_s: float) -> None:
    """Sleep for `pause_s`, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), pause_s)
