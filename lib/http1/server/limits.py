"""Every number that bounds a request or a connection, in one frozen value.

head.py, parser.py and ../chunked.py read the sizes, life.py and connection.py the times, listener.py `sweep_s`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. The defaults are the documented ones; tests shrink them."""

    request_line_bytes: int = 8 * 1024
    header_bytes: int = 16 * 1024
    """All fields of one head or one trailer section, without the request line and the empty line."""
    header_fields: int = 64
    body_bytes: int = 1024 * 1024
    """For one request the application may set another limit in `Request.body_limit_bytes` while it admits it."""
    chunk_extension_bytes: int = 1024
    """The extensions of one chunk. All extensions of a body together may be longer than the body so far by as much:
    one-byte chunks with long extensions are an amplifier."""

    head_s: float = 10.0
    """From a request's first byte to the end of its head, and from the accept to the first byte."""
    body_s: float = 30.0
    """From the end of the head to the end of the body; for a body that is taken in pieces, the wait for one piece."""
    body_grace_s: float = 5.0
    """A body may be this late against `body_rate_bytes_s` before it counts as too slow."""
    body_rate_bytes_s: int = 256
    idle_s: float = 75.0
    """How long a connection may be idle, as announced to the client. It is closed `idle_grace_s` later."""
    idle_grace_s: float = 1.0
    """Clients that heed the announcement close first, and none of them sends into a connection that is closing."""
    write_s: float = 30.0
    """The client must take all of an answer within this."""
    linger_s: float = 60.0
    """After the last answer: how long to read and drop what still comes, so that a reset does not eat the answer. A
    crowd of `lingering_at_once` clients that sends 5 MB each takes 10 s, on a busy machine several times that."""
    linger_quiet_s: float = 5.0
    """A lingering client that may still be sending is cut off after so long without a byte; nginx waits as long."""
    linger_done_s: float = 1.0
    """The same for a client that has sent all it wants, and need but close."""
    linger_drain_s: float = 0.5
    """All the lingering there is while the listener drains: these clients have their answers and must not hold up a
    stop."""
    linger_bytes: int = 64 * 1024 * 1024
    """The most bytes that one lingering client may send."""
    lingering_at_once: int = 500
    """Half of MAX_CONNECTIONS' default; each costs a descriptor and some kilobytes."""
    sweep_s: float = 1.0
    """How often the listener looks for deadlines that have passed: each may be noticed this late."""

    requests_per_connection: int = 1000
    """The answer to the last of them closes the connection."""
    pipelined_bytes: int = 64 * 1024
    """Reading stops while more than this waits behind an unanswered request."""
    pipelined_requests: int = 16
    """So many pipelined requests are answered in a row before other connections get their turn."""

    @property
    def idle_close_s(self) -> float:
        """How long a connection is left idle before it is closed."""
        return self.idle_s + self.idle_grace_s

    def body_earned_s(self, arrived_bytes: int) -> float:
        """How long a body may have taken of which `arrived_bytes` have come."""
        return self.body_grace_s + arrived_bytes / self.body_rate_bytes_s
