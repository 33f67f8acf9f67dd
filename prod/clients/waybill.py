"""A client for Waybill's HTTP API, in one file: copy it into your application. Python 3.9 or newer, no other package.

    from waybill import Waybill

    waybill = Waybill("https://waybill.example.com", key=os.environ["WAYBILL_KEY"])
    job = waybill.enqueue("email", {"to": "ada@example.com", "subject": "Hi", "text": "Hello"}, delay_s=60)
    print(job.id, waybill.wait(job.id, timeout_s=120).state)

The options of `enqueue` are the fields of POST /api/jobs (`queue`, `priority`, `delay_s`, `run_at`, `max_attempts`,
`backoff`, `timeout_s`, `expires_in_s`, `unique`, `retain_s` …), sent as they are: a field that a later Waybill takes
needs no later client. A job is a dict with a few properties (`id`, `state`, `result`, `error`, `is_finished`).

**Many jobs.** `batch` takes dicts with the fields of `enqueue` and gives what became of each, in their order:

    for item in waybill.batch({"type": "report", "payload": {"page": n}} for n in range(2500)):
        if item.problem:
            print(item.index, item.problem)

**Threads, asyncio.** One Waybill serves all threads of a process and keeps its connections; so does one AsyncWaybill
for all tasks of a loop, with the same methods: `await client.enqueue(…)`, `async for job in client.list(state="dead")`.

**Errors** are all WaybillErrors. A Problem is an answer that says no: `.status .type .title .detail .errors
.retry_after_s .request_id`. NotReached: there was no answer. WaitTimeout: the job had not finished in time.

**Sent again.** Each `enqueue` and each job of a batch has an idempotency key (yours, else a new one), so that a request
whose answer was lost is sent again and makes one job. So are reads. Tried again is what meets no connection, a broken
one, no answer in time, 408, 429, 502, 503 or 504: after the answer's `Retry-After` and a random pause, `tries` times
and for `total_s` at most. What has no key (`cancel`, `retry`, `delete`, `patch`, `pause` …) is sent again only where
Waybill certainly did nothing. A key that is to outlast a process of yours (an order that may be placed twice) is yours
to give: `idempotency_key=f"order-{number}"`.

**Request ids.** `waybill.within(request_id=…, traceparent=…)` is the same client for one request of your own: its id is
on all calls, their jobs, and in every log line of Waybill.

**Tests.** FakeWaybill and AsyncFakeWaybill stand in for a server, in memory: see there.

Not there: HTTP proxies (HTTP_PROXY is not read), redirects, unix sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import datetime
import decimal
import enum
import http.client
import inspect
import json
import math
import os
import random
import re
import ssl
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

FINISHED = ("completed", "dead", "cancelled")
LONGEST_WAIT_S = 30.0  # of one request; the service itself waits for 60 s at most
IDLE_S = 10.0  # after so long a kept connection is not used again: the service closes it after 15 s
ARRAY_JOBS, SLICE_JOBS, SLICE_BYTES = 1000, 10_000, 4 << 20
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
RETRIED = (408, 429, 502, 503, 504)
NOT_DONE = ("redis-unavailable", "queue-full", "group-full", "draining", "too-many-connections")  # nothing was done
NDJSON = "application/x-ndjson"


# What is given back.


class Job(dict[str, Any]):
    """A job as the service shows it: `job["attempts"]`, `job["created_at"]` and so on; openapi.yaml has them all."""

    @property
    def id(self) -> str:
        return str(self["id"])

    @property
    def state(self) -> str | None:
        """ready, delayed, blocked, active, completed, dead or cancelled; None where its record is gone."""
        state: str | None = self.get("state")
        return state

    @property
    def is_finished(self) -> bool:
        return self.state is None or self.state in FINISHED

    @property
    def result(self) -> Any:
        """What the handler returned; None until then."""
        return self.get("result")

    @property
    def error(self) -> dict[str, Any] | None:
        """{"type", "message", …} of the last failed attempt, or None."""
        error: dict[str, Any] | None = self.get("error")
        return error


@dataclasses.dataclass(frozen=True)
class BatchItem:
    """What became of one job of a batch: its place in it, and the job's id, or the Problem why it was not queued.

    outcome: `created`, `duplicate` (another job holds its `unique` key) or `replayed` (its key came before).
    """

    index: int
    status: int
    id: str | None = None
    problem: Problem | None = None
    outcome: str | None = None


# By these names, for the clients have a method called `list`.
Object = dict[str, Any]
Objects = list[Object]
Items = list[BatchItem]


# What is raised.


class WaybillError(Exception):
    """Whatever a call can raise. `request_id` finds the request in Waybill's logs."""

    request_id: str = ""


class NotReached(WaybillError):
    """There was no answer. With `is_sent` the request may have been carried out all the same."""

    def __init__(self, detail: str, is_sent: bool, is_final: bool = False) -> None:
        super().__init__(detail, is_sent, is_final)
        self.detail = detail
        self.is_sent = is_sent
        self.is_final = is_final

    def __str__(self) -> str:
        return self.detail


class NotWaybill(WaybillError):
    """What answered is not Waybill's API: the URL leads elsewhere, or a proxy changed the answer."""


class WaitTimeout(WaybillError):
    """The job had not finished in time. `job` is how it was by then."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"{self.job.get('id')} is still {self.job.state}"


class FieldError(NamedTuple):
    """One wrong field: where (a JSON Pointer into the body, a parameter's or header's name), and what is wrong."""

    pointer: str
    detail: str


class Problem(WaybillError):
    """An answer that says no (RFC 9457). `type` is `/problems/<slug>`; `/problems/…` of the service explains it."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        super().__init__(status, body, retry_after_s)
        self.status = status
        self.body = body
        self.type = _text(body.get("type")) or "about:blank"
        self.title = _text(body.get("title")) or http.client.responses.get(status, "Unknown status")
        self.detail = _text(body.get("detail"))
        self.errors = _field_errors(body.get("errors"))
        self.retry_after_s = retry_after_s
        self.request_id = _text(body.get("request_id"))

    @property
    def slug(self) -> str:
        """The last part of `type`, as in "queue-full"."""
        return self.type.rpartition("/")[2]

    def __str__(self) -> str:
        faults = "".join(f"; {pointer or '/'} {detail}" for pointer, detail in self.errors)
        return f"{self.status} {self.title}: {self.detail}{faults}"


