"""SMTP sessions between two mails: kept open for the next one, closed when they are too old.

Used by session_pool.py, on the loop. The session used last is taken first, so that the others may grow old and go.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from lib.handlers.email.smtp.session import SmtpSession

MAX_IDLE_S = 30.0  # Servers hang up on an idle client after one minute or five (RFC 5321, 4.5.3.2.7 asks for five).
MAX_AGE_S = 300.0  # After that a new session is dialled: another host behind the server's name may have its turn.


class IdleSessions:
    """The open sessions that no mail uses. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sessions: deque[SmtpSession] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self) -> SmtpSession | None:
        """The session that was put back last, if it is still open."""
        self._close_old()
        while self._sessions:
            session = self._sessions.pop()
            if session.is_open:
                return session
        return None

    def put(self, session: SmtpSession) -> None:
        now_s = self._clock()
        if self._is_closed or not session.is_open or now_s - session.opened_s >= MAX_AGE_S:
            session.close()
            return
        session.idle_since_s = now_s
        self._sessions.append(session)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(MAX_IDLE_S, self._sweep_up)

    def close(self) -> None:
        """Close every session, and from now on each one that is put back."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._sessions:
            self._sessions.pop().close()

    def _sweep_up(self) -> None:
        """Close the old sessions although no mail may come for hours."""
        self._close_old()
        self._sweep = asyncio.get_running_loop().call_later(MAX_IDLE_S, self._sweep_up) if self._sessions else None

    def _close_old(self) -> None:
        # The oldest is in front: a session is put back behind those that have been idle for longer.
        oldest_s = self._clock() - MAX_IDLE_S
        while self._sessions and self._sessions[0].idle_since_s < oldest_s:
            self._sessions.popleft().close()
