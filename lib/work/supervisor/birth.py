"""A runner is born: an interpreter is started for it, under the id that it will bear.

A module of its own, for worker.py needs it before all else: a runner takes as long to start as its supervisor does, so
the two are to start beside each other, and not one behind the other.
"""

import os
import socket
from pathlib import Path
from typing import NamedTuple

from lib.ids import new_runner_id
from lib.processes.spawn import Spawned, spawn

WAITING = "--waiting"


class Newborn(NamedTuple):
    """A runner that nobody has heard yet."""

    runner_id: str
    spawned: Spawned
    is_waiting: bool


def spawn_runner(script: Path, *, is_alone: bool = False, is_waiting: bool = False) -> Newborn:
    """script: the worker.py to start it with. is_alone: an isolation runner. is_waiting: it begins without a slot, and
    is told over the pipe how many it has: others may hold some at its place."""
    runner_id = new_runner_id(socket.gethostname(), os.getpid(), is_alone=is_alone)
    more = [WAITING] if is_waiting else []
    return Newborn(runner_id, spawn(script, "--runner", runner_id, *more, leads_group=True), is_waiting)
