"""The first lines of server.py and worker.py: on a Python that will not do, one sentence and exit 78."""

import ast
import subprocess
import sys
import unittest
from pathlib import Path

from lib import config

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("server.py", "worker.py")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)


class Needs(unittest.TestCase):
    def test_without_redis_each_says_what_to_do_in_one_line_and_ends_with_78(self) -> None:
        for name in COMMANDS:
            done = run("-S", name)  # -S: without site-packages, where redis lies.

            self.assertEqual((config.EXIT_CONFIG, ""), (done.returncode, done.stdout), done.stderr)
            self.assertRegex(
                done.stderr, rf"\AWaybill needs the Python package redis, .* \.venv/bin/python {name} .*\n\Z"
            )

    def test_an_older_python_is_named(self) -> None:
        done = run("-c", "from lib import needs; needs.OLDEST = (99, 0); print(needs.are_met())")

        self.assertEqual("False\n", done.stdout)
        self.assertRegex(done.stderr, r"\AWaybill needs Python 3\.11 or newer, and .*\n\Z")

    def test_python_3_8_can_read_what_is_read_before_it_is_told(self) -> None:
        for name in (*COMMANDS, "lib/__init__.py", "lib/needs.py"):
            ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 8))

    def test_nothing_of_ours_is_imported_before_it(self) -> None:
        for name in COMMANDS:
            _docstring, first, second, check, *_ = ast.parse((ROOT / name).read_text(encoding="utf-8")).body

            self.assertEqual("import sys, from lib import needs", f"{ast.unparse(first)}, {ast.unparse(second)}")
            self.assertTrue(ast.unparse(check).startswith("if not needs.are_met():"))


if __name__ == "__main__":
    unittest.main()
