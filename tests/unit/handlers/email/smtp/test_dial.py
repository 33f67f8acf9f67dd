"""SMTP_URL and the route that it names."""

import unittest

from lib.handlers.email.smtp.dial import read_route


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
