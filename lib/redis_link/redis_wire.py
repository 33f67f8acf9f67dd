"""One connection to one Redis, shared by all calls, and the meaning of each failure.

redis-py opens the connection (address, TLS, password, database) and single.py hands it to a `RedisWire`, which takes
over the socket: commands go out as `resp.encoded` writes them, replies are read by `resp.Replies`. Redis answers in the
order in which it was asked, so the oldest call that waits gets the next reply.

An error reply of Redis' (`-OOM command not allowed …`) and an exception of redis-py's become here, once, an exception
that the rest of Waybill knows: see `fault_of_reply` and `translated`.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, ConnectionError, RedisError, ResponseError, TimeoutError

from lib.errors import OutcomeUnknown, RedisUnavailable
from lib.redis_link.resp import Command, Garbled, Replies, ReplyError, encoded

OnReply = Callable[[Any], None]
"""Called with a reply, or with the exception that stands for the reply. Must not raise."""

# First word of an error reply -> why Redis refuses the command for now. Nothing was done, and the same command may
# succeed later. Any error that does not begin with one of these words is a bug of Waybill's or a broken key.
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
# After an error of these words (a failover, a new password) a new connection may do better.
_RECONNECT = ("READONLY", "NOAUTH", "WRONGPASS")


class MissingScript(Exception):
    """Redis does not hold the script of that hash (it was restarted, or SCRIPT FLUSH): send the script's text."""


class Moved(Exception):
    """In a Cluster: another node, `node`, has the slot by now."""

    def __init__(self, slot: int, host: str, port: int) -> None:
        super().__init__(f"slot {slot} is on {host}:{port}")
        self.slot = slot
        self.node = (host, port)


