"""What goes wrong in one queue stays there: caught at each step that is done queue by queue, and said once.

Whoever has a key of Waybill's in Redis overwritten by hand has broken one queue; the supervisor, the runners and all
other queues go on, and that queue too, once the key is mended or deleted. A fault that comes back every second is said
again only after SAY_AGAIN_S, and its end is said as well. Redis being away is no queue's fault, and passes.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.logs.log import Log

SAY_AGAIN_S = 600.0
MOST_KNOWN = 1000
ALL = "*"
"""In a queue's place: what is done for all queues at once."""


class Bulkheads:
    """Those of one process. clock: seconds, of this process alone."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said_at_s: dict[tuple[str, str, str], float] = {}
        self._open: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def around(self, queue: str, step: str) -> Iterator[None]:
        """One step of one queue; `step` is a noun, and names the event in the log. Lets RedisUnavailable through."""
        try:
            yield
        except RedisUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001  One queue's broken keys must not cost the others theirs.
            self.tell(queue, step, fault)
        else:
            self.is_well(queue, step)

    def tell(self, queue: str, step: str, fault: Exception) -> None:
        """Say what went wrong, unless that was said a while ago."""
        if not self._is_news((queue, step, repr(fault))):
            return
        self._open.add((queue, step))
        event, msg = f"{step}.failed", f"{step.capitalize()} of {queue} failed; trying again until it is mended"
        if isinstance(fault, RedisKeysBroken):
            self._log.error(event, f"{msg} | {fault.detail}", queue=queue)
        else:
            self._log.exception(event, msg, fault, queue=queue)

    def is_well(self, queue: str, step: str) -> None:
        """Say so where the last that was said is that it went wrong."""
        if (queue, step) in self._open:
            self._open.discard((queue, step))
            self._log.info(f"{step}.mended", f"{step.capitalize()} of {queue} works again", queue=queue)

    def _is_news(self, what: tuple[str, str, str]) -> bool:
        now_s = self._clock()
        if now_s - self._said_at_s.get(what, float("-inf")) < SAY_AGAIN_S:
            return False
        if len(self._said_at_s) >= MOST_KNOWN:
            self._said_at_s = {one: at_s for one, at_s in self._said_at_s.items() if now_s - at_s < SAY_AGAIN_S}
            # Faults whose text is another one each time would fill the log all the same.
            if len(self._said_at_s) >= MOST_KNOWN:
                return False
        self._said_at_s[what] = now_s
        return True
