"""A runner as its supervisor knows it: a process, a pipe, and what the runner's messages (see pipe.py) have told."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from lib.ids import is_alone
from lib.processes.child_process import ChildProcess
from lib.processes.pipe import Pipe
from lib.processes.silence import Silence
from lib.work.supervisor.overdue import Held
from lib.work.supervisor.slot_grant import SlotGrant
from lib.work.supervisor.wear import Usage


class RunnerChild:
    """limits: queue -> how many of its jobs may run at a time. is_waiting: it begins without a slot, until `grant`."""

    def __init__(
        self, runner_id: str, process: ChildProcess, pipe: Pipe, limits: Mapping[str, int], *, is_waiting: bool
    ) -> None:
        self.process = process
        self.pipe = pipe
        self.runner_id = runner_id
        """The id that it was started with, for the log."""
        self.runner_ids = dict.fromkeys(limits, runner_id)
        """queue -> the id that it serves this queue under: it takes a new one when others took it for dead."""
        self.former_ids: set[tuple[str, str]] = set()
        """(queue, id) of every id that it had before."""
        self.started_s = time.monotonic()
        self.first_tick = asyncio.Event()
        self.silence = Silence(self.started_s)
        """For how long its loop has not turned."""
        self.unanswered_s = 0.0
        """For how long Redis has answered no claim of its, by its last tick."""
        self.usage = Usage()
        """What its ticks tell of how worn it is."""
        self.is_worn = asyncio.Event()
        """Set where it is to be replaced."""
        self.worn_by = ""
        """Why: one of wear.REASONS."""
        self.makes_way = False
        """Whether it was told to retire: its successor has started."""
        self.retires = asyncio.Event()
        """Set when it begins no more jobs, and is to leave."""
        self.must_leave = asyncio.Event()
        """Set where it retires and must end before its grace is over: too many others retire beside it."""
        self._grant = SlotGrant(limits, is_waiting=is_waiting)
        self.was_killed = False
        """Whether the supervisor has killed it."""
        self.late: list[Held] = []
        """Jobs that it was killed for: they ran longer than their timeout_s."""
        self.blocker: str | None = None
        """The id of the job that keeps its loop from turning, where that is known."""

    @property
    def is_alone(self) -> bool:
        """Whether it is an isolation runner."""
        return is_alone(self.runner_id)

    @property
    def has_ticked(self) -> bool:
        """Whether it has started: its loop has turned once."""
        return self.silence.was_broken

    @property
    def is_retiring(self) -> bool:
        return self.retires.is_set()

    @property
    def is_serving(self) -> bool:
        """Whether it lives, has started, and takes jobs of all kinds."""
        return self.has_ticked and self.process.returncode is None and not self.is_alone

    @property
    def slots(self) -> Mapping[str, int]:
        """queue -> how many of its job slots this runner may be using. A new mapping whenever that changes."""
        return self._grant.in_use

    def on_message(self, message: dict[str, Any]) -> None:
        """Note what the runner has sent."""
        kind = message.get("is")
        if kind == "blocked":
            self.blocker = str(message.get("job"))
        elif kind in ("retiring", "using"):
            if kind == "retiring":
                self.retires.set()
            self._grant.reported(message.get("slots", {}), message.get("time"), is_retiring=self.is_retiring)
        else:
            self._on_tick(message)

    def grant(self, slots: dict[str, int]) -> None:
        """Let the runner use so many slots of each queue: more at once, fewer when the jobs in them have ended."""
        if self._grant.change(slots):
            self.pipe.send(do="use", slots=slots, time=self._grant.number)

    def make_way(self) -> None:
        """Have it begin no more jobs, and leave when all that it runs has ended."""
        self.makes_way = True
        self.pipe.send(do="retire")

    def kill(self) -> None:
        """Send SIGKILL, on the supervisor's own decision: the end is no crash, and no job is to blame for it."""
        self.was_killed = True
        self.process.kill()

    def _on_tick(self, message: Mapping[str, Any]) -> None:
        self.blocker = None
        self.silence.end()
        self.first_tick.set()
        self._note_usage(message.get("ended"), message.get("rss_bytes"))
        silent_s = message.get("silent_s")
        self.unanswered_s = float(silent_s) if isinstance(silent_s, int | float) else 0.0
        runner_ids = message.get("workers")
        if isinstance(runner_ids, dict) and runner_ids != self.runner_ids:
            self.former_ids.update(self.runner_ids.items())
            self.runner_ids = runner_ids

    def _note_usage(self, jobs: object, rss_bytes: object) -> None:
        if isinstance(jobs, int) and isinstance(rss_bytes, int):
            self.usage = Usage(jobs, rss_bytes, self.usage.first_rss_bytes or rss_bytes)
