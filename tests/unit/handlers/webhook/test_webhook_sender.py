"""What the settings of webhooks mean, and which of them can't be used."""

import unittest
from pathlib import Path

from lib.errors import ConfigError
from lib.handlers.webhook import check_settings, doctor
from lib.handlers.webhook.webhook_payload import Webhook
from lib.handlers.webhook.webhook_sender import admits
from lib.jobs import registry
from lib.jobs.payload import Invalid
from lib.settings import config

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(**named: str) -> config.Settings:
    return config.load(named, Path("none"))


class Settings(unittest.TestCase):
    def test_all_faults_are_told_at_once_and_no_secret(self) -> None:
        bad = settings(
            WEBHOOK_SECRET="hunter2",
            WEBHOOK_ALLOW_PRIVATE="10.0.0.0/99",
            WEBHOOK_CA_FILE="/no/ca.pem",
            WEBHOOK_PROXY="https://me:hunter2@proxy.example",
        )

        with self.assertRaises(ConfigError) as refused:
            check_settings(bad)

        names = [fault.partition(":")[0] for fault in refused.exception.faults]
        self.assertEqual(["WEBHOOK_SECRET", "WEBHOOK_ALLOW_PRIVATE", "WEBHOOK_CA_FILE", "WEBHOOK_PROXY"], names)
        self.assertNotIn("hunter2", str(refused.exception) + repr(bad))

    def test_a_file_without_a_certificate_is_none(self) -> None:
        with self.assertRaises(ConfigError) as refused:
            check_settings(settings(WEBHOOK_CA_FILE=__file__))

        self.assertIn("holds no certificate", str(refused.exception))

    def test_the_doctor_says_what_they_mean(self) -> None:
        for named, words in (
            ({}, "webhooks go out unsigned (WEBHOOK_SECRET is empty), to public addresses alone"),
            ({"WEBHOOK_SECRET": SECRET}, "webhooks go out signed by 1 secret, to public addresses alone"),
            (
                {"WEBHOOK_SECRET": f"{SECRET} {SECRET}", "WEBHOOK_ALLOW_PRIVATE": "10.0.0.0/8"},
                "webhooks go out signed by 2 secrets, to public addresses and to 10.0.0.0/8",
            ),
            (
                {"WEBHOOK_ALLOW_PRIVATE": "1"},
                "webhooks go out unsigned (WEBHOOK_SECRET is empty), to public addresses and private ones",
            ),
            (
                {"WEBHOOK_SECRET": SECRET, "WEBHOOK_PROXY": "http://me:pw@proxy.example:4750"},
                "webhooks go out signed by 1 secret, to public addresses alone through a proxy",
            ),
        ):
            self.assertEqual(words, doctor(settings(**named)))

    def test_a_callback_needs_a_url_to_come_to(self) -> None:
        payload = Webhook(url="https://a.example/", completion="callback", complete_within_s=60)
        admits(settings(PUBLIC_URL="https://waybill.example.com"))(payload)

        with self.assertRaises(Invalid) as refused:
            admits(settings())(payload)
        self.assertEqual(["/completion"], [error.pointer for error in refused.exception.errors])
        self.assertIn("PUBLIC_URL", refused.exception.errors[0].detail)

    def test_an_address_in_a_url_is_judged_at_the_post_and_a_name_is_not(self) -> None:
        for allowed, url, is_refused in (
            ("", "http://127.0.0.1/", True),
            ("", "http://[::1]/", True),
            ("", "http://10.1.2.3/", True),
            ("10.0.0.0/8", "http://10.1.2.3/", False),
            ("1", "http://127.0.0.1/", False),
            ("1", "http://169.254.169.254/", True),
            ("", "http://8.8.8.8/", False),
            ("", "http://localhost/", False),
        ):
            check = admits(settings(WEBHOOK_ALLOW_PRIVATE=allowed))
            try:
                check(Webhook(url=url))
                found: list[str] = []
            except Invalid as fault:
                found = [pointer for pointer, _ in fault.errors]

            self.assertEqual(["/url"] if is_refused else [], found, (allowed, url))

    def test_the_type_knows_its_group_with_settings(self) -> None:
        (webhook,) = registry.load(["lib.handlers.webhook"], settings()).types

        assert webhook.group_of is not None
        self.assertEqual("a.example:443", webhook.group_of({"url": "https://a.example/x"}))


if __name__ == "__main__":
    unittest.main()
