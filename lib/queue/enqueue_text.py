"""New jobs as the text that enqueue.lua is given, and its answer read. Pure.

One call of enqueue.lua takes all jobs of one commit, here two; the answer says that the second job was not taken in,
for a job of its type lives under its unique key. (`|` stands for FIELD, `;` for RECORD, `/` for PART: see framing.py.)

    email-…1|normal||{"v":1,"type":"email",…};email-…2|high|d+5000/uorder-7/t3600000/|{"v":1,…};
    1764410000123;2|duplicate|email-…9

The third field of a job is empty for most; else it has the job's options, a letter and a value each: lua/parts/
job_options.lua names the letters. `d+5000` is due in 5000 ms, `d1764410000456` at that time.
"""

from collections.abc import Iterable, Sequence

from lib.errors import OutcomeUnknown
from lib.jobs.job import KEEP, Accepted, NewJob
from lib.queue.framing import FIELD, PART, RECORD

BEGUN = b"+"
"""The answer begins so if the queue began with this commit."""
CALLS_BACK = f"c!{PART}"
_NO_OPTIONS = NewJob("", "", "")[3:]
# Takes half as long as a named tuple's own constructor, and one of these is made for every job. No type checker sees
# what is passed: tests/unit/queue/test_enqueue_text.py holds the length and the order.
_new = tuple.__new__


def new_jobs_text(jobs: Iterable[NewJob]) -> str:
    """The records of a commit."""
    return RECORD.join(map(_record, jobs)) + RECORD


def accepted_from(jobs: Sequence[NewJob], answer: bytes) -> list[Accepted]:
    """What became of each job of a commit. Raises OutcomeUnknown if a later commit was run before this one."""
    if answer == b"superseded":
        raise OutcomeUnknown("a later commit of this process overtook this one")
    now, *exceptions = answer.decode().split(RECORD)
    now_ms = int(now)
    accepted = [_new(Accepted, (job.job_id, "new", now_ms, 0, "")) for job in jobs]
    for number, outcome, about in (exception.split(FIELD) for exception in exceptions):
        accepted[int(number) - 1] = _not_new(accepted[int(number) - 1], outcome, about)
    return accepted


def _not_new(accepted: Accepted, outcome: str, about: str) -> Accepted:
    """about: for `full` and `group-full` the seconds until there may be room, for `brief` nothing, else the id of the
    job that stands in this job's place; for `throttled` the seconds until the key is free behind it."""
    if outcome in ("full", "group-full"):
        return accepted._replace(outcome=outcome, retry_after_s=int(about))
    if outcome == "brief":
        return accepted._replace(outcome=outcome)
    if outcome == "superseding":
        return accepted._replace(outcome=outcome, superseded_id=about)
    if outcome == "throttled":
        job_id, seconds = about.split(" ")
        return accepted._replace(outcome=outcome, job_id=job_id, retry_after_s=int(seconds))
    return accepted._replace(outcome=outcome, job_id=about)


def _record(job: NewJob) -> str:
    return f"{job.job_id}{FIELD}{job.priority}{FIELD}{options_text(job)}{FIELD}{job.spec_text}"


def options_text(job: NewJob) -> str:
    """The options that the job has, as in `d+5000/uorder-7/`; the letters are those of lua/parts/job_options.lua."""
    if job[3:] == _NO_OPTIONS:
        return ""
    text = ""
    if job.delay_ms is not None:
        text = f"d+{job.delay_ms}{PART}"
    elif job.run_at_ms is not None:
        text = f"d{job.run_at_ms}{PART}"
    if job.expires_in_ms is not None:
        text += f"e{job.expires_in_ms}{PART}"
    if job.unique_key:
        text += f"u{job.unique_key}{PART}"
    if job.unique_ttl_ms:
        text += f"t{job.unique_ttl_ms}{PART}"
    if job.unique_mode != KEEP:
        text += f"m{job.unique_mode[0]}{PART}"
    if job.idempotency_key:
        text += f"i{job.idempotency_key}{PART}f{job.fingerprint}{PART}"
    if job.retain_ms is not None:
        text += f"r{job.retain_ms}{PART}"
    if job.give_up_ms is not None:
        text += f"p{job.give_up_ms}{PART}"
    if job.group:
        text += f"g{job.group}{PART}"
    if job.tags:
        text += f"a{','.join(job.tags)}{PART}"
    if job.calls_back:
        text += CALLS_BACK
    return text
