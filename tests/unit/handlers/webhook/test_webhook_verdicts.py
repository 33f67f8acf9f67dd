"""What an answer means for a webhook: completed, tried again and when, or dead; and the result that is kept."""

import base64
import unittest
from random import Random
from typing import Any

from lib.handlers.webhook.webhook_payload import Webhook
from lib.handlers.webhook.webhook_verdicts import (
    HASTY_ATTEMPTS,
    RESULT_FIELDS,
    HTTPStatus,
    HTTPStatusFinal,
    result_of,
    retry_after_s,
    text_of,
    verdict,
)
from lib.http1.client.client_message import Answer
from lib.jobs.backoff import delay_s
from lib.jobs.failure import failure
from lib.jobs.registry import Discard, Retry
from lib.jobs.result import RESULT_BYTES, result_text
from lib.jobs.webhook_defaults import BACKOFF, MAX_ATTEMPTS

NOW_S = 1_795_000_000.0  # Wed, 18 Nov 2026 11:06:40 GMT
HOOK = Webhook(url="https://api.example.com/hook?token=hush", give_up_on=[422])


def answer(status: int, body: bytes = b"", **fields: str) -> Answer:
    named = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return Answer(status, named, body, is_truncated=False, address="93.184.216.34", duration_ms=41.23)


def judged(status: int, attempt: int = 1, body: bytes = b"", **fields: str) -> Exception | None:
    return verdict(HOOK, answer(status, body, **fields), attempt, NOW_S)


class Verdicts(unittest.TestCase):
    def test_any_2xx_is_success(self) -> None:
        self.assertEqual([None] * 4, [judged(status) for status in (200, 202, 204, 299)])

    def test_what_else_is_answered_is_tried_again_by_the_backoff(self) -> None:
        for status in (300, 301, 304, 308, 400, 404, 429, 500, 503, 599):
            fault = judged(status)

            assert isinstance(fault, HTTPStatus)
            self.assertIsInstance(fault, Retry)
            self.assertEqual((None, False), (fault.after_s, fault.hold), status)

    def test_who_says_that_it_is_for_good_is_not_asked_again(self) -> None:
        for fault, words in (
            (judged(410), "gone for good"),
            (judged(422), "give_up_on names that status"),
            (judged(500, waybill_retry="No"), "Waybill-Retry: no"),
            (judged(503, waybill_retry="no", retry_after="5"), "Waybill-Retry: no"),
        ):
            self.assertIsInstance(fault, HTTPStatusFinal)
            self.assertIsInstance(fault, Discard)
            self.assertIn(words, str(fault))

    def test_retry_after_is_obeyed_and_of_429_and_503_it_is_for_all(self) -> None:
        for status, hold in ((429, True), (503, True), (500, False), (301, False), (404, False)):
            fault = judged(status, retry_after="7")

            assert isinstance(fault, HTTPStatus)
            self.assertEqual((7.0, hold), (fault.after_s, fault.hold), status)

    def test_a_short_retry_after_does_not_use_up_all_attempts(self) -> None:
        hasty, late = judged(503, HASTY_ATTEMPTS, retry_after="1"), judged(503, HASTY_ATTEMPTS + 1, retry_after="1")
        long = judged(503, HASTY_ATTEMPTS + 1, retry_after="3600")

        assert isinstance(hasty, HTTPStatus)
        assert isinstance(late, HTTPStatus)
        assert isinstance(long, HTTPStatus)
        self.assertEqual(
            [(1.0, True), (None, False), (3600.0, True)], [(f.after_s, f.hold) for f in (hasty, late, long)]
        )

    def test_the_error_names_status_and_host_and_holds_the_answers_beginning(self) -> None:
        for status in (503, 410):
            fault = judged(status, body="näin".encode() * 1000)
            assert fault is not None

            error = failure(fault)

            self.assertEqual((status, ("näin" * 256)), (error["status"], error["body"]))
            self.assertIn(f"{status} from api.example.com", error["message"])
            self.assertNotIn("hush", str(error))

    def test_a_redirect_is_said_to_be_one(self) -> None:
        self.assertIn("never followed", str(judged(302)))

    def test_of_a_hundred_webhooks_99_are_tried_for_a_day(self) -> None:
        rng, (base_s, cap_s) = Random(7), BACKOFF

        def tried_for_h() -> float:
            pauses = (delay_s(n, base_s=base_s, cap_s=cap_s, rng=rng) for n in range(1, MAX_ATTEMPTS))
            return sum(pauses) / 3600

        found = sorted(tried_for_h() for _ in range(2000))

        self.assertGreater(found[20], 23)
        self.assertAlmostEqual(44, sum(found) / len(found), delta=1)


