"""lib/jobs/callback_key.py: the key with which a service ends a job, as text and back."""

import secrets
import unittest

from lib.jobs.callback_key import CallbackKey, new_callback_key, read_callback_key
from lib.settings.api_keys import without_keys

JOB = "webhook-01a2074f9c0b800080005d12a47e70c4"


class CallbackKeys(unittest.TestCase):
    def test_what_was_written_is_read(self) -> None:
        key = new_callback_key(JOB, 3, secrets.choice)

        self.assertEqual(key, read_callback_key(key.text))
        self.assertTrue(key.text.startswith(f"{JOB}.3.wb_"))

    def test_two_are_never_the_same(self) -> None:
        self.assertEqual(100, len({new_callback_key(JOB, 3, secrets.choice).secret for _ in range(100)}))

    def test_a_log_masks_it_and_its_repr_does_not_tell_it(self) -> None:
        key = new_callback_key(JOB, 3, secrets.choice)
        hidden = key.secret[-43:]

        self.assertNotIn(hidden, without_keys(f"/api/callbacks/{key.text}/extend"))
        self.assertIn(JOB, without_keys(f"/api/callbacks/{key.text}"))
        self.assertNotIn(hidden, repr(key))
        self.assertNotIn(hidden, key.sha256)

    def test_what_is_none_is_not_read(self) -> None:
        good = CallbackKey(JOB, 3, f"wb_{'a' * 12}_{'b' * 43}").text
        for text in (
            "",
            "x",
            good[:-1],
            good + "b",
            good.replace(".3.", "."),
            good.replace(".3.", ".-3."),
            good.replace(".3.", ".٣."),
            good.replace("webhook-", "Webhook-"),
            good.replace(JOB, "webhook"),
            good + "\n",
        ):
            self.assertIsNone(read_callback_key(text), text)


if __name__ == "__main__":
    unittest.main()
