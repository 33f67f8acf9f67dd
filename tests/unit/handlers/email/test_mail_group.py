"""The group of all mails: the server that SMTP_URL names."""

import unittest
from pathlib import Path

from lib.handlers.email.mailer import smtp_server
from lib.jobs import registry
from lib.settings import config


class Group(unittest.TestCase):
    def test_it_is_the_servers_name_without_user_password_and_port(self) -> None:
        for url, group in (
            ("smtp://smtp.example.com", "smtp.example.com"),
            ("smtps://me%40example.com:hush@SMTP.Example.com:4650", "smtp.example.com"),
            ("smtp://[2001:db8::1]:25", "2001:db8::1"),
            ("smtp://192.0.2.1:2525?starttls=1", "192.0.2.1"),
        ):
            self.assertEqual(group, smtp_server(config.load({"SMTP_URL": url}, Path("none"))), url)

    def test_mails_that_become_files_and_those_for_a_relay_on_this_host_have_none(self) -> None:
        for url in ("", "smtp://localhost", "smtp://127.0.0.1:2525", "smtp://[::1]:25", "smtp://127.3.2.1"):
            self.assertEqual("", smtp_server(config.load({"SMTP_URL": url}, Path("none"))), url)

    def test_the_type_has_it_by_its_settings(self) -> None:
        settings = config.load({"SMTP_URL": "smtp://smtp.example.com"}, Path("none"))

        (email,) = registry.load(["lib.handlers.email"], settings).types

        self.assertEqual("smtp.example.com", email.group)


if __name__ == "__main__":
    unittest.main()
