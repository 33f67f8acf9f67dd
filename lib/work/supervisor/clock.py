"""Fires schedules: a timer for the next slot of each queue, and what is done when it goes off.

    upkeep.py       surveys a queue and learns when its next slot is due: `set`
    the timer       goes off at that moment: every slot that is due is taken (lib/queue/schedule_slots.py)
    then            the timer is set anew, for the first slot that is not yet due

Every supervisor has such timers, for every queue. Where several of them try one slot, Redis lets one have it. A
supervisor that dies, or whose timer was never set, is late by no more than the next survey of another one. A slot for
which there is no room, or which this host can't read, stays due, and is tried again with each survey.
"""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from random import Random
from typing import Any

from lib.errors import RedisUnavailable
from lib.jobs.exported_spans import FIRED
from lib.jobs.schedule import ScheduleSlot
from lib.jobs.timestamps import timestamp
from lib.logs.log import Log
from lib.queue.bulkheads import Bulkheads
from lib.queue.job_spans import JobSpans
from lib.queue.schedule_slots import DUE_AT_ONCE, DueSchedule, ScheduleSlots, SlotTaken

WITHIN_S = 120.0
"""No timer is set for a later slot: upkeep surveys a queue sooner than that (rota.py), and sets it then."""

STAY_DUE = ("stays", "group_full", "graph_full")
"""What becomes of a slot that is tried again with the next survey, while others of its queue may be taken."""


