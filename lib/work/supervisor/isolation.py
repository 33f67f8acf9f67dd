"""Decides which suspects run at this moment, in which isolation runner, and which job slots they take.

A suspect is a job that two crashed runners had held (reap.lua). It runs in an isolation runner: a process without any
other job. isolation_runners.py starts isolation runners, reads their messages and asks Redis for suspects; this module
decides what is to be done:
1. For each suspect that may run, a slot of its queue is set apart in a quota, and the quota's serving runner has one
   slot less (quota.py): suspects and other jobs together never exceed the queue's limit. At most half of a queue's
   slots are set apart, so that other jobs go on beside the suspects. The only slot of a queue may be set apart as well.
2. Once the slot is free, a free isolation runner is asked to run one suspect of the queue.
3. The runner answers that the suspect has run, or that no suspect was left. The slot goes to the next suspect, or back
   to the quota.
4. Or the runner dies: the suspect ran alone, so the suspect is to blame. The slot goes to the next suspect or back to
   the quota, as in 3, and another isolation runner is started.

Several supervisors do this without knowing of each other: each claim of a suspect is one atomic script, so no suspect
runs twice. Of jobs that became suspects together the last claimed runs first: when a runner dies soon after a claim,
the job of that claim is the likeliest to blame.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lib.work.supervisor.quota import Quota
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.stand_by import StandBy, Width


class Loan:
    """One slot of a queue that a quota has set apart. runner: the isolation runner that was asked to use it."""

    def __init__(self, queue: str, quota: Quota) -> None:
        self.queue = queue
        self.quota = quota
        self.runner: RunnerChild | None = None


class Isolation:
    """limits: queue -> its slots in each quota. most: ISOLATION_RUNNERS, so many at a time. Times are monotonic."""

    def __init__(self, limits: Mapping[str, int], quotas: Sequence[Quota], most: int) -> None:
        self._quotas = quotas
        self._most_of = {queue: max(1, limit * len(quotas) // 2) for queue, limit in limits.items()}
        """queue -> how many of its slots may be set apart, in all quotas together."""
        self._stand_by = StandBy()
        self._width = Width(most)
        self._runners: list[RunnerChild] = []
        self._leaving: set[RunnerChild] = set()
        self._loans: list[Loan] = []
        self._waiting: dict[str, int] = {}
        """queue -> how many suspects wait there, less those that were asked for since Redis said so."""
        self._asked_s = 0.0
        """When Redis was asked."""
        self._turns: dict[str, int] = {}
        """queue -> the number of the last loan from it. The queue with the lowest is next."""
        self._loans_made = 0
        self.has_failed = False
        """Whether the last runner could not be started, or died at its start. While this is set, none is started."""

    # What the supervisor has seen.

    def suspects_found(self, suspects: Mapping[str, int], asked_s: float) -> None:
        """suspects: queue -> how many suspects wait in it. asked_s: when Redis was asked; an answer that is older than
        the last one is ignored."""
        if asked_s >= self._asked_s:
            self._asked_s = asked_s
            self._waiting = {queue: suspects[queue] for queue in self._most_of if suspects.get(queue)}

    def runner_started(self, runner: RunnerChild) -> None:
        """Another isolation runner's process has been started."""
        self._runners.append(runner)

    def suspect_done(self, runner: RunnerChild, message: Mapping[str, Any]) -> None:
        """The runner has run the suspect that it was asked to run, or found none: {"queue": "q", "found": false}."""
        if not message.get("found"):
            self._waiting.pop(str(message.get("queue")), None)
        # In a runner that retires a handler goes on: its slot is in use for as long as the runner lives.
        if not runner.is_retiring:
            self._end_loan(runner)

    def runner_ended(self, runner: RunnerChild) -> None:
        """An isolation runner's process has ended, and its jobs are taken back."""
        self._end_loan(runner)
        self._leaving.discard(runner)
        self._runners.remove(runner)

    def crash_seen(self, runner: RunnerChild, now_s: float) -> None:
        """A runner of any kind has died, and the supervisor had not killed it."""
        self._stand_by.crash_seen(now_s, has_served=runner.has_ticked, was_alone=runner.is_alone)
        if runner.is_alone and not runner.has_ticked:
            self.has_failed = True
            self._width.died_at_start(now_s, len(self._runners))

    # What is done about it.

    def settle(self, now_s: float) -> None:
        """Set slots apart, ask free runners for suspects, have runners leave that nobody needs."""
        before = [quota.lent for quota in self._quotas]
        self._set_apart(self._width.most(now_s))
        self._ask()
        for quota, lent in zip(self._quotas, before, strict=True):
            if quota.lent != lent:
                quota.grant_free()
        if self._loans:
            self._stand_by.suspects_seen(now_s)
        self._dismiss_beyond(self._wanted(now_s))

    def is_short(self, now_s: float, *, is_served: bool) -> bool:
        """Whether another isolation runner is to be started. is_served: the jobs that are no suspects have a runner.

        One is started at a time, the next when the last has ticked: where a runner has just died of too little memory
        a herd of interpreters must not start. While no suspect has a slot, a serving runner comes first.
        """
        staying = [runner for runner in self._runners if runner not in self._leaving]
        if self.has_failed or not all(runner.has_ticked for runner in staying):
            return False
        return len(staying) < self._wanted(now_s) and (is_served or bool(self._loans))

    def _wanted(self, now_s: float) -> int:
        return max(self._width.wanted(len(self._loans), now_s), self._stand_by.is_wanted(now_s))

    def _set_apart(self, most: int) -> None:
        """Set up to `most` slots apart. Loans without a runner are made anew each time: a slot may have become free in
        another quota meanwhile."""
        self._loans = [loan for loan in self._loans if loan.runner is not None]
        for quota in self._quotas:
            quota.lent = Counter(loan.queue for loan in self._loans if loan.quota is quota)
        waiting = dict(self._waiting)
        while len(self._loans) < most and (queue := self._next(waiting)):
            waiting[queue] -= 1
            quota = max(self._quotas, key=functools.partial(Quota.spare, queue=queue))
            quota.lent[queue] += 1
            self._loans.append(Loan(queue, quota))

    def _next(self, waiting: Mapping[str, int]) -> str | None:
        """The queue whose suspect is next: one with the fewest loans; of several, the one with the oldest last loan."""
        running = Counter(loan.queue for loan in self._loans)
        may = [queue for queue, count in waiting.items() if count > 0 and running[queue] < self._most_of[queue]]
        return min(may, key=lambda queue: (running[queue], self._turns.get(queue, 0)), default=None)

    def _ask(self) -> None:
        """Ask a free runner to run a suspect, for each loan whose slot is free."""
        for loan in self._loans:
            runner = self._free_runner()
            if runner is None:
                return
            if loan.runner is None and self._is_free(loan):
                loan.runner = runner
                self._waiting[loan.queue] -= 1
                self._loans_made += 1
                self._turns[loan.queue] = self._loans_made
                runner.pipe.send(do="look", queue=loan.queue)

    def _is_free(self, loan: Loan) -> bool:
        """Whether nobody uses the slot any more, neither a runner of the quota nor an isolation runner."""
        queue, quota = loan.queue, loan.quota
        in_use = sum(other.runner is not None for other in self._loans if (other.queue, other.quota) == (queue, quota))
        return in_use + quota.used(queue) < quota.limit(queue)

    def _free_runner(self) -> RunnerChild | None:
        busy = {loan.runner for loan in self._loans} | self._leaving
        return next((runner for runner in self._runners if _is_ready(runner) and runner not in busy), None)

    def _dismiss_beyond(self, wanted: int) -> None:
        while len(self._runners) - len(self._leaving) > wanted and (runner := self._free_runner()):
            self._leaving.add(runner)
            runner.pipe.send(do="drain")

    def _end_loan(self, runner: RunnerChild) -> None:
        self._loans = [loan for loan in self._loans if loan.runner is not runner]


def _is_ready(runner: RunnerChild) -> bool:
    return runner.has_ticked and not runner.is_retiring and runner.process.returncode is None
