"""A real worker that logs in with a token: the mail arrives, and no secret is in a record, a log line or an output."""

import tempfile
from pathlib import Path

from lib.jobs import registry, submission
from tests.processes import Worker
from tests.smtp_server import SmtpServer
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace

SECRET = "ya29.s3cret"


class MailToken(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(["lib.handlers.email"])
        self.server = self.enterContext(SmtpServer("--auth", "XOAUTH2", user="me", password=f"{SECRET}-right"))
        self.script = Path(self.enterContext(tempfile.TemporaryDirectory())) / "give-token"
        self.settings = {
            "WORKER_QUEUES": "email=5",
            "JOB_MODULES": "lib.handlers.email",
            "SMTP_URL": f"smtp://me@127.0.0.1:{self.server.port}",
            "SMTP_TOKEN_COMMAND": f"{self.script} s3cret",
            "LOG_LEVEL": "DEBUG",
        }

    def gives(self, *lines: str) -> None:
        self.script.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        self.script.chmod(0o755)

    def mail(self) -> str:
        body = {"type": "email", "payload": {"to": "a@x.example", "subject": "Hi", "text": "Hello"}, "max_attempts": 1}
        job, *_ = submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())
        return self.put(job)[0]

    def assert_no_secret(self, worker: Worker, *job_ids: str) -> None:
        told = worker.said() + str(worker.logged()) + str(self.records(list(job_ids)))
        self.assertIn("give-token", told)
        self.assertNotIn("s3cret", told)

    def test_a_mail_goes_out_and_a_failure_is_told_without_what_is_secret(self) -> None:
        self.gives(f"echo {SECRET}-right; echo {SECRET} >&2")
        worker = self.ready()
        sent = self.mail()
        self.until_all([sent], "completed")

        self.server.drop_idle()
        self.server.change_password(f"{SECRET}-other")
        self.gives(f"echo {SECRET}-other; echo {SECRET} >&2; exit 3")
        failed = self.mail()
        self.until_all([failed], "dead")

        self.assertEqual("me", self.server.mails()[0].user)
        error = self.record(failed).error
        assert error is not None
        self.assertEqual("SMTPTokenMissing", error["type"])
        self.assertIn("SMTP_TOKEN_COMMAND: give-token ended with exit code 3", error["message"])
        self.assert_no_secret(worker, sent, failed)
