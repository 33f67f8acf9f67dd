"""The MIME parts of a mail as bytes, each with its own header fields: texts, files, and a multipart around several.

    --=_m_019a0000000070008000000000000001
    Content-Type: application/pdf;
     name="bill.pdf"
    Content-Transfer-Encoding: base64
    Content-Disposition: attachment;
     filename="bill.pdf"

    JVBERi0xLjcK…

Called by letter_body.py. Pure. Every part is 7-bit, so that no server need offer 8BITMIME. Every line ends with CRLF.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import quote

from lib.handlers.email.attachment import Attachment
from lib.handlers.email.content_types import UNKNOWN

_LINE_CHARS = 78  # RFC 5322, 2.1.1: a line should have no more,
_HARD_LINE_CHARS = 998  # and must have no more.
_BASE64_CHARS = 76  # RFC 2045, 6.8: of a line of base64.
_PARAMETER_CHARS = 56  # Of one piece of a filename: with the parameter's name around it, a line has at most 78.
_PLAIN_BODY = b"\t\n" + bytes(range(0x20, 0x7F))
_ASCII = bytes(range(128))
# No character that must be escaped, and nothing that looks like an encoded word: mail programs differ in how they read
# both.
_PLAIN_FILENAME = re.compile(r"(?:[ !#-<>-\[\]-~]|=(?!\?))+")


def text_part(kind: str, text: str) -> bytes:
    """kind: "plain" or "html"."""
    lines = re.sub(r"\r\n?", "\n", text) if "\r" in text else text
    body = (lines if lines.endswith("\n") else lines + "\n").encode("utf-8")
    coding, coded = _coded(body)
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {coding}\r\n\r\n'
    return head.encode("ascii") + coded.replace(b"\n", b"\r\n")


def file_part(attachment: Attachment, *, filename: str, disposition: str) -> bytes:
    """The file byte for byte, in base64. disposition: "inline" or "attachment".

    A file of the type message/… must not be in base64 (RFC 2046, 5.2.1): it goes as it is. If it can't (8-bit letters,
    a line too long), it goes as a file of unknown type, and mail programs know the type by the filename."""
    media_type = attachment.media_type
    if media_type.lower().startswith("message/"):
        message = _as_lines(attachment.body)
        if message is not None:
            return _file_head(attachment, media_type, "7bit", filename, disposition) + message
        media_type = UNKNOWN
    return _file_head(attachment, media_type, "base64", filename, disposition) + _base64(attachment.body)


def multipart(subtype: str, mark: str, parts: Sequence[bytes], *, of: str = "") -> bytes:
    """One part that holds `parts`. mark: characters for the boundary between them, which is lengthened until no part
    holds it: so a text that quotes the boundary can't end its own part.

    of: the type of the first part, which multipart/related names (RFC 2387, 3.1)."""
    boundary = b"=_" + mark.encode("ascii")
    while any(boundary in part for part in parts):
        boundary += b"_"
    root = f'; type="{of}"' if of else ""
    head = b'Content-Type: multipart/%b%b; boundary="%b"\r\n\r\n' % (subtype.encode(), root.encode(), boundary)
    return head + b"".join([b"--%b\r\n%b\r\n" % (boundary, part) for part in parts]) + b"--%b--\r\n" % boundary


def _coded(body: bytes) -> tuple[str, bytes]:
    """The name of the shortest transfer encoding for `body`, and the body in that encoding."""
    if not body.translate(None, delete=_PLAIN_BODY) and _longest(body.split(b"\n")) <= _LINE_CHARS:
        return "7bit", body
    # Quoted-printable takes three bytes for one, base64 four for three: they are of one length if a sixth of the body
    # is beyond ASCII.
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
    """The message with CRLF throughout; None if it can't go as 7bit."""
    lines = message.replace(b"\r\n", b"\n").split(b"\n")
    if not message.isascii() or b"\0" in message or _longest(lines) > _HARD_LINE_CHARS:
        return None
    if b"\r" in message.replace(b"\r\n", b""):
        return None
    return b"\r\n".join(lines)


def _file_head(attachment: Attachment, media_type: str, coding: str, filename: str, disposition: str) -> bytes:
    parameters = [f"{name}={value}" for name, value in _parameters(attachment, media_type)]
    fields = [
        # Older mail programs look for the file's name beside its type.
        ";\r\n ".join([f"Content-Type: {media_type}", *parameters, *_name_parameters("name", filename)]),
        f"Content-Transfer-Encoding: {coding}",
        ";\r\n ".join([f"Content-Disposition: {disposition}", *_name_parameters("filename", filename)]),
    ]
    if attachment.cid:
        fields.append(f"Content-ID: <{attachment.cid}>")
    return "\r\n".join([*fields, "", ""]).encode("ascii")


def _parameters(attachment: Attachment, media_type: str) -> tuple[tuple[str, str], ...]:
    """The parameters of Content-Type, without `name`: the payload's own, and a charset for a text in UTF-8."""
    if media_type != attachment.media_type:
        return ()
    has_charset = any(name.lower() == "charset" for name, _ in attachment.parameters)
    # A text without a charset is taken for ASCII, and mail programs guess.
    if media_type.lower().startswith("text/") and not has_charset and _is_utf8(attachment.body):
        return (*attachment.parameters, ("charset", '"utf-8"'))
    return attachment.parameters


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in body  # In UTF-16 every other byte of a western text is 0.


def _name_parameters(parameter: str, filename: str) -> list[str]:
    """The filename in quotes, `filename="bill.pdf"`. If a mail program might misread that, as RFC 2231 has it,
    `filename*=utf-8''f%C3%BCr.pdf`, and a long name in pieces, `filename*0*=…`, `filename*1*=…`."""
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
