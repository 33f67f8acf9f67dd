"""Replies of mail servers that mean "later", and the time to wait for each."""

import unittest
from random import Random

from lib.handlers.email.smtp.patience import (
    CONNECTIONS,
    DAILY,
    GREYLIST,
    POLICY,
    RATE,
    Patience,
    asked_for,
    asked_for_by_refusal,
    is_for_all,
    named_s,
)


class Named(unittest.TestCase):
    def test_an_interval_that_is_named_is_read(self) -> None:
        for words, seconds in (
            ("450 4.2.0 <a@x.example>: Recipient address rejected: Greylisted, try again in 300 seconds", 300),
            ("451 4.7.1 Greylisting in action, please come back in 00:05:00", 300),
            ("450 4.7.1 Greylisted for 5 minutes", 300),
            ("451 Try again in 5 min.", 300),
            ("451 4.7.1 Please try again in 5minutes", 300),
            ("450 4.7.0 Greylisted: retry in 04:32", 272),
            ("421 4.7.0 Too many mails, wait 90 sec", 90),
            ("450 please retry after 120", 120),
            ("450 Graylisted, retry after: 60.", 60),
            ("451 4.7.650 Retry in 1 hour", 3600),
            ("451 try again in an hour", 3600),
            ("451 try again in 1.5 hours", 5400),
            ("451 4.3.0 try again in five minutes", 300),
            ("450 greylisted, come back in a few minutes", 300),
            ("450 resend after 2h", 7200),
            ("450 delayed for 30 days", 86_400),
            ("450 try again in 0 seconds", 1),
            ("451 temporary failure (deferred for 60s)", 60),
        ):
            with self.subTest(words=words):
                self.assertEqual(seconds, named_s(words))
                self.assertEqual(Patience(seconds, seconds), asked_for(words))

    def test_a_number_that_is_no_interval_is_left_alone(self) -> None:
        for words in (
            "450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/a@x.example.html",
            "421 4.4.2 Idle timeout: no activity in 300 seconds",
            "421 4.7.0 try again later. 14-20020a05600c250e00b004",
            "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)",
            "450 more than 100 messages in 60 seconds",
            "450 Please wait; the limit is 10 messages per 5 minutes",
            "450 try again at 14:30",
            "452 4.2.2 try again after 4.7.1",
        ):
            with self.subTest(words=words):
                self.assertIsNone(named_s(words))


