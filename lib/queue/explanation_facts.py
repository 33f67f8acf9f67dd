"""What Redis knows of one job and its queue, for who asks why the job does not run.

    facts = await ExplanationFacts(link, keys, runners, lease_s=15.0).of("email-0193…")
    explain(facts).reason       # "waiting_its_turn": lib/jobs/explanation.py

One call of explain.lua, which changes nothing. Of a job that a schedule queued, the schedule is asked about as well.
Only where no runner serves the job's queue are other queues asked too; and of a job that waits for others, or was ended
by them, the first five of these are looked at in the same way.
"""

import asyncio
from typing import Any, cast

from lib.errors import JobNotFound, RedisKeysBroken
from lib.ids import queue_of
from lib.jobs.edges import KnownEdge, edges_from
from lib.jobs.explanation import needs_runner
from lib.jobs.group_strikes import strikes_from
from lib.jobs.job_facts import FullLimit, GroupHold, JobFacts, ParentFacts, Precision, SpentRate
from lib.jobs.parent_words import MOST_PARENTS, edges_to_show
from lib.jobs.start_limits import rate_from
from lib.queue.census import per_minute
from lib.queue.framing import counters, named, optional_number, shown_text
from lib.queue.job_record import record_from
from lib.queue.keys import RedisKeys
from lib.queue.refusals import not_found
from lib.queue.runners import Runners
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.redis_link.link import RedisLink

MOST_SEARCHED = 10_000
MOST_LOOKED_INTO = 1000


class ExplanationFacts:
    """Reads the facts of one job at a time."""

    def __init__(self, link: RedisLink, keys: RedisKeys, runners: Runners, *, lease_s: float) -> None:
        """lease_s: how long after a beat a runner counts as alive that did not register a lease of its own."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._runners = runners
        self._lease_ms = round(lease_s * 1000)

    async def of(self, job_id: str) -> JobFacts:
        """Raises JobNotFound."""
        facts = await self._read(job_id, MOST_SEARCHED, MOST_LOOKED_INTO, has_edges=True)
        if facts.record.spec is not None and facts.record.spec.schedule:
            facts = await self._with_schedule(facts, facts.record.spec.schedule)
        if needs_runner(facts):
            return facts._replace(served=await self._served())
        edges = edges_to_show(facts.record)[:MOST_PARENTS]
        return facts._replace(parents=tuple(await asyncio.gather(*map(self._parent, edges)))) if edges else facts

    async def _read(
        self, job_id: str, most_searched: int, most_looked_into: int, *, has_edges: bool = False
    ) -> JobFacts:
        """has_edges: with all of the job's edges, and not those alone that its record has."""
        queue = queue_of(job_id)
        if queue is None:
            raise not_found(job_id)
        bounds = (most_searched, most_looked_into, self._lease_ms, "1" if has_edges else "")
        reply = await self._scripts.call("explain", self._keys.base(queue), job_id, *bounds)
        if not reply:
            raise not_found(job_id)
        with understood(queue):
            return _facts(job_id, named(reply))

    async def _parent(self, edge: KnownEdge) -> ParentFacts:
        """What is known of the job at the other end of an edge. How many jobs are before it is not asked."""
        try:
            return ParentFacts(edge, await self._read(edge.parent_id, 1, 0))
        except JobNotFound:
            return ParentFacts(edge)
        except RedisKeysBroken:
            return ParentFacts(edge, trouble=f"keys of the queue {queue_of(edge.parent_id)} are broken")

    async def _with_schedule(self, facts: JobFacts, schedule: str) -> JobFacts:
        """The facts with those of the schedule that queued the job. It lies in the job's queue, unless it was changed
        since."""
        queue = facts.record.queue
        with understood(queue):
            slot = await self._link.call("ZSCORE", self._keys.slots(queue), schedule)
        # Redis gives the score of a schedule that is paused or has ended as inf.
        return facts._replace(has_schedule=slot is not None, next_slot_ms=optional_number(slot))

    async def _served(self) -> tuple[str, ...] | None:
        if not await self._runners.count_alive():
            return None
        return tuple(await self._runners.served_queues())


def _facts(job_id: str, found: dict[str, Any]) -> JobFacts:
    return JobFacts(
        record=record_from(job_id, found["record"])._replace(edges=edges_from(shown_text(found["edges"]))),
        now_ms=int(found["now"]),
        is_suspect=bool(found["suspect"]),
        is_paused=bool(found["paused"]),
        unknown_since_ms=optional_number(found["unknown_since"]),
        blocked_since_ms=optional_number(found["blocked_since"]),
        callback_by_ms=optional_number(found["callback_by"]),
        expires_ms=optional_number(found["expires"]),
        due_by_ms=optional_number(found["due_by"]),
        superseded_by=shown_text(found["superseded"]).partition(" ")[2],
        runners=found["runners"],
        slots=found["slots"],
        busy=found["busy"],
        beat_ms=optional_number(found["beat"]),
        ended_a_minute=_ended_a_minute(found),
        ahead=found["before"] if isinstance(found["before"], int) else None,
        precision=cast(Precision, found["precision"].decode()),
        group=shown_text(found["group"]),
        is_group_paused=bool(found["group_paused"]),
        hold=_hold(shown_text(found["held"])),
        strikes=strikes_from(shown_text(found["strikes"])),
        full_group=_full(shown_text(found["full_group"])),
        full_queue=_full(shown_text(found["full_queue"])),
        spent_group=_spent(shown_text(found["spent_group"])),
        spent_queue=_spent(shown_text(found["spent_queue"])),
    )


def _ended_a_minute(found: dict[str, Any]) -> int:
    share = int(found["now"]) % 60_000 / 60_000
    counts = per_minute(counters(found["minute"]), counters(found["last_minute"]), share)
    return counts["completed"] + counts["dead"]


def _hold(text: str) -> GroupHold | None:
    """text: `1760000030000 email-01a2…`, or ""."""
    until_ms, _, job_id = text.partition(" ")
    return GroupHold(int(until_ms), job_id) if text else None


def _full(text: str) -> FullLimit | None:
    """text: `2|2|email-01a2…,email-01a3…`, or ""."""
    limit, running, job_ids = (text or "0|0|").split("|", 2)
    return FullLimit(int(limit), int(running), tuple(filter(None, job_ids.split(",")))) if text else None


def _spent(text: str) -> SpentRate | None:
    """text: `100/60000|1760000030000`, or ""."""
    rate, _, until_ms = text.partition("|")
    return SpentRate(rate_from(rate), int(until_ms)) if text else None
