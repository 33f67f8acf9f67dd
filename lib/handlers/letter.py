"""A mail as bytes: mailboxes, headers and texts in, the message of RFC 5322 out, with CRLF throughout, and in ASCII but
for an address that can't be (RFC 6532).

Called by email.py for each attempt; mailer.py carries the letter as it is. Pure. Nothing here refuses anything: what
comes in has passed email.py's checks.

WHY NOT email.message: its generator turns a word over 78 characters into encoded words, which breaks List-Unsubscribe
and every other header that holds a long URL; and it takes 1.4 ms for a mail of two lines, three times what sending it
takes. The tests read every letter back with the standard library's parser.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.utils import formatdate
from functools import lru_cache

from lib.handlers.mailbox import Mailbox

_LINE_CHARS = 78  # RFC 5322, 2.1.1: should; 998 is the must
_WORD_CHARS = 900  # a longer word can't be folded below 998 with its header's name before it
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
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
    needs_utf8: bool = False
    """An address, in the envelope or in a header, has letters beyond ASCII (RFC 6531)."""


def message_id(job_id: str, sender: Mailbox) -> str:
    """One a job, over all its attempts: a receiver that got it twice can tell."""
    return f"<{job_id}@{sender.domain}>"


def content(headers: Iterable[str], *, text: str | None, html: str | None, boundary: str) -> bytes:
    """The whole message: `headers` as `header` gives them, then the texts."""
    return "\r\n".join([*headers, "MIME-Version: 1.0", ""]).encode() + _body(text, html, boundary)


def header(name: str, value: str) -> str:
    """A header; its value is in its final form, see below. In lines of 78 characters where its blanks allow it."""
    if len(name) + 2 + len(value) <= _LINE_CHARS:
        return f"{name}: {value}"
    # Every line but the first begins with one blank and a word: a line of blanks alone ends the headers for some.
    first, *words = re.split(r" (?=[^ ])", value)
    lines = [f"{name}: {first}"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= _LINE_CHARS:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "\r\n".join(lines)


@lru_cache(maxsize=2)
def from_header(sender: Mailbox) -> str:
    return header("From", mailboxes([sender]))  # the same for all mails of a runner


# Header values in their final form.


def mailboxes(boxes: Sequence[Mailbox]) -> str:
    # One in quotes goes in brackets, where no reader takes a comma in it for the end of the address.
    return ", ".join(
        [
            f"{_phrase(name)} <{address}>" if name else f"<{address}>" if address[0] == '"' else address
            for name, address in boxes
        ]
    )


def date(seconds: float) -> str:
    """`seconds` since 1970, as RFC 5322, 3.3 writes it."""
    return _date(int(seconds))


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds)  # a tenth of what composing a letter takes, and a second has thousands of letters


def unstructured(text: str) -> str:
    """`text` as it is where a header can hold it, else as encoded words (RFC 2047)."""
    is_plain = _is_printable(text) and "=?" not in text and text == text.strip(" ")
    is_short = len(text) <= _WORD_CHARS or _longest(text.split(" ")) <= _WORD_CHARS
    return text if is_plain and is_short else _encoded(text)


def _phrase(name: str) -> str:
    # "=?" within quotes is no encoded word (RFC 2047, 5), and many readers decode it all the same.
    if "=?" in name or not _is_printable(name):
        return _encoded(name)
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _is_printable(text: str) -> bool:
    """ASCII from the blank to the tilde."""
    return text.isascii() and text.isprintable()


def _longest(parts: Sequence[str] | Sequence[bytes]) -> int:
    return max(map(len, parts))


def _encoded(text: str) -> str:
    # One word of 75 characters a line (RFC 2047, 2); the blank between two is no part of the text: header() may use it.
    return " ".join(Header(text, "utf-8", maxlinelen=75).encode().split("\n "))


# The texts.


def _body(text: str | None, html: str | None, boundary: str) -> bytes:
    parts = [_part(kind, body) for kind, body in (("plain", text), ("html", html)) if body is not None]
    if len(parts) == 1:
        return parts[0]
    mark = _unused(boundary, parts)
    head = b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n' % mark
    return head + b"".join(b"--%b\r\n%b\r\n" % (mark, part) for part in parts) + b"--%b--\r\n" % mark


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
    if not body.translate(None, delete=_PLAIN_BODY) and _longest(body.split(b"\n")) <= _LINE_CHARS:
        return "7bit", body
    # Quoted-printable takes three bytes for one, base64 four for three: they meet where a sixth is beyond ASCII.
    if not body.isascii() and len(body.translate(None, delete=_ASCII)) * 6 > len(body):
        # RFC 2045, 6.8: line breaks within base64 are CRLF as well.
        return "base64", base64.encodebytes(body.replace(b"\n", b"\r\n"))
    return "quoted-printable", binascii.b2a_qp(body, istext=True)
