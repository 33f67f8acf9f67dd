"""What a job is, as pure values: the spec that is written once at enqueue, and the record that Redis keeps of its life.

Named tuples, not dataclasses: a frozen dataclass takes three times as long to make, and these are made for every job.
(For each request or job they are made by tuple.__new__: their own __new__ is Python, and takes half as long again.)

A spec is JSON text and opaque to Redis (Lua's cjson would change large integers, `[]` and `/`); the record's other
fields are short texts that the scripts write. Times are ms since 1970, Redis' own clock.
"""

import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lib.ids import is_request_id
from lib.jobs.backoff import Backoff
from lib.json_text import to_json
from lib.tracing import Trace

SPEC_VERSION = 1
PRIORITIES = ("high", "normal", "low")
HISTORY_KEPT = 20
MAX_DELAY_S = 10 * 366 * 86_400
MAX_TIMEOUT_S = 7 * 86_400
MAX_ATTEMPTS = 1000
ENDLESS_S = 1e10  # Three hundred years: what is over that is no time, and no timer takes it.
_TRACE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
NO_TRACE = Trace("0" * 32, "0" * 16, "00")
# As `to_text` writes it, all but the payload and what has a unique_key. No quotation mark stands in a number: nothing
# else can be named there. What is kept of it (the type and the options) is short.
_OWN_BEGIN = re.compile(
    r'(\{"v":1,"type":"[^"\\]{1,64}","request_id":")([A-Za-z0-9._-]{1,128})'
    r'","trace":"([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"'
    r'(,"max_attempts":[^"]{1,40}"timeout_s":[^"]{1,40}"backoff":[^"]{1,80}(?:"priority":"[a-z]{1,9}",)?)"payload":'
)
_new = tuple.__new__  # See the first lines.


_from_json = json.JSONDecoder().decode
# What raw_decode calls, and has no type in typeshed. It raises StopIteration where no value begins.
_value_at: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class SpecError(Exception):
    """A spec that can't be read: somebody else wrote it, or it was cut."""


class SpecTooNew(SpecError):
    """A spec of a later version of Waybill: this worker is the older half of a rolling upgrade."""


class JobSpec(NamedTuple):
    """What was asked for. `payload` is the JSON object as it came."""

    type: str
    payload: dict[str, Any]
    request_id: str
    trace: Trace
    max_attempts: int
    timeout_s: float
    backoff: Backoff
    priority: str = "normal"
    unique_key: str = ""

    def to_text(self) -> str:
        """JSON, in as few bytes as it can be: there may be millions of these in memory."""
        type_name, payload, request_id, trace, max_attempts, timeout_s, backoff, priority, unique_key = self
        trace_id, span_id, flags = trace
        unique = f',"unique_key":{to_json(unique_key)}' if unique_key else ""
        return (
            f'{{"v":{SPEC_VERSION},"type":{type_text(type_name)},"request_id":"{request_id}",'
            f'"trace":"{trace_id}-{span_id}-{flags}",'
            f'{_options_text(max_attempts, timeout_s, backoff, priority)}{unique},"payload":{to_json(payload)}}}'
        )

    @classmethod
    def from_text(cls, text: bytes | str) -> "JobSpec":
        """Raises SpecTooNew or SpecError."""
        try:
            words = text.decode() if isinstance(text, bytes) else text
        except UnicodeDecodeError as fault:
            raise _unreadable(fault) from None
        return _read_own(words) or _read(words)


def _read_own(text: str) -> JobSpec | None:
    """A spec that our own `to_text` wrote, whose type, options and payload are where that puts them; None for others.

    WHY: specs of one type differ in ids and payload alone. What is the same in all of them is read and checked once,
    which leaves a third of the work.
    """
    begun = _OWN_BEGIN.match(text)
    if begun is None:
        return None
    head, request_id, trace_id, span_id, flags, options = begun.groups()
    alike = _alike(head, options)
    if alike is None:
        return None
    try:
        payload, end = _value_at(text, begun.end())
    except (StopIteration, ValueError, RecursionError):
        return None
    if text[end:] != "}":
        return None
    type_name, max_attempts, timeout_s, backoff, priority = alike
    trace = _new(Trace, (trace_id, span_id, flags))
    return _new(JobSpec, (type_name, payload, request_id, trace, max_attempts, timeout_s, backoff, priority, ""))


@functools.lru_cache(maxsize=1024)
def _alike(head: str, options: str) -> tuple[str, int, float, Backoff, str] | None:
    """What all specs have in common that begin like this and have these options; None where they are none."""
    try:
        spec = _read(f'{head}-","trace":"{"-".join(NO_TRACE)}"{options}"payload":{{}}}}')
    except SpecError:
        return None
    return spec.type, spec.max_attempts, spec.timeout_s, spec.backoff, spec.priority


def _read(text: str) -> JobSpec:
    """A spec in any JSON. Raises SpecTooNew or SpecError."""
    try:
        fields = _from_json(text)
        version = fields["v"]
        if version != SPEC_VERSION:
            raise SpecTooNew(f"spec version {version!r}; this is a worker of version {SPEC_VERSION}")
        request_id, trace = fields["request_id"], fields["trace"]
        if not is_request_id(request_id) or not _TRACE.fullmatch(trace):
            # They go into every log line as they are.
            raise ValueError("request_id or trace is not one")
        max_attempts, timeout_s, (base_s, cap_s) = fields["max_attempts"], fields["timeout_s"], fields["backoff"]
        if not (max_attempts >= 1 and 0 < timeout_s < ENDLESS_S and 0 <= base_s < ENDLESS_S > cap_s >= 0):
            # What a job's end is worked out from: a lane that stumbles there never runs another job.
            raise ValueError("max_attempts, timeout_s or backoff is not one")
        return JobSpec(
            fields["type"],
            fields["payload"],
            request_id,
            Trace(trace[:32], trace[33:49], trace[50:]),
            max_attempts,
            timeout_s,
            Backoff(base_s, cap_s),
            fields.get("priority", "normal"),
            fields.get("unique_key", ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise _unreadable(fault) from None


def _unreadable(fault: Exception) -> SpecError:
    return SpecError(f"the spec can't be read: {fault!r}")


@functools.lru_cache(maxsize=1024)
def type_text(type_name: str) -> str:
    """JSON of a type's name."""
    return to_json(type_name)


@functools.lru_cache(maxsize=1024)
def _options_text(max_attempts: int, timeout_s: float, backoff: Backoff, priority: str) -> str:
    """The same for most jobs of a type, and slow to put into words."""
    base_s, cap_s = backoff
    said = "" if priority == "normal" else f',"priority":"{priority}"'
    return f'"max_attempts":{max_attempts},"timeout_s":{timeout_s:.15g},"backoff":[{base_s:.15g},{cap_s:.15g}]{said}'


def early_in_spec(type_name: str | None, request_id: str | None) -> list[str]:
    """Texts that stand in the first 1,024 bytes of the spec of every job of that type and request (None is any).

    For Redis, to which a spec is bytes, to look for; another job's spec may hold them as well.
    """
    texts = [] if type_name is None else [f'{{"v":{SPEC_VERSION},"type":{type_text(type_name)},"request_id":']
    return texts if request_id is None else [*texts, f'"request_id":{to_json(request_id)},"trace":']


def payload_text(spec_text: str) -> str:
    """The payload's JSON, cut out of a text that `to_text` made: it stands last, and no string before it holds a bare
    quotation mark."""
    return spec_text[spec_text.index(',"payload":') + 11 : -1]


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
