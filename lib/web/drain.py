"""Whether this server is about to stop. Operations that wait for long ask; those that sleep are called back.

A server process makes one Drain and begins it once, at the signal to stop. From then on /readyz answers 503, requests
that wait for something are answered at once, and streams and uploads end.
"""

from collections.abc import Callable


class Drain:
    """Begins once and never ends. All on the loop's thread."""

    def __init__(self) -> None:
        self.has_begun = False
        self._callbacks: list[Callable[[], None]] = []

    def on_begin(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the drain begins, behind those that were given before. It must not raise."""
        self._callbacks.append(callback)

    def begin(self) -> None:
        self.has_begun = True
        for callback in self._callbacks:
            callback()
