"""The lines of an NDJSON body that arrives in pieces. Pure.

    feed(b'{"type": "a"}\\n{"ty')    gives [b'{"type": "a"}']
    feed(b'pe": "b"}')              gives []
    end()                           gives [b'{"type": "b"}']

A line ends with LF, CR LF (JSON passes over the CR) or the end of the body. A line longer than the limit is given as
None, and passed over, however long it is: no more of it than the limit is ever held.
"""


class Lines:
    """The lines of one body. limit_bytes: of a line, without its LF."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._begun = bytearray()
        self._is_too_long = False

    def feed(self, piece: bytes) -> list[bytes | None]:
        """The lines that end in `piece`; None stands for a line that was too long."""
        first, *others = piece.split(b"\n")
        self._begin(first)
        if not others:
            return []
        *whole, last = others
        lines = [self._ended(), *[line if len(line) <= self._limit_bytes else None for line in whole]]
        self._begin(last)
        return lines

    def end(self) -> list[bytes | None]:
        """The last line, if the body did not end with LF."""
        return [self._ended()] if self._begun or self._is_too_long else []

    def _begin(self, text: bytes) -> None:
        """Add to the line that has begun and not ended."""
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
