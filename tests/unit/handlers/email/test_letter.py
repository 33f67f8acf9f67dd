"""A payload and the letter that it becomes, to the byte; every letter is read back with Python's own parser."""

import time
import unittest
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any

from lib.handlers.email.email_payload import Email
from lib.handlers.email.letter import compose
from tests.unit.handlers.email.letters import JOB_ID, NOW_S, SENDER, decode, letter, read, text_of


def names_of(header: str) -> list[str]:
    # EmailMessage's own `addresses` leaves a blank between two encoded words, and RFC 2047, 6.2 takes the blank out.
    return [str(make_header(decode_header(name))) for name, _ in getaddresses([header])]


class Letters(unittest.TestCase):
    def test_a_plain_mail_in_full(self) -> None:
        self.assertEqual(
            letter().content.decode("ascii").split("\r\n"),
            [
                "From: Waybill <waybill@example.com>",
                "To: test@gmail.com",
                "Subject: Hi",
                "Date: Wed, 18 Nov 2026 11:06:40 +0000",
                f"Message-ID: <{JOB_ID}@example.com>",
                "X-Request-ID: request-1",
                "Auto-Submitted: auto-generated",
                "MIME-Version: 1.0",
                'Content-Type: text/plain; charset="utf-8"',
                "Content-Transfer-Encoding: 7bit",
                "",
                "Hello",
                "",
            ],
        )

    def test_text_and_html_are_alternatives(self) -> None:
        message = read(letter(text="Grüße", html="<p>Grüße</p>").content)

        self.assertEqual(message.get_content_type(), "multipart/alternative")
        self.assertEqual(text_of(message, "plain"), "Grüße\n")
        self.assertEqual(text_of(message, "html"), "<p>Grüße</p>\n")
        self.assertEqual(message.defects, [])

    def test_bcc_is_in_the_envelope_alone_and_everyone_there_once(self) -> None:
        made = letter(to=["a@x.example", "B <b@x.example>"], cc="b@X.example", bcc=["secret@x.example", "a@x.example"])

        self.assertEqual(made.recipients, ("a@x.example", "b@x.example", "secret@x.example"))
        self.assertNotIn(b"secret", made.content)
        self.assertNotIn(b"bcc", made.content.lower())

    def test_a_mail_to_bcc_alone_names_nobody(self) -> None:
        nobody: list[Any] = [None, "", " , ", [], [None, ""], "undisclosed-recipients:;"]
        for to in nobody:
            with self.subTest(to):
                made = letter(to=to, cc=to, bcc="Secret <secret@x.example>")

                self.assertEqual(made.recipients, ("secret@x.example",))
                self.assertIn(b"\r\nTo: undisclosed-recipients:;\r\n", made.content)
                self.assertNotIn(b"secret", made.content.lower())

    def test_a_mail_to_cc_alone_has_no_to(self) -> None:
        message = read(letter(to=None, cc="c@x.example").content)

        self.assertEqual((message["To"], message["Cc"]), (None, "c@x.example"))

    def test_a_field_that_names_nobody_is_no_header(self) -> None:
        message = read(letter(cc="", bcc=[None, ""], reply_to=" ; ").content)

        self.assertEqual((message["To"], message["Cc"], message["Reply-To"]), ("test@gmail.com", None, None))

    def test_lists_in_one_text_groups_and_objects_are_the_same_mail(self) -> None:
        wanted = letter(to=['"Doe, Jane" <j@x.example>', "b@y.example"], cc=[], reply_to=["a@x.example", "c@x.example"])
        jane = {"name": "Doe, Jane", "address": "j@x.example"}
        for to in (
            '"Doe, Jane" <j@x.example>, b@y.example',
            'Team: "Doe, Jane" <j@x.example>; b@y.example',
            [jane, "", None, "b@y.example"],
            [jane, {"address": "b@y.example", "name": None}],
        ):
            with self.subTest(to=to):
                made = letter(to=to, cc="", reply_to="a@x.example; c@x.example")

                self.assertEqual(made, wanted)

    def test_what_stands_twice_is_shown_twice_and_sent_once(self) -> None:
        made = letter(to="a@x.example, A <a@X.example>")

        self.assertEqual(made.recipients, ("a@x.example",))
        self.assertEqual(read(made.content)["To"], "a@x.example, A <a@x.example>")

    def test_a_quoted_local_part_is_quoted_in_the_envelope_and_in_brackets_in_the_header(self) -> None:
        made = letter(to="try..this@example.jp", cc='Jane <"a, b"@x.example>')

        self.assertEqual(made.recipients, ('"try..this"@example.jp', '"a, b"@x.example'))
        self.assertIn(b'\r\nTo: <"try..this"@example.jp>\r\nCc: Jane <"a, b"@x.example>\r\n', made.content)
        self.assertFalse(made.needs_utf8)

    def test_an_address_beyond_ascii_is_utf_8_in_its_header_and_needs_smtputf8(self) -> None:
        for fields in ({"to": "Jörg <jörg@bücher.example>"}, {"reply_to": "jörg@x.example"}, {"bcc": "jörg@x.example"}):
            with self.subTest(fields):
                self.assertTrue(letter(**fields).needs_utf8)

        content = letter(to="Jörg <jörg@bücher.example>").content
        self.assertIn("<jörg@xn--bcher-kva.example>\r\n".encode(), content)
        self.assertFalse(letter(to="Jörg <joerg@bücher.example>", subject="Jörg", text="Jörg").needs_utf8)

    def test_a_sender_of_its_own_is_in_header_envelope_and_message_id(self) -> None:
        payload = decode(
            {"from": "Shop <shop@bücher.example>", "to": "a@b.example", "subject": "", "text": ""}, "/payload"
        )
        assert payload.sender is not None

        made = compose(payload, sender=payload.sender, job_id=JOB_ID, request_id="r", now_s=NOW_S)

        self.assertEqual(made.sender, "shop@xn--bcher-kva.example")
        self.assertEqual(made.message_id, f"<{JOB_ID}@xn--bcher-kva.example>")
        self.assertTrue(made.content.startswith(b"From: Shop <shop@xn--bcher-kva.example>\r\n"))

    def test_names_beyond_ascii_and_with_commas_come_back_as_they_were(self) -> None:
        names = [
            "Zoë " * 20 + "Ö",
            "日本" * 30,
            "Doe, Jane (home)",
            'a "quoted" \\ name',
            "=?utf-8?q?x?=",
            "Plain Name",
        ]
        made = letter(to=['"' + n.replace("\\", "\\\\").replace('"', '\\"') + '" <a@x.example>' for n in names])

        message = message_from_bytes(made.content, policy=policy.compat32)
        self.assertEqual(names_of(message["To"]), names)

    def test_subjects_come_back_as_they_were(self) -> None:
        for subject in (
            *(
                "",
                "Hi",
                "Grüße",
                "日本語" * 100,
                "a" * 998,
                "word " * 180 + "end",
                "led  and   spaced",
                "=?utf-8?q?no?=",
            ),
            *("😀" * 200, "x" * 70 + " " + "y" * 200 + " z", "a: b"),
        ):
            with self.subTest(subject=subject):
                self.assertEqual(read(letter(subject=subject).content)["Subject"], subject)

    def test_a_long_url_in_a_header_is_left_as_it_is(self) -> None:
        url = f"<https://example.com/unsubscribe?token={'a' * 300}>"

        self.assertIn(f"\r\nList-Unsubscribe: {url}\r\n".encode(), letter(headers={"List-Unsubscribe": url}).content)

    def test_auto_submitted_can_be_set(self) -> None:
        message = read(letter(headers={"auto-submitted": "no"}).content)

        self.assertEqual(message.get_all("Auto-Submitted"), ["no"])

    def test_nothing_exceeds_998_and_every_line_ends_with_crlf_and_is_ascii(self) -> None:
        wild = "é" * 3000 + "\r" + "x" * 5000 + "\n.\n..\nFrom me\n" + "\0\x1b[1m tail \t\n\n"
        many = [f'"{"n" * 250}" <{"a" * 60}{n}@{"d" * 60}.example>' for n in range(100)]
        made = letter(text=wild, html="<p>" + "y" * 9000, to=many, headers={"X-A": "z" * 2000, "X-B": "w " * 900 + "w"})

        content = made.content
        self.assertTrue(content.isascii())
        self.assertEqual(content.count(b"\n"), content.count(b"\r\n"))
        self.assertEqual(content.count(b"\r"), content.count(b"\r\n"))
        self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 998)

    def test_texts_come_back_as_they_were(self) -> None:
        for text in (
            "a\n.\n..b\n",
            "x" * 2000 + "\n",
            "tail \t\n \n",
            "é" * 500 + "\n",
            "=3D é\n",
            "\x00\x1b\x0c\n",
            "\n",
        ):
            with self.subTest(text=text):
                self.assertEqual(text_of(read(letter(text=text).content), "plain"), text)

    def test_long_plain_lines_are_broken_softly_and_come_back_as_they_were(self) -> None:
        for line in ("x" * 450, "=" * 200, "ab=" * 60, "x" * 75 + "=", "word " * 40, "x" * 100 + ".", "x" * 77 + " \t"):
            for begin in range(4):
                with self.subTest(line=line, begin=begin):
                    text = f"{'y' * begin}{line}\n.\nshort\n{line}"

                    content = letter(text=text).content

                    _, _, body = content.partition(b"\r\n\r\n")
                    self.assertEqual(text_of(read(content), "plain"), text + "\n")
                    self.assertLessEqual(max(map(len, body.split(b"\r\n"))), 78)
                    self.assertNotRegex(body, rb"[ \t]\r\n")

    def test_a_text_that_quotes_the_boundary_does_not_end_its_part(self) -> None:
        boundary = "--=_" + JOB_ID[-32:]
        message = read(letter(text=f"{boundary}\n{boundary}--", html="<p>here").content)

        self.assertEqual(text_of(message, "html"), "<p>here\n")

    def test_attempts_differ_in_their_date_alone(self) -> None:
        payload = Email(to="a@b.example", subject="Hi", text="a", html="b")
        first, second = (
            compose(payload, sender=SENDER, job_id=JOB_ID, request_id="r", now_s=NOW_S + n).content.split(b"\r\n")
            for n in (0, 60)
        )

        self.assertEqual([a.split(b":")[0] for a, b in zip(first, second, strict=True) if a != b], [b"Date"])

    def test_a_large_text_is_composed_quickly(self) -> None:
        started = time.process_time()

        letter(text="é" * 1_000_000, html="x" * 1_000_000)

        self.assertLess(time.process_time() - started, 2)