class RedisWire(asyncio.Protocol):
    """One connection that all calls share: each command is written at once and answered in its turn.

    Commands that are sent in one turn of the event loop leave in one packet, and their replies come back in one.
    """

    def __init__(self, connection: AbstractConnection, timeout_s: float) -> None:
        """connection: one of redis-py's, open and idle; its socket is taken over. timeout_s: how long a reply may take;
        it may be changed while no call waits.

        WHY `_writer`, a private name of redis-py's: nothing public of a connection leads to its transport.
        """
        assert connection._writer is not None
        self._connection = connection  # Kept: redis-py closes the socket of a connection that is garbage collected.
        self._transport = connection._writer.transport
        self._transport.set_protocol(self)
        self.timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._replies = Replies()
        self._waiting: deque[tuple[OnReply, float]] = deque()
        self._unsent: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._received_at_s = 0.0
        self.is_broken = False

    def send(self, command: Command, on_reply: OnReply) -> None:
        """Send a command; `on_reply` is called with its reply, in the turn of the loop in which the reply comes."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(encoded(command))
        self._waiting.append((on_reply, self._loop.time() + self.timeout_s))
        if self._timer is None:
            self._timer = self._loop.call_later(self.timeout_s, self._check_oldest)

    def call(self, command: Command) -> "asyncio.Future[Any]":
        """Send a command; the future ends with the reply. To cancel the future changes nothing for other calls."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        self.send(command, functools.partial(settle, reply))
        return reply

    def close(self) -> None:
        self._break(ConnectionError("closed"))

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        self._received_at_s = self._loop.time()
        try:
            for reply in self._replies.feed(data):
                if not self._waiting:
                    raise Garbled("a reply to no command")
                on_reply, _ = self._waiting.popleft()
                if isinstance(reply, ReplyError):
                    self._answer_error(on_reply, str(reply))
                else:
                    on_reply(reply)
        except Garbled as fault:
            self._break(ConnectionError(f"what came is no answer: {fault}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(exc or ConnectionError("Redis closed the connection"))

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        # Does not wait until the socket has taken everything: the committers bound how much is in flight at a time.
        if not self.is_broken:
            self._transport.write(b"".join(unsent))

    def _check_oldest(self) -> None:
        """Break the connection if the oldest call has waited for too long: no later reply could be told from its own.

        Replies come in turn, so bytes that come belong to the oldest call's reply or to one before it: while bytes
        come, the call is waited for, however slow the link is.
        """
        self._timer = None
        if not self._waiting:
            return
        left_s = max(self._waiting[0][1], self._received_at_s + self.timeout_s) - self._loop.time()
        if left_s <= 0:
            self._break(TimeoutError(f"no answer within {self.timeout_s:g} s"))
        else:
            self._timer = self._loop.call_later(left_s, self._check_oldest)

    def _answer_error(self, on_reply: OnReply, text: str) -> None:
        on_reply(fault_of_reply(text))
        if text.startswith(_RECONNECT):
            self._break(ResponseError(text))

    def _break(self, fault: BaseException) -> None:
        """Give the connection up. Redis may have run any command that was sent on it and not answered."""
        self.is_broken = True
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            on_reply, _ = self._waiting.popleft()
            on_reply(translated(fault, was_sent=True))
        self._transport.abort()


def settle(future: "asyncio.Future[Any]", reply: Any) -> None:
    """End a future with a reply, or with the exception that stands for one; a future that was cancelled stays so."""
    if future.done():
        return
    if isinstance(reply, Exception):
        future.set_exception(reply)
    else:
        future.set_result(reply)


def fault_of_reply(text: str) -> Exception:
    """The exception for an error reply of Redis'.

    NOSCRIPT No matching script.            -> MissingScript
    MOVED 12 127.0.0.1:7001                 -> Moved
    OOM command not allowed when …          -> RedisUnavailable("Redis is at its maxmemory")
    WRONGTYPE Operation against a key …     -> ResponseError with that text; so for every other word
    """
    word, _, rest = text.partition(" ")
    if word == "NOSCRIPT":
        return MissingScript()
    if word == "MOVED":
        slot, node = rest.split(" ")
        host, _, port = node.rpartition(":")
        return Moved(int(slot), host, int(port))
    refusal = _refusal(text)
    return ResponseError(text.removeprefix("ERR ")) if refusal is None else RedisUnavailable(refusal)


def translated(fault: BaseException, *, was_sent: bool) -> Exception:
    """The exception for what redis-py or the socket raised.

    was_sent: a command was sent on the connection, so it may have been run (OutcomeUnknown, not RedisUnavailable).
    """
    refusal = _refusal_of_redis_py(fault) if isinstance(fault, RedisError) else None
    if refusal is not None:
        return RedisUnavailable(refusal)
    if isinstance(fault, ConnectionError | TimeoutError | OSError):
        kind = OutcomeUnknown if was_sent else RedisUnavailable
        reason = str(fault) or type(fault).__name__
        return kind(f"{'no answer from' if was_sent else 'no connection to'} Redis: {reason}")
    return fault if isinstance(fault, Exception) else RuntimeError(repr(fault))


def _refusal_of_redis_py(fault: RedisError) -> str | None:
    """Why Redis refused what redis-py sent when it connected; None if the exception is about something else.

    redis-py removes the first word of an error reply for which it has a class of its own (OOM, ASK, CLUSTERDOWN …) and
    keeps the word as `status_code`.
    """
    if isinstance(fault, AuthenticationError):
        return _REFUSALS["NOAUTH" if fault.status_code == "NOAUTH" else "WRONGPASS"]
    return _refusal(f"{fault.status_code} {fault}" if fault.status_code else str(fault))


def _refusal(text: str) -> str | None:
    """Why Redis refuses for now, by the words that an error reply begins with; None if no such word is there.

    WHY three words: a refusal inside a script may stand behind two more, `ERR user_script:3: OOM command not …`.
    """
    return next((_REFUSALS[word] for word in text.split(" ", 3)[:3] if word in _REFUSALS), None)
