"""When Redis last answered a consumer, and whether Redis is known to be away.

every_second.py reports `silent_s` to the supervisor, which kills a runner whose calls alone get no answer (stuck.py).
"""

import time

from lib.errors import RedisUnavailable
from lib.logs.log import Log


class RedisContact:
    """The contact of one consumer. Logs `redis.lost` and `redis.found` once each for an outage."""

    def __init__(self, queue: str, log: Log) -> None:
        self._queue = queue
        self._log = log
        self._away_since_s: float | None = None
        self._answered_at_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since `count_from_now`; 0 while Redis is known to be away."""
        return 0.0 if self._away_since_s is not None else time.monotonic() - self._answered_at_s

    def count_from_now(self) -> None:
        """Redis has answered, be it with a fault; or it is asked now for the first time in a while."""
        self._answered_at_s = time.monotonic()

    def note_away(self, fault: RedisUnavailable) -> None:
        if self._away_since_s is None:
            self._away_since_s = time.monotonic()
            self._log.warning("redis.lost", f"Database away: {fault.detail}", queue=self._queue)

    def note_back(self) -> None:
        """A call has succeeded, after an outage or not."""
        if self._away_since_s is not None:
            away_s = time.monotonic() - self._away_since_s
            self._away_since_s = None
            self.count_from_now()
            self._log.info("redis.found", f"Database back after {away_s:.1f} s", queue=self._queue)
