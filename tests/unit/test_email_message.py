"""The payload of an email job and the letter it becomes: what is refused at POST, and what the bytes are."""

import time
import unittest
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from random import Random
from typing import Any

from lib.handlers.email import Email, compose, send_email
from lib.handlers.letter import Letter
from lib.handlers.mailbox import Mailbox, parse_mailbox
from lib.handlers.smtp_dial import read_route
from lib.jobs.backoff import delay_s
from lib.jobs.payload import Invalid, decoder_for
from lib.jobs.registry import load

JOB_ID = "email-019a0000000070008000000000000001"
SENDER = Mailbox("Waybill", "waybill@example.com")
NOW_S = 1_795_000_000.0
decode = decoder_for(Email)


def letter(**fields: Any) -> Letter:
    payload = decode({"to": "test@gmail.com", "subject": "Hi", "text": "Hello", **fields}, "/payload")
    return compose(payload, sender=SENDER, job_id=JOB_ID, request_id="request-1", now_s=NOW_S)


def read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


def names_of(header: str) -> list[str]:
    # Not EmailMessage's own `addresses`: it leaves a blank between two encoded words, which RFC 2047, 6.2 takes out.
    return [str(make_header(decode_header(name))) for name, _ in getaddresses([header])]


class Refusals(unittest.TestCase):
    def pointers(self, **fields: Any) -> list[str]:
        with self.assertRaises(Invalid) as caught:
            letter(**fields)
        return [error.pointer for error in caught.exception.errors]

    def test_every_fault_is_told_at_once_and_at_its_place(self) -> None:
        pointers = self.pointers(
            to=["a@b.example", "nobody"], cc="x@y@z", subject="a\nb", headers={"X-Foo": "1\r\nBcc: me@x.example"}
        )

        self.assertEqual(pointers, ["/payload/to/1", "/payload/cc", "/payload/subject", "/payload/headers/X-Foo"])

    def test_no_line_break_or_control_character_passes_into_a_header(self) -> None:
        for unfit in (
            "\r",
            "\n",
            "\r\n",
            "\0",
            "\t",
            "\x0b",
            "\x0c",
            "\x1c",
            "\x7f",
            "\x85",
            "\u2028",
            "\u2029",
            "\udc0a",
        ):
            with self.subTest(unfit=unfit):
                text = f"a{unfit}b"

                self.assertEqual(self.pointers(subject=text), ["/payload/subject"])
                self.assertEqual(self.pointers(to=f"{text} <a@b.example>"), ["/payload/to"])
                self.assertEqual(self.pointers(to=f"a@b.example{unfit}"), ["/payload/to"])
                self.assertEqual(self.pointers(reply_to=[f"{text}@b.example"]), ["/payload/reply_to/0"])
                self.assertEqual(self.pointers(headers={"X-A": text}), ["/payload/headers/X-A"])
                self.assertEqual(len(self.pointers(headers={f"X-{text}": "1"})), 1)

    def test_headers_that_waybill_writes_are_refused_in_any_case(self) -> None:
        for name in (
            "Bcc",
            "FROM",
            "content-Type",
            "Resent-To",
            "X-Request-ID",
            "DKIM-Signature",
            "message-id",
            "Sender",
        ):
            with self.subTest(name=name):
                self.assertEqual(self.pointers(headers={name: "1"}), [f"/payload/headers/{name}"])

    def test_a_header_name_is_ftext_and_its_pointer_escaped(self) -> None:
        self.assertEqual(self.pointers(headers={"X Foo": "1"}), ["/payload/headers/X Foo"])
        self.assertEqual(self.pointers(headers={"X/Foo:": "1"}), ["/payload/headers/X~1Foo:"])
        self.assertEqual(self.pointers(headers={"": "1"}), ["/payload/headers/"])
        self.assertEqual(self.pointers(headers={"X-Ä": "1"}), ["/payload/headers/X-Ä"])
        self.assertEqual(self.pointers(headers={"X-A": "1", "x-a": "2"}), ["/payload/headers/x-a"])

    def test_limits(self) -> None:
        many = [f"a{n}@b.example" for n in range(101)]

        self.assertEqual(self.pointers(to=many), ["/payload/to"])
        self.assertEqual(self.pointers(to=many[:60], bcc=many[60:]), ["/payload/to"])
        self.assertEqual(self.pointers(to=[]), ["/payload/to"])
        self.assertEqual(self.pointers(subject="x" * 999), ["/payload/subject"])
        self.assertEqual(self.pointers(headers={"X-A": "x" * 2001}), ["/payload/headers/X-A"])
        self.assertEqual(self.pointers(headers={f"X-{n}": "" for n in range(31)}), ["/payload/headers"])
        self.assertEqual(len(letter(to=many[:100]).recipients), 100)

    def test_a_mail_needs_a_text(self) -> None:
        self.assertEqual(self.pointers(text=None), ["/payload/text"])
        self.assertEqual(self.pointers(text="half \ud83d of a pair"), ["/payload/text"])

    def test_on_uncertain_is_retry_or_stop(self) -> None:
        self.assertEqual(self.pointers(on_uncertain="ask"), ["/payload/on_uncertain"])
        self.assertEqual(decode({"to": "a@b.example", "subject": "", "text": ""}, "").on_uncertain, "retry")


