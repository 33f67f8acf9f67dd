"""`worker.py --doctor` as a command: whose settings it looks at, and a reader that has seen enough."""

import subprocess
import sys
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.private_redis import PrivateRedis
from tests.processes import LIMIT_S, ROOT, Worker


class Doctor(unittest.TestCase):
    def test_it_says_first_where_its_settings_come_from(self) -> None:
        with PrivateRedis() as redis:
            worker = Worker(redis.url, SMTP_URL="")
            self.addCleanup(worker.close)

            _code, said = worker.examined()

        first = said.partition("\n")[0]
        self.assertRegex(first, r"^ok     Settings: environment \(sets HOST, .*REDIS_URL, .*LOG_DIR, .*\), ")
        self.assertNotIn("SMTP_URL", first)

    def test_what_a_container_sets_is_well(self) -> None:
        with PrivateRedis(aof="always") as redis:
            worker = Worker(redis.url, HOST="0.0.0.0", LOG_DIR="", LOG_FORMAT="json")
            self.addCleanup(worker.close)

            _code, said = worker.examined()

        self.assertIn("ok     Logs: LOG_DIR is empty, so they go to the console alone\n", said)
        self.assertIn("ok     Keys: none; a server takes some to listen on 0.0.0.0\n", said)
        self.assertRegex(said, r"ok     (Redis|Valkey) [0-9.]+ answers at ")

    def test_it_says_when_runners_are_replaced_and_which_limit_replaces_none(self) -> None:
        with PrivateRedis() as redis:
            for settings, line in (
                ({}, "ok     Runners: none is replaced\n"),
                ({"RUNNER_MAX_JOBS": 1000}, "ok     Runners: each is replaced after 1000 jobs\n"),
                (
                    {"RUNNER_MAX_JOBS": 5, "RUNNER_MAX_MB": 900},
                    r"ok     Runners: each is replaced after 5 jobs or at 900 MB \(without a job [0-9]{2,3}\)\n",
                ),
                ({"RUNNER_MAX_MB": 9}, "WRONG  Runners: RUNNER_MAX_MB is 9, and a process .* takes [0-9]{2,3} MB "),
            ):
                worker = Worker(redis.url, **settings)
                self.addCleanup(worker.close)

                self.assertRegex(worker.examined()[1], line)

    def test_the_checks_of_job_modules_may_be_async_and_end_as_they_like(self) -> None:
        folder = Path(self.enterContext(TemporaryDirectory()))
        checks = {
            "plain": "def doctor(settings): return 'plain is well'",
            "later": "async def doctor(settings): return 'later is well'",
            "exits": "import sys\ndef doctor(settings): sys.exit('no key')",
        }
        for name, text in checks.items():
            (folder / f"checks_{name}.py").write_text(text)
        (folder / "statistics.py").touch()
        modules = ",".join(["lib.handlers.email", *(f"checks_{name}" for name in checks)])
        with PrivateRedis() as redis:
            worker = Worker(redis.url, JOB_MODULES=modules, PYTHONPATH=folder)
            self.addCleanup(worker.close)

            code, said = worker.examined()

        self.assertEqual(1, code)
        for line in (
            "ok     plain is well",
            "ok     later is well",
            "WRONG  checks_exits: SystemExit: no key",
            f"WRONG  Modules: {folder}/statistics.py has the name of one of Python's own modules",
        ):
            self.assertIn(f"\n{line}", said)

    def test_a_reader_that_leaves_costs_no_traceback(self) -> None:
        with PrivateRedis() as redis:
            worker = Worker(redis.url)
            self.addCleanup(worker.close)
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "worker.py"), "--doctor"],
                env=worker.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            with process.stderr:
                said = process.stderr.read().decode()
            process.wait(LIMIT_S)

        self.assertEqual("", said)
        self.assertIn(process.returncode, (0, 1))


if __name__ == "__main__":
    unittest.main()
