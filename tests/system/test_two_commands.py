"""`make demo` and `make run` as processes: what they start, what they print, and that nothing is left behind."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from prod.local import redis_server
from prod.local.processes import Crew, free_port
from tests.waiting import printed_until, wait_until

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 20.0


def local(*command: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "prod.local", *command],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def is_ready(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Demo(unittest.TestCase):
    def test_the_demo_shows_job_mail_and_log_lines_of_one_request_and_leaves_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder, local("demo", TMPDIR=folder) as process:
            said, _ = process.communicate(timeout=60)
            left = os.listdir(folder)  # noqa: PTH208

        self.assertEqual(0, process.returncode, said)
        self.assertEqual([], left)
        (request_id,) = set(re.findall(r"X-Request-ID: (demo-[0-9a-f]{16})", said))
        self.assertIn('"state": "completed"', said)
        self.assertIn("To: test@gmail.com", said)
        app, _, worker = said.partition("--- app.log\n")[2].partition("--- worker.log\n")
        for lines in (app, worker):
            facts = [json.loads(line) for line in lines.split("\n") if line.startswith("{")]
            self.assertTrue(facts, said)
            self.assertEqual({request_id}, {fact["request_id"] for fact in facts})

    def test_without_curl_and_where_letters_are_few_the_demo_says_who_asked(self) -> None:
        # sys.executable is of .venv, so nothing of PATH is needed but the Redis: it lies in a folder of its own here.
        with tempfile.TemporaryDirectory() as folder:
            program = Path(redis_server.binary_or_install())
            (Path(folder) / program.name).symlink_to(program)
            with local("demo", PATH=folder, PYTHONIOENCODING="iso-8859-1") as process:
                said, _ = process.communicate(timeout=60)

        self.assertEqual(0, process.returncode, said)
        self.assertIn("(No curl is installed here, so Python asks.) curl -sS http://", said)
        self.assertIn('"state": "completed"', said)


class RunCase(unittest.TestCase):
    """On a Redis, a port and folders of its own: the developer's are not touched."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="waybill-run-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.port = free_port()
        self.settings = {
            "PORT": str(self.port),
            "LOG_DIR": str(self.folder / "logs"),
            "OUTBOX_DIR": str(self.folder / "outbox"),
            "SMTP_URL": "",
        }

    def redis(self) -> Crew:
        crew = Crew(5)
        # Its handlers of signals are the command's business; here it is a Redis that ends with the test.
        self.addCleanup(crew.stop)
        program = redis_server.binary_or_install()
        url = redis_server.start(crew, program, self.folder / "redis", free_port(), lambda _line: None)
        self.settings["REDIS_URL"] = url
        return crew

    def started(self, *options: str) -> subprocess.Popen[str]:
        process = local("run", *options, **self.settings)
        self.addCleanup(process.communicate, timeout=60)
        # Not SIGKILL: what it started would live on.
        self.addCleanup(process.terminate)
        return process

    def said_by(self, process: subprocess.Popen[str]) -> str:
        said, _ = process.communicate(timeout=LIMIT_S)
        return said


class Run(RunCase):
    def test_ctrl_c_and_sigterm_stop_all_of_it_and_leave_the_redis_that_was_there(self) -> None:
        self.redis()
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.started()
            wait_until(lambda: is_ready(f"http://127.0.0.1:{self.port}"), "ready")

            process.send_signal(number)
            said = self.said_by(process)

            self.assertEqual(0, process.returncode, said)
            self.assertFalse(answers(self.port))
            self.assertTrue(redis_server.is_usable(int(self.settings["REDIS_URL"].split(":")[2].split("/")[0])))

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
    def test_what_it_prints_can_be_pasted(self) -> None:
        self.redis()
        process = self.started()
        said = printed_until(process, "Hello")

        pasted = subprocess.run(
            ["/bin/sh", "-c", said[said.index("curl ") :]], capture_output=True, text=True, timeout=30
        )

        self.assertIn('"id"', pasted.stdout + pasted.stderr)
        wait_until(lambda: any((self.folder / "outbox").rglob("*.eml")), "the mail")
        process.send_signal(signal.SIGINT)
        self.said_by(process)

    def test_a_port_in_use_is_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", self.port)):
            process = self.started()
            said = self.said_by(process)

        self.assertEqual(1, process.returncode)
        self.assertRegex(said, rf"(?m)\APort {self.port} of 127\.0\.0\.1 can't be listened on: .*\n\Z")

    def test_wrong_settings_are_named_and_end_with_78(self) -> None:
        self.settings |= {"PORT": "eighty", "LEASE_S": "1"}

        process = self.started()
        said = self.said_by(process)

        self.assertEqual(78, process.returncode)
        self.assertIn("PORT: 'eighty'", said)
        self.assertIn("LEASE_S: '1'", said)

    def test_without_its_redis_it_ends_with_what_is_wrong_and_asks_seldom(self) -> None:
        nobody = free_port()
        self.settings["REDIS_URL"] = f"redis://app:s3cret@127.0.0.1:{nobody}/0"

        process = self.started()
        said, _ = process.communicate(timeout=60)

        self.assertEqual(1, process.returncode, said)
        last = said.rstrip("\n").rpartition("\n")[2]
        self.assertIn(f"Redis does not answer at redis://127.0.0.1:{nobody}/0: start it, or correct or unset", last)
        self.assertIn("Connect call failed", last)
        self.assertNotIn("s3cret", said)
        self.assertLess((self.folder / "logs" / "app.log").read_text(encoding="utf-8").count("GET /readyz"), 40)

    def test_when_one_process_ends_by_itself_the_others_are_stopped(self) -> None:
        self.redis()
        self.settings["JOB_MODULES"] = "no_such_module"

        process = self.started()
        said = self.said_by(process)

        self.assertNotEqual(0, process.returncode, said)
        self.assertIn("no_such_module", said)
        self.assertIn("ended by itself", said)
        self.assertFalse(answers(self.port))


