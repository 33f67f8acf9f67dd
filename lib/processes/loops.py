"""The event loop of every process of ours: asyncio's own, whatever policy a job module has installed.

Called by server.py, worker.py and runner.py. WHY no other: the server's connections are BufferedProtocols that get an
asyncio.Transport, which uvloop's is not; and a policy of a module's own may give no loop at all.
"""

import asyncio
import sys
import warnings
from asyncio import Runner, SelectorEventLoop  # As they are before a job module can put others in their places.
from collections.abc import Coroutine
from typing import Any, TypeVar

Given = TypeVar("Given")


def run(main: Coroutine[Any, Any, Given]) -> Given:
    """As asyncio.run."""
    with runner() as own:
        return own.run(main)


def runner() -> Runner:
    """One that runs our loop. The caller closes it, or ends the process."""
    if not _can_wait_for_programs():
        asyncio.set_event_loop_policy(None)
    return Runner(loop_factory=SelectorEventLoop)


def _can_wait_for_programs() -> bool:
    """Before Python 3.14 every loop asks the policy how to wait for a program's end. uvloop's has no answer, and a
    watcher that waits for a SIGCHLD is tied to a loop that is not ours."""
    if sys.version_info >= (3, 14):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It is deprecated from 3.12 on, and a module may make errors of warnings.
        try:
            return asyncio.get_child_watcher().is_active()
        except Exception:  # noqa: BLE001  Code of the module's own, or what asyncio raises where it has none.
            return False
