"""The job type `email` as a runner finds it, and how long a mail is tried."""

import unittest
from random import Random

from lib.handlers.email import send_email
from lib.jobs.backoff import delay_s
from lib.jobs.registry import load


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
