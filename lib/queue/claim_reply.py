"""What claim.lua gives a runner, read into a `Claim`. Pure.

The reply of a claim that handed out two jobs is a list of three byte strings: a text of records, and then the spec of
each job. (`|` stands for FIELD, `;` for RECORD: see framing.py; email-…1 for an id.)

    |1764410000123|250|1764410000100,1764410000101|;email-…1|7|2|;email-…2|1|1||{"row":5}|1764413600000
    {"v":1,"type":"email",…}
    {"v":1,"type":"email",…}

The first record is about the claim: `more`, `paused`, `limited`, `empty` or nothing; the time; after how many ms this
runner is to ask again, or nothing; since when each job was ready; ids of jobs that the claim made dead. Each other
record is a job: id, token, number of the attempt, since when no runner could run the job; and, if the job has one of
the two, its checkpoint and the time after which no attempt begins.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lib.jobs.job import ClaimedJob
from lib.queue.framing import FIELD_BYTE, RECORD_BYTE

# Takes half as long as a named tuple's own constructor, and one of these is made for every job. No type checker sees
# what is passed: tests/unit/queue/test_claim_reply.py holds the length and the order.
_new = tuple.__new__


class Claim(NamedTuple):
    """What a claim brought. is_more: claim again at once. ask_again_s: after how many seconds this runner is to make
    ready what is due then; None where another runner does so, or nothing is due soon.

    is_paused: the queue is paused; ask again in a moment. is_limited: the queue has a limit of its own, and a bell
    tells when to claim again. is_empty: no other job is ready (only behind a pop).
    dead_ids: jobs that the claim ended instead of handing them out (their spec can't be read, or their time is over).
    """

    jobs: list[ClaimedJob]
    is_more: bool
    ask_again_s: float | None
    is_paused: bool = False
    is_empty: bool = False
    dead_ids: tuple[str, ...] = ()
    is_limited: bool = False


def claim_from(reply: Sequence[bytes]) -> Claim:
    """Raises ValueError for anything but a reply in the form above."""
    records_text, *specs = reply
    about, *records = records_text.split(RECORD_BYTE)
    state, now_ms, wait_ms, since, dead = about.split(FIELD_BYTE)
    claimed_ms = int(now_ms)
    rows = zip(records, since.split(b","), specs, strict=False)
    return Claim(
        jobs=[_job_from(record, claimed_ms, ready_ms, spec) for record, ready_ms, spec in rows],
        is_more=state == b"more",
        ask_again_s=float(wait_ms) / 1000 if wait_ms else None,
        is_paused=state == b"paused",
        is_empty=state == b"empty",
        dead_ids=tuple(dead.decode().split(",")) if dead else (),
        is_limited=state == b"limited",
    )


def _job_from(record: bytes, now_ms: int, since: bytes, spec: bytes) -> ClaimedJob:
    job_id, token, attempt, unknown_since, *rest = record.split(FIELD_BYTE)
    checkpoint, gives_up = rest or (b"", b"")
    return _new(
        ClaimedJob,
        (
            job_id.decode(),
            int(token),
            int(attempt),
            int(unknown_since) if unknown_since.isdigit() else None,
            now_ms,
            spec,
            int(since) if since.isdigit() else now_ms,
            checkpoint,
            int(gives_up) if gives_up.isdigit() else None,
        ),
    )
