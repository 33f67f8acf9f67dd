"""A job at each step of its life, as values: NewJob on its way in, ClaimedJob in a runner, JobRecord when it is shown.
Pure.

All of these are named tuples and not dataclasses, because they are made for every job, and a frozen dataclass takes
three times as long to make. Times whose names end in `_ms` are ms since 1970 by Redis' clock, unless they are said to
be lengths of time. What was asked for, the spec, stands in spec.py.
"""

from typing import Any, Final, NamedTuple

from lib.jobs.edges import KnownEdge
from lib.jobs.spec import JobSpec

PRIORITIES = ("high", "normal", "low")
KEEP, THROTTLE, REPLACE, DEBOUNCE = UNIQUE_MODES = ("keep", "throttle", "replace", "debounce")
WORKFLOW_TYPE: Final = "workflow"
"""The type of the jobs that have no handler: such a job ends when the jobs of its workflow have ended."""
HISTORY_KEPT = 20
MAX_DELAY_S = 10 * 366 * 86_400
MAX_TIMEOUT_S = 7 * 86_400
MAX_ATTEMPTS = 1000
UNREADABLE_FOR_S = 15 * 60.0
"""How long a job is put off by runners that can't run it, such as one of a type unknown to them, before it is dead."""


class NewJob(NamedTuple):
    """A job on its way into Redis.

    delay_ms, run_at_ms: how long from now, or at which time, the job is due. At most one of them is set.
    expires_in_ms: how long from now the job may begin; one that has not begun by then is dead.
    unique_key: no second job of the type is taken in while one waits or runs under this key; "" for none.
    unique_ttl_ms: how long the key is held; 0 for a day beyond the time when the job is due. Of DEBOUNCE: for how long
    after the first request the job is put off at most; delay_ms is how long nobody may ask for it.
    unique_mode: THROTTLE where no second job is taken in while the key is held, though the first has ended; REPLACE and
    DEBOUNCE where the job takes the place of the one that holds the key.
    idempotency_key, fingerprint: a request with the same key within a day is answered with the first job, if the
    fingerprint of its body is the same.
    retain_ms: how long the finished job's record is kept, unless the queue's own retention ends earlier.
    give_up_ms: how long after its due time the job may still begin an attempt.
    group: whose line the job waits in; "" for none. tags: names under which lists and bulk actions find the job.
    may_lose_group: the group is the one that the type declares for all its jobs; neither the request nor the payload
    names one. The job goes without a group while a program uses this Redis that knows no groups.
    calls_back: the job's end is sent to the callback_url of its spec.
    """

    job_id: str
    priority: str
    spec_text: str
    delay_ms: int | None = None
    run_at_ms: int | None = None
    expires_in_ms: int | None = None
    unique_key: str = ""
    unique_ttl_ms: int = 0
    unique_mode: str = KEEP
    idempotency_key: str = ""
    fingerprint: str = ""
    retain_ms: int | None = None
    give_up_ms: int | None = None
    group: str = ""
    tags: tuple[str, ...] = ()
    may_lose_group: bool = False
    calls_back: bool = False

    @property
    def queue(self) -> str:
        """The queue's name. An id is this name, a dash and 32 digits."""
        return self.job_id[:-33]

    @property
    def takes_place(self) -> bool:
        """Whether the job takes the place of one that lives under its unique key."""
        return self.unique_mode in (REPLACE, DEBOUNCE)

    def due_ms(self, created_ms: int) -> int | None:
        """When the job is due, if it was taken in at created_ms; None for at once."""
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
    unique_mode: str,
    retain_ms: int | None,
    give_up_ms: int | None,
    group: str,
    tags: tuple[str, ...],
    may_lose_group: bool,
    calls_back: bool,
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
            unique_mode,
            "",
            "",
            retain_ms,
            give_up_ms,
            group,
            tags,
            may_lose_group,
            calls_back,
        ),
    )


