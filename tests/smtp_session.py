"""One client's dialogue with the SMTP server of the tests: commands in, replies out, good ones or those of a rule.

Made by smtp_program.py for each connection; smtp_state.py says when a session misbehaves, and keeps the mails.
"""

import asyncio
import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from tests.smtp_state import ServerState
from tests.smtp_writer import ReplyWriter

_CHALLENGE = "<1896.697170952@tests.example>"
_ACKNOWLEDGED = {"XOAUTH2": "", "OAUTHBEARER": "AQ=="}
"""Methods to log in with a token (--password), and the line with which the client acknowledges that it is refused."""
_ADDRESS = re.compile(r'(?:FROM|TO):\s*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(.*)', re.IGNORECASE)


@dataclass
class Envelope:
    """The mail that has begun: what MAIL and RCPT named. sender: None before MAIL."""

    sender: str | None = None
    parameters: str = ""
    recipients: list[str] = field(default_factory=list)


class Session(asyncio.Protocol):
    """One connection's dialogue (RFC 5321, with PIPELINING, SIZE, STARTTLS and AUTH). is_secure: TLS is spoken."""

    def __init__(self, server: ServerState, is_secure: bool) -> None:
        self._server = server
        self._is_secure = is_secure
        self._buffer = b""
        self._is_deaf = False
        self._late: str | None = None
        self._reader: Callable[[], bool] = self._read_line
        self._on_line: Callable[[str], None] = self._command
        self._task: asyncio.Task[None] | None = None
        self._user: str | None = None
        self._helo = ""
        self._envelope = Envelope()

    @property
    def is_idle(self) -> bool:
        return self._envelope.sender is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._replies = ReplyWriter(transport, byte_by_byte=self._server.options.byte_by_byte)
        self._port = transport.get_extra_info("sockname")[1]
        self._server.connections += 1
        self._number = self._server.connections
        self._server.sessions.add(self)
        self._answer("connect", "220 tests.example ESMTP")
        self._replies.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and not self._is_deaf and self._reader():
            pass
        self._replies.flush()

    def answer_late(self) -> None:
        if self._late is not None:
            self._replies.say(self._late)
            self._late = None
            self._is_deaf = False
            self.data_received(b"")

    def goodbye(self, last_words: str) -> None:
        if last_words:
            self._replies.say(last_words)
        self._replies.flush()
        self._hang_up()

    # Reading.

    def _read_line(self) -> bool:
        line, end, rest = self._buffer.partition(b"\n")
        if end:
            self._buffer = rest
            self._on_line(line.decode("utf-8", "replace").rstrip("\r"))
        return bool(end)

    def _read_mail(self) -> bool:
        # With the CRLF of the DATA command before it, a mail of nothing but the dot has an end too.
        end = (b"\r\n" + self._buffer).find(b"\r\n.\r\n")
        if end < 0:
            self._interrupt(self._server.planned("content"))
            return False
        content, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
        self._reader = self._read_line
        if self._server.is_grey(content):
            self._replies.say(f"451 4.7.1 Greylisted, try again in {self._server.options.greylist_s:g} seconds")
        else:
            self._answer("sent", "250 2.0.0 kept", self._envelope.recipients, on_good=lambda: self._keep(content))
        self._forget()
        return True

    def _interrupt(self, act: str | None) -> None:
        self._is_deaf = act is not None
        if act == "drop":
            self._transport.abort()
        elif act == "hang":
            self._server.withheld += 1
            self._transport.pause_reading()

    # The dialogue.

    def _command(self, line: str) -> None:
        verb, _, argument = line.partition(" ")
        handler = self._VERBS.get(verb.upper())
        if handler is None:
            self._replies.say("500 5.5.1 what?")
        else:
            handler(self, argument)

    def _ehlo(self, argument: str) -> None:
        self._helo = argument
        self._forget()
        options = self._server.options
        if options.most_sessions is not None and len(self._server.sessions) > options.most_sessions:
            self._replies.say(
                "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending"
            )
            return
        offers = ["tests.example", "SIZE 50000000"]
        offers += [] if options.no_pipelining else ["PIPELINING"]
        offers += ["8BITMIME", "SMTPUTF8"] if options.smtputf8 else []
        offers += ["STARTTLS"] if options.tls == "starttls" and not self._is_secure else []
        offers += [f"AUTH {options.auth}"] if options.user else []
        last = len(offers) - 1
        self._answer("ehlo", "\r\n".join(f"250{' ' if n == last else '-'}{offer}" for n, offer in enumerate(offers)))

    def _helo_only(self, argument: str) -> None:
        self._helo = argument
        self._replies.say("250 tests.example")

    def _start_tls(self, argument: str) -> None:
        # Deaf until TLS stands: bytes sent along in the clear must not be taken for a command.
        self._answer("starttls", "220 go ahead", on_good=self._upgrade)

    def _upgrade(self) -> None:
        self._transport.pause_reading()
        self._is_deaf, self._buffer = True, b""
        self._task = asyncio.get_running_loop().create_task(self._handshake())

    async def _handshake(self) -> None:
        context = self._server.ssl_context()
        assert context is not None
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self._transport, self, context, server_side=True)
        except OSError:
            return  # A client that does not trust our certificate hangs up.
        if transport is not None:
            self._transport = self._replies.transport = transport
            self._is_secure, self._is_deaf = True, False
            self.data_received(b"")  # An EHLO may have come along with the end of the handshake.

    def _auth(self, argument: str) -> None:
        method, _, first = argument.partition(" ")
        if method.upper() == "PLAIN" and first:
            _, user, password = _decoded(first).split("\0")
            self._log_in(user, password)
        elif method.upper() == "PLAIN":
            self._ask("", lambda line: self._log_in(*_decoded(line).split("\0")[1:]))
        elif method.upper() == "LOGIN" and first:
            self._ask("Password:", lambda line: self._log_in(_decoded(first), _decoded(line)))
        elif method.upper() == "LOGIN":
            self._ask("Username:", lambda user: self._auth(f"LOGIN {user}"))
        elif method.upper() == "CRAM-MD5":
            self._ask(_CHALLENGE, self._log_in_by_digest)
        elif method.upper() in _ACKNOWLEDGED:
            self._log_in_by_token(method.upper(), _decoded(first))
        else:
            self._replies.say("504 5.5.4 no such method")

    def _ask(self, prompt: str, then: Callable[[str], None]) -> None:
        self._replies.say(f"334 {base64.b64encode(prompt.encode()).decode()}")
        self._on_line = then

    def _log_in_by_digest(self, line: str) -> None:
        user, _, digest = _decoded(line).rpartition(" ")
        password = self._server.options.password
        is_right = digest == hmac.new(password.encode(), _CHALLENGE.encode(), "md5").hexdigest()
        self._log_in(user, password if is_right else "")

    def _log_in_by_token(self, method: str, said: str) -> None:
        user, token = self._server.options.user, self._server.options.password
        name = user.replace("=", "=3D").replace(",", "=2C")
        wanted = {
            "XOAUTH2": [f"user={user}", f"auth=Bearer {token}", "", ""],
            "OAUTHBEARER": [f"n,a={name},", "host=127.0.0.1", f"port={self._port}", f"auth=Bearer {token}", "", ""],
        }
        self._server.logins += 1
        if said.split("\1") == wanted[method]:
            self._log_in(user, token)
        else:
            self._ask('{"status":"401","schemes":"bearer"}', lambda line: self._give_up(line == _ACKNOWLEDGED[method]))

    def _give_up(self, is_acknowledged: bool) -> None:
        self._on_line = self._command
        self._answer("auth", "535 5.7.8 no such token" if is_acknowledged else "501 5.5.2 that is no acknowledgement")

    def _log_in(self, user: str, password: str) -> None:
        self._on_line = self._command
        is_right = (user, password) == (self._server.options.user, self._server.options.password)
        self._answer("auth", "235 2.7.0 welcome" if is_right else "535 5.7.8 wrong user or password")
        self._user = user if is_right else None

    def _mail(self, argument: str) -> None:
        match = _ADDRESS.fullmatch(argument)
        if match is None:
            self._replies.say("501 5.5.4 no sender")
        elif self._server.is_too_fast():
            self._replies.say("454 Throttling failure: Maximum sending rate exceeded.")
        elif self._server.options.user and self._user is None:
            self._replies.say("530 5.7.0 log in first")
        else:
            self._answer("mail", "250 2.1.0 ok", on_good=lambda: self._take_sender(match[1], match[2]))

    def _take_sender(self, sender: str, parameters: str) -> None:
        self._envelope.sender, self._envelope.parameters = sender, parameters.strip()

    def _rcpt(self, argument: str) -> None:
        match = _ADDRESS.fullmatch(argument)
        if self._envelope.sender is None or match is None:
            self._replies.say("503 5.5.1 MAIL first, then RCPT TO:<…>")
        elif len(self._envelope.recipients) == self._server.options.most_recipients:
            self._replies.say(self._server.options.too_many)
        else:
            self._answer("rcpt", "250 2.1.5 ok", [match[1]], on_good=lambda: self._envelope.recipients.append(match[1]))

    def _data(self, argument: str) -> None:
        if not self._envelope.recipients and (reply := self._server.planned("nobody")):
            self._replies.say(reply)
            self._await_mail()
        elif not self._envelope.recipients:
            self._replies.say("503 5.5.1 RCPT first")
        else:
            self._answer("data", "354 go ahead", self._envelope.recipients, on_good=self._await_mail)

    def _await_mail(self) -> None:
        self._reader = self._read_mail

    def _rset(self, argument: str) -> None:
        self._forget()
        self._answer("rset", "250 2.0.0 ok")

    def _noop(self, argument: str) -> None:
        self._replies.say("250 2.0.0 ok")

    def _quit(self, argument: str) -> None:
        self.goodbye("221 2.0.0 bye")

    _VERBS: ClassVar[dict[str, Callable[["Session", str], None]]] = {
        "EHLO": _ehlo,
        "HELO": _helo_only,
        "STARTTLS": _start_tls,
        "AUTH": _auth,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "RSET": _rset,
        "NOOP": _noop,
        "QUIT": _quit,
    }

    # Answering.

    def _answer(
        self, phase: str, good: str, recipients: list[str] | None = None, *, on_good: Callable[[], None] | None = None
    ) -> None:
        """Say `good` and do `on_good`, unless a rule or a recipient asks for something else."""
        act = self._server.planned(phase) or (self._server.marked(phase, recipients) if recipients else None)
        if on_good and (act in (None, "lost") or act.removeprefix("late ")[0] in "23"):
            on_good()
        if act is None:
            self._replies.say(good)
        elif act == "hang" or act.startswith("late "):
            self._is_deaf = True
            self._late = act[5:] or None
            self._server.withheld += 1
        elif act == "endless":
            self._is_deaf = True
            self._replies.say_without_end()
        elif act in ("drop", "lost"):
            self._replies.flush()
            self._hang_up()
        else:
            self._replies.say(act)
            if act.startswith("421"):
                self.goodbye("")

    def _hang_up(self) -> None:
        self._is_deaf = True
        self._transport.close()

    # The mail at hand.

    def _forget(self) -> None:
        self._envelope = Envelope()

    def _keep(self, content: bytes) -> None:
        if self._server.options.no_keep:
            self._server.mails += 1
            return
        content = re.sub(rb"(?m)^\.", b"", content)
        self._server.keep(
            {
                "connection": self._number,
                "helo": self._helo,
                "is_secure": self._is_secure,
                "user": self._user,
                "sender": self._envelope.sender,
                "parameters": self._envelope.parameters,
                "recipients": self._envelope.recipients,
                "content": content.decode("latin-1"),
            }
        )


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace")