class Implied(unittest.TestCase):
    def test_each_kind_of_later_has_its_own_patience(self) -> None:
        for words, patience in (
            ("450 4.2.0 <a@x.example>: Recipient address rejected: Greylisted, see http://x.example/", GREYLIST),
            ("451 4.7.1 Graylisting in action", GREYLIST),
            ("450 4.7.1 grey-listed", GREYLIST),
            ("451 4.7.1 Please try again later", GREYLIST),
            ("451 4.7.500 Server busy. Please try again later", GREYLIST),
            ("450 4.7.25 Client host rejected: cannot find your hostname", GREYLIST),
            ("454 Throttling failure: Maximum sending rate exceeded.", RATE),
            ("454 4.7.0 rate exceeded", RATE),
            ("421 4.7.0 Try again later, closing connection.", POLICY),
            ("421 4.7.28 Our system has detected an unusual amount of mail", POLICY),
            ("450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents it", POLICY),
            ("450 4.2.1 later", POLICY),
            ("452 4.5.3 Your message has too many recipients", POLICY),
            ("451 4.7.1 slow down", RATE),
            ("450 4.7.1 You have exceeded the sending limit", RATE),
            ("432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending", CONNECTIONS),
            ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", CONNECTIONS),
            ("421 Too many concurrent SMTP connections", CONNECTIONS),
            ("421 4.7.0 too many connections from your host", CONNECTIONS),
            ("421 4.3.2 too many sessions", CONNECTIONS),
            ("421 4.7.0 Connection limit exceeded", CONNECTIONS),
            ("454 Throttling failure: Daily message quota exceeded.", DAILY),
            ("450 4.7.1 limit of 500 mails per day reached", DAILY),
        ):
            with self.subTest(words=words):
                self.assertEqual(patience, asked_for(words))

    def test_what_is_said_of_all_our_mails_rests_all_of_them(self) -> None:
        for words in (
            "454 Throttling failure: Maximum sending rate exceeded.",
            "454 4.7.0 rate exceeded",
            "421 4.7.0 Try again later, closing connection.",
            "421 4.7.28 Our system has detected an unusual amount of mail",
            "421 4.7.0 Too many mails, wait 90 sec",
            "450 4.7.1 Error: too much mail from 192.0.2.1",
            "451 4.4.5 Mail system congestion",
            "451 4.7.1 slow down",
            "450 4.7.1 You have exceeded the sending limit",
            "454 Throttling failure: Daily message quota exceeded.",
        ):
            with self.subTest(words=words):
                self.assertIsNotNone(asked_for(words))
                self.assertTrue(is_for_all(words))

    def test_what_is_said_of_one_recipient_or_one_connection_rests_no_other_mail(self) -> None:
        for words in (
            "450 4.2.0 <a@x.example>: Recipient address rejected: Greylisted, try again in 300 seconds",
            "451 4.7.1 Please try again later",
            "450 4.2.1 The user you are trying to contact is receiving mail too quickly",
            "450 4.1.1 too many mails to this address, try again in an hour",
            "452 4.5.3 Your message has too many recipients",
            "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
            "421 4.7.0 too many connections from your host",
        ):
            with self.subTest(words=words):
                self.assertIsNotNone(asked_for(words))
                self.assertFalse(is_for_all(words))

    def test_what_is_no_word_of_ours_and_no_limit_is_left_to_the_backoff(self) -> None:
        for words in (
            "421 4.3.2 Service shutting down",
            "421 4.4.2 Connection timed out: limit of 300 s exceeded",
            "421 Service not available",
            "450 mailbox busy",
            "451 4.3.0 Local error in processing",
            "451 4.4.1 No answer from host",
            "452 4.2.2 The mailbox is over quota, limit exceeded",
            "452 4.3.1 Insufficient system storage",
            "454 4.7.0 Temporary authentication failure",
            "454 4.7.0 TLS not available due to local problem",
            "450 4.1.8 Sender address rejected: Domain not found",
        ):
            with self.subTest(words=words):
                self.assertIsNone(asked_for(words))

    def test_a_quota_of_ours_that_is_said_to_be_final_is_not(self) -> None:
        for words, patience in (
            ("550 5.4.5 Daily user sending limit exceeded.", DAILY),
            ("550 5.4.5 Daily SMTP relay sending quota exceeded", DAILY),
            ("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", RATE),
            ("550 5.7.1 Hourly quota reached", RATE),
            ("550 5.7.232 Sending limit reached", RATE),
            ("552 5.3.4 message size limit exceeded", None),
            ("552 5.2.2 mailbox over its limit", None),
            ("550 5.1.1 no such user", None),
            ("554 5.7.1 spam", None),
        ):
            with self.subTest(words=words):
                self.assertEqual(patience, asked_for_by_refusal(words))


class Pauses(unittest.TestCase):
    def test_a_fixed_one_is_kept_and_a_little_more(self) -> None:
        rng = Random(1)
        for seconds, most in ((1, 2), (300, 330), (86_400, 86_460)):
            pauses = [Patience(seconds, seconds).pause_s(times, rng) for times in (1, 2, 50) for _ in range(200)]

            self.assertGreaterEqual(min(pauses), seconds)
            self.assertLessEqual(max(pauses), most)
            self.assertGreater(len(set(pauses)), 500)

    def test_the_others_grow_up_to_their_cap(self) -> None:
        rng = Random(1)
        for patience in (CONNECTIONS, RATE, POLICY):
            first = [patience.pause_s(1, rng) for _ in range(200)]
            late = [patience.pause_s(30, rng) for _ in range(200)]

            self.assertLessEqual(max(first), patience.base_s)
            self.assertGreaterEqual(min(first + late), patience.base_s / 2)
            self.assertGreater(max(late), patience.cap_s / 2)
            self.assertLessEqual(max(late), patience.cap_s)


if __name__ == "__main__":
    unittest.main()
