"""The email job against a real SMTP server: what arrives, and what each answer or broken link means for the job."""

import asyncio
import base64
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from lib.errors import ConfigError
from lib.handlers.email import MOST_UNCERTAIN, DeliveryLeftUncertain, Email, send_email
from lib.handlers.email.attachment import Attachment
from lib.handlers.email.mailer import Mailer
from lib.handlers.email.senders import SenderNotAllowed
from lib.handlers.email.smtp.dial import SmtpDeadlines
from lib.handlers.email.smtp.idle_sessions import MAX_AGE_S, MAX_IDLE_S
from lib.handlers.email.smtp.session import MANY_MAILS
from lib.handlers.email.smtp.token import SMTPTokenMissing
from lib.handlers.email.smtp.verdicts import (
    DeliveryUncertain,
    MailRefused,
    SMTPLinkLost,
    SMTPLoginRefused,
    SMTPSenderRefused,
    SMTPServerAskedToWait,
    SMTPServerBusy,
    SMTPSessionRefused,
    SMTPSetupFault,
)
from lib.jobs.registry import Discard, Snooze
from lib.jobs.result import RESULT_BYTES, result_text
from tests.a_clock import Clock
from tests.smtp_server import SmtpServer
from tests.wire.mail_case import JOB_ID, Context, LoopCase, WireCase, email, settings


