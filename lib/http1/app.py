"""The application as HTTP sees it: three calls, and the answers to them. Pure.

server/connection.py makes the calls; web/middleware.py is Waybill's application. For one request:

    admit(request)              the head is there: refuse it now, or let its body come
    handle(request, on_answer)  the body is there (or comes in `request.stream`): answer now or later
    refuse(error, ...)          what came is not a valid request, or came too slowly
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from lib.errors import HttpError
from lib.http1.message import Request, Response

RequestT = TypeVar("RequestT", bound=Request)
"""The application's own class of requests."""

Answer = Response | Coroutine[Any, Any, Response] | Exception
"""One of three things: a whole Response; a coroutine that makes a Response or a StreamedResponse, to be run in the
connection's task; a fault of the application's own, which is answered with a bare 500."""
OnAnswer = Callable[[RequestT, Answer], None]
"""Called with a request and its answer, once. Does not raise: the caller may have other requests to answer as well."""


class App(Protocol[RequestT]):
    """The application. All three calls come from the event loop and must not block."""

    @property
    def request_type(self) -> type[RequestT]:
        """The class that requests are made of: Request, or a subclass with attributes of the application's own."""

    def admit(self, request: RequestT) -> Response | None:
        """Called with the head, before any of the body is taken and before "100 Continue". A Response refuses.

        May change `request.body_limit_bytes` and set `request.streams_body`. The body of a refused request is read
        and thrown away; the connection closes instead where that body is too large, or waits for a 100."""

    def handle(self, request: RequestT, on_answer: OnAnswer[RequestT]) -> Answer | None:
        """Answer a request whose body is whole, or comes in `request.stream`.

        None promises a call of `on_answer(request, answer)` from the loop, after `handle` has returned. Such an answer
        costs no task, no future and no turn of the loop; an answer that has to be awaited is a coroutine."""

    def refuse(self, error: HttpError, request: RequestT | None, peer: str) -> Response:
        """The answer to bytes that are not a valid request, or took too long. `request` is None if the head could not
        be read; `peer` is the client's IP address."""
