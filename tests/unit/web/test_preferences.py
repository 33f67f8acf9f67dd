"""The Prefer field of RFC 7240: preferences that count, and texts that are passed over."""

import time
import unittest

from lib.web.preferences import Preferences, preferences


class Wait(unittest.TestCase):
    def test_it_is_read_in_every_form_that_rfc_7240_has(self) -> None:
        for header in (
            "wait=10",
            'wait="10"',
            "WAIT = 10",
            "wait=10; because=impatient",
            "wait=10;",
            "return=minimal, wait=10",
            'foo="a, wait=3", wait=10',
            r'foo="a \", wait=3", wait=10',
            "wait=10, wait=20",
            ", wait=10,,",
            "handling=lenient;x=y;z, respond, wait=10",
        ):
            with self.subTest(header):
                self.assertEqual(10, preferences(header).wait_s)

    def test_what_makes_no_sense_is_passed_over(self) -> None:
        for header in (
            None,
            "",
            "wait",
            "wait=",
            'wait=""',
            "wait=0",
            "wait=-1",
            "wait=1.5",
            "wait=1_0",
            "wait=\u0661",
            "wait=soon, wait=10",
            "await=10",
            "wait 10",
            '"wait=10"',
            'foo="wait=10',
            "wait=" + "9" * 5000,
        ):
            with self.subTest(header):
                self.assertEqual(Preferences(), preferences(header))

    def test_more_than_a_minute_is_a_minute_and_said_so(self) -> None:
        wanted = preferences("wait=3600")

        self.assertEqual(60, wanted.wait_s)
        self.assertEqual([("Preference-Applied", "wait=60")], wanted.applied(is_finished=True))

    def test_a_long_field_takes_no_time(self) -> None:
        began_s = time.perf_counter()

        for header in ('"\\' * 8000, "," * 16000, '"' * 16000, "a=" * 8000, " ;" * 8000, "wait" * 4000):
            preferences(header)

        self.assertLess(time.perf_counter() - began_s, 0.5)


class Applied(unittest.TestCase):
    def test_respond_async_is_applied_where_the_job_has_not_finished(self) -> None:
        wanted = preferences("respond-async, wait=5")

        self.assertEqual([("Preference-Applied", "respond-async, wait=5")], wanted.applied(is_finished=False))
        self.assertEqual([("Preference-Applied", "wait=5")], wanted.applied(is_finished=True))

    def test_nothing_asked_nothing_said(self) -> None:
        self.assertEqual([], preferences("return=minimal").applied(is_finished=False))


if __name__ == "__main__":
    unittest.main()
