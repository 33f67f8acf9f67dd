"""The event loop of every process: asyncio's own selector loop, whatever event loop policy a job module installs.

Called by server.py, worker.py and runner.py. WHY no other loop: the server's connections are BufferedProtocols that
expect an asyncio.Transport, which uvloop's transports are not; and a module's own policy may give no loop at all.
"""

import asyncio
import sys
import warnings
from asyncio import Runner, SelectorEventLoop  # Imported before a job module can replace them in asyncio.
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` to its end on Waybill's loop, as asyncio.run does on the policy's. Returns what it returns."""
    with runner() as loop_runner:
        return loop_runner.run(main)


def runner() -> Runner:
    """An asyncio.Runner with Waybill's loop. The caller closes it, or ends the process."""
    if not _can_wait_for_programs():
        asyncio.set_event_loop_policy(None)
    return Runner(loop_factory=SelectorEventLoop)


def _can_wait_for_programs() -> bool:
    """Whether asyncio can wait for the programs that jobs start. Before Python 3.14 every loop asks the policy for a
    child watcher. uvloop's policy has none, and a watcher that needs SIGCHLD is bound to another loop than ours."""
    if sys.version_info >= (3, 14):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Deprecated from 3.12 on, and a job module may turn warnings into errors.
        try:
            return asyncio.get_child_watcher().is_active()
        except Exception:  # noqa: BLE001  A module's policy may raise anything, and asyncio's where it has no watcher.
            return False
