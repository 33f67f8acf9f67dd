"""A mail as bytes: header fields and texts in, the message of RFC 5322 out, in ASCII and with CRLF throughout.

Called by email.py for each attempt; mailer.py carries the letter as it is. Pure. Nothing here refuses anything: what
comes in has passed email.py's checks.

WHY NOT email.message: it takes 1.4 ms for a mail of two lines, three times what sending it takes (and see
header_fields.py). The tests read every letter back with the standard library's parser.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lib.handlers.html_text import text_of
from lib.handlers.mailbox import Mailbox

_LINE_CHARS = 78  # RFC 5322, 2.1.1: should; 998 is the must
_PLAIN_BODY = b"\t\n" + bytes(range(0x20, 0x7F))
_ASCII = bytes(range(128))


@dataclass(slots=True)
class Letter:
    """A mail ready to go. `recipients` is the envelope, bcc among them; `name` is the job's id."""

    name: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)


def message_id(job_id: str, sender: Mailbox) -> str:
    """One a job, over all its attempts: a receiver that got it twice can tell."""
    return f"<{job_id}@{sender.domain}>"


def content(headers: Iterable[str], *, text: str | None, html: str | None, boundary: str) -> bytes:
    """The whole message: `headers` as header_fields.py makes them, then the texts."""
    return "\r\n".join([*headers, "MIME-Version: 1.0", ""]).encode("ascii") + _body(text, html, boundary)


# The texts.


def _body(text: str | None, html: str | None, boundary: str) -> bytes:
    parts = _parts(text, html)
    if len(parts) == 1:
        return parts[0]
    mark = _unused(boundary, parts)
    head = b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n' % mark
    return head + b"".join(b"--%b\r\n%b\r\n" % (mark, part) for part in parts) + b"--%b--\r\n" % mark


def _parts(text: str | None, html: str | None) -> list[bytes]:
    """Those of which a reader shows one. None is empty beside another: spam filters mark that down."""
    if html is None:
        return [_part("plain", text or "")]
    if text is None:
        text = text_of(html)
    elif _is_blank(html):
        return [_part("plain", text)]
    if _is_blank(text):
        return [_part("html", html)]
    return [_part("plain", text), _part("html", html)]


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _unused(boundary: str, parts: Sequence[bytes]) -> bytes:
    """`boundary`, lengthened until no part holds it: a text that quotes it can't end its own part."""
    mark = b"=_" + boundary.encode("ascii")
    while any(mark in part for part in parts):
        mark += b"_"
    return mark


def _part(kind: str, text: str) -> bytes:
    lines = re.sub(r"\r\n?", "\n", text) if "\r" in text else text
    body = (lines if lines.endswith("\n") else lines + "\n").encode("utf-8")
    coding, coded = _coded(body)
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {coding}\r\n\r\n'
    return head.encode("ascii") + coded.replace(b"\n", b"\r\n")


def _coded(body: bytes) -> tuple[str, bytes]:
    """Name of the transfer encoding and the body in it: always 7-bit, so no server need offer 8BITMIME."""
    if not body.translate(None, delete=_PLAIN_BODY) and max(map(len, body.split(b"\n"))) <= _LINE_CHARS:
        return "7bit", body
    # Quoted-printable takes three bytes for one, base64 four for three: they meet where a sixth is beyond ASCII.
    if not body.isascii() and len(body.translate(None, delete=_ASCII)) * 6 > len(body):
        # RFC 2045, 6.8: line breaks within base64 are CRLF as well.
        return "base64", base64.encodebytes(body.replace(b"\n", b"\r\n"))
    return "quoted-printable", binascii.b2a_qp(body, istext=True)
