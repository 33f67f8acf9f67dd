"""A page as a response, with an ETag. A browser that has kept the page sends the ETag and gets 304 without a body."""

import hashlib
from typing import ClassVar

from lib.http1.fields import FieldBlock
from lib.http1.message import Request, Response
from lib.web.browsers import page_fields
from lib.web.compression import LEAST_BYTES, VARY

# A page loads nothing but this server's style sheet, runs no script, and can't be framed by another page.
PAGE_FIELDS = page_fields("style-src 'self'")


class HtmlPage(Response):
    """A page. The middleware adds `fields` to it, where other answers get browsers.ANSWER_FIELDS."""

    __slots__ = ()
    fields: ClassVar[FieldBlock] = PAGE_FIELDS


def page(request: Request, content: str | bytes, content_type: str, *, vary: str = "") -> HtmlPage:
    """200 with the content, or 304 if the request's If-None-Match has the content's ETag.

    vary: the header field, such as Accept, that chose this content of the path. WHY a weak ETag: a large page is
    sent with gzip or without, and a strong ETag would promise the same bytes.
    """
    body = content.encode() if isinstance(content, str) else content
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    varies = [*filter(None, [vary]), *([VARY] if len(body) >= LEAST_BYTES else [])]
    fields = [("ETag", etag)] + ([("Vary", ", ".join(varies))] if varies else [])
    if has_tag(request.headers.get("if-none-match", ""), etag):
        return HtmlPage(304, b"", fields)
    return HtmlPage(200, body, fields, content_type=content_type)


def has_tag(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match names the ETag (RFC 9110, 13.1.2). W/"a" and "a" are equal, since a proxy that
    compresses makes a strong ETag weak."""
    tag = etag.removeprefix("W/")
    return if_none_match.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in if_none_match.split(","))
