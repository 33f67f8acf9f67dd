"""The table of operations, and which operation a request asks for, by its path and its method.

POST /api/jobs/email-0192…/cancel matches the Route whose pattern is /api/jobs/{job_id}/cancel, with the variables
{"job_id": "email-0192…"}. A path is matched as it was sent: /api/%6aobs, /api//jobs and /api/./jobs are 404.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lib.errors import MethodNotAllowed, NotFound, PreconditionFailed, UnsupportedMediaType
from lib.http1.message import Request, Response
from lib.settings.api_keys import Scope
from lib.tracing import Trace
from lib.web import accept
from lib.web.auth import ANYONE, NOBODY, Caller


class Call(NamedTuple):
    """A request as an operation sees it.

    path: the variables of the route's pattern, {"job_id": "email-0192…"}. parameters: the query, of the names that the
    route knows. request: the header fields, the body, and `is_gone` for an operation that waits. caller: whose key the
    request bears.
    """

    request_id: str
    trace: Trace
    path: dict[str, str]
    parameters: dict[str, str]
    request: Request
    caller: Caller = ANYONE

    @property
    def asked_by(self) -> dict[str, str]:
        """The fields that say in a log line who asked for what it tells: {"request_id": "r-1", "caller": "ops"}.
        `caller` is the name of the key, and is left out of a request without one."""
        has_key = self.caller not in (ANYONE, NOBODY)
        return {"request_id": self.request_id, **({"caller": self.caller.name} if has_key else {})}


Operation = Callable[[Call], Awaitable[Response]]
Outcome = Response | Coroutine[Any, Any, Response] | Exception
"""The outcome of an operation: its response, a coroutine that makes the response, or why there is none."""
Beginning = Callable[[Call, Callable[[Outcome], None]], None]
"""An operation without a task: raises at once, or calls back later with its outcome (never before it has returned)."""
JSON = "application/json"


class CallbackOperation:
    """An operation that is written as a Beginning: create(call, on_outcome).

    The middleware calls `begin` itself, which takes no task and no future. Where something has to be awaited before the
    operation (the rate limit), the middleware awaits this object like any other operation."""

    def __init__(self, begin: Beginning) -> None:
        self.begin = begin

    async def __call__(self, call: Call) -> Response:
        result: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.begin(call, result.set_result)
        outcome = await result
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Response) else await outcome


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table: Route("GET", "/api/jobs/{job_id}", "readJob", jobs.read, frozenset({"wait"}), scope="read").

    name: openapi.yaml's operationId. `{job_id}` in the pattern matches one segment of a path.
    parameters: the names that its query may have.
    streams_body: the operation begins with the request's head and takes the body from `call.request.stream`.
    bodies: the media types of a body, and the most bytes of each; None for the limit of every body.
    scope: the least scope that a key must have (read < write < admin); None where no key is needed. It has no default:
    the author of a row decides.
    has_version: what its path names has an ETag, and the operation itself obeys If-Match.
    begin: the Beginning of a CallbackOperation; None for an operation that is awaited.
    produces: the media types of its answers, the preferred one first; () if a success has no body.
    """

    method: str
    pattern: str
    name: str
    operation: Operation
    parameters: frozenset[str] = frozenset()
    takes_body: bool = False
    streams_body: bool = False
    bodies: Mapping[str, int | None] = field(default_factory=lambda: {"application/json": None})
    scope: Scope | None = field(kw_only=True)
    has_version: bool = False
    begin: Beginning | None = field(default=None, init=False)
    produces: tuple[str, ...] = (JSON,)

    def __post_init__(self) -> None:
        if isinstance(self.operation, CallbackOperation):
            object.__setattr__(self, "begin", self.operation.begin)


@dataclass(slots=True)
class _Node:
    """One segment of the patterns: the operations that end there, and the segments that may follow."""

    routes: dict[str, Route] = field(default_factory=dict)
    children: dict[str, "_Node"] = field(default_factory=dict)
    variable: "_Node | None" = None
    variable_name: str = ""


