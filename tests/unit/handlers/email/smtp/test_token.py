"""Tokens from a command and from a file: what counts as a token, how long it is kept, and the errors without one."""

import contextlib
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

from lib.handlers.email.smtp import token
from lib.handlers.email.smtp.token import KEPT_S, SMTPTokenMissing, TokenCommand, TokenFile
from tests.a_clock import Clock

SECRET = "ya29.s3cret-token"


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.clock = Clock()

    def command(self, script: str, *arguments: str) -> TokenCommand:
        return TokenCommand((sys.executable, "-IS", "-c", script, *arguments), self.clock)

    def counting(self) -> TokenCommand:
        """A command that prints `token-1` at its first run, `token-2` at its second."""
        runs = self.folder / "runs"
        return self.command(
            f"runs = open({str(runs)!r}, 'a+'); runs.write('x'); runs.seek(0); print(f'token-{{len(runs.read())}}')"
        )

    def failed(self, script: str, *arguments: str, limit_s: float = 10) -> str:
        with self.assertRaises(SMTPTokenMissing) as caught:
            self.command(script, *arguments).get(limit_s)
        said = str(caught.exception)
        self.assertTrue(said.startswith("SMTP_TOKEN_COMMAND: python"), said)
        self.assertNotIn("s3cret", said)
        return said

    def test_a_token_is_kept_for_a_while_and_until_it_is_refused(self) -> None:
        tokens = self.counting()

        first, second = tokens.get(10), tokens.get(10)
        self.assertEqual(
            [(first.text, first.is_kept), (second.text, second.is_kept)], [("token-1", False), ("token-1", True)]
        )
        tokens.forget(second)
        third = tokens.get(10)
        tokens.forget(first)  # The older token: the newer one stays.
        self.assertEqual((third.text, third.is_kept, tokens.get(10).text), ("token-2", False, "token-2"))
        self.clock.now_s += KEPT_S
        self.assertEqual(tokens.get(10).text, "token-3")

    def test_it_is_run_without_a_shell_and_shows_in_no_repr(self) -> None:
        tokens = self.command("import sys; print(sys.argv[1])", "$HOME;`id`")

        token = tokens.get(10)

        self.assertEqual(token.text, "$HOME;`id`")
        self.assertNotIn("HOME", repr(token) + repr(tokens))

    def test_what_goes_wrong_is_told_and_nothing_that_it_said(self) -> None:
        for script, words in (
            (f"import sys; print('{SECRET}'); sys.stderr.write('{SECRET}'); sys.exit(3)", "ended with exit code 3"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was killed by signal 11"),
            ("", "printed nothing"),
            ("print()", "printed nothing"),
            (f"print('{SECRET}\\n{SECRET}')", "printed more than a token"),
            (f"print('Bearer {SECRET}')", "printed more than a token"),
            (f"print('{SECRET}\\1')", "printed more than a token"),
            ("import sys; sys.stdout.buffer.write('s3cret-tökén'.encode())", "printed more than a token"),
            ("while True: print('s3cret' * 1000)", "printed over 65536 bytes"),
        ):
            with self.subTest(words):
                self.assertIn(words, self.failed(script, SECRET))

    def test_one_that_takes_too_long_is_ended_with_all_that_it_started(self) -> None:
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        # The child holds the fifo open for as long as it lives, and the program's own output too.
        script = f"import subprocess; subprocess.run(['sh', '-c', 'exec 3> {fifo}; sleep 60 & wait'])"
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)

        self.assertIn("was not done in time", self.failed(script, limit_s=1))

        os.set_blocking(reader, True)
        self.assertEqual(b"", os.read(reader, 1), "somebody of its family lives")

    def test_one_that_leaves_its_output_open_does_not_hold_a_mail_up(self) -> None:
        begun_s = time.monotonic()

        self.assertIn("was not done in time", self.failed("import os, time; os.close(1); time.sleep(60)", limit_s=0.5))

        self.assertLess(time.monotonic() - begun_s, 20)

    def test_a_failure_is_kept_for_a_moment(self) -> None:
        runs = self.folder / "runs"
        tokens = self.command(f"open({str(runs)!r}, 'a').write('x'); raise SystemExit(1)")
        for _ in range(3):
            with contextlib.suppress(SMTPTokenMissing):
                tokens.get(10)
        self.assertEqual(runs.read_text(), "x")

        self.clock.now_s += token.FAULT_KEPT_S
        with self.assertRaises(SMTPTokenMissing):
            tokens.get(10)

        self.assertEqual(runs.read_text(), "xx")


class Files(unittest.TestCase):
    def test_one_line_is_a_token_and_anything_else_is_told(self) -> None:
        path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "token"
        for text in (SECRET, f"{SECRET}\n", f"{SECRET}\r\n"):
            path.write_text(text)
            self.assertEqual((TokenFile(path).get(10).text, TokenFile(path).get(10).is_kept), (SECRET, False))
        for text, words in (
            ("", "holds nothing"),
            (f"{SECRET}\n{SECRET}", "holds more than a token"),
            ("s3cret" * 20_000, "holds over 65536 bytes"),
        ):
            path.write_text(text)
            with self.subTest(words), self.assertRaises(SMTPTokenMissing) as caught:
                TokenFile(path).get(10)
            self.assertIn(f"SMTP_TOKEN_FILE: {path} {words}", str(caught.exception))
            self.assertNotIn("s3cret", str(caught.exception))

    def test_what_can_not_be_read_is_told(self) -> None:
        for path in ("/nonexistent", "/"):
            with self.subTest(path), self.assertRaisesRegex(SMTPTokenMissing, f"{path} can't be read: "):
                TokenFile(Path(path)).get(10)


if __name__ == "__main__":
    unittest.main()
