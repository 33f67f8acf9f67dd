"""The steps of upkeep in a queue: survey it, make due jobs ready, end expired jobs, take back jobs whose
callback is overdue, forget old jobs, mend its groups, keep its numbers over time.

Each step is one script, which does a bounded part of the work and says whether there is more. Steps are safe from any
number of supervisors at once: no supervisor leads. work/supervisor/upkeep.py decides which queue gets which step when.
"""

from math import inf
from typing import NamedTuple

from lib.jobs.period_stats import KEPT_MS
from lib.queue.framing import exact_text, named
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

PROMOTED_AT_ONCE = 500  # More would hold Redis for over 10 ms; likewise for the next number.
ENDED_AT_ONCE = 200
MENDED_AT_ONCE = 100
PERIODS_AT_ONCE = 50
MOST_GRAVES = 1000
MANY = 10**8


class Retention(NamedTuple):
    """How many finished jobs a queue keeps, and for how long. Cancelled jobs are kept as completed ones are."""

    completed: int
    completed_s: float
    dead_s: float
    dead: int = MANY

    @property
    def arguments(self) -> tuple[int, int, int, int]:
        """As survey.lua and trim.lua take them: times in ms."""
        return self.completed, round(self.completed_s * 1000), round(self.dead_s * 1000), self.dead


class Survey(NamedTuple):
    """What upkeep finds in one queue.

    suspects: how many jobs wait to run alone. dead_runners: ids of runners that were reaped or left, and whose active
    list holds jobs again. beats: runner id -> its beat, `17:1764410000123`, or `none` for a registration without one.
    wait_s: seconds until a job will be due, expire or be trimmed without anybody doing anything, or until a slot of a
    schedule is due. slot_wait_s: seconds until the latter alone. is_rationed: the queue has limits or groups, so that
    `mend` is to be called. untold_s: for how long the oldest notice has waited to be told; None where there is none.
    is_asking: jobs that wait for others are to ask what has become of these. (notices.py does both.) is_overdue: a
    callback has not come in time. needs_rollup: numbers of a period that is over are to be kept.
    """

    is_due: bool
    is_expiring: bool
    is_trimmable: bool
    suspects: int
    dead_runners: list[str]
    beats: dict[str, str]
    wait_s: float = inf
    is_rationed: bool = False
    slot_wait_s: float = inf
    untold_s: float | None = None
    is_asking: bool = False
    is_overdue: bool = False
    needs_rollup: bool = False

    @property
    def is_busy(self) -> bool:
        """True if there is something to do, or to watch, in the next round as well."""
        todo = (self.is_due, self.is_expiring, self.is_trimmable, self.is_rationed, self.is_asking, self.is_overdue)
        return self.untold_s is not None or any((*todo, self.suspects, self.dead_runners, self.beats))


class UpkeepSteps:
    """The steps, for any queue."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)

    async def now_ms(self) -> int:
        """Redis' clock, in ms since 1970: the steps go by it."""
        return await now_ms(self._link)

    async def survey(self, queue: str, retention: Retention) -> Survey:
        """What upkeep finds to do in the queue. Changes nothing."""
        arguments = (*retention.arguments, MOST_GRAVES)
        reply = await self._scripts.call("survey", self._keys.base(queue), *arguments)
        found = named(reply)
        # Runner ids are read exactly: one that somebody wrote by hand may be any bytes, and is sent to Redis again.
        beats = [exact_text(item) for item in found["beats"]]
        dead_runners, wait_ms = found["dead_runners"], found["wait"]
        return Survey(
            is_due=bool(found["due"]),
            is_expiring=bool(found["expiring"]),
            is_trimmable=bool(found["trimmable"]),
            suspects=int(found["suspects"]),
            dead_runners=exact_text(dead_runners).split(",") if dead_runners else [],
            beats=dict(zip(beats[::2], beats[1::2], strict=True)),
            wait_s=int(wait_ms) / 1000 if wait_ms else inf,
            is_rationed=bool(found["rationed"]),
            slot_wait_s=int(found["slot"]) / 1000 if found["slot"] else inf,
            untold_s=int(found["notices"]) / 1000 if found["notices"] else None,
            is_asking=bool(found["asking"]),
            is_overdue=bool(found["overdue"]),
            needs_rollup=bool(found["rollup"]),
        )

    async def promote(self, queue: str) -> bool:
        """Make ready up to PROMOTED_AT_ONCE delayed jobs that are due. True if there are more."""
        _, more = await self._scripts.call("promote", self._keys.base(queue), PROMOTED_AT_ONCE, "")
        return bool(more)

    async def expire(self, queue: str) -> tuple[list[str], bool]:
        """End up to ENDED_AT_ONCE jobs that have not begun in time. Returns their ids, and True if more may wait."""
        more, *ids = await self._scripts.call("expire", self._keys.base(queue), ENDED_AT_ONCE)
        return [job_id.decode() for job_id in ids], bool(more)

    async def take_back_overdue(self, queue: str) -> tuple[list[str], bool]:
        """Run up to ENDED_AT_ONCE jobs again whose callback has not come in time, or end them where no attempt is left.
        Returns as `expire` does."""
        more, *ids = await self._scripts.call("overdue", self._keys.base(queue), ENDED_AT_ONCE)
        return [job_id.decode() for job_id in ids], bool(more)

    async def trim(self, queue: str, retention: Retention) -> bool:
        """Forget up to ENDED_AT_ONCE finished jobs that `retention` does not keep. True if there are more."""
        _, more = await self._scripts.call("trim", self._keys.base(queue), *retention.arguments, ENDED_AT_ONCE)
        return bool(more)

    async def roll_up(self, queue: str) -> bool:
        """Keep the numbers of up to PERIODS_AT_ONCE periods that are over, for GET /api/stats. True if there are
        more."""
        return bool(await self._scripts.call("rollup", self._keys.base(queue), PERIODS_AT_ONCE, KEPT_MS))

    async def mend(self, queue: str) -> tuple[int, bool]:
        """Put right what is wrong with the next MENDED_AT_ONCE groups of a queue with limits or groups, and forget
        those without jobs. Each call goes on where the last one ended. Returns how many groups were mended, and True
        if others are to be looked at at once."""
        mended, more = await self._scripts.call("mend", self._keys.base(queue), MENDED_AT_ONCE)
        return int(mended), bool(more)