class Addresses(unittest.TestCase):
    def test_addresses_that_are_read(self) -> None:
        longest = "a" * 64 + "@" + ".".join(["b" * 63, "c" * 63, "d" * 61])
        for text, name, address in (
            ("a@b.example", "", "a@b.example"),
            ("  A.b+c@B.Example ", "", "A.b+c@b.example"),
            ("root@localhost", "", "root@localhost"),
            ("Jane Doe <jane@x.example>", "Jane Doe", "jane@x.example"),
            ("<jane@x.example>", "", "jane@x.example"),
            ('"Doe, \\"J\\" @ home" <jane@x.example>', 'Doe, "J" @ home', "jane@x.example"),
            ("Zoë 日本 <z@bücher.example>", "Zoë 日本", "z@xn--bcher-kva.example"),
            (longest, "", longest),
        ):
            with self.subTest(text=text):
                self.assertEqual(parse_mailbox(text), Mailbox(name, address))

    def test_addresses_that_are_refused(self) -> None:
        too_long = "a" * 64 + "@" + ".".join(["b" * 63, "c" * 63, "d" * 62])
        for text in (
            *("", "a", "@b.example", "a@", "a@b@c.example", "a b@c.example", ".a@b.example", "a.@b.example"),
            *("a..b@c.example", "a@-b.example", "a@b-.example", "a@b..example", "a@b.example.", "a@b_c.example"),
            *("a@b.example, c@d.example", "a@b.example; c@d.example", "Doe, Jane <j@x.example>", "a@[127.0.0.1]"),
            *("x@y.example <a@b.example>", "a@b.example>", "Jane <a@b.example", "Jane <<a@b.example>>"),
            *("(c) a@b.example", '"a b"@c.example', "jürgen@x.example", "a" * 65 + "@b.example", too_long),
            *("x" * 257 + " <a@b.example>", "a@" + "b" * 64 + ".example", "a@" + "ü" * 300),
            *("a@x＠b.example", "a@℀.example", "a@xn--ü.example", "a@\u3002.example"),
        ):
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_mailbox(text)

    def test_a_domain_that_idna_2003_and_2008_read_differently_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "xn--"):
            parse_mailbox("a@straße.example")


class Letters(unittest.TestCase):
    def test_a_plain_mail_in_full(self) -> None:
        self.assertEqual(
            letter().content.decode("ascii").split("\r\n"),
            [
                "From: Waybill <waybill@example.com>",
                "To: test@gmail.com",
                "Subject: Hi",
                "Date: Wed, 18 Nov 2026 11:06:40 -0000",
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

    def test_html_alone_is_no_multipart(self) -> None:
        message = read(letter(text=None, html="<p>Hi</p>").content)

        self.assertEqual(message.get_content_type(), "text/html")

    def test_bcc_is_in_the_envelope_alone_and_everyone_there_once(self) -> None:
        made = letter(to=["a@x.example", "B <b@x.example>"], cc="b@X.example", bcc=["secret@x.example", "a@x.example"])

        self.assertEqual(made.recipients, ("a@x.example", "b@x.example", "secret@x.example"))
        self.assertNotIn(b"secret", made.content)
        self.assertNotIn(b"bcc", made.content.lower())

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
                " led  and   spaced ",
                "=?utf-8?q?no?=",
            ),
            *("😀" * 200, "x" * 70 + " " + "y" * 200 + " z", "a: b", "trailing "),
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


class Routes(unittest.TestCase):
    def test_ports_and_percent_encoding(self) -> None:
        for url, host, port, tls, user, password in (
            ("smtp://mail.example", "mail.example", 25, "none", None, ""),
            ("smtp://mail.example?starttls=1", "mail.example", 587, "starttls", None, ""),
            (
                "smtps://me%40x.example:p%3A%2F%C3%A9@mail.example",
                "mail.example",
                465,
                "implicit",
                "me@x.example",
                "p:/é",
            ),
            ("smtp://u:p@[::1]:2525?starttls=0", "::1", 2525, "none", "u", "p"),
        ):
            with self.subTest(url=url):
                route = read_route(url)

                self.assertEqual((route.host, route.port, route.tls), (host, port, tls))
                self.assertEqual((route.user, route.password), (user, password))
                self.assertNotIn("p:/é", repr(route))

    def test_a_password_in_the_clear_goes_to_loopback_alone(self) -> None:
        with self.assertRaisesRegex(ValueError, "unencrypted"):
            read_route("smtp://u:p@mail.example:25")


class Registration(unittest.TestCase):
    def test_the_job_is_a_coroutine_of_the_email_queue(self) -> None:
        found = load(["lib.handlers.email"]).get("email")

        assert found is not None
        self.assertIs(found.handler, send_email)
        self.assertEqual((found.queue, found.timeout_s), ("email", 60.0))
        self.assertTrue(found.is_async)

    def test_a_mail_is_tried_for_about_three_days_and_given_up_then(self) -> None:
        found = load(["lib.handlers.email"]).get("email")
        assert found is not None
        days = []
        for seed in range(200):
            rng = Random(seed)
            base_s, cap_s = found.backoff
            pauses = [delay_s(n, base_s=base_s, cap_s=cap_s, rng=rng) for n in range(1, found.max_attempts)]
            days.append(sum(pauses) / 86_400)

        self.assertEqual(3 * 86_400_000, found.give_up_ms)
        self.assertAlmostEqual(3, sum(days) / len(days), delta=0.1)
        self.assertTrue(all(2.5 < one < 3.5 for one in days), (min(days), max(days)))
        self.assertLess(sum(delay_s(n, base_s=30, cap_s=3600, rng=Random(1)) for n in (1, 2, 3)), 210)
