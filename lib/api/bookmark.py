"""How far a reader of GET /api/events has come: the id of a message, which the reader sends back to go on. Pure.

    1795438188123;email=1795438188200-0;default=1795438188199-3

The first number is a time (ms): every queue was read to that time. Behind it stand the queues that were read further,
each with its position in the queue's stream.
"""

import re
from collections.abc import Iterable

from lib.queue.stream_position import StreamPosition

SKEW_MS = 10_000
"""The clocks of a Cluster's nodes, and the times at which they are asked, are apart by less."""
ID_CHARS = 1024
MOST_AHEAD = 40
_LAST_ID = re.compile(r"([0-9]{1,15})((?>(?:;[a-z0-9][a-z0-9_-]{0,63}=[0-9]{1,15}-[0-9]{1,10})*))")


class Bookmark:
    """The position of one reader in each queue's stream.

    As text, the queues that were read to the same time share it, so that a thousand idle queues do not make the text
    long. If more than MOST_AHEAD queues were read further, the time alone stands for all, and a reader that comes back
    sees some of their events again. (A reader of 600 queues once got a text of 17 KB, which is too long for the header
    that brings it back: 431, and EventSource never tries again.)"""

    def __init__(self, ms: int, places: dict[str, StreamPosition]) -> None:
        self._ms = ms
        self._places = places
        self._ahead = {name: place for name, place in places.items() if place.ms > ms}

    def place_in(self, queue: str) -> StreamPosition:
        """The position to read on from. For a queue that began meanwhile, the time: its reader then comes upon the
        entry LISTENED, which says that events before it were not kept."""
        return self._places.get(queue) or StreamPosition(self._ms, 0)

    def advance(self, queue: str, place: StreamPosition) -> None:
        """The queue was read up to `place`."""
        self._places[queue] = place
        if place.ms > self._ms:
            self._ahead[queue] = place

    def reach(self, newest: Iterable[StreamPosition]) -> None:
        """Every queue was read to its end; `newest` are the ends. The time moves on, to SKEW_MS before the last end."""
        self._ms = ms = max([self._ms, *[place.ms - SKEW_MS for place in newest]])
        self._ahead = {name: place for name, place in self._ahead.items() if place.ms > ms}

    def __str__(self) -> str:
        time_alone = str(self._ms)
        if len(self._ahead) > MOST_AHEAD:
            return time_alone
        text = time_alone + "".join([f";{name}={place}" for name, place in sorted(self._ahead.items())])
        return text if len(text) <= ID_CHARS else time_alone


def bookmark_from(last_id: str, queues: Iterable[str], now_ms: int) -> Bookmark | None:
    """The bookmark that a reader of `queues` brings back; None for a text that is none, or that lies in the future."""
    match = _LAST_ID.fullmatch(last_id)
    if match is None or int(match[1]) > now_ms + SKEW_MS:
        return None
    ms, ahead = int(match[1]), dict(part.split("=") for part in match[2].split(";")[1:])
    beyond = {name: StreamPosition.of(text.encode()) for name, text in ahead.items()}
    if any(place.ms > now_ms + SKEW_MS for place in beyond.values()):
        return None  # The reader would be sent nothing until that time has come.
    return Bookmark(ms, {name: beyond.get(name, StreamPosition(ms, 0)) for name in queues})
