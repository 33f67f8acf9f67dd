"""An application that has a package named `lib` itself: its job modules find both, in server, worker and unit tests."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, ROOT, Server, Worker

JOBS = """\
from lib.jobs.registry import job
from lib.text import shout
from lib.words.greeting import GREETING


@job("shout")
def shout_it(ctx, payload: dict):
    return shout(GREETING)
"""
TEST = """\
from lib.testing import run
from shop_jobs import shout_it

print(run(shout_it, {}))
"""


class LibOfItsOwn(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        for name, text in {
            "lib/__init__.py": "",
            "lib/text.py": "def shout(text):\n    return text.upper()\n",
            "lib/words/__init__.py": "",
            "lib/words/greeting.py": 'GREETING = "hello"\n',
            "jobs/shop_jobs.py": JOBS,
        }.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.path = os.pathsep.join([str(self.folder), str(self.folder / "jobs")])

    def test_its_modules_are_found_beside_waybills(self) -> None:
        redis = self.enterContext(PrivateRedis())
        os.environ["PYTHONPATH"] = self.path
        self.addCleanup(os.environ.pop, "PYTHONPATH")
        server = self.enterContext(Server(redis.url, JOB_MODULES="shop_jobs"))
        self.enterContext(Worker(redis.url, JOB_MODULES="shop_jobs"))

        _, done, _ = server.request("POST", "/api/jobs", {"type": "shout", "payload": {}}, prefer="wait=20")

        self.assertEqual("HELLO", done["result"], done)

    def test_a_unit_test_finds_them_where_waybill_stands_first_in_pythonpath(self) -> None:
        python_path = os.pathsep.join([str(ROOT), self.path, str(self.folder / "nowhere")])

        done = subprocess.run(
            [sys.executable, "-c", TEST],
            cwd=self.folder / "jobs",
            env={**os.environ, "PYTHONPATH": python_path},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

        self.assertEqual("HELLO\n", done.stdout, done.stderr)


if __name__ == "__main__":
    unittest.main()
