"""The manual in a real browser: nothing that its policy forbids, no error on the console, and fit for a telephone."""

import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from tests.browser.case import BrowserCase

PATHS = ("/docs", "/problems", "/problems/outcome-unknown", "/problems/invalid-fields")


class Manual(BrowserCase):
    has_worker: ClassVar[bool] = False

    def test_no_page_breaks_its_policy_or_says_an_error(self) -> None:
        tab = self.browser.tab()
        self.addCleanup(tab.close)
        for path in PATHS:
            with self.subTest(path):
                tab.open(self.server.url + path)
                tab.settle()

                self.assertEqual(1, tab.count("h1"))
                self.assertEqual([], tab.complaints)

    def test_a_page_that_does_break_its_policy_would_be_seen(self) -> None:
        """Else the test above could not fail."""
        tab = self.browser.tab()
        self.addCleanup(tab.close)
        with tempfile.TemporaryDirectory() as folder:
            bad = Path(folder, "bad.html")
            policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
            bad.write_text(f"{policy}<style>p {{ color: red }}</style><p>x", encoding="utf-8")
            tab.open(f"file://{bad}")
            tab.settle()

        self.assertIn("Content Security Policy", "".join(tab.complaints))

    def test_the_style_is_loaded_and_follows_the_reader_and_the_screen(self) -> None:
        tab = self.browser.tab()
        self.addCleanup(tab.close)
        tab.open(f"{self.server.url}/docs")
        grounds = []
        for dark in (False, True):
            tab.paint(dark=dark)
            tab.settle()
            grounds.append(tab.js("getComputedStyle(document.body).backgroundColor"))
        tab.resize(390, 844)
        tab.settle()

        self.assertEqual(["rgb(255, 255, 255)", "rgb(18, 22, 29)"], grounds)  # --paper of manual.css.
        self.assertLessEqual(tab.js("document.documentElement.scrollWidth"), 390)


if __name__ == "__main__":
    unittest.main()
