"""What is wrong with a queue, if anything is, and the order of queues by it: the worst first. Pure.

    trouble_of(census)   ->   Trouble("unserved", 12, "12 jobs wait, and no worker serves this queue")

A queue bears one trouble at most, the first of TROUBLES that it has. Who pauses a queue knows why its jobs wait: a
paused queue is neither `unserved` nor has it a `backlog`.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from lib.queue.census import Census

BACKLOG_S = 60
"""So long may the oldest ready job of a queue wait."""
FAILING_PERCENT = 20
LEAST_ATTEMPTS = 10
"""Of fewer attempts in a minute, the share that failed says nothing."""


class Trouble(NamedTuple):
    """code: a word of TROUBLES. amount: how bad it is; of two queues with one code, the one with more comes first.
    text: a sentence without its full stop, for people."""

    code: str
    amount: int
    text: str


class Place(NamedTuple):
    """Where a queue stands in the order by trouble: by the code, then by the amount, then by the queue's name."""

    rank: int
    less: int
    queue: str


def trouble_of(census: Census) -> Trouble | None:
    """The queue's worst trouble; None where nothing is wrong."""
    for code, found_in in TROUBLES.items():
        amount, text = found_in(census)
        if amount:
            return Trouble(code, amount, text)
    return None


def place_of(queue: str, trouble: Trouble | None) -> Place:
    """The place of a queue with this trouble. A queue without any stands behind all that have one."""
    if trouble is None:
        return Place(len(TROUBLES), 0, queue)
    return Place(list(TROUBLES).index(trouble.code), -trouble.amount, queue)


def _unserved(census: Census) -> tuple[int, str]:
    waiting = 0 if census.workers or census.settings["paused"] else census.counts["ready"]
    return waiting, f"{_jobs(waiting, 'waits', 'wait')}, and no worker serves this queue"


def _dying(census: Census) -> tuple[int, str]:
    return census.dead_lately, f"{_jobs(census.dead_lately, 'has', 'have')} died within the last hour"


def _failing(census: Census) -> tuple[int, str]:
    events = census.per_minute
    failed = events["retried"] + events["dead"]
    attempts = failed + events["completed"]
    percent = failed * 100 // attempts if attempts >= LEAST_ATTEMPTS else 0
    text = f"{percent} % of the attempts of the last minute have failed ({failed} of {attempts})"
    return (percent if percent >= FAILING_PERCENT else 0), text


def _backlog(census: Census) -> tuple[int, str]:
    age_s = 0 if census.settings["paused"] else int(census.oldest_ready_age_s or 0)
    kept_by = f"; the queue's {census.limited.by} lets none start now" if census.limited else ""
    return (age_s if age_s >= BACKLOG_S else 0), f"the oldest ready job has waited for {age_s} s{kept_by}"


def _paused(census: Census) -> tuple[int, str]:
    waiting = census.counts["ready"] if census.settings["paused"] else 0
    return waiting, f"the queue is paused, and {_jobs(waiting, 'waits', 'wait')}"


TROUBLES: Final[Mapping[str, Callable[[Census], tuple[int, str]]]] = {
    "unserved": _unserved,
    "dying": _dying,
    "failing": _failing,
    "backlog": _backlog,
    "paused": _paused,
}
"""Code -> what finds the trouble in a census: its amount, 0 where the queue does not have it, and its sentence."""


def _jobs(count: int, of_one: str, of_many: str) -> str:
    return f"1 job {of_one}" if count == 1 else f"{count} jobs {of_many}"
