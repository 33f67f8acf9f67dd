"""The words in which an explanation (explanation.py) speaks of the jobs that a job waits for, or was ended by. Pure.

    waiting_text(facts, …)     2 of 5 jobs have not ended: fetch (active for 12 s on vm.4711.a), b (retry 3/5 in 40 s)
    ended_by_text(facts, …)    because of fetch (dead: SMTPError: 421 try later)

Each parent is looked at one step deep: of a parent that is blocked itself it is said that it is, and not by whom.
"""

from collections.abc import Callable, Mapping
from typing import Final

from lib.jobs import explanation_words as words
from lib.jobs.edges import OF_ANCHOR, OF_MEMBERS, EdgeClass, KnownEdge
from lib.jobs.job import JobRecord
from lib.jobs.job_facts import JobFacts, ParentFacts
from lib.jobs.state import BLOCKED, FINISHED

ReasonOf = Callable[[JobFacts], str]
"""The reason why a job does not run, as explanation.py finds it: `running`, say."""

MOST_PARENTS = 5
ERROR_CHARS = 100
ENDED_BY: Final[Mapping[str, tuple[EdgeClass, ...]]] = {
    "parent_failed": ("bad",),
    "parent_gone": ("lost",),
    "parent_cancelled": ("cut",),
    "skipped": ("off",),
    "jobs_failed": ("bad", "lost", "cut"),
}
"""The type of the error of a job that its parents ended -> the classes of the edges that did so."""
MARKS: Final[Mapping[str, str]] = {
    "c": "completed",
    "d": "dead",
    "x": "cancelled, because a job before it failed",
    "k": "cancelled",
    "s": "skipped",
    "g": "gone",
    "o": "open",
}


def edges_to_show(record: JobRecord) -> tuple[KnownEdge, ...]:
    """The edges that explain the job's state: the open edges of a blocked job; the edges by which a job was cancelled
    for its parents, or a workflow failed; none of any other job."""
    if record.state == BLOCKED:
        return _open(record)[0]
    classes = ENDED_BY.get(str((record.error or {}).get("type")), ()) if record.state in FINISHED else ()
    return tuple(edge for edge in record.edges if edge.class_name in classes)


def waiting_text(facts: JobFacts, reason_of: ReasonOf) -> str:
    """What a blocked job waits for, and what keeps it waiting when that is over."""
    found, of = _open(facts.record)
    if not found:
        said = "it waits for a call from outside, or for other jobs of which nothing is known"
    elif found[0].rule in OF_ANCHOR:
        said = f"the job by which it begins has not begun itself: {_list(facts, found, reason_of)}"
    else:
        jobs, have = "job" if of == 1 else "jobs", "has" if len(found) == 1 else "have"
        said = f"{len(found):,} of {of:,} {jobs} {have} not ended: {_list(facts, found, reason_of)}"
    return "; ".join([said, *_fails(facts.record), *_then(facts)])


def ended_by_text(facts: JobFacts, reason_of: ReasonOf) -> str:
    """By which parents a job was ended; "" for a job that ended otherwise."""
    found = edges_to_show(facts.record)
    return f"because of {_list(facts, found, reason_of)}" if found else ""


def _open(record: JobRecord) -> tuple[tuple[KnownEdge, ...], int]:
    """The open edges that decide what becomes of a blocked job, and of how many they are: first its own parents; then
    the job by which its graph begins; and of a workflow that has begun its members."""
    of_members = tuple(sorted((edge for edge in record.edges if edge.rule in OF_MEMBERS), key=_place))
    of_anchor = tuple(edge for edge in record.edges if edge.rule in OF_ANCHOR)
    own = tuple(edge for edge in record.edges if edge.rule not in OF_MEMBERS + OF_ANCHOR)
    for edges in (own, of_anchor, of_members):
        found = tuple(edge for edge in edges if edge.class_name == "open")
        if found:
            return found, len(edges)
    return (), 0


def _fails(record: JobRecord) -> list[str]:
    """That a workflow whose jobs have not all ended will be dead, and for which of them."""
    of_members = [edge for edge in record.edges if edge.rule in OF_MEMBERS]
    lost = [edge for edge in of_members if edge.class_name in ENDED_BY["jobs_failed"]]
    if not lost:
        return []
    first = min(lost, key=lambda edge: (edge.mark != "d", _place(edge)))
    more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
    return [f"it fails already: {_label(first)} ({MARKS[first.mark]}){more}"]


