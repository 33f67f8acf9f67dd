"""The words in which an explanation (explanation.py) speaks of attempts, errors, times and places in a list. Pure.

before(facts)        811 jobs of email are before it
error_text(…)        SMTPError: 421 try later
span_text(720_000)   12 min
"""

import math
from typing import Any

from lib.jobs.group_strikes import GroupStrikes
from lib.jobs.job import JobRecord
from lib.jobs.job_facts import FullLimit, JobFacts, SpentRate
from lib.jobs.masking import known_secrets, masked_error
from lib.jobs.state import BLOCKED
from lib.jobs.timestamps import LAST_MS, timestamp

ERROR_CHARS = 300
QUIET_MS = 5000
"""A worker that has not beaten for so long is mentioned as not heard of. It beats five times a lease."""
_SPANS = ((2 * 86_400, 86_400, "days"), (2 * 3600, 3600, "h"), (120, 60, "min"))


def attempt_text(record: JobRecord) -> str:
    return f"attempt {record.attempts}" + (f" of {record.spec.max_attempts}" if record.spec else "")


def error_text(record: JobRecord, error: dict[str, Any] | None) -> str:
    """`SMTPError: 421 try later`, without the payload's secrets; "" for no error."""
    if error is None:
        return ""
    spec = record.spec
    shown = masked_error(error, known_secrets(spec.payload) if spec else []) or {}
    message = " ".join(str(shown.get("message", "")).split())[:ERROR_CHARS]
    return f"{shown.get('type', 'error')}: {message}"


def timeout_ms(record: JobRecord) -> int | None:
    if record.started_ms is None or record.spec is None:
        return None
    return record.started_ms + round(record.spec.timeout_s * 1000)


def time_left(facts: JobFacts, until_ms: int | None) -> str:
    if until_ms is None or facts.record.spec is None:
        return ""
    timeout = f"its timeout_s of {facts.record.spec.timeout_s:g}"
    left_ms = until_ms - facts.now_ms
    return f"{span_text(left_ms)} of {timeout} are left" if left_ms > 0 else f"{timeout} is over"


def progress_text(progress: dict[str, Any] | None) -> str:
    """`50 % done: half-way`, of {"fraction": 0.5, "note": "half-way"}; a handler's own note may be anything."""
    fraction = (progress or {}).get("fraction")
    if not isinstance(fraction, int | float):
        return ""
    note = str((progress or {}).get("note") or "")[:ERROR_CHARS]
    return f"{fraction * 100:.0f} % done" + (f": {note}" if note else "")


def heard(facts: JobFacts) -> str:
    if facts.beat_ms is None:
        return "its worker is gone, and the job goes back to its queue"
    quiet_ms = facts.now_ms - facts.beat_ms
    return f"its worker was last heard of {span_text(quiet_ms)} ago" if quiet_ms >= QUIET_MS else ""


def waits(facts: JobFacts) -> str:
    since_ms = facts.since_ms
    return f"the job waits since {at(since_ms)}" + (f", for {span_text(facts.now_ms - since_ms)}" if since_ms else "")


def before(facts: JobFacts) -> str:
    queue, ahead = f"its group {facts.group}" if facts.group else facts.record.queue, facts.ahead or 0
    if not ahead:
        return f"it is the next of {queue}"
    jobs = f"{ahead:,} job{'s' if ahead > 1 else ''}"
    are = "are" if ahead > 1 else "is"
    if facts.precision == "most":
        return f"at most {jobs} of {queue} {are} before it (some of them may have been cancelled)"
    return f"{jobs} of {queue}{' or more' if facts.precision == 'least' else ''} {are} before it"


def place_text(facts: JobFacts) -> list[str]:
    return [before(facts)] if facts.ahead is not None else []


def full_text(limit: FullLimit, of: str) -> str:
    """`2 of 2 of its group tenant-42 run: email-1, email-2`."""
    ids = ", ".join(limit.job_ids)
    more = " and others" if limit.running > len(limit.job_ids) else ""
    return f"{limit.running:,} of {limit.limit:,} of {of} run" + (f": {ids}{more}" if ids else "")


def strikes_text(strikes: GroupStrikes) -> str:
    """`nothing answered 3 times in a row, the last time at 2026-… (LinkLost: api.example.com:443 …)`."""
    times = f"{strikes.times:,} times in a row, the last time " if strikes.times > 1 else ""
    why = f" ({strikes.words})" if strikes.words else ""
    return f"nothing answered {times}at {at(strikes.last_ms)}{why}"


