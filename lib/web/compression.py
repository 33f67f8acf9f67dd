"""Content-Encoding: gzip for a large answer to a caller that accepts gzip (RFC 9110, 8.4.1.3 and 12.5.3).

`/docs` is 600 KB, and 60 KB with gzip. Small answers are sent as they are, and so are streams, whose readers want each
piece at once.
"""

import asyncio
import functools
import gzip
import re

from lib.http1.message import Request, Response, StreamedResponse

LEAST_BYTES = 8 << 10
IN_A_THREAD_BYTES = 64 << 10  # A larger body would hold up the loop for some ms.
LEVEL = 5
VARY = "Accept-Encoding"
_CODING = re.compile(r"[ \t]*(gzip|x-gzip|\*)[ \t]*(?:;[ \t]*q=([01](?:\.[0-9]{0,3})?)[ \t]*)?", re.IGNORECASE)


async def compressed(request: Request, response: Response) -> Response:
    """The same response, its body gzipped if it is large, has status 200, and the request accepts gzip."""
    body = response.body
    if len(body) < LEAST_BYTES or response.status != 200 or isinstance(response, StreamedResponse):
        return response
    names = {name for name, _ in response.headers}
    if "Content-Encoding" in names:
        return response  # kept_file.py has gzipped it, once for all.
    if "Vary" not in names:
        response.add_header("Vary", VARY)  # page.py has added its own.
    if takes_gzip(request.headers.get("accept-encoding")):
        response.body = await asyncio.to_thread(_gzip, body) if len(body) > IN_A_THREAD_BYTES else _gzip(body)
        response.add_header("Content-Encoding", "gzip")
    return response


@functools.lru_cache(maxsize=64)
def takes_gzip(accept_encoding: str | None) -> bool:
    """True if an Accept-Encoding field allows gzip: "br, gzip;q=0.5" or "*". False for None or a broken field."""
    rated = [match for one in (accept_encoding or "").split(",") if (match := _CODING.fullmatch(one))]
    # A q for gzip by name outweighs the q for `*`.
    named = [match for match in rated if match[1] != "*"] or rated
    return bool(named) and float(named[0][2] or 1) > 0


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)
