"""Why a job does not run: what Redis said of the job and its queue goes in, a reason and a sentence come out. Pure.

    explain(JobFacts(record, now_ms, runners=2, slots=40, ended_a_minute=40, ahead=811, precision="exact"))
    -> Explanation("waiting_its_turn", "811 jobs of email are before it; …", ahead=811, eta_s=1217, …)

REASONS is the table: each reason with a function that looks at the facts. The function returns None where the reason
does not hold, else what there is to say. The first reason that holds is the answer, so they stand hardest first: a job
of a paused queue is `queue_paused`, though it would wait its turn as well. A new feature that keeps jobs from running
adds its facts to JobFacts, which lib/queue/explanation_facts.py reads, and a row to REASONS.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from lib.jobs import explanation_words as words
from lib.jobs.job import UNREADABLE_FOR_S
from lib.jobs.job_facts import JobFacts, Precision
from lib.jobs.parent_words import ended_by_text, waiting_text
from lib.jobs.state import BLOCKED, FINISHED


class Told(NamedTuple):
    """What a reason says that holds. until_ms: when the reason is over by itself; None where no time ends it. eta_from:
    a word of ETA_FROM, where there is an eta_s."""

    detail: str
    until_ms: int | None = None
    eta_s: int | None = None
    eta_from: str = "ends_of_last_minute"


ETA_FROM: Final = ("ends_of_last_minute", "rate", "taken")
"""How an eta_s was made: the jobs before it by how many ended in the last minute; by when a rate that is used up allows
so many starts; or a worker has the job in hand."""
AHEAD_PRECISION: Final[Mapping[Precision, str]] = {
    "exact": "exact",
    "taken": "exact",
    "most": "at_most",
    "least": "at_least",
}
"""How exactly it is known how many jobs are before one, in the words of the answer."""


class Explanation(NamedTuple):
    """The answer.

    ahead: how many jobs are before it; None for a job that stands in no list. ahead_precision: a word of
    AHEAD_PRECISION; None where ahead is. eta_s: in how many seconds its turn comes. eta_from: how that was made, a word
    of ETA_FROM; None where eta_s is."""

    reason: str
    detail: str
    ahead: int | None
    ahead_precision: str | None
    eta_s: int | None
    eta_from: str | None
    since_ms: int | None
    until_ms: int | None
    state: str


def explain(facts: JobFacts) -> Explanation:
    """The first of REASONS that holds."""
    for reason, rule in REASONS.items():
        if (told := rule(facts)) is not None:
            return Explanation(
                reason=reason,
                detail="; ".join([told.detail, *_also(facts)]),
                ahead=facts.ahead,
                ahead_precision=None if facts.ahead is None else AHEAD_PRECISION.get(facts.precision),
                eta_s=told.eta_s,
                eta_from=None if told.eta_s is None else told.eta_from,
                since_ms=facts.since_ms,
                until_ms=told.until_ms,
                state=facts.record.state,
            )
    raise AssertionError("the last of REASONS holds always")


def _also(facts: JobFacts) -> list[str]:
    """What is said beside every reason: what was decided about the job, how long it may wait, and its schedule."""
    said: list[str] = []
    if facts.record.state not in FINISHED:
        said += words.no_more_text(facts)
        said += words.limits_text(facts) if facts.record.state != "active" else []
    return said + words.schedule_text(facts)


def _reason_of(facts: JobFacts) -> str:
    return explain(facts).reason


def needs_runner(facts: JobFacts) -> bool:
    """Whether the job is due and no runner lives that may take it: only then is `served` asked for."""
    return not facts.runners and facts.record.state in ("ready", "delayed") and facts.due_ms is None


# The reasons, in their order.


def _finished(facts: JobFacts) -> Told | None:
    record = facts.record
    if record.state not in FINISHED:
        return None
    parts = [f"{record.state} at {words.at(record.finished_ms)}"]
    if record.started_ms is not None:
        parts.append(f"{words.attempt_text(record)}, begun at {words.at(record.started_ms)}")
    if error := words.error_text(record, record.error):
        parts.append(error)
    if culprits := ended_by_text(facts, _reason_of):
        parts.append(culprits)
    return Told("; ".join(parts))


def _running(facts: JobFacts) -> Told | None:
    record = facts.record
    if record.state != "active":
        return None
    until_ms = words.timeout_ms(record)
    begun = f"since {words.at(record.started_ms)}"
    said = (
        f"{words.attempt_text(record)} runs on {record.runner_id or 'an unknown worker'} {begun}",
        words.time_left(facts, until_ms),
        words.progress_text(record.progress),
        f"asked to stop at {words.at(record.cancel_requested_ms)}" if record.cancel_requested_ms is not None else "",
        words.heard(facts),
    )
    return Told("; ".join(part for part in said if part), until_ms)


def _waiting_for_jobs(facts: JobFacts) -> Told | None:
    if facts.record.state != BLOCKED or facts.callback_by_ms is not None:
        return None
    return Told(waiting_text(facts, _reason_of))


def _waiting_for_callback(facts: JobFacts) -> Told | None:
    until_ms = facts.callback_by_ms
    if until_ms is None:
        return None
    record = facts.record
    said = (
        f"{words.attempt_text(record)} was handed over at {words.at(facts.since_ms)}",
        f"the service that took it is to call back by {words.until_text(facts, until_ms)}",
        words.progress_text(record.progress),
        "no worker holds it; behind that time the attempt has failed",
    )
    return Told("; ".join(part for part in said if part), until_ms)


def _retry_backoff(facts: JobFacts) -> Told | None:
    record = facts.record
    if facts.due_ms is None or facts.last_outcome != "retried":
        return None
    why = words.error_text(record, record.history[-1].error) or "an error that was not kept"
    return Told(
        f"{words.attempt_text(record)} failed: {why}; the next one is {words.due_text(facts, facts.due_ms)}",
        facts.due_ms,
    )


def _unknown_type(facts: JobFacts) -> Told | None:
    record, since_ms = facts.record, facts.unknown_since_ms
    if facts.due_ms is None or since_ms is None or not record.history:
        return None
    last = record.history[-1]
    why = words.error_text(record, last.error) or "it does not know the type"
    dead_ms = since_ms + round(UNREADABLE_FOR_S * 1000)
    return Told(
        f"the worker {last.runner_id} can't run it and put it off: {why}; it is tried again at {words.at(facts.due_ms)}"
        f" and dead if no worker can run it by {words.at(dead_ms)}: give the workers its module in JOB_MODULES",
        facts.due_ms,
    )


def _delayed(facts: JobFacts) -> Told | None:
    if facts.due_ms is None:
        return None
    begin = "its handler put it off, and it is" if facts.last_outcome == "snoozed" else "it is"
    return Told(f"{begin} {words.due_text(facts, facts.due_ms)}", facts.due_ms)


def _queue_paused(facts: JobFacts) -> Told | None:
    if not facts.is_paused:
        return None
    queue = facts.record.queue
    return Told(f"the queue {queue} is paused, and goes on with POST /api/queues/{queue}/resume; {words.waits(facts)}")


def _group_paused(facts: JobFacts) -> Told | None:
    if not facts.is_group_paused:
        return None
    path = f"/api/queues/{facts.record.queue}/groups/{quote(facts.group, safe='')}"
    resume = f'PATCH {path} with {{"paused": false}}'
    return Told(f"its group {facts.group} is paused, and goes on with {resume}; {words.waits(facts)}")


def _no_worker(facts: JobFacts) -> Told | None:
    if not needs_runner(facts):
        return None
    queue = facts.record.queue
    name_it = f"name {queue} in the WORKER_QUEUES of a worker"
    if facts.served is None:
        return Told(f"no worker lives; start worker.py, and {name_it}; {words.waits(facts)}")
    served = f"live workers serve {', '.join(facts.served)}" if facts.served else "live workers serve other queues"
    return Told(f"no live worker serves {queue} ({served}); {name_it}; {words.waits(facts)}")


def _suspected(facts: JobFacts) -> Told | None:
    if not facts.is_suspect:
        return None
    turn = f"; {words.before(facts)}" if facts.ahead else ""
    return Told(f"it was aboard runners that crashed, and is to run alone in a process of its own{turn}")


def _held(facts: JobFacts) -> Told | None:
    if facts.hold is None:
        return None
    until_ms, job_id = facts.hold
    rests = f"its group {facts.group} rests until {words.until_text(facts, until_ms)}"
    strikes = facts.strikes
    if strikes and strikes.until_ms == until_ms:
        return Told(f"{rests}, because {words.strikes_text(strikes)}; then one of its jobs tries again", until_ms)
    return Told(f"{rests}, because its job {job_id} asked for that (its handler, or a Retry-After)", until_ms)


def _concurrency_limited(facts: JobFacts) -> Told | None:
    said = [
        words.full_text(limit, of)
        for limit, of in ((facts.full_group, f"its group {facts.group}"), (facts.full_queue, facts.record.queue))
        if limit is not None
    ]
    if facts.full_group and facts.full_group.limit == 1 and facts.strikes:
        said.insert(1, f"one at a time until one goes well, because {words.strikes_text(facts.strikes)}")
    return Told("; ".join([*said, *words.place_text(facts)]), eta_s=words.eta_s_of(facts)) if said else None


def _rate_limited(facts: JobFacts) -> Told | None:
    spent = [
        (rate, of)
        for rate, of in ((facts.spent_group, f"its group {facts.group}"), (facts.spent_queue, facts.record.queue))
        if rate is not None
    ]
    if not spent:
        return None
    said = [words.spent_text(facts, rate, of) for rate, of in spent]
    until_ms = max(rate.until_ms for rate, _ in spent)
    eta_s = words.rate_eta_s(facts, facts.spent_group if facts.group else facts.spent_queue, until_ms)
    return Told("; ".join([*said, *words.place_text(facts)]), until_ms, eta_s, "rate")


def _waiting_its_turn(facts: JobFacts) -> Told | None:
    if facts.record.state == "delayed":
        return Told("its time has come, and it takes its place among the ready jobs in a moment")
    if facts.precision == "taken":
        return Told("a worker has just taken it, and is about to start it", eta_s=0, eta_from="taken")
    if facts.ahead is None:
        return Told(
            f"it stands in no list of {facts.record.queue}, so no worker finds it: somebody changed keys by hand;"
            " worker.py --doctor --check names such jobs; cancel it and run it again"
        )
    turns = "groups take turns, the one that runs least first; " if facts.group else ""
    pace = f"{words.pace(facts)}, with {words.runners_text(facts)}"
    return Told(f"{words.before(facts)}; {turns}{pace}", eta_s=words.eta_s_of(facts))


REASONS: Final[Mapping[str, Callable[[JobFacts], Told | None]]] = {
    "finished": _finished,
    "running": _running,
    "waiting_for_jobs": _waiting_for_jobs,
    "waiting_for_callback": _waiting_for_callback,
    "retry_backoff": _retry_backoff,
    "unknown_type": _unknown_type,
    "delayed": _delayed,
    "queue_paused": _queue_paused,
    "group_paused": _group_paused,
    "no_worker": _no_worker,
    "suspected": _suspected,
    "held": _held,
    "concurrency_limited": _concurrency_limited,
    "rate_limited": _rate_limited,
    "waiting_its_turn": _waiting_its_turn,
}
