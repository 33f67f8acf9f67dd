"""Content-Encoding: gzip for a large answer to a caller that accepts gzip (RFC 9110, 8.4.1.3 and 12.5.3).

`/docs` is 600 KB, and 60 KB with gzip. Small answers are sent as they are. So are streams, but for that of events:
its messages repeat one another (`compressed_stream`). Each of its pieces leaves at once all the same.
"""

import asyncio
import contextlib
import functools
import gzip
import re
import zlib
from collections.abc import AsyncGenerator

from lib.http1.message import Request, Response, StreamedResponse

LEAST_BYTES = 8 << 10
IN_A_THREAD_BYTES = 64 << 10  # A larger body would hold up the loop for some ms.
LEVEL = 5
VARY = "Accept-Encoding"
# A stream looks 4 KB back and takes 24 KB of memory as long as it lasts; zlib's own 32 KB back would take 256 KB, and
# make digests of queues hardly smaller (9.6 times instead of 9.7).
STREAM_WINDOW_BITS = 12
STREAM_MEMORY_LEVEL = 4
_GZIP_FORMAT = 16  # Added to the window's bits it asks zlib for gzip's header and checksum.
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


def compressed_stream(request: Request, response: StreamedResponse) -> StreamedResponse:
    """The same response, its pieces gzipped one by one if the request accepts gzip.

    WHY not every stream: who sees how large its pieces are, and can have text of his own put into it, can guess what is
    secret beside that text (BREACH). So only streams that have nothing secret in them may be given to this function.
    """
    response.add_header("Vary", VARY)
    if takes_gzip(request.headers.get("accept-encoding")):
        response.pieces = _gzipped(response.pieces)
        response.add_header("Content-Encoding", "gzip")
    return response


async def _gzipped(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """One gzip file, of which each piece can be unpacked as soon as it is there."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP_FORMAT + STREAM_WINDOW_BITS, STREAM_MEMORY_LEVEL)
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) if piece else b""
        yield packer.flush()


@functools.lru_cache(maxsize=64)
def takes_gzip(accept_encoding: str | None) -> bool:
    """True if an Accept-Encoding field allows gzip: "br, gzip;q=0.5" or "*". False for None or a broken field."""
    rated = [match for one in (accept_encoding or "").split(",") if (match := _CODING.fullmatch(one))]
    # A q for gzip by name outweighs the q for `*`.
    named = [match for match in rated if match[1] != "*"] or rated
    return bool(named) and float(named[0][2] or 1) > 0


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)
