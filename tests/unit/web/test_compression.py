"""Answers with gzip: large ones alone, to callers that accept gzip, with the same text."""

import gzip
import unittest
import zlib
from collections.abc import AsyncGenerator

from lib.http1.message import Request, Response, StreamedResponse
from lib.web.compression import LEAST_BYTES, compressed, compressed_stream, takes_gzip
from tests.unit.manual.test_manual import request

LARGE = b'{"a": 1}' * LEAST_BYTES


class Wish(unittest.TestCase):
    def test_it_is_read_as_rfc_9110_has_it(self) -> None:
        field: str | None
        for field in ("gzip", "GZIP", "x-gzip", "br, gzip;q=0.5", "deflate , gzip ; q=1.000", "*", "identity;q=0, *"):
            self.assertTrue(takes_gzip(field), field)
        for field in (None, "", "br", "identity", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=x", "gzipped"):
            self.assertFalse(takes_gzip(field), field)


class Answers(unittest.IsolatedAsyncioTestCase):
    async def sent(self, response: Response, accept_encoding: str = "gzip") -> tuple[bytes, dict[str, str]]:
        asked: Request = request(accept_encoding=accept_encoding)
        answer = await compressed(asked, response)
        return answer.body, dict(answer.headers)

    async def test_a_large_one_is_the_same_text_in_fewer_bytes(self) -> None:
        for body in (LARGE[:LEAST_BYTES], LARGE):
            sent, fields = await self.sent(Response(200, body))

            self.assertLess(len(sent), len(body) // 10)
            self.assertEqual(body, gzip.decompress(sent))
            self.assertEqual(("gzip", "Accept-Encoding"), (fields["Content-Encoding"], fields["Vary"]))

    async def test_who_does_not_take_it_gets_it_plain_and_caches_are_told_that_it_may_differ(self) -> None:
        sent, fields = await self.sent(Response(200, LARGE), "br")

        self.assertEqual((LARGE, {"Vary": "Accept-Encoding"}), (sent, fields))

    async def test_small_ones_and_errors_stay_as_they_are(self) -> None:
        for response in (Response(200, LARGE[: LEAST_BYTES - 1]), Response(503, LARGE), Response(204)):
            body = response.body

            self.assertEqual((body, {}), await self.sent(response))


class Streams(unittest.IsolatedAsyncioTestCase):
    async def made(self, *pieces: bytes) -> AsyncGenerator[bytes, None]:
        self.is_closed = False
        try:
            for piece in pieces:
                yield piece
        finally:
            self.is_closed = True

    def sent(self, *pieces: bytes, accept_encoding: str = "gzip") -> StreamedResponse:
        asked: Request = request(accept_encoding=accept_encoding)
        return compressed_stream(asked, StreamedResponse(200, self.made(*pieces), content_type="text/event-stream"))

    async def test_each_piece_can_be_unpacked_when_it_has_come(self) -> None:
        pieces = (b"", b"id: 1\ndata: {}\n\n", b":\n", LARGE)
        unpacker = zlib.decompressobj(31)
        response = self.sent(*pieces)

        read = [unpacker.decompress(piece) async for piece in response.pieces]

        self.assertEqual([*pieces, b""], read)
        self.assertTrue(unpacker.eof)
        self.assertEqual({"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}, dict(response.headers))

    async def test_rows_that_are_alike_are_an_eighth_though_each_piece_leaves_at_once(self) -> None:
        rows = [b'{"name":"queue-%d","counts":{"ready":%d,"active":0,"dead":0}}' % (n, n) for n in range(500)]
        pieces = [b",".join(rows[at : at + 50]) for at in range(0, 500, 50)]

        sent = [len(piece) async for piece in self.sent(*pieces).pieces]

        self.assertLess(sum(sent), sum(map(len, pieces)) / 8)

    async def test_one_without_a_piece_is_gzip_of_nothing(self) -> None:
        self.assertEqual(b"", gzip.decompress(b"".join([piece async for piece in self.sent(b"").pieces])))

    async def test_who_does_not_take_it_gets_the_pieces_as_they_are(self) -> None:
        response = self.sent(b"a", LARGE, accept_encoding="br")

        self.assertEqual([b"a", LARGE], [piece async for piece in response.pieces])
        self.assertEqual({"Vary": "Accept-Encoding"}, dict(response.headers))

    async def test_what_makes_the_pieces_is_closed_when_the_reader_goes(self) -> None:
        response = self.sent(b"a", b"b")
        await anext(response.pieces)
        await response.pieces.aclose()

        self.assertTrue(self.is_closed)


if __name__ == "__main__":
    unittest.main()
