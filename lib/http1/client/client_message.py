"""A request as it goes out, and an answer as it came in. Pure values."""

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

from lib.http1.client.url import Url
from lib.http1.fields import TCHARS, field_value

# The client writes these itself: from its caller too, they would frame the request twice, or name another host.
_OWN = "host content-length transfer-encoding connection accept-encoding expect te trailer upgrade"
OWN_FIELDS = frozenset(_OWN.split())
# For these a server expects a length, if only 0 (RFC 9110, 8.6).
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

_TOKEN = re.compile(rf"{TCHARS}+")


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


def request_bytes(request: ClientRequest) -> bytes:
    """The whole request as it goes over the link.

    Raises ValueError for a method or a field that is none, and for a field of OWN_FIELDS."""
    if not _TOKEN.fullmatch(request.method):
        raise ValueError(f"{request.method!r} is no method")
    lines = [f"{request.method} {request.url.target} HTTP/1.1\r\nHost: {request.url.authority}\r\n"]
    lines += [_field_name(name) + field_value(value) for name, value in request.fields]
    lines.append("Accept-Encoding: identity\r\n")
    if request.body or request.method in WITH_BODY:
        lines.append(f"Content-Length: {len(request.body)}\r\n")
    return "".join([*lines, "\r\n"]).encode("latin-1") + request.body


@functools.lru_cache(maxsize=256)
def _field_name(name: str) -> str:
    """A line's beginning: "webhook-id" -> "webhook-id: "."""
    if not _TOKEN.fullmatch(name) or name.lower() in OWN_FIELDS:
        raise ValueError(f"{name!r} is no name of a field that a caller of the client may send")
    return f"{name}: "
