"""Answers as bytes; each case whole, byte by byte, and cut in two at every place."""

import unittest
from collections.abc import Iterator
from typing import NamedTuple

from lib.http1.client.faults import HttpClientFault, LinkLost, NoHttp
from lib.http1.client.response_parser import AnswerLimits, AnswerParser

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SMALL = AnswerLimits(header_bytes=200, header_fields=4, chunk_extension_bytes=8, interim_answers=2, body_bytes=10)


class Read(NamedTuple):
    status: int | None
    body: bytes
    is_complete: bool
    is_truncated: bool
    may_keep: bool


def cuttings(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield [data[n : n + 1] for n in range(len(data))]
    for n in range(1, len(data)):
        yield [data[:n], data[n:]]


def parse(pieces: list[bytes], method: str, *, ends: bool | None) -> Read | str:
    parser = AnswerParser(method, SMALL)
    try:
        for piece in pieces:
            parser.feed(piece)
            if parser.is_complete:
                break  # The link is kept or cut: nothing more is read for this answer.
        if ends is not None:
            parser.end(is_clean=ends)
    except HttpClientFault as exc:
        return f"{type(exc).__name__}: {exc}"
    return Read(parser.status, bytes(parser.body), parser.is_complete, parser.is_truncated, parser.may_keep)


class Answers(unittest.TestCase):
    def read(self, data: bytes, method: str = "POST", *, ends: bool | None = None) -> Read:
        found = self.outcome(data, method, ends=ends)
        assert isinstance(found, Read), found
        return found

    def outcome(self, data: bytes, method: str = "POST", *, ends: bool | None = None) -> Read | str:
        """The outcome of all cuttings, which must be one; of a fault its name alone, for what it quotes may differ."""
        outcomes = (parse(pieces, method, ends=ends) for pieces in cuttings(data))
        found = {outcome if isinstance(outcome, Read) else outcome.split(":")[0] for outcome in outcomes}
        self.assertEqual(len(found), 1, found)
        return found.pop()

    def fault(self, data: bytes) -> str:
        found = self.outcome(data)
        assert isinstance(found, str), found
        return found

    def test_a_body_of_a_length_is_whole_and_the_link_is_kept(self) -> None:
        self.assertEqual(self.read(OK + b"Content-Length: 2\r\n\r\nok"), Read(200, b"ok", True, False, True))
        self.assertEqual(self.read(OK + b"Content-Length: 0\r\n\r\n"), Read(200, b"", True, False, True))
        self.assertEqual(self.read(OK + b"Content-Length: 2, 2\r\n\r\nok"), Read(200, b"ok", True, False, True))
        self.assertEqual(self.read(OK + b"Content-Length: 3\r\n\r\nok"), Read(200, b"ok", False, False, True))

    def test_a_chunked_body_is_whole_and_the_link_is_kept(self) -> None:
        self.assertEqual(self.read(CHUNKED + b"2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n"), Read(200, b"ok", True, False, True))

    def test_a_body_without_a_frame_lasts_until_the_link_is_closed(self) -> None:
        self.assertEqual(self.read(OK + b"\r\nok", ends=True), Read(200, b"ok", True, False, False))
        self.assertEqual(self.read(OK + b"\r\n", ends=True), Read(200, b"", True, False, False))
        self.assertEqual(self.read(OK + b"\r\nok", ends=False), Read(200, b"ok", True, True, False))

    def test_answers_without_a_body_have_none_whatever_their_fields_say(self) -> None:
        head = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"
        self.assertEqual(self.read(head), Read(204, b"", True, False, True))
        self.assertEqual(self.read(b"HTTP/1.1 304\r\n\r\n"), Read(304, b"", True, False, True))
        self.assertEqual(self.read(CHUNKED, "HEAD"), Read(200, b"", True, False, True))
        self.assertEqual(self.read(b"HTTP/1.0 204 \r\n\r\n"), Read(204, b"", True, False, False))

    def test_the_link_is_not_kept_where_one_side_says_close(self) -> None:
        for field in (b"Connection: close", b"connection: Keep-Alive, CLOSE", b"Connection: a\r\nConnection: close"):
            self.assertFalse(self.read(OK + field + b"\r\nContent-Length: 2\r\n\r\nok").may_keep, field)
        self.assertFalse(self.read(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").may_keep)

    def test_more_than_was_asked_for_spoils_the_link(self) -> None:
        parser = AnswerParser("POST")
        parser.feed(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")

        self.assertEqual((bytes(parser.body), parser.may_keep), (b"ok", False))

    def test_interim_answers_are_passed_over(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        self.assertEqual(self.read(early * 2 + OK + b"Content-Length: 2\r\n\r\nok").body, b"ok")

        self.assertEqual(self.fault(early * 3), "NoHttp")
        self.assertEqual(self.fault(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), "NoHttp")

    def test_a_body_is_cut_at_its_limit(self) -> None:
        ten = b"0123456789"
        whole, cut = Read(200, ten, True, False, True), Read(200, ten, True, True, False)
        self.assertEqual(self.read(OK + b"Content-Length: 10\r\n\r\n" + ten), whole)
        self.assertEqual(self.read(OK + b"Content-Length: 11\r\n\r\n" + ten + b"x"), cut)
        self.assertEqual(self.read(OK + b"Content-Length: 999999999999999999\r\n\r\n" + ten + b"x"), cut)
        self.assertEqual(self.read(CHUNKED + b"a\r\n" + ten + b"\r\n0\r\n\r\n"), whole)
        self.assertEqual(self.read(CHUNKED + b"b\r\n" + ten + b"x\r\n0\r\n\r\n"), cut)
        self.assertEqual(self.read(CHUNKED + b"ffffffff\r\n" + ten + b"xx"), cut)
        self.assertEqual(self.read(OK + b"\r\n" + ten + b"x"), cut)

    def test_a_body_that_breaks_off_behind_a_whole_head_is_an_answer(self) -> None:
        cut = Read(200, b"ok", True, True, False)
        self.assertEqual(self.read(OK + b"Content-Length: 3\r\n\r\nok", ends=True), cut)
        self.assertEqual(self.read(CHUNKED + b"2\r\nok\r\n", ends=False), cut)

    def test_a_body_that_is_coded_wrongly_is_an_answer_up_to_there(self) -> None:
        for rest in (b"x\r\n", b"2;" + b"e" * 20 + b"\r\n", b"fffffffffffffffff\r\n", b"0\r\nX y\r\n\r\n"):
            self.assertEqual(self.read(CHUNKED + b"2\r\nok\r\n" + rest), Read(200, b"ok", True, True, False), rest)

    def test_a_link_that_ends_before_a_head_is_whole_is_lost(self) -> None:
        for data in (b"H", OK[:-1], OK + b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"):
            for ends in (True, False):
                self.assertEqual(self.outcome(data, ends=ends), "LinkLost", data)
        with self.assertRaisesRegex(LinkLost, "closed the link before it answered"):
            AnswerParser("GET").end(is_clean=True)

    def test_a_status_from_600_on_is_an_answer(self) -> None:
        self.assertEqual(self.read(b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n").status, 999)

    def test_fields_keep_their_order_and_come_as_often_as_they_came(self) -> None:
        parser = AnswerParser("GET")
        parser.feed(OK + b"X-Request-ID: a\r\nx-request-id:b \r\nFolded: c\r\n\td\r\nContent-Length: 0\r\n\r\n")

        fields = [("x-request-id", "a"), ("x-request-id", "b"), ("folded", "c d"), ("content-length", "0")]
        self.assertEqual(parser.fields, fields)

    def test_what_could_be_read_in_two_ways_is_no_http(self) -> None:
        for data in (
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
            OK + b"Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\nok",
            OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            OK + b"Content-Length: +2\r\n\r\nok",
            OK + b"Content-Length: 0x2\r\n\r\nok",
            OK + b"Content-Length: \r\n\r\nok",
            OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            OK + b"Content-Length : 2\r\n\r\nok",
            OK + b"X\r\n\r\n",
            OK + b": y\r\n\r\n",
            OK + b"X: a\x00b\r\n\r\n",
            OK + b" X: a\r\n\r\n",
        ):
            self.assertEqual(self.fault(data), "NoHttp", data)

    def test_what_is_no_http_is_refused_as_early_as_it_can_be_seen(self) -> None:
        for data in (b"SSH-2.0-OpenSSH", b"\x16\x03\x01", b"HTTP/2", b"<html>", b"220 mail", b" ", b"\r\n"):
            with self.subTest(data), self.assertRaisesRegex(NoHttp, "which is no HTTP/1.1"):
                AnswerParser("GET").feed(data)
        for line in (b"1 20\r\n\r\n", b"1 099 A\r\n\r\n", b"1  200 OK\r\n\r\n", b"1 200 O\nK", b"10 200 OK\r\n\r\n"):
            self.assertEqual(self.fault(b"HTTP/1." + line), "NoHttp", line)

    def test_a_head_is_bounded_in_bytes_and_in_fields(self) -> None:
        self.assertEqual(self.fault(OK + b"X: " + b"y" * 300), "NoHttp")
        self.assertEqual(self.fault(OK + b"X: " + b"y" * 300 + b"\r\n\r\n"), "NoHttp")
        self.assertEqual(self.fault(OK + b"X: y\r\n" * 5 + b"\r\n"), "NoHttp")
        self.assertEqual(self.read(OK + b"X: y\r\n" * 4 + b"\r\n", ends=True).status, 200)


if __name__ == "__main__":
    unittest.main()
