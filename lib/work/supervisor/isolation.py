"""Which suspects run at this moment, each in which isolation runner, and whose slots they take.

A job that was aboard two crashed runners is a suspect (reap.lua), and runs in a process that has no other job. Called
by the supervisor, which starts the runners, hears them, and says what Redis has:
1. For each suspect that may run, a slot of its queue is set apart at a place: a limit is never exceeded, so the runner
   that serves there has one less (quota.py). At most half of a queue's slots, so that the jobs that wait behind the
   suspects go on beside them; where there is but one, that one.
2. The slot is free, and an isolation runner too: it is asked to run one suspect of that queue, whichever is next.
3. It says that it has, or that there was none left: the slot is the next suspect's, or its place's again.
4. It dies: the suspect was alone with it. The slot is the next suspect's, as above; another runner is started.

Supervisors know nothing of each other: each claim of a suspect is one atomic script, so none runs twice. Of those that
became suspects together the one that was claimed last is next: who runs when a runner dies young is likelier to blame.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lib.work.supervisor.child import Child
from lib.work.supervisor.quota import Quota
from lib.work.supervisor.stand_by import StandBy, Width


class Loan:
    """One slot of a queue that a place has set apart. runner: who was asked to run a suspect in it, None so far."""

    def __init__(self, queue: str, place: Quota) -> None:
        self.queue = queue
        self.place = place
        self.runner: Child | None = None


class Isolation:
    """limits: of the queues, at each of the places. most: isolation runners at a time. Times are monotonic."""

    def __init__(self, limits: Mapping[str, int], places: Sequence[Quota], most: int) -> None:
        self._places = places
        self._most_of = {queue: max(1, limit * len(places) // 2) for queue, limit in limits.items()}
        self._stand_by = StandBy()
        self._width = Width(most)
        self._runners: list[Child] = []
        self._leaving: set[Child] = set()
        self._loans: list[Loan] = []
        self._waiting: dict[str, int] = {}
        self._asked_s = 0.0
        self._turns: dict[str, int] = {}
        """queue -> the number of the last loan that was its; the lowest is next."""
        self._loans_made = 0
        self.has_failed = False
        """Whether the last one could not be started, or died at its start: none is started until this is taken back."""

    # What the supervisor sees.

    def found(self, suspects: Mapping[str, int], asked_s: float) -> None:
        """So many suspects wait in each queue that has any. asked_s: when Redis was asked; the latest word counts."""
        if asked_s >= self._asked_s:
            self._asked_s = asked_s
            self._waiting = {queue: suspects[queue] for queue in self._most_of if suspects.get(queue)}

    def born(self, runner: Child) -> None:
        self._runners.append(runner)

    def looked(self, runner: Child, message: Mapping[str, Any]) -> None:
        """It has run the suspect that it was asked to run; or has found none."""
        if not message.get("found"):
            self._waiting.pop(str(message.get("queue")), None)
        # One that retires has a handler that goes on: its slot is used for as long as it lives.
        if not runner.is_retiring:
            self._end_loan(runner)

    def gone(self, runner: Child) -> None:
        """Its process has ended, and Redis has what it held."""
        self._end_loan(runner)
        self._leaving.discard(runner)
        self._runners.remove(runner)

    def crash_seen(self, child: Child, now_s: float) -> None:
        """A runner, of whatever kind, died by no order of ours."""
        self._stand_by.crash_seen(now_s, has_served=child.has_ticked, was_alone=child.is_alone)
        if child.is_alone and not child.has_ticked:
            self.has_failed = True
            self._width.died_unborn(now_s, len(self._runners))

    # What comes of it.

    def settle(self, now_s: float) -> None:
        """Set slots apart, ask runners that are free, send home those that nobody needs."""
        before = [place.lent for place in self._places]
        self._set_apart(self._width.most(now_s))
        self._ask()
        for place, lent in zip(self._places, before, strict=True):
            if place.lent != lent:
                place.tell()
        if self._loans:
            self._stand_by.suspects_seen(now_s)
        self._send_home(self._wanted(now_s))

    def is_short(self, now_s: float, *, is_served: bool) -> bool:
        """Whether another runner is to be started. is_served: jobs that are no suspects have a runner.

        One at a time: the next one when the last has said a word, so that no herd of interpreters starts where a runner
        has just died of too little memory. For no suspect yet, none before a runner is back that all jobs wait for.
        """
        staying = [runner for runner in self._runners if runner not in self._leaving]
        if self.has_failed or not all(runner.has_ticked for runner in staying):
            return False
        return len(staying) < self._wanted(now_s) and (is_served or bool(self._loans))

    def _wanted(self, now_s: float) -> int:
        return max(self._width.wanted(len(self._loans), now_s), self._stand_by.is_wanted(now_s))

    def _set_apart(self, most: int) -> None:
        """Anew each time: where a slot has become free meanwhile, it is taken there."""
        self._loans = [loan for loan in self._loans if loan.runner is not None]
        for place in self._places:
            place.lent = Counter(loan.queue for loan in self._loans if loan.place is place)
        waiting = dict(self._waiting)
        while len(self._loans) < most and (queue := self._next(waiting)):
            waiting[queue] -= 1
            place = max(self._places, key=functools.partial(Quota.spare, queue=queue))
            place.lent[queue] += 1
            self._loans.append(Loan(queue, place))

    def _next(self, waiting: Mapping[str, int]) -> str | None:
        """The queue whose suspect is next: one with the fewest that run, and of these, who had no turn for longest."""
        running = Counter(loan.queue for loan in self._loans)
        may = [queue for queue, count in waiting.items() if count > 0 and running[queue] < self._most_of[queue]]
        return min(may, key=lambda queue: (running[queue], self._turns.get(queue, 0)), default=None)

    def _ask(self) -> None:
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
        """Whether nobody uses the slot any more, neither a runner of the place nor an isolation runner."""
        queue, place = loan.queue, loan.place
        in_use = sum(other.runner is not None for other in self._loans if (other.queue, other.place) == (queue, place))
        return in_use + place.used(queue) < place.limit(queue)

    def _free_runner(self) -> Child | None:
        busy = {loan.runner for loan in self._loans} | self._leaving
        return next((runner for runner in self._runners if _is_ready(runner) and runner not in busy), None)

    def _send_home(self, wanted: int) -> None:
        while len(self._runners) - len(self._leaving) > wanted and (runner := self._free_runner()):
            self._leaving.add(runner)
            runner.pipe.send(do="drain")

    def _end_loan(self, runner: Child) -> None:
        self._loans = [loan for loan in self._loans if loan.runner is not runner]


def _is_ready(runner: Child) -> bool:
    return runner.has_ticked and not runner.is_retiring and runner.process.returncode is None
