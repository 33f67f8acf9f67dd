"""The Accept field (RFC 9110, 12.5.1): the media type that a caller wants, and 406 where none is on offer."""

import time
import unittest

from lib.errors import NotAcceptable
from lib.web.accept import check, choose

HTML, TEXT, JSON = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json"
ALL = (HTML, TEXT, JSON)
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


class Choose(unittest.TestCase):
    def test_the_one_that_is_wanted_most_and_the_first_among_equals(self) -> None:
        for accept, chosen in (
            (None, HTML),
            ("", HTML),
            ("*/*", HTML),
            (CHROME, HTML),
            ("application/json", JSON),
            ("APPLICATION/JSON", JSON),
            ("text/*", HTML),
            ("text/*;q=0.5, application/json;q=0.6", JSON),
            ("text/plain, */*;q=0.1", TEXT),
            ("text/html;q=0, text/*", TEXT),
            ("text/html;q=0, text/plain;q=0, */*", JSON),
            ("*/*, application/json;q=0.001, text/html;q=0.5, text/plain;q=0.4", HTML),
            ("application/json; charset=UTF-8", JSON),
            ('application/json;charset="utf-8"', JSON),
            ("text/html;charset=utf-8;q=0.1, text/plain", TEXT),
            ("text/html;level=1, text/plain;q=0.1", TEXT),
            (" , text/plain ,, ", TEXT),
            ("text/plain;q=1.000;ext=1", TEXT),
            ("text/plain ; q=0.5 , application/json ; q=0.4", TEXT),
            ("image/png", None),
            ("application/json;q=0", None),
            ("*/*;q=0.0", None),
            ("application/json;charset=latin-1", None),
            ("application/json;version=2", None),
            ("application/xml, image/*", None),
            ("text/htm", None),
        ):
            with self.subTest(accept):
                self.assertEqual(chosen, choose(accept, ALL))

    def test_the_parameters_of_what_is_produced_can_be_asked_for(self) -> None:
        produced = ("text/plain; version=0.0.4; charset=utf-8",)

        self.assertEqual(produced[0], choose("application/openmetrics-text, text/plain;version=0.0.4;q=0.3", produced))
        self.assertIsNone(choose("text/plain;version=1.0.0", produced))
        for accept in ("text/plain", "*/*", "text/*", "text/plain; version=0.0.4; charset=utf-8"):
            self.assertEqual(produced[0], choose(accept, produced))

    def test_what_is_not_of_the_grammar_says_nothing(self) -> None:
        for accept in (
            "json",
            "image/png, what",
            "image/",
            "/png",
            "*/png",
            "*",
            "image/png;q=2",
            "image/png;q=0.1234",
            "image/png;q=-1",
            "image/png;q",
            "image/png q=1",
            'image/png;a="open',
            "image/png image/gif",
            ";",
        ):
            with self.subTest(accept):
                self.assertEqual(HTML, choose(accept, ALL))

    def test_16_kib_of_anything_take_no_time(self) -> None:
        for accept in (
            "a/b," * 4000,
            "a/b;" * 4000,
            ";" * 16_000,
            " " * 16_000 + "x",
            "a/b" + ' ;\t a="\\"' * 1500,
            "a/b" + ";a=b ; " * 2000 + "!@",
            "," * 16_000,
        ):
            started_s = time.process_time()
            choose(accept, ALL)

            self.assertLess(time.process_time() - started_s, 0.2, accept[:20])


class Check(unittest.TestCase):
    def test_an_operation_that_can_not_answer_as_asked_says_how_it_can(self) -> None:
        with self.assertRaises(NotAcceptable) as refused:
            check("text/html", ("application/json",))

        self.assertIn("application/json", refused.exception.detail)

    def test_whoever_asks_for_no_more_than_there_is_passes(self) -> None:
        for accept in (None, "*/*", CHROME, "application/json", "application/problem+json, application/json;q=0.1"):
            check(accept, ("application/json",))
        check("text/html", ())


if __name__ == "__main__":
    unittest.main()
