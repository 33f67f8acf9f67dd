"""The payload of an email job and the letter it becomes: what is refused at POST, and what the bytes are."""

import time
import unittest
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from random import Random
from typing import Any

from lib.handlers.email import Email, compose, send_email
from lib.handlers.email.smtp.dial import read_route
from lib.jobs.backoff import delay_s
from lib.jobs.payload import Invalid
from lib.jobs.registry import load
from tests.unit.handlers.email.letters import JOB_ID, NOW_S, SENDER, decode, letter, read, text_of


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
            "X-Received",
            "Delivery-Date",
            "Envelope-To",
        ):
            with self.subTest(name=name):
                self.assertEqual(self.pointers(headers={name: "1"}), [f"/payload/headers/{name}"])

    def test_a_header_name_is_ftext_and_its_pointer_escaped(self) -> None:
        self.assertEqual(self.pointers(headers={"X Foo": "1"}), ["/payload/headers/X Foo"])
        self.assertEqual(self.pointers(headers={"X/Foo:": "1"}), ["/payload/headers/X~1Foo:"])
        self.assertEqual(self.pointers(headers={"": "1"}), ["/payload/headers/"])
        self.assertEqual(self.pointers(headers={"X-Ä": "1"}), ["/payload/headers/X-Ä"])
        self.assertEqual(self.pointers(headers={"X-A": "1", "x-a": "2"}), ["/payload/headers/x-a"])

    def test_a_mail_to_nobody_is_told_at_to(self) -> None:
        nobody = {"to": None, "cc": "", "bcc": [None, " ", ""]}

        self.assertEqual(self.pointers(**nobody), ["/payload/to"])
        self.assertEqual(self.pointers(**nobody, reply_to="nobody"), ["/payload/reply_to", "/payload/to"])
        self.assertEqual(self.pointers(to="a..b@", cc=""), ["/payload/to"])
        with self.assertRaises(Invalid):
            decode({"subject": "Hi", "text": "Hello"}, "/payload")

    def test_a_sender_is_one(self) -> None:
        for wrong in ("a@x.example, b@x.example", "nobody", {"address": "x"}):
            with self.subTest(wrong):
                self.assertEqual(self.pointers(**{"from": wrong}), ["/payload/from"])
        self.assertEqual(self.pointers(**{"from": ["a@x.example"]}), ["/payload/from"])
        self.assertEqual(self.pointers(from_="a@x.example"), ["/payload/from_"])
        for nobody in (None, "", {"address": ""}):
            payload = decode({"from": nobody, "to": "a@b.example", "subject": "", "text": ""}, "")
            self.assertIsNone(payload.sender)

    def test_a_wrong_entry_of_an_object_is_told_at_its_member(self) -> None:
        self.assertEqual(self.pointers(to=[{"address": 1}]), ["/payload/to/0/address"])
        self.assertEqual(self.pointers(to={"name": "x"}), ["/payload/to/address"])
        self.assertEqual(self.pointers(to=["a@b.example", {"address": "a@b.example", "x": 1}]), ["/payload/to/1/x"])
        self.assertEqual(self.pointers(to=[["a@b.example"]]), ["/payload/to/0"])

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
