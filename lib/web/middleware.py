"""What happens to every request, in this order: an id, its caller, a log line, the host, the route and whether the
caller may take it, how often it has asked; and at the end a log line.

The HTTP room calls this: `admit` when the head is there, `handle` when the body is, `refuse` for what is not HTTP.
Every answer bears X-Request-ID, whatever became of the request.
"""

import contextlib
import functools
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import NamedTuple

from lib.errors import HttpError, MisdirectedRequest, OutcomeUnknown, RedisUnavailable, WaybillError
from lib.http1.message import Request, Response, StreamedResponse
from lib.http1.server.app import Answer, Hear
from lib.ids import is_request_id, random_digits, uuid4_of
from lib.logs.log import NOTHING, Bound, Log
from lib.logs.log_lines import INFO, Form
from lib.settings.api_keys import without_keys
from lib.tracing import trace_from
from lib.web import browsers, query
from lib.web.auth import ANYONE, NOBODY, Auth, Caller
from lib.web.compression import compressed
from lib.web.page import PAGE_FIELDS, HtmlPage
from lib.web.problems import InternalError, problem
from lib.web.rate_limit import RateLimit
from lib.web.request_counts import OTHER_METHOD, UNKNOWN_ROUTE, RequestCounts
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

STARTED = Form(
    INFO, "request.started", "Request Started → ID: {request_id} | {method} {path}", ("request_id", "method", "path")
)
ENDED = Form(
    INFO,
    "request.ended",
    "Request Ended → ID: {request_id} | Status: {status} | {duration_ms} ms",
    ("request_id", "trace_id", "status", "duration_ms"),
    numbers=("status", "duration_ms"),
)


class Admission(NamedTuple):
    """What the head of a request leads to, for one caller: which operation, and how its body is taken.

    The next request of the connection with the same head by the same caller gets the same Admission, unless `refusal`
    is set.
    """

    caller: Caller
    logged_path: str
    route: tuple[Route, dict[str, str]]
    """The row of the table, and the values of the pattern's variables: {"job_id": "email-0192…"}."""
    streams_body: bool
    body_limit_bytes: int
    refusal: WaybillError | None = None
    """Why the request is refused, once it has been counted against the caller's RATE_LIMIT."""


