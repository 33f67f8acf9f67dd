"""What `.venv` is filled with, and when; its interpreter is one that writes down what it is asked."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from prod.local import environments

INTERPRETER = """\
#!/bin/sh
case "$1" in
    -c) echo {version} ;;
    *) echo "$@" >> "{calls}" ;;
esac
"""


class Filled(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.calls = self.folder / "calls"
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        version = ".".join(map(str, sys.version_info[:2]))
        python.write_text(INTERPRETER.format(version=version, calls=self.calls), encoding="utf-8")
        python.chmod(0o755)
        self.write("requirements.txt", "redis\n")
        self.enterContext(patch.object(environments, "ROOT", self.folder))
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def installed(self) -> list[list[str]]:
        """The files of requirements that each run of pip was given, since this was last asked."""
        environments.for_running()
        lines = self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [[Path(word).name for word in line.split() if word.endswith(".txt")] for line in lines]

    def test_what_job_modules_import_is_installed_when_the_file_comes_and_when_it_changes(self) -> None:
        both = ["requirements.txt", "requirements-jobs.txt"]

        self.assertEqual([["requirements.txt"]], self.installed())
        self.write("requirements-jobs.txt", "shop==1.0\n")
        self.assertEqual([both], self.installed())
        self.assertEqual([], self.installed())
        self.write("requirements-jobs.txt", "shop==1.1\n")
        self.assertEqual([both], self.installed())
        (self.folder / "requirements-jobs.txt").unlink()
        self.assertEqual([["requirements.txt"]], self.installed())


if __name__ == "__main__":
    unittest.main()
