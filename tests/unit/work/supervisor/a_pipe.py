"""A pipe to a runner that is not there."""

from typing import Any


class APipe:
    """Keeps what is sent to the runner."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        self.sent.append(message)
