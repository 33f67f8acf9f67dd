"""Open an SMTP session: read the route that SMTP_URL names, connect, say EHLO, start TLS, log in.

    smtp://me:secret@mail.example:587?starttls=1

    (connected)              220 mail.example ESMTP
    EHLO worker.example      250-STARTTLS …
    STARTTLS                 220 go ahead             then TLS, and EHLO once more
    AUTH PLAIN …             235 welcome              login.py

Called by session_pool.py, in a thread: smtplib does the work, once for many mails. `open_session` returns a socket that
is ready for MAIL; every failure is an error of verdicts.py. smtplib by itself would listen to a server without end, so
its reading is bounded here, in bytes, and in time by the mail's Deadline.
"""

import ipaddress
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from lib.handlers.email.smtp.login import by_password, by_token
from lib.handlers.email.smtp.token import TOKEN_S, Token, Tokens
from lib.handlers.email.smtp.verdicts import SMTPLoginRefused, SMTPSessionRefused, check, translated, verdict

CONNECT_S = 10.0
# RFC 5321, 4.5.3.2.6 grants a server ten minutes after the mail: a client that gives up there makes duplicates.
REPLY_S = 45.0
TOTAL_S = 55.0  # Below the job's timeout_s of 60: the verdict on the mail comes before the runner stops the job.
TALK_BYTES = 64 << 10  # greeting, EHLO and login together
READ_BYTES = 4 << 10

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+")


@dataclass(frozen=True, slots=True)
class SmtpRoute:
    """SMTP_URL, read. `tls` is "none", "starttls" or "implicit"."""

    host: str
    port: int
    tls: str
    user: str | None = None
    password: str = field(default="", repr=False)
    tokens: Tokens | None = field(default=None, repr=False)
    """If given, used in place of the password."""


class SmtpDeadlines(NamedTuple):
    """Seconds: to make a connection, to wait for one reply, and for one mail in all."""

    connect_s: float = CONNECT_S
    reply_s: float = REPLY_S
    total_s: float = TOTAL_S


