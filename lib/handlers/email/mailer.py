"""Where mails go: through SMTP_URL by connections that are kept, or as files into OUTBOX_DIR. One Mailer a runner.

Called by email.py on the loop, for as many mails at a time as the runner may run. A mail holds one link while it is
sent, so there are never more links than mails at a time; what it gives back, the next mail takes (the last one in is
the first one out: the others may grow old and go). What would hold up the loop is done in threads: opening a link, and
writing a file.
"""

import asyncio
import os
import ssl
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

from lib.errors import ConfigError
from lib.handlers.email.letter import Letter
from lib.handlers.email.mailbox import Mailbox, parse_mailbox
from lib.handlers.email.smtp.dial import Deadline, Session, SmtpDeadlines, SmtpRoute, open_session, read_route
from lib.handlers.email.smtp.session import Receipt, SmtpSession
from lib.handlers.email.smtp.smtp_wire import SmtpWire
from lib.handlers.email.smtp.token import tokens_of
from lib.handlers.email.smtp.verdicts import (
    MailRefused,
    SMTPLinkLost,
    SMTPLoginRefused,
    SMTPSenderRefused,
    SMTPServerBusy,
    SMTPSetupFault,
)
from lib.settings.config import Settings

MAX_IDLE_S = 30.0  # servers hang up on idle clients after a minute or five (RFC 5321 asks for five)
MAX_AGE_S = 300.0  # a link's: then another of the hosts behind the server's name may have its turn
LOGIN_PAUSE_S = 60.0
TRIAL_S = 1.0


