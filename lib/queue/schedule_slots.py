"""The slots of schedules, for supervisors: which are due, and the one step that takes a slot.

    slots = ScheduleSlots(link, keys, JobIds(), workflows)
    found = await slots.due("reports")                             # found.due: [DueSchedule("daily-report", …)]
    await slots.take("reports", found.due[0], found.now_ms)        # SlotTaken("fired", …, "reports-01a2…")

Nobody leads. Any supervisor may try any slot: fire.lua compares version and due time with those that were seen, queues
the job and stores the next slot in one step, and does nothing where another was quicker. So a supervisor may die
anywhere, and a reply that is lost needs no care: the slot has moved on, or it is still due.

Where a slot gets a graph (lib/jobs/slot_jobs.py), the graph's other jobs are planted first, and fire.lua takes in the
anchor: whether the graph runs is still decided by that one step. A supervisor that comes second, or dies before that
step, leaves jobs under ids that the next supervisor makes again; or, where the schedule was changed meanwhile, jobs
that find no anchor when they ask for it, and are cancelled.
"""

import contextlib
from math import inf
from typing import NamedTuple

from lib.errors import QueueFull, RedisKeysBroken
from lib.ids import JobIds
from lib.jobs.schedule import Schedule, ScheduleSlot, Turn
from lib.jobs.schedule_request import schedule_from
from lib.jobs.slot_jobs import graph_of_slot, job_of_slot
from lib.queue.enqueue_text import new_jobs_text
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.queue.workflow_store import Workflows
from lib.queue.workflow_text import anchor_text
from lib.redis_link.link import RedisLink
from lib.tracing import KEEP_ALL, Sampler

DUE_AT_ONCE = 100
DUE_BYTES = 1 << 20
_FIELDS_OF_ONE = 7  # as due_slots.lua gives them


class DueSchedule(NamedTuple):
    """A schedule whose slot is due, as texts: due and version go back to fire.lua as they came, which compares them.

    DueSchedule("daily-report", due="1796002200417", version="8", slot="1796002200000", wall="2026-11-30T02:30", …), a
    slot with 417 ms of jitter. anchor: what every_ms counts from. text: the schedule's JSON; "" where somebody deleted
    or broke its hash by hand.
    """

    name: str
    due: str
    version: str
    slot: str
    wall: str
    anchor: str
    text: str


class SlotTaken(NamedTuple):
    """What became of a slot that was due.

    outcome   fired        a job was queued
              skipped      the last job still lives
              crowded      so many of its jobs wait for each other that this slot gets none
              missed       no slot gets a job
              full         the queue is at its max_depth; the slot stays due
              group_full   the job's group is at that of groups; the slot stays due
              graph_full   a queue has no room for the jobs of the graph; the slot stays due
              shifted      by the zone's rules the slot is still to come
              changed      somebody else took the slot, or wrote the schedule anew
    slot: the one that was taken. job_id: the job that was queued, or that lives. missed: how many slots got no job, for
    nothing ran in their time. jobs: how many were queued, if it is a graph whose anchor was; is_workflow: the anchor is
    a workflow, which is not counted.
    """

    outcome: str
    slot: ScheduleSlot
    job_id: str = ""
    request_id: str = ""
    missed: int = 0
    jobs: int = 1
    is_workflow: bool = False


class DueSlots(NamedTuple):
    """due: some of the schedules whose slot is due, the earliest first; total: how many there are in all.

    now_ms: Redis' clock. wait_s: seconds until a slot is due that is not yet; inf where there is none."""

    now_ms: int
    wait_s: float
    total: int
    due: list[DueSchedule]


