"""Where an entry stands in a queue's stream. Pure."""

from typing import NamedTuple


class StreamPosition(NamedTuple):
    """The id of a stream's entry, `1764410000123-0`: Redis' ms, and a number among the entries of one ms."""

    ms: int
    number: int

    @classmethod
    def of(cls, entry_id: bytes) -> "StreamPosition":
        ms, _, number = entry_id.partition(b"-")
        return cls(int(ms), int(number))

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"
