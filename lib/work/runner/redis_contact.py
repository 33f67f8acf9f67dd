"""For how long Redis has answered a consumer nothing, and whether Redis is known to be away.

every_second.py reports `silent_s` to the supervisor, which kills a runner whose calls alone get no answer (stuck.py).
"""

import time

from lib.errors import RedisUnavailable
from lib.logs.log import Log
from lib.processes.silence import Silence


class RedisContact:
    """The contact of one consumer. Logs `redis.lost` and `redis.found` once each for an outage."""

    def __init__(self, queue: str, log: Log) -> None:
        self._queue = queue
        self._log = log
        self._away_since_s: float | None = None
        self._silence = Silence(time.monotonic())

    def silent_s(self, *, is_asking: bool) -> float:
        """Seconds for which Redis has answered nothing. To be called about once a second. is_asking: whether it is
        being asked; where it is not, or is known to be away, nothing is counted.

        WHY not since the last answer: that lies far back when the first of all slots is free again, for their jobs ran
        so long, and when a handler has kept the loop from turning. The answer is on its way then."""
        lasted_s = self._silence.lasted_s(time.monotonic())
        if is_asking and self._away_since_s is None:
            return lasted_s
        self._silence.end()
        return 0.0

    def note_answer(self) -> None:
        """Redis has answered, be it with a fault."""
        self._silence.end()

    def note_away(self, fault: RedisUnavailable) -> None:
        if self._away_since_s is None:
            self._away_since_s = time.monotonic()
            self._log.warning("redis.lost", f"Database away: {fault.detail}", queue=self._queue)

    def note_back(self) -> None:
        """A call has succeeded, after an outage or not."""
        if self._away_since_s is not None:
            away_s = time.monotonic() - self._away_since_s
            self._away_since_s = None
            self.note_answer()
            self._log.info("redis.found", f"Database back after {away_s:.1f} s", queue=self._queue)