class ScheduleSlots:
    """The slots of the schedules of all queues."""

    def __init__(
        self, link: RedisLink, keys: RedisKeys, ids: JobIds, workflows: Workflows, sampler: Sampler = KEEP_ALL
    ) -> None:
        """ids: where the jobs of slots get theirs from. workflows: plants the other jobs of graphs. sampler: decides on
        the traces of slots."""
        self._sampler = sampler
        self._ids = ids
        self._workflows = workflows
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)

    async def due(self, queue: str, passed_over: int = 0) -> DueSlots:
        """The schedules of a queue whose slot is due, DUE_AT_ONCE at most, behind the first `passed_over`."""
        base = self._keys.base(queue)
        now, wait_ms, total, *flat = await self._scripts.call("due_slots", base, passed_over, DUE_AT_ONCE, DUE_BYTES)
        rows = (flat[at : at + _FIELDS_OF_ONE] for at in range(0, len(flat), _FIELDS_OF_ONE))
        found = [DueSchedule(*map(shown_text, row)) for row in rows]
        return DueSlots(int(now), int(wait_ms) / 1000 if wait_ms else inf, total, found)

    async def take(self, queue: str, due: DueSchedule, now_ms: int) -> SlotTaken:
        """Take the slot that was due at now_ms: queue its job, and store the next slot.

        Raises UnknownZone where this host does not know the schedule's zone, and ValueError or InvalidFields for a
        schedule that can't be read; another host may know better.
        """
        slot = ScheduleSlot(int(due.slot), int(float(due.due)), due.wall)
        schedule = schedule_from(due.text)
        timetable = schedule.timetable(due.name, int(due.anchor))
        if moved := timetable.moved(slot, now_ms):
            is_moved = await self.shift(queue, due.name, due.version, due.due, moved)
            return SlotTaken("shifted" if is_moved else "changed", moved)
        turn = timetable.turn(slot, now_ms, schedule.catch_up)
        if turn.run is None:
            outcome, _ = await self._fire(queue, due, turn, schedule.overlap, "")
            return SlotTaken(outcome, slot, missed=turn.missed)
        if schedule.has_graph:
            return await self._take_graph(queue, due, schedule, turn, turn.run)
        job, spec = job_of_slot(schedule, self._ids, due.name, int(due.version), turn.run, self._sampler)
        outcome, about = await self._fire(queue, due, turn, schedule.overlap, new_jobs_text([job]))
        return SlotTaken(outcome, turn.run, about, spec.request_id, turn.missed)

    async def _take_graph(
        self, queue: str, due: DueSchedule, schedule: Schedule, turn: Turn, run: ScheduleSlot
    ) -> SlotTaken:
        """`take` for a slot that gets a graph, unless the last one lives or there is no room: then none is planted."""
        outcome, about = await self._fire(queue, due, turn, schedule.overlap, "", "ask")
        if outcome != "plant":
            return SlotTaken(outcome, run, about, missed=turn.missed)
        graph = graph_of_slot(schedule, self._ids, due.name, int(due.version), run, self._sampler)
        try:
            await self._workflows.plant_members(graph)
        except QueueFull:
            outcome, about = await self._fire(queue, due, turn, schedule.overlap, "", "full")
        else:
            outcome, about = await self._fire(queue, due, turn, schedule.overlap, anchor_text(graph), "planted")
        if outcome == "fired":
            self._workflows.begin(graph)
        anchor, jobs = graph.anchor, len(graph.members) + (not graph.anchor.is_workflow)
        return SlotTaken(outcome, run, about, anchor.spec.request_id, turn.missed, jobs, anchor.is_workflow)

    async def _fire(
        self, queue: str, due: DueSchedule, turn: Turn, overlap: str, record: str, graph: str = ""
    ) -> tuple[str, str]:
        """One call of fire.lua: its outcome, and the id of the job that was queued, or that lives, or ""."""
        at, due_ms = (due.slot, due.due) if turn.run is None else (turn.run.at_ms, turn.run.due_ms)
        next_slot = slot_texts(turn.follows)
        arguments = (due.name, due.version, due.due, *next_slot, at, turn.missed, overlap, record, due_ms, graph)
        reply = await self._scripts.call("fire", self._keys.base(queue), *arguments)
        outcome, about, begun = [*map(shown_text, reply), "", ""][:3]
        # The slot is taken: somebody's key of another type must not keep that from the log.
        with contextlib.suppress(RedisKeysBroken):
            if outcome == "fired":
                await self._link.call("HSETNX", self._keys.schedules, due.name, queue)
        with contextlib.suppress(RedisKeysBroken):
            if begun:
                await self._link.call("SADD", self._keys.queues, queue)
        return outcome, about

    async def shift(self, queue: str, name: str, version: str, due: str, slot: ScheduleSlot | None) -> bool:
        """Store another time for the next slot of a schedule whose version and due time were seen; None has it end.
        False where another was quicker, or the schedule was written anew."""
        arguments = (name, version, due, *slot_texts(slot))
        return bool(await self._scripts.call("shift", self._keys.base(queue), *arguments))

    async def clear(self, queue: str, name: str) -> None:
        """Take a name out of `slots`, and out of the index, whose schedule is gone. One that somebody writes meanwhile
        stays: it has a version, and none is 0."""
        if await self._scripts.call("unschedule", self._keys.base(queue), name, 0) != b"gone":
            return
        if await self._link.call("HGET", self._keys.schedules, name) == queue.encode():
            await self._link.call("HDEL", self._keys.schedules, name)
        if await self._link.call("HGET", self._keys.schedule(queue, name), "version"):
            await self._link.call("HSETNX", self._keys.schedules, name, queue)


def slot_texts(slot: ScheduleSlot | None) -> tuple[str, str, str]:
    """Due, slot and wall, as the scripts take them."""
    return ("", "", "") if slot is None else (str(slot.due_ms), str(slot.at_ms), slot.wall)
