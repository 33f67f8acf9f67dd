"""Mails and the patience that mail servers ask for: greylisting, limits, an outage, as people in the field met them.

With the job's own defaults, as those who use it have them; the intervals alone are shorter, where the server names one.
"""

import time
from typing import Any

from lib.jobs import registry, submission
from lib.jobs.job import JobRecord
from tests.processes import Server
from tests.smtp_server import SmtpServer
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace


class MailPatience(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(["lib.handlers.email"])
        self.settings = {"WORKER_QUEUES": "email=20", "JOB_MODULES": "lib.handlers.email"}

    def serve(self, *options: str, port: int = 0) -> SmtpServer:
        server = self.enterContext(SmtpServer(*options, port=port))
        self.settings["SMTP_URL"] = server.url()
        return server

    def mail(self, *to: str, count: int = 1, **options: Any) -> list[str]:
        jobs = []
        for _ in range(count):
            content = {"to": list(to) or "a@x.example", "subject": "Hi", "text": "Hello"}
            body = {"type": "email", "payload": content, **options}
            jobs.append(submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())[0])
        return self.put(*jobs)

    def ids_received(self, server: SmtpServer) -> list[str]:
        return sorted(str(mail.message["Message-ID"])[1:].partition("@")[0] for mail in server.mails())

    def outcomes(self, record: JobRecord) -> list[str]:
        return [line.outcome for line in record.history]

    def test_greylisted_mails_arrive_once_the_interval_is_over(self) -> None:
        server = self.serve("--greylist-s", "1.5")
        self.ready()

        ids = self.mail(count=10, max_attempts=1)

        self.until_all(ids, "completed", within_s=30)
        self.assertEqual(sorted(ids), self.ids_received(server))
        for record in self.records(ids):
            self.assertEqual(1, record.attempts)
            self.assertEqual({"snoozed", "completed"}, set(self.outcomes(record)))

    def test_more_mails_than_a_server_takes_connections_all_arrive(self) -> None:
        server = self.serve("--most-sessions", "3")
        self.ready()

        ids = self.mail(count=60)

        self.until_all(ids, "completed", within_s=60)
        self.assertEqual(sorted(ids), self.ids_received(server))
        self.assertEqual({1}, {record.attempts for record in self.records(ids)})

    def test_more_mails_than_a_server_takes_a_second_all_arrive(self) -> None:
        server = self.serve("--most-per-s", "14")
        self.ready()

        ids = self.mail(count=30)

        self.until_all(ids, "completed", within_s=60)
        self.assertEqual(sorted(ids), self.ids_received(server))
        self.assertEqual({1}, {record.attempts for record in self.records(ids)})

    def test_when_the_server_says_too_fast_all_mails_of_its_group_rest(self) -> None:
        server = self.serve("--most-per-s", "14")
        # No relay of our own by its name, and on Linux and macOS this host all the same.
        self.settings["SMTP_URL"] = server.url().replace("127.0.0.1", "0.0.0.0")
        worker = self.ready()

        ids = self.mail(count=60, group="mail.example")

        self.until_all(ids, "completed", within_s=60)
        self.assertEqual(sorted(ids), self.ids_received(server))
        self.assertEqual({1}, {record.attempts for record in self.records(ids)})
        put_off = worker.logged("job.snoozed")
        self.assertIn("and the group mail.example rests until then", put_off[0]["msg"])
        # Each time that the group goes on, six of the worker's 20 slots are told once more. Without a rest each mail is
        # told so more than twice.
        self.assertLess(len(put_off), 2 * len(ids))
        self.assertEqual([], worker.logged("job.hold_ignored"))

    def test_a_server_that_is_away_gets_its_mails_when_it_is_back(self) -> None:
        with SmtpServer() as gone:
            self.settings["SMTP_URL"], port = gone.url(), gone.port
        self.ready()
        ids = self.mail(count=5, backoff={"base_s": 0.5, "cap_s": 1})
        self.until(lambda: all(len(record.history) > 1 for record in self.records(ids)), "each was tried twice")

        server = self.serve(port=port)

        self.until_all(ids, "completed", within_s=30)
        self.assertEqual(sorted(ids), self.ids_received(server))

    def test_with_the_defaults_a_server_that_is_away_costs_a_few_attempts_of_many(self) -> None:
        with SmtpServer() as gone:
            self.settings["SMTP_URL"] = gone.url()
        self.ready()

        [job_id] = self.mail()

        self.until(lambda: self.record(job_id).history, "it was tried")
        record = self.record(job_id)
        assert record.run_at_ms is not None and record.history[0].finished_ms is not None
        pause_s = (record.run_at_ms - record.history[0].finished_ms) / 1000
        self.assertEqual(("delayed", "SMTPLinkLost"), (record.state, (record.error or {}).get("type")))
        self.assertTrue(14.9 <= pause_s <= 30.1, pause_s)

    def test_a_login_code_that_is_greylisted_too_long_is_given_up(self) -> None:
        server = self.serve("--greylist-s", "1.5")
        worker = self.ready()

        [late, early] = [*self.mail(give_up_after_s=1), *self.mail(give_up_after_s=60)]

        self.until_all([late], "dead")
        self.until_all([early], "completed")
        error = self.record(late).error or {}
        self.assertEqual(("gave_up", "SMTPServerAskedToWait"), (error["type"], error["cause"]["type"]))
        self.assertIn("Greylisted", error["message"])
        self.assertEqual([early], self.ids_received(server))
        (line,) = worker.logged("job.died")
        self.assertIn("gave_up", line["msg"])

    def test_a_job_that_has_begun_does_not_expire(self) -> None:
        server = self.serve("--greylist-s", "1.5")
        self.ready()

        ids = self.mail(expires_in_s=1)

        self.until_all(ids, "completed")
        self.assertEqual(ids, self.ids_received(server))

    def test_what_waits_for_its_first_attempt_too_long_is_given_up_by_the_worker_that_comes(self) -> None:
        server = self.serve()
        [late] = self.mail(give_up_after_s=0.2)
        deadline_ms = self.record(late).gives_up_ms or 0
        self.until(lambda: time.time_ns() // 1_000_000 > deadline_ms + 20, "its time has passed")
        [early] = self.mail()

        worker = self.ready()

        self.until_all([early], "completed")
        self.until_all([late], "dead")
        self.assertEqual("gave_up", (self.record(late).error or {}).get("type"))
        self.assertEqual([early], self.ids_received(server))
        self.assertIn("gave_up", worker.wait_for("job.died")[0]["msg"])

    def test_one_recipient_of_two_who_is_put_off_gets_it_later_and_the_api_tells_who_waits(self) -> None:
        smtp = self.serve()
        self.ready()
        with Server(self.redis.url, **self.settings) as server:
            status, job, _ = server.request(
                "POST",
                "/api/jobs",
                {
                    "type": "email",
                    "payload": {"to": ["a@x.example", "rcpt-450-once@x.example"], "subject": "Hi", "text": "Hello"},
                    "backoff": {"base_s": 1, "cap_s": 1},
                    "give_up_after_s": 60,
                },
            )
            job_id = job["id"]
            self.accepted.append(job_id)
            waiting = self.until(
                lambda: (found := server.request("GET", f"/api/jobs/{job_id}")[1])["checkpoint"] and found, "it waits"
            )
            ended = server.request("GET", f"/api/jobs/{job_id}?wait=20")[1]

        self.assertEqual((202, 60, 150), (status, job["give_up_after_s"], job["max_attempts"]))
        self.assertGreater(job["give_up_at"], job["created_at"])
        self.assertEqual(["a@x.example"], waiting["checkpoint"]["accepted"])
        self.assertEqual(["rcpt-450-once@x.example"], [*waiting["checkpoint"]["deferred"]])
        self.assertEqual(["a@x.example", "rcpt-450-once@x.example"], ended["result"]["accepted"])
        self.assertEqual([["a@x.example"], ["rcpt-450-once@x.example"]], [mail.recipients for mail in smtp.mails()])
        self.assertEqual(1, len({mail.message["Message-ID"] for mail in smtp.mails()}))
