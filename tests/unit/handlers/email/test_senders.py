"""The senders that MAIL_FROM_ALLOWED allows."""

import tempfile
import unittest
from pathlib import Path

from lib.errors import ConfigError
from lib.handlers.email.mailbox import parse_mailbox
from lib.handlers.email.senders import Senders
from lib.settings import config


def senders(allowed: str, mail_from: str = "Waybill <waybill@example.com>") -> Senders:
    return Senders(
        config.load({"MAIL_FROM": mail_from, "MAIL_FROM_ALLOWED": allowed}, Path(tempfile.gettempdir()) / "none")
    )


class Allowed(unittest.TestCase):
    def is_allowed(self, allowed: str, sender: str) -> bool:
        try:
            senders(allowed).check(parse_mailbox(sender))
        except ValueError as fault:
            self.assertIn("MAIL_FROM_ALLOWED", str(fault))
            return False
        return True

    def test_mail_from_itself_always_under_any_name(self) -> None:
        for allowed in ("", "shop.example"):
            for sender in ("waybill@example.com", "Anyone <Waybill@EXAMPLE.com>"):
                with self.subTest(allowed=allowed, sender=sender):
                    self.assertTrue(self.is_allowed(allowed, sender))

    def test_what_is_named_and_nothing_else(self) -> None:
        allowed = "shop.example, @Straße.example , me@elsewhere.example, jörg@x.example, try..this@x.example"
        for sender in (
            *(
                "a@shop.example",
                "A <b@SHOP.example>",
                "a@xn--strae-oqa.example",
                "a@STRASSE.example".replace("SS", "ß"),
            ),
            *("me@elsewhere.example", "Me@Elsewhere.example", "jörg@x.example", '"try..this"@x.example'),
        ):
            with self.subTest(sender):
                self.assertTrue(self.is_allowed(allowed, sender))
        for sender in (
            *("a@sub.shop.example", "a@xshop.example", "a@shop.example.evil.example", "you@elsewhere.example"),
            *("a@strasse.example", "joerg@x.example", '"me@elsewhere.example"@x.example', '"@shop.example"@x.example'),
            *("other@example.com",),
        ):
            with self.subTest(sender):
                self.assertFalse(self.is_allowed(allowed, sender))

    def test_what_can_be_no_sender_is_a_fault_of_the_setting(self) -> None:
        with self.assertRaises(ConfigError) as refused:
            senders("shop.example, a@-b.example, a_b.example")

        self.assertEqual(
            [fault.split(" ")[:2] for fault in refused.exception.faults],
            [["MAIL_FROM_ALLOWED:", "'a@-b.example'"], ["MAIL_FROM_ALLOWED:", "'a_b.example'"]],
        )

    def test_a_mail_from_that_is_none_is_not_this_ones_to_tell(self) -> None:
        with self.assertRaises(ValueError):
            senders("shop.example", mail_from="a@b_c").check(parse_mailbox("a@x.example"))


if __name__ == "__main__":
    unittest.main()
