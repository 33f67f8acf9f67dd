"""The pages in a real browser: nothing that their policy forbids, no error on the console, and fit for a telephone.

Skipped, and counted as such, where no chromium is installed.
"""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from tests.private_redis import PrivateRedis
from tests.processes import Server

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATHS = ("/docs", "/problems", "/problems/outcome-unknown", "/problems/invalid-fields")


@unittest.skipUnless(BROWSER, "no chromium is installed here")
class Browser(unittest.TestCase):
    server: ClassVar[Server]

    @classmethod
    def setUpClass(cls) -> None:
        redis = cls.enterClassContext(PrivateRedis())
        cls.server = cls.enterClassContext(Server(redis.url, JOB_MODULES="lib.handlers.email"))
        cls.server.wait_until_ready()

    def opened(self, url: str, *options: str) -> tuple[str, str]:
        """What became of the page, and what the browser's log says of it."""
        with tempfile.TemporaryDirectory() as profile:
            command = [
                str(BROWSER),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--user-data-dir={profile}",
                "--enable-logging=stderr",
                "--log-level=0",
                *options,
                url,
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)

    def test_no_page_breaks_its_policy_or_says_an_error(self) -> None:
        for path in PATHS:
            with self.subTest(path):
                page, console = self.opened(self.server.url + path, "--dump-dom")

                self.assertIn("</html>", page)
                self.assertEqual("", console)

    def test_a_page_that_does_break_its_policy_would_be_seen(self) -> None:
        """Else the test above could not fail."""
        with tempfile.TemporaryDirectory() as folder:
            bad = Path(folder, "bad.html")
            policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
            bad.write_text(f"{policy}<style>p {{ color: red }}</style><p>x", encoding="utf-8")
            _, console = self.opened(f"file://{bad}", "--dump-dom")

        self.assertIn("Content Security Policy", console)

    def test_the_style_is_loaded_and_follows_the_reader_and_the_screen(self) -> None:
        """Pictures, since without a script nothing else tells what was painted: dark is not light, nor narrow wide."""
        pictures = set()
        for scheme in ("0", "1"):
            for size in ("400,800", "1200,800"):
                with tempfile.TemporaryDirectory() as folder:
                    shot = Path(folder, "page.png")
                    options = (f"--screenshot={shot}", f"--window-size={size}")
                    self.opened(f"{self.server.url}/docs", f"--blink-settings=preferredColorScheme={scheme}", *options)
                    pictures.add(shot.read_bytes())

        self.assertEqual(4, len(pictures))


if __name__ == "__main__":
    unittest.main()
