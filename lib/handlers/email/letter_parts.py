"""The parts of a mail as bytes, each with its own header fields: texts, files, and what holds several of them.

Called by letter.py. Pure. Every part is 7-bit, so no server need offer 8BITMIME, and its line breaks are CRLF.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import quote

from lib.handlers.email.attachment import Attachment
from lib.handlers.email.content_types import UNKNOWN

_LINE_CHARS = 78  # RFC 5322, 2.1.1: should
_HARD_LINE_CHARS = 998  # and must
_BASE64_CHARS = 76  # RFC 2045, 6.8: a line's
_PARAMETER_CHARS = 56  # of one piece of a filename: with what stands around it, a line has 78 at most
_PLAIN_BODY = b"\t\n" + bytes(range(0x20, 0x7F))
_ASCII = bytes(range(128))
# Neither what must be escaped, nor what looks like an encoded word: readers differ in what they make of these.
_PLAIN_FILENAME = re.compile(r"(?:[ !#-<>-\[\]-~]|=(?!\?))+")


def text_part(kind: str, text: str) -> bytes:
    lines = re.sub(r"\r\n?", "\n", text) if "\r" in text else text
    body = (lines if lines.endswith("\n") else lines + "\n").encode("utf-8")
    coding, coded = _coded(body)
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {coding}\r\n\r\n'
    return head.encode("ascii") + coded.replace(b"\n", b"\r\n")


def file_part(attachment: Attachment, *, filename: str, disposition: str) -> bytes:
    """The file byte for byte, in base64. A message is no file: RFC 2046, 5.2.1 has it stand there as it is.

    One that can't (8-bit letters, too long a line) goes as a file of unknown type, which its name tells readers."""
    media_type = attachment.media_type
    if media_type.lower().startswith("message/"):
        message = _as_lines(attachment.body)
        if message is not None:
            return _file_head(attachment, media_type, "7bit", filename, disposition) + message
        media_type = UNKNOWN
    return _file_head(attachment, media_type, "base64", filename, disposition) + _base64(attachment.body)


def multipart(subtype: str, mark: str, parts: Sequence[bytes], *, of: str = "") -> bytes:
    """`parts` in one. `mark` parts them, lengthened until none holds it: a text that quotes it can't end its own part.

    of: the type of the first, which multipart/related names (RFC 2387, 3.1)."""
    boundary = b"=_" + mark.encode("ascii")
    while any(boundary in part for part in parts):
        boundary += b"_"
    root = f'; type="{of}"' if of else ""
    head = b'Content-Type: multipart/%b%b; boundary="%b"\r\n\r\n' % (subtype.encode(), root.encode(), boundary)
    return head + b"".join([b"--%b\r\n%b\r\n" % (boundary, part) for part in parts]) + b"--%b--\r\n" % boundary


def _coded(body: bytes) -> tuple[str, bytes]:
    """Name of the transfer encoding and the body in it."""
    if not body.translate(None, delete=_PLAIN_BODY) and _longest(body.split(b"\n")) <= _LINE_CHARS:
        return "7bit", body
    # Quoted-printable takes three bytes for one, base64 four for three: they meet where a sixth is beyond ASCII.
    if not body.isascii() and len(body.translate(None, delete=_ASCII)) * 6 > len(body):
        # RFC 2045, 6.8: line breaks within base64 are CRLF as well.
        return "base64", base64.encodebytes(body.replace(b"\n", b"\r\n"))
    return "quoted-printable", binascii.b2a_qp(body, istext=True)


def _longest(lines: Sequence[bytes]) -> int:
    return max(map(len, lines))


def _base64(body: bytes) -> bytes:
    coded = binascii.b2a_base64(body, newline=False)
    lines = [coded[at : at + _BASE64_CHARS] for at in range(0, len(coded), _BASE64_CHARS)]
    return b"\r\n".join([*lines, b""])


def _as_lines(message: bytes) -> bytes | None:
    """A message with CRLF throughout, where it is one that can go as 7bit."""
    lines = message.replace(b"\r\n", b"\n").split(b"\n")
    if not message.isascii() or b"\0" in message or _longest(lines) > _HARD_LINE_CHARS:
        return None
    if b"\r" in message.replace(b"\r\n", b""):
        return None
    return b"\r\n".join(lines)


def _file_head(attachment: Attachment, media_type: str, coding: str, filename: str, disposition: str) -> bytes:
    parameters = [f"{name}={value}" for name, value in _parameters(attachment, media_type)]
    fields = [
        # The name stands here as well: older readers look for it beside the type.
        ";\r\n ".join([f"Content-Type: {media_type}", *parameters, *_name_parameters("name", filename)]),
        f"Content-Transfer-Encoding: {coding}",
        ";\r\n ".join([f"Content-Disposition: {disposition}", *_name_parameters("filename", filename)]),
    ]
    if attachment.cid:
        fields.append(f"Content-ID: <{attachment.cid}>")
    return "\r\n".join([*fields, "", ""]).encode("ascii")


def _parameters(attachment: Attachment, media_type: str) -> tuple[tuple[str, str], ...]:
    if media_type != attachment.media_type:
        return ()
    has_charset = any(name.lower() == "charset" for name, _ in attachment.parameters)
    # Without one a text is taken for ASCII, and readers guess.
    if media_type.lower().startswith("text/") and not has_charset and _is_utf8(attachment.body):
        return (*attachment.parameters, ("charset", '"utf-8"'))
    return attachment.parameters


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in body  # UTF-16 has every other byte so


def _name_parameters(parameter: str, filename: str) -> list[str]:
    """As it is between quotes, or where a reader might misread that, by RFC 2231: in pieces where it is long."""
    if _PLAIN_FILENAME.fullmatch(filename):
        return [f'{parameter}="{filename}"']
    pieces = [""]
    for character in filename:
        coded = quote(character, safe="")
        if len(pieces[-1]) + len(coded) > _PARAMETER_CHARS:
            pieces.append("")
        pieces[-1] += coded
    if len(pieces) == 1:
        return [f"{parameter}*=utf-8''{pieces[0]}"]
    marks = ["utf-8''", *[""] * len(pieces)]
    return [f"{parameter}*{n}*={mark}{piece}" for n, (mark, piece) in enumerate(zip(marks, pieces, strict=False))]
