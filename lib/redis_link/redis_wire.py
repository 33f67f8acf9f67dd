"""One connection to one Redis that all calls share, and what its failures mean.

Made by single.py, with a connection that redis-py has opened; what goes over it is `resp.py`'s. Each call is
written at once and answered in its turn; a failure of redis-py's is translated here into what the rest of Waybill
knows, once.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from lib.errors import OutcomeUnknown, RedisUnavailable
from lib.redis_link.resp import Command, Garbled, Replies, ReplyError, encoded

Hear = Callable[[Any], None]
"""Called with a reply, or with the exception that stands for it. It does not raise."""

# The first words of replies by which Redis refuses for now, and nothing was done; all else is a bug of ours.
# https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
_REFUSALS = {
    "ASK": "a Cluster slot is moving",
    "BUSY": "Redis is busy with a script of somebody else's",
    "CLUSTERDOWN": "the Cluster is down",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "this Redis is a replica without its master",
    "MISCONF": "Redis can't write to its disk",
    "NOAUTH": "Redis asks for a password; see REDIS_URL",
    "NOPERM": "the Redis user may not run Waybill's commands; see prod/redis.conf",
    "NOREPLICAS": "Redis has too few replicas to accept writes",
    "OOM": "Redis is at its maxmemory",
    "READONLY": "this Redis is a replica",
    "TRYAGAIN": "a Cluster slot is moving",
    "UNBLOCKED": "the blocking pop was ended",
    "WRONGPASS": "Redis refuses the password of REDIS_URL",
}


class MissingScript(Exception):
    """Redis does not hold the script of that hash (it was restarted, or SCRIPT FLUSH): send the text."""


class Moved(Exception):
    """In a Cluster: another node has the slot by now."""

    def __init__(self, slot: int, host: str, port: int) -> None:
        super().__init__(f"slot {slot} is on {host}:{port}")
        self.slot = slot
        self.node = (host, port)


class RedisWire(asyncio.Protocol):
    """One connection that all calls share: each is written at once and answered in its turn.

    Calls that are made in one turn of the loop leave in one packet, and their answers come back in one.
    """

    def __init__(self, connection: AbstractConnection, timeout_s: float) -> None:
        """connection: one of redis-py's that is open and idle; its socket is taken over."""
        assert connection._writer is not None
        self._connection = connection  # Else it is thrown away, and closes what it thinks is its own.
        self._transport = connection._writer.transport
        self._transport.set_protocol(self)
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._replies = Replies()
        self._waiting: deque[tuple[Hear, float]] = deque()
        self._unsent: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at_s = 0.0
        self.is_broken = False

    def send(self, command: Command, hear: Hear) -> None:
        """`hear` is called with the reply, in the turn of the loop in which it comes."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(encoded(command))
        self._waiting.append((hear, self._loop.time() + self._timeout_s))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._look)

    def call(self, command: Command) -> "asyncio.Future[Any]":
        """The same, with the reply to be awaited; whoever stops waiting for it changes nothing."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        self.send(command, functools.partial(settle, reply))
        return reply

    def close(self) -> None:
        self._break(ConnectionError("closed"))

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        self._heard_at_s = self._loop.time()
        try:
            for answer in self._replies.feed(data):
                if not self._waiting:
                    raise Garbled("an answer to nothing that was asked")
                hear, _ = self._waiting.popleft()
                if isinstance(answer, ReplyError):
                    fault = self._connection._parser.parse_error(str(answer))  # type: ignore[no-untyped-call]
                    self._answer_error(hear, fault)
                else:
                    hear(answer)
        except Garbled as fault:
            self._break(ConnectionError(f"what came is no answer: {fault}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(exc or ConnectionError("Redis closed the connection"))

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        # Never waits for the socket to take everything: the committers see to it that little is on its way at any time.
        if not self.is_broken:
            self._transport.write(b"".join(unsent))

    def _look(self) -> None:
        """Once in a while: has the oldest call waited too long? Then nobody can tell the later ones' answers apart.

        Answers come in turn: while bytes come they are its answer's, or one's before it, and are waited for however
        slow the link is.
        """
        self._watch = None
        if not self._waiting:
            return
        left_s = max(self._waiting[0][1], self._heard_at_s + self._timeout_s) - self._loop.time()
        if left_s <= 0:
            self._break(TimeoutError(f"no answer within {self._timeout_s:g} s"))
        else:
            self._watch = self._loop.call_later(left_s, self._look)

    def _answer_error(self, hear: Hear, fault: RedisError) -> None:
        hear(translated(fault, was_sent=False))
        if isinstance(fault, ReadOnlyError | AuthenticationError):
            # A failover, or a new password: another connection may do better.
            self._break(fault)

    def _break(self, fault: BaseException) -> None:
        """Give the connection up. What was sent on it and not answered may have been done."""
        self.is_broken = True
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            hear, _ = self._waiting.popleft()
            hear(translated(fault, was_sent=True))
        self._transport.abort()


def settle(reply: "asyncio.Future[Any]", answer: Any) -> None:
    """Have a future end with what was heard, unless nobody waits for it any more."""
    if reply.done():
        return
    if isinstance(answer, Exception):
        reply.set_exception(answer)
    else:
        reply.set_result(answer)


def translated(fault: BaseException, *, was_sent: bool) -> Exception:
    """What callers are told for an exception of redis-py's."""
    if isinstance(fault, NoScriptError):
        return MissingScript()
    if isinstance(fault, MovedError):
        return Moved(fault.slot_id, fault.host, fault.port)
    refusal = _refusal(fault) if isinstance(fault, RedisError) else None
    if refusal is not None:
        return RedisUnavailable(refusal)
    if isinstance(fault, ConnectionError | TimeoutError | OSError):
        kind = OutcomeUnknown if was_sent else RedisUnavailable
        reason = str(fault) or type(fault).__name__
        return kind(f"{'no answer from' if was_sent else 'no connection to'} Redis: {reason}")
    return fault if isinstance(fault, Exception) else RuntimeError(repr(fault))


def _refusal(fault: RedisError) -> str | None:
    """What Redis refused for now; None where the fault is another one.

    WHY three places to look: redis-py takes the first word away where it has a class of its own for it (OOM, ASK,
    CLUSTERDOWN …) and keeps it as the status_code; where a script was refused, it may stand behind "ERR script:".
    """
    if isinstance(fault, AuthenticationError):
        return _REFUSALS["NOAUTH" if fault.status_code == "NOAUTH" else "WRONGPASS"]
    words = (fault.status_code or "", *str(fault).split(" ", 2)[:2])
    return next((_REFUSALS[word] for word in words if word in _REFUSALS), None)
