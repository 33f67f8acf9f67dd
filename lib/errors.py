"""Every failure that Waybill expects, as a type: its slug and title, its HTTP status, and whether a retry helps.

Any room raises these types; the API answers each as `application/problem+json` (RFC 9457), for example

    {"type": "/problems/queue-full", "title": "The queue is full; nothing was accepted", "status": 503,
     "detail": "the queue email is at its max_depth; nothing was taken in: send it again in 7 s",
     "request_id": "order-4711", "retry_after_s": 7}

and the worker reads `retryable`. The room that talks to Redis, SMTP or the system translates foreign errors (redis,
OSError) into these types once, where it catches them. Any other exception is a bug, and is answered 500.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple


class FieldError(NamedTuple):
    """One wrong field. `pointer` is a JSON Pointer (RFC 6901) into the request's body, `/payload/to` say; or `?` and a
    query parameter's name; or a header's name."""

    pointer: str
    detail: str


class WaybillError(Exception):
    """An expected failure. `detail` is one sentence for the caller: what is wrong and what to do.

    headers: further fields of the answer, `Retry-After` say. errors: every wrong field, for `errors` in the body.
    members: further members of the body (RFC 9457, 3.2), as JSON values: the job, for `job-failed`.
    """

    slug: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong here"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        errors: Sequence[FieldError] = (),
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = tuple(headers)
        self.errors = tuple(errors)
        self.members = dict(members or {})


class ConfigError(Exception):
    """Settings that Waybill refuses to start with; `faults` holds a line for each wrong setting."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


# HTTP itself: raised by http1 and by the router.


class HttpError(WaybillError):
    """A request that is refused for its form, before any operation has seen it."""

    sent_request_id: str | None = None
    """The X-Request-ID of the refused head, as the client sent it, unchecked. None if the head could not be read."""


class BadRequest(HttpError):
    slug, status, title = "bad-request", 400, "Not a valid HTTP request"


class BadJson(HttpError):
    slug, status, title = "bad-json", 400, "The body is not valid JSON"


class NotFound(HttpError):
    slug, status, title = "not-found", 404, "Nothing here"


class MethodNotAllowed(HttpError):
    slug, status, title = "method-not-allowed", 405, "This path does not take that method"


class NotAcceptable(HttpError):
    slug, status, title = "not-acceptable", 406, "No representation that you accept"


class RequestTimeout(HttpError):
    slug, status, title = "request-timeout", 408, "The request took too long to arrive"


class PreconditionFailed(HttpError):
    slug, status, title = "precondition-failed", 412, "Not in the version that you asked for"


class PayloadTooLarge(HttpError):
    slug, status, title = "payload-too-large", 413, "The body is too large"


class UriTooLong(HttpError):
    slug, status, title = "uri-too-long", 414, "The request target is too long"


class UnsupportedMediaType(HttpError):
    slug, status, title = "unsupported-media-type", 415, "The body is of a type this path does not take"


class ExpectationFailed(HttpError):
    slug, status, title = "expectation-failed", 417, "Only Expect: 100-continue is known here"


class MisdirectedRequest(HttpError):
    slug, status, title = "misdirected-request", 421, "This server does not answer for that host"


class HeadersTooLarge(HttpError):
    slug, status, title = "headers-too-large", 431, "The header fields are too large or too many"


class MethodUnknown(HttpError):
    slug, status, title = "method-unknown", 501, "Not a method that is known here"


class CodingUnknown(HttpError):
    slug, status, title = "coding-unknown", 501, "A transfer coding other than chunked"


class TooManyConnections(HttpError):
    """MAX_CONNECTIONS is reached. The client is refused at once: in the backlog it would wait and never learn why."""

    slug, status, title, retryable = "too-many-connections", 503, "Too many connections", True


class VersionNotSupported(HttpError):
    slug, status, title = "version-not-supported", 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here"


# The request is well-formed, and can't be carried out.


class InvalidFields(WaybillError):
    slug, status, title = "invalid-fields", 422, "Some fields are not valid"

    def __str__(self) -> str:
        """All of `errors` in one line, for a log or for a handler whose `ctx.enqueue` raised this error.

        Example: `/type is missing; /payload is missing`."""
        return "; ".join(f"{pointer or '/'} {detail}" for pointer, detail in self.errors) or self.detail


class JobNotFound(WaybillError):
    slug, status, title = "job-not-found", 404, "No such job"


class RequestNotFound(WaybillError):
    slug, status, title = "request-not-found", 404, "No job of that request"


class QueueNotFound(WaybillError):
    slug, status, title = "queue-not-found", 404, "No such queue"


class QueueInUse(WaybillError):
    slug, status, title = "queue-in-use", 409, "The queue holds jobs or is served"


class ScheduleNotFound(WaybillError):
    slug, status, title = "schedule-not-found", 404, "No such schedule"


