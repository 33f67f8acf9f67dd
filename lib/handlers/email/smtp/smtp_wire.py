"""One SMTP server's socket on the loop, plain or TLS: the commands of a dialogue go out, the server's replies come in.

    def dialogue():
        [reply] = yield b"MAIL FROM:<a@x.example>\\r\\n", 1        # bytes to send, and how many replies they ask for
        if reply[0] == 250: ...                                # reply == (250, b"2.1.0 ok")
        return "what became of it"

    await wire.talk(dialogue(), deadline)

The socket was opened by dial.py; session.py has the dialogues. One dialogue at a time. Knows nothing of mails.

1. The loop watches the socket as long as it is open. So the wire notices at once if the server hangs up or says 421
   between two mails, and if both sides send at the same time, neither waits for the other.
2. A dialogue is a generator. It is resumed in the moment in which the last reply that it asked for is read. If the link
   breaks, the fault is thrown into the dialogue.
3. `is_sent` turns true when the system has taken the last byte of a command or mail; if it has not taken all of a mail,
   the mail was not sent. The verdicts of session.py lean on that. (asyncio's transports do not say what the system has
   taken.)
4. The wire hands out only replies that were asked for. A server that says more is out of step with us, and its next
   reply would be taken for the answer to another command, so the link is closed. Only 421 may come unasked.
5. Every fault closes the link, a time-out too. Nothing is ever read from a link whose dialogue was cut off.

WHY NOT coroutines: each step would cost one more future and one more turn of the loop. WHY NOT asyncio's streams: they
refuse a socket that speaks TLS already, and cost three times as much for each reply.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

from lib import tls
from lib.handlers.email.smtp.dial import Deadline
from lib.handlers.email.smtp.replies import EndlessReply, ReplyReader
from lib.handlers.email.smtp.reply_timer import ReplyTimer
from lib.handlers.email.smtp.verdicts import Reply, later_verdict, reply_text

READ_BYTES = 16 << 10

T = TypeVar("T")
Dialogue = Generator[tuple[bytes, int], list[Reply], T]
"""Yields bytes to send and the number of replies they ask for. So many replies are sent back into it, or fewer if the
link broke behind them."""

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SmtpWire:
    """sock: connected, EHLO done; the wire closes it. unread: bytes that came in behind the last reply."""

    def __init__(self, sock: socket.socket, unread: bytes = b"") -> None:
        sock.setblocking(False)
        self._sock = sock
        self._fd = sock.fileno()
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._reply_timer = ReplyTimer(self._loop, self._on_late)
        self.fault: Exception | None = None
        """Why the link is closed; None while it is open."""
        self._dialogue: Dialogue[Any] | None = None
        self._outcome: asyncio.Future[Any] = self._loop.create_future()
        self._unsent: bytes | memoryview = b""
        """Of the dialogue's last words, what the system has not taken yet."""
        self._wanted = 0
        """So many replies the dialogue's last words ask for."""
        self._asked = 0
        """So many replies are still to come."""
        self._replies: list[Reply] = []
        self._loop.add_reader(self._fd, self._on_readable)
        if unread:
            self._read(unread)
        # TLS may have deciphered more than smtplib asked for, and then the socket does not become readable.
        self._on_readable()

    @property
    def is_sent(self) -> bool:
        """Whether the system has taken every byte of the dialogue's last words."""
        return not self._unsent

    def talk(self, dialogue: Dialogue[T], deadline: Deadline) -> "asyncio.Future[T]":
        """Lead the dialogue; what it returns or raises is the future's result. Each step has the reply's limit of time.

        If the link breaks, an OSError is thrown into the dialogue, or SMTPServerBusy after a 421.
        """
        self._dialogue, self._reply_timer.deadline = dialogue, deadline
        self._outcome = outcome = self._loop.create_future()
        self._step(dialogue.send, None)
        self._go_on()
        return outcome

    def resume(self, deadline: Deadline) -> "asyncio.Future[Any]":
        """Go on with the dialogue after a task that awaited its outcome was cancelled."""
        if self._outcome.cancelled():
            self._reply_timer.deadline = deadline
            self._outcome = self._loop.create_future()
            self._await_reply()
            self._go_on()
        return self._outcome

    def close(self, last_words: bytes = b"") -> None:
        """Hang up. last_words are sent if the system takes them at once."""
        if self.fault is None and last_words:
            with suppress(OSError):
                self._sock.send(last_words)
        self._break(ConnectionAbortedError("the link is closed"))

    def _go_on(self) -> None:
        """Lead the dialogue as far as it gets. A dialogue whose outcome nobody awaits gets no further."""
        while self._dialogue is not None and not self._outcome.done():
            if self.fault is not None and (self._unsent or not self._replies):
                self._step(self._dialogue.throw, self.fault)
            elif self._unsent:
                self._send()
                self._await_reply()
                if self._unsent and self.fault is None:
                    break
            elif len(self._replies) < self._wanted and self.fault is None:
                break
            else:
                replies = self._replies[: self._wanted]
                del self._replies[: self._wanted]
                self._step(self._dialogue.send, replies)

    def _step(self, step: Callable[[Any], tuple[bytes, int]], given: Any) -> None:
        """Resume the dialogue by `step`, its `send` or `throw`: it has new words to send, or it is over."""
        try:
            self._unsent, self._wanted = step(given)
        except StopIteration as end:
            self._dialogue = None
            self._reply_timer.stop()
            self._outcome.set_result(end.value)
        except Exception as fault:  # noqa: BLE001  Whoever awaits the dialogue gets what it raised.
            self._dialogue = None
            self._reply_timer.stop()
            self._outcome.set_exception(fault)
        else:
            self._asked += self._wanted

    def _send(self) -> None:
        """Hand the system as much as it takes."""
        try:
            while self._unsent:
                sent = self._sock.send(self._unsent)
                self._unsent = memoryview(self._unsent)[sent:] if sent < len(self._unsent) else b""
        except ssl.SSLWantReadError:
            pass  # TLS itself has to read something first, and the loop wakes us when it can.
        except _NOT_NOW:
            self._loop.add_writer(self._fd, self._on_writable)
        except OSError as fault:
            self._break(fault)

    def _await_reply(self) -> None:
        """From now on the reply's limit counts, or what is left of the mail's time."""
        try:
            self._reply_timer.start()
        except TimeoutError as fault:
            self._break(fault)

    # What the loop calls.

    def _on_readable(self) -> None:
        try:
            # TLS deciphers a whole record at a time, and the rest of a record does not make the socket readable: so TLS
            # is read until it would block.
            while self.fault is None:
                data = self._sock.recv(READ_BYTES)
                if data:
                    self._read(data)
                else:
                    self._break(ConnectionResetError("the server closed the connection"))
                if not self._is_tls:
                    break
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._fd, self._on_writable)
        except _NOT_NOW:
            pass
        except OSError as fault:
            self._break(fault)
        self._go_on()

    def _on_writable(self) -> None:
        self._loop.remove_writer(self._fd)
        if self._is_tls:
            self._on_readable()  # TLS may have had to write before it could read.
        self._go_on()

    def _on_late(self) -> None:
        self._break(TimeoutError("timed out"))
        self._go_on()

    # The replies, and the end of the link.

    def _read(self, data: bytes) -> None:
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
                # The server closes the connection behind a 421, whenever it sends one (RFC 5321, 3.8).
                return self._break(later_verdict("", reply))
            if not is_asked:
                words = reply_text(*reply)
                return self._break(ConnectionAbortedError(f"the server sent a reply that nobody asked for: {words}"))
        return None

    def _break(self, fault: Exception) -> None:
        """Close the link, for this reason. A second fault changes nothing."""
        if self.fault is None:
            self.fault = fault
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._sock.close()
            if self._is_tls:
                tls.forget_errors()
            self._reply_timer.close()
