"""Starts a runner: an interpreter with worker.py --runner, under the id that the runner will have.

WHY a module of its own: worker.py calls `spawn_runner` before it imports what the supervisor needs. A runner takes as
long to start as its supervisor, so that both start beside each other.
"""

import os
import socket
from pathlib import Path
from typing import NamedTuple

from lib.ids import new_runner_id
from lib.processes.spawn import Spawned, spawn

WAITING = "--waiting"


class SpawnedRunner(NamedTuple):
    """A runner whose process was started and whose pipe nobody reads yet. is_waiting: as in `spawn_runner`."""

    runner_id: str
    spawned: Spawned
    is_waiting: bool


def spawn_runner(script: Path, *, is_alone: bool = False, is_waiting: bool = False) -> SpawnedRunner:
    """Start a runner. Raises OSError.

    script: the worker.py to start it with. is_alone: it is an isolation runner. is_waiting: it begins without a job
    slot, and the supervisor's first "use" message says how many it has: its predecessors may be using some still.
    """
    runner_id = new_runner_id(socket.gethostname(), os.getpid(), is_alone=is_alone)
    more = [WAITING] if is_waiting else []
    return SpawnedRunner(runner_id, spawn(script, "--runner", runner_id, *more, leads_group=True), is_waiting)
