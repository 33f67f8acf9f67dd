"""The runners of all queues: who is alive, who serves which queue, and how the jobs of a dead runner are taken back.

A runner registers with each queue that it serves (lease.py). From then on its supervisor, or the runner itself, beats
for it: the queue's hash `beats` holds `<counter>:<ms of the last beat>` for each runner, as in `17:1764410000123`. A
runner whose counter stands still for a lease (LEASE_S) is reaped: its jobs go back to their lists. Beside the queues,
`wb:runners` says until when each runner counts as alive, for the one figure that /api/health and /metrics show.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lib import __version__
from lib.queue.fleet import Fleet, Program
from lib.queue.framing import exact_text, optional_object, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import QUEUES_AT_ONCE, Walk
from lib.queue.scripts import Scripts
from lib.queue.unreadable import Unreadable, each_readable
from lib.queue.upkeep_steps import ENDED_AT_ONCE
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms


class RunnerSeen(NamedTuple):
    """A runner as one queue knows it. about: what the runner registered with. active: how many jobs it holds."""

    runner_id: str
    about: dict[str, Any]
    beat_age_s: float | None
    active: int


class Vitals(NamedTuple):
    """What a runner tells of itself with each beat: how much memory it holds, and whether it takes no more jobs."""

    rss_bytes: int
    is_draining: bool

    @property
    def text(self) -> str:
        """As Redis keeps it: "48234496 running"."""
        return f"{self.rss_bytes} {'draining' if self.is_draining else 'running'}"


NO_VITALS: Final[Mapping[str, Vitals]] = {}


class Runners:
    """Every runner, by id. Each of these calls is safe from any number of supervisors at once."""

    def __init__(self, link: RedisLink, keys: RedisKeys, lease_ms: int) -> None:
        """lease_ms: how long after a beat a runner counts as alive that did not register a lease of its own."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._lease_ms = lease_ms

    async def show(self, runner_ids: Sequence[str], lease_s: float) -> None:
        """Count these runners as alive for the next `lease_s` seconds."""
        at_ms = await now_ms(self._link)
        entries = [item for runner_id in runner_ids for item in (at_ms + round(lease_s * 1000), runner_id)]
        await self._link.call("ZADD", self._keys.runners, *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.runners, "-inf", at_ms)

    async def show_version(self, runner_ids: Sequence[str], lease_s: float) -> None:
        """Write into `wb:fleet` that these runners are of this version. To be called before `show`: a runner that lives
        and has no version there is taken for an older one, and features that it knows are refused."""
        programs = [Program("runner", __version__, runner_id) for runner_id in runner_ids]
        await Fleet(self._link, self._keys).show(programs, lease_s)

    async def hide(self, runner_ids: Sequence[str]) -> None:
        """Count these runners as alive no more."""
        await self._link.call("ZREM", self._keys.runners, *runner_ids)

    async def count_alive(self) -> int:
        """How many runners are alive in all queues together. One call, however many queues there are."""
        return int(await self._link.call("ZCOUNT", self._keys.runners, await now_ms(self._link), "+inf"))

    async def count_replacement(self, reason: str) -> None:
        """Count a runner that was replaced (RUNNER_MAX_JOBS, RUNNER_MAX_MB)."""
        await self._link.call("HINCRBY", self._keys.replacements, reason, 1)

    async def replacements(self) -> dict[str, int]:
        """How many runners were replaced so far, by reason, as in {"jobs": 12, "memory": 3}."""
        flat = await self._link.call("HGETALL", self._keys.replacements)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {shown_text(reason): int(count) for reason, count in pairs if count.isdigit()}

    async def beat(
        self, queue: str, runner_ids: Sequence[str], vitals: Mapping[str, Vitals] = NO_VITALS
    ) -> dict[str, bool]:
        """Beat for runners. False for each that is not registered with the queue: it was reaped. vitals: what some of
        these runners tell of themselves."""
        pairs = [word for one in runner_ids for word in (one, vitals[one].text if one in vitals else "")]
        letters = await self._scripts.call("beat", self._keys.base(queue), *pairs)
        return {runner_id: letter == 0x31 for runner_id, letter in zip(runner_ids, letters, strict=True)}

    async def roster(self, queue: str) -> list[RunnerSeen]:
        """The runners that serve a queue and have beaten within their lease."""
        at_ms, *flat = await self._scripts.call("roster", self._keys.base(queue), self._lease_ms)
        seen = []
        for runner_id, about, beat, active in zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True):
            beat_ms = beat.partition(b":")[2]
            age_s = max(0, int(at_ms) - int(beat_ms)) / 1000 if beat_ms.isdigit() else None
            seen.append(RunnerSeen(shown_text(runner_id), optional_object(about) or {}, age_s, int(active)))
        return seen

    async def served_queues(self) -> list[str]:
        """The queues that living runners serve, sorted. If there are more queues than QUEUES_AT_ONCE, about so many of
        them are asked."""
        names = sorted(await Walk(self._link, self._keys, page=QUEUES_AT_ONCE).step())
        rosters = await each_readable(names, self.roster)
        return [name for name, seen in zip(names, rosters, strict=True) if seen and not isinstance(seen, Unreadable)]

    async def reap(
        self,
        queue: str,
        runner_id: str,
        *,
        beat_seen: str = "",
        is_crash: bool = True,
        was_killed: bool = False,
        crash_limit: int,
    ) -> list[str] | None:
        """Take back every job that a runner holds. Returns their ids; None if the runner turned out to be alive.

        beat_seen: the beat that stood still throughout the lease, or "" if the runner's process is known to have ended.
        is_crash: count a crash for each job; behind crash_limit crashes a job is dead. was_killed: its supervisor has
        ended it, where that is no crash.
        """
        held: list[str] = []
        why = "1" if is_crash else "killed" if was_killed else ""
        while True:
            arguments = (runner_id, beat_seen, why, crash_limit, ENDED_AT_ONCE)
            reply = await self._scripts.call("reap", self._keys.base(queue), *arguments)
            if reply == b"alive":
                return None
            more, *ids = reply
            held += [exact_text(job_id) for job_id in ids]
            if not more:
                return held
            # The first call has removed the registration, and the beat with it: there is nothing to compare any more.
            beat_seen = ""
