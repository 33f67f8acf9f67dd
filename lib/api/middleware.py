"""What happens to every request, in this order: an id, its caller, a log line, the host, the route and whether the
caller may take it, how often it has asked; and at the end a log line.

The HTTP room calls this: `admit` when the head is there, `handle` when the body is, `refuse` for what is not HTTP.
Every answer bears X-Request-ID, whatever became of the request.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import cast

from lib.api import browsers, query
from lib.api.auth import ANYONE, NOBODY, Auth, Caller
from lib.api.page import PAGE_FIELDS, Page
from lib.api.problems import InternalError, problem
from lib.api.rate_limit import RateLimit
from lib.api.request_counts import OTHER_METHOD, UNKNOWN_ROUTE, RequestCounts
from lib.api.router import Call, Route, Router, media_type
from lib.api_keys import without_keys
from lib.errors import HttpError, MisdirectedRequest, RedisUnavailable, WaybillError
from lib.http1.message import Request, Response, StreamedResponse
from lib.ids import new_request_id, request_id_from
from lib.logs import Log
from lib.tracing import Trace, trace_from

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

    def admit(self, request: Request) -> Response | None:
        """The answer to a request that need not send its body; None where it should."""
        request.request_id = _id_of(request)
        request.trace = trace_from(request.headers.get("traceparent"))
        request.caller = self._auth.caller_of(request)
        path = without_keys(request.path)
        self._log.info(
            "request.started",
            f"Request Started → ID: {request.request_id} | {request.method} {path}",
            request_id=request.request_id,
            method=request.method,
            path=path,
            caller=_name_of(request),
        )
        try:
            self._check_host(request)
            browsers.refuse_cross_site(request)
            found = self._match(request)
        except WaybillError as error:
            return self._ended(request, problem(error, request.request_id))
        if isinstance(found, Response):
            return self._ended(request, found)
        request.route = found
        request.streams_body = found[0].streams_body
        request.body_limit_bytes = found[0].bodies.get(media_type(request) or "") or request.body_limit_bytes
        return None

    async def handle(self, request: Request) -> Response:
        route, path = cast(tuple[Route, dict[str, str]], request.route)
        caller = cast(Caller, request.caller)
        fields: Sequence[tuple[str, str]] = ()
        try:
            if self._rate_limit is not None and route.scope is not None:
                fields = await self._rate_limit.take(caller, request.peer)
            parameters = query.parameters(request.query, route.parameters) if route.pattern.startswith("/api") else {}
            trace = cast(Trace, request.trace)
            call = Call(request.request_id, trace, path, parameters, request, caller)
            response = await route.operation(call)
        except WaybillError as error:
            if isinstance(error, RedisUnavailable):
                self._log.warning("redis.failed", error.detail, request_id=request.request_id)
            response = problem(error, request.request_id)
        except Exception as fault:  # noqa: BLE001  The one place where a request's bug is caught: logged, and answered 500.
            self._log.exception(
                "request.failed", "Request failed by a fault of ours", fault, request_id=request.request_id
            )
            response = problem(InternalError("the log has the details, under this request id"), request.request_id)
        for name, value in fields:
            response.add_header(name, value)
        return self._ended(request, response)

    def refuse(self, error: HttpError, request: Request | None, peer: str) -> Response:
        """What is not HTTP, or came too slowly, gets an id and a line in the log as well."""
        if request is not None and request.request_id:
            return self._ended(request, problem(error, request.request_id))
        request_id = _id_of(request) if request else new_request_id()
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

    def _match(self, request: Request) -> tuple[Route, dict[str, str]] | Response:
        """As Router.match; but who calls is asked before what there is, and that before what kind of body comes."""
        caller = cast(Caller, request.caller)
        if caller is NOBODY and self._router.is_private(request.path):
            raise self._auth.refusal(request)
        found = self._router.match(request)
        if isinstance(found, Response):
            return found
        route, _ = found
        if route.scope is not None and caller is not ANYONE:
            caller.require(route.scope)
        self._router.check_types(route, request)
        return found

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
        duration_ms = duration_s * 1000
        route = cast(tuple[Route, dict[str, str]] | None, request.route)
        pattern = route[0].pattern if route is not None else self._router.pattern_of(request.path) or UNKNOWN_ROUTE
        self._counts.count(request.method, pattern, response.status, duration_s)
        self._log.info(
            "request.ended",
            f"Request Ended → ID: {request.request_id} | Status: {response.status} | {duration_ms:.1f} ms",
            request_id=request.request_id,
            trace_id=cast(Trace, request.trace).trace_id,
            status=response.status,
            duration_ms=round(duration_ms, 1),
            caller=_name_of(request),
        )


def _id_of(request: Request) -> str:
    """The caller's X-Request-ID where it can be one. A key is of its form too, and would be in every log line."""
    said = request.headers.get("x-request-id")
    return request_id_from(said if said is None or without_keys(said) == said else None)


def _name_of(request: Request) -> str | None:
    """Whose key it was, for the log; None where there was none."""
    caller = cast(Caller, request.caller)
    return None if caller is ANYONE or caller is NOBODY else caller.name


def _add_fields(response: Response, request_id: str) -> None:
    response.add_header("X-Request-ID", request_id)
    response.add_block(PAGE_FIELDS if type(response) is Page else browsers.ANSWER_FIELDS)