class Sending(WireCase):
    def test_the_mail_arrives_as_it_was_asked_for(self) -> None:
        server = self.serve()
        payload = email("Tëst <test@gmail.com>", html="<p>Hello</p>", cc="c@x.example", bcc="b@x.example")

        result = self.send_email(Context(self.mailer(server.url())), payload)

        [mail] = server.mails()
        self.assertEqual(mail.sender, "waybill@example.com")
        self.assertEqual(mail.recipients, ["test@gmail.com", "c@x.example", "b@x.example"])
        self.assertRegex(mail.parameters, r"^SIZE=[0-9]+$")
        self.assertEqual(mail.message["To"], "Tëst <test@gmail.com>")
        self.assertEqual(mail.message["X-Request-ID"], "request-1")
        self.assertEqual(mail.message["Message-ID"], f"<{JOB_ID}@example.com>")
        self.assertEqual(
            result,
            {
                "message_id": f"<{JOB_ID}@example.com>",
                "accepted": ["test@gmail.com", "c@x.example", "b@x.example"],
                "deferred": {},
                "refused": {},
                "response": "250 2.0.0 kept",
            },
        )

    def test_success_is_logged_with_the_message_id(self) -> None:
        server = self.serve()
        context = Context(self.mailer(server.url()))

        self.send_email(context, email(["test@gmail.com", "A <a@x.example>"], bcc="b@x.example"))

        words = "Email sent to test@gmail.com, a@x.example"
        self.assertEqual(context.told, [("email.sent", words, {"message_id": f"<{JOB_ID}@example.com>"})])

    def test_files_arrive_as_they_were_and_a_picture_that_is_missing_is_said(self) -> None:
        server = self.serve()
        context = Context(self.mailer(server.url()))
        body = bytes(range(256)) * 3000
        files = [
            Attachment(base64.b64encode(body).decode(), filename="Größe.bin"),
            Attachment(base64.b64encode(b"\n.\n.").decode(), filename="logo.png", cid="logo"),
        ]

        self.send_email(context, email(html='<img src="cid:logo"><img src="cid:gone">', attachments=files))

        message = server.mails()[0].message
        found = {part.get_filename(): part.get_content() for part in message.walk() if part.get_filename()}
        self.assertEqual(found, {"Größe.bin": body, "logo.png": b"\n.\n."})
        self.assertEqual(context.lines, ["The html shows cid:gone, and no attachment has that cid"])

    def test_dots_and_long_lines_arrive_as_they_were(self) -> None:
        text = ".\n..\n.a\n\n.\nMAIL FROM:<x@y.example>\n" + "x" * 3000 + "\n"
        for options in ((), ("--no-pipelining",)):
            with self.subTest(options=options):
                server = self.serve(*options)

                self.send_email(Context(self.mailer(server.url())), email(text=text))

                self.assertEqual(server.mails()[0].message.get_content().replace("\r\n", "\n"), text)

    def test_dots_of_a_7bit_mail_are_doubled_on_the_wire(self) -> None:
        server = self.serve()

        self.send_email(Context(self.mailer(server.url())), email(text=".\n..\n.a"))

        self.assertTrue(server.mails()[0].content.endswith(b"7bit\r\n\r\n.\r\n..\r\n.a\r\n"))

    def test_twenty_at_a_time_send_every_mail_once_over_at_most_twenty_links(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        ids = [f"email-{n:032x}" for n in range(400)]
        waiting = iter(ids)

        async def lane() -> None:
            for job_id in waiting:
                await send_email(Context(mailer, job_id), email())

        async def lanes() -> None:
            await asyncio.gather(*(lane() for _ in range(20)))

        self.loop.run(lanes())

        self.assertEqual(
            sorted(mail.message["Message-ID"] for mail in server.mails()), [f"<{i}@example.com>" for i in ids]
        )
        self.assertLessEqual(server.counts()["connections"], 20)

    def test_a_cancelled_job_sends_nothing(self) -> None:
        server = self.serve()

        with self.assertRaises(Discard):
            self.send_email(Context(self.mailer(server.url()), cancelled=True), email())

        self.assertEqual(server.counts()["connections"], 0)


class Addresses(WireCase):
    def test_what_is_no_atom_is_quoted_on_the_wire(self) -> None:
        for options in ((), ("--no-pipelining",)):
            with self.subTest(options=options):
                server = self.serve(*options)

                result = self.send_email(
                    Context(self.mailer(server.url())), email('try..this@example.jp, "a> b"@straße.example')
                )

                [mail] = server.mails()
                self.assertEqual(mail.recipients, ['"try..this"@example.jp', '"a> b"@xn--strae-oqa.example'])
                self.assertEqual(result["accepted"], mail.recipients)
                self.assertIn(b'\r\nTo: <"try..this"@example.jp>, <"a> b"@xn--strae-oqa.example>\r\n', mail.content)

    def test_letters_beyond_ascii_are_sent_where_the_server_takes_them(self) -> None:
        for fields, to, shown in (
            ({"to": "Jörg <jörg@x.example>"}, "jörg@x.example", "<jörg@x.example>\r\n"),
            ({"reply_to": "jörg@x.example"}, "test@gmail.com", "\r\nReply-To: jörg@x.example\r\n"),
        ):
            with self.subTest(fields):
                server = self.serve("--smtputf8")

                self.send_email(Context(self.mailer(server.url())), email(**fields))

                [mail] = server.mails()
                self.assertEqual(mail.recipients, [to])
                self.assertRegex(mail.parameters, r"^SIZE=[0-9]+ BODY=8BITMIME SMTPUTF8$")
                self.assertIn(shown, mail.content.decode())

    def test_no_other_mail_is_changed_by_that(self) -> None:
        server = self.serve("--smtputf8")

        self.send_email(Context(self.mailer(server.url())), email("Jörg <a@bücher.example>", text="Grüße"))

        [mail] = server.mails()
        self.assertRegex(mail.parameters, r"^SIZE=[0-9]+$")
        self.assertTrue(mail.content.isascii())

    def test_a_server_that_does_not_take_them_is_sent_nothing_and_the_link_goes_on(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        for fields in ({"to": "jörg@x.example"}, {"bcc": "jörg@x.example"}, {"reply_to": "jörg@x.example"}):
            with self.subTest(fields), self.assertRaisesRegex(MailRefused, "no SMTPUTF8"):
                self.send_email(Context(mailer), email(**fields))

        self.send_email(Context(mailer), email())

        self.assertEqual([(mail.connection, mail.recipients) for mail in server.mails()], [(1, ["test@gmail.com"])])

    def test_bcc_alone_is_sent_and_told_by_count(self) -> None:
        server = self.serve()
        context = Context(self.mailer(server.url()))

        self.send_email(context, email("", bcc="secret@x.example, other@x.example"))

        [mail] = server.mails()
        self.assertEqual(mail.recipients, ["secret@x.example", "other@x.example"])
        self.assertEqual(mail.message["To"], "undisclosed-recipients:;")
        self.assertNotIn(b"x.example", mail.content)
        self.assertEqual(context.told[0][1], "Email sent to 2 in cc and bcc")

    def test_a_sender_of_its_own_is_the_envelopes_as_well(self) -> None:
        server = self.serve()
        context = Context(self.mailer(server.url()), settings=settings(MAIL_FROM_ALLOWED="shop.example"))

        result = self.send_email(context, email(from_="Shop <orders@shop.example>"))

        [mail] = server.mails()
        self.assertEqual((mail.sender, mail.message["From"]), ("orders@shop.example", "Shop <orders@shop.example>"))
        self.assertEqual(result["message_id"], f"<{JOB_ID}@shop.example>")

    def test_a_sender_who_is_not_allowed_is_refused_for_good_before_anything_is_sent(self) -> None:
        server = self.serve()

        with self.assertRaisesRegex(SenderNotAllowed, "from is a@x.example, which MAIL_FROM_ALLOWED does not name"):
            self.send_email(Context(self.mailer(server.url()), settings=settings()), email(from_="a@x.example"))

        self.assertEqual(server.counts()["connections"], 0)


class Verdicts(WireCase):
    def outcome(self, server: SmtpServer, payload: Email, **limits: float) -> Exception:
        mailer = Mailer(settings(SMTP_URL=server.url()), limits=SmtpDeadlines(**limits))
        try:
            with self.assertRaises(Exception) as caught:
                self.send_email(Context(mailer), payload)
        finally:
            mailer.close()
        return caught.exception

    def test_what_an_answer_means_depends_on_its_class_and_its_step(self) -> None:
        for options in ((), ("--no-pipelining",)):
            server = self.serve(*options)
            for step, answer, verdict in (
                ("connect", "421 4.3.2 shutting down", SMTPServerBusy),
                ("connect", "421 4.7.0 too many connections", SMTPServerAskedToWait),
                ("connect", "432 4.3.2 Concurrent connections limit exceeded", SMTPServerAskedToWait),
                ("connect", "554 5.7.1 you are on a list", SMTPSessionRefused),
                ("connect", "drop", SMTPLinkLost),
                ("connect", "HTTP/1.1 400 Bad Request", SMTPLinkLost),
                ("ehlo", "421 4.3.2 later", SMTPServerBusy),
                ("ehlo", "550 5.7.1 no", SMTPSessionRefused),
                ("mail", "421 4.3.2 going down", SMTPServerBusy),
                ("mail", "451 4.7.1 slow down", SMTPServerAskedToWait),
                ("mail", "454 Throttling failure: Maximum sending rate exceeded", SMTPServerAskedToWait),
                ("mail", "550 5.4.5 Daily user sending limit exceeded", SMTPServerAskedToWait),
                ("mail", "530 5.7.0 log in first", SMTPLoginRefused),
                ("mail", "552 5.3.4 too large", MailRefused),
                ("mail", "554 5.3.4 message size exceeds the limit", MailRefused),
                ("mail", "555 5.5.4 unsupported option: SIZE", MailRefused),
                ("mail", "550 5.7.1 not you", SMTPSenderRefused),
                ("mail", "553 5.7.1 <a@b>: Sender address rejected: not owned by user me", SMTPSenderRefused),
                ("mail", "501 5.1.7 Bad sender address syntax", SMTPSenderRefused),
                ("mail", "550 5.7.1 not you\r\n421 4.7.0 too many errors", SMTPSenderRefused),
                ("mail", "535 5.7.139 Authentication unsuccessful", SMTPLoginRefused),
                ("mail", "drop", SMTPLinkLost),
                ("rcpt", "421 4.3.2 going down", SMTPServerBusy),
                ("rcpt", "450 4.3.0 busy", SMTPServerBusy),
                ("rcpt", "450 4.2.1 greylisted", SMTPServerAskedToWait),
                ("rcpt", "421 4.7.0 Try again later", SMTPServerAskedToWait),
                ("rcpt", "550 5.1.1 no such user", MailRefused),
                ("rcpt", "550 5.7.1 you are not allowed to write to this list", MailRefused),
                ("rcpt", "530 5.7.1 Authentication required", SMTPLoginRefused),
                ("rcpt", "550 5.7.1 Authentication Required", SMTPLoginRefused),
                ("rcpt", "554 5.7.1 <a@x.example>: Relay access denied", SMTPSessionRefused),
                ("rcpt", "550 5.7.1 Unable to relay", SMTPSessionRefused),
                ("rcpt", "553 5.7.1 <a@b>: Sender address rejected: not logged in", SMTPSenderRefused),
                ("rcpt", "554 5.7.1 Client host [192.0.2.1] blocked using a list", SMTPSessionRefused),
                ("rcpt", "drop", SMTPLinkLost),
                ("rcpt", "not a reply", SMTPLinkLost),
                ("data", "451 4.3.0 later", SMTPServerBusy),
                ("data", "554 5.5.1 no", MailRefused),
                ("data", "drop", SMTPLinkLost),
                ("sent", "421 4.3.2 going down", SMTPServerBusy),
                ("sent", "452 4.3.1 disk full", SMTPServerBusy),
                ("sent", "451 4.7.1 try again in 5 minutes", SMTPServerAskedToWait),
                ("sent", "554 5.7.1 spam", MailRefused),
                ("sent", "554 Message rejected: Email address is not verified.", SMTPSenderRefused),
                ("sent", "550 The from address does not match a verified Sender Identity.", SMTPSenderRefused),
                ("sent", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", SMTPSenderRefused),
                ("sent", "554 5.2.252 SendAsDenied; a@b not allowed to send as c@d", SMTPSenderRefused),
                ("sent", "lost", DeliveryUncertain),
                ("sent", "drop", DeliveryUncertain),
                ("sent", "not a reply", DeliveryUncertain),
            ):
                with self.subTest(step=step, answer=answer, options=options):
                    server.plan(step, answer)

                    fault = self.outcome(server, email())

                    self.assertIs(type(fault), verdict)
                    if answer[:3].isdigit():
                        self.assertIn(answer.split("\r\n")[0], str(fault))

    def test_a_link_that_breaks_amid_the_mail_leaves_no_doubt(self) -> None:
        server = self.serve()
        server.plan("content", "drop")

        # More than the sockets' buffers hold, so that the last byte is still here when the link breaks.
        fault = self.outcome(server, email(text=("x" * 70 + "\n") * 300_000))

        self.assertIs(type(fault), SMTPLinkLost)

    def test_only_refusals_of_the_mail_itself_are_final(self) -> None:
        self.assertTrue(issubclass(MailRefused, Discard))
        self.assertTrue(issubclass(DeliveryLeftUncertain, Discard))
        for kind in (SMTPServerBusy, SMTPLinkLost, SMTPSetupFault, DeliveryUncertain):
            self.assertFalse(issubclass(kind, Discard))

    def test_what_the_operator_has_to_mend_costs_no_attempt(self) -> None:
        for kind in (SMTPSessionRefused, SMTPLoginRefused, SMTPSenderRefused):
            fault = kind("so it is")

            self.assertIsInstance(fault, Snooze)
            self.assertEqual(fault.after_s, 300)

    def test_nobody_listening_is_a_lost_link(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]

        with self.assertRaisesRegex(SMTPLinkLost, "refused"):
            self.send_email(Context(self.mailer(f"smtp://127.0.0.1:{port}")), email())

    def test_a_server_that_never_answers_is_given_up(self) -> None:
        server = self.serve()
        for step, verdict in (
            ("connect", SMTPLinkLost),
            ("ehlo", SMTPLinkLost),
            ("mail", SMTPLinkLost),
            ("sent", DeliveryUncertain),
        ):
            with self.subTest(step=step):
                server.plan(step, "hang")

                fault = self.outcome(server, email(), connect_s=0.2, reply_s=0.2, total_s=0.5)

                self.assertIs(type(fault), verdict)

    def test_one_mail_takes_no_longer_than_its_total_whatever_its_steps_take(self) -> None:
        server = self.serve()
        server.plan("rcpt", "hang")

        fault = self.outcome(server, email(), connect_s=60, reply_s=60, total_s=0.3)

        self.assertIs(type(fault), SMTPLinkLost)

    def test_some_refused_beside_some_accepted_stand_in_the_result(self) -> None:
        for options in ((), ("--no-pipelining",)):
            server = self.serve(*options)
            context = Context(self.mailer(server.url()))

            result = self.send_email(context, email(["rcpt-550@x.example", "a@x.example", "rcpt-553@x.example"]))

            self.assertEqual(result["accepted"], ["a@x.example"])
            self.assertEqual(
                {to: text[:3] for to, text in result["refused"].items()},
                {"rcpt-550@x.example": "550", "rcpt-553@x.example": "553"},
            )
            self.assertEqual(result["deferred"], {})
            self.assertEqual([mail.recipients for mail in server.mails()], [["a@x.example"]])
            self.assertEqual(len(context.lines), 2)
            self.assertIsNone(context.last_checkpoint)

    def test_one_put_off_among_all_refused_is_reason_to_come_again(self) -> None:
        server = self.serve()

        fault = self.outcome(server, email(["rcpt-550@x.example", "rcpt-450@x.example"]))

        self.assertIs(type(fault), SMTPServerBusy)
        self.assertIn("rcpt-450@x.example", str(fault))

    def test_an_uncertain_delivery_is_dead_where_the_payload_says_stop(self) -> None:
        server = self.serve()

        fault = self.outcome(server, email("sent-lost@x.example", on_uncertain="stop"))

        self.assertIs(type(fault), DeliveryLeftUncertain)
        self.assertEqual(len(server.mails()), 1)

    def test_a_retry_carries_the_same_message_id(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        with self.assertRaises(DeliveryUncertain):
            self.send_email(Context(mailer), email("sent-lost-once@x.example"))

        self.send_email(Context(mailer, attempt=2), email("sent-lost-once@x.example"))

        first, second = server.mails()
        self.assertEqual(first.message["Message-ID"], second.message["Message-ID"])

    def test_a_servers_words_are_cut_and_kept_on_one_line(self) -> None:
        server = self.serve()
        server.plan("mail", "550-first\r\n550-\x1b[31m\x00" + "x" * 2000 + "\r\n550 last")

        words = str(self.outcome(server, email()))

        self.assertTrue(words.startswith("MAIL: 550 first [31m xxx"))
        self.assertTrue(words.isprintable())
        self.assertLess(len(words), 320)


class Recipients(WireCase):
    """Of a mail to several: each has it once, whatever the others are told, and the result tells of each."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve()
        self.context = Context(self.mailer(self.server.url()))

    def attempt(self, *to: str, **fields: Any) -> dict[str, Any]:
        """The next attempt of one job."""
        return self.send_email(self.context, email([*to], **fields))

    def fails(self, kind: type[Exception], *to: str, **fields: Any) -> str:
        with self.assertRaises(kind) as caught:
            self.attempt(*to, **fields)
        return str(caught.exception)

    def envelopes(self) -> list[list[str]]:
        return [mail.recipients for mail in self.server.mails()]

    def test_who_is_put_off_is_asked_again_and_nobody_else(self) -> None:
        for code in ("450", "451", "452"):
            with self.subTest(code=code):
                self.setUp()
                to = (f"rcpt-{code}-once@x.example", "a@x.example", "rcpt-550@x.example")

                said = self.fails(SMTPServerBusy, *to, cc="c@x.example")
                left = self.context.last_checkpoint
                result = self.attempt(*to, cc="c@x.example")

                self.assertIn(f"RCPT {to[0]}: {code}", said)
                self.assertIn("2 others have it", said)
                self.assertEqual(["a@x.example", "c@x.example"], left["accepted"])
                self.assertEqual([to[0]], [*left["deferred"]])
                self.assertEqual(["rcpt-550@x.example"], [*left["refused"]])
                self.assertEqual([["a@x.example", "c@x.example"], [to[0]]], self.envelopes())
                self.assertEqual(["a@x.example", "c@x.example", to[0]], result["accepted"])
                self.assertEqual(({}, ["rcpt-550@x.example"]), (result["deferred"], [*result["refused"]]))
                first, second = self.server.mails()
                self.assertEqual(first.message["Message-ID"], second.message["Message-ID"])
                self.assertEqual(first.message["To"], second.message["To"])

    def test_who_is_refused_for_good_after_others_have_it_ends_a_job_that_is_completed(self) -> None:
        to = ("a@x.example", "rcpt-450-once@x.example")
        self.fails(SMTPServerBusy, *to)
        self.server.plan("rcpt", "550 5.1.1 nobody of that name")

        result = self.attempt(*to)

        self.assertEqual(
            (["a@x.example"], {to[1]: "550 5.1.1 nobody of that name"}), (result["accepted"], result["refused"])
        )

    def test_a_content_refused_for_the_rest_is_a_refusal_of_each_of_them(self) -> None:
        to = ("a@x.example", "rcpt-450-once@x.example", "rcpt-451-once@x.example")
        self.fails(SMTPServerBusy, *to)
        self.server.plan("sent", "554 5.7.1 spam")

        result = self.attempt(*to)

        self.assertEqual(
            {to[1]: "the content: 554 5.7.1 spam", to[2]: "the content: 554 5.7.1 spam"}, result["refused"]
        )

    def test_a_server_that_is_busy_meanwhile_costs_nobody_the_mail(self) -> None:
        to = ("a@x.example", "rcpt-450-once@x.example")
        self.fails(SMTPServerBusy, *to)
        self.server.plan("mail", "451 4.3.0 later")
        self.fails(SMTPServerBusy, *to)

        self.attempt(*to)

        self.assertEqual([["a@x.example"], [to[1]]], self.envelopes())

    def test_who_waits_is_told_while_the_server_asks_for_patience(self) -> None:
        to = ("a@x.example", "rcpt-450-once@x.example")
        self.fails(SMTPServerBusy, *to)
        self.server.plan("mail", "454 Throttling failure: Maximum sending rate exceeded.")

        self.fails(SMTPServerAskedToWait, *to)

        left = self.context.last_checkpoint
        self.assertEqual((["a@x.example"], [to[1]], 1), (left["accepted"], [*left["deferred"]], left["waits"]))
        self.assertEqual({}, self.attempt(*to)["deferred"])

    def test_who_has_the_mail_by_an_attempt_that_was_cut_off_gets_it_no_more(self) -> None:
        self.context.last_checkpoint = {"accepted": ["a@x.example"], "response": "250 2.0.0 kept"}

        result = self.attempt("a@x.example")

        self.assertEqual((["a@x.example"], "250 2.0.0 kept"), (result["accepted"], result["response"]))
        self.assertEqual([], self.server.mails())

    def test_what_an_earlier_attempt_left_and_is_none_is_passed_over(self) -> None:
        wrong: tuple[Any, ...] = ("x", [], {"accepted": 5}, {"refused": [1]}, {"accepted": [{}]})
        for left in wrong:
            self.context.last_checkpoint = left

            self.assertEqual(["a@x.example"], self.attempt("a@x.example")["accepted"])

    def test_more_than_a_server_takes_at_once_get_it_in_the_same_attempt(self) -> None:
        to = [f"r{number}@x.example" for number in range(25)]
        for reply, *options in (
            ("452 4.5.3 Too many recipients",),
            ("452 too many recipients", "--no-pipelining"),
            ("552 Too many recipients",),
            ("451 4.5.3 no",),
        ):
            with self.subTest(reply=reply):
                self.server = self.serve("--most-recipients", "10", "--too-many", reply, *options)
                self.context = Context(self.mailer(self.server.url()))

                result = self.attempt(*to)

                self.assertEqual([10, 10, 5], [*map(len, self.envelopes())])
                self.assertEqual((to, {}, {}), (result["accepted"], result["deferred"], result["refused"]))
                self.assertEqual(1, self.server.counts()["connections"])

    def test_who_was_put_off_in_the_first_part_is_asked_again_though_the_second_is_through(self) -> None:
        self.server = self.serve("--most-recipients", "2")
        self.context = Context(self.mailer(self.server.url()))
        to = ("rcpt-450-once@x.example", "a@x.example", "b@x.example", "c@x.example")

        said = self.fails(SMTPServerBusy, *to)
        result = self.attempt(*to)

        self.assertIn("3 others have it", said)
        self.assertEqual([[*to[1:3]], [to[3]], [to[0]]], self.envelopes())
        self.assertEqual([*to[1:], to[0]], result["accepted"])

    def test_a_full_mailbox_is_not_taken_for_one_too_many(self) -> None:
        for reply in ("552 5.2.2 Recipient mailbox quota exceeded", "550 5.2.2 recipient over its storage limit"):
            self.server.plan("rcpt", reply)

            result = self.attempt("full@x.example", "a@x.example")

            self.assertEqual({"full@x.example": reply}, result["refused"])

    def test_too_many_to_everybody_is_a_server_that_is_busy(self) -> None:
        self.server.plan("rcpt", "452 4.5.3 Too many recipients this hour", times=None)

        self.fails(SMTPServerBusy, "a@x.example", "b@x.example")

    def test_where_the_second_part_is_cut_off_the_first_is_known(self) -> None:
        self.server = self.serve("--most-recipients", "2")
        self.context = Context(self.mailer(self.server.url()))
        to = ("a@x.example", "b@x.example", "sent-lost-once@x.example")

        self.fails(DeliveryUncertain, *to)
        self.attempt(*to)

        self.assertEqual([[*to[:2]], [to[2]], [to[2]]], self.envelopes())

    def test_what_is_left_for_the_next_attempt_fits_whatever_a_server_says(self) -> None:
        to = [f"{'l' * 60}{number}@{'d' * 60}.{'d' * 60}.{'d' * 60}.example" for number in range(99)]
        self.server.plan("rcpt", "450 " + "ж" * 400, times=99)

        self.fails(SMTPServerBusy, *to, "a@x.example")

        self.assertEqual(99, len(self.context.last_checkpoint["deferred"]))
        self.assertLess(len(result_text(self.context.last_checkpoint).encode()), RESULT_BYTES)


class Patiences(WireCase):
    def asked(self, context: Context, *to: str) -> float:
        """For how long the mail is put off by the server's own word."""
        with self.assertRaises(SMTPServerAskedToWait) as caught:
            self.send_email(context, email([*to] or "test@gmail.com"))
        self.assertIsInstance(caught.exception, Snooze)
        return caught.exception.after_s or 0.0

    def test_the_interval_that_is_named_is_kept_and_no_attempt_is_counted(self) -> None:
        for step in ("connect", "mail", "rcpt", "data", "sent"):
            server = self.serve()
            server.plan(step, "451 4.7.1 Greylisted, try again in 120 seconds")

            after_s = self.asked(Context(self.mailer(server.url())))

            self.assertTrue(120 <= after_s <= 132, after_s)

    def test_a_limit_is_waited_for_longer_each_time(self) -> None:
        server = self.serve()
        server.plan("mail", "454 Throttling failure: Maximum sending rate exceeded.", times=10)
        context = Context(self.mailer(server.url()))

        pauses = [self.asked(context) for _ in range(10)]
        result = self.send_email(context, email())

        self.assertLessEqual(pauses[0], 2)
        self.assertGreater(max(pauses), 10)
        self.assertEqual((["test@gmail.com"], 10), (result["accepted"], context.last_checkpoint["waits"]))
        self.assertNotIn("waits", result)

    def test_of_several_recipients_the_longest_wait_is_kept(self) -> None:
        server = self.serve()
        server.plan("rcpt", "450 4.7.1 try again in 60 seconds")
        server.plan("rcpt", "450 4.7.1 try again in 600 seconds")
        context = Context(self.mailer(server.url()))

        after_s = self.asked(context, "a@x.example", "b@x.example", "c@x.example")

        self.assertGreaterEqual(after_s, 600)
        self.assertEqual(["c@x.example"], context.last_checkpoint["accepted"])


class Doubts(WireCase):
    def test_a_mail_that_never_gets_an_answer_is_not_sent_for_days(self) -> None:
        server = self.serve()
        context = Context(self.mailer(server.url()))
        for _ in range(MOST_UNCERTAIN - 1):
            with self.assertRaises(DeliveryUncertain):
                self.send_email(context, email("sent-lost@x.example"))

        with self.assertRaises(DeliveryLeftUncertain) as caught:
            self.send_email(context, email("sent-lost@x.example"))

        self.assertIn(f"{MOST_UNCERTAIN} times", str(caught.exception))
        self.assertEqual(MOST_UNCERTAIN, len(server.mails()))


class Links(WireCase):
    def send(self, mailer: Mailer, to: str = "a@x.example") -> None:
        self.send_email(Context(mailer), email(to))

    def connections(self, server: SmtpServer) -> list[int]:
        return [mail.connection for mail in server.mails()]

    def test_a_link_is_used_again(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())

        for _ in range(3):
            self.send(mailer)

        self.assertEqual(self.connections(server), [1, 1, 1])

    def test_a_link_that_the_server_closed_while_idle_costs_no_attempt(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        for last_words in ("", "421 4.4.2 idle too long"):
            self.send(mailer)
            server.drop_idle(last_words)

            self.send(mailer)

        self.assertEqual(self.connections(server), [1, 2, 2, 3])

    def test_a_421_to_a_kept_link_is_asked_again_over_a_new_one(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        self.send(mailer)
        server.plan("mail", "421 4.7.0 enough for one connection")

        self.send(mailer)

        self.assertEqual(self.connections(server), [1, 2])

    def test_an_uncertain_delivery_is_never_sent_again_by_the_same_attempt(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        self.send(mailer)

        with self.assertRaises(DeliveryUncertain):
            self.send(mailer, "sent-lost@x.example")

        self.assertEqual(self.connections(server), [1, 1])

    def test_a_link_goes_on_after_a_refusal_with_nothing_left_of_it(self) -> None:
        for options in ((), ("--no-pipelining",)):
            server = self.serve(*options)
            mailer = self.mailer(server.url())
            for to in ("rcpt-550@x.example", "rcpt-450@x.example", "data-554@x.example", "sent-554@x.example"):
                with self.subTest(to=to, options=options), self.assertRaises((MailRefused, SMTPServerBusy)):
                    self.send(mailer, to)

            self.send(mailer)

            self.assertEqual([(mail.connection, mail.recipients) for mail in server.mails()], [(1, ["a@x.example"])])

    def test_a_link_that_was_idle_too_long_is_closed(self) -> None:
        server, clock = self.serve(), Clock()
        mailer = self.mailer(server.url(), clock=clock)
        self.send(mailer)
        clock.now_s += MAX_IDLE_S + 1

        self.send(mailer)

        self.assertEqual(self.connections(server), [1, 2])

    def test_a_link_that_is_old_is_closed_however_busy_it_is(self) -> None:
        server, clock = self.serve(), Clock()
        mailer = self.mailer(server.url(), clock=clock)

        for _ in range(20):
            self.send(mailer)
            clock.now_s += MAX_AGE_S / 12

        self.assertEqual(self.connections(server), [1] * 13 + [2] * 7)

    def test_a_session_that_the_server_has_had_enough_of_costs_no_attempt(self) -> None:
        for options in ((), ("--no-pipelining",)):
            with self.subTest(options=options):
                server = self.serve(*options)
                mailer = self.mailer(server.url())
                for _ in range(MANY_MAILS):
                    self.send(mailer)
                server.plan("mail", "452 4.5.3 too many messages in this session")

                self.send(mailer)

                self.assertEqual(self.connections(server), [1] * MANY_MAILS + [2])

    def test_a_busy_server_is_not_asked_twice_over_a_link_that_carried_few(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        self.send(mailer)
        server.plan("mail", "451 4.7.1 slow down")

        with self.assertRaises(SMTPServerBusy):
            self.send(mailer)
        self.send(mailer)

        self.assertEqual(self.connections(server), [1, 1])

    def test_close_hangs_up_and_a_late_mail_leaves_no_link_behind(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        self.send(mailer)

        mailer.close()
        self.send(mailer)

        # The server counts a link as open until it has read the QUIT.
        give_up_s = time.monotonic() + 5
        while server.counts()["open"] and time.monotonic() < give_up_s:
            pass
        self.assertEqual(server.counts()["open"], 0)


class Logins(WireCase):
    def test_every_way_with_a_user_and_a_password_of_any_letters(self) -> None:
        user, password = "jürgen@x.example", "pä:ss/wörd@%日本"
        for auth in ("PLAIN LOGIN", "login", "CRAM-MD5", "XOAUTH2 LOGIN CRAM-MD5"):
            with self.subTest(auth=auth):
                server = self.serve("--auth", auth, user=user, password=password)

                self.send_email(Context(self.mailer(server.url())), email())

                self.assertEqual(server.mails()[0].user, user)

    def test_a_wrong_password_is_refused_by_every_way_and_told_by_none(self) -> None:
        for auth in ("PLAIN", "LOGIN", "CRAM-MD5"):
            with self.subTest(auth=auth):
                server = self.serve("--auth", auth, user="me", password="right")
                secret = base64.b64encode("wröng-secret".encode()).decode()
                server.plan("auth", f"535 5.7.8 I do not know wröng-secret, which is {secret}")

                with self.assertRaisesRegex(SMTPLoginRefused, r"AUTH: 535 5.7.8 I do not know \*\*\*, which is \*\*\*"):
                    self.mailer(server.url(password="wröng-secret")).probe()

    def test_a_server_with_no_way_that_fits_is_told_by_what_it_offers(self) -> None:
        server = self.serve("--auth", "GSSAPI XOAUTH2", user="me", password="right")

        with self.assertRaisesRegex(SMTPLoginRefused, r"no way of login for SMTP_URL's password .*GSSAPI, XOAUTH2"):
            self.mailer(server.url()).probe()

    def test_the_doctor_logs_in_without_a_loop_and_sends_nothing(self) -> None:
        for tls in (None, "starttls", "implicit"):
            with self.subTest(tls=tls):
                server = self.serve(tls=tls, user="me", password="right")
                context = server.tls_context() if tls else None

                said = self.mailer(server.url(), tls_context=context).probe()

                self.assertEqual(said, f"Mail: 127.0.0.1:{server.port} takes mail from waybill@example.com")
                self.assertEqual((server.counts()["connections"], server.mails()), (1, []))
                with self.assertRaises(SMTPLoginRefused):
                    self.mailer(server.url(password="wrong"), tls_context=context).probe()

    def test_a_refused_login_waits_and_is_not_tried_with_every_mail(self) -> None:
        server, clock = self.serve(user="me", password="right"), Clock()
        mailer = self.mailer(server.url(password="wr0ng-secret"), clock=clock)
        for _ in range(3):
            with self.assertRaises(SMTPLoginRefused) as caught:
                self.send_email(Context(mailer), email())
            self.assertIsInstance(caught.exception, Snooze)
            self.assertEqual(caught.exception.after_s, 300)
            self.assertNotIn("wr0ng-secret", str(caught.exception))
        self.assertEqual(server.counts()["connections"], 1)

        clock.now_s += 61
        with self.assertRaises(SMTPLoginRefused):
            self.send_email(Context(mailer), email())

        self.assertEqual(server.counts()["connections"], 2)

    def test_a_login_put_off_is_a_busy_server(self) -> None:
        server = self.serve(user="me", password="right")
        server.plan("auth", "454 4.7.0 temporary failure")

        with self.assertRaises(SMTPServerBusy):
            self.send_email(Context(self.mailer(server.url())), email())

    def test_a_server_without_auth_is_a_refused_login(self) -> None:
        server = self.serve()

        with self.assertRaises(SMTPLoginRefused):
            self.send_email(Context(self.mailer(server.url(user="me", password="x"))), email())


class TokenLogins(WireCase):
    """SMTP_TOKEN_FILE and SMTP_TOKEN_COMMAND, with a server whose password is the token."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.folder / "token"

    def token_mailer(self, server: SmtpServer, **how: str) -> Mailer:
        mailer = Mailer(settings(SMTP_URL=f"smtp://me%40x.example@127.0.0.1:{server.port}", **how))
        self.addCleanup(mailer.close)
        return mailer

    def serve_token(self, auth: str = "XOAUTH2 PLAIN") -> SmtpServer:
        return self.serve("--auth", auth, user="me@x.example", password="ya29.right-token")

    def command(self, *lines: str) -> str:
        """A program of these lines of shell, which notes each run in `runs`."""
        script = self.folder / "give token"
        script.write_text("\n".join(["#!/bin/sh", f"echo >> {self.folder}/runs", *lines]) + "\n")
        script.chmod(0o755)
        return f"'{script}' 'with arguments'"

    def runs(self) -> int:
        return len((self.folder / "runs").read_text())

    def test_the_token_in_a_file_logs_in_by_either_way(self) -> None:
        for auth in ("XOAUTH2 PLAIN", "OAUTHBEARER XOAUTH2", "PLAIN OAUTHBEARER"):
            with self.subTest(auth):
                server = self.serve_token(auth)
                self.file.write_text("ya29.right-token\n")

                self.send_email(Context(self.token_mailer(server, SMTP_TOKEN_FILE=str(self.file))), email())

                self.assertEqual(server.mails()[0].user, "me@x.example")

    def test_the_file_is_read_anew_at_each_login(self) -> None:
        server = self.serve_token()
        self.file.write_text("ya29.right-token\r\n")
        mailer = self.token_mailer(server, SMTP_TOKEN_FILE=str(self.file))
        self.send_email(Context(mailer), email())
        server.drop_idle()
        server.change_password("ya29.another")
        self.file.write_text("ya29.another")

        self.send_email(Context(mailer), email())

        self.assertEqual([mail.connection for mail in server.mails()], [1, 2])

    def test_a_refused_token_is_acknowledged_and_the_servers_reason_told_without_it(self) -> None:
        for auth in ("XOAUTH2", "OAUTHBEARER"):
            with self.subTest(auth):
                server = self.serve_token(auth)
                self.file.write_text("ya29.wrong-token")

                with self.assertRaises(SMTPLoginRefused) as caught:
                    self.token_mailer(server, SMTP_TOKEN_FILE=str(self.file)).probe()

                told = 'AUTH: 535 5.7.8 no such token {"status":"401","schemes":"bearer"}'
                self.assertEqual(str(caught.exception), told)
                self.assertEqual(server.counts()["logins"], 1)

    def test_a_server_that_takes_no_token_is_told_by_what_it_offers(self) -> None:
        server = self.serve_token("PLAIN LOGIN")
        self.file.write_text("ya29.right-token")

        with self.assertRaisesRegex(SMTPLoginRefused, "no way of login for a token .*PLAIN, LOGIN"):
            self.token_mailer(server, SMTP_TOKEN_FILE=str(self.file)).probe()

    def test_the_program_runs_once_for_many_links_and_again_where_its_token_has_run_out(self) -> None:
        server = self.serve_token()
        mailer = self.token_mailer(server, SMTP_TOKEN_COMMAND=self.command(f"cat {self.file}"))
        self.file.write_text("ya29.right-token\n")

        async def many() -> None:
            await asyncio.gather(*(send_email(Context(mailer), email()) for _ in range(10)))

        self.loop.run(many())
        self.assertEqual((server.counts()["logins"], self.runs()), (server.counts()["connections"], 1))
        server.drop_idle()
        server.change_password("ya29.another")
        self.file.write_text("ya29.another\n")
        connections = server.counts()["connections"]

        self.send_email(Context(mailer), email())

        self.assertEqual((server.counts()["connections"], self.runs()), (connections + 1, 2))

    def test_a_token_that_is_new_and_refused_is_not_offered_twice(self) -> None:
        server = self.serve_token()
        mailer = self.token_mailer(server, SMTP_TOKEN_COMMAND=self.command("echo ya29.wrong-token"))

        with self.assertRaises(SMTPLoginRefused):
            mailer.probe()

        self.assertEqual((server.counts()["logins"], self.runs()), (1, 1))

    def test_without_a_token_nobody_is_dialled_and_the_mail_waits(self) -> None:
        server = self.serve_token()
        for how, said in (
            (
                {"SMTP_TOKEN_FILE": "/nonexistent/token"},
                "SMTP_TOKEN_FILE: /nonexistent/token can't be read: No such file",
            ),
            (
                {"SMTP_TOKEN_COMMAND": "/nonexistent/program s3cret"},
                "SMTP_TOKEN_COMMAND: program can't be started: No such",
            ),
        ):
            with self.subTest(said), self.assertRaises(SMTPTokenMissing) as caught:
                self.send_email(Context(self.token_mailer(server, **how)), email())
            self.assertIn(said, str(caught.exception))
            self.assertNotIn("s3cret", str(caught.exception))
            self.assertNotIsInstance(caught.exception, Discard)
        self.assertEqual(server.counts()["connections"], 0)


class Encryption(WireCase):
    def test_starttls_and_implicit_tls_with_login(self) -> None:
        for tls in ("starttls", "implicit"):
            with self.subTest(tls=tls):
                server = self.serve(tls=tls, user="me", password="secret")
                mailer = self.mailer(server.url(), tls_context=server.tls_context())

                for _ in range(2):
                    self.send_email(Context(mailer), email())

                self.assertEqual([(m.is_secure, m.user, m.connection) for m in server.mails()], [(True, "me", 1)] * 2)

    def test_a_certificate_that_nobody_vouches_for_is_refused(self) -> None:
        for tls in ("starttls", "implicit"):
            with self.subTest(tls=tls):
                server = self.serve(tls=tls)

                with self.assertRaisesRegex(SMTPSessionRefused, "certificate"):
                    self.send_email(Context(self.mailer(server.url())), email())

                self.assertEqual(server.counts()["mails"], 0)

    def test_ssl_cert_file_adds_a_certificate(self) -> None:
        server = self.serve(tls="starttls")
        script = "; ".join(
            [
                "import asyncio, sys, pathlib",
                "from lib.settings import config",
                "from lib.handlers.email.mailer import Mailer",
                "from lib.handlers.email.letter import Letter",
                "mailer = Mailer(config.load({'SMTP_URL': sys.argv[1]}, pathlib.Path('none')))",
                "letter = Letter('a', '<a@b>', 'a@b.example', ('c@d.example',), b'Subject: x\\r\\n\\r\\n')",
                "asyncio.run(mailer.send(letter))",
            ]
        )
        environment = {**os.environ, "SSL_CERT_FILE": str(server.certificate)}

        subprocess.run([sys.executable, "-c", script, server.url()], env=environment, check=True)

        self.assertTrue(server.mails()[0].is_secure)

    def test_without_the_starttls_that_is_asked_for_nothing_is_sent(self) -> None:
        server = self.serve()

        with self.assertRaisesRegex(SMTPSessionRefused, "STARTTLS"):
            self.send_email(Context(self.mailer(server.url() + "?starttls=1")), email())

        self.assertEqual(server.counts()["mails"], 0)

    def test_starttls_refused_for_now_is_a_busy_server(self) -> None:
        server = self.serve(tls="starttls")
        server.plan("starttls", "454 4.7.0 TLS not available")

        with self.assertRaises(SMTPServerBusy):
            self.send_email(Context(self.mailer(server.url(), tls_context=server.tls_context())), email())

    def test_a_password_is_never_sent_in_the_clear_to_another_host(self) -> None:
        with self.assertRaisesRegex(ConfigError, "SMTP_URL: .*unencrypted") as caught:
            Mailer(settings(SMTP_URL="smtp://me:secret@mail.example:25"))

        self.assertNotIn("secret", str(caught.exception))

    def test_a_server_that_speaks_no_tls_where_it_is_to_is_an_operators_fault(self) -> None:
        server = self.serve()

        with self.assertRaisesRegex(SMTPSessionRefused, "no TLS is spoken there"):
            self.send_email(Context(self.mailer(server.url().replace("smtp:", "smtps:"))), email())


class WarningsOfAMailer(WireCase):
    """What a Mailer says when all mails stand still, as mails and probes find it."""

    def warning_after(self, server: SmtpServer, url: str = "") -> str:
        mailer = self.mailer(url or server.url())
        with self.assertRaises(Exception) as of_mail:
            self.send_email(Context(mailer), email())
        probing = self.mailer(url or server.url())
        with self.assertRaises(type(of_mail.exception)):
            probing.probe()
        self.assertEqual(mailer.warning, probing.warning)
        return mailer.warning

    def test_each_fault_of_ours_is_named_with_its_setting(self) -> None:
        for plan, words, setting in (
            (("mail", "550 5.7.1 not you"), "MAIL: 550 5.7.1 not you", "MAIL_FROM"),
            (("mail", "530 5.7.0 log in first"), "530 5.7.0 log in first", "SMTP_URL"),
            (("connect", "554 5.7.1 go away"), "554 5.7.1 go away", "SMTP_URL"),
        ):
            with self.subTest(plan=plan):
                server = self.serve()
                server.plan(*plan, times=None)

                warning = self.warning_after(server)

                self.assertRegex(warning, rf"no mail gets out by 127.0.0.1:{server.port}; mails wait \(see {setting}\)")
                self.assertIn(words, warning)

    def test_a_wrong_password_and_a_missing_starttls_are_named(self) -> None:
        server = self.serve(user="me", password="right")

        self.assertIn("535 5.7.8", self.warning_after(server, server.url(password="wrong")))
        self.assertIn("does not offer STARTTLS", self.warning_after(self.serve(), server.url() + "?starttls=1"))

    def test_a_server_that_can_not_be_reached_is_named(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"smtp://127.0.0.1:{unused.getsockname()[1]}"

        self.assertIn("refused", self.warning_after(self.serve(), url))

    def test_what_is_wrong_with_one_mail_or_the_moment_is_no_warning(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        for to in ("rcpt-550@x.example", "rcpt-450@x.example", "sent-554@x.example", "sent-lost@x.example"):
            with self.assertRaises((MailRefused, SMTPServerBusy, DeliveryUncertain)):
                self.send_email(Context(mailer), email(to))

            self.assertEqual("", mailer.warning)

    def test_a_mail_that_gets_through_ends_it_and_so_does_a_probe(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())
        for mend in (lambda: self.send_email(Context(mailer), email()), mailer.probe):
            server.plan("mail", "550 5.7.1 not you")
            with self.assertRaises(SMTPSenderRefused):
                self.send_email(Context(mailer), email())

            mend()

            self.assertEqual("", mailer.warning)

    def test_a_mail_that_comes_while_the_server_is_tried_out_takes_that_link(self) -> None:
        server = self.serve()
        mailer = self.mailer(server.url())

        async def both() -> None:
            trial = asyncio.create_task(mailer.try_out())
            await asyncio.sleep(0)  # It has begun.
            await asyncio.gather(trial, send_email(Context(mailer), email()))
            await mailer.try_out()

        self.loop.run(both())

        self.assertEqual((1, 1), (server.counts()["connections"], server.counts()["mails"]))

    def test_a_refused_login_of_a_probe_is_not_tried_again_by_the_mails(self) -> None:
        server = self.serve(user="me", password="right")
        mailer = self.mailer(server.url(password="wrong"))
        for ask in (mailer.probe, lambda: self.send_email(Context(mailer), email())):
            with self.assertRaises(SMTPLoginRefused):
                ask()

        self.assertEqual(server.counts()["connections"], 1)


class Outboxes(LoopCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "deep" / "outbox"
        self.mailer = Mailer(settings()._replace(outbox_dir=self.folder))

    def test_a_mail_is_a_file_named_after_its_job(self) -> None:
        result = self.send_email(Context(self.mailer), email(bcc="b@x.example"))

        self.assertEqual([path.name for path in self.folder.iterdir()], [f"{JOB_ID}.eml"])
        message = message_from_bytes((self.folder / result["file"]).read_bytes(), policy=policy.default)
        self.assertEqual(message["Message-ID"], result["message_id"])
        self.assertEqual(result["accepted"], ["test@gmail.com", "b@x.example"])

    def test_a_second_attempt_writes_the_same_file(self) -> None:
        self.send_email(Context(self.mailer), email(text="first"))

        self.send_email(Context(self.mailer, attempt=2), email(text="second"))

        [path] = self.folder.iterdir()
        self.assertRegex(path.read_bytes(), re.compile(rb"second\r\n\Z"))

    def test_a_folder_that_can_not_be_written_fails_the_attempt(self) -> None:
        self.folder.parent.mkdir()
        self.folder.write_text("a file stands in its place")

        with self.assertRaises(OSError):
            self.send_email(Context(self.mailer), email())
