"""prod/workflows.md: its example, pasted, runs with the job module that stands on the page."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, ROOT, Server, Worker

PAGE = (ROOT / "prod" / "workflows.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of code in this language."""
    found, *_ = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


class WorkflowsPage(unittest.TestCase):
    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="waybill-page-")))
        (folder / "monthly.py").write_text(block("python"), encoding="utf-8")
        os.environ["PYTHONPATH"] = str(folder)
        self.addCleanup(os.environ.pop, "PYTHONPATH")
        redis, modules = self.enterContext(PrivateRedis()), "lib.handlers.email,monthly"
        self.server: Server = self.enterContext(Server(redis.url, JOB_MODULES=modules))
        self.worker: Worker = self.enterContext(
            Worker(redis.url, JOB_MODULES=modules, WORKER_QUEUES="email=20,default=20")
        )

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_the_example_runs(self) -> None:
        start, look = block("sh").replace("http://127.0.0.1:8000", self.server.url).split("\ncurl ", 1)

        workflow_id = json.loads(self.pasted(start).splitlines()[-1])["id"]
        shown = json.loads(self.pasted("curl " + look.replace("WORKFLOW_ID", workflow_id)))

        self.assertEqual("completed", shown["state"], shown)
        states = {job["name"]: job["state"] for job in shown["jobs"]}
        well = dict.fromkeys(("fetch", "a", "b", "sum", "file-0", "file-1"), "completed")
        self.assertEqual({**well, "alarm": "skipped"}, states)
        self.worker.wait_for("email.sent")

    def pasted(self, text: str) -> str:
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=LIMIT_S * 2)
        self.assertEqual(0, done.returncode, (text, done.stderr))
        return done.stdout


if __name__ == "__main__":
    unittest.main()
