"""One queue in numbers, read from the reply of census.lua. Pure.

census_from("email", reply)   ->   Census("email", {"ready": 3, "active": 1, …}, workers=2, …)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lib.jobs import queue_settings
from lib.queue.framing import counters, named, shown_text, texts
from lib.queue.keys import INDEXED
from lib.queue.meters import OLD_TYPE


class Limited(NamedTuple):
    """Why no job of a queue may start now, though some wait: `by` its `rate` or its `concurrency`.

    until_ms: when the rate lets the next one start, by Redis' clock; None for a concurrency.
    """

    by: str
    until_ms: int | None


class Census(NamedTuple):
    """One queue in numbers.

    counts: state -> jobs. workers: runners that are alive. per_minute: event -> count in about the last 60 s. tallies:
    event and type, as in "completed email", -> count since the queue began; "other" is every type beyond the first
    few hundred. settings: what queue_settings.shown gives, {"paused": False, "max_depth":
    None, …} where nothing was set. limited: which of the queue's own limits keeps its jobs waiting now, if one does.
    lines: how many groups wait for their turn (waiting), for a job of theirs to end (full), or for a time (resting),
    and how many of the latter are held by a job of theirs (held); how many have strikes, with ready jobs or without
    (struck); empty where the queue has no groups. dead_lately: jobs that have died within an hour, and are dead still.
    at_ms: Redis' clock when the queue was counted.
    """

    queue: str
    counts: dict[str, int]
    workers: int
    oldest_ready_age_s: float | None
    per_minute: dict[str, int]
    tallies: dict[str, int]
    settings: Mapping[str, Any]
    limited: Limited | None
    lines: Mapping[str, int]
    dead_lately: int
    at_ms: int

    @property
    def oldest_ready_ms(self) -> int | None:
        """Since when the oldest ready job waits; None where none does."""
        return None if self.oldest_ready_age_s is None else self.at_ms - round(self.oldest_ready_age_s * 1000)

    @property
    def totals(self) -> dict[str, int]:
        """event -> count since the queue began: {"completed email": 12, "completed sms": 3} -> {"completed": 15}."""
        sums: dict[str, int] = {}
        for name, count in self.tallies.items():
            event = name.partition(" ")[0]
            sums[event] = sums.get(event, 0) + count
        return sums

    @property
    def totals_by_type(self) -> dict[str, dict[str, int]]:
        """type -> event -> count: {"completed email": 12, "completed sms": 3} -> {"email": {"completed": 12}, …}."""
        found: dict[str, dict[str, int]] = {}
        for name, count in sorted(self.tallies.items()):
            event, _, type_name = name.partition(" ")
            found.setdefault(type_name or OLD_TYPE, {})[event] = count
        return found


def census_from(queue: str, reply: list[Any]) -> Census:
    """The census of a queue. Raises ValueError for what no script of Waybill wrote."""
    found = named(reply)
    counts = {state: int(found[state]) for state in INDEXED}
    active = int(found["active"])
    now_ms, oldest = int(found["now"]), found["oldest"]
    return Census(
        queue=queue,
        counts={"ready": max(0, int(found["all"]) - active - sum(counts.values())), "active": active, **counts},
        workers=int(found["runners"]),
        oldest_ready_age_s=max(0, now_ms - int(oldest)) / 1000 if oldest else None,
        per_minute=per_minute(counters(found["minute"]), counters(found["last_minute"]), now_ms % 60_000 / 60_000),
        tallies=counters(found["totals"]),
        settings=queue_settings.shown(texts(found["settings"])),
        limited=_limited(shown_text(found["limited"])),
        lines=counters(found["lines"]),
        dead_lately=int(found["dead_lately"]),
        at_ms=now_ms,
    )


def _limited(text: str) -> Limited | None:
    """`rate 1764410000123` or `concurrency`; "" where the queue's own limits let a job start."""
    by, _, until_ms = text.partition(" ")
    return Limited(by, int(until_ms) if until_ms else None) if by else None


def per_minute(this: dict[str, int], last: dict[str, int], share: float) -> dict[str, int]:
    """What this minute has so far, and the share of the last minute that lies within the last 60 s."""
    names = ("enqueued", "completed", "retried", "dead", "cancelled")
    return {name: this.get(name, 0) + round(last.get(name, 0) * (1 - share)) for name in names}
