"""What happens to every request, in this order: an id, its caller, a log line, the host, the route and whether the
caller may take it, how often it has asked; and at the end a log line.

The HTTP room calls this: `admit` when the head is there, `handle` when the body is, `refuse` for what is not HTTP.
Every answer bears X-Request-ID, whatever became of the request.
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
from lib.logs.log import NOTHING, Bound, Log
from lib.logs.log_lines import INFO, Form
from lib.settings.api_keys import without_keys
from lib.tracing import Trace, trace_from
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


class Admitted(NamedTuple):
    """What follows from a head alone, for one caller; the next request with the same head needs not be asked again."""

    caller: Caller
    path: str
    """As it may be logged."""
    route: tuple[Route, dict[str, str]]
    streams_body: bool
    body_limit_bytes: int


@dataclass(slots=True)
class HeadNotes:
    """What the requests of one connection whose heads are the same share."""

    admitted: Admitted | None = None


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
    """The App that the HTTP room serves. allowed_hosts: names without a port, `*` for any."""

    request_type = WebRequest

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

    def admit(self, request: WebRequest) -> Response | None:
        """The answer to a request that need not send its body; None where it should."""
        digits = next(self._digits)
        request.request_id = _fit_id(request.headers.get("x-request-id")) or uuid4_of(digits[:32])
        request.trace = trace_from(request.headers.get("traceparent"), digits[32:])
        request.caller = caller = self._auth.caller_of(request)
        known = request.by_head.admitted
        path = known.path if known is not None else without_keys(request.path)
        self._log.write(STARTED, self._about(request), request.request_id, request.method, path)
        if known is None or known.caller is not caller:
            found = self._look_at(request)
            if isinstance(found, Response):
                return self._ended(request, found)
            if request.refusal is not None:
                request.streams_body = True  # It need not be sent: it is refused once this request has been counted.
                return None
            limit_bytes = found[0].bodies.get(media_type(request) or "") or request.body_limit_bytes
            # Who waits for "100 Continue" gets it when the body is asked for, or a 429 instead.
            is_counted_first = request.expects_continue and self._rate_limit is not None
            streams_body = is_counted_first or found[0].streams_body
            known = request.by_head.admitted = Admitted(caller, path, found, streams_body, limit_bytes)
        request.route = known.route
        request.streams_body = known.streams_body
        request.body_limit_bytes = known.body_limit_bytes
        return None

    def handle(self, request: WebRequest, hear: OnAnswer[WebRequest]) -> Answer | None:
        assert request.route is not None
        begin = request.route[0].begin
        if begin is None or self._rate_limit is not None:
            return self._awaited(request)
        try:
            begin(_call_of(request), functools.partial(self._told, request, hear))
        except Exception as fault:  # noqa: BLE001  as in `_later`
            return self._ended(request, self._failed(request, fault))
        return None

    def _told(self, request: WebRequest, hear: OnAnswer[WebRequest], outcome: Outcome) -> None:
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

    async def _awaited(self, request: WebRequest) -> Response:
        assert request.route is not None
        route, _ = request.route
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

    async def _later(self, request: WebRequest, made: Awaitable[Response]) -> Response:
        try:
            response = await compressed(request, await made)
        except Exception as fault:  # noqa: BLE001  Here a request's bug is caught: logged, and answered 500.
            response = self._failed(request, fault)
        return self._ended(request, response)

    def _failed(self, request: WebRequest, fault: Exception) -> Response:
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

    def refuse(self, error: HttpError, request: WebRequest | None, peer: str) -> Response:
        """What is not HTTP, or came too slowly, gets an id and a line in the log as well."""
        if request is not None and request.request_id:
            return self._ended(request, problem(error, request.request_id))
        request_id = _fit_id(error.sent_request_id) or uuid4_of(next(self._digits)[:32])
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

    def _look_at(self, request: WebRequest) -> tuple[Route, dict[str, str]] | Response:
        """The route that a request asks for and may take, or the answer to one that does not come so far.

        Where it is to be counted before that, `request.refusal` is set."""
        try:
            self._check_host(request)
            browsers.refuse_cross_site(request)
            return self._match(request)
        except WaybillError as error:
            if self._rate_limit is None or request.route is None or request.route[0].scope is None:
                return _refused(request, error)
            request.refusal = error
            return request.route

    def _match(self, request: WebRequest) -> tuple[Route, dict[str, str]] | Response:
        """As Router.match; but who calls is asked before what there is, and that before what kind of body comes."""
        caller = request.caller
        if caller is NOBODY and self._router.is_private(request.path):
            raise self._auth.refusal(request)
        found = self._router.match(request)
        if isinstance(found, Response):
            return found
        request.route = found
        route, _ = found
        if route.scope is not None and caller is not ANYONE:
            caller.require(route.scope)
        self._router.check_types(route, request)
        if "if-match" in request.headers:
            self._router.check_preconditions(route, request)
        return found

    def _check_host(self, request: Request) -> None:
        name = (
            request.host.rpartition(":")[0] if not request.host.endswith("]") and ":" in request.host else request.host
        )
        # HTTP/1.0 has no Host, and no browser that could be led astray.
        if request.host and "*" not in self._allowed_hosts and name.lower() not in self._allowed_hosts:
            raise MisdirectedRequest(f"the host {request.host[:100]} is not one of ALLOWED_HOSTS")

    def _ended(self, request: WebRequest, response: Response) -> Response:
        _add_fields(response, request.request_id)
        if isinstance(response, StreamedResponse) and request.method != "HEAD":
            response.pieces = self._to_the_end(request, response, response.pieces)
        else:
            self._log_end(request, response)
        return response

    async def _to_the_end(
        self, request: WebRequest, response: StreamedResponse, made: AsyncGenerator[bytes, None]
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

    def _log_end(self, request: WebRequest, response: Response) -> None:
        duration_s = time.monotonic() - request.received_at
        pattern = (
            request.route[0].pattern
            if request.route is not None
            else self._router.pattern_of(request.path) or UNKNOWN_ROUTE
        )
        self._counts.count(request.method, pattern, response.status, duration_s)
        trace_id, ms = request.trace.trace_id, f"{duration_s * 1000:.1f}"
        self._log.write(ENDED, self._about(request), request.request_id, trace_id, str(response.status), ms)

    def _about(self, request: WebRequest) -> Bound:
        """Whose key it was, for the log."""
        caller = request.caller
        if caller is ANYONE or caller is NOBODY:
            return NOTHING
        about = self._callers.get(caller.name)
        if about is None:
            about = self._callers[caller.name] = self._log.bind(caller=caller.name)
        return about


def _call_of(request: WebRequest) -> Call:
    """Raises InvalidFields for a query that the operation does not take."""
    assert request.route is not None
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
