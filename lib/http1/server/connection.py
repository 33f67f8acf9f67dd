"""One socket's life: read bytes, feed the parser, call the application, write the answer.

The event loop calls a Connection as its protocol; listener.py calls it for deadlines and for draining. life.py has the
picture of its states, and the table of its steps; incoming.py and outgoing.py are its two halves.

- Requests are answered strictly in order, one at a time. A request that is pipelined behind another one waits in the
  parser's buffer, unparsed.
- A request that is refused by its head is answered at once. A small rest of its body is read and thrown away, and the
  next request begins behind; with a larger rest the connection ends (lingering.py).
- The application answers at once, or calls back with its answer, or returns a coroutine, which runs in the connection's
  one task. A request that streams its body is handed over with its head; a StreamedResponse is sent while it is made.
- A client that goes away cancels nothing, because a job may just be committed: only the answer is dropped. An
  application that merely waits looks at `Request.is_gone`. Otherwise clients that connect, ask and leave, again and
  again, would keep more requests at work than the cap on connections allows.
- A client that has merely closed its sending half still gets its answers.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Generic

from lib.errors import HttpError, RequestTimeout
from lib.http1.app import Answer, RequestT
from lib.http1.message import Request, Response, StreamedResponse
from lib.http1.server.common import Common
from lib.http1.server.handling import Handling
from lib.http1.server.incoming import Incoming
from lib.http1.server.life import READING
from lib.http1.server.lifeline import Lifeline
from lib.http1.server.outgoing import Outgoing, is_chunkable
from lib.http1.server.parser import Parser

log = logging.getLogger("waybill.http")


class Connection(asyncio.BufferedProtocol, Generic[RequestT]):
    """One connection. With a `refusal` its client is turned away, unread: the listener has too many connections."""

    def __init__(self, common: Common[RequestT], *, refusal: HttpError | None = None) -> None:
        self._common = common
        self._limits = common.limits
        self._app = common.app
        self._refusal = refusal
        self._life = Lifeline(common)
        self._answered = 0

    @property
    def deadline_s(self) -> float:
        """When the listener is to call expire(), on `Common.clock`."""
        return self._life.deadline_s

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._in = Incoming(transport, Parser(self._limits, self._app.request_type))
        self._out = Outgoing(transport, self._common.date, self._common.keep_alive)
        self._handling = Handling(self._common, self._in, self._out, self._life)
        self._life.begin(self._in, self._out)
        if self._refusal is not None:
            self._refuse(self._refusal)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._common.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._life.state == "lingering":
            self._life.discard(self, nbytes)
            return
        incoming, answered = self._in, self._answered
        incoming.read_at = now_s = self._common.clock()
        is_first = incoming.parser.feed(self._common.read_buffer[:nbytes])
        if is_first:
            incoming.first_byte_at = now_s
        if self._life.state in READING and not self._out.is_paused:
            self._advance()
            # Behind _advance, because a request that came whole needs no deadline for its head.
            if is_first and self._life.state == "head" and self._answered == answered:
                self._life.step("begun", now_s)
            return
        if incoming.parser.buffered_bytes > self._limits.pipelined_bytes:
            incoming.pause()
        if self._handling.stream is not None:
            self._handling.stream.wake()

    def eof_received(self) -> bool:
        """The client has closed its sending half. True keeps ours open: its last requests are still to be answered."""
        self._in.has_eof = True
        self._handling.mark_gone()
        if self._life.state in READING and not self._out.is_paused:
            self._advance()
        handled = self._handling.request
        if handled is not None and handled.ends_with_client:
            return False
        # A state of READING means that _advance could not go on, and so not close: writing is paused, or it is other
        # connections' turn.
        return self._life.state == "handling" or self._life.state in READING

    def pause_writing(self) -> None:
        self._life.step("write_paused", self._common.clock())
        self._out.pause()

    def resume_writing(self) -> None:
        self._out.resume()
        if self._life.state == "head":
            self._life.await_next()
        elif self._life.state == "lingering":
            self._life.linger_on("write_resumed")
        else:
            self._life.step("write_resumed", self._common.clock())
        if self._life.state in READING:
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._out.resume()
        self._life.step("lost")
        self._common.connections.discard(self)
        self._common.lingering.discard(self)
        if self._handling.request is None:
            self._handling.end_task()
        else:
            self._common.unanswered.add(self)
        self._handling.mark_gone()

    # What the listener calls.

    def expire(self) -> None:
        """`deadline_s` has passed: answer 408 to a request that is still coming, end everything else silently."""
        if self._handling.expire_piece():
            return
        if self._out.is_paused or self._life.state == "lingering":
            self._out.transport.abort()
        elif self._life.state in READING and not self._in.is_idle:
            self._refuse(RequestTimeout("The request did not arrive in time."))
        else:
            self._leave()

    def begin_drain(self) -> None:
        """Close if idle. A request that is under way is finished; `Common.is_draining` makes its answer the last."""
        if self._life.state == "lingering" and not self._out.is_paused:
            self._life.linger_on("drain_begun")
        elif self._life.state == "dropping":
            self._linger()
        elif self._life.state == "head" and self._in.is_idle:
            self._leave()

    def give_way(self) -> None:
        """Close this connection, which lingers, at once: another connection takes its place."""
        self._common.connections.discard(self)
        self._common.lingering.discard(self)
        self._out.transport.abort()

    def abort(self) -> None:
        """Close at once, dropping what is not written yet."""
        self._out.transport.abort()

    # Reading.

    def _advance(self) -> None:
        """Read on until a request is handed over, more bytes are needed, or writing is paused."""
        begun_at = self._answered
        try:
            while self._life.state in READING and not self._out.is_paused:
                if not self._take():
                    self._await_bytes()
                    return
                if self._answered - begun_at >= self._limits.pipelined_requests:
                    # Pipelined requests that are answered at once must not keep other connections from their turn.
                    asyncio.get_running_loop().call_soon(self._advance)
                    return
        except HttpError as error:
            self._refuse(error)
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(self._in.request or self._handling.request)

    def _take(self) -> bool:
        """Take a request, or the rest of one that has been begun. False: more bytes are needed."""
        request = self._in.request
        if request is not None:
            return self._drop_body() if self._life.state == "dropping" else self._hand_over(request)
        request = self._in.next_head()
        if request is None:
            return False
        refusal = self._app.admit(request)
        if refusal is None:
            return self._hand_over(request)
        self._in.request = None
        if not request.has_body:
            self._in.parser.next_body()
        self._reply(request, refusal, is_early=request.has_body)
        return True

    def _hand_over(self, request: RequestT) -> bool:
        """Give a request to the application, if its body is there or comes in pieces."""
        if request.streams_body:
            self._handling.stream_body(request)
        else:
            body = self._in.parser.next_body()
            if body is None:
                return False
            request.body = body
        self._in.request = None
        self._handling.request = request
        self._life.step("handed_over")
        request.is_gone = self._in.has_eof
        answer = self._app.handle(request, self._on_answer)
        if answer is not None:
            self._take_answer(request, answer)
        return True

    def _drop_body(self) -> bool:
        """Throw away what has come of a body whose request has been answered."""
        while piece := self._in.parser.next_piece():
            if self._in.drop(len(piece)) > self._limits.body_bytes:
                self._linger()
                return True
        if piece is None:
            return False
        self._in.end_drop()
        self._life.await_next()
        return True

    def _await_bytes(self) -> None:
        if self._in.has_eof:
            self._close()
            return
        if self._in.request is not None:
            self._out.ask_for_body(self._in.request, has_begun=self._in.parser.body_bytes > 0)
            self._life.await_body("body_awaited")
        self._in.resume()

    # Handling.

    def _on_answer(self, request: RequestT, answer: Answer) -> None:
        """The application calls back with its answer."""
        if request is not self._handling.request:
            return  # It was answered already. Whatever the application does, no request gets another one's answer.
        try:
            self._take_answer(request, answer)
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(request)
        self._go_on()

    def _take_answer(self, request: RequestT, answer: Answer) -> None:
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            self._handling.request = None
            self._reply(request, answer)
            self._handling.stream = None
            return
        self._handling.run(self._answer(request, answer))

    async def _answer(self, request: RequestT, answer: Coroutine[Any, Any, Response]) -> None:
        """Runs in the connection's task."""
        try:
            response = await answer
            if isinstance(response, StreamedResponse):
                await self._reply_in_pieces(request, response)
            else:
                self._handling.request = None
                self._reply(request, response)
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(request)
        self._handling.request = self._handling.stream = None
        self._go_on()

    def _go_on(self) -> None:
        """Read on behind the request that was answered, if there is more: bytes, the client's end, paused reading."""
        incoming = self._in
        if self._life.state == "closed":
            self._common.unanswered.discard(self)
            self._handling.end_task()
        elif incoming.parser.buffered_bytes or incoming.has_eof or incoming.is_paused:
            if self._answered % self._limits.pipelined_requests:
                self._advance()
            else:
                asyncio.get_running_loop().call_soon(self._advance)

    # Answering.

    def _reply(self, request: RequestT, response: Response, *, is_early: bool = False) -> None:
        """Write the answer; then wait for the next request, or end the connection. is_early: its body is to come."""
        if self._life.is_over():
            return
        self._answered += 1
        stream = self._handling.stream
        is_body_left = is_early or (stream is not None and not stream.is_complete)
        closes = self._is_last(request, response) or (is_body_left and not self._handling.is_soon_read(request))
        self._out.write(request, response, closes=closes)
        if closes:
            self._linger(is_more_due=is_body_left and not request.expects_continue)
        elif is_body_left:
            self._in.request, self._in.body_from_s = request, self._common.clock()
            self._life.await_body("answered_early")
        else:
            self._life.await_next()

    async def _reply_in_pieces(self, request: RequestT, response: StreamedResponse) -> None:
        """As `_reply`, for an answer that is made while it is sent, at the client's pace."""
        try:
            if self._life.is_over():
                return
            self._answered += 1
            # Whether a body that the application takes meanwhile comes to its end is not known yet. If it does not,
            # the close is not announced, and the answer itself has to say that it ends early.
            closes = self._is_last(request, response) or not is_chunkable(request)
            # From here on a 100 would stand amid the answer. (The body may have begun to come unasked.)
            request.expects_continue = False
            self._out.write(request, response, closes=closes)
            await self._out.write_pieces(request, response)
        except Exception:  # noqa: BLE001
            _log_fault(request)
            self._out.transport.abort()
            self._life.step("lost")
        finally:
            await response.pieces.aclose()
        if not self._life.is_over():
            stream = self._handling.stream
            is_body_left = stream is not None and not stream.is_complete
            if closes or is_body_left or self._is_last(request, response):
                self._linger(is_more_due=is_body_left)
            else:
                self._life.await_next()

    def _is_last(self, request: RequestT, response: Response) -> bool:
        return (
            response.closes
            or not request.keep_alive
            or self._common.is_draining
            or self._answered >= self._limits.requests_per_connection
        )

    def _refuse(self, error: HttpError) -> None:
        """Answer what can't be served, and end the connection."""
        request = self._in.request
        if self._life.state == "dropping":
            self._linger()
            return
        try:
            response = self._app.refuse(error, request, self._in.peer)
            self._out.write(request, response, closes=True, is_to_head=self._in.parser.begins_with_head)
            self._linger(is_more_due=self._refusal is None and not (request and request.expects_continue))
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(request)

    def _fail(self, request: RequestT | None) -> None:
        """The application let an exception through: answer a bare 500, since it can't be trusted to write an answer."""
        _log_fault(request)
        self._handling.request = None
        if self._life.state == "handling" or self._life.state in READING:
            if self._life.state != "dropping":
                self._out.write(None, Response(500), closes=True)
            self._linger()

    # Ending.

    def _leave(self) -> None:
        """End an idle connection, unless a request has just come: its client could not tell whether it was served."""
        if not self._life.has_unread_bytes():
            self._linger(is_more_due=False)

    def _linger(self, *, is_more_due: bool = True) -> None:
        """The last answer is written: let the connection end. is_more_due: the client may still be sending."""
        self._handling.end_task()
        self._life.linger(self, is_more_due=is_more_due)

    def _close(self) -> None:
        """The client has closed its half, and everything is written."""
        self._life.step("ended")
        self._handling.end_task()
        self._out.transport.close()


def _log_fault(request: Request | None) -> None:
    """Log the current exception, under the id of its request if that is known."""
    request_id = (request.request_id if request else "") or None
    log.exception("Request failed by a fault of ours", extra={"event": "request.failed", "request_id": request_id})
