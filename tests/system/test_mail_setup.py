"""Mail that is set up wrongly: what can be seen ends the start with 78; what only the mail server knows is told, and
mails wait."""

import time
from typing import Any

from lib.jobs import registry, submission
from lib.jobs.timestamps import milliseconds
from lib.settings.needs import EXIT_CONFIG
from tests.processes import Program, Server, Worker
from tests.smtp_server import SmtpServer
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace


class MailSetup(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(["lib.handlers.email"])
        self.settings = {"WORKER_QUEUES": "email=5", "JOB_MODULES": "lib.handlers.email"}

    def mail(self, to: str = "a@x.example", **options: Any) -> str:
        body = {"type": "email", "payload": {"to": to, "subject": "Hi", "text": "Hello"}, **options}
        job, *_ = submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())
        return self.put(job)[0]

    def server(self) -> Server:
        server: Server = self.enterContext(Server(self.redis.url, **self.settings))
        return server

    def warnings(self, server: Server) -> list[dict[str, Any]]:
        status, body, _ = server.request("GET", "/api/health")
        self.assertEqual(200, status)
        return [warning for warning in body["warnings"] if warning["code"] == "mail_blocked"]

    def test_what_can_be_seen_to_be_wrong_ends_the_start_of_both_programs(self) -> None:
        for settings, said in (
            ({"SMTP_URL": "smtp://me:s3cret@mx.example:25"}, "?starttls=1"),
            ({"MAIL_FROM": "me@exa mple.com"}, "MAIL_FROM: "),
            ({"MAIL_FROM": "me@-example.com"}, "write Name <name@example.com>"),
        ):
            for kind in (Worker, Server):
                with self.subTest(settings=settings, kind=kind):
                    program: Program = kind(self.redis.url, **{**self.settings, **settings})
                    self.addCleanup(program.close)
                    program.start()

                    self.assertEqual(EXIT_CONFIG, program.wait())

                    self.assertIn(said, program.said())
                    self.assertNotIn("s3cret", program.said())

    def test_a_wrong_password_is_told_at_the_start_in_health_and_by_the_doctor_and_mails_wait(self) -> None:
        smtp = self.enterContext(SmtpServer(user="me", password="right"))
        self.settings["SMTP_URL"] = smtp.url(password="wr0ng-secret")
        worker, server = self.ready(), self.server()

        (line,) = worker.wait_for("warning.raised")
        job_id = self.mail(max_attempts=1)
        self.until(lambda: self.record(job_id).history, "the mail was tried")

        self.assertIn("535 5.7.8 wrong user or password", line["msg"])
        self.assertEqual("ERROR", line["level"])
        self.until(lambda: self.warnings(server), "health tells")
        (warning,) = self.warnings(server)
        self.assertIn(f"no mail gets out by 127.0.0.1:{smtp.port}; mails wait (see SMTP_URL)", warning["text"])
        self.assertAlmostEqual(time.time(), milliseconds(warning["since"]) / 1000, delta=60)
        record = self.record(job_id)
        self.assertEqual(("delayed", 0), (record.state, record.attempts))
        code, said = worker.examined()
        self.assertEqual(1, code)
        self.assertRegex(said, "WRONG  lib.handlers.email: SMTPLoginRefused: AUTH: 535 5.7.8")
        self.assertNotIn("wr0ng-secret", said + worker.said() + str(warning))

    def test_a_refused_sender_is_told_and_that_it_was_mended(self) -> None:
        smtp = self.enterContext(SmtpServer())
        self.settings["SMTP_URL"] = smtp.url()
        smtp.plan("mail", "553 5.7.1 Sender address rejected: not yours", times=1)
        worker, server = self.ready(), self.server()
        worker.wait_for("warning.raised")
        self.until(lambda: self.warnings(server), "health tells")

        job_id = self.mail()

        self.until_all([job_id], "completed")
        worker.wait_for("warning.mended")
        self.until(lambda: not self.warnings(server), "health tells no more")

    def test_a_worker_that_leaves_takes_its_warning_along(self) -> None:
        smtp = self.enterContext(SmtpServer())
        self.settings["SMTP_URL"] = smtp.url() + "?starttls=1"
        worker, server = self.ready(), self.server()
        self.until(lambda: self.warnings(server), "health tells")

        worker.stop()

        self.assertEqual([], self.warnings(server))

    def test_a_mail_server_that_is_well_is_asked_once_over_the_link_of_the_first_mail(self) -> None:
        smtp = self.enterContext(SmtpServer())
        self.settings["SMTP_URL"] = smtp.url()
        worker, server = self.ready(), self.server()
        self.until(lambda: smtp.counts()["connections"] == 1, "it was asked")

        job_id = self.mail()

        self.until_all([job_id], "completed")
        self.assertEqual((1, 1), (smtp.counts()["connections"], smtp.counts()["mails"]))
        self.assertEqual(([], []), (worker.logged("warning.raised"), self.warnings(server)))
