"""One socket's life: read bytes, feed the parser, call the app, write the reply.

Called by the event loop and, for deadlines and draining, by listener.py. Knows asyncio; knows nothing of jobs or Redis.

    READING --whole request--> HANDLING --reply--> READING ...
       |                          |
       +--refused, timed out------+--last answer--> LINGERING --> CLOSED

Requests are answered strictly in order, one at a time: what is pipelined behind waits in the parser's buffer, unparsed.
Who is refused before the body has come is answered at once. A body that is soon read is thrown away in READING, and the
next request begins behind it; any other ends the connection (lingering.py).
Where the app takes a body in pieces, HANDLING begins with the request's head; a StreamedResponse is sent while it is
made. The app answers at once, or calls back with the answer, or has it made in the connection's one task. None of it is
cancelled because the client went away: a job that is being committed must be. Only its answer is dropped then. What
merely waits is told, by the request's `is_gone`: else who connects, asks and leaves, again and again, keeps more at
work than the cap allows.
Leaving begins with a FIN, and so does a mere half-close: who sent one still gets its answers, but sooner.
"""

import asyncio
import logging
import select
from collections.abc import Coroutine
from enum import Enum
from math import inf
from typing import Any, cast

from lib.errors import HttpError, RequestTimeout
from lib.http1.message import Request, Response, StreamedResponse
from lib.http1.server.app import Answer, Common
from lib.http1.server.body_stream import BodyStream
from lib.http1.server.one_task import OneTask
from lib.http1.server.outgoing import Outgoing, is_chunkable
from lib.http1.server.parser import Parser

log = logging.getLogger("waybill.http")


class State(Enum):
    READING = "reading"
    HANDLING = "handling"
    LINGERING = "lingering"
    CLOSED = "closed"


# As globals: to look a member up in its class takes ten times as long, and each request does it a dozen times.
READING, HANDLING, LINGERING, CLOSED = State


