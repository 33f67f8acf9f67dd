"""The way out for letters: over SMTP to the server that SMTP_URL names, or as files into OUTBOX_DIR.

A runner has one Mailer, kept as a resource of its jobs. The email job calls it on the loop, for as many mails at a time
as the runner may run. What would hold up the loop is done in the Mailer's threads: opening a session (smtp/dial.py),
and writing a file (outbox.py).
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from urllib.parse import urlsplit

from lib.errors import ConfigError
from lib.handlers.email.letter import Letter
from lib.handlers.email.mailbox import Mailbox, parse_mailbox
from lib.handlers.email.outbox import Outbox
from lib.handlers.email.smtp.dial import SmtpDeadlines, SmtpRoute, is_loopback, read_route
from lib.handlers.email.smtp.rest import Rest
from lib.handlers.email.smtp.session import Receipt
from lib.handlers.email.smtp.session_pool import SessionPool
from lib.handlers.email.smtp.token import tokens_of
from lib.jobs.group import GROUP_NAME
from lib.settings.config import Settings


class Mailer:
    """Sends letters. `Mailer(settings)` reads SMTP_URL, MAIL_FROM and OUTBOX_DIR; a Mailer belongs to one loop.

    tls_context: the certificates to trust; None: the system's. Raises ConfigError for a setting that can't be used.
    """

    warning_code = "mail_blocked"
    """Of lib/warning_codes.py, for what `warning` tells."""

    def __init__(
        self,
        settings: Settings,
        *,
        tls_context: ssl.SSLContext | None = None,
        limits: SmtpDeadlines | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
    ) -> None:
        self.sender = _sender(settings.mail_from)
        self.rng = rng or Random()
        self.rest = Rest(clock, self.rng)
        self.has_group = bool(smtp_server(settings))
        """Whether the mails are one group, which can rest as a whole."""
        # A thread for each mail at a time: if the server leaves connections unanswered, no mail waits for the thread
        # of another one.
        self._threads = ThreadPoolExecutor(sum(settings.worker_queues.values()), "mail")
        self._outbox = Outbox(settings.outbox_dir)
        self._sessions: SessionPool | None = None
        if settings.smtp_url:
            route = replace(_route(settings.smtp_url), tokens=tokens_of(settings))
            if route.tls != "none" and tls_context is None:
                tls_context = ssl.create_default_context()
            self._sessions = SessionPool(
                route, tls_context, self._threads, limits or SmtpDeadlines(), clock, self.sender.address, self.rest
            )

    def send(self, letter: Letter) -> Awaitable[Receipt]:
        """Send or file one letter. Raises the errors of verdicts.py, or OSError if a file can't be written."""
        if self._sessions:
            return self._sessions.send(letter)
        return asyncio.get_running_loop().run_in_executor(self._threads, self._outbox.send, letter)

    @property
    def warning(self) -> str:
        """Why no mail gets out, as the last mail or the last probe found; "" if nothing is known to be wrong.

        lib/work/runner/warnings.py reads the attribute of this name on every resource.
        """
        return self._sessions.warning if self._sessions else ""

    async def try_out(self) -> None:
        """Ask the mail server whether it takes our mails, unless a mail has shown that. Raises what `send` does."""
        if self._sessions:
            await self._sessions.try_out()

    def probe(self) -> str:
        """`try_out` for a caller without a loop, as the doctor is; returns a line that says where mails go.

        The session is opened on a loop of the probe's own, so a Mailer that was probed is of no use for mails.
        """
        if self._sessions is None:
            return self._outbox.probe()
        self._threads.submit(asyncio.run, self._sessions.try_out()).result()
        return self._sessions.summary

    def close(self) -> None:
        if self._sessions:
            self._sessions.close()


def check_settings(settings: Settings) -> None:
    """Raises ConfigError for what can be seen to be wrong without asking the mail server."""
    _sender(settings.mail_from)
    if settings.smtp_url:
        _route(settings.smtp_url)


def smtp_server(settings: Settings) -> str:
    """The group of all mails: the host that SMTP_URL names, as in "smtp.example.com"; "" where they need no group.

    The server that says "too fast" to one mail says so to all. So all of them are one group, which rests as a whole.
    WHY none for a server on this host: it is a relay of ours, which takes all mails and waits itself. There a group
    would only cost: a mail of a group takes 1.3 times the time of Redis, and 15 % fewer go out in a second.
    """
    host = urlsplit(settings.smtp_url).hostname if settings.smtp_url else None
    if not host or is_loopback(host):
        return ""
    return host if GROUP_NAME.fullmatch(host) else ""  # Not so: an IPv6 address with a zone, as fe80::1%eth0.


def _sender(mail_from: str) -> Mailbox:
    try:
        return parse_mailbox(mail_from)
    except ValueError as fault:
        raise ConfigError([f"MAIL_FROM: {mail_from!r} {fault}; write Name <name@example.com>"]) from None


def _route(smtp_url: str) -> SmtpRoute:
    try:
        return read_route(smtp_url)
    except ValueError as fault:
        raise ConfigError([f"SMTP_URL: {fault}"]) from None