class KeyRefused(Problem):
    """401: no key, or one that is not good."""


class Forbidden(Problem):
    """403: the key's scope does not reach so far."""


class NotFound(Problem):
    """404. A path that an older Waybill does not have is one, too."""


class JobNotFound(NotFound):
    pass


class QueueNotFound(NotFound):
    pass


class Conflict(Problem):
    """409: the job's state, or what the queue holds, does not allow this."""


class InvalidFields(Problem):
    """422: `errors` says which fields are wrong, and why."""


class IdempotencyKeyReused(Problem):
    """422: the idempotency key came before, with another job."""


class TooManyRequests(Problem):
    """429, after all tries."""


class Unavailable(Problem):
    """503, after all tries."""


class QueueFull(Unavailable):
    """As many jobs wait in the queue as its `max_depth` allows; this one was not taken in."""


class GroupFull(QueueFull):
    """As many jobs of the job's group are ready as the queue allows each group; this one was not taken in."""


_OF_SLUG: dict[str, type[Problem]] = {
    "job-not-found": JobNotFound,
    "queue-not-found": QueueNotFound,
    "idempotency-key-reused": IdempotencyKeyReused,
    "queue-full": QueueFull,
    "group-full": GroupFull,
}
_OF_STATUS: dict[int, type[Problem]] = {
    401: KeyRefused,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: InvalidFields,
    429: TooManyRequests,
    503: Unavailable,
}


def problem_of(status: int, body: Any, retry_after_s: float | None = None) -> Problem:
    """The Problem that an answer tells of. A body without a known `type` makes a Problem of the status' class."""
    body = body if isinstance(body, dict) else {"detail": _text(body)}
    slug = _text(body.get("type")).rpartition("/")[2]
    kind = _OF_SLUG.get(slug) or _OF_STATUS.get(status, Problem)
    told = body.get("retry_after_s")
    if retry_after_s is None and isinstance(told, (int, float)):
        retry_after_s = told
    return kind(status, body, retry_after_s)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _field_errors(value: Any) -> list[FieldError]:
    items = value if isinstance(value, list) else []
    return [FieldError(_text(i.get("pointer")), _text(i.get("detail"))) for i in items if isinstance(i, dict)]


# Requests and answers, as values.


@dataclasses.dataclass(frozen=True)
class _Request:
    """is_repeatable: whether the request, sent twice, does no more than sent once. wait_s: how long the service may
    hold the answer."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_repeatable: bool = False
    wait_s: float = 0.0


class _Reply(NamedTuple):
    """headers: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _get(path: str, wait_s: float = 0.0) -> _Request:
    return _Request("GET", path, is_repeatable=True, wait_s=wait_s)


def _get_job(job_id: str, wait_s: float = 0.0) -> _Request:
    return _get(_path("jobs", job_id) + (f"?wait={wait_s:.3f}" if wait_s else ""), wait_s)


def _path(*parts: str) -> str:
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


