"""The work on every request before and after its operation. http1 calls `Middleware`:

    admit(request)             when the head is read: a request id, a trace, the caller, the line "Request Started";
                               then the checks of the head, which end in an Admission or in an answer (4xx)
    handle(request, answer)    when the body is read: the caller's RATE_LIMIT, then the operation of the route
    refuse(error, …)           for bytes that are no HTTP, or came too slowly

Every answer goes through `_finish`: it gets X-Request-ID and the fields for browsers, is counted, and its line "Request
Ended" is logged, whatever became of the request.
"""

import contextlib
import functools
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lib.errors import HttpError, MisdirectedRequest, OutcomeUnknown, RedisUnavailable, WaybillError
from lib.http1.app import Answer, OnAnswer
from lib.http1.message import Request, Response, StreamedResponse
from lib.ids import is_request_id, random_digits, uuid4_of
from lib.logs.forms import REQUEST_ENDED, REQUEST_STARTED
from lib.logs.log import NOTHING, Bound, Log
from lib.settings.api_keys import without_keys
from lib.tracing import Sampler, Trace, trace_from
from lib.web import browsers, query
from lib.web.auth import ANYONE, NOBODY, Auth, Caller
from lib.web.compression import compressed
from lib.web.page import HtmlPage
from lib.web.problems import InternalError, problem
from lib.web.rate_limit import RateLimit
from lib.web.request_counts import OTHER_METHOD, UNKNOWN_ROUTE, RequestCounts
from lib.web.request_spans import RequestSpans
from lib.web.router import Call, Outcome, Route, Router, media_type

NAMES = (
    "request id",
    "trace context",
    "keys",
    "request log",
    "metrics",
    "allowed hosts",
    "cross-site",
    "router",
    "rate limit",
    "problem details",
)


class Admission(NamedTuple):
    """What the head of a request leads to, for one caller: the operation, and how the body is read.

    A connection's next request with the same head and the same caller gets the same Admission without further checks,
    unless `refusal` is set.
    """

    caller: Caller
    logged_path: str
    """The path, with what looks like a key masked."""
    route: tuple[Route, dict[str, str]]
    """The row of the table, and the values of its pattern's variables: {"job_id": "email-0192…"}."""
    streams_body: bool
    """`handle` is called at once, and the body is read while the operation runs, or not at all."""
    body_limit_bytes: int
    refusal: WaybillError | None = None
    """Why the request is refused, once it has been counted against the caller's RATE_LIMIT."""


@dataclass(slots=True)
class HeadNotes:
    """What the requests of one connection whose heads are the same share."""

    admission: Admission | None = None


@dataclass(eq=False)
class WebRequest(Request):
    """A Request with what the middleware knows of it. `caller` and `trace` are set by admit(), before all else."""

    by_head: HeadNotes = field(default_factory=HeadNotes, init=False, repr=False)
    caller: Caller = field(init=False, repr=False)
    trace: Trace = field(init=False, repr=False)
    route: tuple[Route, dict[str, str]] | None = field(default=None, init=False, repr=False)
    """The route, and what the variables of its pattern stand for; None while no route was found."""
    refusal: WaybillError | None = field(default=None, init=False, repr=False)
    """Why the request is refused, if it is counted against the rate limit before that."""


