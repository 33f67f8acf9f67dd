"""A mail as bytes: header fields, texts and files in, the message of RFC 5322 out, with CRLF throughout, and in ASCII
but for an address that can't be (RFC 6532).

Called by email.py for each attempt; mailer.py carries the letter as it is. Pure. Nothing here refuses anything: what
comes in has passed email.py's checks. The whole, of which a mail has only what it needs:

    multipart/mixed
        multipart/related
            multipart/alternative
                text/plain      made from the html where it is missing
                text/html
            a picture           which the html shows: it names the picture's cid
        a file

An empty text beside a full one is left out: it is what spam filters mark down. A file whose cid the html does not name
stands with the others that are attached: in multipart/related nobody would see it.

WHY NOT email.message: it takes 1.4 ms for a mail of two lines, three times what sending it takes (and see
header_fields.py). The tests read every letter back with the standard library's parser.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import unquote

from lib.handlers.email.attachment import Attachment
from lib.handlers.email.html_text import text_of
from lib.handlers.email.letter_parts import file_part, multipart, text_part
from lib.handlers.email.mailbox import Mailbox

_CID = re.compile(r"""["'(=]\s*cid:([^\s"'<>()]+)""", re.IGNORECASE)


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


def content(
    headers: Iterable[str],
    *,
    text: str | None,
    html: str | None,
    attachments: Sequence[Attachment] | None = None,
    boundary: str,
) -> bytes:
    """The whole message: `headers` as header_fields.py makes them, then the texts and the files."""
    parts = _texts(text, html)
    body = parts[0] if len(parts) == 1 else multipart("alternative", boundary, parts) if parts else b""
    if attachments:
        body = _with_files(body, html or "", attachments, boundary)
    return "\r\n".join([*headers, "MIME-Version: 1.0", ""]).encode() + body


def missing_cids(html: str, attachments: Sequence[Attachment]) -> list[str]:
    """What the html shows and no attachment is: a reader sees a broken picture there."""
    names = {attachment.cid for attachment in attachments}
    return sorted(cid for cid in _cids_in(html) if cid not in names and unquote(cid) not in names)


def _cids_in(html: str) -> set[str]:
    """The names of the pictures that it shows; some letters of a URL may be written as %40 is (RFC 2392)."""
    return {unescape(cid) for cid in _CID.findall(html)}


def _texts(text: str | None, html: str | None) -> list[bytes]:
    """The parts of which a reader shows one. None of both: no part."""
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
        # Each has a mark that none of the others begins with.
        body = multipart("related", f"r_{boundary}", [body, *related], of=of)
    if mixed:
        body = multipart("mixed", f"m_{boundary}", [body, *mixed] if body else mixed)
    return body