def _with_body(method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> _Request:
    headers = {"Content-Type": "application/json", **(headers or {})}
    return _Request(method, path, _to_json(body), headers, is_repeatable="Idempotency-Key" in headers)


def _enqueue(type_name: str, payload: Any, key: str | None, wait_s: int, options: Mapping[str, Any]) -> _Request:
    headers = {"Idempotency-Key": uuid.uuid4().hex if key is None else key}
    if wait_s:
        headers["Prefer"] = f"wait={int(wait_s)}"
    body = {"type": type_name, "payload": payload, **options}
    return dataclasses.replace(_with_body("POST", "/api/jobs", body, headers), wait_s=wait_s)


def _post(path: str) -> _Request:
    return _Request("POST", path)


def _list(filters: Mapping[str, Any], cursor: str | None) -> _Request:
    given = {**filters, "cursor": cursor}
    return _get("/api/jobs?" + urlencode({name: value for name, value in given.items() if value is not None}))


def _to_json(value: Any) -> bytes:
    """Raises TypeError or ValueError for what is no JSON."""
    return json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """What JSON has no form for, in the form that a handler's result would have."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, decimal.Decimal)):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _json_in(reply: _Reply) -> Any:
    """What the answer holds. Raises Problem where it says no, NotWaybill where it is no JSON."""
    kind = reply.headers.get("content-type", "").partition(";")[0].strip()
    is_json = kind == "application/json" or kind.endswith("+json")
    try:
        body = json.loads(reply.body) if is_json else None
    except ValueError:
        is_json, body = False, None
    if not 200 <= reply.status < 300:
        body = body if is_json else reply.body[:200].decode("utf-8", "replace")
        raise problem_of(reply.status, body, _seconds(reply.headers.get("retry-after")))
    if not is_json and reply.status != 204:
        raise NotWaybill(f"answered {reply.status} with {kind or 'no content type'}, and not with JSON")
    return body


def _job_in(reply: _Reply) -> Job:
    return Job(_object_in(reply))


def _ended_in(reply: _Reply) -> Job:
    """A job that was waited for. One that is dead or cancelled is told as a problem, and is given all the same."""
    try:
        return _job_in(reply)
    except Problem as problem:
        if problem.slug == "job-failed" and isinstance(problem.body.get("job"), dict):
            return Job(problem.body["job"])
        raise


def _object_in(reply: _Reply) -> Object:
    """Raises Problem, NotWaybill."""
    body = _json_in(reply)
    if not isinstance(body, dict):
        raise NotWaybill("answered with JSON that is no object")
    return body


def _items_in(reply: _Reply) -> Objects:
    """The `items` of an answer; of NDJSON its lines. Raises Problem, NotWaybill."""
    is_lines = reply.status == 200 and reply.headers.get("content-type", "").startswith(NDJSON)
    try:
        return [json.loads(line) for line in reply.body.splitlines()] if is_lines else [*_object_in(reply)["items"]]
    except (ValueError, KeyError, TypeError) as fault:
        raise NotWaybill("answered without items") from fault


def _nothing_in(reply: _Reply) -> None:
    """Raises Problem, NotWaybill."""
    _json_in(reply)


def _health_in(reply: _Reply) -> Any:
    """The health is told with 503, too, and then not as a problem."""
    is_health = reply.headers.get("content-type", "").startswith("application/json")
    return _json_in(reply._replace(status=200) if is_health else reply)


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After as seconds from now: a number, or the date that a proxy may send. None where it makes no sense."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


class _Tries:
    """How often, and for how long, one call is tried."""

    def __init__(self, request: _Request, most: float, total_s: float, timeout_s: float) -> None:
        self._is_repeatable = request.is_repeatable
        self._wait_s = request.wait_s
        self._most = most
        self._until_s = time.monotonic() + total_s
        self._timeout_s = timeout_s
        self._made = 0
        self.pause_s = 0.0
        """Seconds to pause before the next one."""

    @property
    def try_s(self) -> float:
        """How long the next one may take: not much beyond the end of all."""
        left_s = self._until_s - time.monotonic() - self._wait_s
        return self._wait_s + min(self._timeout_s, max(1.0, left_s))

    def is_left_after(self, fault: WaybillError) -> bool:
        """Whether there is to be another one. Sets `pause_s`.

        Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), on top of what the answer asked for.
        """
        self._made += 1
        self.pause_s = random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._made - 1, 10)))
        if isinstance(fault, Problem):
            self.pause_s += fault.retry_after_s or 0.0
        is_time_left = time.monotonic() + self.pause_s < self._until_s
        return self._made < self._most and is_time_left and self._may_repeat(fault)

    def _may_repeat(self, fault: WaybillError) -> bool:
        if isinstance(fault, NotReached):
            return not fault.is_final and (self._is_repeatable or not fault.is_sent)
        if isinstance(fault, Problem):
            is_not_done = fault.status == 429 or (fault.status == 503 and fault.slug in NOT_DONE)
            return fault.status in RETRIED if self._is_repeatable else is_not_done
        return False


class _Slice:
    """Neighbouring jobs of a batch. Each has its key, so that all may be sent again where one was not decided."""

    def __init__(self, first: int, lines: list[bytes]) -> None:
        self._first = first
        self._lines = lines
        self._items: dict[int, BatchItem] = {}

    def request(self) -> _Request:
        """An array up to 1,000 jobs, else NDJSON."""
        if len(self._lines) <= ARRAY_JOBS:
            kind, body = "application/json", b"[" + b",".join(self._lines) + b"]"
        else:
            kind, body = NDJSON, b"\n".join(self._lines)
        return _Request("POST", "/api/jobs/batch", body, {"Content-Type": kind}, is_repeatable=True)

    def take(self, reply: _Reply) -> None:
        """Note what became of the jobs. Raises the Problem or NotReached for which they are to be sent again."""
        answers = _items_in(reply)
        early = answers.pop() if answers and answers[-1].get("ended_early") else None
        for at, answer in enumerate(answers):
            problem = problem_of(answer["status"], answer["problem"]) if "problem" in answer else None
            said = answer.get("id"), problem, answer.get("outcome")
            self._items[at] = BatchItem(self._first + at, answer["status"], *said)
        if early and len(answers) < len(self._lines):
            raise problem_of(early["status"], early["problem"])
        if len(answers) < len(self._lines):
            raise NotReached(f"{len(answers)} of {len(self._lines)} jobs were answered", is_sent=True)
        for item in self._items.values():
            if item.problem and item.status in RETRIED:
                raise item.problem

    def items(self, fault: WaybillError | None = None) -> Iterator[BatchItem]:
        """What became of each, in their order. Raises `fault` at the first of which nothing is known."""
        for at in range(len(self._lines)):
            if at not in self._items and fault:
                raise fault
            yield self._items[at]


def _slices(jobs: Iterable[Mapping[str, Any]]) -> Iterator[_Slice]:
    """Jobs in slices, each job as JSON and with a key."""
    first, lines, slice_bytes = 0, [], 0
    for job in jobs:
        line = _to_json({"idempotency_key": uuid.uuid4().hex, **job})
        lines.append(line)
        slice_bytes += len(line)
        if len(lines) == SLICE_JOBS or slice_bytes >= SLICE_BYTES:
            yield _Slice(first, lines)
            first, lines, slice_bytes = first + len(lines), [], 0
    if lines:
        yield _Slice(first, lines)


class _Wait:
    """One `wait`: what to ask next, and how long to pause before that."""

    def __init__(self, job_id: str, timeout_s: float) -> None:
        self._job_id = job_id
        self._until_s = time.monotonic() + timeout_s
        self._asked_s = 0.0

    @property
    def left_s(self) -> float:
        return max(0.0, self._until_s - time.monotonic())

    def request(self) -> _Request:
        self._asked_s = time.monotonic()
        return _get_job(self._job_id, min(self.left_s, LONGEST_WAIT_S))

    def pause_s(self, job: Job) -> float:
        """Of a server that shuts down the answer comes at once: not to ask in a hot loop, pause. Raises WaitTimeout."""
        if not self.left_s:
            raise WaitTimeout(job)
        is_early = time.monotonic() - self._asked_s < 0.5
        return min(self.left_s, random.uniform(0, 1)) if is_early else 0.0


# The clients.


class _Origin(NamedTuple):
    """Where the service is. prefix: the path under which a proxy has it, "" as a rule."""

    host: str
    port: int | None
    host_field: str
    prefix: str
    tls: ssl.SSLContext | None


def _origin(url: str, tls: ssl.SSLContext | None) -> _Origin:
    parts = urlsplit(url)
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ValueError("url must be as https://waybill.example.com or http://127.0.0.1:8000, without user or query")
    if parts.scheme == "https":
        tls = tls or ssl.create_default_context()
    return _Origin(parts.hostname, parts.port, parts.netloc, parts.path.rstrip("/"), tls)


# What the methods give: a job, an object, objects, nothing; of AsyncWaybill something to await for each.
OneJob = TypeVar("OneJob")
OneObject = TypeVar("OneObject")
SomeObjects = TypeVar("SomeObjects")
Nothing = TypeVar("Nothing")
Client = TypeVar("Client", bound="_Client[Any, Any, Any, Any]")


class _Client(Generic[OneJob, OneObject, SomeObjects, Nothing]):
    """What Waybill and AsyncWaybill share.

    key: as `server.py --new-key` printed it. timeout_s: how long one try may take to connect, and again to be answered.
    tries, total_s: how often, and for how many seconds, one call may be tried in all. tls: an ssl.SSLContext, for a CA
    or a certificate of your own. connections: how many are kept. An AsyncWaybill sends at most that many requests at a
    time; requests that wait for a job's end are not counted.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        *,
        timeout_s: float = 10.0,
        tries: int = 5,
        total_s: float = 30.0,
        tls: ssl.SSLContext | None = None,
        connections: int = 10,
    ) -> None:
        self._origin = _origin(url, tls)
        self._timeout_s = timeout_s
        self._most_tries = tries
        self._total_s = total_s
        self._pool = self._new_pool(connections)
        self._fields = {"User-Agent": "waybill-client-python"}
        if key:
            self._fields["Authorization"] = f"Bearer {key.strip()}"
        _checked(self._fields)

    def within(self: Client, *, request_id: str | None = None, traceparent: str | None = None) -> Client:
        """This client for one request of yours, on the same connections. What can't be an id is left out."""
        given = {"X-Request-ID": request_id or "", "traceparent": traceparent or ""}
        fit = {name: value for name, value in given.items() if re.fullmatch(r"[A-Za-z0-9._-]{1,128}", value)}
        other = copy.copy(self)
        other._fields = {**self._fields, **fit}
        return other

    def enqueue(
        self, type: str, payload: Any, *, idempotency_key: str | None = None, wait_s: int = 0, **options: Any
    ) -> OneJob:
        """Queue a job and return it. Where a living job holds the `unique` key, or the idempotency key was sent before,
        the earlier job is returned and nothing is queued.

        wait_s: have the service hold the answer until the job has finished, 60 s at most; the job may still run then.
        """
        return self._job(_enqueue(type, payload, idempotency_key, wait_s, options), _ended_in)

    def get(self, job_id: str) -> OneJob:
        return self._job(_get_job(job_id))

    def cancel(self, job_id: str, *, force: bool = False) -> OneJob:
        """force: end it without waiting for its handler."""
        return self._job(_post(_path("jobs", job_id, "cancel") + ("?force=true" if force else "")))

    def retry(self, job_id: str) -> OneJob:
        """Run a finished job again."""
        return self._job(_post(_path("jobs", job_id, "retry")))

    def delete(self, job_id: str) -> Nothing:
        """Forget a finished job."""
        done: Nothing = self._do(_Request("DELETE", _path("jobs", job_id)), _nothing_in)
        return done

    def patch(self, job_id: str, **changes: Any) -> OneJob:
        """Change a job that waits: payload, priority, run_at, max_attempts."""
        return self._job(_with_body("PATCH", _path("jobs", job_id), changes))

    def queues(self) -> SomeObjects:
        """By name; of more than 500 the first ones."""
        return self._items(_get("/api/queues"))

    def types(self) -> SomeObjects:
        """The job types that the service knows. NotFound where it is too old to tell."""
        return self._items(_get("/api/types"))

    def pause(self, queue: str) -> OneObject:
        """Have no worker begin a job of it. Needs a key of scope admin, as does `resume`."""
        return self._object(_post(_path("queues", queue, "pause")))

    def resume(self, queue: str) -> OneObject:
        return self._object(_post(_path("queues", queue, "resume")))

    def health(self) -> OneObject:
        """How the service is; also where its Redis is away (`status` is then "unavailable")."""
        return self._object(_get("/api/health"), _health_in)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Any other operation of the API: the JSON of its answer. path: percent-encoded where it has to be."""
        if not re.fullmatch(r"/[!-~]*", path):
            raise ValueError("path must begin with / and be percent-encoded")
        if body is None:
            return self._do(_Request(method, path, is_repeatable=method == "GET"))
        return self._do(_with_body(method, path, body))

    def _job(self, request: _Request, read: Callable[[_Reply], Job] = _job_in) -> OneJob:
        job: OneJob = self._do(request, read)
        return job

    def _object(self, request: _Request, read: Callable[[_Reply], Any] = _object_in) -> OneObject:
        found: OneObject = self._do(request, read)
        return found

    def _items(self, request: _Request) -> SomeObjects:
        items: SomeObjects = self._do(request, _items_in)
        return items

    def _new_pool(self, most: int) -> Any:
        raise NotImplementedError

    def _do(self, request: _Request, read: Callable[[_Reply], Any] = _json_in, patience_s: float | None = None) -> Any:
        """What `read` makes of the answer, after as many tries as it takes: at once, or to be awaited."""
        raise NotImplementedError

    def _prepared(self, request: _Request) -> _Request:
        """With the fields that each request has. All tries of one call bear the same id."""
        fields = {"X-Request-ID": str(uuid.uuid4()), **self._fields, **request.headers}
        return dataclasses.replace(request, headers=_checked(fields))

    def _tries(self, request: _Request, patience_s: float | None = None) -> _Tries:
        """patience_s: so long it is tried, however often; None: as the client was told."""
        if patience_s is not None:
            return _Tries(request, math.inf, patience_s, self._timeout_s)
        return _Tries(request, self._most_tries, self._total_s + request.wait_s, self._timeout_s)


def _checked(fields: dict[str, str]) -> dict[str, str]:
    """Raises ValueError, without the value: it may be the key."""
    for name, value in fields.items():
        if not re.fullmatch(r"[ -~]*", value):
            raise ValueError(f"{name} must be printable ASCII")
    return fields


def _not_reached(fault: BaseException, *, is_sent: bool) -> NotReached:
    """A certificate that is not good does not get better; all else may."""
    detail = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    return NotReached(detail, is_sent, is_final=isinstance(fault, ssl.SSLCertVerificationError))


Link = TypeVar("Link", http.client.HTTPConnection, "_AsyncLink")


class _Pool(Generic[Link]):
    """Connections that are kept for the next request.

    owner: a process (after a fork two must not share one), or a loop of asyncio's (another one can't use them).
    """

    def __init__(self, most: int, owner: Callable[[], object]) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._owner_now = owner
        self._owner: object = None
        self._idle: list[tuple[float, Link]] = []

    def take(self) -> Link | None:
        """The one that was used last; None where that was too long ago."""
        with self._lock:
            if self._owner != self._owner_now():
                self._owner, self._idle = self._owner_now(), []
            while self._idle:
                since_s, link = self._idle.pop()
                if time.monotonic() - since_s < IDLE_S:
                    return link
                link.close()
        return None

    def give(self, link: Link) -> None:
        with self._lock:
            if len(self._idle) < self._most and self._owner == self._owner_now():
                self._idle.append((time.monotonic(), link))
            else:
                link.close()

    def clear(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for _, link in idle:
            link.close()


class Waybill(_Client[Job, Object, Objects, None]):
    """For threads. `with Waybill(…) as waybill:` closes its connections; one for all of a process needs no closing."""

    _pool: _Pool[http.client.HTTPConnection]

    def _new_pool(self, most: int) -> _Pool[http.client.HTTPConnection]:
        return _Pool(most, os.getpid)

    def __enter__(self) -> Waybill:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections. The client may be used again."""
        self._pool.clear()

    def batch(self, jobs: Iterable[Mapping[str, Any]]) -> Items:
        """What became of each job, when all are decided. After an exception some may be queued: send all again with
        `idempotency_key`s of your own, and none is queued twice."""
        return [*self.stream(jobs)]

    def stream(self, jobs: Iterable[Mapping[str, Any]]) -> Iterator[BatchItem]:
        """As `batch`, for jobs without end: up to 10,000 are sent at a time, the next when those before were looked at.
        Where nobody iterates over it, nothing is sent."""
        for some in _slices(jobs):
            fault = None
            try:
                self._do(some.request(), some.take)
            except WaybillError as raised:
                fault = raised
            yield from some.items(fault)

    def wait(self, job_id: str, timeout_s: float = 300.0) -> Job:
        """The job when it has finished, however it ended. An outage meanwhile is waited out. Raises WaitTimeout, and
        JobNotFound where its record went before it was seen (`retain_s`)."""
        wait = _Wait(job_id, timeout_s)
        while True:
            job: Job = self._do(wait.request(), _job_in, wait.left_s)
            if job.is_finished:
                return job
            time.sleep(wait.pause_s(job))

    def list(self, **filters: Any) -> Iterator[Job]:
        """All jobs that fit (queue, state, type, request_id, q, …), in the order of the list. limit: of a page."""
        page: Object = {"next_cursor": None}
        while page:
            page = self._do(_list(filters, page["next_cursor"]), _object_in)
            yield from map(Job, page["items"])
            page = page if page["next_cursor"] else {}

    def _do(self, request: _Request, read: Callable[[_Reply], Any] = _json_in, patience_s: float | None = None) -> Any:
        request, tries = self._prepared(request), self._tries(request, patience_s)
        while True:
            try:
                return read(self._exchange(request, tries.try_s))
            except WaybillError as fault:
                fault.request_id = fault.request_id or request.headers["X-Request-ID"]
                if not tries.is_left_after(fault):
                    raise
            time.sleep(tries.pause_s)

    def _exchange(self, request: _Request, timeout_s: float) -> _Reply:
        """One request and its answer. Raises NotReached."""
        # What must not be sent twice never goes out on a connection that may have been closed meanwhile.
        kept = self._pool.take() if request.is_repeatable else None
        link = kept or self._dialled(timeout_s)
        try:
            link.sock.settimeout(timeout_s)
            with contextlib.suppress(ConnectionError):  # An answer that came before all was sent is read all the same.
                link.request(request.method, self._origin.prefix + request.path, request.body, dict(request.headers))
            answer = link.getresponse()
            reply = _Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except (OSError, http.client.HTTPException) as fault:
            link.close()
            self._pool.clear()  # The others lead to the same server, and may be as dead.
            raise _not_reached(fault, is_sent=True) from fault
        except BaseException:  # Half an answer may be in it.
            link.close()
            raise
        if not answer.will_close:
            self._pool.give(link)
        return reply

    def _dialled(self, timeout_s: float) -> http.client.HTTPConnection:
        host, port, _, _, tls = self._origin
        if tls is None:
            link = http.client.HTTPConnection(host, port, timeout=timeout_s)
        else:
            link = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls)
        try:
            link.connect()
        except OSError as fault:
            link.close()
            raise _not_reached(fault, is_sent=False) from fault
        return link


