"""The links to Redis, as the rest of this room uses them: `open_link` gives one to whatever REDIS_URL names.

redis-py's own retries are off: it sends a command again when only the reply was lost, and a BRPOPLPUSH sent twice
strands a job. Who retries is decided above, where it is known what is safe to repeat.
"""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from lib.redis_link.cluster import ClusterLink
from lib.redis_link.redis_wire import Hear
from lib.redis_link.resp import Argument, Command
from lib.redis_link.single import SingleLink, as_it_is, pool_of


class RedisLink(Protocol):
    """What the rest of the room asks of Redis, be it one server, a Sentinel's master or a Cluster."""

    async def call(self, *command: Argument) -> Any:
        """One command, all of whose keys are in one slot.

        Raises RedisUnavailable where it was not carried out, OutcomeUnknown where nobody can know, MissingScript,
        RedisKeysBroken where a key holds what we did not write: a script may have been carried out in part.
        """

    def send(self, command: Command, hear: Hear) -> None:
        """The same, a plain call: `hear` is called with the reply, or with what `call` would have raised."""

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        """Commands in one packet, the first of which Redis may hold for block_s, on a connection of their own.

        Redis runs the others as soon as the first is through. Gives what `read` makes of the last one's reply; it is
        called in the turn of the loop in which that comes. Raises what `call` does for the first that failed, or what
        `read` does. A BRPOPLPUSH is never to be cancelled: the id would be moved, and nobody told.
        """

    async def end_block(self) -> None:
        """Have a `block` that waits right now come back with nothing."""

    async def close(self) -> None: ...


CALL_TIMEOUT_S = 5.0
"""What a worker and a command wait for one call. (A server, behind whose calls requests wait, has less patience.)"""


def open_link(url: str, *, timeout_s: float) -> RedisLink:
    """A link to what REDIS_URL names. Nothing is connected yet. A command may take `timeout_s`, connecting included."""
    if urlsplit(url).scheme.endswith("+cluster"):
        return ClusterLink(url, timeout_s)
    return SingleLink(pool_of(url, timeout_s), timeout_s)
