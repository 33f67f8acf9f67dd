"""Judges one step of a queue with limits: what began in it, and whether it was allowed to begin.

    judge = LimitsJudge(client, "wb:{q}:")
    …one call of a script…
    judge.expect_idle("", now_ms)   # where a claim handed out less than it was asked for: nothing more might run
    judge.judge()                   # raises AssertionError

A job begins where it is active after the step and was not before. What a claim hands out a second time, for its first
reply was lost, has begun before.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tests.redis.lines import Lines, assert_lines, read_lines
from tests.system.oracle import Client


class Start(NamedTuple):
    """A job that began. ms: by Redis' clock, the job's field `started`. group: '' for none."""

    job_id: str
    group: str
    ms: int


class LimitsJudge:
    """Knows the queue as it was before a step, and every start since the rate that allowed it was set."""

    def __init__(self, client: Client, base: str) -> None:
        self._client = client
        self._base = base
        self.lines = read_lines(client, base)
        self._starts = defaultdict[str, list[int]](list)
        """Group -> when its jobs began; under QUEUE when any job began."""
        self.begun = 0
        self._idle: tuple[str, int] | None = None

    def expect_idle(self, state: str, now_ms: int) -> None:
        """A claim of ready jobs brought less than it was asked for, and said `state`: nothing is left that may run."""
        self._idle = state, now_ms

    def judge(self) -> None:
        """To be called behind each step. Raises AssertionError."""
        before, self.lines = self.lines, read_lines(self._client, self._base)
        assert_lines(self.lines)
        self._forget_starts_of_other_rates(before)
        starts = _starts(before, self.lines)
        self.begun += len(starts)
        for start in starts:
            self._judge_start(before, start)
        self._judge_concurrency(starts)
        idle, self._idle = self._idle, None
        if idle and idle[0] != "more" and "rationed" not in before.meta and "rationed" in self.lines.meta:
            # claim.lua has made a delayed job of a group ready, for which it has no eye: whoever blocks is woken.
            assert self.lines.bells, f"the queue has its first line, and nobody is woken for it: {self.lines.meta}"
        elif idle:
            self._judge_idle(*idle)

    def _forget_starts_of_other_rates(self, before: Lines) -> None:
        """A rate says nothing of jobs that began under another one."""
        if before.queue_limits.rate != self.lines.queue_limits.rate:
            self._starts.pop(QUEUE, None)
        for group in [group for group in self._starts if group != QUEUE]:
            if before.limits_of(group).rate != self.lines.limits_of(group).rate:
                del self._starts[group]

    def _judge_start(self, before: Lines, start: Start) -> None:
        about = f"{start.job_id} of the group {start.group!r} began"
        assert "paused" not in before.meta, f"{about}, and the queue is paused"
        if start.group:
            assert start.group not in before.full, f"{about}, and the group is full"
            assert before.rests_until(start.group) <= start.ms, f"{about}, and the group rests: {before.resting}"
            assert not before.limits_of(start.group).is_paused, f"{about}, and the group is paused"
            self._judge_rate(start.group, before.limits_of(start.group).rate, start.ms)
        self._judge_rate(QUEUE, before.queue_limits.rate, start.ms)

    def _judge_rate(self, name: str, rate: tuple[int, int] | None, ms: int) -> None:
        times = self._starts[name]
        times.append(ms)
        if rate:
            limit, per_ms = rate
            lately = [one for one in times if one > ms - per_ms]
            assert len(lately) <= limit, f"{len(lately)} starts of {name} in {per_ms} ms, {limit} are allowed: {lately}"

    def _judge_concurrency(self, starts: Sequence[Start]) -> None:
        for group in {start.group for start in starts} - {""}:
            active = self.lines.active_by_group[group]
            assert not self.lines.is_full(group, 0), f"{len(active)} of the group {group} run: too many"
        most = self.lines.queue_limits.concurrency
        active_count = sum(map(len, self.lines.active_by_group.values()))
        assert not starts or most is None or active_count <= most, f"{active_count} jobs run, {most} are allowed"

    def _judge_idle(self, state: str, now_ms: int) -> None:
        lines = self.lines
        if state in ("more", "paused"):
            return
        limits = lines.queue_limits
        is_full = limits.concurrency is not None and lines.in_hands >= limits.concurrency
        if state == "limited" and (is_full or limits.rate):
            return
        in_hands = {job_id for ids in lines.active.values() for job_id in ids}
        for job_id, job in lines.jobs.items():
            if job["state"] == "ready" and "suspect" not in job and job_id not in in_hands:
                group = job.get("group", "")
                about = f"a claim found nothing more, and {job_id} of the group {group!r} might run"
                assert group and not lines.may_run(group, now_ms), f"{about}: {lines._replace(jobs={})}"


QUEUE = "the queue"


def _starts(before: Lines, after: Lines) -> list[Start]:
    return [
        Start(job_id, job.get("group", ""), int(job["started"]))
        for job_id, job in after.jobs.items()
        if job["state"] == "active" and before.jobs.get(job_id, {}).get("state") != "active"
    ]
