"""One connection's way through life.py's table: its state, its deadline, and its end.

Made by connection.py, which calls `step` for each event, and `linger` behind the last answer. A connection ends in this
order: close the sending half, read on and throw away what still arrives (lingering.py says why), close.
"""

import select
from math import inf
from typing import Generic

from lib.http1.app import RequestT
from lib.http1.server.common import Common
from lib.http1.server.incoming import Incoming
from lib.http1.server.life import Event, State
from lib.http1.server.lingering import Closable
from lib.http1.server.outgoing import Outgoing


class Lifeline(Generic[RequestT]):
    """State and deadline of one connection, both changed by `step` alone."""

    def __init__(self, common: Common[RequestT]) -> None:
        self.state: State = "head"
        self.deadline_s = inf
        """When the listener is to call Connection.expire(), on `Common.clock`."""
        self._common = common
        self._timetable = common.timetable
        self._linger_until_s = inf

    def begin(self, incoming: Incoming[RequestT], outgoing: Outgoing) -> None:
        """The socket is there. Until then `deadline_s` is inf."""
        self._in = incoming
        self._out = outgoing
        self.step("accepted", self._common.clock())

    def step(self, event: Event, from_s: float = 0.0, latest_s: float = inf) -> None:
        """Take a step of life.py's table. The deadline is the table's, counted from `from_s`, but not after `latest_s`.

        Raises KeyError for an event that the table does not have in this state: a fault of ours."""
        self.state, wait_s = self._timetable[event][self.state]
        if not self._out.is_paused:
            deadline_s = from_s + wait_s
            self.deadline_s = deadline_s if deadline_s < latest_s else latest_s

    def await_next(self) -> None:
        """Wait for the next request. It has begun already if bytes of it came with the former request."""
        self.step("next_begun" if self._in.parser.buffered_bytes else "next_awaited", self._common.clock())

    def await_body(self, event: Event) -> None:
        """Wait for the rest of a body: longer if more of it has come, but no longer than `body_s` in all."""
        begun_s = self._in.body_from_s
        self.step(event, begun_s, begun_s + self._common.limits.body_earned_s(self._in.parser.body_bytes))

    def is_over(self) -> bool:
        """Nobody is left to be answered."""
        if self._out.transport.is_closing():
            # A write has failed, and connection_lost is yet to come.
            self.step("lost")
        return self.state == "closed"

    def has_unread_bytes(self) -> bool:
        """Whether bytes have come since the last read of the socket."""
        poll = select.poll()
        poll.register(self._out.transport.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))

    def linger(self, connection: Closable, *, is_more_due: bool) -> None:
        """Half-close and drop what still arrives: closing over unread bytes sends a reset that eats the answer.

        connection: the one whose life this is. is_more_due: the client may still be sending."""
        self._in.forget()
        self.linger_on("cut_short" if is_more_due else "answered_last")
        if self._in.has_eof:
            self._out.transport.close()
            return
        try:
            self._out.transport.write_eof()
        except OSError:
            # ENOTCONN: the client was gone, and its reset has answered our last write already.
            self._out.transport.abort()
            return
        self._in.resume()
        if is_more_due:
            self._wait_for_turn(connection)

    def discard(self, connection: Closable, count_bytes: int) -> None:
        """Count bytes that came while the connection lingers; the next read overwrites them in the read buffer."""
        if self._in.drop(count_bytes) > self._common.limits.linger_bytes:
            self._out.transport.abort()
            return
        self.linger_on("bytes_dropped")
        self._wait_for_turn(connection)

    def linger_on(self, event: Event) -> None:
        """Step to `lingering`, or stay there. `linger_s` counts from when the kernel has the whole last answer."""
        limits, now_s = self._common.limits, self._common.clock()
        if not self._out.is_paused:
            most_s = limits.linger_drain_s if self._common.is_draining else limits.linger_s
            self._linger_until_s = min(self._linger_until_s, now_s + most_s)
        self.step(event, now_s, self._linger_until_s)

    def _wait_for_turn(self, connection: Closable) -> None:
        self._common.lingering.add(connection)
        self._common.lingering.wait_for_turn(self._out.transport)
