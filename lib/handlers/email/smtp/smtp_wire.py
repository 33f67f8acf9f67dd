"""One SMTP server's socket on the loop, plain or TLS: a dialogue's words go out, replies come in. One at a time.

Made by session.py of a socket that dial.py opened. Knows nothing of mails.

1. The loop watches the socket from its first day to its last. So a server that hangs up or says 421 while the link lies
   idle is noticed at once, and two packets that cross don't wait for each other.
2. A dialogue is a generator: it yields words and how many replies these ask for, and is given the replies. It goes on
   right where the last of them is read. Where the link breaks, it is thrown why.
3. `is_sent` once the system has taken the last byte: what was not taken whole was not sent. session.py's verdicts lean
on
   this. (asyncio's transports only say that they will.)
4. Only replies that were asked for are handed out. A server that says more is out of step with us, and whatever it said
   next would be taken for the answer to something else: the link is closed. 421 is the one word it may say unasked.
5. Every fault closes the link, a time-out too. Nothing is ever read from a link whose dialogue was cut.

WHY NOT coroutines: each step would be a future more, and a turn of the loop. WHY NOT asyncio's streams: they refuse a
socket that speaks TLS already, and cost three times as much for each reply.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import suppress
from math import inf
from typing import Any, TypeVar

from lib import tls
from lib.handlers.email.smtp.dial import Deadline
from lib.handlers.email.smtp.replies import EndlessReply, ReplyReader
from lib.handlers.email.smtp.verdicts import Reply, not_now, say

READ_BYTES = 16 << 10

T = TypeVar("T")
Dialogue = Generator[tuple[bytes, int], list[Reply], T]
"""Each time: words, and how many replies they ask for; so many come back, or fewer where the link broke behind them."""

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SmtpWire:
    """sock: connected, EHLO said; it belongs to the SmtpWire from here on. unread: what came in behind the last
    reply."""

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
        self._dialogue: Dialogue[Any] | None = None
        self._outcome: asyncio.Future[Any] = self._loop.create_future()
        self._rest: bytes | memoryview = b""
        self._wanted = 0
        self._deadline: Deadline | None = None
        self._due_s = inf
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._descriptor, self._on_readable)
        if unread:
            self._take(unread)
        # TLS may have deciphered more than smtplib asked for, and then the socket does not become readable.
        self._on_readable()

    @property
    def is_sent(self) -> bool:
        """Whether the system has taken all that the dialogue said."""
        return not self._rest

    def talk(self, dialogue: Dialogue[T], deadline: Deadline) -> "asyncio.Future[T]":
        """What the dialogue gives or raises in the end. Each of its steps is to be done within the reply's limit.

        What it is thrown where the link breaks is an OSError, or SMTPServerBusy after a 421.
        """
        self._dialogue, self._deadline = dialogue, deadline
        self._outcome = outcome = self._loop.create_future()
        self._step(dialogue.send, None)
        self._go_on()
        return outcome

    def resume(self, deadline: Deadline) -> "asyncio.Future[Any]":
        """The outcome of the dialogue that goes on, for one who was cancelled while it awaited it."""
        if self._outcome.cancelled():
            self._deadline = deadline
            self._outcome = self._loop.create_future()
            self._set_due()
            self._go_on()
        return self._outcome

    def close(self, last_words: bytes = b"") -> None:
        """Hang up; last_words are said if the system takes them at once."""
        if self.fault is None and last_words:
            with suppress(OSError):
                self._sock.send(last_words)
        self._break(ConnectionAbortedError("the link is closed"))

    def _go_on(self) -> None:
        """Take the dialogue as far as it gets. One whose outcome nobody awaits gets no further."""
        while self._dialogue is not None and not self._outcome.done():
            if self.fault is not None and (self._rest or not self._replies):
                self._step(self._dialogue.throw, self.fault)
            elif self._rest:
                self._push()
                self._set_due()
                if self._rest and self.fault is None:
                    break
            elif len(self._replies) < self._wanted and self.fault is None:
                break
            else:
                replies = self._replies[: self._wanted]
                del self._replies[: self._wanted]
                self._step(self._dialogue.send, replies)

    def _step(self, step: Callable[[Any], tuple[bytes, int]], given: Any) -> None:
        """What the dialogue says next goes out; where it is over, that is the outcome."""
        try:
            self._rest, self._wanted = step(given)
        except StopIteration as end:
            self._dialogue, self._due_s = None, inf
            self._outcome.set_result(end.value)
        except Exception as fault:  # noqa: BLE001  Whoever awaits the dialogue gets what it raised.
            self._dialogue, self._due_s = None, inf
            self._outcome.set_exception(fault)
        else:
            self._asked += self._wanted

    def _push(self) -> None:
        """Hand the system what it takes."""
        try:
            while self._rest:
                sent = self._sock.send(self._rest)
                self._rest = memoryview(self._rest)[sent:] if sent < len(self._rest) else b""
        except ssl.SSLWantReadError:
            pass  # TLS itself has something to read first; that wakes us as well
        except _NOT_NOW:
            self._loop.add_writer(self._descriptor, self._on_writable)
        except OSError as fault:
            self._break(fault)

    def _set_due(self) -> None:
        """From now on the reply's limit counts, or what is left of the mail's time."""
        assert self._deadline is not None
        try:
            self._due_s = self._loop.time() + self._deadline.left_s(self._deadline.limits.reply_s)
        except TimeoutError as fault:
            return self._break(fault)
        if self._timer is None or self._timer.when() > self._due_s:
            self._set_timer()
        return None

    # What the loop calls.

    def _on_readable(self) -> None:
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
        self._go_on()

    def _on_writable(self) -> None:
        self._loop.remove_writer(self._descriptor)
        if self._is_tls:
            self._on_readable()  # it may be this that TLS had to write for
        self._go_on()

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
                return self._break(not_now("", reply))
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
            self._go_on()
        elif self._due_s < inf:
            self._set_timer()

    def _break(self, fault: Exception) -> None:
        if self.fault is None:
            self.fault = fault
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._sock.close()
            if self._is_tls:
                tls.forget_errors()
            if self._timer is not None:
                self._timer.cancel()
