"""A real SMTP server for tests and measurements: it keeps what it is sent, and misbehaves as it is told to.

    python tests/smtp_server.py --folder DIR [--port 0] [--tls starttls|implicit --cert FILE --key FILE]
                                [--user NAME --password WORD] [--auth "PLAIN LOGIN"] [--no-keep] [--control]
                                [--no-pipelining] [--smtputf8] [--byte-by-byte] [--most-recipients N] [--too-many REPLY]
                                [--greylist-s S] [--most-sessions N] [--most-per-s N]

It prints {"port": N} and then stores each mail as a line of DIR/mails.jsonl, written before the mail is answered.
Tests start it with `SmtpServer`, below. Two ways to make it misbehave:

1. By the recipient: `<phase>-<act>@…` or `<phase>-<act>-once@…` (once: the first time that this address is seen in
   that phase). Phases: rcpt, data (the command), sent (after the last dot). Acts: a code from 400 to 599, `drop`
   (hang up), `hang` (never answer), `lost` (keep the mail, then hang up), `endless` (one reply for ever).
   So `rcpt-450-once@x.example` is put off once, and `sent-lost@x.example` leaves the sender in doubt.
2. By a rule, for every phase (connect ehlo starttls auth mail rcpt data sent rset): `plan("connect", "421 busy")`.
   A further act is `late 250 ok`: that reply, when `answer()` is called. And two phases more: content, amid the mail
   (`drop`; `hang`: read no further), and nobody (`354 go on` to a DATA behind which there is no recipient).

Three ways in which servers of the field hold mails off: --greylist-s puts each mail's first try off for so long (by its
Message-ID, behind the content, so that each is one of its own), --most-sessions answers EHLO in one more session with
432 as Office 365 does, --most-per-s answers MAIL with 454 as SES does.

With --control it takes JSON lines on stdin, answers each with one, and ends when stdin does: no test leaves it behind.
"""

import argparse
import asyncio
import base64
import hmac
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar
from urllib.parse import quote

_MARK = re.compile(r"(rcpt|data|sent)-([45][0-9]{2}|drop|hang|lost|endless)(-once)?@")
_CHALLENGE = "<1896.697170952@tests.example>"
_ACKNOWLEDGED = {"XOAUTH2": "", "OAUTHBEARER": "AQ=="}
"""Ways to log in with a token (--password), and what the client says to the reason why it is refused."""
_ADDRESS = re.compile(r'(?:FROM|TO):\s*<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(.*)', re.IGNORECASE)


@dataclass
class Rule:
    """In `phase`, do `act` (a reply's text, or one of the docstring's words), `times` times or for ever."""

    phase: str
    act: str
    times: int | None = 1


