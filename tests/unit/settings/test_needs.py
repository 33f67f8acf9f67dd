"""The first lines of server.py and worker.py: on a Python that will not do, one sentence and exit 78."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from lib.settings import config

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("server.py", "worker.py")


def run(*words: str, cwd: Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **settings}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=60, env=environment
    )


class Needs(unittest.TestCase):
    def test_without_redis_each_says_what_to_do_in_one_line_and_ends_with_78(self) -> None:
        for name in COMMANDS:
            done = run("-S", name)  # -S: without site-packages, where redis lies.

            self.assertEqual((config.EXIT_CONFIG, ""), (done.returncode, done.stdout), done.stderr)
            self.assertRegex(
                done.stderr, rf"\AWaybill needs the Python package redis, .* \.venv/bin/python {name} .*\n\Z"
            )

    def test_an_older_python_is_named(self) -> None:
        done = run("-c", "from lib.settings import needs; needs.OLDEST = (99, 0); print(needs.are_met())")

        self.assertEqual("False\n", done.stdout)
        self.assertRegex(done.stderr, r"\AWaybill needs Python 3\.11 or newer, and .*\n\Z")

    def test_python_3_8_can_read_what_is_read_before_it_is_reported(self) -> None:
        for name in (*COMMANDS, "lib/__init__.py", "lib/settings/__init__.py", "lib/settings/needs.py"):
            ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 8))

    def test_files_beside_it_may_have_the_names_of_pythons_own_modules(self) -> None:
        folder, elsewhere = self.a_copy(), self.a_copy()
        for name in filter(importlib.util.find_spec, sys.stdlib_module_names):  # Some are for other systems.
            (folder / f"{name}.py").write_text(f"raise SystemExit('this is not {name}')\n", encoding="utf-8")
        for name in ("email", "queue", "asyncio"):  # Of some Python itself, when it starts, takes those in PYTHONPATH.
            shutil.copy(folder / f"{name}.py", elsewhere)

        for name in COMMANDS:
            done = run(name, cwd=folder, LEASE_S="never", PYTHONPATH=str(elsewhere))

            self.assertEqual(config.EXIT_CONFIG, done.returncode, done.stderr)
            self.assertIn("LEASE_S: 'never' is not a number of seconds", done.stderr)

    def test_what_hides_the_package_redis_is_named(self) -> None:
        for hidden_by in ("redis.py", "redis/__init__.py"):
            folder = self.a_copy()
            path = folder / hidden_by
            path.parent.mkdir(exist_ok=True)
            path.touch()

            for name in COMMANDS:
                done = run(name, cwd=folder)

                self.assertEqual(config.EXIT_CONFIG, done.returncode)
                self.assertEqual(
                    f"Waybill needs the Python package redis, and {path} has its name: rename that one.\n", done.stderr
                )

    def test_a_folder_called_redis_that_is_no_package_hides_nothing(self) -> None:
        folder = self.a_copy()
        (folder / "redis").mkdir()

        done = run("server.py", cwd=folder, LEASE_S="never")

        self.assertIn("LEASE_S: 'never'", done.stderr)

    def a_copy(self) -> Path:
        """A folder that Waybill can be started in, and where a test may put files beside it."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in COMMANDS:
            shutil.copy(ROOT / name, folder)
        (folder / "lib").symlink_to(ROOT / "lib")
        return folder.resolve()

    def test_nothing_of_ours_is_imported_before_it(self) -> None:
        for name in COMMANDS:
            _docstring, first, second, check, *_ = ast.parse((ROOT / name).read_text(encoding="utf-8")).body

            imports = f"{ast.unparse(first)}, {ast.unparse(second)}"
            self.assertEqual("import sys, from lib.settings import needs", imports)
            self.assertTrue(ast.unparse(check).startswith("if not needs.are_met():"))


if __name__ == "__main__":
    unittest.main()
