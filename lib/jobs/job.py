"""What a job is, as pure values: the spec that is written once at enqueue, and the record that Redis keeps of its life.

Named tuples, not dataclasses: a frozen dataclass takes three times as long to make, and these are made for every job.
(For each request or job they are made by tuple.__new__: their own __new__ is Python, and takes half as long again.)

A spec is JSON text and opaque to Redis (Lua's cjson would change large integers, `[]` and `/`); the record's other
fields are short texts that the scripts write. Times are ms since 1970, Redis' own clock.
"""

from typing import Any, Final, NamedTuple

from lib.jobs.spec import JobSpec

PRIORITIES = ("high", "normal", "low")
HISTORY_KEPT = 20
MAX_DELAY_S = 10 * 366 * 86_400
MAX_TIMEOUT_S = 7 * 86_400
MAX_ATTEMPTS = 1000


class NewJob(NamedTuple):
    """A job on its way in. At most one of delay_ms (from now) and run_at_ms (ms since 1970) is set.

    expires_in_ms: it is dead if it has not begun by then. unique_key: while a job of its type lives under it, or for
    unique_ttl_ms (0: a day beyond the time when it is due), there is no second one. idempotency_key: who sends it again
    within a day is told of the first job, if `fingerprint` (of the request's body) is the same. retain_ms: for so long
    its record is kept once it has ended, if the queue's retention does not end it before.
    give_up_ms: so long behind its time no attempt of it begins any more.
    """

    job_id: str
    priority: str
    spec_text: str
    delay_ms: int | None = None
    run_at_ms: int | None = None
    expires_in_ms: int | None = None
    unique_key: str = ""
    unique_ttl_ms: int = 0
    idempotency_key: str = ""
    fingerprint: str = ""
    retain_ms: int | None = None
    give_up_ms: int | None = None

    @property
    def queue(self) -> str:
        """An id is its queue's name, a dash and 32 digits."""
        return self.job_id[:-33]

    def due_ms(self, created_ms: int) -> int | None:
        """When it is due, if it was taken in at created_ms; None where that is at once."""
        due_ms = self.run_at_ms if self.delay_ms is None else created_ms + self.delay_ms
        return due_ms if due_ms is not None and due_ms > created_ms else None


def make_new_job(
    job_id: str,
    priority: str,
    spec_text: str,
    delay_ms: int | None,
    run_at_ms: int | None,
    expires_in_ms: int | None,
    unique_key: str,
    unique_ttl_ms: int,
    retain_ms: int | None,
    give_up_ms: int | None,
) -> NewJob:
    """A NewJob without an idempotency key.

    WHY not NewJob(…): a named tuple's own __new__ takes twice as long, and a job is made for every POST.
    """
    return tuple.__new__(
        NewJob,
        (
            job_id,
            priority,
            spec_text,
            delay_ms,
            run_at_ms,
            expires_in_ms,
            unique_key,
            unique_ttl_ms,
            "",
            "",
            retain_ms,
            give_up_ms,
        ),
    )


class Keyed(NamedTuple):
    """Under which idempotency key a change is asked for, and the fingerprint of its request; "" for none."""

    key: str = ""
    fingerprint: str = ""


NO_KEY: Final = Keyed()


class Accepted(NamedTuple):
    """What became of a NewJob. `job_id` is another job's where that one stands in its place.

    outcome: new | duplicate (a job under its unique key lives) | replayed-new, replayed-duplicate (its idempotency key
    came before, and that was the outcome) | conflict (so it did, with another body) | full (the queue is at its
    max_depth: it was not taken in, and there may be room in retry_after_s) | brief (nor was it: its unique key would be
    free before it is due).
    """

    job_id: str
    outcome: str
    created_ms: int
    retry_after_s: int = 0


class ClaimedJob(NamedTuple):
    """A job in a runner's hands. `token` is what every later word about it must carry; see DESIGN's fence.

    now_ms: when it was claimed; ready_ms: since when it could have been. checkpoint: what an attempt left, as JSON.
    gives_up_ms: when no attempt is to begin any more.
    """

    job_id: str
    token: int
    attempt: int
    unknown_since_ms: int | None
    now_ms: int
    spec_text: bytes
    ready_ms: int = 0
    checkpoint: bytes = b""
    gives_up_ms: int | None = None


class Attempt(NamedTuple):
    """One line of a job's history. outcome: retried snoozed released crashed completed dead cancelled."""

    attempt: int
    started_ms: int | None
    finished_ms: int | None
    runner_id: str | None
    outcome: str
    error: dict[str, Any] | None


class JobRecord(NamedTuple):
    """A job as Redis holds it at one moment. `spec` is None where its text can't be read."""

    job_id: str
    queue: str
    state: str
    spec: JobSpec | None
    attempts: int = 0
    token: int = 0
    created_ms: int | None = None
    run_at_ms: int | None = None
    expires_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    runner_id: str | None = None
    cancel_requested_ms: int | None = None
    progress: dict[str, Any] | None = None
    result: Any = None
    is_result_truncated: bool = False
    result_error: str | None = None
    error: dict[str, Any] | None = None
    history: tuple[Attempt, ...] = ()
    checkpoint: Any = None
    checkpointed_ms: int | None = None
    give_up_ms: int | None = None
    gives_up_ms: int | None = None
    size_bytes: int = 0
    spec_text: bytes = b""
    retain_ms: int | None = None


class Revision(NamedTuple):
    """What a job that waits is to be. priority: None to leave it. due: ms since 1970, "now", or None to leave it."""

    spec_text: str
    priority: str | None = None
    due: int | str | None = None
