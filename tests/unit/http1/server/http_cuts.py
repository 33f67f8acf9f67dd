"""One stretch of bytes fed to the parser in every way it could arrive; the outcome must be the same each time.

An outcome is the list of requests that came out and what ended it: an error as (status, slug), or None when the parser
waits for more.
"""

import unittest
from collections.abc import Callable, Iterator

from lib.errors import HttpError
from lib.http1.message import Request
from lib.http1.server.limits import Limits
from lib.http1.server.parser import Parser

# Splitting at every offset is quadratic; long inputs are split near their ends and at strides.
EVERY_OFFSET_BYTES = 600
FOLLOWER = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

End = tuple[int, str] | None
Outcome = tuple[list[Request], End]


def cuttings(raw: bytes) -> Iterator[list[bytes]]:
    """Whole, a byte at a time, in two parts at every offset, and a stride of three bytes."""
    yield [raw]
    yield [raw[i : i + 1] for i in range(len(raw))]
    yield [raw[i : i + 3] for i in range(0, len(raw), 3)]
    offsets = range(1, len(raw)) if len(raw) <= EVERY_OFFSET_BYTES else range(1, len(raw), max(1, len(raw) // 40))
    for offset in offsets:
        yield [raw[:offset], raw[offset:]]


def outcome_of(
    parts: list[bytes], limits: Limits, body_limit_bytes: int | None = None, *, in_pieces: bool = False
) -> Outcome:
    """Feed the parts one by one, taking all that can be taken after each, as a connection does.

    in_pieces: bodies are taken as they arrive, as for an operation that streams.
    """
    parser = Parser(limits, Request)
    take_body = _joined(parser) if in_pieces else parser.next_body
    done: list[Request] = []
    request: Request | None = None
    try:
        for part in parts:
            parser.feed(part)
            while True:
                if request is None:
                    request = parser.next_head()
                    if request is None:
                        break
                    request.body_limit_bytes = body_limit_bytes or request.body_limit_bytes
                body = take_body()
                if body is None:
                    break
                request.body = body
                done.append(request)
                request = None
    except HttpError as error:
        return done, (error.status, error.slug)
    return done, None


def _joined(parser: Parser[Request]) -> Callable[[], bytes | None]:
    """What next_body() would give, put together from next_piece()."""
    body = bytearray()

    def take_body() -> bytes | None:
        while piece := parser.next_piece():
            body.extend(piece)
        if piece is None:
            return None
        whole = bytes(body)
        body.clear()
        return whole

    return take_body


def seen(outcome: Outcome) -> object:
    """An outcome as plain values, to compare."""
    requests, end = outcome
    return [(r.method, r.path, r.query, r.host, r.headers, r.body, r.keep_alive, r.version) for r in requests], end


class CutsTestCase(unittest.TestCase):
    """Assertions that hold for every way of cutting the bytes."""

    limits = Limits()

    def outcome(self, raw: bytes, body_limit_bytes: int | None = None) -> Outcome:
        whole = outcome_of([raw], self.limits, body_limit_bytes)
        for parts in cuttings(raw):
            for in_pieces in (False, True):
                other = outcome_of(parts, self.limits, body_limit_bytes, in_pieces=in_pieces)
                self.assertEqual(seen(other), seen(whole), f"cut into {len(parts)} parts, the first {parts[0][:40]!r}")
        return whole

    def served(self, raw: bytes) -> Request:
        """The one request in `raw`, after which the parser waits for the next."""
        requests, end = self.outcome(raw)
        self.assertIsNone(end, raw[:200])
        self.assertEqual(len(requests), 1, raw[:200])
        return requests[0]

    def refused(self, raw: bytes, status: int = 400) -> str:
        """The slug of the error; the request that follows must never come out."""
        requests, end = self.outcome(raw + FOLLOWER)
        self.assertEqual(requests, [], raw[:200])
        assert end is not None, f"not refused: {raw[:200]!r}"
        self.assertEqual(end[0], status, raw[:200])
        return end[1]