class Middleware:
    """The App that http1 serves. allowed_hosts: names without a port, `*` for any."""

    request_type = WebRequest

    def __init__(
        self,
        router: Router,
        auth: Auth,
        log: Log,
        counts: RequestCounts,
        allowed_hosts: tuple[str, ...],
        rate_limit: RateLimit | None = None,
        sampler: Sampler | None = None,
        spans: RequestSpans | None = None,
    ) -> None:
        """sampler: decides which traces are kept, where spans are exported; else all are, as far as callers say so."""
        self._trace_from = sampler.trace_from if sampler is not None else trace_from
        self._spans = spans
        self._router = router
        self._auth = auth
        self._log = log
        self._counts = counts
        self._allowed_hosts = frozenset(allowed_hosts)
        self._rate_limit = rate_limit
        self._bound: dict[str, Bound] = {}  # by the name of a key
        self._digits = random_digits(80)  # for each request 32 for its id, 48 for its trace

    def admit(self, request: WebRequest) -> Response | None:
        """None if the request is to be handled; else the answer that refuses it, before its body was sent."""
        digits = next(self._digits)
        request.request_id = _usable_id(request.headers.get("x-request-id")) or uuid4_of(digits[:32])
        request.trace = self._trace_from(request.headers.get("traceparent"), digits[32:])
        request.caller = caller = self._auth.caller_of(request)
        admission = request.by_head.admission
        path = admission.logged_path if admission is not None else without_keys(request.path)
        self._log.write(REQUEST_STARTED, self._bound_to_caller(request), request.request_id, request.method, path)
        if admission is None or admission.caller is not caller:
            checked = self._check_head(request, caller, path)
            if isinstance(checked, Response):
                return self._finish(request, checked)
            admission = checked
            if admission.refusal is None:
                request.by_head.admission = admission
            request.refusal = admission.refusal
        request.route = admission.route
        request.streams_body = admission.streams_body
        request.body_limit_bytes = admission.body_limit_bytes
        return None

    def _check_head(self, request: WebRequest, caller: Caller, logged_path: str) -> Admission | Response:
        """The admission of a request, or its answer if it is refused at once.

        The checks stand in an order that tells a stranger nothing: host (421), page of another site (403), key (401),
        path and method (404, 405), scope (403), media types (415, 406), If-Match (412). From the scope on, a refused
        request counts against the caller's RATE_LIMIT first, and may be answered 429 instead."""
        try:
            self._check_sender(request, caller)
            found = self._router.match(request)
        except WaybillError as error:
            return _refusal(request, error)
        if isinstance(found, Response):
            return found
        route, _ = found
        try:
            self._check_call(request, caller, route)
        except WaybillError as error:
            if self._rate_limit is None or route.scope is None:
                return _refusal(request, error)
            # streams_body: so the request is counted, and refused, before its body is sent.
            return Admission(caller, logged_path, found, True, request.body_limit_bytes, error)
        # A client that waits for "100 Continue" gets it once the request is counted, or a 429 in its place.
        is_counted_first = request.expects_continue and self._rate_limit is not None
        limit_bytes = route.bodies.get(media_type(request) or "") or request.body_limit_bytes
        return Admission(caller, logged_path, found, is_counted_first or route.streams_body, limit_bytes)

    def _check_sender(self, request: WebRequest, caller: Caller) -> None:
        """Raises MisdirectedRequest, CrossSite, or what Auth.key_error says of a missing or wrong key."""
        self._check_host(request)
        browsers.refuse_cross_site(request)
        if caller is NOBODY and self._router.is_private(request.path):
            raise self._auth.key_error(request)

    def _check_call(self, request: WebRequest, caller: Caller, route: Route) -> None:
        """Raises ScopeMissing, UnsupportedMediaType, NotAcceptable or PreconditionFailed."""
        if route.scope is not None and caller is not ANYONE:
            caller.require(route.scope)
        self._router.check_types(route, request)
        if "if-match" in request.headers:
            self._router.check_preconditions(route, request)

    def handle(self, request: WebRequest, on_answer: OnAnswer[WebRequest]) -> Answer | None:
        """Run the operation of an admitted request. None where `on_answer` will be called with the answer."""
        assert request.route is not None
        begin = request.route[0].begin
        if begin is None or self._rate_limit is not None:
            return self._run(request)
        try:
            begin(_call_of(request), functools.partial(self._on_outcome, request, on_answer))
        except Exception as fault:  # noqa: BLE001  as in `_await`
            return self._finish(request, self._failure(request, fault))
        return None

    def _on_outcome(self, request: WebRequest, on_answer: OnAnswer[WebRequest], outcome: Outcome) -> None:
        """Make an answer of an operation's outcome. Never raises: the caller has other operations to call back."""
        answer: Answer
        try:
            if isinstance(outcome, Response):
                answer = self._finish(request, outcome)
            elif isinstance(outcome, Exception):
                answer = self._finish(request, self._failure(request, outcome))
            else:
                answer = self._await(request, outcome)
        except Exception as fault:  # noqa: BLE001  The connection logs it.
            answer = fault
        on_answer(request, answer)

    async def _run(self, request: WebRequest) -> Response:
        """Count the request against the caller's rate, then await its operation."""
        assert request.route is not None
        route = request.route[0]
        fields: Sequence[tuple[str, str]] = ()
        try:
            if self._rate_limit is not None and route.scope is not None:
                fields = await self._rate_limit.take(request.caller, request.peer)
            if request.refusal is not None:
                raise request.refusal
            if request.stream is not None and not route.streams_body:
                request.body = b"".join([piece async for piece in request.stream])
            response = await compressed(request, await route.operation(_call_of(request)))
        except Exception as fault:  # noqa: BLE001  as in `_await`
            response = self._failure(request, fault)
        for name, value in fields:
            response.add_header(name, value)
        return self._finish(request, response)

    async def _await(self, request: WebRequest, made: Awaitable[Response]) -> Response:
        try:
            response = await compressed(request, await made)
        except Exception as fault:  # noqa: BLE001  A bug in an operation is logged here and answered 500.
            response = self._failure(request, fault)
        return self._finish(request, response)

    def _failure(self, request: WebRequest, fault: Exception) -> Response:
        """The answer to a request whose operation has raised."""
        request_id = request.request_id
        if isinstance(fault, OutcomeUnknown) and request.method in browsers.SAFE_METHODS:
            fault = RedisUnavailable(fault.detail)  # A GET changes nothing: whether it was carried out does not matter.
        if isinstance(fault, RedisUnavailable):
            self._log.warning("redis.failed", fault.detail, request_id=request_id)
        if isinstance(fault, WaybillError):
            return _refusal(request, fault)
        self._log.exception("request.failed", "Request failed by a fault of ours", fault, request_id=request_id)
        return problem(InternalError("the log has the details, under this request id"), request_id)

    def refuse(self, error: HttpError, request: WebRequest | None, peer: str) -> Response:
        """The answer to what is not valid HTTP, or came too slowly; it gets a request id and a log line as well."""
        if request is not None and request.request_id:
            return self._finish(request, problem(error, request.request_id))
        request_id = _usable_id(error.sent_request_id) or uuid4_of(next(self._digits)[:32])
        response = problem(error, request_id)
        _add_fields(response, request_id)
        self._counts.count(OTHER_METHOD, UNKNOWN_ROUTE, error.status, 0.0)
        self._log.warning(
            "request.refused",
            f"Request Refused → ID: {request_id} | Status: {error.status} | {error.detail}",
            request_id=request_id,
            status=error.status,
            peer=peer,
        )
        return response

    def _check_host(self, request: WebRequest) -> None:
        name = (
            request.host.rpartition(":")[0] if not request.host.endswith("]") and ":" in request.host else request.host
        )
        # HTTP/1.0 need not send Host; browsers, which this check protects (DNS rebinding), always do.
        if request.host and "*" not in self._allowed_hosts and name.lower() not in self._allowed_hosts:
            raise MisdirectedRequest(f"the host {request.host[:100]} is not one of ALLOWED_HOSTS")

    def _finish(self, request: WebRequest, response: Response) -> Response:
        """The same response, as it is sent. It is counted and logged now, or when the last piece of a stream is out."""
        _add_fields(response, request.request_id)
        if isinstance(response, StreamedResponse) and request.method != "HEAD":
            response.pieces = self._to_the_end(request, response, response.pieces)
        else:
            self._log_end(request, response)
        return response

    async def _to_the_end(
        self, request: WebRequest, response: StreamedResponse, made: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """The pieces of a stream. The end is logged after the last piece, or when the client has stopped reading."""
        async with contextlib.aclosing(made) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            except Exception as fault:
                self._log.exception(
                    "request.failed", "Request failed amid its answer", fault, request_id=request.request_id
                )
                raise
            finally:
                self._log_end(request, response)

    def _log_end(self, request: WebRequest, response: Response) -> None:
        duration_s = time.monotonic() - request.received_at
        pattern = (
            request.route[0].pattern
            if request.route is not None
            else self._router.pattern_of(request.path) or UNKNOWN_ROUTE
        )
        self._counts.count(request.method, pattern, response.status, duration_s)
        trace_id, ms = request.trace.trace_id, f"{duration_s * 1000:.1f}"
        self._log.write(
            REQUEST_ENDED, self._bound_to_caller(request), request.request_id, trace_id, str(response.status), ms
        )
        if self._spans is not None:
            self._spans.note(request, response, duration_s)

    def _bound_to_caller(self, request: WebRequest) -> Bound:
        """The field `caller` for the log lines of a request: the name of its key. No field without a key."""
        caller = request.caller
        if caller is ANYONE or caller is NOBODY:
            return NOTHING
        bound = self._bound.get(caller.name)
        if bound is None:
            bound = self._bound[caller.name] = self._log.bind(caller=caller.name)
        return bound


def _call_of(request: WebRequest) -> Call:
    """The request as its operation sees it. Raises InvalidFields for a parameter that the route does not know."""
    assert request.route is not None
    route, path = request.route
    asks = request.query and route.pattern.startswith("/api")
    parameters = query.parameters(request.query, route.parameters) if asks else {}
    # tuple.__new__, because Call(…) is a Python function and takes half as long again; tests hold the length.
    return tuple.__new__(Call, (request.request_id, request.trace, path, parameters, request, request.caller))


def _refusal(request: WebRequest, error: WaybillError) -> Response:
    response = problem(error, request.request_id)
    # The connection ends behind the body of a caller without rights: nothing in the body may be read as a request.
    response.closes = error.status in (401, 403) and request.has_body
    return response


def _usable_id(sent: str | None) -> str | None:
    """The caller's X-Request-ID, if it has the form of one and is no API key, which would stand in every log line."""
    is_usable = sent is not None and is_request_id(sent) and ("_" not in sent or without_keys(sent) == sent)
    return sent if is_usable else None


def _add_fields(response: Response, request_id: str) -> None:
    response.add_header("X-Request-ID", request_id)
    response.add_block(response.fields if isinstance(response, HtmlPage) else browsers.ANSWER_FIELDS)
