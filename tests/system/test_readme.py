"""The README's commands, pasted: each is run against a server and a worker, with the README's own job module."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from lib.jobs.zones import tzdata_warning
from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, ROOT, Server, Worker

README = (ROOT / "README.md").read_text(encoding="utf-8")
NO_JOB = "email-" + "0" * 32


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


class Readme(unittest.TestCase):
    folder: ClassVar[Path]
    server: ClassVar[Server]
    worker: ClassVar[Worker]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="waybill-readme-")))
        (module,) = blocks("python")
        (folder / "reports.py").write_text(module, encoding="utf-8")
        redis = cls.enterClassContext(PrivateRedis())
        os.environ["PYTHONPATH"] = str(folder)
        cls.addClassCleanup(os.environ.pop, "PYTHONPATH")
        logs, modules = folder / "logs", "lib.handlers.email,lib.handlers.webhook,reports"
        cls.server = cls.enterClassContext(Server(redis.url, LOG_DIR=logs, JOB_MODULES=modules))
        cls.worker = cls.enterClassContext(
            Worker(redis.url, LOG_DIR=logs, JOB_MODULES=modules, WORKER_QUEUES="email=20,default=20")
        )

    def pasted(self, *words: str, text: str) -> str:
        text = text.replace("http://127.0.0.1:8000", self.server.url).replace("for_s=60", "for_s=1")
        if tzdata_warning():
            text = text.replace("Europe/Berlin", "UTC")
        done = subprocess.run([*words, text], cwd=self.folder, capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(0, done.returncode, (text, done.stderr))
        return done.stdout

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_every_command_works(self) -> None:
        commands = [block for block in blocks("sh") if "curl" in block]

        self.assertGreater(len(commands), 5)
        for block in commands:
            with self.subTest(block):
                # There is no such job: that alone is answered 404, and shows that the path is right.
                said = self.pasted("sh", "-c", text=block.replace("JOB_ID", NO_JOB))

                self.assertTrue(said)
                faults = set(re.findall(r'"type":"(/problems/[a-z-]+)"', said))
                self.assertEqual({"/problems/job-not-found"} if "JOB_ID" in block else set(), faults, said[:2000])

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_its_own_job_is_done(self) -> None:
        (block,) = [block for block in blocks("sh") if '"report"' in block and "Prefer" in block]

        said = self.pasted("sh", "-c", text=block)

        self.assertIn("HTTP/1.1 200", said)
        self.assertIn('"result":{"month":', said)

    @unittest.skipUnless(shutil.which("node"), "node is not installed here")
    def test_nodes_few_lines_queue_a_job(self) -> None:
        (lines,) = blocks("js")

        said = self.pasted("node", "--input-type=module", "-e", text=f"{lines}console.log(answer.status)")

        self.assertEqual("202\n", said)


if __name__ == "__main__":
    unittest.main()
