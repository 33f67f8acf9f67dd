"""What a strict reader makes of a connection's bytes: an opinion of its own, to hold against the server's.

Written from RFC 9112 and the documented limits, by splitting and counting; it shares no line with lib/http1. It says
how many requests stand there whole, and how it goes on behind them:

    END       nothing is left
    CUT       a request has begun and may still become anything: no answer, or one refusal
    REFUSED   no valid request, whatever were to follow: one refusal, and nothing behind it is ever answered
"""

import ipaddress
import string
from collections.abc import Iterator
from typing import NamedTuple

END, CUT, REFUSED = "end", "cut", "refused"
LINE_BYTES, FIELD_BYTES, FIELDS, BODY_BYTES = 8192, 16384, 64, 1024 * 1024
BATCH_BYTES = {b"application/json": 8 * BODY_BYTES, b"application/x-ndjson": 256 * BODY_BYTES}

TCHARS = frozenset(b"!#$%&'*+-.^_`|~" + (string.ascii_letters + string.digits).encode())
HEX = frozenset(string.hexdigits.encode())
DIGITS = frozenset(string.digits.encode())
VALUE = frozenset({9, *range(0x20, 0x7F), *range(0x80, 0x100)})
UNRESERVED = frozenset(b"-._~" + (string.ascii_letters + string.digits).encode())
SUB_DELIMS = frozenset(b"!$&'()*+,;=")
PATH = UNRESERVED | SUB_DELIMS | frozenset(b":@/")
QUERY = PATH | frozenset(b"?{}|^`\\[]")
METHODS = frozenset(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL"
    b" MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH"
    b" TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)
ONCE = frozenset(
    b"authorization content-length content-location content-range content-type date from host idempotency-key"
    b" if-modified-since if-range if-unmodified-since last-event-id max-forwards proxy-authorization range referer"
    b" traceparent transfer-encoding user-agent x-request-id".split()
)


class Seen(NamedTuple):
    """One request, or the place where they end. state: None for a whole request; has_head: its head was good; is_batch:
    its body is taken as it arrives."""

    state: str | None
    is_head: bool = False
    has_body: bool = False
    keeps_alive: bool = False
    has_head: bool = False
    is_batch: bool = False


class Refused(Exception):
    """No strict reader takes this."""


class Cut(Exception):
    """More bytes would be needed."""


def requests_in(raw: bytes) -> Iterator[Seen]:
    """What stands in `raw`, in order; the last one has a state."""
    while True:
        raw = raw[2:] if raw.startswith(b"\r\n") else raw
        if not raw:
            yield Seen(END)
            return
        # Its sender reads no body behind the answer, even where no more of it than this can be read.
        is_head = raw.startswith(b"HEAD ")
        head, found, raw = raw.partition(b"\r\n\r\n")
        try:
            if not found:
                raise Cut
            seen, length, most = _head(head)
        except Refused:
            yield Seen(REFUSED, is_head)
            return
        except Cut:
            yield Seen(CUT, is_head)
            return
        try:
            raw = _behind_chunks(raw, most) if length is None else _behind(raw, length, most)
        except (Refused, Cut) as fault:
            yield seen._replace(state=REFUSED if isinstance(fault, Refused) else CUT)
            return
        yield seen


def _must(condition: object) -> None:
    if not condition:
        raise Refused


def _head(head: bytes) -> tuple[Seen, int | None, int]:
    """The request that a head begins, its Content-Length (None where it is chunked), and the most that it may be."""
    line, _, block = head.partition(b"\r\n")
    _must(len(line) <= LINE_BYTES and len(block) + (2 if block else 0) <= FIELD_BYTES)
    parts = line.split(b" ")
    _must(len(parts) == 3)
    method, target, version = parts
    _must(len(version) == 8 and version.startswith(b"HTTP/1.") and version[7] in DIGITS)
    _must(method in METHODS)
    is_old = version == b"HTTP/1.0"
    fields = _fields(block)
    path = _path(method, target)
    is_batch = method == b"POST" and path == b"/api/jobs/batch"
    if b"host" in fields:
        _check_host(fields[b"host"])
    _must(is_old or b"host" in fields)
    _must(is_old or fields.get(b"expect", b"100-continue").lower() == b"100-continue")
    options = [option.strip(b" \t").lower() for option in fields.get(b"connection", b"").split(b",")]
    keeps_alive = b"close" not in options and (not is_old or b"keep-alive" in options)
    length = _length(fields, is_old)
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    most = BATCH_BYTES.get(kind, BODY_BYTES) if is_batch else BODY_BYTES
    return Seen(None, method == b"HEAD", length != 0, keeps_alive, True, is_batch), length, most


def _fields(block: bytes) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    lines = block.split(b"\r\n") if block else []
    _must(len(lines) <= FIELDS)
    for line in lines:
        name, colon, value = line.partition(b":")
        _must(name and colon and TCHARS.issuperset(name) and VALUE.issuperset(value))
        name, value = name.lower(), value.strip(b" \t")
        _must(name not in fields or name not in ONCE)
        fields[name] = fields[name] + b"," + value if name in fields else value
    return fields


def _length(fields: dict[bytes, bytes], is_old: bool) -> int | None:
    if b"transfer-encoding" in fields:
        _must(b"content-length" not in fields and not is_old)
        _must(fields[b"transfer-encoding"].lower() == b"chunked")
        return None
    text = fields.get(b"content-length", b"0")
    _must(text and DIGITS.issuperset(text))
    # Whoever writes twenty digits means no length, be they zeros: it is refused as one above every limit.
    return int(text) if len(text) < 20 else 10**20


def _path(method: bytes, target: bytes) -> bytes:
    _must(target and all(0x21 <= byte <= 0x7E for byte in target))
    if target == b"*":
        _must(method == b"OPTIONS")
        return target
    scheme, found, rest = target.partition(b"://")
    if not target.startswith(b"/"):
        _must(found and scheme.lower() in (b"http", b"https"))
        size = min(len(rest), *(place for mark in (b"/", b"?") if (place := rest.find(mark)) >= 0), 10**9)
        _check_host(rest[:size])
        target = rest[size:]
    path, _, query = target.partition(b"?")
    _check_escapes(path, PATH)
    _check_escapes(query, QUERY)
    return path


def _check_escapes(text: bytes, allowed: frozenset[int]) -> None:
    first, *others = text.split(b"%")
    _must(allowed.issuperset(first))
    for part in others:
        _must(len(part) >= 2 and HEX.issuperset(part[:2]) and allowed.issuperset(part[2:]))


def _check_host(host: bytes) -> None:
    if host.startswith(b"["):
        address, found, port = host[1:].partition(b"]")
        _must(found and b"%" not in address and (not port or port.startswith(b":")))
        port = port[1:]
        try:
            ipaddress.IPv6Address(address.decode("latin-1"))
        except ValueError:
            raise Refused from None
    else:
        name, _, port = host.partition(b":")
        _must(name)
        _check_escapes(name, UNRESERVED | SUB_DELIMS)
    _must(len(port) <= 5 and DIGITS.issuperset(port) and int(port or b"0") <= 65535)


def _behind(raw: bytes, length: int, most: int) -> bytes:
    _must(length <= most)
    if len(raw) < length:
        raise Cut
    return raw[length:]


def _behind_chunks(raw: bytes, most: int) -> bytes:
    body_bytes = extension_bytes = 0
    while True:
        line, found, raw = raw.partition(b"\r\n")
        if not found:
            raise Cut
        size_bytes, extension = _chunk_size(line)
        extension_bytes += extension
        _must(extension <= 1024 and extension_bytes <= 1024 + body_bytes)
        body_bytes += size_bytes
        _must(body_bytes <= most)
        if not size_bytes:
            return _behind_trailers(raw)
        end, raw = raw[size_bytes : size_bytes + 2], raw[size_bytes + 2 :]
        _must(b"\r\n".startswith(end))
        if len(end) < 2:
            raise Cut


def _chunk_size(line: bytes) -> tuple[int, int]:
    """(the size, the bytes of its extensions)."""
    digits = line[: next((place for place, byte in enumerate(line) if byte not in HEX), len(line))]
    _must(1 <= len(digits) <= 16)
    rest = line[len(digits) :]
    size = len(rest)
    while rest:
        rest = rest.lstrip(b" \t")
        _must(rest.startswith(b";"))
        name, rest = _token(rest[1:].lstrip(b" \t"))
        _must(name)
        valued = rest.lstrip(b" \t")
        if valued.startswith(b"="):
            rest = _behind_value(valued[1:].lstrip(b" \t"))
    return int(digits, 16), size


def _token(text: bytes) -> tuple[bytes, bytes]:
    size = next((place for place, byte in enumerate(text) if byte not in TCHARS), len(text))
    return text[:size], text[size:]


def _behind_value(text: bytes) -> bytes:
    if not text.startswith(b'"'):
        token, rest = _token(text)
        _must(token)
        return rest
    place = 1
    while place < len(text) and text[place] != ord('"'):
        step = 2 if text[place] == ord("\\") else 1
        # A quoted pair holds no obs-text here: nobody sends it, and readers differ.
        _must(place + step <= len(text) and text[place + step - 1] in VALUE)
        _must(step == 1 or text[place + 1] < 0x80)
        place += step
    _must(place < len(text))
    return text[place + 1 :]


def _behind_trailers(raw: bytes) -> bytes:
    if raw.startswith(b"\r\n"):
        return raw[2:]
    block, found, rest = raw.partition(b"\r\n\r\n")
    if not found:
        raise Cut
    _must(len(block) + 2 <= FIELD_BYTES)
    _fields(block)
    return rest