class ScheduleClock:
    """start_task: runs a coroutine in a task of the supervisor's. rng: in which order due slots are tried. spans:
    exports one for each slot that fires; None: nobody does."""

    def __init__(
        self,
        slots: ScheduleSlots,
        log: Log,
        bulkheads: Bulkheads,
        rng: Random,
        start_task: Callable[[Coroutine[Any, Any, None]], object],
        spans: JobSpans | None = None,
    ) -> None:
        self._spans = spans
        self._slots = slots
        self._log = log
        self._bulkheads = bulkheads
        self._rng = rng
        self._start_task = start_task
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._firing: set[str] = set()
        """The queues of which slots are being taken now."""
        self._held_up: set[tuple[str, str]] = set()
        """Queue and schedule of each slot that was last found to have no room."""

    def set(self, queue: str, wait_s: float) -> None:
        """The queue's next slot is due in so many seconds; inf where it has none."""
        if queue in self._firing:
            return  # The timer is set anew when that is over.
        if timer := self._timers.pop(queue, None):
            timer.cancel()
        if wait_s < WITHIN_S:
            self._timers[queue] = asyncio.get_running_loop().call_later(wait_s, self._go_off, queue)

    def _go_off(self, queue: str) -> None:
        self._timers.pop(queue, None)
        self._firing.add(queue)
        self._start_task(self._fire(queue))

    async def _fire(self, queue: str) -> None:
        """Take what is due, and set the timer for the first slot that is not. Where Redis is away, the survey that
        finds Redis back sets it."""
        wait_s = inf
        try:
            with self._bulkheads.around(queue, "schedules"):
                wait_s = await self._take_all(queue)
        except RedisUnavailable:
            pass  # Rounds.run has logged it, or will within a second.
        finally:
            self._firing.discard(queue)
        self.set(queue, wait_s)

    async def _take_all(self, queue: str) -> float:
        """Take every slot that is due. Gives the seconds until the first that is not."""
        passed_over = stay_due = 0
        while True:
            found = await self._slots.due(queue, passed_over)
            if not found.due and passed_over == stay_due:
                return found.wait_s
            # Each supervisor has an order of its own: if all tried the slots in one order, the quickest would take each
            # slot, and all others would ask Redis in vain.
            some = self._rng.sample(found.due, len(found.due))
            outcomes = await asyncio.gather(*[self._take(queue, due, found.now_ms) for due in some])
            if "full" in outcomes:
                return found.wait_s
            stay_due += sum(outcome in STAY_DUE for outcome in outcomes)
            # For the same reason the next bite is any of those that are left, where there are many.
            passed_over = stay_due + self._rng.randint(0, max(0, found.total - 2 * DUE_AT_ONCE - stay_due))

    async def _take(self, queue: str, due: DueSchedule, now_ms: int) -> str:
        """Take one slot. Returns what became of it: as SlotTaken.outcome, or `stays` where this host can't read it."""
        with self._bulkheads.around(f"{queue}/{due.name}", "schedule"):
            if not due.text:
                await self._slots.clear(queue, due.name)
                self._log.warning("schedule.lost", f"Schedule {due.name} is gone from Redis, by hand", queue=queue)
                return "lost"
            taken = await self._slots.take(queue, due, now_ms)
            self._log_taken(queue, due, taken, now_ms)
            return taken.outcome
        return "stays"

    def _log_taken(self, queue: str, due: DueSchedule, taken: SlotTaken, now_ms: int) -> None:
        if taken.outcome == "changed":
            return
        name, at = due.name, timestamp(taken.slot.at_ms)
        about: dict[str, Any] = {"queue": queue, "schedule": name, "scheduled_for": at}
        if taken.outcome in ("full", "group_full", "graph_full"):
            self._log_full(queue, name, taken.outcome, about)
            return
        self._held_up.discard((queue, name))
        if taken.missed:
            msg = f"Schedule {name} missed {taken.missed} runs: nothing ran when they were due"
            self._log.warning("schedule.missed", msg, runs=taken.missed, **about)
        if taken.outcome == "fired":
            late_ms = max(0, now_ms - taken.slot.due_ms)
            ids = {"request_id": taken.request_id, "job_id": taken.job_id}
            self._log.info("schedule.fired", _fired_words(name, taken), late_ms=late_ms, **ids, **about)
            if self._spans is not None:
                self._spans.note(taken.job_id, FIRED)
        elif taken.outcome == "skipped":
            msg = f"Schedule {name} was skipped: {taken.job_id} has not ended"
            self._log.info("schedule.skipped", msg, job_id=taken.job_id, **about)
        elif taken.outcome == "crowded":
            msg = f"Schedule {name} was skipped: 100 of its jobs wait, {taken.job_id} the last of them"
            self._log.warning("schedule.skipped", msg, job_id=taken.job_id, **about)
        elif taken.outcome == "shifted":
            log_shifted(self._log, queue, name, taken.slot)

    def _log_full(self, queue: str, name: str, outcome: str, about: dict[str, Any]) -> None:
        """Once, until the slot is taken."""
        if (queue, name) not in self._held_up:
            self._held_up.add((queue, name))
            where = "another queue of its jobs" if outcome == "graph_full" else "the job's group in it"
            msg = f"Schedule {name} waits: the queue {queue}, or {where}, is at its max_depth"
            self._log.warning("schedule.held_up", msg, **about)


def _fired_words(name: str, taken: SlotTaken) -> str:
    if taken.is_workflow:
        return f"Schedule {name} fired: the workflow {taken.job_id} of {taken.jobs} job{'s' * (taken.jobs != 1)}"
    others = taken.jobs - 1
    behind = f", and {others} job{'s' * (others != 1)} to follow it" if others else ""
    return f"Schedule {name} fired: {taken.job_id}{behind}"


def log_shifted(log: Log, queue: str, name: str, slot: ScheduleSlot | None) -> None:
    """The slot was moved to where it lies by the rules of this host; None: the schedule has ended by these."""
    by_rules = "its zone's rules are others than when that was worked out"
    about: dict[str, Any] = {"queue": queue, "schedule": name}
    if slot is None:
        log.info("schedule.shifted", f"Schedule {name} has no run left before it ends: {by_rules}", **about)
        return
    at = timestamp(slot.at_ms)
    log.info("schedule.shifted", f"Schedule {name} runs at {at}: {by_rules}", scheduled_for=at, **about)
