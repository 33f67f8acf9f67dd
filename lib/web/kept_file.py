"""A file of an application that runs in browsers (HTML, script, style), read and gzipped once, and asked about by ETag.

    KeptFile(b"export …", "text/javascript").answer(request)        200 with the content, or 304

Its answers bear APP_FIELDS: the application runs this server's own scripts, talks to this server alone, and can make no
markup of text (Trusted Types).
"""

import gzip
import hashlib

from lib.http1.message import Request
from lib.web.browsers import page_fields
from lib.web.compression import VARY, takes_gzip
from lib.web.page import HtmlPage, has_tag

APP_FIELDS = page_fields(
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)


class AppFile(HtmlPage):
    """A file of the application, as a response."""

    __slots__ = ()
    fields = APP_FIELDS


class KeptFile:
    """One file. Making it takes a millisecond for 30 KB."""

    def __init__(self, content: bytes, content_type: str) -> None:
        self._plain = content
        self._gzipped = gzip.compress(content, 9, mtime=0)
        self._type = content_type
        # Weak, as page.py's: both encodings have it.
        self._etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'

    def answer(self, request: Request) -> AppFile:
        fields = [("ETag", self._etag), ("Vary", VARY)]
        if has_tag(request.headers.get("if-none-match", ""), self._etag):
            return AppFile(304, b"", fields)
        if not takes_gzip(request.headers.get("accept-encoding")):
            return AppFile(200, self._plain, fields, content_type=self._type)
        return AppFile(200, self._gzipped, [*fields, ("Content-Encoding", "gzip")], content_type=self._type)