def _place(edge: KnownEdge) -> int:
    """A member's number in the order in which a workflow's jobs can run."""
    place = edge.name.partition("/")[0]
    return int(place) if place.isascii() and place.isdigit() else 0


def _list(facts: JobFacts, edges: tuple[KnownEdge, ...], reason_of: ReasonOf) -> str:
    named = ", ".join(f"{_label(parent.edge)} ({_brief(parent, reason_of)})" for parent in facts.parents)
    more = len(edges) - len(facts.parents)
    return named + (f" and {more:,} more" if more > 0 else "")


def _label(edge: KnownEdge) -> str:
    return edge.shown_name or edge.parent_id


def _brief(parent: ParentFacts, reason_of: ReasonOf) -> str:
    mark, facts = parent.edge.mark, parent.facts
    if facts is None:
        return parent.trouble or MARKS.get(mark, "there is no such job")
    now = BRIEF[reason_of(facts)](facts)
    if mark in MARKS and mark != "o" and facts.record.state not in FINISHED:
        return f"{MARKS[mark]} then, and now {now}"
    return now


def _then(facts: JobFacts) -> list[str]:
    """What else keeps a blocked job from running, as things stand now."""
    queue = facts.record.queue
    if facts.is_paused:
        return [f"then it waits on, for the queue {queue} is paused"]
    if facts.is_group_paused:
        return [f"then it waits on, for its group {facts.group} is paused"]
    return [] if facts.runners or facts.record.is_workflow else [f"then it waits on, for no live worker serves {queue}"]


# What is said of a parent, by the reason for which it has not ended.


def _finished(facts: JobFacts) -> str:
    record = facts.record
    error = words.error_text(record, record.error)[:ERROR_CHARS] if record.state != "completed" else ""
    return f"{record.state}: {error}" if error else record.state


def _running(facts: JobFacts) -> str:
    return f"active for {_for(facts)} on {facts.record.runner_id or 'an unknown worker'}"


def _retry_backoff(facts: JobFacts) -> str:
    record = facts.record
    of = f"/{record.spec.max_attempts}" if record.spec else ""
    return f"retry {record.attempts + 1}{of} in {_due(facts)}"


def _and(facts: JobFacts, more: str) -> str:
    return f"{facts.record.state}, and {more}"


def _held(facts: JobFacts) -> str:
    until_ms = facts.hold.until_ms if facts.hold else facts.now_ms
    return _and(facts, f"its group {facts.group} rests for {words.span_text(until_ms - facts.now_ms)}")


def _concurrency_limited(facts: JobFacts) -> str:
    limit = facts.full_group or facts.full_queue
    of = f"its group {facts.group}" if facts.full_group else "its queue"
    return _and(facts, words.full_text(limit._replace(job_ids=()), of) if limit else "as many run as may")


def _rate_limited(facts: JobFacts) -> str:
    spent = facts.spent_group or facts.spent_queue
    of = f"its group {facts.group}" if facts.spent_group else "its queue"
    until_ms = spent.until_ms if spent else facts.now_ms
    return _and(facts, f"the rate of {of} is used up for {words.span_text(until_ms - facts.now_ms)}")


def _for(facts: JobFacts) -> str:
    return words.span_text(facts.now_ms - (facts.since_ms or facts.now_ms))


def _due(facts: JobFacts) -> str:
    return words.span_text((facts.due_ms or facts.now_ms) - facts.now_ms)


BRIEF: Final[Mapping[str, Callable[[JobFacts], str]]] = {
    "finished": _finished,
    "running": _running,
    "waiting_for_jobs": lambda facts: f"blocked for {_for(facts)}",
    "waiting_for_callback": lambda facts: f"with a service for {_for(facts)}",
    "retry_backoff": _retry_backoff,
    "unknown_type": lambda facts: f"no worker can run it; tried again in {_due(facts)}",
    "delayed": lambda facts: f"due in {_due(facts)}",
    "queue_paused": lambda facts: _and(facts, f"the queue {facts.record.queue} is paused"),
    "group_paused": lambda facts: _and(facts, f"its group {facts.group} is paused"),
    "no_worker": lambda facts: _and(facts, f"no live worker serves {facts.record.queue}"),
    "suspected": lambda facts: _and(facts, "it is to run alone"),
    "held": _held,
    "concurrency_limited": _concurrency_limited,
    "rate_limited": _rate_limited,
    "waiting_its_turn": lambda facts: f"{facts.record.state} for {_for(facts)}",
}
"""A row for each of explanation.REASONS."""
