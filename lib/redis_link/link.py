"""`RedisLink`, all that Waybill asks of Redis, and `open_link`, which makes a link from REDIS_URL.

    link = open_link("redis://127.0.0.1:6379/0", timeout_s=5.0)
    await link.call("SISMEMBER", "wb:queues", "email")      # 1

redis-py's own retries are off: redis-py sends a command again when only the reply was lost, and a BRPOPLPUSH sent twice
strands a job. The callers decide which commands are sent again, for they know which are safe to repeat.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import urlsplit

from lib.redis_link.cluster import ClusterLink
from lib.redis_link.redis_wire import OnReply
from lib.redis_link.resp import Argument, Command
from lib.redis_link.single import SingleLink, as_it_is, pool_of


class RedisLink(Protocol):
    """What the other rooms ask of Redis, be it one server, a Sentinel's master or a Cluster."""

    async def call(self, *command: Argument) -> Any:
        """Run one command, all of whose keys are in one Cluster slot, and return its reply.

        Raises RedisUnavailable if the command was not run, OutcomeUnknown if it may have been, MissingScript, and
        RedisKeysBroken if a key holds what Waybill did not write: a script may then have been run in part.
        """

    def send(self, command: Command, on_reply: OnReply) -> None:
        """Do the same without a coroutine: `on_reply` is called with the reply, or with what `call` would raise."""

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        """Send commands in one packet, on a connection of their own; Redis may hold the first for `block_s` seconds.

        Redis runs the others as soon as the first is done. Returns `read(reply)` of the last command's reply; `read` is
        called in the turn of the event loop in which that reply comes. Raises what `call` raises for the first command
        that failed, or what `read` raises. Never cancel a BRPOPLPUSH: the id would be moved, and nobody would know.
        """

    async def end_block(self) -> None:
        """Make a `block` that waits right now return with nothing."""

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        """The keys, grouped by which of them one command may name: all of them, or in a Cluster those of one slot."""

    async def close(self) -> None: ...


CALL_TIMEOUT_S = 5.0
"""What a worker and a command wait for one call. (A server, behind whose calls requests wait, has less patience.)"""


def open_link(url: str, *, timeout_s: float) -> RedisLink:
    """A link to what `url` names; the first command connects. A command may take `timeout_s`, connecting included."""
    if urlsplit(url).scheme.endswith("+cluster"):
        return ClusterLink(url, timeout_s)
    return SingleLink(pool_of(url, timeout_s), timeout_s)