class Keyed(NamedTuple):
    """The idempotency key of a request that changes a job or queue, and the fingerprint of its body; "" for none."""

    key: str = ""
    fingerprint: str = ""


NO_KEY: Final = Keyed()


class Accepted(NamedTuple):
    """What became of a NewJob. `job_id`: the new job, or the earlier job that stands for it (duplicate, replaced,
    replayed-…).

    outcome   new                                 it was taken in
              duplicate                           another job lives under its unique key
              replaced                            that job had not begun, and was changed to this one
              superseding                         it was taken in, and took the place of superseded_id: of a job that
                                                  waited, or of one that runs, and for whose end it waits
              replayed-new, replayed-duplicate, replayed-replaced
                                                  its idempotency key came before, with that outcome
              conflict                            its idempotency key came before, with another body
              full                                refused: the queue is at its max_depth; there may be room in
                                                  retry_after_s
              group-full                          refused: so many jobs of its group are ready as `groups` of the queue
                                                  allows; there may be room in retry_after_s
              brief                               refused: its unique key would be free again before it is due
              throttled                           refused: a job that is gone by now, job_id, holds its unique key for
                                                  another retry_after_s
    """

    job_id: str
    outcome: str
    created_ms: int
    retry_after_s: int = 0
    superseded_id: str = ""


class ClaimedJob(NamedTuple):
    """A job that a runner has claimed.

    token: the number of this claim. Each message to Redis about the attempt carries it, and Redis refuses one whose
    token is not that of the job's last claim: the job was taken back meanwhile.
    unknown_since_ms: since when no runner has known a handler for the job's type; None where one is known.
    now_ms: when the job was claimed. ready_ms: since when it could have been.
    checkpoint: the JSON that an earlier attempt left; b"" for none.
    gives_up_ms: when no attempt is to begin any more; None for never.
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
    """One attempt in a job's history. outcome: retried snoozed released crashed completed dead cancelled.

    retry_ms: when the next attempt was due, as it was decided at the end of a retried or snoozed one. token: of its
    claim. ready_ms: since when the job was ready for it. Both are None where an older version ended the attempt.
    """

    attempt: int
    started_ms: int | None
    finished_ms: int | None
    runner_id: str | None
    outcome: str
    error: dict[str, Any] | None
    retry_ms: int | None = None
    token: int | None = None
    ready_ms: int | None = None


class JobRecord(NamedTuple):
    """A job as Redis held it at one moment; lib/queue/job_record.py makes it of the job's hash.

        JobRecord("email-0193…", "email", "completed", JobSpec("email", …), attempts=1, token=1,
                  created_ms=1795438188123, started_ms=1795438188130, finished_ms=1795438188412,
                  runner_id="host.4711.9f86d081", result={"message_id": "<…>"}, history=(Attempt(1, …),))

    spec: None where its text (spec_text) can't be read.
    token: how often the job was claimed. attempts: how many of these claims count as attempts.
    give_up_ms: a length of time, behind the due time; gives_up_ms: the time itself.
    retain_ms: a length of time, from the job's end.
    size_bytes: how long the reply was that the record was made of.
    edges: one for each job that it waits for, or has waited for.
    then: the ids of the jobs that wait for its end, or were told of it.
    """

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
    edges: tuple[KnownEdge, ...] = ()
    then: tuple[str, ...] = ()

    @property
    def calls_back(self) -> bool:
        """Whether the job's end is sent to a callback_url."""
        return self.spec is not None and self.spec.callback_url != ""

    @property
    def is_workflow(self) -> bool:
        """Whether the job is a workflow: it has no handler, and is blocked until its jobs have ended."""
        return self.spec is not None and self.spec.type == WORKFLOW_TYPE


class Revision(NamedTuple):
    """What a waiting job is changed to. priority, due, tags: None to leave as it is. due: ms since 1970, or "now"."""

    spec_text: str
    priority: str | None = None
    due: int | str | None = None
    tags: tuple[str, ...] | None = None