class AsyncWaybill(_Client[Awaitable[Job], Awaitable[Object], Awaitable[Objects], Awaitable[None]]):
    """For asyncio, without threads. `async with AsyncWaybill(…) as waybill:`, or `await waybill.close()` at the end."""

    _pool: _AsyncPool

    def _new_pool(self, most: int) -> _AsyncPool:
        return _AsyncPool(most, asyncio.get_running_loop)

    async def __aenter__(self) -> AsyncWaybill:
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the kept connections. The client may be used again."""
        self._pool.clear()

    async def batch(self, jobs: Iterable[Mapping[str, Any]]) -> Items:
        """See Waybill.batch; and so for the other methods."""
        return [item async for item in self.stream(jobs)]

    async def stream(self, jobs: Iterable[Mapping[str, Any]]) -> AsyncIterator[BatchItem]:
        for some in _slices(jobs):
            fault = None
            try:
                await self._do(some.request(), some.take)
            except WaybillError as raised:
                fault = raised
            for item in some.items(fault):
                yield item

    async def wait(self, job_id: str, timeout_s: float = 300.0) -> Job:
        wait = _Wait(job_id, timeout_s)
        while True:
            job: Job = await self._do(wait.request(), _job_in, wait.left_s)
            if job.is_finished:
                return job
            await asyncio.sleep(wait.pause_s(job))

    async def list(self, **filters: Any) -> AsyncIterator[Job]:
        page: Object = {"next_cursor": None}
        while page:
            page = await self._do(_list(filters, page["next_cursor"]), _object_in)
            for item in page["items"]:
                yield Job(item)
            page = page if page["next_cursor"] else {}

    async def _do(
        self, request: _Request, read: Callable[[_Reply], Any] = _json_in, patience_s: float | None = None
    ) -> Any:
        request, tries = self._prepared(request), self._tries(request, patience_s)
        while True:
            try:
                return read(await self._exchange(request, tries.try_s))
            except WaybillError as fault:
                fault.request_id = fault.request_id or request.headers["X-Request-ID"]
                if not tries.is_left_after(fault):
                    raise
            await asyncio.sleep(tries.pause_s)

    async def _exchange(self, request: _Request, timeout_s: float) -> _Reply:
        """One request and its answer. Raises NotReached."""
        if request.wait_s:  # Who waits holds a connection for long, and must not keep others from theirs.
            return await self._exchanged(request, timeout_s)
        async with self._pool.slots():
            return await self._exchanged(request, timeout_s)

    async def _exchanged(self, request: _Request, timeout_s: float) -> _Reply:
        # What must not be sent twice never goes out on a connection that may have been closed meanwhile.
        kept = self._pool.take() if request.is_repeatable else None
        link = kept or await self._dialled(timeout_s)
        try:
            reply = await asyncio.wait_for(link.exchange(self._origin, request), timeout_s)
        except _BROKEN as fault:
            link.close()
            self._pool.clear()  # The others lead to the same server, and may be as dead.
            raise _not_reached(fault, is_sent=True) from fault
        except BaseException:  # Cancelled: half an answer may be in it.
            link.close()
            raise
        if link.is_kept:
            self._pool.give(link)
        else:
            link.close()
        return reply

    async def _dialled(self, timeout_s: float) -> _AsyncLink:
        host, port, _, _, tls = self._origin
        dial = asyncio.open_connection(host, port or (443 if tls else 80), ssl=tls)
        try:
            return _AsyncLink(*await asyncio.wait_for(dial, timeout_s))
        except (OSError, asyncio.TimeoutError) as fault:
            raise _not_reached(fault, is_sent=False) from fault


# What `_AsyncLink.exchange` raises: a broken connection, its end, what is no HTTP, a head that is too long.
_BROKEN = (OSError, EOFError, ValueError, asyncio.TimeoutError, asyncio.LimitOverrunError)


class _AsyncLink:
    """One HTTP/1.1 connection of asyncio's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_kept = True

    def close(self) -> None:
        # With the loop that it belonged to gone, there is nothing left to close.
        with contextlib.suppress(RuntimeError):
            self._writer.close()

    async def exchange(self, origin: _Origin, request: _Request) -> _Reply:
        """Raises one of _BROKEN."""
        body = request.body or b""
        fields = {"Host": origin.host_field, **request.headers}
        if body or request.method != "GET":
            fields["Content-Length"] = str(len(body))
        first = f"{request.method} {origin.prefix}{request.path} HTTP/1.1"
        head = "".join(f"{line}\r\n" for line in (first, *map(": ".join, fields.items()), ""))
        self._writer.write(head.encode("ascii") + body)
        # Not drained: an answer that comes before all is sent has to be read before the connection breaks.
        status = 100
        while status < 200:
            version, status, headers = await self._head()
        text = await self._body(status, headers)
        is_last = version != "HTTP/1.1" or "close" in headers.get("connection", "").lower()
        self.is_kept = self.is_kept and not is_last
        return _Reply(status, headers, text)

    async def _head(self) -> tuple[str, int, dict[str, str]]:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        fields = (line.partition(":") for line in lines[1:] if line)
        return version, int(status), {name.lower(): value.strip() for name, _, value in fields}

    async def _body(self, status: int, headers: Mapping[str, str]) -> bytes:
        if status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join([piece async for piece in self._chunks()])
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        self.is_kept = False
        return await self._reader.read()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers


