"""Where mails go: through SMTP_URL by connections that are kept, or as files into OUTBOX_DIR. One Mailer a runner.

Called by email.py from up to as many threads as the runner runs mails at a time. A thread holds one link while it
sends, so there are never more links than threads; what it gives back, the next thread takes (the last one in is the
first one out: the others may grow old and go).
"""

import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lib.config import Settings
from lib.errors import ConfigError
from lib.handlers.letter import Letter
from lib.handlers.mailbox import Mailbox, parse_mailbox
from lib.handlers.smtp import Link, Receipt
from lib.handlers.smtp_dial import Deadline, Limits, Route, read_route
from lib.handlers.smtp_verdicts import MailRefused, SMTPLinkLost, SMTPLoginRefused, SMTPServerBusy

MAX_IDLE_S = 30.0  # servers hang up on idle clients after a minute or five (RFC 5321 asks for five)
MAX_MAILS = 100  # a link: many servers answer 421 to the next
LOGIN_PAUSE_S = 60.0


class Mailer:
    """Sends letters. `Mailer(settings)` reads SMTP_URL, MAIL_FROM and OUTBOX_DIR.

    Raises ConfigError where they can't be used. Safe for any number of threads.
    tls_context says whom to trust; None: the system's certificates.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tls_context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sender = _sender(settings.mail_from)
        self._outbox = Outbox(settings.outbox_dir)
        self._links: Links | None = None
        if settings.smtp_url:
            route = _route(settings.smtp_url)
            if route.tls != "none" and tls_context is None:
                tls_context = ssl.create_default_context()
            self._links = Links(route, tls_context, limits or Limits(), clock)

    def send(self, letter: Letter) -> Receipt:
        """Send or file one letter. Raises what smtp_verdicts.py lists, or OSError where a file can't be written."""
        return self._links.send(letter) if self._links else self._outbox.send(letter)

    def probe(self) -> str:
        """Log in and send nothing; says where mails go. Raises what `send` does."""
        return self._links.probe() if self._links else self._outbox.probe()

    def close(self) -> None:
        if self._links:
            self._links.close()


class Outbox:
    """Mails as `<job id>.eml` in a folder: for development, and for looking at what would have been sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, letter: Letter) -> Receipt:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{letter.name}.eml"
        # Whole or not at all: a reader never finds half a mail. No fsync: nobody waits for these after a power cut.
        handle, draft = tempfile.mkstemp(prefix=f".{letter.name}.", suffix=".tmp", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(letter.content)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return Receipt(f"written to {path.name}", letter.recipients, {}, path.name)

    def probe(self) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self._folder).close()
        return f"Mail: SMTP_URL is unset; mails are written to {self._folder}"


class Links:
    """The connections to one server: those in use belong to their threads, the idle ones lie here."""

    def __init__(
        self, route: Route, tls_context: ssl.SSLContext | None, limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._route = route
        self._tls_context = tls_context
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[Link] = []
        self._is_closed = False
        self._no_login_before_s = 0.0

    def send(self, letter: Letter) -> Receipt:
        deadline = Deadline(self._limits, self._clock)
        link = self._take()
        if link is not None:
            try:
                return self._send(link, letter, deadline)
            except (SMTPLinkLost, SMTPServerBusy):
                # A server that hangs up on an idle link says nothing of this mail: on to a new link, at once. What it
                # said over a link that still stands is its answer.
                if link.is_open:
                    raise
        return self._send(self._open(deadline), letter, deadline)

    def probe(self) -> str:
        self._give(self._open(Deadline(self._limits, self._clock)))
        return f"Mail: {self._route.host}:{self._route.port} takes our login"

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for link in idle:
            link.close()

    def _send(self, link: Link, letter: Letter, deadline: Deadline) -> Receipt:
        is_kept = False
        try:
            receipt = link.send(letter, deadline)
            is_kept = True
            return receipt
        except (SMTPServerBusy, MailRefused):
            is_kept = link.reset(deadline)
            raise
        finally:
            if is_kept:
                self._give(link)
            else:
                link.close()

    def _open(self, deadline: Deadline) -> Link:
        if self._clock() < self._no_login_before_s:
            raise SMTPLoginRefused("the server refused SMTP_URL's login less than a minute ago; not asked again yet")
        try:
            return Link(self._route, self._tls_context, deadline)
        except SMTPLoginRefused:
            # A queue full of mails that each try a wrong password gets the account locked.
            self._no_login_before_s = self._clock() + LOGIN_PAUSE_S
            raise

    def _take(self) -> Link | None:
        """The idle link that was used last; those too old for use are closed."""
        oldest_s = self._clock() - MAX_IDLE_S
        with self._lock:
            old = [link for link in self._idle if link.idle_since_s < oldest_s]
            self._idle = [link for link in self._idle if link.idle_since_s >= oldest_s]
            link = self._idle.pop() if self._idle else None
        for one in old:
            one.close()
        return link

    def _give(self, link: Link) -> None:
        link.idle_since_s = self._clock()
        with self._lock:
            is_kept = not self._is_closed and link.is_open and link.mails < MAX_MAILS
            if is_kept:
                self._idle.append(link)
        if not is_kept:
            link.close()


def _sender(mail_from: str) -> Mailbox:
    try:
        return parse_mailbox(mail_from)
    except ValueError as fault:
        raise ConfigError([f"MAIL_FROM: {fault}"]) from None


def _route(smtp_url: str) -> Route:
    try:
        return read_route(smtp_url)
    except ValueError as fault:
        raise ConfigError([f"SMTP_URL: {fault}"]) from None
