"""Sends spans to an OpenTelemetry collector, from a thread of its own.

    exporter = Exporter(collector, log.warning)
    exporter.start()
    exporter.add([OtlpSpan("0af7…", "b7ad…", "", "POST /api/jobs", SERVER, …)])       # from any thread; never blocks
    exporter.close(2.0)

Spans wait until there are 512 of them, or for 2 s. A collector that can't take them now (429, 502, 503, 504, a link
that is lost or silent) is asked again, after its Retry-After or a growing pause with jitter, for up to GIVE_UP_S. What
it refuses otherwise is dropped. Meanwhile MOST_WAITING spans may wait: newer ones are dropped, and counted. So a
collector that is away costs memory for these, and nobody's time. What goes wrong is logged once a minute.
"""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from lib.otlp_post import Collector, CollectorLink, Outcome
from lib.otlp_text import OtlpSpan, body_of, text_of

MOST_WAITING: Final = 4096
BATCH: Final = 512
BATCH_S: Final = 2.0
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0
MOST_AFTER_S: Final = 300.0
"""A Retry-After beyond this is taken as this."""
GIVE_UP_S: Final = 600.0
SAY_EVERY_S: Final = 60.0
_AT_A_STRETCH = 32
_REST_S = 0.0005


class Exporter:
    """say: logs `event, sentence`. rng: for jitter.

    exported, dropped: how many spans the collector has taken, and how many it will never get; both only grow."""

    def __init__(self, collector: Collector, say: Callable[[str, str], object], rng: Random | None = None) -> None:
        self._collector = collector
        self._say = say
        self._rng = rng or Random()
        self._link = CollectorLink(collector)
        self._waiting: deque[OtlpSpan] = deque()
        self._changed = threading.Condition()
        self._on_their_way = 0
        """How many spans the POST has that the thread is at."""
        self._is_closing = False
        self._said_at_s: dict[str, float] = {}
        self._is_away = False
        """Whether the last POST could not be delivered."""
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self.exported = 0
        self.dropped = 0

    def start(self) -> None:
        self._thread.start()

    def add(self, spans: Sequence[OtlpSpan]) -> None:
        """Have these sent; those for which there is no room are dropped."""
        with self._changed:
            had_none = not self._waiting
            room = 0 if self._is_closing else MOST_WAITING - len(self._waiting)
            self._waiting.extend(spans[:room])
            lost = max(0, len(spans) - room)
            self.dropped += lost
            # The thread waits for the first span, and then for a batch or for time to pass.
            if had_none or len(self._waiting) >= BATCH:
                self._changed.notify()
        if lost:
            msg = f"Spans are dropped: {MOST_WAITING} wait for {self._collector.shown} already"
            self._say_seldom("spans.dropped", msg)

    @property
    def room(self) -> int:
        """How many more spans may wait."""
        return MOST_WAITING - len(self._waiting)

    def drop(self, count: int) -> None:
        """Count spans that never came here."""
        with self._changed:
            self.dropped += count

    def close(self, within_s: float) -> None:
        """Send what waits, for so long at most, and end. What is left then is dropped."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(within_s)
        with self._changed:
            self.dropped += len(self._waiting) + self._on_their_way
            self._waiting.clear()

    # In the thread.

    def _run(self) -> None:
        # The main thread of each program obeys signals, and may be asleep in a call that only a signal of its own ends.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while batch := self._next_batch():
            self._deliver(batch)
            self._on_their_way = 0
        self._link.close()

    def _next_batch(self) -> list[OtlpSpan]:
        """Waits for spans. [] where there are none, and there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            self._changed.wait_for(lambda: len(self._waiting) >= BATCH or self._is_closing, BATCH_S)
            self._on_their_way = min(BATCH, len(self._waiting))
            return [self._waiting.popleft() for _ in range(self._on_their_way)]

    def _deliver(self, batch: list[OtlpSpan]) -> None:
        """POST until the collector has taken or refused these spans, or time is up."""
        body, pause_s, began_s = body_of(_texts(batch), self._collector.resource), FIRST_PAUSE_S, time.monotonic()
        while True:
            outcome = self._link.post(body)
            if outcome.verdict != "later":
                self._note_answer(outcome, len(batch))
                return
            self._is_away = True
            where = self._collector.shown
            self._say_seldom("spans.delayed", f"Spans wait: {where} does not take them now: {outcome.words}")
            wait_s = min(MOST_AFTER_S, outcome.after_s) if outcome.after_s is not None else pause_s
            # Jitter, so that many processes do not come back in step. Never sooner than was asked for.
            wait_s *= self._rng.uniform(1.0, 1.25) if outcome.after_s is not None else self._rng.uniform(0.5, 1.0)
            pause_s = min(LAST_PAUSE_S, pause_s * 2)
            is_late = time.monotonic() + wait_s > began_s + GIVE_UP_S
            if is_late or not self._pause(wait_s):
                self.drop(len(batch))
                return

    def _pause(self, wait_s: float) -> bool:
        """Wait before the next try, but no longer than until `close` is called. False if it had been called before:
        then that try was the last one."""
        with self._changed:
            if self._is_closing:
                return False
            self._changed.wait_for(lambda: self._is_closing, wait_s)
            return True

    def _note_answer(self, outcome: Outcome, spans: int) -> None:
        where = self._collector.shown
        if outcome.verdict == "refused":
            self.drop(spans)
            self._say_seldom("spans.refused", f"Spans are dropped: {where} refuses them: {outcome.words}")
            return
        lost = min(outcome.rejected, spans)
        self.exported += spans - lost
        if lost:
            self.drop(lost)
        if outcome.words or lost:
            msg = f"{where} has taken {spans - lost} of {spans} spans: {outcome.words or 'it does not say why'}"
            self._say_seldom("spans.partly_taken", msg)
        if self._is_away:
            self._is_away = False
            if self._said_at_s.pop("spans.delayed", None) is not None:
                self._say("spans.mended", f"{where} takes spans again")

    def _say_seldom(self, event: str, msg: str) -> None:
        now_s = time.monotonic()
        if now_s - self._said_at_s.get(event, -SAY_EVERY_S) >= SAY_EVERY_S:
            self._said_at_s[event] = now_s
            self._say(event, msg)


def _texts(batch: Sequence[OtlpSpan]) -> Iterator[str]:
    """The JSON of each span.

    WHY with rests: the program's loop waits while this thread holds the interpreter. 512 spans at a stretch would hold
    up every request for 5 ms."""
    for number, span in enumerate(batch, 1):
        yield text_of(span)
        if number % _AT_A_STRETCH == 0:
            time.sleep(_REST_S)
