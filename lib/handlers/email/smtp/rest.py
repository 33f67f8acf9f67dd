"""How long all mails rest once the server has said that they are too many or too fast. Knows no job.

    rest.pause_s(RATE)         1.4     the first mail that is told so; two more of the same round: 1.3 and 1.3
    rest.note_accepted()               the next round begins with as short a rest as this one; without it, a longer one
    rest.pause_s(RATE)         1.7

Where a mail rests alone, it waits longer each time that it is put off. Where all rest together, most of those that are
put off again are so for no fault of theirs: the server has taken others in their place. So what counts is in how many
rounds one after another the server has taken none.
"""

from collections.abc import Callable
from random import Random

from lib.handlers.email.smtp.patience import Patience


class Rest:
    """That of one mailer's mails."""

    def __init__(self, clock: Callable[[], float], rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._rounds = 0
        """Rounds one after another in which the server has taken no mail."""
        self._ends_s = 0.0

    def note_accepted(self) -> None:
        """The server has taken a mail."""
        self._rounds = 0

    def pause_s(self, patience: Patience) -> float:
        """Seconds until all mails are to be tried again; the server has asked one of them for this patience."""
        if patience.cap_s <= patience.base_s:
            return patience.pause_s(1, self._rng)
        now_s = self._clock()
        if now_s >= self._ends_s:
            self._rounds += 1
            self._ends_s = now_s + patience.pause_s(self._rounds, self._rng)
        return self._ends_s - now_s
