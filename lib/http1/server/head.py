"""The text of one head -> Request, or the HttpError that tells the caller what is wrong with it.

Called by parser.py once the empty line has come; never sees the body. One regular expression accepts or refuses the
whole head, because most heads are good and a single pass in C is the cheapest; only a refused one is looked at line by
line, to name the fault. No input makes one go back: its quantifiers are possessive over single characters, and over
groups stand in an atomic group, as in (?>(?:ab?)*). (Up to Python 3.11.4 a possessive one over a group takes too much:
https://github.com/python/cpython/issues/106052. tests/unit/test_regexes.py forbids it in all of Waybill.)
"""

import re
from ipaddress import IPv6Address
from typing import NoReturn

from lib.errors import (
    BadRequest,
    CodingUnknown,
    ExpectationFailed,
    HeadersTooLarge,
    HttpError,
    MethodUnknown,
    UriTooLong,
    VersionNotSupported,
)
from lib.http1.message import Request
from lib.http1.server.limits import Limits

# IANA's registry of methods (RFC 9110 section 16.1.1). PRI is left out: it is there only to make HTTP/2's preface fail.
REGISTERED = """
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR
    MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH
    TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
"""
METHODS = frozenset(REGISTERED.split())
LONGEST_METHOD = max(map(len, METHODS))

# Fields that have one value. A second line of one of these could be read in two ways (RFC 9110 section 5.3).
SINGLE = """
    authorization content-length content-location content-range content-type date from host idempotency-key
    if-modified-since if-range if-unmodified-since last-event-id max-forwards proxy-authorization range referer
    traceparent transfer-encoding user-agent x-request-id
"""
SINGLE_FIELDS = frozenset(SINGLE.split())

TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
FIELD_LINE = rf"{TCHARS}++:[\t -~\x80-\xff]*+\r\n"
METHOD = re.compile(rb"%b++" % TCHARS.encode())
REQUEST_LINE = re.compile(rf"({TCHARS}++) ([!-~]++) HTTP/([0-9])\.([0-9])")
FIELD_LINES = re.compile(rf"(?>(?:{FIELD_LINE})*)")
HEAD = re.compile(rf"{REQUEST_LINE.pattern}\r\n((?>(?:{FIELD_LINE})*))")

REQUEST_ID = re.compile(r"^x-request-id:([^\r]*+)\r$", re.IGNORECASE | re.MULTILINE)

# What no head, trailer or chunk-size line may hold; found early, in bytes that are not yet complete.
BAD_BYTE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n")

# RFC 3986 pchar. The query also takes what browsers send there bare (WHATWG's query set): none of it can be misread.
PCT = "%[0-9A-Fa-f]{2}"
PATH = rf"(?:/(?>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]++|{PCT})*))"
QUERY = rf"(?>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?{{}}|^`\\\[\]]++|{PCT})*)"
ORIGIN_FORM = re.compile(rf"({PATH})(?>(?:\?({QUERY}))?)")
ABSOLUTE_FORM = re.compile(rf"(?i:https?)://([^/?@]++)((?>{PATH}?))(?>(?:\?({QUERY}))?)")

REG_NAME = rf"(?>(?:[A-Za-z0-9\-._~!$&'()*+,;=]++|{PCT})+)"
HOST = re.compile(rf"(?:{REG_NAME}|\[([0-9A-Fa-f:.]++)\])(?>(?::([0-9]{{0,5}}))?)")
DIGITS = re.compile(r"[0-9]++")


def parse_head(text: str, limits: Limits) -> Request:
    """A Request without body from a head in Latin-1: the request line and all field lines, each with its CRLF.

    Raises BadRequest, HeadersTooLarge, VersionNotSupported, MethodUnknown, CodingUnknown or ExpectationFailed."""
    match = HEAD.fullmatch(text)
    if match is None:
        raise explain(text)
    method, target, major, minor, block = match.groups()
    if major != "1":
        raise VersionNotSupported(f"HTTP/{major}.{minor} is not spoken here: use HTTP/1.1.")
    if method not in METHODS:
        # Quoted in the log: what is longer than any method may be something else, and secret.
        name = method if len(method) <= LONGEST_METHOD else "That"
        raise MethodUnknown(f"{name} is not a registered HTTP method (methods are upper-case).")
    headers = parse_fields(block, limits)
    version = "1.0" if minor == "0" else "1.1"
    path, query, authority = split_target(method, target)
    host = _host(headers, version)
    length, is_chunked = _framing(headers, version)
    return Request(
        method,
        target,
        path,
        query,
        version,
        headers,
        host if authority is None else authority,
        _keeps_alive(headers, version),
        length,
        is_chunked,
        _expects_continue(headers, version),
        limits.body_bytes,
    )


def said_id(text: str) -> str | None:
    """The X-Request-ID of a head that was refused; None where it has none or several, or can't be read as lines."""
    request_line, _, block = text.partition("\r\n")
    # Of a request line with control characters an unfinished head is refused as well, before its fields are here.
    found = REQUEST_ID.findall(block) if request_line.isprintable() and FIELD_LINES.fullmatch(block) else []
    return found[0].strip(" \t") if len(found) == 1 else None


