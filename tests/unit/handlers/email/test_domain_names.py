"""Domain names turned into ASCII, by IDNA 2008, and names that are refused."""

import unittest

from lib.handlers.email.domain_names import to_ascii


class DomainNames(unittest.TestCase):
    def test_names_as_the_dns_has_them(self) -> None:
        for name, ascii_name in (
            ("Example.COM", "example.com"),
            ("straße.de", "xn--strae-oqa.de"),
            ("STRAẞE.de", "xn--strae-oqa.de"),
            ("strasse.de", "strasse.de"),
            ("βόλος.com", "xn--nxasmm1c.com"),
            ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com"),
            ("ΒΌΛΟς.com", "xn--nxasmm1c.com"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("bu\u0308cher.example", "xn--bcher-kva.example"),
            ("faß。de", "xn--fa-hia.de"),
            ("日本語．ＪＰ", "xn--wgv71a119e.jp"),
            ("例え｡テスト", "xn--r8jz45g.xn--zckzah"),
            ("ﬁsch.ex\u00adample", "fisch.example"),
            ("xn--strae-oqa.de", "xn--strae-oqa.de"),
            ("XN--STRAE-OQA.DE", "xn--strae-oqa.de"),
            ("ab--cd.example", "ab--cd.example"),
            ("i❤️.ws", "xn--i-7iq.ws"),
            ("xn--ls8h.la", "xn--ls8h.la"),
            ("ᎠᎡ.example", "xn--58dc.example"),
        ):
            with self.subTest(name):
                self.assertEqual(to_ascii(name), ascii_name)

    def test_what_may_stand_beside_certain_letters_alone(self) -> None:
        for name, ascii_name in (
            ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),
            ("क्\u200dष.com", "xn--11b2ezcw70k.com"),
            ("क्\u200cष.com", "xn--11b2ezcs70k.com"),
            ("l·l.cat", "xn--ll-0ea.cat"),
            ("カ・.jp", "xn--lckyi.jp"),
            ("א׳.example", "xn--4db4e.example"),
            ("α͵β.example", "xn--wva3je.example"),
        ):
            with self.subTest(name):
                self.assertEqual(to_ascii(name), ascii_name)
        for name in (
            *("a\u200cb.de", "\u200cب.de", "ا\u200cب.de", "क\u200dष.com", "\u200d.de", "l·a.cat", "·l.cat", "・.jp"),
            *("׳.example", "׳א.example", "α͵.example", "α͵b.example", "ب٢۳.example"),
        ):
            with self.subTest(name), self.assertRaises(ValueError):
                to_ascii(name)

    def test_a_label_from_the_right_is_of_such_letters_throughout(self) -> None:
        self.assertEqual(to_ascii("אב1.com"), "xn--1-zhcd.com")
        for name in ("1אב.com", "aא.com", "אa.com", "א1٢.com", "א-.com", "א+.com"):
            with self.subTest(name), self.assertRaises(ValueError):
                to_ascii(name)

    def test_what_is_no_name(self) -> None:
        for name in (
            *("", ".", "a.", ".a", "a..b", "a。。b", "-a.de", "a-.de", "-ü.de", "ü-.de", "aü--.de", "a_b.de", "a b.de"),
            *(
                "\u0301a.de",
                "ａ＠b.de",
                "℀.de",
                "a\u2026b.de",
                "a/b.de",
                "[127.0.0.1]",
                "a\u202eü.de",
                "a‐ü.de",
                "\u0378.de",
            ),
            *(
                "xn--.de",
                "xn--a.de",
                "xn--faa-.de",
                "xn--ü.de",
                "xn--strasse-.de",
                "xn--\U0010ffff.de",
                "xn--99999999.de",
            ),
            *("xn--BCHER-KVA8445FOA.de", "a" * 64 + ".de", "ü" * 60 + ".de", "ü" * 100_000, "．" * 99),
            *("xn--a-ecp.ru", "ᄀ.de", "\u3164a.de", "〱.jp"),
        ):
            with self.subTest(name[:40]), self.assertRaises(ValueError):
                to_ascii(name)

    def test_lengths_are_those_of_the_encoded_form(self) -> None:
        longest = ".".join(["a" * 63] * 3 + ["b" * 61])

        self.assertEqual(len(to_ascii("ü" * 56)), 62)
        self.assertEqual(to_ascii(longest), longest)
        for name in (longest + "b", "ü" * 58, ".".join(["ü" * 56] * 5)):
            with self.subTest(name[:40]), self.assertRaises(ValueError):
                to_ascii(name)


if __name__ == "__main__":
    unittest.main()
