"""What Redis knows of one job and its queue, for who asks why the job does not run.

    facts = await ExplanationFacts(link, keys, runners, lease_s=15.0).of("email-0193…")
    explain(facts).reason       # "waiting_its_turn": lib/jobs/explanation.py

One call of explain.lua, which changes nothing. Only where no runner serves the job's queue are other queues asked too.
"""

from typing import Any, cast

from lib.ids import queue_of
from lib.jobs.explanation import needs_runner
from lib.jobs.job_facts import JobFacts, Precision
from lib.queue.framing import named, optional_number
from lib.queue.job_record import record_from
from lib.queue.job_store import job_not_found
from lib.queue.keys import RedisKeys
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
        self._keys = keys
        self._scripts = Scripts(link)
        self._runners = runners
        self._lease_ms = round(lease_s * 1000)

    async def of(self, job_id: str) -> JobFacts:
        """Raises JobNotFound."""
        queue = queue_of(job_id)
        if queue is None:
            raise job_not_found(job_id)
        bounds = (MOST_SEARCHED, MOST_LOOKED_INTO, self._lease_ms)
        reply = await self._scripts.call("explain", self._keys.base(queue), job_id, *bounds)
        if not reply:
            raise job_not_found(job_id)
        with understood(queue):
            facts = _facts(job_id, named(reply))
        return facts._replace(served=await self._served()) if needs_runner(facts) else facts

    async def _served(self) -> tuple[str, ...] | None:
        if not await self._runners.count_alive():
            return None
        return tuple(await self._runners.served_queues())


def _facts(job_id: str, found: dict[str, Any]) -> JobFacts:
    return JobFacts(
        record=record_from(job_id, found["record"]),
        now_ms=int(found["now"]),
        is_suspect=bool(found["suspect"]),
        is_paused=bool(found["paused"]),
        unknown_since_ms=optional_number(found["unknown_since"]),
        blocked_since_ms=optional_number(found["blocked_since"]),
        runners=found["runners"],
        slots=found["slots"],
        beat_ms=optional_number(found["beat"]),
        ended_a_minute=optional_number(found["ended"]) or 0,
        ahead=found["before"] if isinstance(found["before"], int) else None,
        precision=cast(Precision, found["precision"].decode()),
    )
