"""Answers with gzip: large ones alone, to callers that accept gzip, with the same text."""

import gzip
import unittest

from lib.http1.message import Request, Response
from lib.web.compression import LEAST_BYTES, compressed, takes_gzip
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


if __name__ == "__main__":
    unittest.main()
