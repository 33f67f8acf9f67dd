"""NDJSON's lines out of a body that comes in pieces. Pure.

A line ends with LF, CR LF (a CR is white space to JSON) or the end of the body. One that is too long is told of and
passed over, however long it is: never more than the limit of it is held.
"""


class Lines:
    """limit_bytes: of one line, without its LF."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._begun = bytearray()
        self._is_too_long = False

    def feed(self, piece: bytes) -> list[bytes | None]:
        """The lines that `piece` ends; None stands for one that was too long."""
        first, *others = piece.split(b"\n")
        self._begin(first)
        if not others:
            return []
        *whole, last = others
        lines = [self._ended(), *[line if len(line) <= self._limit_bytes else None for line in whole]]
        self._begin(last)
        return lines

    def end(self) -> list[bytes | None]:
        """The last line, where the body did not end with LF."""
        return [self._ended()] if self._begun or self._is_too_long else []

    def _begin(self, text: bytes) -> None:
        if self._is_too_long:
            return
        self._begun += text
        if len(self._begun) > self._limit_bytes:
            self._is_too_long = True
            self._begun = bytearray()

    def _ended(self) -> bytes | None:
        line = None if self._is_too_long else bytes(self._begun)
        self._begun.clear()
        self._is_too_long = False
        return line