class Middleware:
    """The App that the HTTP room serves. allowed_hosts: names without a port, `*` for any."""

    def __init__(
        self,
        router: Router,
        auth: Auth,
        log: Log,
        counts: RequestCounts,
        allowed_hosts: tuple[str, ...],
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._router = router
        self._auth = auth
        self._log = log
        self._counts = counts
        self._allowed_hosts = frozenset(allowed_hosts)
        self._rate_limit = rate_limit
        self._callers: dict[str, Bound] = {}
        self._digits = random_digits(80)  # a request's: 32 for its id, 48 for its trace

    def admit(self, request: Request) -> Response | None:
        """The answer to a request that need not send its body; None where it should."""
        digits = next(self._digits)
        request.request_id = _fit_id(request.headers.get("x-request-id")) or uuid4_of(digits[:32])
        request.trace = trace_from(request.headers.get("traceparent"), digits[32:])
        request.caller = caller = self._auth.caller_of(request)
        admission: Admission | None = request.by_head.get("admission")
        path = admission.logged_path if admission is not None else without_keys(request.path)
        self._log.write(STARTED, self._about(request), request.request_id, request.method, path)
        if admission is None or admission.caller is not caller:
            decided = self._decide(request, caller, path)
            if isinstance(decided, Response):
                return self._ended(request, decided)
            admission = decided
            if admission.refusal is None:
                request.by_head["admission"] = admission
            request.refusal = admission.refusal
        request.route = admission.route
        request.streams_body = admission.streams_body
        request.body_limit_bytes = admission.body_limit_bytes
        return None

    def _decide(self, request: Request, caller: Caller, logged_path: str) -> Admission | Response:
        """The admission of a request that was not decided before, or the answer where it is refused at once.

        The checks stand in an order that tells a stranger nothing: host (421), page of another site (403), key (401),
        path and method (404, 405), scope (403), media types (415, 406), If-Match (412). From the scope on a refused
        request counts against the caller's RATE_LIMIT, so that 429 may be its answer instead."""
        try:
            self._check_sender(request, caller)
            found = self._router.match(request)
        except WaybillError as error:
            return _refused(request, error)
        if isinstance(found, Response):
            return found
        route, _ = found
        try:
            self._check_call(request, caller, route)
        except WaybillError as error:
            if self._rate_limit is None or route.scope is None:
                return _refused(request, error)
            # streams_body: `handle` is called without the body, which need not be sent.
            return Admission(caller, logged_path, found, True, request.body_limit_bytes, error)
        # Who waits for "100 Continue" gets it when the body is asked for, or a 429 instead.
        is_counted_first = request.expects_continue and self._rate_limit is not None
        limit_bytes = route.bodies.get(media_type(request) or "") or request.body_limit_bytes
        return Admission(caller, logged_path, found, is_counted_first or route.streams_body, limit_bytes)

    def _check_sender(self, request: Request, caller: Caller) -> None:
        """Raises MisdirectedRequest, CrossSite, or what Auth.refusal says of a missing or wrong key."""
        self._check_host(request)
        browsers.refuse_cross_site(request)
        if caller is NOBODY and self._router.is_private(request.path):
            raise self._auth.refusal(request)

    def _check_call(self, request: Request, caller: Caller, route: Route) -> None:
        """Raises ScopeMissing, UnsupportedMediaType, NotAcceptable or PreconditionFailed."""
        if route.scope is not None and caller is not ANYONE:
            caller.require(route.scope)
        self._router.check_types(route, request)
        if "if-match" in request.headers:
            self._router.check_preconditions(route, request)

    def handle(self, request: Request, hear: Hear) -> Answer | None:
        begin = request.route[0].begin
        if begin is None or self._rate_limit is not None:
            return self._awaited(request)
        try:
            begin(_call_of(request), functools.partial(self._told, request, hear))
        except Exception as fault:  # noqa: BLE001  as in `_later`
            return self._ended(request, self._failed(request, fault))
        return None

    def _told(self, request: Request, hear: Hear, outcome: Outcome) -> None:
        """What an operation has come to. Does not raise: whoever calls has others to tell as well."""
        answer: Answer
        try:
            if isinstance(outcome, Response):
                answer = self._ended(request, outcome)
            elif isinstance(outcome, Exception):
                answer = self._ended(request, self._failed(request, outcome))
            else:
                answer = self._later(request, outcome)
        except Exception as fault:  # noqa: BLE001  The connection logs it.
            answer = fault
        hear(request, answer)

    async def _awaited(self, request: Request) -> Response:
        route: Route = request.route[0]
        fields: Sequence[tuple[str, str]] = ()
        try:
            if self._rate_limit is not None and route.scope is not None:
                fields = await self._rate_limit.take(request.caller, request.peer)
            if request.refusal is not None:
                raise request.refusal
            if request.stream is not None and not route.streams_body:
                request.body = b"".join([piece async for piece in request.stream])
            response = await compressed(request, await route.operation(_call_of(request)))
        except Exception as fault:  # noqa: BLE001  as in `_later`
            response = self._failed(request, fault)
        for name, value in fields:
            response.add_header(name, value)
        return self._ended(request, response)

    async def _later(self, request: Request, made: Awaitable[Response]) -> Response:
        try:
            response = await compressed(request, await made)
        except Exception as fault:  # noqa: BLE001  Here a request's bug is caught: logged, and answered 500.
            response = self._failed(request, fault)
        return self._ended(request, response)

    def _failed(self, request: Request, fault: Exception) -> Response:
        """The answer where an operation has raised."""
        request_id = request.request_id
        if isinstance(fault, OutcomeUnknown) and request.method in browsers.SAFE_METHODS:
            fault = RedisUnavailable(fault.detail)  # Whether a look was carried out is nobody's question.
        if isinstance(fault, RedisUnavailable):
            self._log.warning("redis.failed", fault.detail, request_id=request_id)
        if isinstance(fault, WaybillError):
            return _refused(request, fault)
        self._log.exception("request.failed", "Request failed by a fault of ours", fault, request_id=request_id)
        return problem(InternalError("the log has the details, under this request id"), request_id)

    def refuse(self, error: HttpError, request: Request | None, peer: str) -> Response:
        """What is not HTTP, or came too slowly, gets an id and a line in the log as well."""
        if request is not None and request.request_id:
            return self._ended(request, problem(error, request.request_id))
        request_id = _fit_id(error.said_id) or uuid4_of(next(self._digits)[:32])
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

    def _check_host(self, request: Request) -> None:
        name = (
            request.host.rpartition(":")[0] if not request.host.endswith("]") and ":" in request.host else request.host
        )
        # HTTP/1.0 has no Host, and no browser that could be led astray.
        if request.host and "*" not in self._allowed_hosts and name.lower() not in self._allowed_hosts:
            raise MisdirectedRequest(f"the host {request.host[:100]} is not one of ALLOWED_HOSTS")

    def _ended(self, request: Request, response: Response) -> Response:
        _add_fields(response, request.request_id)
        if isinstance(response, StreamedResponse) and request.method != "HEAD":
            response.pieces = self._to_the_end(request, response, response.pieces)
        else:
            self._log_end(request, response)
        return response

    async def _to_the_end(
        self, request: Request, response: StreamedResponse, made: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """The pieces of an answer, and the log line when the last one is out, or nobody reads on."""
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

    def _log_end(self, request: Request, response: Response) -> None:
        duration_s = time.monotonic() - request.received_at
        pattern = (
            request.route[0].pattern
            if request.route is not None
            else self._router.pattern_of(request.path) or UNKNOWN_ROUTE
        )
        self._counts.count(request.method, pattern, response.status, duration_s)
        trace_id, ms = request.trace.trace_id, f"{duration_s * 1000:.1f}"
        self._log.write(ENDED, self._about(request), request.request_id, trace_id, str(response.status), ms)

    def _about(self, request: Request) -> Bound:
        """Whose key it was, for the log."""
        caller: Caller = request.caller
        if caller is ANYONE or caller is NOBODY:
            return NOTHING
        about = self._callers.get(caller.name)
        if about is None:
            about = self._callers[caller.name] = self._log.bind(caller=caller.name)
        return about


def _call_of(request: Request) -> Call:
    """Raises InvalidFields for a query that the operation does not take."""
    route, path = request.route
    asks = request.query and route.pattern.startswith("/api")
    parameters = query.parameters(request.query, route.parameters) if asks else {}
    # As in job.py's first lines.
    return tuple.__new__(Call, (request.request_id, request.trace, path, parameters, request, request.caller))


def _refused(request: Request, error: WaybillError) -> Response:
    response = problem(error, request.request_id)
    # Behind the body of somebody who may not call nothing is read as a request: it may be meant to be taken for one.
    response.closes = error.status in (401, 403) and request.has_body
    return response


def _fit_id(said: str | None) -> str | None:
    """The caller's X-Request-ID where it can be one. A key is of its form too, and would be in every log line."""
    is_fit = said is not None and is_request_id(said) and ("wb_" not in said or without_keys(said) == said)
    return said if is_fit else None


def _add_fields(response: Response, request_id: str) -> None:
    response.add_header("X-Request-ID", request_id)
    response.add_block(PAGE_FIELDS if type(response) is HtmlPage else browsers.ANSWER_FIELDS)
