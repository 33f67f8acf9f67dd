"""The application's side of one connection: the request in hand, its streamed body, and the task for coroutines.

Made and called by connection.py, which hands requests over and writes the answers.
"""

from collections.abc import Coroutine
from typing import Any, Generic

from lib.errors import RequestTimeout
from lib.http1.app import RequestT
from lib.http1.server.body_stream import BodyStream
from lib.http1.server.common import Common
from lib.http1.server.incoming import Incoming
from lib.http1.server.lifeline import Lifeline
from lib.http1.server.one_task import OneTask
from lib.http1.server.outgoing import Outgoing


class Handling(Generic[RequestT]):
    """The request, body stream and task of one connection; at most one request at a time."""

    def __init__(
        self,
        common: Common[RequestT],
        incoming: Incoming[RequestT],
        outgoing: Outgoing,
        life: Lifeline[RequestT],
    ) -> None:
        self.request: RequestT | None = None
        """The request that the application has, and has not answered yet."""
        self.stream: BodyStream | None = None
        """The body of `request`, if the application takes it in pieces."""
        self._common = common
        self._in = incoming
        self._out = outgoing
        self._life = life
        self._task: OneTask | None = None

    def stream_body(self, request: RequestT) -> None:
        """Give `request` its body as a stream."""
        self.stream = request.stream = BodyStream(
            self._in.parser.next_piece,
            self._common.limits,
            self._common.clock,
            self._await_piece,
            has_body=request.has_body,
        )

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the connection's task, behind the former one."""
        if self._task is None:
            self._task = OneTask(self._common.tasks)
        self._task.run(work)

    def end_task(self) -> None:
        """Nothing will be run any more behind the work that has been handed over."""
        if self._task is not None:
            self._task.end()

    def is_soon_read(self, request: RequestT) -> bool:
        """Whether to read the rest of an answered request's body for the sake of the requests behind it.

        Not if the client waits for a 100 that never comes: it may send the body or the next request, and nobody can
        say which of the two."""
        if request.expects_continue or self._in.parser.is_broken:
            return False
        if self.stream is not None and self.stream.is_failed:
            return False
        return request.content_length <= self._common.limits.body_bytes

    def mark_gone(self) -> None:
        """The client has closed, or at least its sending half: tell the application."""
        if self.stream is not None:
            self.stream.fail()
        if self.request is not None:
            self.request.mark_gone()

    def expire_piece(self) -> bool:
        """Fail a body whose next piece has not come in time; False if the application waits for no piece."""
        if self._life.state != "handling" or self.stream is None or not self.stream.is_dry:
            return False
        self._life.step("piece_settled")
        self.stream.fail(RequestTimeout("The body did not arrive in time."))
        return True

    def _await_piece(self, until_s: float | None) -> None:
        """The application waits until `until_s` for more of the body; None: the wait is over."""
        if self.stream is None or self.request is None or self._life.state != "handling":
            return
        if until_s is None:
            self._life.step("piece_settled")
        elif self._in.has_eof:
            self.stream.fail()
        else:
            self._life.step("piece_awaited", self._common.clock(), until_s)
            self._out.ask_for_body(self.request, has_begun=self._in.parser.body_bytes > 0)
            self._in.resume()
