"""lib/redis_link/resp.py: every kind of reply in every cutting; commands as redis-py itself would write them."""

import time
import unittest
from typing import Any

from redis._parsers.encoders import Encoder
from redis.connection import PythonRespSerializer

from lib.redis_link.resp import Argument, Garbled, Replies, ReplyError, encoded

STREAM = (
    b"+OK\r\n:-7\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n-NOSCRIPT No matching script\r\n"
    b"*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n+x\r\n"
)
MEANT: list[Any] = [b"OK", -7, b"he\r\no", b"", None, None, [], "NOSCRIPT No matching script", [1, [b"a", None], b"x"]]


def given(parts: list[bytes]) -> list[Any]:
    replies = Replies()
    answers = [answer for part in parts for answer in replies.feed(part)]
    return [str(answer) if isinstance(answer, ReplyError) else answer for answer in answers]


class TestReplies(unittest.TestCase):
    def test_every_kind_is_read_however_it_is_cut(self) -> None:
        self.assertEqual(given([STREAM]), MEANT)
        self.assertEqual(given([STREAM[i : i + 1] for i in range(len(STREAM))]), MEANT)
        for offset in range(1, len(STREAM)):
            self.assertEqual(given([STREAM[:offset], STREAM[offset:]]), MEANT, offset)

    def test_an_error_amid_an_array_is_an_item_of_it(self) -> None:
        [[first, error]] = Replies().feed(b"*2\r\n:1\r\n-ERR no\r\n")

        self.assertEqual((first, str(error)), (1, "ERR no"))
        self.assertIsInstance(error, ReplyError)

    def test_what_is_not_resp_is_said(self) -> None:
        for noise in (b"HTTP/1.1 400\r\n", b"$five\r\n", b"*x\r\n", b":\r\n", b"\r\n"):
            with self.assertRaises(Garbled, msg=noise):
                list(Replies().feed(noise))

    def test_a_long_string_in_many_pieces_takes_linear_time(self) -> None:
        body = bytes(32 << 20)
        stream = b"$%d\r\n%b\r\n" % (len(body), body)
        replies = Replies()

        began_s = time.process_time()
        answers = [a for at in range(0, len(stream), 4096) for a in replies.feed(stream[at : at + 4096])]

        self.assertEqual(answers, [body])
        # Joined anew at each of 8,192 pieces it would be 128 GiB.
        self.assertLess(time.process_time() - began_s, 5)

    def test_an_array_of_long_strings_in_many_pieces_takes_linear_time(self) -> None:
        item = bytes(1 << 18)
        stream = b"*200\r\n" + b"$%d\r\n%b\r\n" % (len(item), item) * 200
        replies = Replies()

        began_s = time.process_time()
        answers = [a for at in range(0, len(stream), 4096) for a in replies.feed(stream[at : at + 4096])]

        self.assertEqual(answers, [[item] * 200])
        # Read anew with each of its items it would be 5 GiB.
        self.assertLess(time.process_time() - began_s, 1)


class TestCommands(unittest.TestCase):
    def test_they_are_written_as_redis_py_writes_them(self) -> None:
        theirs = PythonRespSerializer(6000, Encoder("utf-8", "strict", False).encode)  # type: ignore[no-untyped-call]
        for command in (
            ("PING",),
            ("SET", b"\x00\r\n", "ключ", 12, 0.25, -1, ""),
            ("EVALSHA", "x" * 7000, 1, b"y" * 9),
        ):
            arguments: tuple[Argument, ...] = command

            self.assertEqual(encoded(arguments), b"".join(theirs.pack(*arguments)))  # type: ignore[no-untyped-call]

    def test_an_id_that_is_no_utf_8_goes_back_as_it_came(self) -> None:
        job_id = b"\xff\xfe".decode("utf-8", "surrogateescape")

        self.assertEqual(encoded(("LREM", job_id)), b"*2\r\n$4\r\nLREM\r\n$2\r\n\xff\xfe\r\n")