class ScheduleElsewhere(WaybillError):
    """A schedule lies where its jobs do. To move it between queues is the one change that can't be one step."""

    slug, status, title = "schedule-elsewhere", 409, "A schedule of that name queues jobs elsewhere"


class TooManySchedules(WaybillError):
    slug, status, title = "too-many-schedules", 409, "The queue has as many schedules as it may have"


class IdempotencyKeyReused(WaybillError):
    slug, status, title = "idempotency-key-reused", 422, "That Idempotency-Key came with another request"


class QueueFull(WaybillError):
    """As many jobs wait as max_depth allows. `Retry-After` estimates when there is room, by the last minute."""

    slug, status, title, retryable = "queue-full", 503, "The queue is full; nothing was accepted", True


class GroupFull(QueueFull):
    """As many jobs of one group are ready as the max_depth of the queue's groups allows."""

    slug, title = "group-full", "The group is full; nothing was accepted"


class GroupNotFound(WaybillError):
    slug, status, title = "group-not-found", 404, "The group has no limits or hold of its own"


class WrongState(WaybillError):
    slug, status, title = "wrong-state", 409, "The job's state does not allow this"


class Throttled(WaybillError):
    """The unique key of the new job has the mode throttle, and is held by a job that is no longer there: `job_id`."""

    slug, status, title, retryable = "throttled", 409, "There was such a job within ttl_s; nothing was accepted", True


class TooManyFollowers(WaybillError):
    """The job that `after` names has as many followers as it may have."""

    slug, status, title = "too-many-followers", 409, "So many jobs wait for that one already; nothing was accepted"


class WorkflowEnded(WaybillError):
    """A handler's `ctx.add` comes too late. No request is answered so: only running jobs add to their workflow."""

    slug, status, title = "workflow-ended", 409, "The workflow has ended, or is being stopped, and takes no more jobs"


class MemberGone(WaybillError):
    """A workflow is to run again, and the record of a job that would have to run with it is no more."""

    slug, status, title = "member-gone", 409, "A job of the workflow is no longer there"


class CallbackGone(WaybillError):
    slug, status, title = "callback-gone", 410, "The job does not wait for this callback any more"


class CallbackUnknown(WaybillError):
    slug, status, title = "callback-unknown", 404, "No job waits for this callback"


class JobFailed(WaybillError):
    """The caller waited for a job's end, and the job is dead or cancelled. The member `job` is that job."""

    slug, status, title = "job-failed", 424, "The job was taken in, and did not complete"


# The caller has no right to do this, or has done it too often.


class ApiKeyMissing(WaybillError):
    slug, status, title = "key-missing", 401, "This needs a key"


class ApiKeyInvalid(WaybillError):
    slug, status, title = "key-invalid", 401, "That key is not good here"


class ScopeMissing(WaybillError):
    slug, status, title = "scope-missing", 403, "The key may not do this"


class CrossSite(WaybillError):
    slug, status, title = "cross-site", 403, "A page of another site may not do this"


class TooManyTries(WaybillError):
    slug, status, title, retryable = "too-many-tries", 429, "Too many wrong keys from this address", True


class RateLimited(WaybillError):
    slug, status, title, retryable = "rate-limited", 429, "Too many requests", True


# Redis can't do this at the moment, or this server can't.


class RedisUnavailable(WaybillError):
    """Redis is away or refuses writes; nothing was changed."""

    slug, status, title, retryable = "redis-unavailable", 503, "Redis is not available; nothing was accepted", True


class OutcomeUnknown(RedisUnavailable):
    """The link to Redis broke after the command was sent: Redis may have carried it out."""

    slug, title = "outcome-unknown", "Redis did not answer; the request may have been carried out"


@contextlib.contextmanager
def behind_a_change() -> Iterator[None]:
    """Wrap a read that follows a change, such as reading the job that was just cancelled.

    If Redis goes away between the two, RedisUnavailable would say that nothing was changed. OutcomeUnknown is raised
    in its place."""
    try:
        yield
    except RedisUnavailable as fault:
        raise OutcomeUnknown(f"it was done; {fault.detail}") from fault


class NotReplicated(RedisUnavailable):
    slug, title = "not-replicated", "Written, but not confirmed by enough replicas"


class RedisKeysBroken(WaybillError):
    """Something other than Waybill wrote to a key of this queue. Only this queue stops until the key is mended."""

    slug, status, title, retryable = "keys-broken", 503, "Somebody broke this queue's keys in Redis", True


class Draining(WaybillError):
    slug, status, title, retryable = "draining", 503, "This server is shutting down", True


class UpgradeNeeded(WaybillError):
    """A feature is asked for that an older program on the same Redis does not know. It says who is older."""

    slug, status, title, retryable = "upgrade-needed", 503, "An older version of Waybill still runs", True
