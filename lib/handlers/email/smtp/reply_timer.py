"""The time within which an SMTP server must reply: the reply's own limit, or the rest of the mail's if that is less.

Used by smtp_wire.py.
"""

import asyncio
from collections.abc import Callable
from math import inf

from lib.handlers.email.smtp.dial import Deadline


class ReplyTimer:
    """Calls `on_late` when a reply is overdue. deadline: of the mail, or other dialogue, that is under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_late: Callable[[], None]) -> None:
        self.deadline: Deadline | None = None
        self._loop = loop
        self._on_late = on_late
        self._due_s = inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on a reply is awaited. Raises TimeoutError if the mail's time is over."""
        assert self.deadline is not None
        self._due_s = self._loop.time() + self.deadline.left_s(self.deadline.limits.reply_s)
        if self._timer is None or self._timer.when() > self._due_s:
            self._set()

    def stop(self) -> None:
        """No reply is awaited any more. The loop's timer stays, for the next mail."""
        self._due_s = inf

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._due_s, self._on_time)

    def _on_time(self) -> None:
        # One timer of the loop serves many mails: the reply that it was set for has come long ago, as a rule.
        self._timer = None
        if self._loop.time() >= self._due_s:
            self._on_late()
        elif self._due_s < inf:
            self._set()
