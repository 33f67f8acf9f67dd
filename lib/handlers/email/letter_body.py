"""The body of a mail: texts, html and files in, the MIME parts as bytes out, with the fields that say what they are.

A mail has only the levels that it needs of

    multipart/mixed
        multipart/related
            multipart/alternative
                text/plain      made from the html if the payload has no text
                text/html
            image/png           a picture that the html shows by its cid, as in <img src="cid:logo">
        application/pdf         any other file, also one with a cid that the html does not name: a reader shows
                                no part of multipart/related that the html does not name

Called by letter.py; letter_parts.py writes the single parts. Pure.
"""

import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import unquote

from lib.handlers.email.attachment import Attachment
from lib.handlers.email.html_text import text_of
from lib.handlers.email.letter_parts import file_part, multipart, text_part

_CID = re.compile(r"""["'(=]\s*cid:([^\s"'<>()]+)""", re.IGNORECASE)


def body_of(text: str | None, html: str | None, attachments: Sequence[Attachment] | None, *, boundary: str) -> bytes:
    """The body, its own header fields (Content-Type …) first. boundary: characters that make the parts' boundaries."""
    parts = _texts(text, html)
    body = parts[0] if len(parts) == 1 else multipart("alternative", boundary, parts) if parts else b""
    return _with_files(body, html or "", attachments, boundary) if attachments else body


def missing_cids(html: str, attachments: Sequence[Attachment]) -> list[str]:
    """The cids that the html shows and no attachment has: the reader of the mail sees a broken picture for each."""
    names = {attachment.cid for attachment in attachments}
    return sorted(cid for cid in _cids_in(html) if cid not in names and unquote(cid) not in names)


def _cids_in(html: str) -> set[str]:
    """The cids of the pictures that the html shows, as it writes them: an @ may stand as %40 in a URL (RFC 2392)."""
    return {unescape(cid) for cid in _CID.findall(html)}


def _texts(text: str | None, html: str | None) -> list[bytes]:
    """The parts of multipart/alternative: a mail program shows the last part that it can show. Neither text nor html:
    no part. An empty text beside a full one is left out, for spam filters mark a mail with such a part down."""
    if html is None:
        return [] if text is None else [text_part("plain", text)]
    if text is None:
        text = text_of(html)
    elif _is_blank(html):
        return [text_part("plain", text)]
    if _is_blank(text):
        return [text_part("html", html)]
    return [text_part("plain", text), text_part("html", html)]


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _with_files(body: bytes, html: str, attachments: Sequence[Attachment], boundary: str) -> bytes:
    """`body` with the files around it: shown pictures in multipart/related, the others in multipart/mixed."""
    shown = _cids_in(html)
    shown.update([unquote(cid) for cid in shown])
    related: list[bytes] = []
    mixed: list[bytes] = []
    for number, attachment in enumerate(attachments, 1):
        is_shown = attachment.cid in shown
        disposition = attachment.disposition or ("inline" if is_shown else "attachment")
        part = file_part(attachment, filename=attachment.name(number), disposition=disposition)
        (related if is_shown else mixed).append(part)
    if related:
        of = "multipart/alternative" if body.startswith(b"Content-Type: multipart/") else "text/html"
        # "r_" and "m_": no level's boundary may begin with the boundary of another level.
        body = multipart("related", f"r_{boundary}", [body, *related], of=of)
    if mixed:
        body = multipart("mixed", f"m_{boundary}", [body, *mixed] if body else mixed)
    return body
