"""One link to a receiver: a request is written, its answer read, and the link is kept or cut.

Made by http_dial.py, used by pool.py for one request at a time. Knows asyncio; knows nothing of names and addresses.

WHY a protocol and no stream: a receiver may answer (413, say) and close while the request is still going out. What came
is parsed as it comes, and stands, although writing has failed by then; a StreamReader would forget it. And whoever
sends without end is cut off by the parser, before anything is stored.
"""

import asyncio
import os
import ssl
from typing import cast

from lib.http1.client.client_message import Answer
from lib.http1.client.faults import AnswerTimedOut, HttpClientFault, LinkLost
from lib.http1.client.response_parser import AnswerParser


class HttpLink(asyncio.Protocol):
    """origin: "api.example.com:443", for the texts of faults. address: what was dialled. opened_s: by pool.py's clock.

    has_heard: whether any byte of an answer to the latest request came. is_open: it may be asked.
    """

    def __init__(self, origin: str, address: str, opened_s: float) -> None:
        self.origin = origin
        self.address = address
        self.opened_s = opened_s
        self.idle_since_s = opened_s
        self.has_heard = False
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._parser: AnswerParser | None = None
        self._answered: asyncio.Future[None] | None = None

    async def ask(self, request: bytes, method: str, deadline_s: float) -> Answer:
        """Send a request, and wait for its answer until `deadline_s` of the loop's clock. duration_ms is 0: pool.py
        knows when it began. Afterwards the link is open only if it may be kept. Raises LinkLost, NoHttp or
        AnswerTimedOut; whoever is cancelled here cuts the link."""
        loop = asyncio.get_running_loop()
        parser = self._parser = AnswerParser(method)
        answered = self._answered = loop.create_future()
        self.has_heard = False
        timer = loop.call_at(deadline_s, self._is_late)
        try:
            self._write(request)
            await answered
        except BaseException:
            if answered.done() and not answered.cancelled():
                answered.exception()  # Looked at: a fault that comes with a cancellation is not logged as unseen.
            self.cut()
            raise
        finally:
            timer.cancel()
            self._parser = self._answered = None
        if not parser.may_keep or self._has_unsent():
            self.cut()
        assert parser.status is not None
        return Answer(parser.status, parser.fields, bytes(parser.body), parser.is_truncated, self.address, 0.0)

    def cut(self) -> None:
        """Close the link at once: nothing more is sent or read."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _write(self, request: bytes) -> None:
        if not self.is_open or self._transport is None:
            raise LinkLost(f"{self.origin} closed the link before it answered")
        # All at once, without waiting for room: the body is in memory anyway, and an answer may come before it is sent.
        self._transport.write(request)

    def _has_unsent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            self.cut()  # Bytes that nobody asked for: they would be taken for the next request's answer.
            return
        self.has_heard = True
        try:
            self._parser.feed(data)
        except HttpClientFault as exc:
            self._fail(type(exc)(f"{self.origin} {exc}"))
            return
        if self._parser.is_complete:
            self._settle()

    def eof_received(self) -> None:
        self._end(None)
        self.cut()  # asyncio's own way to close would first wait until the request is sent.

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._end(exc)

    # The end of an answer.

    def _end(self, exc: Exception | None) -> None:
        if self._parser is None or self._answered is None or self._answered.done():
            return
        try:
            self._parser.end(is_clean=exc is None)
        except LinkLost as lost:
            why = f": {words_of(exc)}" if exc else ""
            self._fail(LinkLost(f"{self.origin} {lost}{why}"))
            return
        self._settle()

    def _is_late(self) -> None:
        if self._parser is not None and self._parser.status is not None:
            self._parser.end(is_clean=False)
            self._settle()
        else:
            where = "ended its answer's head" if self.has_heard else "answered"
            self._fail(AnswerTimedOut(f"{self.origin} has not {where} in time"))

    def _settle(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def _fail(self, fault: HttpClientFault) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(fault)
        self.cut()


def words_of(exc: BaseException) -> str:
    """What an error of the system says in words: "Connection refused"."""
    if isinstance(exc, ssl.SSLCertVerificationError) and exc.verify_message:
        return exc.verify_message
    if isinstance(exc, ssl.SSLError) and exc.reason:
        return exc.reason.replace("_", " ").lower()
    if isinstance(exc, OSError) and exc.errno:
        return os.strerror(exc.errno)  # asyncio's own text, "Connect call failed", has not the reason in it.
    return str(exc) or type(exc).__name__