def spent_text(facts: JobFacts, spent: SpentRate, of: str) -> str:
    """`email has used up its rate of 100 in 60 s until 2026-…, in 12 s`."""
    size = f" of {spent.rate.limit:,} in {spent.rate.per_ms / 1000:g} s" if spent.rate else ""
    return f"{of} has used up its rate{size} until {until_text(facts, spent.until_ms)}"


def pace(facts: JobFacts) -> str:
    if not facts.ended_a_minute:
        return "none ended there in the last minute"
    return f"{facts.ended_a_minute:,} a minute ended there lately"


def runners_text(facts: JobFacts) -> str:
    """`2 runners for 40 at once, 31 of which are taken`."""
    runners = f"{facts.runners:,} runner{'s' if facts.runners > 1 else ''} for {facts.slots:,} at once"
    if not facts.busy:
        return runners
    return runners + (", and all are taken" if facts.busy >= facts.slots else f", {facts.busy:,} of which are taken")


def limits_text(facts: JobFacts) -> list[str]:
    """What a job that waits must keep to, whatever it waits for."""
    said = []
    if facts.due_by_ms is not None and facts.record.state == "delayed":
        until = f"until {at(facts.due_by_ms)}" if facts.due_by_ms > facts.now_ms else "no more"
        said.append(f"each further request under its unique key puts it off, {until}")
    if facts.expires_ms is not None:
        said.append(f"it is dead if it has not begun by {until_text(facts, facts.expires_ms)} (expires_in_s)")
    if facts.record.gives_up_ms is not None:
        said.append(f"no attempt begins after {at(facts.record.gives_up_ms)} (give_up_after_s)")
    return said


def no_more_text(facts: JobFacts) -> list[str]:
    """What was decided about a job that has not ended."""
    said = []
    record, by = facts.record, facts.superseded_by
    if record.state == BLOCKED and record.cancel_requested_ms is not None:
        said.append(f"it was asked to stop at {at(record.cancel_requested_ms)}, and ends when its jobs have ended")
    if by:
        said.append(f"no attempt comes after this one, because {by} has taken its unique key")
    return said


def schedule_text(facts: JobFacts) -> list[str]:
    """`the schedule nightly queued it for 2026-…; it queues the next one at 2026-…, in 3 h`; nothing of other jobs."""
    spec = facts.record.spec
    if spec is None or not spec.schedule:
        return []
    slot = f" for {at(spec.scheduled_for)}" if spec.scheduled_for else ", because somebody ran it by hand"
    if not facts.has_schedule:
        now = "which this queue has no more"
    elif facts.next_slot_ms is None:
        now = "which is paused or has ended"
    else:
        now = f"which queues the next one at {until_text(facts, facts.next_slot_ms)}"
    return [f"the schedule {spec.schedule}, {now}, queued it{slot}"]


def eta_s_of(facts: JobFacts) -> int | None:
    """The jobs before it, at the pace of the last minute. WHY no finer: a number that is wrong in a way one can see is
    better than a model. Of a group no pace is known, and the queue's is not its own."""
    if facts.ahead is None or facts.group or not facts.ended_a_minute:
        return None
    return math.ceil(facts.ahead * 60 / facts.ended_a_minute)


def rate_eta_s(facts: JobFacts, spent: SpentRate | None, until_ms: int) -> int | None:
    """In how many seconds a rate that is used up until until_ms lets the job start, at the earliest.

    Example: where 29 jobs are before it and 10 may start in 1 s, two seconds later than at until_ms. spent: the rate of
    the jobs that are counted as before it, so that of its group, or of its queue; None where that is not used up.
    """
    if facts.ahead is None or spent is None or spent.rate is None:
        return None
    later_ms = facts.ahead // spent.rate.limit * spent.rate.per_ms
    return math.ceil(max(0, until_ms + later_ms - facts.now_ms) / 1000)


def until_text(facts: JobFacts, until_ms: int) -> str:
    return f"{at(until_ms)}, in {span_text(until_ms - facts.now_ms)}"


def due_text(facts: JobFacts, due_ms: int) -> str:
    return f"due at {until_text(facts, due_ms)}"


def at(ms: int | None) -> str:
    return timestamp(ms) if ms is not None and 0 <= ms <= LAST_MS else "an unknown time"


def span_text(ms: int) -> str:
    """A length of time in round words: 400 -> `0.4 s`, 40_000 -> `40 s`, 720_000 -> `12 min`."""
    seconds = max(0, ms) / 1000
    for least_s, unit_s, unit in _SPANS:
        if seconds >= least_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