def parse_fields(block: str, limits: Limits) -> dict[str, str]:
    """Field lines that FIELD_LINES matched -> lower-case name to value."""
    lines = block.split("\r\n")
    if len(lines) - 1 > limits.header_fields:
        raise HeadersTooLarge(f"More than {limits.header_fields} header fields.")
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
    # RFC 9113 section 8.2.3 names the one list field that is not joined with a comma.
    return f"{former}; {value}" if name == "cookie" else f"{former}, {value}"


def split_target(method: str, target: str) -> tuple[str, str, str | None]:
    """(path, query, authority or None): RFC 9112 section 3.2's four forms. Raises BadRequest, MethodUnknown."""
    if method == "CONNECT":
        raise MethodUnknown("CONNECT is not served here: this is not a proxy.")
    if match := ORIGIN_FORM.fullmatch(target):
        return match[1], match[2] or "", None
    if target == "*" and method == "OPTIONS":
        return "*", "", None
    if match := ABSOLUTE_FORM.fullmatch(target):
        empty_path = "*" if method == "OPTIONS" and match[3] is None else "/"
        return match[2] or empty_path, match[3] or "", _checked_host(match[1])
    raise BadRequest("The request target is neither a path nor an http URL, or holds characters to percent-encode.")


def _host(headers: dict[str, str], version: str) -> str:
    value = headers.get("host")
    if value is not None:
        return _checked_host(value)
    if version == "1.0":
        return ""
    raise BadRequest("HTTP/1.1 needs a Host field.")


def _checked_host(value: str) -> str:
    match = HOST.fullmatch(value)
    if match is None or (match[2] and int(match[2]) > 65535):
        raise BadRequest("The host is not a name or an address with an optional port.")
    if match[1] is not None:
        try:
            IPv6Address(match[1])
        except ValueError:
            raise BadRequest("The host is not a valid IPv6 address.") from None
    return value.lower()


def _framing(headers: dict[str, str], version: str) -> tuple[int, bool]:
    """(content length, is chunked). RFC 9112 section 6.3: where both could apply, neither is believed."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None:
            raise BadRequest("Content-Length and Transfer-Encoding exclude each other.")
        _check_coding(coding, version)
        return 0, True
    if length is None:
        return 0, False
    if not DIGITS.fullmatch(length):
        raise BadRequest("Content-Length must be one decimal number.")
    # int() refuses more than 4,300 digits; 20 are over every limit already.
    return (int(length) if len(length) < 20 else 10**20), False


def _check_coding(coding: str, version: str) -> None:
    if version == "1.0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
    codings = [part.strip(" \t").lower() for part in coding.split(",")]
    if codings.count("chunked") != 1 or codings[-1] != "chunked" or "" in codings:
        raise BadRequest("Transfer-Encoding must end in chunked, once.")
    if len(codings) > 1:
        raise CodingUnknown("chunked is the only transfer coding known here.")


def _keeps_alive(headers: dict[str, str], version: str) -> bool:
    value = headers.get("connection")
    if value is None:
        return version == "1.1"
    options = {part.strip(" \t").lower() for part in value.split(",")}
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


def _expects_continue(headers: dict[str, str], version: str) -> bool:
    value = headers.get("expect")
    # RFC 9110 section 10.1.1: in HTTP/1.0 the field is ignored.
    if value is None or version == "1.0":
        return False
    if value.lower() != "100-continue":
        raise ExpectationFailed("The only expectation known here is 100-continue.")
    return True


def explain(text: str) -> HttpError:
    """The error for a head that HEAD did not match: names the first line at fault."""
    request_line, _, block = text.partition("\r\n")
    if BAD_BYTE.search(text.encode("latin-1")):
        return BadRequest("A control character, or a CR or LF without the other.")
    if not REQUEST_LINE.fullmatch(request_line):
        return BadRequest("The request line must be: method, one space, target, one space, HTTP/1.1.")
    return explain_fields(block)


def explain_fields(block: str) -> HttpError:
    """The error for field lines that FIELD_LINES did not match."""
    for number, line in enumerate(block.split("\r\n"), start=1):
        if line and not FIELD_LINES.fullmatch(line + "\r\n"):
            kind = "is folded" if line[0] in " \t" else "is not a token, a colon and a value"
            return BadRequest(f"Header field line {number} {kind}.")
    return BadRequest("A header field line is not a token, a colon and a value.")


def refuse_bad_bytes(buffer: bytearray, start: int, end: int) -> None:
    """Raise BadRequest for a byte in buffer[start:end] that no later byte can make right."""
    if BAD_BYTE.search(buffer, max(0, start - 1), end):
        raise BadRequest("A control character, or a CR or LF without the other.")


def refuse_long_line(line: bytes) -> NoReturn:
    """Raise for a request line over its limit: a method without end is unknown, else the target is too long."""
    method, space, _ = line.partition(b" ")
    if not METHOD.fullmatch(method):
        raise BadRequest("The request line does not begin with a method.")
    if not space:
        raise MethodUnknown("No registered HTTP method is that long.")
    raise UriTooLong("The request line is too long.")
