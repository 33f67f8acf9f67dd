"""A request as it goes out, and an answer as it came in. Pure values."""

from collections.abc import Sequence
from typing import NamedTuple

from lib.http1.client.url import Url


class ClientRequest(NamedTuple):
    """fields: all but Host, Content-Length, Connection and Accept-Encoding, which the client writes itself."""

    method: str
    url: Url
    fields: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Answer(NamedTuple):
    """An answer of any status.

    fields: names in lower case, in the order in which they came. body: at most its first 64 KiB. is_truncated: there
    was more of it, or the rest did not come. address: the one that was dialled, "93.184.216.34". duration_ms: from
    `send` to the end of the answer, with looking up, connecting and TLS.
    """

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes
    is_truncated: bool
    address: str
    duration_ms: float

    def field(self, name: str) -> str | None:
        """The first value of a field, its name in lower case; None if it did not come."""
        return next((value for key, value in self.fields if key == name), None)
