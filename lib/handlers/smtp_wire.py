"""One SMTP server's socket on the loop, plain or TLS: bytes go out, replies come in. One dialogue at a time.

Made by smtp.py of a socket that smtp_dial.py opened. Knows nothing of mails.

1. The loop watches the socket from its first day to its last. So a server that hangs up or says 421 while the link lies
   idle is noticed at once, and two packets that cross don't wait for each other.
2. `send` comes back when the system has taken the last byte, and raises where it has not: what was not taken whole was
   not sent. smtp.py's verdicts lean on this. (asyncio's transports only say that they will.)
3. Only replies that were asked for are handed out. A server that says more is out of step with us, and whatever it said
   next would be taken for the answer to something else: the link is closed. 421 is the one word it may say unasked.
4. Every fault closes the link, a time-out too. Nothing is ever read from a link whose dialogue was cut.

WHY NOT asyncio's streams: they refuse a socket that speaks TLS already, and cost three times as much for each reply.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from math import inf

from lib.handlers.smtp_dial import Deadline
from lib.handlers.smtp_replies import EndlessReply, ReplyReader
from lib.handlers.smtp_verdicts import Reply, SMTPServerBusy, say

READ_BYTES = 16 << 10

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """sock: connected, EHLO said; it belongs to the Wire from here on. unread: what came in behind the last reply."""

    def __init__(self, sock: socket.socket, unread: bytes = b"") -> None:
        sock.setblocking(False)
        self._sock = sock
        self._descriptor = sock.fileno()
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: list[Reply] = []
        self._asked = 0
        self.fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_sending = False
        self._due_s = inf
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._descriptor, self._on_readable)
        if unread:
            self._take(unread)
        # TLS may have deciphered more than smtplib asked for, and then the socket does not become readable.
        self._on_readable()

    async def send(self, data: bytes, replies: int, deadline: Deadline) -> None:
        """Send all of `data`, which asks for so many replies. Raises OSError, or SMTPServerBusy after a 421."""
        self._asked += replies
        rest = self._push(memoryview(data))
        self._is_sending = bool(rest)
        while rest:
            await self._news(deadline)
            rest = self._push(rest)
            self._is_sending = bool(rest)

    async def replies(self, count: int, deadline: Deadline) -> list[Reply]:
        """The next `count` replies, each whole within the reply's limit; fewer where `fault` says why no more came.

        Raises as `send` does where not even the first came.
        """
        while len(self._replies) < count:
            if self.fault is not None:
                if self._replies:
                    break
                raise self.fault
            await self._news(deadline)
        taken = self._replies[:count]
        del self._replies[:count]
        return taken

    def close(self, last_words: bytes = b"") -> None:
        """Hang up; last_words are said if the system takes them at once."""
        if self.fault is None and last_words:
            with suppress(OSError):
                self._sock.send(last_words)
        self._break(ConnectionAbortedError("the link is closed"))

    def _push(self, data: memoryview) -> memoryview:
        """Hand the system what it takes; gives what it did not."""
        if self.fault is not None:
            raise self.fault
        try:
            while data:
                data = data[self._sock.send(data) :]
        except ssl.SSLWantReadError:
            pass  # TLS itself has something to read first; that wakes us as well
        except _NOT_NOW:
            self._loop.add_writer(self._descriptor, self._on_writable)
        except OSError as fault:
            self._break(fault)
            raise
        return data

    async def _news(self, deadline: Deadline) -> None:
        """Until a reply, a fault, or a chance to send; until the time is over, which is a fault."""
        try:
            self._due_s = self._loop.time() + deadline.left_s(deadline.limits.reply_s)
        except TimeoutError as fault:
            return self._break(fault)
        if self._timer is None or self._timer.when() > self._due_s:
            self._set_timer()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._due_s = inf
        return None

    # What the loop calls.

    def _on_readable(self) -> None:
        known = len(self._replies)
        try:
            # TLS deciphers a whole record, so what is left of it makes no socket readable: until it would block.
            while self.fault is None:
                data = self._sock.recv(READ_BYTES)
                if data:
                    self._take(data)
                else:
                    self._break(ConnectionResetError("the server closed the connection"))
                if not self._is_tls:
                    break
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._descriptor, self._on_writable)
        except _NOT_NOW:
            pass
        except OSError as fault:
            self._break(fault)
        if len(self._replies) > known or self._is_sending:
            self._wake()

    def _on_writable(self) -> None:
        self._loop.remove_writer(self._descriptor)
        if self._is_tls:
            self._on_readable()  # it may be this that TLS had to write for
        self._wake()

    def _take(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except EndlessReply as fault:
            return self._break(fault)
        for reply in replies:
            is_asked = self._asked > 0
            if is_asked:
                self._asked -= 1
                self._replies.append(reply)
            if reply[0] == 421:
                # The server closes the connection behind it, whenever it says so (RFC 5321, 3.8).
                return self._break(SMTPServerBusy(say(*reply)))
            if not is_asked:
                return self._break(ConnectionAbortedError(f"the server said what nobody asked for: {say(*reply)}"))
        return None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due_s, self._on_time)

    def _on_time(self) -> None:
        # One timer serves many mails: what it was set for is long past, as a rule.
        self._timer = None
        if self._loop.time() >= self._due_s:
            self._break(TimeoutError("timed out"))
        elif self._due_s < inf:
            self._set_timer()

    def _break(self, fault: Exception) -> None:
        if self.fault is None:
            self.fault = fault
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._sock.close()
            if self._timer is not None:
                self._timer.cancel()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