class _AsyncPool(_Pool[_AsyncLink]):
    """slots: so many requests at a time; they belong to one loop as well."""

    _slots_of: object = None

    def slots(self) -> asyncio.Semaphore:
        if self._slots_of is not asyncio.get_running_loop():
            self._slots_of, self._slots = asyncio.get_running_loop(), asyncio.Semaphore(self._most)
        return self._slots


# For tests.


Handler = Callable[[Any], Any]
_YEARS_S = 316_224_000


def _is_number(low: float, high: float = _YEARS_S, kinds: tuple[type, ...] = (int, float)) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds and low <= value <= high


def _is_text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_object(*names: str, required: str = "") -> Callable[[Any], bool]:
    """An object of no other names; of any names where none is given."""
    return lambda value: isinstance(value, dict) and required in ("", *value) and (not names or {*value} <= {*names})


_is_tag = _is_text(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
# What POST /api/jobs takes, each with a check of its form.
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "type": _is_text(r".+"),
    "payload": _is_object(),
    "queue": _is_text(r"[a-z0-9][a-z0-9_-]{0,63}"),
    "priority": _is_text(r"high|normal|low"),
    "delay_s": _is_number(0),
    "run_at": _is_text(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"),
    "max_attempts": lambda value: _is_number(1, 1000)(value) and value == int(value),
    "timeout_s": _is_number(1e-9, 604_800),
    "backoff": _is_object("base_s", "cap_s"),
    "expires_in_s": _is_number(1e-9),
    "group": _is_text(r"[A-Za-z0-9._:@/-]{1,128}"),
    "tags": lambda value: isinstance(value, list) and len(value) <= 10 and all(map(_is_tag, value)),
    "unique": _is_object("key", "ttl_s", "mode", required="key"),
    "retain_s": _is_number(0),
}
_CHANGES = ("payload", "priority", "run_at", "max_attempts", "tags")
# A new job's fields, where it does not say otherwise.
_UNSET = ("run_at", "expires_at", "started_at", "finished_at", "progress", "result", "error", "worker_id", "trace_id")
_USUAL = {"priority": "normal", "max_attempts": 5, "timeout_s": 60, "backoff": {"base_s": 2, "cap_s": 3600}}


def _refusal(status: int, slug: str, detail: str, errors: Iterable[FieldError] = ()) -> Problem:
    told = [fault._asdict() for fault in errors]
    return problem_of(status, {"type": f"/problems/{slug}", "title": slug, "detail": detail, "errors": told})


def _checked_fields(body: Any, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Any]:
    """The body, if its form is right. Raises InvalidFields."""
    if not isinstance(body, dict):
        raise _refusal(422, "invalid-fields", "the body must be an object", [FieldError("", "is no object")])
    faults = [FieldError(f"/{name}", "is missing") for name in required if name not in body]
    faults += [FieldError(f"/{name}", "is not known here") for name in body if name not in known]
    wrong = [name for name, is_right in _CHECKS.items() if name in body and not is_right(body[name])]
    faults += [FieldError(f"/{name}", "is not as openapi.yaml has it") for name in wrong]
    if body.get("delay_s") and "run_at" in body:
        faults.append(FieldError("/run_at", "can't stand beside delay_s"))
    if faults:
        raise _refusal(422, "invalid-fields", f"{len(faults)} fields are not valid; see errors", faults)
    return body


class _FakeService:
    """Answers as the service would, from memory, as far as a file alone can know what that is."""

    def __init__(self, handlers: Mapping[str, Handler], more_options: Iterable[str]) -> None:
        self.handlers = handlers
        self.known = (*_CHECKS, *more_options)
        self.jobs: list[Job] = []
        self.paused: set[str] = set()
        self.keys: dict[tuple[str, str], tuple[Object, int, Job]] = {}
        self.throttles: dict[tuple[str, str, str], Job] = {}
        self.fault: WaybillError | None = None

    def answer(self, request: _Request) -> _Reply:
        """Raises `fault` where there is one."""
        if self.fault is not None:
            raise self.fault
        path, _, query = request.path.partition("?")
        room, *names = [unquote(part) for part in path.split("/")[2:]]
        body = _read_lines(request) if request.body else None
        try:
            status, shown = self._routed(request, (request.method, room, *names), dict(parse_qsl(query)), body)
        except Problem as problem:
            status, shown = problem.status, problem.body
        kind = "application/json" if status < 300 else "application/problem+json"
        return _Reply(status, {"content-type": kind}, _to_json(shown))

    def _routed(
        self, request: _Request, parts: tuple[str, ...], query: Mapping[str, str], body: Any
    ) -> tuple[int, Any]:
        request_id = request.headers["X-Request-ID"]
        if parts == ("POST", "jobs"):
            return self._post(body, request.headers["Idempotency-Key"], request_id)
        if parts == ("POST", "jobs", "batch"):
            return 200, {"items": [self._item(at, job, request_id) for at, job in enumerate(body)]}
        if parts == ("GET", "jobs"):
            return 200, self._page(query)
        if parts == ("GET", "queues"):
            return 200, {"items": [self._queue(name) for name in self._queues()]}
        if parts == ("GET", "health"):
            return 200, {"status": "ok", "redis": {"status": "up"}, "workers": 1, "warnings": []}
        if parts[1] == "jobs" and len(parts) > 2:
            return 200, self._of_job(self.job(parts[2]), " ".join((parts[0], *parts[3:])), body)
        if parts[1] == "queues" and parts[::3] in (("POST", "pause"), ("POST", "resume")):
            return 200, self._adjusted(parts[2], is_paused=parts[3] == "pause")
        raise _refusal(404, "not-found", f"the fake does not know {request.method} {request.path}")

    def _post(self, body: Any, key: Any, request_id: str) -> tuple[int, Object]:
        required = ("type", "payload")
        # One that is null is as if it were not there.
        given = {name: value for name, value in body.items() if value is not None or name in required}
        fields = _checked_fields(given, self.known, required)
        if not _is_text(r"[!#-~]{1,255}")(key):
            detail = "must be 1 to 255 visible ASCII characters"
            raise _refusal(422, "invalid-fields", f"the key {detail}", [FieldError("Idempotency-Key", detail)])
        queue = fields.get("queue", "email" if fields["type"] == "email" else "default")
        outcome = "replayed"
        if (queue, key) not in self.keys:
            job = _new_job(fields, queue, request_id)
            holder = self._holder(job) or self._throttle_of(job)
            self.keys[queue, key] = (fields, 200 if holder else 202, holder or job)
            self.jobs += [] if holder else [job]
            outcome = "duplicate" if holder else "created"
        known, status, job = self.keys[queue, key]
        if known != fields:
            raise _refusal(422, "idempotency-key-reused", "it came before with another body")
        return status, {**job, "outcome": outcome}

    def _item(self, index: int, body: Any, request_id: str) -> Object:
        try:
            fields = {name: value for name, value in body.items() if name != "idempotency_key"}
            status, job = self._post(fields, body["idempotency_key"], request_id)
        except Problem as problem:
            return {"index": index, "status": problem.status, "problem": problem.body}
        return {"index": index, "status": status, "id": job["id"], "outcome": job["outcome"]}

    def _holder(self, job: Job) -> Job | None:
        """Who holds its unique key, if not itself. (A key does not run out here.)"""
        wanted = job["queue"], job["type"], job["unique_key"]
        for other in self.jobs:
            is_same = (other["queue"], other["type"], other["unique_key"]) == wanted
            if is_same and wanted[2] is not None and other is not job and not other.is_finished:
                return other
        return None

    def _throttle_of(self, job: Job) -> Job | None:
        """The job that holds its unique key of the mode throttle, finished or not, if not itself."""
        if job.get("unique", {}).get("mode") != "throttle":
            return None
        first = self.throttles.setdefault((job["queue"], job["type"], job["unique_key"]), job)
        if first is not job and first not in self.jobs:
            raise _refusal(409, "throttled", f"the job {first.id} holds the unique key, and is gone")
        return None if first is job else first

    def job(self, job_id: str) -> Job:
        for job in self.jobs:
            if job.id == job_id:
                return job
        raise _refusal(404, "job-not-found", f"there is no job {job_id}")

    def _of_job(self, job: Job, operation: str, body: Any) -> Job:
        if operation == "GET":
            return job
        if operation not in ("PATCH", "DELETE", "POST cancel", "POST retry"):
            raise _refusal(404, "not-found", f"the fake does not know {operation} of a job")
        if job.is_finished != (operation in ("DELETE", "POST retry")):
            raise _refusal(409, "wrong-state", f"the job is {job.state}")
        if operation == "POST retry" and (self._holder(job) or self._throttle_of(job)):
            raise _refusal(409, "wrong-state", "another job holds its unique key")
        if operation == "DELETE":
            self.jobs.remove(job)
        elif operation == "PATCH":
            job.update(_checked_fields(body, _CHANGES))
        elif operation == "POST cancel":
            job.update(state="cancelled")
        else:
            job.update(state="ready", attempts=0, result=None, error=None)
        return job

    def _page(self, query: Mapping[str, str]) -> Object:
        first, limit = int(query.get("cursor", 0)), int(query.get("limit", 50))
        filters = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
        fit = [job for job in reversed(self.jobs) if all(job.get(name) == value for name, value in filters.items())]
        end = first + limit
        return {"items": fit[first:end], "next_cursor": str(end) if end < len(fit) else None}

    def _queues(self) -> list[str]:
        return sorted({str(job["queue"]) for job in self.jobs})

    def _adjusted(self, name: str, *, is_paused: bool) -> Object:
        if name not in self._queues():
            raise _refusal(404, "queue-not-found", f"there is no queue {name}")
        (self.paused.add if is_paused else self.paused.discard)(name)
        return self._queue(name)

    def _queue(self, name: str) -> Object:
        states = [job.state for job in self.jobs if job["queue"] == name]
        counts = {state: states.count(state) for state in ("ready", "active", "delayed", "blocked", *FINISHED)}
        return {"name": name, "counts": counts, "paused": name in self.paused}

    def next(self, handlers: Mapping[str, Handler]) -> Job | None:
        """The oldest job that waits, for its time as well, and has a handler."""
        for job in self.jobs:
            if not job.is_finished and job["type"] in handlers and job["queue"] not in self.paused:
                return job
        return None


def _read_lines(request: _Request) -> Any:
    if request.headers.get("Content-Type") == NDJSON:
        return [json.loads(line) for line in (request.body or b"").splitlines()]
    return json.loads(request.body or b"")


def _new_job(fields: Object, queue: str, request_id: str) -> Job:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    is_later = bool(fields.get("delay_s")) or "run_at" in fields
    unset: Object = {**dict.fromkeys(_UNSET), "retain_s": None, "cancel_requested_at": None, "group": None, "tags": []}
    job = Job({**unset, **_USUAL, **fields})
    job.update(id=f"{queue}-{uuid.uuid4().hex}", queue=queue, state="delayed" if is_later else "ready", attempts=0)
    unique_key = fields.get("unique", {}).get("key")
    job.update(created_at=now.replace("+00:00", "Z"), request_id=request_id, unique_key=unique_key, history=[])
    return job


class _Fake(_Client[Any, Any, Any, Any]):
    """What both fakes have beside the methods of a client.

    handlers: by type, functions of the payload; `wait` runs them. more_options: fields of a job that your Waybill takes
    and this file does not know of yet.
    """

    def __init__(self, handlers: Mapping[str, Handler] | None = None, *, more_options: Iterable[str] = ()) -> None:
        super().__init__(tries=1)
        self._service = _FakeService(handlers or {}, more_options)

    @property
    def jobs(self) -> list[Job]:
        """All jobs, the oldest first, as they are now."""
        return self._service.jobs

    def enqueued(self, type: str) -> list[Job]:
        """All jobs of that type, the oldest first."""
        return [job for job in self.jobs if job["type"] == type]

    def finish(self, job_id: str, result: Any = None) -> Job:
        """Have a job completed, as a worker would."""
        job = self._service.job(job_id)
        result = json.loads(_to_json(result))
        job.update(state="completed", result=result, error=None, attempts=job["attempts"] + 1)
        return job

    def fail(self, job_id: str, fault: BaseException) -> Job:
        """Have a job dead, as after its last attempt."""
        job = self._service.job(job_id)
        error = {"type": type(fault).__name__, "message": str(fault)}
        job.update(state="dead", error=error, attempts=job["max_attempts"])
        return job

    def break_with(self, fault: WaybillError | None) -> None:
        """Have each call raise that, as in NotReached("down", is_sent=False); None: no more."""
        self._service.fault = fault


class FakeWaybill(_Fake, Waybill):
    """Stands in for a Waybill in the tests of an application: the same methods, in memory, without a server.

        waybill = FakeWaybill()
        sign_up(waybill, "ada@example.com")
        (mail,) = waybill.enqueued("email")
        assert mail["payload"]["to"] == "ada@example.com"
        waybill.run({"email": outbox.append})

    The fake refuses a job whose form the service would refuse. The fake does not know the job types of your Waybill,
    nor what their payloads must hold. Idempotency keys and `unique` hold; no time passes, so neither delays nor keys
    run out.
    """

    def run(self, handlers: Mapping[str, Handler]) -> list[Job]:
        """Run all waiting jobs, delayed ones as well, and the jobs that handlers enqueue; give the jobs as they ended.

        A handler is called with the payload. An exception of a handler is raised here, and its job is dead then. Jobs
        of paused queues are left alone.
        """
        done = []
        while job := self._service.next(handlers):
            try:
                result = handlers[job["type"]](job["payload"])
                done.append(self.finish(job.id, asyncio.run(result) if inspect.iscoroutine(result) else result))
            except Exception as fault:
                self.fail(job.id, fault)
                raise
        return done

    def wait(self, job_id: str, timeout_s: float = 300.0) -> Job:
        """Runs what waits and has a handler. Raises WaitTimeout at once where the job has not finished by then."""
        job: Job = self.get(job_id)
        while not job.is_finished and self._service.next(self._service.handlers):
            with contextlib.suppress(Exception):  # What a handler raises is in its job.
                self.run(self._service.handlers)
            job = self.get(job_id)
        if not job.is_finished:
            raise WaitTimeout(job)
        return job

    def _exchange(self, request: _Request, timeout_s: float) -> _Reply:
        return self._service.answer(request)


class AsyncFakeWaybill(_Fake, AsyncWaybill):
    """As FakeWaybill, for an AsyncWaybill. `await` its `run`; handlers may be coroutine functions."""

    async def run(self, handlers: Mapping[str, Handler]) -> list[Job]:
        done = []
        while job := self._service.next(handlers):
            try:
                result = handlers[job["type"]](job["payload"])
                done.append(self.finish(job.id, await result if inspect.isawaitable(result) else result))
            except Exception as fault:
                self.fail(job.id, fault)
                raise
        return done

    async def wait(self, job_id: str, timeout_s: float = 300.0) -> Job:
        job: Job = await self.get(job_id)
        while not job.is_finished and self._service.next(self._service.handlers):
            with contextlib.suppress(Exception):
                await self.run(self._service.handlers)
            job = await self.get(job_id)
        if not job.is_finished:
            raise WaitTimeout(job)
        return job

    async def _exchange(self, request: _Request, timeout_s: float) -> _Reply:
        return self._service.answer(request)