class RetryAfter(unittest.TestCase):
    def test_seconds_and_dates_up_to_a_day(self) -> None:
        for value, seconds in (
            ("120", 120.0),
            ("86401", 86_400.0),
            ("9" * 400, 86_400.0),
            ("Wed, 18 Nov 2026 11:07:40 GMT", 60.0),
            ("Wednesday, 18-Nov-26 11:07:40 GMT", 60.0),
            ("Wed Nov 18 11:07:40 2026", 60.0),
            ("Wed, 18 Nov 2026 12:07:40 +0100", 60.0),
            ("Fri, 18 Nov 2050 11:07:40 GMT", 86_400.0),
        ):
            self.assertEqual(seconds, retry_after_s(value, NOW_S), value)

    def test_what_asks_for_no_time(self) -> None:
        for value in (
            *("", "0", "-5", "1.5", "soon", "٣", "Wed, 18 Nov 2026 11:05:40 GMT", "Wed, 99 Nov 2026 11:07:40 GMT"),
            *("Wed, 18 Nov 99999 11:07:40 GMT", "\x00", "1" + "é"),
        ):
            self.assertIsNone(retry_after_s(value, NOW_S), value)


class Result(unittest.TestCase):
    def test_it_holds_what_came(self) -> None:
        found = result_of(answer(201, b'{"ok":true}', content_type="application/json", set_cookie="a=b"), 2)

        expected: dict[str, Any] = {
            "status": 201,
            "headers": {"content-type": "application/json"},
            "body": '{"ok":true}',
            "body_base64": None,
            "body_truncated": False,
            "address": "93.184.216.34",
            "duration_ms": 41.2,
            "attempt": 2,
        }
        self.assertEqual(expected, found)

    def test_a_body_that_is_no_text_is_in_base64(self) -> None:
        found = result_of(answer(200, b"\xff\x00"), 1)

        self.assertEqual((None, b"\xff\x00"), (found["body"], base64.b64decode(found["body_base64"])))

    def test_it_can_always_be_kept(self) -> None:
        large = 64 << 10
        for body in (b"a" * large, b"\x01" * large, b"\xff" * large, b'"' * large, "ü".encode() * (large // 2)):
            found = result_of(answer(200, body, location="x" * 60_000, date="\x01" * 60_000), 1)

            self.assertLessEqual(len(result_text(found).encode()), RESULT_BYTES)
            self.assertTrue(found["body_truncated"])
            kept = found["body"].encode() if found["body"] else base64.b64decode(found["body_base64"], validate=True)
            self.assertTrue(body.startswith(kept))
            self.assertGreater(len(kept), 5_000)

    def test_a_small_body_is_kept_whole_whatever_stands_beside_it(self) -> None:
        body, names = b"\x01" * (4 << 10), [name.replace("-", "_") for name in RESULT_FIELDS]
        found = result_of(answer(200, body, **dict.fromkeys(names, "\x01" * 1_000)), 1)

        self.assertLessEqual(len(result_text(found).encode()), RESULT_BYTES)
        self.assertEqual((found["body"].encode(), found["body_truncated"]), (body, False))

    def test_of_a_body_that_was_cut_a_character_may_be_cut_too(self) -> None:
        cut = "é€😀".encode()
        for length in range(len(cut) + 1):
            text = text_of(cut[:length], is_whole=False)

            assert text is not None
            self.assertTrue("é€😀".startswith(text))
        self.assertIsNone(text_of(cut[:4], is_whole=True))
        self.assertIsNone(text_of(b"\xff" * 9, is_whole=False))


if __name__ == "__main__":
    unittest.main()
