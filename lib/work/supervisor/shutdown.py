"""Whether and why the supervisor is to end: a signal, a fault of its own, or settings that no runner can use."""

import asyncio
import time

SECOND_SIGNAL_S = 1.0


class Shutdown:
    """`begun` is set when the drain is to begin, `hurry` when running jobs are to be given back at once."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.hurry = asyncio.Event()
        self.exit_code = 0
        self._signalled_s: float | None = None

    def on_signal(self) -> None:
        """A signal to stop has come. The first signal begins the drain; one over SECOND_SIGNAL_S later hurries it.

        WHY the pause: PM2 and a shell may each send a signal for the same stop.
        """
        now_s = time.monotonic()
        if self._signalled_s is None:
            self._signalled_s = now_s
            self.begun.set()
        elif now_s - self._signalled_s > SECOND_SIGNAL_S:
            self.hurry.set()

    def begin(self, exit_code: int) -> None:
        """Begin the drain without a signal, and end with this exit code."""
        self.exit_code = exit_code
        self.begun.set()
