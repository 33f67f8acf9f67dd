"""SMTP replies, read from bytes that come in any pieces."""

import unittest

from lib.handlers.email.smtp.replies import NO_REPLY, REPLY_BYTES, TEXT_BYTES, EndlessReply, ReplyReader


class Replies(unittest.TestCase):
    def test_several_in_one_packet_come_out_in_their_order(self) -> None:
        replies = ReplyReader().feed(b"250 2.1.0 ok\r\n550-5.1.1 no such\r\n550 user\r\n354 go ahead\r\n")

        self.assertEqual(replies, [(250, b"2.1.0 ok"), (550, b"5.1.1 no such\nuser"), (354, b"go ahead")])

    def test_a_reply_cut_at_any_byte_is_the_same_reply(self) -> None:
        whole = b"250-first\r\n250-\r\n250 last\r\n421 bye\r\n"
        for cut in range(len(whole) + 1):
            with self.subTest(cut=cut):
                reader = ReplyReader()

                replies = reader.feed(whole[:cut]) + reader.feed(whole[cut:])

                self.assertEqual(replies, [(250, b"first\n\nlast"), (421, b"bye")])

    def test_byte_by_byte(self) -> None:
        reader = ReplyReader()

        replies = [reply for byte in b"250-a\r\n250 b\r\n" for reply in reader.feed(bytes([byte]))]

        self.assertEqual(replies, [(250, b"a\nb")])

    def test_what_servers_do_is_forgiven(self) -> None:
        for said, reply in (
            (b"250\r\n", (250, b"")),
            (b"250 ok\n", (250, b"ok")),
            (b"250 \t ok \t\r\n", (250, b"ok")),
            (b"250-a\r\n550 b\r\n", (550, b"a\nb")),
        ):
            with self.subTest(said=said):
                self.assertEqual(ReplyReader().feed(said), [reply])

    def test_what_is_no_reply_has_no_code_and_keeps_its_words(self) -> None:
        for said in (b"HTTP/1.1 400 Bad Request", b"", b"25", b"2 5 ok", b"+25 ok", "２５０ ok".encode()):
            with self.subTest(said=said):
                self.assertEqual(ReplyReader().feed(said + b"\r\n"), [(NO_REPLY, said)])

    def test_a_reply_without_end_is_given_up(self) -> None:
        for endless in (b"250-more\r\n", b"2" * 70, b"250-\r\n", b"250-" + b"x" * 5000):
            with self.subTest(endless=endless[:10]):
                reader = ReplyReader()

                with self.assertRaises(EndlessReply):
                    for _ in range(REPLY_BYTES + 2):
                        reader.feed(endless)

    def test_of_a_long_reply_the_first_words_are_kept(self) -> None:
        reader = ReplyReader()

        [(code, text)] = reader.feed(b"550-" + b"x" * 5000 + b"\r\n" + b"550-y\r\n" * 5000 + b"550 z\r\n")

        self.assertEqual((code, text), (550, b"x" * TEXT_BYTES))
        self.assertEqual(reader.feed(b"250 ok\r\n"), [(250, b"ok")])