class Deadline:
    """The end of the time that one mail may take in all. clock: seconds, monotonic."""

    def __init__(self, limits: SmtpDeadlines, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._end = clock() + limits.total_s

    def end(self) -> None:
        """The mail's time is over, for nobody waits for it any more. From any thread."""
        self._end = self._clock()

    def left_s(self, limit_s: float) -> float:
        """`limit_s`, or the rest of the mail's time if that is less. Raises TimeoutError if the time is over."""
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError(f"not done within {self.limits.total_s:g} s")
        return min(limit_s, left)


def read_route(url: str) -> SmtpRoute:
    """url: `smtp[s]://user:password@host:port?starttls=1`, checked by lib/settings/config.py. Raises ValueError."""
    parts = urlsplit(url)
    tls = "implicit" if parts.scheme == "smtps" else "starttls" if parts.query == "starttls=1" else "none"
    port = parts.port or {"implicit": 465, "starttls": 587, "none": 25}[tls]
    host = parts.hostname or ""
    user = None if parts.username is None else unquote(parts.username)
    if user is not None and tls == "none" and not is_loopback(host):
        raise ValueError(f"it would send a password to {host} unencrypted; use smtps:// or ?starttls=1")
    return SmtpRoute(host, port, tls, user, unquote(parts.password or ""))


class DialledSession(NamedTuple):
    """A connection that is ready for MAIL.

    offers: the extensions that EHLO named, in small letters. unread: bytes behind the server's last reply.
    """

    sock: socket.socket
    offers: frozenset[str]
    unread: bytes


class _BoundedReplies:
    """smtplib reads replies from it, in place of a file: bounded in bytes and in time."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.unread = b""
        self._sock = sock
        self._deadline = deadline
        self._left_bytes = TALK_BYTES

    def readline(self, limit: int) -> bytes:
        """A line with its line break; without one if the server hung up or the line is longer. Raises OSError."""
        while b"\n" not in self.unread and len(self.unread) < limit:
            # Set anew for each piece: a server that sends one letter a second would else never be late.
            self._sock.settimeout(self._deadline.left_s(self._deadline.limits.connect_s))
            data = self._sock.recv(READ_BYTES)
            self._left_bytes -= len(data)
            if self._left_bytes < 0:
                raise OSError(f"over {TALK_BYTES} bytes before the first mail")
            if not data:
                break
            self.unread += data
        end = min(self.unread.find(b"\n") + 1 or len(self.unread), limit)
        line, self.unread = self.unread[:end], self.unread[end:]
        return line

    def close(self) -> None:
        """smtplib closes its file. The socket stays open: it is not ours."""


class _Plain(smtplib.SMTP):
    """smtplib.SMTP, reading from a _BoundedReplies. The constructor connects and reads the greeting."""

    def __init__(self, deadline: Deadline, *arguments: Any, **options: Any) -> None:
        self._deadline = deadline
        super().__init__(*arguments, **options)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _BoundedReplies(self.sock, self._deadline)
        return super().getreply()

    def session(self) -> DialledSession:
        assert self.sock is not None
        return DialledSession(self.sock, frozenset(self.esmtp_features), self.file.unread if self.file else b"")


class _Encrypted(_Plain, smtplib.SMTP_SSL):
    """As _Plain, over TLS from the first byte."""


def open_session(route: SmtpRoute, tls_context: ssl.SSLContext | None, deadline: Deadline) -> DialledSession:
    """Raises SMTPLinkLost, SMTPServerBusy, SMTPSessionRefused, SMTPLoginRefused or SMTPTokenMissing."""
    with translated(f"{route.host}:{route.port}"):
        # The token first: the server need not wait for it, and is not dialled if there is none.
        token = route.tokens.get(deadline.left_s(TOKEN_S)) if route.tokens else None
        smtp = _dial(route, tls_context, deadline)
        try:
            _begin(smtp, route, tls_context, deadline)
            if route.user is not None:
                _login(smtp, route, route.user, token, deadline)
            return smtp.session()
        except BaseException:
            smtp.close()
            raise


def _dial(route: SmtpRoute, tls_context: ssl.SSLContext | None, deadline: Deadline) -> _Plain:
    # Without a local_hostname smtplib would ask the DNS for one, which may take seconds. _begin puts the right one in.
    options: dict[str, Any] = {"local_hostname": "localhost", "timeout": deadline.left_s(deadline.limits.connect_s)}
    try:
        if route.tls == "implicit":
            return _Encrypted(deadline, route.host, route.port, context=tls_context, **options)
        return _Plain(deadline, route.host, route.port, **options)
    except smtplib.SMTPConnectError as exc:
        raise verdict("the greeting", (exc.smtp_code, exc.smtp_error), SMTPSessionRefused) from exc


def _begin(smtp: smtplib.SMTP, route: SmtpRoute, tls_context: ssl.SSLContext | None, deadline: Deadline) -> None:
    """EHLO, and STARTTLS if SMTP_URL asks for it."""
    smtp.local_hostname = _own_name(smtp.sock)
    _ehlo(smtp, deadline)
    if route.tls == "starttls":
        if not smtp.has_extn("starttls"):
            # Never go on in the clear: an attacker on the way could have taken STARTTLS out of the reply.
            raise SMTPSessionRefused(f"{route.host} does not offer STARTTLS, and SMTP_URL asks for it")
        _set_timeout(smtp, deadline)
        try:
            smtp.starttls(context=tls_context)
        except smtplib.SMTPResponseException as exc:
            raise verdict("STARTTLS", (exc.smtp_code, exc.smtp_error), SMTPSessionRefused) from exc
        _ehlo(smtp, deadline)


def _ehlo(smtp: smtplib.SMTP, deadline: Deadline) -> None:
    _set_timeout(smtp, deadline)
    answer = smtp.ehlo()
    if answer[0] in (500, 502):
        # A server from before 1995 knows HELO only (RFC 5321, 3.2).
        answer = smtp.helo()
    check("EHLO", answer, SMTPSessionRefused)


def _login(smtp: smtplib.SMTP, route: SmtpRoute, user: str, token: Token | None, deadline: Deadline) -> None:
    _set_timeout(smtp, deadline)
    if token is None or route.tokens is None:
        by_password(smtp, user, route.password)
        return
    try:
        by_token(smtp, user, token.text, route.host, route.port)
    except SMTPLoginRefused:
        route.tokens.forget(token)
        if not token.is_kept:
            raise
        # The kept token has run out, as tokens do within the hour: a newer one is tried, and no attempt is lost.
        newer = route.tokens.get(deadline.left_s(TOKEN_S))
        _login(smtp, route, user, replace(newer, is_kept=False), deadline)


def _set_timeout(smtp: smtplib.SMTP, deadline: Deadline) -> None:
    if smtp.sock is not None:
        smtp.sock.settimeout(deadline.left_s(deadline.limits.connect_s))


def _own_name(sock: socket.socket | None) -> str:
    """The name for EHLO: this host's full name, or its address in brackets (RFC 5321, 4.1.3). Asks no DNS."""
    name = socket.gethostname()
    if _HOST_NAME.fullmatch(name) or sock is None:
        return name
    address = str(sock.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def is_loopback(host: str) -> bool:
    """Whether it is this host, by its name `localhost` or by an address. Asks no DNS."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
