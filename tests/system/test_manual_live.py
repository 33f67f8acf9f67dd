"""The pages of a running server: every command that a problem's page shows is run and works; so do those of /docs."""

import os
import re
import secrets
import shutil
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import ClassVar

from lib.manual import problem_page
from lib.manual.problem_page import Reader
from lib.manual.problem_texts import TEXTS
from lib.settings import api_keys
from tests.private_redis import PrivateRedis
from tests.processes import Server

JOB = {"type": "email", "payload": {"to": "a@example.com", "subject": "s", "text": "t"}, "delay_s": 600}
# `sh` and `curl` are what a reader has; the statuses that a command of a page may be answered with.
WORKED = {"200", "201", "202", "204"}
# The queue that is shown holds jobs, and is not removed for it. No group is held. Whether the group has limits of its
# own, and whether the schedule is there, depends on which command comes first (and when a PUT reads it back).
OF_A_SCHEDULE = ("putSchedule", "readSchedule", "deleteSchedule", "pauseSchedule", "resumeSchedule", "runSchedule")
ELSE = {
    "deleteQueue": {"409"},
    "readRequest": {"404"},
    "releaseGroup": {"404"},
    "resetGroup": {"204", "404"},
    **{name: {*WORKED, "404"} for name in OF_A_SCHEDULE},
}


@unittest.skipUnless(shutil.which("curl"), "curl is not installed here")
class Commands(unittest.TestCase):
    """For a server without keys; below, for one with."""

    settings: ClassVar[dict[str, object]] = {
        "JOB_MODULES": "lib.handlers.email,lib.handlers.webhook",
        "WEBHOOK_SECRET": "whsec_" + "YWFh" * 8,
    }
    environment: ClassVar[dict[str, str]] = {}
    server: ClassVar[Server]

    @classmethod
    def setUpClass(cls) -> None:
        redis = cls.enterClassContext(PrivateRedis())
        cls.server = cls.enterClassContext(Server(redis.url, **cls.settings))
        cls.server.wait_until_ready()

    def page(self, path: str, **headers: str) -> str:
        status, body, _ = self.server.request("GET", path, None, **headers)
        self.assertEqual(200, status)
        return str(body.decode())

    def statuses(self, command: str) -> list[str]:
        return re.findall(r"^HTTP/1\.1 (\d+)", self.printed(command), re.MULTILINE)

    def printed(self, command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, **self.environment},
        )
        self.assertEqual(0, done.returncode, (command, done.stderr))
        return done.stdout

    def test_the_command_of_every_problem_works(self) -> None:
        key = self.environment.get("KEY", "none")
        job_id = self.server.request("POST", "/api/jobs", JOB, authorization=f"Bearer {key}")[1]["id"]
        for slug in TEXTS:
            with self.subTest(slug):
                (shown,) = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", self.page(f"/problems/{slug}"), re.DOTALL)
                command = unescape(shown).replace("JOB_ID", job_id)

                self.assertIn(self.server.url, command)
                (status,) = [found for found in self.statuses(command) if found != "100"]
                self.assertIn(status, WORKED)

    def test_a_command_with_a_key_makes_one_job_however_often_it_is_pasted(self) -> None:
        command = problem_page.facts("outcome-unknown", Reader(self.server.url, "KEY" in self.environment))["curl"]

        answers = self.printed(f"unset ORDER\n{command}\n{command}")

        self.assertEqual(1, len(set(re.findall(r'"id":"([^"]+)"', answers))), answers)
        self.assertEqual(1, answers.lower().count("idempotency-replayed: true"), answers)

    def test_the_commands_of_the_contract_work_where_what_they_name_is_there(self) -> None:
        section = re.compile(r'<section class="operation" id="(\w+)">(.*?)<h4>Answers</h4>', re.DOTALL)
        sections = section.findall(self.page("/docs"))

        self.assertGreater(len(sections), 15)
        shown = {
            name: [unescape(one) for one in re.findall(r"<pre[^>]*><code>(curl -i .*?)</code></pre>", text, re.DOTALL)]
            for name, text in sections
        }
        commands = [command for some in shown.values() for command in some]
        with ThreadPoolExecutor(4) as pool:  # One of them follows the events for some seconds.
            answered = dict(zip(commands, pool.map(self.statuses, commands), strict=True))
        for name, text in sections:
            # Those that name a job of the reader's are answered 404 here, which is right.
            expected = {"404"} if "{job_id}" in text or "/api/callbacks/" in text else WORKED
            expected = ELSE.get(name, expected)
            self.assertTrue(shown[name], name)
            for command in shown[name]:
                with self.subTest(name, command=command):
                    (status,) = [found for found in answered[command] if found != "100"]
                    # One that waits for jobs of the reader's is refused here, which is right as well.
                    self.assertIn(status, {"422"} if '"after": ["email-' in command else expected)

    def test_a_problem_speaks_as_it_is_asked_to(self) -> None:
        self.assertIn("<h1>", self.page("/problems/bad-json"))
        self.assertIn("What to do:\n", self.page("/problems/bad-json", accept="text/plain"))
        status, body, headers = self.server.request("GET", "/problems/bad-json", accept="application/json")
        self.assertEqual((200, "/problems/bad-json", "Accept"), (status, body["type"], headers["vary"]))
        self.assertEqual(406, self.server.request("GET", "/problems/bad-json", accept="image/png")[0])

    def test_the_type_of_an_answer_leads_to_its_page(self) -> None:
        problem = self.server.request("GET", "/nothing")[1]

        self.assertIn(f"<h1>{problem['title']}</h1>", self.page(problem["type"]))

    def test_pages_are_kept_and_asked_about(self) -> None:
        for path in ("/docs", "/manual.css", "/problems", "/problems/bad-json"):
            status, _, headers = self.server.request("GET", path)
            again = self.server.request("GET", path, if_none_match=headers["etag"])

            self.assertEqual((200, 304, b""), (status, again[0], again[1]))
            self.assertEqual("no-cache", again[2]["cache-control"])
            self.assertIn("default-src 'none'", again[2]["content-security-policy"])


class CommandsWithKey(Commands):
    """All of the above, where API_KEYS asks for a key that the reader has in $KEY."""

    @classmethod
    def setUpClass(cls) -> None:
        key, entry = api_keys.new_key("reader", "admin", "", secrets.choice)
        cls.settings = {**Commands.settings, "API_KEYS": entry}
        cls.environment = {"KEY": key}
        super().setUpClass()


if __name__ == "__main__":
    unittest.main()
