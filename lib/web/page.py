"""A page as an answer: its header fields, the ETag by which a browser keeps it, and the 304 that saves sending it."""

import hashlib

from lib.http1.message import Request, Response
from lib.web.browsers import page_fields
from lib.web.compression import LEAST_BYTES, VARY

# Nothing is loaded but the style sheet from here, no script runs, and nobody frames the page.
PAGE_FIELDS = page_fields("style-src 'self'")


class HtmlPage(Response):
    """A page; the middleware gives it PAGE_FIELDS in place of the fields that answers of the API bear."""

    __slots__ = ()


def page(request: Request, content: str | bytes, content_type: str, *, vary: str = "") -> HtmlPage:
    """200 with the content, or 304 where the request says that it has it. vary: what else than the path decided.

    WHY a weak ETag: a large page goes with gzip or without, and a strong one stands for the bytes themselves.
    """
    body = content.encode() if isinstance(content, str) else content
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    varies = [*filter(None, [vary]), *([VARY] if len(body) >= LEAST_BYTES else [])]
    fields = [("ETag", etag)] + ([("Vary", ", ".join(varies))] if varies else [])
    if _has(request.headers.get("if-none-match", ""), etag):
        return HtmlPage(304, b"", fields)
    return HtmlPage(200, body, fields, content_type=content_type)


def _has(if_none_match: str, etag: str) -> bool:
    """RFC 9110, 13.1.2; compared weakly, since a proxy that compresses makes a strong one weak."""
    tag = etag.removeprefix("W/")
    return if_none_match.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in if_none_match.split(","))
