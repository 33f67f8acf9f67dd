"""Which operation a request asks for: the path, then the method, then what the operation takes.

Paths are matched as they were sent. What is percent-encoded, doubled or dotted is no path of ours, and 404.
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
from lib.web.auth import ANYONE, Caller


class Call(NamedTuple):
    """A request as an operation sees it. `path` and `parameters` hold what the route's pattern and table row name.

    request: the whole of it: fields, body, and `is_gone` for an operation that waits. caller: whose key came with it.
    """

    request_id: str
    trace: Trace
    path: dict[str, str]
    parameters: dict[str, str]
    request: Request
    caller: Caller = ANYONE


Operation = Callable[[Call], Awaitable[Response]]
Outcome = Response | Coroutine[Any, Any, Response] | Exception
"""What an operation has come to: its answer, or what has to be awaited for that, or why there is none."""
Beginning = Callable[[Call, Callable[[Outcome], None]], None]
"""An operation that needs no task: it raises at once, or calls back with its outcome, but not before it returns."""
JSON = "application/json"


class CallbackOperation:
    """An operation that is written as a Beginning. Where something has to be awaited before it, it is awaited too."""

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
    """One row of the table. `{name}` in the pattern stands for one segment; `name` is openapi.yaml's operationId.

    scope: what a key must be good for, each of read, write and admin including those before it; None where none is
    asked for. It has no default: who adds a row decides.
    produces: the media types of its answers, the preferred one first; none where a success has no body.
    streams_body: the operation begins with the request's head and takes the body from `call.request.stream`.
    bodies: the media types that it takes, and the most bytes of each; None is what every body may have.
    begin: what a CallbackOperation begins with, for the middleware to call where nothing has to be awaited before.
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
    begin: Beginning | None = field(default=None, init=False)
    produces: tuple[str, ...] = (JSON,)

    def __post_init__(self) -> None:
        if isinstance(self.operation, CallbackOperation):
            object.__setattr__(self, "begin", self.operation.begin)


@dataclass(slots=True)
class _Node:
    """What may stand at one place in a path."""

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
        """The route and what its variables stand for, or the answer to an OPTIONS.

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
        """Raises UnsupportedMediaType, or NotAcceptable where Accept leaves nothing that the route can answer."""
        kind = (media_type(request) if route.takes_body else None) or ""
        if route.takes_body and kind not in route.bodies:
            kinds = " or ".join(route.bodies)
            detail = f"send the body as {kinds}, UTF-8, without a Content-Encoding"
            raise UnsupportedMediaType(detail, headers=_taken_instead(route, request))
        wanted = request.headers.get("accept")
        if wanted is not None:
            accept.check(wanted, route.produces)

    @staticmethod
    def check_preconditions(route: Route, request: Request) -> None:
        """Raises PreconditionFailed. What can be changed here has no ETag, so that none can match (RFC 9110, 13.1.1);
        who sends one counts on it, lest they overwrite what somebody else has changed."""
        if request.headers.get("if-match", "*") != "*" and route.method != "GET":
            raise PreconditionFailed("nothing that this path changes has an ETag; send no If-Match")

    def is_private(self, path: str) -> bool:
        """Whether a path is under one where keys are asked for. Whoever has none is not told what else is there."""
        return path[1:].partition("/")[0] in self._private

    def pattern_of(self, path: str) -> str | None:
        """The pattern that a path fits, whatever the method; None where there is nothing at that path."""
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


def _taken_instead(route: Route, request: Request) -> list[tuple[str, str]]:
    """What a 415 says of why: RFC 9110, 12.5.3, for a coding; RFC 5789, 2.2, for a patch of another type."""
    if _is_coded(request):
        return [("Accept-Encoding", "identity")]
    return [_accept_patch(route)] if route.method == "PATCH" else []


def _accept_patch(route: Route) -> tuple[str, str]:
    """RFC 5789, 3.1."""
    return "Accept-Patch", ", ".join(route.bodies)


def _is_coded(request: Request) -> bool:
    return request.headers.get("content-encoding", "identity").lower() != "identity"


def media_type(request: Request) -> str | None:
    """What a body is said to be, without parameters; None where it is coded, or in another charset than UTF-8."""
    if "content-encoding" in request.headers and _is_coded(request):
        return None
    kind, semicolon, rest = request.headers.get("content-type", "").partition(";")
    # Most say no more, or this; the grammar is looked at for the others.
    is_utf8 = rest.strip().lower() in ("", "charset=utf-8") or accept.charset_is_utf8(semicolon + rest)
    return kind.strip().lower() if is_utf8 else None