class Router:
    """Finds routes by walking the path a segment at a time."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        for route in self.routes:
            self._node_for(route.pattern).routes[route.method] = route
        self._private = {route.pattern.split("/")[1] for route in self.routes if route.scope is not None}
        self._methods = ", ".join(sorted({*self._allowed_of(route.method for route in self.routes)}))

    def match(self, request: Request) -> tuple[Route, dict[str, str]] | Response:
        """The route that a request asks for and the values of its variables, or the answer to an OPTIONS.

        Raises NotFound or MethodNotAllowed (with Allow).
        """
        if request.path == "*":
            return Response(204, headers=[("Allow", self._methods)])
        node, values = self._walk(request.path)
        if node is None or not node.routes:
            raise NotFound(f"there is nothing at {request.path[:200]}; GET /openapi.yaml lists what there is")
        method = "GET" if request.method == "HEAD" else request.method
        route = node.routes.get(method)
        if route is None:
            allowed = ", ".join(sorted(self._allowed_of(node.routes)))
            if method == "OPTIONS":
                patch = node.routes.get("PATCH")
                return Response(204, headers=[("Allow", allowed), *([_accept_patch(patch)] if patch else [])])
            raise MethodNotAllowed(f"{request.path[:200]} takes {allowed}", headers=[("Allow", allowed)])
        return route, values

    def check_types(self, route: Route, request: Request) -> None:
        """Raises UnsupportedMediaType for the body's type, or NotAcceptable if Accept excludes all that the route
        produces."""
        kind = (media_type(request) if route.takes_body else None) or ""
        if route.takes_body and kind not in route.bodies:
            kinds = " or ".join(route.bodies)
            detail = f"send the body as {kinds}, UTF-8, without a Content-Encoding"
            raise UnsupportedMediaType(detail, headers=_accepted_instead(route, request))
        wanted = request.headers.get("accept")
        if wanted is not None:
            accept.check(wanted, route.produces)

    @staticmethod
    def check_preconditions(route: Route, request: Request) -> None:
        """Raises PreconditionFailed for an If-Match with an ETag: jobs and queues have none that could match (RFC 9110,
        13.1.1). To ignore the field would let its sender overwrite somebody else's change."""
        if not route.has_version and request.headers.get("if-match", "*") != "*" and route.method != "GET":
            raise PreconditionFailed("nothing that this path changes has an ETag; send no If-Match")

    def is_private(self, path: str) -> bool:
        """True for a path under /api, and for any other that takes a key. Without a key each such path answers 401, one
        without an operation too: a stranger does not learn which paths exist. False for a path under /api whose
        operations need no key: a callback's."""
        if path[1:].partition("/")[0] not in self._private:
            return False
        node, _ = self._walk(path)
        return node is None or all(route.scope is not None for route in node.routes.values())

    def pattern_of(self, path: str) -> str | None:
        """The pattern that a path matches, of whatever method; None for a path that matches nothing."""
        node, _ = self._walk(path)
        return next((route.pattern for route in node.routes.values()), None) if node is not None else None

    def _walk(self, path: str) -> tuple[_Node | None, dict[str, str]]:
        node = self._root
        values: dict[str, str] = {}
        for segment in path.split("/")[1:]:
            child = node.children.get(segment)
            if child is None:
                if node.variable is None or not segment:
                    return None, values
                values[node.variable_name] = segment
                child = node.variable
            node = child
        return node, values

    def _node_for(self, pattern: str) -> _Node:
        node = self._root
        for segment in pattern.split("/")[1:]:
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node.variable_name = segment.strip("{}")
                node = node.variable
            else:
                node = node.children.setdefault(segment, _Node())
        return node

    @staticmethod
    def _allowed_of(methods: Iterable[str]) -> set[str]:
        found = set(methods)
        return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


def _accepted_instead(route: Route, request: Request) -> list[tuple[str, str]]:
    """The field of a 415 that says why: Accept-Encoding for a coded body (RFC 9110, 12.5.3), Accept-Patch for a PATCH
    of another type (RFC 5789, 2.2)."""
    if _is_coded(request):
        return [("Accept-Encoding", "identity")]
    return [_accept_patch(route)] if route.method == "PATCH" else []


def _accept_patch(route: Route) -> tuple[str, str]:
    """The media types in which a PATCH is accepted: RFC 5789, 3.1."""
    return "Accept-Patch", ", ".join(route.bodies)


def _is_coded(request: Request) -> bool:
    return request.headers.get("content-encoding", "identity").lower() != "identity"


def media_type(request: Request) -> str | None:
    """The media type of a body, without parameters: "application/json". None for a body with a Content-Encoding, or in
    another charset than UTF-8."""
    if "content-encoding" in request.headers and _is_coded(request):
        return None
    kind, semicolon, rest = request.headers.get("content-type", "").partition(";")
    # Most requests have no parameter, or charset=utf-8; the grammar is checked for the others alone.
    is_utf8 = rest.strip().lower() in ("", "charset=utf-8") or accept.charset_is_utf8(semicolon + rest)
    return kind.strip().lower() if is_utf8 else None