class Reloading(RunCase):
    """`make run RELOAD=1`: what an edit does."""

    def setUp(self) -> None:
        super().setUp()
        self.code = self.folder / "code"
        self.code.mkdir()
        self.redis()
        self.settings |= {"JOB_MODULES": "edited_jobs", "PYTHONPATH": str(self.code), "WORKER_QUEUES": "default=2"}
        self.write("edited_jobs", answer(1))

    def write(self, name: str, text: str) -> None:
        """As an editor does: a new file, renamed."""
        new = self.code / "new"
        new.write_text(text, encoding="utf-8")
        new.rename(self.code / f"{name}.py")

    def result(self) -> object:
        body = json.dumps({"type": "answer", "payload": {}}).encode()
        fields = {"Content-Type": "application/json", "Prefer": "wait=20"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/jobs", body, fields)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT_S) as given:
            return json.load(given)["result"]

    def test_an_edit_starts_both_again_and_one_that_is_no_python_waits_for_the_next(self) -> None:
        process = self.started("--reload")
        printed_until(process, "Ctrl-C stops it")
        self.assertEqual(1, self.result())

        # Of the same length, and as a rule within the same second.
        self.write("edited_jobs", answer(2))
        printed_until(process, "they run again")
        self.assertEqual(2, self.result())

        self.write("edited_jobs", "def broken(:\n")
        said = printed_until(process, "before that is mended")
        self.assertIn(f"{self.code}/edited_jobs.py, line 1: ", said)
        self.assertEqual(2, self.result())

        self.write("beside", "NUMBER = 3\n")
        printed_until(process, "before that is mended")
        self.write("edited_jobs", "from beside import NUMBER\n" + answer("NUMBER"))
        printed_until(process, "they run again")
        self.assertEqual(3, self.result())

        (self.code / "beside.py").unlink()
        said = printed_until(process, "The next edit is waited for")
        self.assertIn("No module named 'beside'", said)
        self.assertFalse(answers(self.port))

        self.write("beside", "NUMBER = 4\n")
        printed_until(process, "they run again")
        self.assertEqual(4, self.result())

        process.send_signal(signal.SIGINT)
        self.said_by(process)
        self.assertEqual(0, process.returncode)
        self.assertFalse(answers(self.port))

    def test_ctrl_c_ends_it_while_it_waits_for_an_edit_that_mends_the_first_start(self) -> None:
        self.write("edited_jobs", "import no_such_module\n")

        process = self.started("--reload")
        printed_until(process, "The next edit is waited for")
        process.send_signal(signal.SIGINT)
        said = self.said_by(process)

        self.assertEqual(0, process.returncode, said)
        self.assertFalse(answers(self.port))


def answer(number: object) -> str:
    """A job module whose job gives that."""
    return f"""from lib.jobs.registry import job


@job("answer")
async def answer(ctx, payload: dict):
    return {number}
"""


class OwnRedis(unittest.TestCase):
    def test_a_second_start_in_the_same_folder_uses_the_first_ones_server_and_jobs_outlive_a_restart(self) -> None:
        program = redis_server.binary_or_install()
        with tempfile.TemporaryDirectory(prefix="waybill-run-") as name:
            folder = Path(name)
            first, second, third = Crew(5), Crew(5), Crew(5)
            for crew in (first, second, third):
                self.addCleanup(crew.stop)
            quiet = list[str]().append

            url = redis_server.start(first, program, folder, free_port(), quiet)
            port = int(url.split(":")[2].split("/")[0])
            redis_server._asked(port, "SET wb:kept 1")
            self.assertEqual(url, redis_server.start(second, program, folder, free_port(), quiet))
            second.stop()
            self.assertTrue(redis_server.is_usable(port, quiet))
            first.stop()
            self.assertFalse(answers(port))

            again = redis_server.start(third, program, folder, free_port(), quiet)
            kept = redis_server._asked(int(again.split(":")[2].split("/")[0]), "GET wb:kept")
            third.stop()

        self.assertIn("$1\r\n1", kept)


if __name__ == "__main__":
    unittest.main()
