"""Header fields, as both sides of HTTP/1.1 read and write them. Pure.

A message's fields stand between its first line and an empty line. A chunked body may end in more fields, its trailers.

    "Host: a:8000\\r\\nAccept: text/html\\r\\nAccept: */*\\r\\n"   <->   {"host": "a:8000", "accept": "text/html, */*"}

Reading is strict: a field line that could be understood in two ways is refused (RFC 9112 section 5.1). Writing raises
ValueError for a name or a value that would begin a field of its own.
"""

import functools
import re

from lib.errors import BadRequest, HeadersTooLarge, HttpError

# Fields that have one value. A second line of one of these could be read in two ways (RFC 9110 section 5.3).
SINGLE = """
    authorization content-length content-location content-range content-type date from host idempotency-key
    if-modified-since if-range if-unmodified-since last-event-id max-forwards proxy-authorization range referer
    traceparent transfer-encoding user-agent x-request-id
"""
SINGLE_FIELDS = frozenset(SINGLE.split())

# The connection writes these: an application that sent them too would frame the message twice.
RESERVED_FIELDS = frozenset({"connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding"})

TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD_LINE = rf"{TCHARS}++:[\t -~\x80-\xff]*+\r\n"
FIELD_LINES = re.compile(rf"(?>(?:{FIELD_LINE})*)")

# No head, trailer section or chunk-size line may hold these, whatever bytes follow.
BAD_BYTE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n")


# Reading.


def parse_fields(block: str, most_fields: int) -> dict[str, str]:
    """Lower-case names and their values, from field lines that FIELD_LINES has matched.

    A list field that came in several lines is joined with ", ". Raises HeadersTooLarge for more than `most_fields`
    lines, and BadRequest for a second line of a field that has one value."""
    lines = block.split("\r\n")
    if len(lines) - 1 > most_fields:
        raise HeadersTooLarge(f"More than {most_fields} header fields.")
    lines.pop()
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        # strip() without an argument would also eat \xa0 and \x85.
        value = value.strip(" \t")
        headers[name] = value if name not in headers else _joined(name, headers[name], value)
    return headers


def _joined(name: str, former: str, value: str) -> str:
    if name in SINGLE_FIELDS:
        raise BadRequest(f"The field {name} came twice.")
    # Cookie is the one list field that is not joined with a comma (RFC 9113 section 8.2.3).
    return f"{former}; {value}" if name == "cookie" else f"{former}, {value}"


def field_lines_error(block: str) -> HttpError:
    """The error for a block of field lines that FIELD_LINES has not matched; names the first bad line."""
    for number, line in enumerate(block.split("\r\n"), start=1):
        if line and not FIELD_LINES.fullmatch(line + "\r\n"):
            kind = "is folded" if line[0] in " \t" else "is not a token, a colon and a value"
            return BadRequest(f"Header field line {number} {kind}.")
    return BadRequest("A header field line is not a token, a colon and a value.")


def bad_byte_error() -> HttpError:
    """The error for a BAD_BYTE."""
    return BadRequest("A control character, or a CR or LF without the other.")


def refuse_bad_bytes(buffer: bytearray, start: int, end: int) -> None:
    """Raises BadRequest for a BAD_BYTE in buffer[start:end]: an unfinished line with such a byte is refused at once."""
    if BAD_BYTE.search(buffer, max(0, start - 1), end):
        raise bad_byte_error()


# Writing.


class FieldBlock:
    """Header fields that many messages share, checked and put together once. Raises ValueError as `field_name` does."""

    __slots__ = ("text",)

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.text = "".join(field_name(name) + field_value(value) for name, value in headers)


@functools.lru_cache(maxsize=256)
def field_name(name: str) -> str:
    """A line's beginning: "X-Request-ID" -> "X-Request-ID: ".

    Raises ValueError for a reserved or empty name, for CR, LF or NUL, and for characters outside Latin-1."""
    if name.lower() in RESERVED_FIELDS:
        raise ValueError(f"{name} is written by the connection")
    if not name:
        raise ValueError("a header field without a name")
    return field_value(name)[:-2] + ": "


def field_value(text: str) -> str:
    """A line's end: "r1" -> "r1\\r\\n". Raises ValueError for CR, LF or NUL, and for characters outside Latin-1."""
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError(f"CR, LF or NUL in the header field {text!r}")
    if not text.isascii():
        text.encode("latin-1")
    return text + "\r\n"


@functools.lru_cache(maxsize=64)
def content_type_line(content_type: str) -> str:
    """The line of Content-Type, which `field_name` refuses. Raises ValueError as `field_value` does."""
    return "Content-Type: " + field_value(content_type)
