"""Every number that bounds a request or a connection, in one frozen value that is handed down.

The parser reads the sizes, the connection the times, the listener `sweep_s`.
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
    """For one request the app may set another in `Request.body_limit_bytes` while it admits it."""
    chunk_extension_bytes: int = 1024
    """The extensions of one chunk, and by how much those of all may be longer than the body so far: one-byte chunks
    with long extensions are an amplifier."""

    head_s: float = 10.0
    """From a request's first byte to the end of its head, and from the accept to the first byte."""
    body_s: float = 30.0
    body_grace_s: float = 5.0
    """A body may be this late against `body_rate_bytes_s` before it counts as too slow."""
    body_rate_bytes_s: int = 256
    idle_s: float = 75.0
    """Announced to the client. The connection is closed `idle_grace_s` later."""
    idle_grace_s: float = 1.0
    """Clients that heed the announcement are the first to close then, so that none sends into a closing connection."""
    write_s: float = 30.0
    """The peer must take all of an answer within this."""
    linger_s: float = 60.0
    """After the last answer: how long to read and drop what still comes, so that a reset does not eat the answer. A
    crowd of `lingering_at_once` that sends 5 MB each takes 10 s, on a busy machine several times that."""
    linger_quiet_s: float = 5.0
    """So long without a byte, where some are still to come; nginx waits as long."""
    linger_done_s: float = 1.0
    """The same where none are: a client that has sent all it wants need but close."""
    linger_drain_s: float = 0.5
    """In all, while the listener drains: who lingers has been answered, and must not hold up a stop."""
    linger_bytes: int = 64 * 1024 * 1024
    lingering_at_once: int = 500
    """Half of MAX_CONNECTIONS' default; each costs a descriptor and some kilobytes."""
    sweep_s: float = 1.0
    """How often deadlines are looked at: each may be this late."""

    requests_per_connection: int = 1000
    pipelined_bytes: int = 64 * 1024
    """Reading stops while more than this waits behind an unanswered request."""
    pipelined_requests: int = 16
    """So many pipelined requests are answered in a row before other connections get their turn."""
