"""The dialogue of a mail, cut, stopped or led astray at each of its steps: what becomes of the mail, and of the link.

Each test runs over plain SMTP and over both kinds of TLS where that may make a difference.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from lib.handlers.email import DeliveryLeftUncertain, Email, send_email
from lib.handlers.email.mailer import Mailer
from lib.handlers.email.smtp.dial import SmtpDeadlines
from lib.handlers.email.smtp.session import LAST_WORD_S
from lib.handlers.email.smtp.verdicts import (
    DeliveryUncertain,
    MailRefused,
    SMTPLinkLost,
    SMTPSenderRefused,
    SMTPServerBusy,
)
from tests.smtp_server import SmtpServer
from tests.wire.mail_case import Context, WireCase, email

PIPELINING: tuple[tuple[str, ...], ...] = ((), ("--no-pipelining",))
ENCRYPTION = (None, "starttls", "implicit")
BEFORE_THE_LAST_BYTE = ("connect", "ehlo", "mail", "rcpt", "data", "content")
# More than the sockets' buffers hold, so that the last byte is still here when something happens.
LARGE = ("x" * 70 + "\n") * 170_000


class DialogueCase(WireCase):
    def pair(self, *options: str, tls: str | None = None, **limits: float) -> tuple[SmtpServer, Mailer]:
        server = self.serve(*options, tls=tls)
        context = server.tls_context() if tls else None
        return server, self.mailer(server.url(), tls_context=context, limits=SmtpDeadlines(**limits))

    def fault(self, mailer: Mailer, payload: Email) -> BaseException:
        with self.assertRaises(Exception) as caught:
            self.send_email(Context(mailer), payload)
        return caught.exception

    def stopped(
        self,
        server: SmtpServer,
        mailer: Mailer,
        payload: Email,
        meanwhile: Callable[[], Awaitable[None] | None] = lambda: None,
    ) -> Any:
        """Cancel a mail once the server withholds an answer; gives its result, or what it raised."""

        async def stop() -> Any:
            withheld = server.counts()["withheld"]
            mail = asyncio.create_task(send_email(Context(mailer), payload))
            await self.until(server, "withheld", withheld + 1)
            mail.cancel()
            await asyncio.sleep(0)
            meanwhile()
            return (await asyncio.gather(mail, return_exceptions=True))[0]

        return self.loop.run(stop())

    def assert_all_closed(self, server: SmtpServer) -> None:
        self.loop.run(self.until(server, "open", 0))


def mail_for(step: str) -> Email:
    return email(text=LARGE) if step == "content" else email()


class Pieces(DialogueCase):
    def test_replies_that_come_byte_by_byte(self) -> None:
        for options in PIPELINING:
            with self.subTest(options=options):
                server, mailer = self.pair("--byte-by-byte", *options)

                result = self.send_email(Context(mailer), email(["a@x.example", "rcpt-550@x.example"]))

                self.assertEqual((result["accepted"], result["response"]), (["a@x.example"], "250 2.0.0 kept"))
                self.assertEqual([mail.recipients for mail in server.mails()], [["a@x.example"]])

    def test_a_hundred_recipients_with_long_answers_of_many_lines(self) -> None:
        answer = "\r\n".join(["250-" + "x" * 400] * 5 + ["250 ok"])
        for tls, options in itertools.product(ENCRYPTION, PIPELINING):
            with self.subTest(tls=tls, options=options):
                server, mailer = self.pair(*options, tls=tls)
                server.plan("rcpt", answer, times=None)
                everyone = [f"{n}@x.example" for n in range(100)]

                result = self.send_email(Context(mailer), email(everyone))

                self.assertEqual(result["accepted"], everyone)
                self.assertEqual([mail.recipients for mail in server.mails()], [everyone])

    def test_a_large_mail_arrives_whole(self) -> None:
        for tls in ENCRYPTION:
            with self.subTest(tls=tls):
                server, mailer = self.pair(tls=tls)

                self.send_email(Context(mailer), email(text=LARGE[: 5 << 20]))

                [mail] = server.mails()
                self.assertEqual(mail.message.get_content().replace("\r\n", "\n").strip(), LARGE[: 5 << 20].strip())

    def test_twenty_links_at_once(self) -> None:
        for tls in ENCRYPTION:
            with self.subTest(tls=tls):
                server, mailer = self.pair(tls=tls)

                async def send_all(mailer: Mailer = mailer) -> None:
                    await asyncio.gather(*(send_email(Context(mailer), email(text="x" * 70_000)) for _ in range(20)))

                self.loop.run(send_all())

                self.assertEqual((len(server.mails()), server.counts()["connections"]), (20, 20))


class Cuts(DialogueCase):
    def test_a_link_cut_before_the_last_byte_is_a_plain_retry(self) -> None:
        for tls, options in itertools.product(ENCRYPTION, PIPELINING):
            server, mailer = self.pair(*options, tls=tls)
            for step in BEFORE_THE_LAST_BYTE:
                with self.subTest(step=step, tls=tls, options=options):
                    server.plan(step, "drop")

                    fault = self.fault(mailer, mail_for(step))

                    self.assertIs(type(fault), SMTPLinkLost)
                    self.assertEqual(server.mails(), [])
            self.assert_all_closed(server)

    def test_a_link_cut_behind_the_last_byte_is_uncertain(self) -> None:
        for tls, act in itertools.product(ENCRYPTION, ("drop", "lost")):
            with self.subTest(act=act, tls=tls):
                server, mailer = self.pair(tls=tls)
                server.plan("sent", act)

                fault = self.fault(mailer, email())

                self.assertIs(type(fault), DeliveryUncertain)
                self.assertEqual(len(server.mails()), 1 if act == "lost" else 0)

    def test_a_kept_link_cut_before_the_last_byte_costs_no_attempt(self) -> None:
        for options in PIPELINING:
            server, mailer = self.pair(*options)
            self.send_email(Context(mailer), email())
            for count, step in enumerate(("mail", "rcpt", "data", "content"), 2):
                with self.subTest(step=step, options=options):
                    server.plan(step, "drop")

                    self.send_email(Context(mailer), mail_for(step))

                    self.assertEqual((len(server.mails()), server.counts()["connections"]), (count, count))

    def test_a_link_that_ends_while_idle_is_noticed_and_closed(self) -> None:
        for tls, words in itertools.product(ENCRYPTION, ("", "421 4.4.2 idle too long")):
            with self.subTest(words=words, tls=tls):
                server, mailer = self.pair(tls=tls)
                self.send_email(Context(mailer), email())

                server.drop_idle(words)
                self.assert_all_closed(server)
                self.send_email(Context(mailer), email())

                self.assertEqual([mail.connection for mail in server.mails()], [1, 2])

    def test_an_idle_link_is_closed_though_no_further_mail_comes(self) -> None:
        server, mailer = self.pair()
        with patch("lib.handlers.email.smtp.idle_sessions.MAX_IDLE_S", 0.1):
            self.send_email(Context(mailer), email())

            self.assert_all_closed(server)

    def test_a_server_that_speaks_unasked_is_not_trusted_with_a_further_mail(self) -> None:
        server, mailer = self.pair()
        server.plan("sent", "250 2.0.0 kept\r\n250 2.0.0 kept, as I said")

        result = self.send_email(Context(mailer), email())
        self.send_email(Context(mailer), email())

        self.assertEqual(result["response"], "250 2.0.0 kept")
        self.assertEqual([mail.connection for mail in server.mails()], [1, 2])


class TimeOuts(DialogueCase):
    def test_a_step_without_an_answer_is_given_up_and_its_link_closed(self) -> None:
        for tls in ENCRYPTION:
            server, mailer = self.pair(tls=tls, connect_s=0.3, reply_s=0.3, total_s=5)
            for step in (*BEFORE_THE_LAST_BYTE, "sent"):
                with self.subTest(step=step, tls=tls):
                    server.plan(step, "hang")

                    fault = self.fault(mailer, mail_for(step))

                    self.assertIs(type(fault), DeliveryUncertain if step == "sent" else SMTPLinkLost)
                    self.assertIn("timed out", str(fault))
            self.assertEqual(server.mails(), [])

    def test_an_answer_that_comes_a_byte_at_a_time_does_not_put_the_time_out_off(self) -> None:
        server, mailer = self.pair("--byte-by-byte", reply_s=0.3)
        server.plan("mail", "250 " + "x" * 5000)
        began_s = time.monotonic()

        fault = self.fault(mailer, email())

        self.assertIs(type(fault), SMTPLinkLost)
        self.assertLess(time.monotonic() - began_s, 2)

    def test_an_endless_answer_is_given_up_long_before_its_time(self) -> None:
        for tls, step in itertools.product(ENCRYPTION, ("connect", "ehlo", "mail", "rcpt", "data", "sent")):
            with self.subTest(step=step, tls=tls):
                server, mailer = self.pair(tls=tls)
                server.plan(step, "endless")
                began_s = time.monotonic()

                fault = self.fault(mailer, email())

                self.assertIs(type(fault), DeliveryUncertain if step == "sent" else SMTPLinkLost)
                self.assertLess(time.monotonic() - began_s, 5)
                self.assert_all_closed(server)


class Stops(DialogueCase):
    """A mail that is cancelled; for its handler a time-out and a release are the same."""

    def test_before_the_last_byte_nothing_was_sent_and_the_link_is_closed(self) -> None:
        for tls, options in itertools.product(ENCRYPTION, PIPELINING):
            server, mailer = self.pair(*options, tls=tls)
            for step in BEFORE_THE_LAST_BYTE:
                with self.subTest(step=step, tls=tls, options=options):
                    server.plan(step, "hang")

                    outcome = self.stopped(server, mailer, mail_for(step))

                    self.assertIs(type(outcome), asyncio.CancelledError)
            before = server.counts()["connections"]
            self.send_email(Context(mailer), email())
            self.assertEqual([mail.connection for mail in server.mails()], [before + 1])

    def test_amid_a_login_or_starttls_nothing_was_sent(self) -> None:
        server = self.serve(tls="starttls", user="me", password="secret")
        mailer = self.mailer(server.url(), tls_context=server.tls_context())
        for step in ("starttls", "auth"):
            with self.subTest(step=step):
                server.plan(step, "hang")

                self.assertIs(type(self.stopped(server, mailer, email())), asyncio.CancelledError)

    def test_what_a_cancelled_mail_still_dials_is_hung_up(self) -> None:
        server, mailer = self.pair()
        server.plan("connect", "late 220 tests.example")

        self.stopped(server, mailer, email(), meanwhile=server.answer)

        self.assert_all_closed(server)

    def test_behind_the_last_byte_the_answer_is_waited_for_a_moment_and_then_nobody_knows(self) -> None:
        for tls in ENCRYPTION:
            with self.subTest(tls=tls):
                server, mailer = self.pair(tls=tls)
                server.plan("sent", "hang")
                began_s = time.monotonic()

                outcome = self.stopped(server, mailer, email())

                self.assertIs(type(outcome), DeliveryUncertain)
                self.assertGreaterEqual(time.monotonic() - began_s, LAST_WORD_S)
                self.assert_all_closed(server)

    def test_an_uncertain_stop_is_final_where_the_payload_says_stop(self) -> None:
        server, mailer = self.pair()
        server.plan("sent", "hang")

        outcome = self.stopped(server, mailer, email(on_uncertain="stop"))

        self.assertIs(type(outcome), DeliveryLeftUncertain)

    def test_a_yes_that_comes_in_time_makes_it_a_sent_mail(self) -> None:
        server, mailer = self.pair()
        server.plan("sent", "late 250 2.0.0 kept")

        result = self.stopped(server, mailer, email(), meanwhile=server.answer)
        self.send_email(Context(mailer), email())

        self.assertEqual(result["response"], "250 2.0.0 kept")
        self.assertEqual([mail.connection for mail in server.mails()], [1, 1])

    def test_a_no_that_comes_in_time_makes_it_a_stopped_mail(self) -> None:
        for answer in ("452 4.3.1 disk full", "554 5.7.1 spam", "421 4.3.2 going down"):
            with self.subTest(answer=answer):
                server, mailer = self.pair()
                self.send_email(Context(mailer), email())
                server.plan("sent", f"late {answer}")

                outcome = self.stopped(server, mailer, email(), meanwhile=server.answer)

                self.assertIs(type(outcome), asyncio.CancelledError)
                self.assertEqual(server.counts()["connections"], 1)

    def test_a_second_stop_ends_the_wait(self) -> None:
        server, mailer = self.pair()
        server.plan("sent", "hang")

        async def stop_twice() -> Any:
            mail = asyncio.create_task(send_email(Context(mailer), email()))
            await self.until(server, "withheld", 1)
            for _ in range(2):
                mail.cancel()
                await asyncio.sleep(0)
            return (await asyncio.gather(mail, return_exceptions=True))[0]

        began_s = time.monotonic()
        outcome = self.loop.run(stop_twice())

        self.assertIs(type(outcome), DeliveryUncertain)
        self.assertLess(time.monotonic() - began_s, LAST_WORD_S)


class GoAheads(DialogueCase):
    """A server that takes PIPELINING at its word and says 354 to a mail that it has refused."""

    def test_a_mail_for_nobody_is_ended_at_once_and_counts_as_refused(self) -> None:
        server, mailer = self.pair()
        server.plan("nobody", "354 go on")

        fault = self.fault(mailer, email(["rcpt-550@x.example", "rcpt-551@x.example"]))
        self.send_email(Context(mailer), email())

        self.assertIs(type(fault), MailRefused)
        empty, whole = server.mails()
        self.assertEqual((empty.recipients, empty.content), ([], b""))
        self.assertEqual((whole.recipients, whole.connection), (["test@gmail.com"], 1))

    def test_whatever_becomes_of_the_empty_mail_the_verdict_stands(self) -> None:
        for act in ("drop", "not a reply", "421 4.3.2 going down", "554 5.5.1 no recipients"):
            for to, verdict in (("rcpt-550@x.example", MailRefused), ("rcpt-450@x.example", SMTPServerBusy)):
                with self.subTest(act=act, to=to):
                    server, mailer = self.pair()
                    server.plan("nobody", "354 go on")
                    server.plan("sent", act)

                    self.assertIs(type(self.fault(mailer, email(to))), verdict)

    def test_behind_a_refused_sender_the_link_is_dropped(self) -> None:
        server, mailer = self.pair()
        server.plan("mail", "550 5.7.1 not you")
        server.plan("nobody", "354 go on")

        fault = self.fault(mailer, email())
        self.send_email(Context(mailer), email())

        self.assertIs(type(fault), SMTPSenderRefused)
        self.assertEqual([mail.connection for mail in server.mails()], [2])