class Server:
    """What all sessions share: the settings, the rules, the file of mails."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rules: list[Rule] = []
        self.seen: set[str] = set()
        self.sessions: set[Session] = set()
        self.connections = 0
        self.mails = 0
        self.withheld = 0
        self.logins = 0
        self.greylisted: dict[bytes, float] = {}
        self.second, self.in_second = 0, 0
        self._file = None if options.no_keep else (Path(options.folder) / "mails.jsonl").open("ab", buffering=0)

    def ssl_context(self) -> ssl.SSLContext | None:
        if not self.options.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.options.cert, self.options.key)
        return context

    def planned(self, phase: str) -> str | None:
        """The act that the rules have for this phase now."""
        for rule in self.rules:
            if rule.phase == phase and rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                return rule.act
        return None

    def marked(self, phase: str, recipients: list[str]) -> str | None:
        """The act that the first marked recipient asks for in this phase."""
        for address in recipients:
            match = _MARK.match(address)
            if match and match[1] == phase and not (match[3] and address in self.seen):
                self.seen.add(address)
                return f"{match[2]} as {address} asks" if match[2].isdigit() else match[2]
        return None

    def is_grey(self, content: bytes) -> bool:
        """Whether this mail came for the first time less than --greylist-s ago."""
        if self.options.greylist_s is None:
            return False
        found = re.search(rb"(?mi)^Message-ID: (.*?)\r?$", content)
        first_s = self.greylisted.setdefault(found[1] if found else content, time.monotonic())
        return bool(time.monotonic() - first_s < self.options.greylist_s)

    def is_too_fast(self) -> bool:
        """Whether this second has had its mails."""
        if self.options.most_per_s is None:
            return False
        if self.second != int(time.monotonic()):
            self.second, self.in_second = int(time.monotonic()), 0
        self.in_second += 1
        return bool(self.in_second > self.options.most_per_s)

    def keep(self, mail: dict[str, Any]) -> None:
        self.mails += 1
        if self._file:
            self._file.write(json.dumps(mail).encode() + b"\n")

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """One line of --control."""
        if "plan" in order:
            self.rules.append(Rule(**order["plan"]))
        if "password" in order:
            self.options.password = order["password"]
        if "drop_idle" in order:
            for session in [session for session in self.sessions if session.is_idle]:
                session.goodbye(order["drop_idle"])
        if "answer" in order:
            for session in self.sessions:
                session.answer_late()
        counts = {"connections": self.connections, "open": len(self.sessions), "mails": self.mails}
        return {**counts, "withheld": self.withheld, "logins": self.logins}


class Session(asyncio.Protocol):
    """One connection's dialogue (RFC 5321, with PIPELINING, SIZE, STARTTLS and AUTH)."""

    def __init__(self, server: Server, is_secure: bool) -> None:
        self._server = server
        self._is_secure = is_secure
        self._buffer = b""
        self._out: list[bytes] = []
        self._dripping = b""
        self._is_deaf = False
        self._late: str | None = None
        self._reader: Callable[[], bool] = self._read_line
        self._on_line: Callable[[str], None] = self._command
        self._task: asyncio.Task[None] | None = None
        self._user: str | None = None
        self._helo = ""
        self._sender: str | None = None
        self._forget()

    @property
    def is_idle(self) -> bool:
        return self._sender is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._port = transport.get_extra_info("sockname")[1]
        self._server.connections += 1
        self._number = self._server.connections
        self._server.sessions.add(self)
        self._answer("connect", "220 tests.example ESMTP")
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and not self._is_deaf and self._reader():
            pass
        self._flush()

    def answer_late(self) -> None:
        if self._late is not None:
            self._say(self._late)
            self._late = None
            self._is_deaf = False
            self.data_received(b"")

    def goodbye(self, last_words: str) -> None:
        if last_words:
            self._say(last_words)
        self._flush()
        self._hang_up()

    # Reading.

    def _read_line(self) -> bool:
        line, end, rest = self._buffer.partition(b"\n")
        if end:
            self._buffer = rest
            self._on_line(line.decode("utf-8", "replace").rstrip("\r"))
        return bool(end)

    def _read_mail(self) -> bool:
        # The CRLF of the DATA command stands before, so a mail of nothing but the dot ends as well.
        end = (b"\r\n" + self._buffer).find(b"\r\n.\r\n")
        if end < 0:
            self._interrupt(self._server.planned("content"))
            return False
        self._content, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
        self._reader = self._read_line
        if self._server.is_grey(self._content):
            self._say(f"451 4.7.1 Greylisted, try again in {self._server.options.greylist_s:g} seconds")
        else:
            self._answer("sent", "250 2.0.0 kept", self._recipients, on_good=self._keep)
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
            self._say("500 5.5.1 what?")
        else:
            handler(self, argument)

    def _ehlo(self, argument: str) -> None:
        self._helo = argument
        self._forget()
        options = self._server.options
        if options.most_sessions is not None and len(self._server.sessions) > options.most_sessions:
            self._say("432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending")
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
        self._say("250 tests.example")

    def _start_tls(self, argument: str) -> None:
        # Deaf until TLS stands: what was sent along in the clear must not be taken for a command.
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
            return  # the client does not trust us, and says so by hanging up
        if transport is not None:
            self._transport, self._is_secure, self._is_deaf = transport, True, False
            self.data_received(b"")  # an EHLO may have come along with the end of the handshake

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
            self._say("504 5.5.4 no such method")

    def _ask(self, prompt: str, then: Callable[[str], None]) -> None:
        self._say(f"334 {base64.b64encode(prompt.encode()).decode()}")
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
            self._say("501 5.5.4 no sender")
        elif self._server.is_too_fast():
            self._say("454 Throttling failure: Maximum sending rate exceeded.")
        elif self._server.options.user and self._user is None:
            self._say("530 5.7.0 log in first")
        else:
            self._answer("mail", "250 2.1.0 ok", on_good=lambda: self._take_sender(match[1], match[2]))

    def _take_sender(self, sender: str, parameters: str) -> None:
        self._sender, self._parameters = sender, parameters.strip()

    def _rcpt(self, argument: str) -> None:
        match = _ADDRESS.fullmatch(argument)
        if self._sender is None or match is None:
            self._say("503 5.5.1 MAIL first, then RCPT TO:<…>")
        elif len(self._recipients) == self._server.options.most_recipients:
            self._say(self._server.options.too_many)
        else:
            self._answer("rcpt", "250 2.1.5 ok", [match[1]], on_good=lambda: self._recipients.append(match[1]))

    def _data(self, argument: str) -> None:
        if not self._recipients and (reply := self._server.planned("nobody")):
            self._say(reply)
            self._await_mail()
        elif not self._recipients:
            self._say("503 5.5.1 RCPT first")
        else:
            self._answer("data", "354 go ahead", self._recipients, on_good=self._await_mail)

    def _await_mail(self) -> None:
        self._reader = self._read_mail

    def _rset(self, argument: str) -> None:
        self._forget()
        self._answer("rset", "250 2.0.0 ok")

    def _noop(self, argument: str) -> None:
        self._say("250 2.0.0 ok")

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
            self._say(good)
        elif act == "hang" or act.startswith("late "):
            self._is_deaf = True
            self._late = act[5:] or None
            self._server.withheld += 1
        elif act == "endless":
            self._is_deaf = True
            self._go_on()
        elif act in ("drop", "lost"):
            self._flush()
            self._hang_up()
        else:
            self._say(act)
            if act.startswith("421"):
                self.goodbye("")

    def _say(self, reply: str) -> None:
        self._out.append(f"{reply}\r\n".encode())

    def _flush(self) -> None:
        if self._out and self._server.options.byte_by_byte:
            self._drip(b"".join(self._out))
        elif self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _drip(self, data: bytes) -> None:
        # In order behind what drips already; each byte in a turn, and so in a packet, of its own.
        is_dripping = bool(self._dripping)
        self._dripping += data
        if not is_dripping:
            self._next_drop()

    def _next_drop(self) -> None:
        self._transport.write(self._dripping[:1])
        self._dripping = self._dripping[1:]
        if self._dripping:
            asyncio.get_running_loop().call_later(0.0002, self._next_drop)

    def _go_on(self) -> None:
        """One reply without an end, as fast as it is read."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() < 1 << 20:
            self._transport.write(b"250-and more\r\n" * 4000)
        asyncio.get_running_loop().call_later(0.001, self._go_on)

    def _hang_up(self) -> None:
        self._is_deaf = True
        self._transport.close()

    # The mail at hand.

    def _forget(self) -> None:
        self._sender = None
        self._parameters = ""
        self._recipients: list[str] = []
        self._content = b""

    def _keep(self) -> None:
        if self._server.options.no_keep:
            self._server.mails += 1
            return
        content = re.sub(rb"(?m)^\.", b"", self._content)
        self._server.keep(
            {
                "connection": self._number,
                "helo": self._helo,
                "is_secure": self._is_secure,
                "user": self._user,
                "sender": self._sender,
                "parameters": self._parameters,
                "recipients": self._recipients,
                "content": content.decode("latin-1"),
            }
        )


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace")


# The process.


async def serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    server = Server(options)
    is_secure = options.tls == "implicit"
    context = server.ssl_context() if is_secure else None
    listener = await loop.create_server(
        lambda: Session(server, is_secure), "127.0.0.1", options.port, ssl=context, backlog=1000
    )
    for listening in listener.sockets:
        # Handed down to each connection: else a kernel may take in a mail of 12 MB that nobody reads any further.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if options.control:
        threading.Thread(target=_obey, args=(server, loop, ended), daemon=True).start()
    await ended.wait()


def _obey(server: Server, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    def act(line: str) -> None:
        print(json.dumps(server.obey(json.loads(line))), flush=True)

    for line in sys.stdin:
        loop.call_soon_threadsafe(act, line)
    loop.call_soon_threadsafe(ended.set)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An SMTP server for tests.")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["starttls", "implicit"])
    for name in ("--cert", "--key", "--user", "--password"):
        parser.add_argument(name)
    parser.add_argument("--auth", default="PLAIN LOGIN")
    parser.add_argument("--most-recipients", type=int)
    parser.add_argument("--greylist-s", type=float)
    parser.add_argument("--most-sessions", type=int)
    parser.add_argument("--most-per-s", type=int)
    parser.add_argument("--too-many", default="452 4.5.3 Too many recipients")
    for flag in ("--no-keep", "--no-pipelining", "--smtputf8", "--byte-by-byte", "--control"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


# For tests: the process as a context manager.


@dataclass(frozen=True)
class KeptMail:
    """One mail as the server got it; `connection` counts from 1, in the order that they were made."""

    connection: int
    helo: str
    is_secure: bool
    user: str | None
    sender: str
    parameters: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


class SmtpServer:
    """`with SmtpServer() as server:` runs the process; see `server.url()`, `server.mails()`, `server.plan(…)`.

    tls: None, "starttls" or "implicit" (a certificate is made; the test is skipped where openssl is missing).
    options: further flags, as in the module's docstring.
    """

    def __init__(
        self, *options: str, tls: str | None = None, user: str | None = None, password: str = "", port: int = 0
    ) -> None:
        self.tls = tls
        self.user = user
        self.password = password
        self._port = port
        self._options = options

    def __enter__(self) -> "SmtpServer":
        self._folder = tempfile.TemporaryDirectory(prefix="waybill-smtp-")
        try:
            self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"

    def tls_context(self) -> ssl.SSLContext:
        """Trusts this server and no other."""
        return ssl.create_default_context(cafile=self.certificate)

    def url(self, user: str | None = None, password: str | None = None) -> str:
        """SMTP_URL for this server; with its own user and password, where not told otherwise."""
        user, password = user or self.user, self.password if password is None else password
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        scheme, query = (
            ("smtps" if self.tls == "implicit" else "smtp"),
            ("?starttls=1" if self.tls == "starttls" else ""),
        )
        return f"{scheme}://{login}127.0.0.1:{self.port}{query}"

    def mails(self) -> list[KeptMail]:
        """Every mail that was kept, in the order of their ends; one that was answered is here."""
        lines = (self.folder / "mails.jsonl").read_bytes().splitlines()
        mails = [json.loads(line) for line in lines]
        return [KeptMail(**{**mail, "content": mail["content"].encode("latin-1")}) for mail in mails]

    def plan(self, phase: str, act: str, times: int | None = 1) -> None:
        """From now on, `times` times (None: always): see the module's docstring."""
        self._order({"plan": {"phase": phase, "act": act, "times": times}})

    def drop_idle(self, last_words: str = "") -> None:
        """Hang up on every connection with no mail begun; `last_words` is what is said before, as "421 idle"."""
        self._order({"drop_idle": last_words})

    def change_password(self, password: str) -> None:
        """From now on it, or the token, is this."""
        self.password = password
        self._order({"password": password})

    def answer(self) -> None:
        """Send the replies of every `late` act."""
        self._order({"answer": True})

    def counts(self) -> dict[str, int]:
        """`connections` made so far, `open` now, `mails` so far, answers `withheld` so far (`hang`, `late`),
        `logins` tried by a token."""
        return self._order({})

    def _start(self) -> None:
        command = [
            sys.executable,
            "-I",
            __file__,
            "--control",
            "--folder",
            self._folder.name,
            "--port",
            str(self._port),
        ]
        if self.tls:
            key = make_certificate(self.certificate)
            command += ["--tls", self.tls, "--cert", str(self.certificate), "--key", str(key)]
        if self.user:
            command += ["--user", self.user, "--password", self.password]
        command += self._options
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port: int = json.loads(_pipe(self._process.stdout).readline())["port"]

    def _order(self, order: dict[str, Any]) -> dict[str, int]:
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        answer: dict[str, int] = json.loads(stdout.readline())
        return answer


def make_certificate(path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and localhost at `path`; gives the key's path."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise unittest.SkipTest("the openssl binary is not installed, so there is no certificate to test TLS with")
    key = path.with_suffix(".key")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
    subprocess.run([openssl, *words.split(), *names], check=True, capture_output=True)
    return key


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


if __name__ == "__main__":
    asyncio.run(serve(_options()))
