"""A mail that is stopped while its server thinks about it: what the job's record says, how often the mail is sent."""

from typing import Any

from lib.jobs import registry, submission
from lib.jobs.job import JobRecord
from tests.processes import Worker
from tests.smtp_server import SmtpServer
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace


class MailStops(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(["lib.handlers.email"])
        self.server = self.enterContext(SmtpServer())
        self.settings = {
            "WORKER_QUEUES": "email=5",
            "JOB_MODULES": "lib.handlers.email",
            "SMTP_URL": self.server.url(),
        }

    def mail(self, options: dict[str, Any], to: str = "a@x.example", **payload: Any) -> str:
        content = {"to": to, "subject": "Hi", "text": "Hello", **payload}
        body = {"type": "email", "payload": content, "backoff": {"base_s": 0.1, "cap_s": 0.1}, **options}
        job, *_ = submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())
        return self.put(job)[0]

    def errors(self, record: JobRecord) -> list[str]:
        """The types of what went wrong, an attempt each."""
        return [line.error["type"] for line in record.history if line.error]

    def until_withheld(self, count: int = 1) -> None:
        self.until(lambda: self.server.counts()["withheld"] >= count, f"{count} answers are withheld")

    def assert_no_runner_was_replaced(self, worker: Worker) -> None:
        self.assertEqual(1, len(worker.logged("runner.started")))

    def test_a_time_out_behind_the_last_byte_is_an_uncertain_delivery_and_tried_again(self) -> None:
        worker = self.ready()
        self.server.plan("sent", "hang")

        job_id = self.mail({"timeout_s": 0.5})

        self.until_all([job_id], "completed")
        self.assertEqual(["DeliveryUncertain"], self.errors(self.record(job_id)))
        self.assert_no_runner_was_replaced(worker)

    def test_a_time_out_behind_the_last_byte_is_final_where_the_payload_says_stop(self) -> None:
        worker = self.ready()
        self.server.plan("sent", "hang")

        job_id = self.mail({"timeout_s": 0.5}, on_uncertain="stop")

        self.until_all([job_id], "dead")
        self.assertEqual(["DeliveryLeftUncertain"], self.errors(self.record(job_id)))
        self.assert_no_runner_was_replaced(worker)

    def test_a_time_out_before_the_last_byte_is_tried_again_whatever_the_payload_says(self) -> None:
        worker = self.ready()
        self.server.plan("rcpt", "hang")

        job_id = self.mail({"timeout_s": 0.5}, on_uncertain="stop")

        self.until_all([job_id], "completed")
        self.assertEqual((["TimedOut"], 1), (self.errors(self.record(job_id)), len(self.server.mails())))
        self.assert_no_runner_was_replaced(worker)

    def test_a_cancelled_mail_is_not_sent(self) -> None:
        worker = self.ready()
        self.server.plan("rcpt", "hang")
        job_id = self.mail({})
        self.until_withheld()

        self.cancel(job_id)

        self.until_all([job_id], "cancelled")
        self.assertEqual([], self.server.mails())
        self.assert_no_runner_was_replaced(worker)

    def test_a_cancel_behind_the_last_byte_tells_that_the_mail_may_have_arrived(self) -> None:
        self.ready()
        self.server.plan("sent", "hang")
        job_id = self.mail({})
        self.until_withheld()

        self.cancel(job_id)

        self.until_all([job_id], "cancelled")
        log = b"".join(self.redis.client.lrange(f"wb:{{email}}:log:{job_id}", 0, -1))
        self.assertIn(b"the mail was sent, no answer came", log)

    def test_a_runner_told_to_leave_at_once_gives_no_mail_back_that_must_not_come_twice(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0)
        self.server.plan("sent", "hang", times=None)
        stop = self.mail({}, on_uncertain="stop")
        retry = self.mail({})
        self.until_withheld(2)

        worker.stop()

        self.until_all([stop], "dead")
        self.until_all([retry], "ready")
        self.assertEqual(["DeliveryLeftUncertain"], self.errors(self.record(stop)))
