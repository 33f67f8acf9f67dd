"""The SMTP sessions of a runner with one server: opened when a mail needs one, used for mail after mail, closed.

    a mail -> an idle session, or dial.py opens one in a thread -> the letter goes through it -> idle again, or closed

A mail holds one session while it is sent, so there are never more sessions than mails at a time. The pool also knows
why no mail gets out at the moment (`warning`). Used by mailer.py, on the loop.
"""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from lib.handlers.email.letter import Letter
from lib.handlers.email.smtp.dial import Deadline, DialledSession, SmtpDeadlines, SmtpRoute, open_session
from lib.handlers.email.smtp.idle_sessions import IdleSessions
from lib.handlers.email.smtp.rest import Rest
from lib.handlers.email.smtp.session import Receipt, SmtpSession
from lib.handlers.email.smtp.smtp_wire import SmtpWire
from lib.handlers.email.smtp.verdicts import (
    MailRefused,
    SMTPLinkLost,
    SMTPLoginRefused,
    SMTPSenderRefused,
    SMTPServerBusy,
    SMTPSetupFault,
)

LOGIN_PAUSE_S = 60.0
TRIAL_S = 1.0


class SessionPool:
    """sender: the address of MAIL_FROM, with which `try_out` asks. threads: where sessions are dialled. rest: is told
    of each mail that the server has taken."""

    def __init__(
        self,
        route: SmtpRoute,
        tls_context: ssl.SSLContext | None,
        threads: ThreadPoolExecutor,
        limits: SmtpDeadlines,
        clock: Callable[[], float],
        sender: str,
        rest: Rest,
    ) -> None:
        self._route = route
        self._tls_context = tls_context
        self._threads = threads
        self._limits = limits
        self._clock = clock
        self._sender = sender
        self._rest = rest
        self._idle = IdleSessions(clock)
        self._fault: Exception | None = None
        """What stops every mail, until a mail or a trial gets through."""
        self._no_login_before_s = 0.0
        self._has_begun = False
        self._trial: asyncio.Future[None] | None = None

    @property
    def warning(self) -> str:
        fault = self._fault
        if fault is None:
            return ""
        setting = "MAIL_FROM" if isinstance(fault, SMTPSenderRefused) else "SMTP_URL"
        return f"no mail gets out by {self._route.host}:{self._route.port}; mails wait (see {setting}): {fault}"

    @property
    def summary(self) -> str:
        """The line of the doctor, after a trial that went well."""
        return f"Mail: {self._route.host}:{self._route.port} takes mail from {self._sender}"

    async def send(self, letter: Letter) -> Receipt:
        """Send one mail. What it shows of the server and of our settings is noted for `warning`."""
        try:
            receipt = await self._send_once_or_twice(letter)
        except SMTPSenderRefused as exc:
            if letter.sender != self._sender:
                # The server refuses the payload's own `from`: no change of MAIL_FROM would help, so the mail is dead.
                raise MailRefused(str(exc)) from exc
            self._note(exc)
            raise
        except SMTPSetupFault as exc:
            self._note(exc)
            raise
        self._fault = None
        if receipt.accepted:
            self._rest.note_accepted()
        return receipt

    async def try_out(self) -> None:
        """Connect, TLS, log in, name the sender, unless a mail has shown that this works. The session stays open for
        the first mail."""
        if self._has_begun and self._fault is None:
            return
        trial = self._trial = asyncio.get_running_loop().create_future()
        try:
            await self._try_out()
        finally:
            self._trial = None
            trial.set_result(None)

    def close(self) -> None:
        self._idle.close()

    async def _send_once_or_twice(self, letter: Letter) -> Receipt:
        self._has_begun = True
        if self._trial is not None:
            # The trial's session is about to be idle, and this mail can have it.
            await asyncio.wait([self._trial], timeout=TRIAL_S)
        deadline = Deadline(self._limits, self._clock)
        session = self._idle.take()
        if session is not None:
            try:
                return await self._send(session, letter, deadline)
            except (SMTPLinkLost, SMTPServerBusy):
                # A server that hangs up on an idle session has said nothing about this mail: send it over a new one, at
                # once. A refusal over a session that is still open is the server's answer to the mail.
                if session.is_open:
                    raise
        return await self._send(await self._open(deadline), letter, deadline)

    async def _try_out(self) -> None:
        deadline = Deadline(self._limits, self._clock)
        session = await self._open(deadline)
        is_kept = False
        try:
            await session.try_out(self._sender, deadline)
            is_kept = await session.reset(deadline)
            self._fault = None
        except SMTPSetupFault as exc:
            self._note(exc)
            raise
        finally:
            self._put_away(session, is_kept=is_kept)

    async def _send(self, session: SmtpSession, letter: Letter, deadline: Deadline) -> Receipt:
        is_kept = False
        try:
            receipt = await session.send(letter, deadline)
            is_kept = True
            return receipt
        except (SMTPServerBusy, SMTPSetupFault, MailRefused):
            is_kept = await session.reset(deadline)
            raise
        finally:
            self._put_away(session, is_kept=is_kept)

    def _put_away(self, session: SmtpSession, *, is_kept: bool) -> None:
        """Always called, after a cancellation too: a session whose dialogue was cut off must never be used again."""
        if is_kept:
            self._idle.put(session)
        else:
            session.close()

    async def _open(self, deadline: Deadline) -> SmtpSession:
        if self._clock() < self._no_login_before_s:
            raise SMTPLoginRefused("the server refused SMTP_URL's login less than a minute ago; not asked again yet")
        try:
            dialled = await self._dial(deadline)
        except (SMTPSetupFault, SMTPLinkLost) as exc:
            self._note(exc)
            if isinstance(exc, SMTPLoginRefused):
                # A queue full of mails that each try a wrong password would get the account locked.
                self._no_login_before_s = self._clock() + LOGIN_PAUSE_S
            raise
        return SmtpSession(SmtpWire(dialled.sock, dialled.unread), dialled.offers, opened_s=self._clock())

    async def _dial(self, deadline: Deadline) -> DialledSession:
        dialling = self._threads.submit(open_session, self._route, self._tls_context, deadline)
        try:
            return await asyncio.wrap_future(dialling)
        except asyncio.CancelledError:
            # The thread can't be stopped. It gives up soon, and a connection that it still makes is closed.
            deadline.end()
            dialling.add_done_callback(_hang_up)
            raise

    def _note(self, fault: Exception) -> None:
        """Note what stops all mails; from any thread.

        A second fault of the same type may have other words, such as the id of a session, or our own for the same. The
        first one's words stay, so that the warning does not change with every mail."""
        if type(self._fault) is not type(fault):
            self._fault = fault


def _hang_up(dialling: "Future[DialledSession]") -> None:
    if not dialling.cancelled() and dialling.exception() is None:
        dialling.result().sock.close()