class Mailer:
    """Sends letters. `Mailer(settings)` reads SMTP_URL, MAIL_FROM and OUTBOX_DIR.

    Raises ConfigError where they can't be used. It belongs to one loop; `probe` needs none.
    tls_context says whom to trust; None: the system's certificates.
    """

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
        # One for each mail at a time: where the server swallows connections, no mail waits for another's thread.
        self._threads = ThreadPoolExecutor(sum(settings.worker_queues.values()), "mail")
        self._outbox = Outbox(settings.outbox_dir)
        self._links: Links | None = None
        if settings.smtp_url:
            route = replace(_route(settings.smtp_url), tokens=tokens_of(settings))
            if route.tls != "none" and tls_context is None:
                tls_context = ssl.create_default_context()
            self._links = Links(
                route, tls_context, self._threads, limits or SmtpDeadlines(), clock, self.sender.address
            )

    def send(self, letter: Letter) -> Awaitable[Receipt]:
        """Send or file one letter. Raises what verdicts.py lists, or OSError where a file can't be written."""
        if self._links:
            return self._links.send(letter)
        return asyncio.get_running_loop().run_in_executor(self._threads, self._outbox.send, letter)

    @property
    def warning(self) -> str:
        """Why no mail gets out, as the last mail or the last probe has shown; "" where nothing is known to be wrong.

        lib/work/runner/warnings.py looks for it by this name.
        """
        return self._links.warning if self._links else ""

    async def try_out(self) -> None:
        """Ask the mail server whether it would take mails, unless a mail has shown that. Raises what `send` does."""
        if self._links:
            await self._links.try_out()

    def probe(self) -> str:
        """The same at once and on a loop of its own; says where mails go. Of use for this alone, as in the doctor."""
        if self._links is None:
            return self._outbox.probe()
        self._threads.submit(asyncio.run, self._links.try_out()).result()
        return self._links.said

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
    """The connections to one server: those in use belong to their mails, the idle ones lie here."""

    def __init__(
        self,
        route: SmtpRoute,
        tls_context: ssl.SSLContext | None,
        threads: ThreadPoolExecutor,
        limits: SmtpDeadlines,
        clock: Callable[[], float],
        sender: str,
    ) -> None:
        self._sender = sender
        self._fault: Exception | None = None
        self._has_begun = False
        self._trial: asyncio.Future[None] | None = None
        self._route = route
        self._tls_context = tls_context
        self._threads = threads
        self._limits = limits
        self._clock = clock
        self._idle: deque[SmtpSession] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._no_login_before_s = 0.0

    @property
    def warning(self) -> str:
        fault = self._fault
        if fault is None:
            return ""
        setting = "MAIL_FROM" if isinstance(fault, SMTPSenderRefused) else "SMTP_URL"
        return f"no mail gets out by {self._route.host}:{self._route.port}; mails wait (see {setting}): {fault}"

    async def send(self, letter: Letter) -> Receipt:
        """One mail; what it shows of the server and of our settings is noted for `warning`."""
        try:
            receipt = await self._send_once_or_twice(letter)
        except SMTPSenderRefused as exc:
            if letter.sender != self._sender:
                raise MailRefused(str(exc)) from exc  # A sender of the mail's own: nobody mends that one.
            self._note(exc)
            raise
        except SMTPSetupFault as exc:
            self._note(exc)
            raise
        self._fault = None
        return receipt

    async def _send_once_or_twice(self, letter: Letter) -> Receipt:
        self._has_begun = True
        if self._trial is not None:
            await asyncio.wait([self._trial], timeout=TRIAL_S)  # Its link is to be this mail's.
        deadline = Deadline(self._limits, self._clock)
        link = self._take()
        if link is not None:
            try:
                return await self._send(link, letter, deadline)
            except (SMTPLinkLost, SMTPServerBusy):
                # A server that hangs up on an idle link says nothing of this mail: on to a new link, at once. What it
                # said over a link that still stands is its answer.
                if link.is_open:
                    raise
        return await self._send(await self._open(deadline), letter, deadline)

    @property
    def said(self) -> str:
        return f"Mail: {self._route.host}:{self._route.port} takes mail from {self._sender}"

    async def try_out(self) -> None:
        """Connection, TLS, login, sender. The link lies ready for the first mail then."""
        if self._has_begun and self._fault is None:
            return  # A mail shows as much.
        trial = self._trial = asyncio.get_running_loop().create_future()
        try:
            await self._try_out()
        finally:
            self._trial = None
            trial.set_result(None)

    async def _try_out(self) -> None:
        deadline = Deadline(self._limits, self._clock)
        link = await self._open(deadline)
        is_kept = False
        try:
            await link.try_out(self._sender, deadline)
            is_kept = await link.reset(deadline)
            self._fault = None
        except SMTPSetupFault as exc:
            self._note(exc)
            raise
        finally:
            self._put_away(link, is_kept=is_kept)

    def close(self) -> None:
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            self._idle.pop().close()

    async def _send(self, link: SmtpSession, letter: Letter, deadline: Deadline) -> Receipt:
        is_kept = False
        try:
            receipt = await link.send(letter, deadline)
            is_kept = True
            return receipt
        except (SMTPServerBusy, SMTPSetupFault, MailRefused):
            is_kept = await link.reset(deadline)
            raise
        finally:
            self._put_away(link, is_kept=is_kept)

    def _put_away(self, link: SmtpSession, *, is_kept: bool) -> None:
        """Whatever came up, a cancellation too: a link whose dialogue was cut is never used again."""
        if is_kept:
            self._give(link)
        else:
            link.close()

    async def _open(self, deadline: Deadline) -> SmtpSession:
        if self._clock() < self._no_login_before_s:
            raise SMTPLoginRefused("the server refused SMTP_URL's login less than a minute ago; not asked again yet")
        try:
            session = await self._dial(deadline)
        except (SMTPSetupFault, SMTPLinkLost) as exc:
            self._note(exc)
            if isinstance(exc, SMTPLoginRefused):
                # A queue full of mails that each try a wrong password gets the account locked.
                self._no_login_before_s = self._clock() + LOGIN_PAUSE_S
            raise
        return SmtpSession(SmtpWire(session.sock, session.unread), session.offers, opened_s=self._clock())

    def _note(self, fault: Exception) -> None:
        """What stops all mails. From any thread."""
        # Said anew it may have other words (an id of the session's), or be our own word for the same.
        if type(self._fault) is not type(fault):
            self._fault = fault

    async def _dial(self, deadline: Deadline) -> Session:
        dialled = self._threads.submit(open_session, self._route, self._tls_context, deadline)
        try:
            return await asyncio.wrap_future(dialled)
        except asyncio.CancelledError:
            # The thread can't be stopped; it gives up soon, and what it has opened by then is closed.
            deadline.end()
            dialled.add_done_callback(_hang_up)
            raise

    def _take(self) -> SmtpSession | None:
        """The idle link that was used last."""
        self._close_old()
        while self._idle:
            link = self._idle.pop()
            if link.is_open:
                return link
        return None

    def _give(self, link: SmtpSession) -> None:
        now_s = self._clock()
        if self._is_closed or not link.is_open or now_s - link.opened_s >= MAX_AGE_S:
            link.close()
            return
        link.idle_since_s = now_s
        self._idle.append(link)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(MAX_IDLE_S, self._sweep_up)

    def _sweep_up(self) -> None:
        """No mail may come for hours: what is too old is closed all the same."""
        self._close_old()
        self._sweep = asyncio.get_running_loop().call_later(MAX_IDLE_S, self._sweep_up) if self._idle else None

    def _close_old(self) -> None:
        # The oldest are in front: a link goes back behind those that have waited longer.
        oldest_s = self._clock() - MAX_IDLE_S
        while self._idle and self._idle[0].idle_since_s < oldest_s:
            self._idle.popleft().close()


def _hang_up(dialled: "Future[Session]") -> None:
    if not dialled.cancelled() and dialled.exception() is None:
        dialled.result().sock.close()


def check_settings(settings: Settings) -> None:
    """Raises ConfigError with what can be seen to be wrong without asking the mail server."""
    _sender(settings.mail_from)
    if settings.smtp_url:
        _route(settings.smtp_url)


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