class Connection(asyncio.BufferedProtocol):
    """One connection. The listener calls expire() once `deadline_s` has passed, and begin_drain()."""

    def __init__(self, common: Common, *, refusal: HttpError | None = None) -> None:
        self._common = common
        # Kept: get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()
        self._limits = common.limits
        self._app = common.app
        self._refusal = refusal
        self._parser = Parser(common.limits)
        self._state = READING
        self.deadline_s = inf
        self._read_at = 0.0
        self._first_byte_at = 0.0
        self._body_from = 0.0
        self._request: Request | None = None
        self._handled: Request | None = None
        self._stream: BodyStream | None = None
        self._task: OneTask | None = None
        self._answered = 0
        # The request whose body is being read has had its answer.
        self._is_answered = False
        self._dropped_bytes = 0
        self._linger_until_s = inf
        self._has_eof = False
        self._is_read_paused = False

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._out = Outgoing(transport, self._common.date, self._common.keep_alive)
        peername = transport.get_extra_info("peername")
        self._peer = str(peername[0]) if peername else ""
        self.deadline_s = self._common.clock() + self._limits.head_s
        if self._refusal is not None:
            self._refuse(self._refusal)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._common.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._state is LINGERING:
            self._discard(nbytes)
            return
        self._read_at = now_s = self._common.clock()
        parser = self._parser
        if not parser.buffered_bytes:
            self._first_byte_at = now_s
            if self._state is READING and not self._out.is_paused:
                self.deadline_s = now_s + self._limits.head_s
        parser.feed(self._common.read_buffer[:nbytes])
        if self._state is READING and not self._out.is_paused:
            self._advance()
            return
        if parser.buffered_bytes > self._limits.pipelined_bytes:
            self._is_read_paused = True
            self._transport.pause_reading()
        if self._stream is not None:
            self._stream.wake()

    def eof_received(self) -> bool:
        """True keeps the write side open: a client may shut down its own after the last request."""
        self._has_eof = True
        if self._stream is not None:
            self._stream.fail()
        if self._handled is not None:
            self._handled.tell_gone()
        if self._state is READING and not self._out.is_paused:
            self._advance()
        if self._handled is not None and self._handled.ends_with_client:
            return False
        # READING: writing is paused, or other connections have their turn; _advance would have closed it else.
        return self._state is HANDLING or self._state is READING

    def pause_writing(self) -> None:
        self._out.pause()
        self.deadline_s = self._common.clock() + self._limits.write_s

    def resume_writing(self) -> None:
        self._out.resume()
        if self._state is HANDLING:
            self.deadline_s = inf
        elif self._state is LINGERING:
            self._start_lingering(self._limits.linger_quiet_s)
        elif self._state is READING:
            self._await_next()
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = CLOSED
        self.deadline_s = inf
        self._common.connections.discard(self)
        self._common.lingering.discard(self)
        self._out.resume()
        if self._stream is not None:
            self._stream.fail()
        if self._handled is None:
            self._end_task()
        else:
            self._common.unanswered.add(self)
            self._handled.tell_gone()

    # What the listener calls.

    def expire(self) -> None:
        """`deadline_s` has passed: say 408 to a request that is under way, end everything else silently."""
        if self._stream is not None and self._stream.is_dry:
            self.deadline_s = inf
            self._stream.fail(RequestTimeout("The body did not arrive in time."))
        elif self._out.is_paused or self._state is LINGERING:
            self._transport.abort()
        elif self._state is READING and (self._request is not None or self._parser.buffered_bytes):
            self._refuse(RequestTimeout("The request did not arrive in time."))
        else:
            self._leave()

    def begin_drain(self) -> None:
        """Close if idle. A request that is under way is finished; `Common.is_draining` makes its answer the last."""
        if self._state is LINGERING and not self._out.is_paused:
            self._start_lingering(self._limits.linger_drain_s)
        elif self._is_answered:
            self._linger()
        elif self._state is READING and self._request is None and not self._parser.buffered_bytes:
            self._leave()

    def give_way(self) -> None:
        """Close at once: another connection takes the place of this one, which lingers."""
        self._common.connections.discard(self)
        self._common.lingering.discard(self)
        self._transport.abort()

    def abort(self) -> None:
        """Close at once, dropping what is not written yet."""
        self._transport.abort()

    # Reading.

    def _advance(self) -> None:
        """Take from the buffer until a request is handed over, more bytes are needed, or writing is paused."""
        begun_at = self._answered
        try:
            while self._state is READING and not self._out.is_paused:
                has_moved = self._take_head() if self._request is None else self._take_body(self._request)
                if not has_moved:
                    self._await_bytes()
                    return
                if self._answered - begun_at >= self._limits.pipelined_requests:
                    # What is pipelined and answered at once must not keep other connections from their turn.
                    self._loop.call_soon(self._advance)
                    return
        except HttpError as error:
            self._refuse(error)
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(self._request or self._handled)

    def _take_head(self) -> bool:
        request = self._parser.next_head()
        if request is None:
            return False
        request.peer = self._peer
        request.received_at = self._first_byte_at
        # What is left in the buffer came with the last read, or is overwritten by the next.
        self._first_byte_at = self._body_from = self._read_at
        self._request = request
        refusal = self._app.admit(request)
        if refusal is not None:
            self._request = None
            if not request.has_body:
                self._parser.next_body()
            self._reply(request, refusal, is_early=request.has_body)
        return True

    def _take_body(self, request: Request) -> bool:
        if self._is_answered:
            return self._drop_body()
        if request.streams_body:
            clock, has_body = self._common.clock, request.has_body
            self._stream = BodyStream(self._parser, self._limits, clock, self._await_piece, has_body=has_body)
            request.stream = self._stream
            self._request = None
            self._hand_over(request)
            return True
        body = self._parser.next_body()
        if body is None:
            return False
        request.body = body
        self._request = None
        self._hand_over(request)
        return True

    def _drop_body(self) -> bool:
        """Throw away what has come of a body whose request has been answered."""
        while piece := self._parser.next_piece():
            self._dropped_bytes += len(piece)
            if self._dropped_bytes > self._limits.body_bytes:
                self._linger()
                return True
        if piece is None:
            return False
        self._request, self._is_answered, self._dropped_bytes = None, False, 0
        self._await_next()
        return True

    def _await_bytes(self) -> None:
        if self._has_eof:
            self._close()
            return
        if self._request is not None:
            self._await_body(self._request)
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._is_read_paused:
            self._is_read_paused = False
            self._transport.resume_reading()

    def _ask_for_body(self, request: Request) -> None:
        if request.expects_continue and not self._parser.body_bytes:
            self._out.write_continue()
        request.expects_continue = False

    def _await_piece(self, deadline_s: float) -> None:
        """The app waits for more of a body that it takes in pieces; inf: it has some now."""
        if deadline_s == inf:
            self.deadline_s = self._common.clock() + self._limits.write_s if self._out.is_paused else inf
            return
        self.deadline_s = deadline_s
        if self._state is not HANDLING or self._has_eof:
            cast(BodyStream, self._stream).fail()
            return
        self._ask_for_body(cast(Request, self._handled))
        self._resume_reading()

    def _await_body(self, request: Request) -> None:
        limits, arrived_bytes = self._limits, self._parser.body_bytes
        self._ask_for_body(request)
        allowed_s = min(limits.body_s, limits.body_grace_s + arrived_bytes / limits.body_rate_bytes_s)
        self.deadline_s = self._body_from + allowed_s

    def _await_next(self) -> None:
        """Start the clock of the next request: it may have begun already, behind the former."""
        wait_s = self._limits.head_s if self._parser.buffered_bytes else self._common.idle_s
        self.deadline_s = self._common.clock() + wait_s

    # Handling.

    def _hand_over(self, request: Request) -> None:
        self._state = HANDLING
        self.deadline_s = inf
        self._handled = request
        request.is_gone = self._has_eof
        answer = self._app.handle(request, self._hear)
        if answer is not None:
            self._take_answer(request, answer)

    def _hear(self, request: Request, answer: Answer) -> None:
        """The app has come to its answer, later."""
        if request is not self._handled:
            return  # It was answered already. Whatever the app does, no request gets another one's answer.
        try:
            self._take_answer(request, answer)
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(request)
        self._go_on()

    def _take_answer(self, request: Request, answer: Answer) -> None:
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            self._handled = None
            self._reply(request, answer)
            self._stream = None
            return
        if self._task is None:
            self._task = OneTask(self._loop, self._common.tasks)
        self._task.run(self._answer(request, answer))

    def _end_task(self) -> None:
        if self._task is not None:
            self._task.end()

    async def _answer(self, request: Request, answer: Coroutine[Any, Any, Response]) -> None:
        try:
            response = await answer
            if isinstance(response, StreamedResponse):
                await self._reply_in_pieces(request, response)
            else:
                self._handled = None
                self._reply(request, response)
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(request)
        self._handled = self._stream = None
        self._go_on()

    def _go_on(self) -> None:
        """Take what came behind the request that was answered."""
        if self._state is CLOSED:
            self._common.unanswered.discard(self)
            self._end_task()
        elif self._parser.buffered_bytes or self._has_eof or self._is_read_paused:
            if self._answered % self._limits.pipelined_requests:
                self._advance()
            else:
                self._loop.call_soon(self._advance)

    # Writing.

    def _reply(self, request: Request, response: Response, *, is_early: bool = False) -> None:
        """Write the answer; then wait for the next request, or end the connection. is_early: its body is to come."""
        if self._is_over():
            return
        self._answered += 1
        is_body_left = is_early or self._is_body_left()
        closes = self._is_last(request, response) or (is_body_left and not self._is_soon_read(request))
        self._out.write(request, response, closes=closes)
        if is_body_left and not closes:
            self._request, self._is_answered, self._body_from = request, True, self._common.clock()
        self._end_answer(closes=closes, is_body_due=is_body_left and not request.expects_continue)

    async def _reply_in_pieces(self, request: Request, response: StreamedResponse) -> None:
        """The same for an answer that is made while it is sent, at the pace of whoever reads it."""
        try:
            if self._is_over():
                return
            self._answered += 1
            # Of a body that is taken meanwhile nobody knows yet whether it comes to its end; if not, the close is not
            # announced. The answer itself has to say that it ends early.
            closes = self._is_last(request, response) or not is_chunkable(request)
            # A 100 from here on would stand amid the answer. (Its body may have begun to come unasked.)
            request.expects_continue = False
            self._out.write(request, response, closes=closes)
            await self._out.write_pieces(request, response)
        except Exception:  # noqa: BLE001
            _log_fault(request)
            self._transport.abort()
            self._state = CLOSED
        finally:
            await response.pieces.aclose()
        if not self._is_over():
            is_body_left = self._is_body_left()
            self._end_answer(
                closes=closes or self._is_last(request, response) or is_body_left, is_body_due=is_body_left
            )

    def _is_over(self) -> bool:
        """Nobody is there to be answered."""
        if self._transport.is_closing():
            # A write has failed, and connection_lost is yet to come.
            self._state = CLOSED
        return self._state is CLOSED

    def _is_last(self, request: Request, response: Response) -> bool:
        return (
            response.closes
            or not request.keep_alive
            or self._common.is_draining
            or self._answered >= self._limits.requests_per_connection
        )

    def _is_body_left(self) -> bool:
        """What is left of a body would be taken for the next request (RFC 9112 section 9.3)."""
        return self._stream is not None and not self._stream.is_complete

    def _is_soon_read(self, request: Request) -> bool:
        """Whether the rest of a body is read for the sake of the requests behind it. Who waits for a 100 that never
        comes may send the body or the next request: nobody can say which it is."""
        if request.expects_continue or self._parser.is_broken or (self._stream is not None and self._stream.is_failed):
            return False
        return request.content_length <= self._limits.body_bytes

    def _end_answer(self, *, closes: bool, is_body_due: bool) -> None:
        if closes:
            self._linger(is_more_due=is_body_due)
            return
        self._state = READING
        if self._out.is_paused:
            return
        if self._request is None:
            self._await_next()
        else:
            self._await_body(self._request)

    def _refuse(self, error: HttpError) -> None:
        """Answer what can't be served, and end the connection."""
        request = self._request
        if self._is_answered:
            self._linger()
            return
        try:
            response = self._app.refuse(error, request, self._peer)
            self._out.write(request, response, closes=True, is_to_head=self._parser.begins_with_head)
            self._linger(is_more_due=self._refusal is None and not (request and request.expects_continue))
        except Exception:  # noqa: BLE001  _fail logs it
            self._fail(self._request)

    def _fail(self, request: Request | None) -> None:
        """The app let an exception through: a bare 500, because nothing of the app can be trusted to write one."""
        _log_fault(request)
        self._handled = None
        if self._state in (READING, HANDLING):
            if not self._is_answered:
                self._out.write(None, Response(500), closes=True)
            self._linger()

    # Ending.

    def _leave(self) -> None:
        """End an idle connection, unless a request has come since the last read: nobody would say what became of it."""
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        if not poll.poll(0):
            self._linger(is_more_due=False)

    def _linger(self, *, is_more_due: bool = True) -> None:
        """Half-close and drop what still arrives: closing over unread bytes sends a reset that eats the answer."""
        self._state = LINGERING
        self._end_task()
        # A begun body would be held for as long as this takes.
        self._parser.forget()
        self._request, self._is_answered, self._dropped_bytes = None, False, 0
        if self._has_eof:
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:
            # ENOTCONN: the client was gone, and its reset has answered our last write already.
            self._transport.abort()
            return
        if is_more_due:
            self._common.lingering.add(self)
        if not self._out.is_paused:
            self._start_lingering(self._limits.linger_quiet_s if is_more_due else self._limits.linger_done_s)
        self._resume_reading()
        if is_more_due:
            self._common.lingering.wait_for_turn(self._transport)

    def _start_lingering(self, quiet_s: float) -> None:
        """From now on it is for the client to close."""
        limits, now_s = self._limits, self._common.clock()
        most_s = limits.linger_drain_s if self._common.is_draining else limits.linger_s
        self._linger_until_s = min(self._linger_until_s, now_s + most_s)
        self.deadline_s = min(now_s + quiet_s, self._linger_until_s)

    def _discard(self, nbytes: int) -> None:
        self._dropped_bytes += nbytes
        if self._dropped_bytes > self._limits.linger_bytes:
            self._transport.abort()
            return
        if not self._out.is_paused:
            self.deadline_s = min(self._common.clock() + self._limits.linger_quiet_s, self._linger_until_s)
        self._common.lingering.add(self)
        self._common.lingering.wait_for_turn(self._transport)

    def _close(self) -> None:
        """Close once everything is written."""
        self._state = CLOSED if not self._out.is_paused else LINGERING
        if not self._out.is_paused:
            self.deadline_s = inf
        self._end_task()
        self._transport.close()


def _log_fault(request: Request | None) -> None:
    """A line of the exception that is being handled. request: whose it is, where one is known."""
    request_id = (request.request_id if request else "") or None
    log.exception("Request failed by a fault of ours", extra={"event": "request.failed", "request_id": request_id})
