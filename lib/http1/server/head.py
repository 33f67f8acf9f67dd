"""The text of one head -> Request, or the HttpError that tells the client what is wrong with the head. Pure.

    "GET /api/jobs?limit=5 HTTP/1.1\r\nHost: a:8000\r\n"
    -> Request(method="GET", path="/api/jobs", query="limit=5", headers={"host": "a:8000"}, host="a:8000", ...)

Called by parser.py once the empty line has come; never sees the body. One regular expression accepts or refuses the
whole head, because most heads are good and a single pass in C is the cheapest. Only a refused head is read line by
line, to name the fault.

No input makes one of these expressions backtrack: a quantifier over a single character is possessive, and a quantifier
over a group stands in an atomic group, as in (?>(?:ab?)*). Up to Python 3.11.4 a possessive quantifier over a group
takes too much (https://github.com/python/cpython/issues/106052); tests/unit/test_regexes.py forbids that form.
"""

import re
from ipaddress import IPv6Address
from typing import NoReturn

from lib.errors import (
    BadRequest,
    CodingUnknown,
    ExpectationFailed,
    HttpError,
    MethodUnknown,
    UriTooLong,
    VersionNotSupported,
)
from lib.http1.app import RequestT
from lib.http1.fields import (
    BAD_BYTE,
    FIELD_LINE,
    FIELD_LINES,
    TCHARS,
    bad_byte_error,
    field_lines_error,
    parse_fields,
)
from lib.http1.server.limits import Limits

# IANA's registry of methods (RFC 9110 section 16.1.1), without PRI, which IANA lists to make HTTP/2's preface fail.
REGISTERED = """
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR
    MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH
    TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
"""
METHODS = frozenset(REGISTERED.split())
LONGEST_METHOD = max(map(len, METHODS))

METHOD = re.compile(rb"%b++" % TCHARS.encode())
REQUEST_LINE = re.compile(rf"({TCHARS}++) ([!-~]++) HTTP/([0-9])\.([0-9])")
HEAD = re.compile(rf"{REQUEST_LINE.pattern}\r\n((?>(?:{FIELD_LINE})*))")

REQUEST_ID = re.compile(r"^x-request-id:([^\r]*+)\r$", re.IGNORECASE | re.MULTILINE)

# RFC 3986's pchar. A query may also hold the characters that browsers send unencoded (WHATWG's query set): none of
# them can be misread.
PCT = "%[0-9A-Fa-f]{2}"
PATH = rf"(?:/(?>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]++|{PCT})*))"
QUERY = rf"(?>(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?{{}}|^`\\\[\]]++|{PCT})*)"
ORIGIN_FORM = re.compile(rf"({PATH})(?>(?:\?({QUERY}))?)")
ABSOLUTE_FORM = re.compile(rf"(?i:https?)://([^/?@]++)((?>{PATH}?))(?>(?:\?({QUERY}))?)")

REG_NAME = rf"(?>(?:[A-Za-z0-9\-._~!$&'()*+,;=]++|{PCT})+)"
HOST = re.compile(rf"(?:{REG_NAME}|\[([0-9A-Fa-f:.]++)\])(?>(?::([0-9]{{0,5}}))?)")
DIGITS = re.compile(r"[0-9]++")


def parse_head(text: str, limits: Limits, request_type: type[RequestT]) -> RequestT:
    """A request without its body. `text` is the request line and all field lines, each with its CRLF, in Latin-1.

    Raises BadRequest, HeadersTooLarge, VersionNotSupported, MethodUnknown, CodingUnknown or ExpectationFailed."""
    match = HEAD.fullmatch(text)
    if match is None:
        raise head_error(text)
    method, target, major, minor, block = match.groups()
    if major != "1":
        raise VersionNotSupported(f"HTTP/{major}.{minor} is not spoken here: use HTTP/1.1.")
    if method not in METHODS:
        # The log quotes this. A word longer than any method may be something else, and secret.
        name = method if len(method) <= LONGEST_METHOD else "That"
        raise MethodUnknown(f"{name} is not a registered HTTP method (methods are upper-case).")
    headers = parse_fields(block, limits.header_fields)
    version = "1.0" if minor == "0" else "1.1"
    path, query, authority = split_target(method, target)
    host = _host(headers, version)
    length, is_chunked = _framing(headers, version)
    return request_type(
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


def request_id_in(text: str) -> str | None:
    """The X-Request-ID of a refused head; None if it has none or several, or if its field lines can't be read."""
    request_line, _, block = text.partition("\r\n")
    # A request line with control characters is refused as soon as it comes, maybe without its fields. The answer must
    # not depend on whether these came with it.
    found = REQUEST_ID.findall(block) if request_line.isprintable() and FIELD_LINES.fullmatch(block) else []
    return found[0].strip(" \t") if len(found) == 1 else None


def split_target(method: str, target: str) -> tuple[str, str, str | None]:
    """(path, query, authority): "http://a/b?c" -> ("/b", "c", "a"), "/b?c" -> ("/b", "c", None).

    The four forms of RFC 9112 section 3.2. Raises BadRequest, and MethodUnknown for CONNECT."""
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
    """(content length, is chunked). A head that declares both is refused, as neither can be trusted (RFC 9112, 6.3)."""
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
    # int() refuses more than 4,300 digits; a number of 20 is over every limit already.
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
    # A server ignores this field of HTTP/1.0 (RFC 9110 section 10.1.1).
    if value is None or version == "1.0":
        return False
    if value.lower() != "100-continue":
        raise ExpectationFailed("The only expectation known here is 100-continue.")
    return True


def head_error(text: str) -> HttpError:
    """The error for a head that HEAD has not matched; names the first bad line."""
    request_line, _, block = text.partition("\r\n")
    if BAD_BYTE.search(text.encode("latin-1")):
        return bad_byte_error()
    if not REQUEST_LINE.fullmatch(request_line):
        return BadRequest("The request line must be: method, one space, target, one space, HTTP/1.1.")
    return field_lines_error(block)


def refuse_long_line(line: bytes) -> NoReturn:
    """Raises for a request line over its limit: MethodUnknown if no space has come by then, else UriTooLong."""
    method, space, _ = line.partition(b" ")
    if not METHOD.fullmatch(method):
        raise BadRequest("The request line does not begin with a method.")
    if not space:
        raise MethodUnknown("No registered HTTP method is that long.")
    raise UriTooLong("The request line is too long.")
