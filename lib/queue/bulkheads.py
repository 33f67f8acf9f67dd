"""A fault in one queue stays in that queue: every step that is done queue by queue runs inside `Bulkheads.around`.

If somebody overwrites a key of Waybill's in Redis by hand, one queue is broken. Supervisor, runners and all other
queues go on, and so does that queue, once the key is mended or deleted. A fault that comes back every second is logged
again only after LOG_AGAIN_S, and when it has gone, that is logged as well:

    ERROR upkeep.failed  Upkeep of email failed; trying again until it is mended | Redis holds under wb:{email}:all …
    INFO  upkeep.mended  Upkeep of email works again

RedisUnavailable is no queue's fault, and passes through.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.logs.log import Log

LOG_AGAIN_S = 600.0
MOST_KNOWN = 1000
ALL = "*"
"""Stands for a queue's name at a step that is done for all queues at once."""


class Bulkheads:
    """The bulkheads of one process. clock: seconds, of this process alone."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._logged_at_s: dict[tuple[str, str, str], float] = {}
        self._failing: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def around(self, queue: str, step: str) -> Iterator[None]:
        """Put around one step of one queue. step: a noun that names the event in the log, `upkeep` -> upkeep.failed."""
        try:
            yield
        except RedisUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001  One queue's broken keys must not cost the others theirs.
            self.log_failed(queue, step, fault)
        else:
            self.log_mended(queue, step)

    def teller(self, step: str) -> Callable[[str, Exception | None], None]:
        """For who finds out by itself: a function of a queue and the fault for which the step waits there, or None when
        the step has worked."""

        def tell(queue: str, fault: Exception | None) -> None:
            if fault is None:
                self.log_mended(queue, step)
            else:
                self.log_failed(queue, step, fault)

        return tell

    def log_failed(self, queue: str, step: str, fault: Exception) -> None:
        """Log `<step>.failed`, unless the same fault was logged less than LOG_AGAIN_S ago."""
        if not self._is_news((queue, step, repr(fault))):
            return
        self._failing.add((queue, step))
        event, msg = f"{step}.failed", f"{step.capitalize()} of {queue} failed; trying again until it is mended"
        if isinstance(fault, RedisKeysBroken):
            self._log.error(event, f"{msg} | {fault.detail}", queue=queue)
        else:
            self._log.exception(event, msg, fault, queue=queue)

    def log_mended(self, queue: str, step: str) -> None:
        """Log `<step>.mended`, but only if this step's last log line was a failure."""
        if (queue, step) in self._failing:
            self._failing.discard((queue, step))
            self._log.info(f"{step}.mended", f"{step.capitalize()} of {queue} works again", queue=queue)

    def _is_news(self, fault: tuple[str, str, str]) -> bool:
        """True if this queue, step and text was not logged within LOG_AGAIN_S; then it counts as logged now."""
        now_s = self._clock()
        if now_s - self._logged_at_s.get(fault, float("-inf")) < LOG_AGAIN_S:
            return False
        if len(self._logged_at_s) >= MOST_KNOWN:
            self._logged_at_s = {one: at_s for one, at_s in self._logged_at_s.items() if now_s - at_s < LOG_AGAIN_S}
            # Still full: the texts differ each time, and would fill the log.
            if len(self._logged_at_s) >= MOST_KNOWN:
                return False
        self._logged_at_s[fault] = now_s
        return True
