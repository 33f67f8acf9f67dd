"""The walk of walk.py in a queue with groups and limits, which come and go while jobs run.

    python -m tests.redis.walk_limits [--seconds 60] [--seed 7]

Beside what walk.py says, after each step

- every group with a waiting id has its turn, or is full, or rests, and `running` holds what runs (lines.py);
- no more jobs of a group, or of the queue, began than its concurrency and its rate allow, by Redis' own `started`; none
  of a group that is paused, or rests (limits_judge.py);
- a claim that brought less than it was asked for left no job behind that might have run.
"""

import sys
from collections.abc import Awaitable, Callable

from lib.jobs.job import NewJob
from lib.jobs.state import BLOCKED, FINISHED, WAITING
from lib.queue.end_record import EndRecord, fail_record
from lib.redis_link.link import RedisLink
from tests.redis.grouped import held_record, reply_from
from tests.redis.limits_judge import LimitsJudge
from tests.redis.lines import LETTERS, read_lines
from tests.redis.walk import ERROR, QUEUE, Walk, main
from tests.system.oracle import Client

LIVING = (*WAITING, BLOCKED, "active")
GROUPS = ("a", "b", "tenant:42/x", "d")
QUEUE_LIMITS = {
    "concurrency": ("", "", "1", "2", "4"),
    "rate": ("", "", "3/100", "1/40", "7/1000"),
    "group_concurrency": ("", "1", "1", "2"),
    "group_rate": ("", "", "2/80", "1/30"),
    "group_max_depth": ("", "", "3"),
}
OWN_LIMITS = ("", "", "1||", "3|1/50|", "|2/60|", "||1", "2||")


class LimitedWalk(Walk):
    """A walk in which every other job has a group, and limits change."""

    def __init__(self, link: RedisLink, client: Client, seed: int) -> None:
        super().__init__(link, client, seed)
        self._groups: tuple[str, ...] = GROUPS
        self._moves["drain"] = {(state, after) for state in LIVING for after in FINISHED}
        self.judge = LimitsJudge(client, self._base)

    def _steps(self) -> dict[Callable[[], Awaitable[str]], int]:
        return {
            **super()._steps(),
            self._limit: 5,
            self._limit_one_group: 3,
            self._release: 2,
            self._page_of_groups: 2,
            self._mend: 3,
            self._ring_out: 3,
            self._change_who_has_groups: 1,
            self._become_plain: 2,
        }

    def _judge_more(self) -> None:
        self.judge.judge()

    def _judge_claim(self, reply: list[bytes], limit: int, source: str) -> None:
        found = reply_from(reply)
        if source == "ready" and len(found.jobs) < limit and not (found.jobs and self.judge.lines.is_limited):
            self.judge.expect_idle(found.state, found.now_ms)

    # What is done otherwise than in a queue without groups.

    def _new_job(self) -> NewJob:
        return super()._new_job()._replace(group=self._rng.choice((*self._groups, "")))

    def _ending(self, script: str, job_id: str, token: int) -> EndRecord:
        if script == "fail" and self._rng.random() < 0.2:
            return held_record(job_id, token, self._rng.choice((1, 30, 200)))
        if script == "fail" and self._rng.random() < 0.1:
            return fail_record(job_id, token, ERROR, self._rng.choice((0, 0.02, 60, None)), strike="LinkLost: x")
        return super()._ending(script, job_id, token)

    # Steps.

    async def _limit(self) -> str:
        """Set a limit of the queue, or take it away."""
        name = self._rng.choice(sorted(QUEUE_LIMITS))
        await self._call("adjust", QUEUE, *self._keyed(), name, self._rng.choice(QUEUE_LIMITS[name]))
        return "adjust"

    async def _limit_one_group(self) -> str:
        group, text = self._rng.choice(GROUPS), self._rng.choice(OWN_LIMITS)
        had = group in self.judge.lines.own_limits
        answer = await self._call("limit_group", group, text)
        known = b"done" if text or had else b"missing"
        assert answer == known, f"limit_group {group} {text!r}: {answer}"
        return "limit_group"

    async def _release(self) -> str:
        group = self._rng.choice(GROUPS)
        answer = await self._call("release_group", group, *self._keyed())
        known = b"done" if {group} & {*self.judge.lines.held, *self.judge.lines.strikes} else b"missing"
        assert answer in (known, b"replayed", b"conflict"), f"release_group {group}: {answer}"
        return "release_group"

    async def _page_of_groups(self) -> str:
        """All pages of the groups name each once, with as many jobs as wait and run."""
        lines, after = self.judge.lines, ""
        found: dict[str, tuple[int, int]] = {}
        while True:
            following, *fields = [
                one.decode() if isinstance(one, bytes) else str(one) for one in await self._call("groups", after, 2)
            ]
            found |= {fields[at]: (int(fields[at + 1]), int(fields[at + 2])) for at in range(0, len(fields), 7)}
            if not following:
                break
            after = following
        running = {group: len(ids) for group, ids in lines.running.items() if group}
        assert running == {group: count for group, (_, count) in found.items() if count}, f"{running}: {found}"
        for group, (ready, _) in found.items():
            ids = [(priority, one) for priority in LETTERS for one in lines.waiting[priority].get(group, [])]
            live = [one for priority, one in ids if _is_live(lines.jobs.get(one), LETTERS[priority])]
            assert len(live) <= ready <= len(ids), f"{group} has {ready} ready, {len(live)} of {len(ids)} wait"
        return "groups"

    async def _mend(self) -> str:
        """Where nothing is broken mend changes no job."""
        await self._call("mend", 100)
        return "mend"

    async def _ring_out(self) -> str:
        """A BRPOPLPUSH on `bells`, with its claim behind it most of the time."""
        runner = self._runner(may_be_alone=False)
        assert runner is not None
        await self._link.call("RPOPLPUSH", f"{self._base}bells", self._keys.active(QUEUE, runner))
        return await self._claim("popped") if self._rng.random() < 0.7 else "claim"

    async def _change_who_has_groups(self) -> str:
        self._groups = self._rng.choice(((), ("a",), GROUPS))
        return "nothing"

    async def _become_plain(self) -> str:
        """All jobs run, all limits go, and no new job has a group: runners claim by claim.lua again."""
        self._groups = ()
        await self._call("adjust", QUEUE, "", "", *(item for name in QUEUE_LIMITS for item in (name, "")))
        await self._drain()
        await self._mend()
        await self._mend()
        reply = await self._ask(next(runner for runner in self.held if not runner.endswith(".alone")), 1, "ready")
        assert "rationed" not in self._settings(), f"the queue is not plain: {reply}, {self._settings()}"
        return "drain"

    def _settings(self) -> dict[str, str]:
        return read_lines(self._client, self._base).meta

    async def _let_all_run(self) -> None:
        """Concurrency and rates stay as they are: with them, too, everything ends."""
        for group in GROUPS:
            await self._call("release_group", group, "", "")
            await self._call("limit_group", group, "")


def _is_live(job: dict[str, str] | None, letter: str) -> bool:
    """Whether the id of this job in its line is to be taken: the job was not deleted, nor cancelled in its place."""
    return job is not None and letter not in job.get("listed", "")


if __name__ == "__main__":
    sys.exit(main(LimitedWalk))
