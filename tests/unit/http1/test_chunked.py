"""The chunked coding, as lib/http1/chunked.py reads it behind the parser; every case in every cutting."""

from lib.errors import HttpError
from lib.http1.message import Request
from lib.http1.server.limits import Limits
from lib.http1.server.parser import Parser
from tests.unit.http1.server.http_cuts import CutsTestCase, cuttings

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestChunks(CutsTestCase):
    def test_chunks_are_joined(self) -> None:
        self.assertEqual(self.served(HEAD + b"5\r\nhello\r\n0\r\n\r\n").body, b"hello")
        self.assertEqual(self.served(HEAD + b"5\r\nhello\r\n00A\r\n, world!!!\r\n000\r\n\r\n").body, b"hello, world!!!")
        self.assertEqual(self.served(HEAD + b"0\r\n\r\n").body, b"")
        self.assertEqual(self.served(HEAD + b"0000000000000005\r\n\r\n\n\r\n\r\n0\r\n\r\n").body, b"\r\n\n\r\n")

    def test_the_next_request_begins_behind_the_last_chunk(self) -> None:
        requests, end = self.outcome((HEAD + b"2\r\nhi\r\n0\r\n\r\n") * 2)

        self.assertEqual([request.body for request in requests], [b"hi", b"hi"])
        self.assertIsNone(end)

    def test_extensions_are_ignored(self) -> None:
        for extension in (b";a=b", b";a", b' ; a = "b;\\" c"', b";a;b=c", b'\t;a=""'):
            self.assertEqual(
                self.served(HEAD + b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n").body, b"hello"
            )

    def test_extensions_that_are_none_are_refused(self) -> None:
        for extension in (
            b";",
            b";=b",
            b";a=",
            b';a="b',
            b";a b",
            b" a",
            b";a=b ",
            b";a\x00",
            b";a=\xe9",
            b';a="\x01"',
        ):
            self.refused(HEAD + b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")

    def test_extensions_without_end_are_refused(self) -> None:
        self.refused(HEAD + b"5;" + b"a" * 65536)
        self.refused(HEAD + b"5;" + b"a" * 65536 + b"\r\nhello\r\n0\r\n\r\n")
        self.refused(HEAD + (b"1;" + b"a" * 100 + b"\r\nx\r\n") * 11 + b"0\r\n\r\n")

    def test_extensions_may_be_as_long_as_the_body_and_1024_bytes_more(self) -> None:
        signed = b"64;chunk-signature=" + b"a" * 64 + b"\r\n" + b"x" * 100 + b"\r\n"
        self.assertEqual(10_000, len(self.served(HEAD + signed * 100 + b"0\r\n\r\n").body))
        self.assertEqual(5, len(self.served(HEAD + b"5;" + b"a" * 1023 + b"\r\nhello\r\n0;aaaa\r\n\r\n").body))
        self.refused(HEAD + b"5;" + b"a" * 1023 + b"\r\nhello\r\n0;aaaaa\r\n\r\n")

    def test_a_large_body_does_not_make_room_for_one_endless_extension(self) -> None:
        begun = HEAD + b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        self.served(begun + b"5;" + b"a" * 1023 + b"\r\nhello\r\n0\r\n\r\n")
        self.refused(begun + b"5;" + b"a" * 1024 + b"\r\nhello\r\n0\r\n\r\n")
        self.refused(begun + b"5;" + b"a" * 2000)

    def test_sizes_that_are_not_hexadecimal_digits_are_refused(self) -> None:
        for size in (
            b"0x5",
            b"+5",
            b"-5",
            b"5_0",
            b" 5",
            b"5 ",
            b"\t5",
            b"",
            b"g",
            b"5\x00",
            b"\xd9\xa5",
            b"5.0",
            b"5\xa0",
        ):
            self.refused(HEAD + size + b"\r\nhello\r\n0\r\n\r\n")

    def test_sizes_over_16_digits_are_refused(self) -> None:
        self.refused(HEAD + b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n")
        self.refused(HEAD + b"1" + b"0" * 16 + b"\r\nhello\r\n0\r\n\r\n")

    def test_lines_that_end_in_a_line_feed_are_refused(self) -> None:
        self.refused(HEAD + b"5\nhello\n0\n\n")
        self.refused(HEAD + b"5\r\nhello\n0\r\n\r\n")
        self.refused(HEAD + b"5\r\nhello\r\n0\n\n")
        self.refused(HEAD + b"5\r\nhello\r\n0\r\n\n")
        self.refused(HEAD + b"5\rhello\r\n0\r\n\r\n")

    def test_data_that_is_longer_or_shorter_than_its_size_is_refused(self) -> None:
        self.refused(HEAD + b"4\r\nhello\r\n0\r\n\r\n")
        self.refused(HEAD + b"6\r\nhello\r\n0\r\n\r\n")
        self.refused(HEAD + b"5\r\nhello0\r\n\r\n")

    def test_an_unfinished_body_gives_no_request(self) -> None:
        self.assertEqual(self.outcome(HEAD + b"5\r\nhel"), ([], None))
        self.assertEqual(self.outcome(HEAD + b"5\r\nhello\r\n0\r\n"), ([], None))

    def test_pieces_before_a_fault_are_given_however_they_were_cut(self) -> None:
        for fault in (b"x\r\n", b"5\r\nhello5", b"0\r\n x: y\r\n\r\n", b"ffffffffff\r\n"):
            for parts in cuttings(HEAD + b"3;a=b\r\nabc\r\n" + fault):
                parser, given, is_begun = Parser(self.limits, Request), b"", False
                with self.assertRaises(HttpError):
                    for part in parts:
                        parser.feed(part)
                        is_begun = is_begun or parser.next_head() is not None
                        while is_begun and (piece := parser.next_piece()):
                            given += piece

                self.assertEqual(given, b"abchello" if b"hello" in fault else b"abc")


class TestBodyLimit(CutsTestCase):
    limits = Limits(body_bytes=8)

    def test_the_chunk_that_goes_over_the_limit_is_413_before_its_data(self) -> None:
        self.assertEqual(self.served(HEAD + b"5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n").body, b"helloabc")
        self.assertEqual(self.refused(HEAD + b"5\r\nhello\r\n4\r\n", 413), "payload-too-large")
        self.refused(HEAD + b"ffffffffffffffff\r\n", 413)

    def test_the_app_may_set_another_limit(self) -> None:
        requests, _ = self.outcome(HEAD + b"9\r\n123456789\r\n0\r\n\r\n", body_limit_bytes=9)

        self.assertEqual([request.body for request in requests], [b"123456789"])


class TestTrailers(CutsTestCase):
    def test_trailers_are_read_and_never_merged(self) -> None:
        request = self.served(HEAD + b"2\r\nhi\r\n0\r\nAuthorization: Bearer x\r\nX: y\r\n\r\n")

        self.assertEqual(request.body, b"hi")
        self.assertEqual(set(request.headers), {"host", "transfer-encoding"})

    def test_bad_trailers_are_refused(self) -> None:
        for trailer in (
            b"Name : v",
            b" x: y",
            b"no colon",
            b": v",
            b"a: b\nc: d",
            b"a: b\r\n c",
            b"a: \x00",
            b"a\x80: b",
        ):
            self.refused(HEAD + b"0\r\n" + trailer + b"\r\n\r\n")

    def test_trailers_have_the_limits_of_headers(self) -> None:
        self.served(HEAD + b"0\r\nx: " + b"y" * (16384 - 5) + b"\r\n\r\n")
        self.refused(HEAD + b"0\r\nx: " + b"y" * (16384 - 4) + b"\r\n\r\n", 431)
        self.refused(HEAD + b"0\r\n" + b"x: y\r\n" * 65 + b"\r\n", 431)
        self.refused(HEAD + b"0\r\nx: " + b"y" * 17000, 431)
