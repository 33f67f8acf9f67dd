"""One address: which texts are accepted, the address that SMTP gets, and which texts are refused."""

import unittest
from time import process_time

from lib.handlers.email.mailbox import Mailbox, named_mailbox, parse_mailbox


class Taken(unittest.TestCase):
    def test_addresses_that_are_read(self) -> None:
        longest = "a" * 64 + "@" + ".".join(["b" * 63, "c" * 63, "d" * 61])
        for text, name, address in (
            ("a@b.example", "", "a@b.example"),
            ("  A.b+c@B.Example ", "", "A.b+c@b.example"),
            ("root@localhost", "", "root@localhost"),
            ("Jane Doe <jane@x.example>", "Jane Doe", "jane@x.example"),
            ("<jane@x.example>", "", "jane@x.example"),
            ("< jane@x.example >", "", "jane@x.example"),
            ('"Doe, \\"J\\" @ home" <jane@x.example>', 'Doe, "J" @ home', "jane@x.example"),
            ("Zoë 日本 <z@bücher.example>", "Zoë 日本", "z@xn--bcher-kva.example"),
            (longest, "", longest),
        ):
            with self.subTest(text=text):
                self.assertEqual(parse_mailbox(text), Mailbox(name, address))

    def test_a_local_part_that_is_no_atom_is_quoted_and_no_other(self) -> None:
        for text, address in (
            ("try..this@example.jp", '"try..this"@example.jp'),
            (".try@example.jp", '".try"@example.jp'),
            ("try.@example.jp", '"try."@example.jp'),
            ("...@example.jp", '"..."@example.jp'),
            ("Jane <try..this@example.jp>", '"try..this"@example.jp'),
            ('"a b"@x.example', '"a b"@x.example'),
            ('"a@b"@x.example', '"a@b"@x.example'),
            ('"a,b;c:<d>(e)[f]"@x.example', '"a,b;c:<d>(e)[f]"@x.example'),
            ('"a\\"b\\\\c"@x.example', '"a\\"b\\\\c"@x.example'),
            ('Jane <"a<b>, c"@x.example>', '"a<b>, c"@x.example'),
            ('" "@x.example', '" "@x.example'),
            ('""@x.example', '""@x.example'),
            ('"needless"@X.example', "needless@x.example"),
            ('"ne\\ed.less"@x.example', "need.less@x.example"),
            ('"' + "a" * 61 + '."@x.example', '"' + "a" * 61 + '."@x.example'),
        ):
            with self.subTest(text=text):
                self.assertEqual(parse_mailbox(text).address, address)

    def test_letters_beyond_ascii_stay_before_the_at_and_are_composed(self) -> None:
        for text, address in (
            ("jürgen@x.example", "jürgen@x.example"),
            ("ju\u0308rgen@x.example", "jürgen@x.example"),
            ("Jörg <jörg..x@straße.example>", '"jörg..x"@xn--strae-oqa.example'),
            ('"ü b"@x.example', '"ü b"@x.example'),
            ("用户@例え.example", "用户@xn--r8jz45g.example"),
            ("نامه\u200cای@x.example", "نامه\u200cای@x.example"),
            ("ü" * 32 + "@x.example", "ü" * 32 + "@x.example"),
        ):
            with self.subTest(text=text):
                self.assertEqual(parse_mailbox(text).address, address)

    def test_with_its_name_apart_an_address_may_have_blanks_and_the_name_anything(self) -> None:
        self.assertEqual(named_mailbox(" x, <y> ", " jane doe@x.example "), Mailbox("x, <y>", '"jane doe"@x.example'))
        self.assertEqual(named_mailbox('"Doe"', '"a b"@x.example'), Mailbox('"Doe"', '"a b"@x.example'))


class Refused(unittest.TestCase):
    def test_addresses_that_are_refused(self) -> None:
        too_long = "a" * 64 + "@" + ".".join(["b" * 63, "c" * 63, "d" * 62])
        for text in (
            *("", "a", "@b.example", "a@", "a@b@c.example", "a b@c.example", "<a b@c.example>", '"a"b@c.example'),
            *("a@-b.example", "a@b-.example", "a@b..example", "a@b.example.", "a@b_c.example", 'a"b"@c.example'),
            *("a@b.example, c@d.example", "a@b.example; c@d.example", "Doe, Jane <j@x.example>", "a@[127.0.0.1]"),
            *(
                "x@y.example <a@b.example>",
                "a@b.example>",
                "Jane <a@b.example",
                "Jane <<a@b.example>>",
                '"a b@c.example',
            ),
            *(
                "(c) a@b.example",
                "a@b.example (c)",
                "a,b@c.example",
                "a" * 65 + "@b.example",
                too_long,
                "a\\@b@c.example",
            ),
            *("x" * 257 + " <a@b.example>", "a@" + "b" * 64 + ".example", "a@" + "ü" * 300, "ü" * 33 + "@x.example"),
            *(
                "a@x＠b.example",
                "a@℀.example",
                "a@xn--ü.example",
                "a@\u3002.example",
                "a＠b.example",
                '"' + "." * 63 + '"@b.c',
            ),
            *("a\u00a0b@x.example", "a\u202eb@x.example", "a\u200bb@x.example", "a\ud83d@x.example", "a@xn--a.example"),
            *("Team: a@b.example;", '"a\tb"@x.example', "x" * 100_000, '"' * 1000, "<" * 1000),
        ):
            with self.subTest(text=text[:80]), self.assertRaises(ValueError):
                parse_mailbox(text)

    def test_a_text_that_is_all_but_an_address_is_refused_in_a_moment(self) -> None:
        begun_s = process_time()

        for text in (
            "a" * 900 + "(@x.example",
            "a." * 400 + "(@x.example",
            "ü" * 900 + '"@x.example',
            "a@" + "b-" * 400 + ".",
        ):
            for read in (parse_mailbox, lambda text: named_mailbox("", text * 100)):
                with self.subTest(text=text[:20]), self.assertRaises(ValueError):
                    read(text)

        self.assertLess(process_time() - begun_s, 1)

    def test_an_address_that_stands_apart_is_one_and_has_no_name(self) -> None:
        for address in (
            "a@x.example, b@y.example",
            "J <a@x.example>",
            "a@b@c.example",
            "a,b@x.example",
            "",
            "a\n@x.example",
        ):
            with self.subTest(address=address), self.assertRaises(ValueError):
                named_mailbox("", address)
        for name in ("x\r\nBcc: a@x.example", "x" * 257, "\u2028"):
            with self.subTest(name=name[:20]), self.assertRaises(ValueError):
                named_mailbox(name, "a@x.example")


if __name__ == "__main__":
    unittest.main()
