"""A runner with TLS to its mail server and to Redis: a link that is reset while it is written to breaks no other."""

from typing import Any

from lib.jobs import registry, submission
from prod.local.processes import free_port
from tests.private_redis import PrivateRedis
from tests.processes import Worker
from tests.smtp_server import SmtpServer, make_certificate
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace

# Most of it lies in buffers, or is yet to be written, when the link is reset.
LARGE = ("x" * 70 + "\n") * 13_000


class TlsLinks(WorkerCase):
    def a_redis(self) -> PrivateRedis:
        self.port = free_port()
        self.certificate = self.folder / "redis.pem"
        key = make_certificate(self.certificate)
        names = {"cert-file": self.certificate, "key-file": key, "ca-cert-file": self.certificate}
        files = [word for name, path in names.items() for word in (f"--tls-{name}", str(path))]
        return PrivateRedis(options=["--tls-port", str(self.port), "--tls-auth-clients", "no", *files])

    def setUp(self) -> None:
        try:
            super().setUp()
        except RuntimeError as fault:
            if "TLS" not in str(fault):
                raise
            self.skipTest("this server was built without TLS")
        self.types = registry.load(["lib.handlers.email"])

    def a_worker(self, mails_to: SmtpServer) -> Worker:
        return Worker(
            f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self.certificate}",
            WORKER_QUEUES="email=1",
            JOB_MODULES="lib.handlers.email",
            SMTP_URL=mails_to.url(),
            SSL_CERT_FILE=mails_to.certificate,
        )

    def mail(self, text: str = "Hello", **options: Any) -> str:
        payload = {"to": "a@x.example", "subject": "Hi", "text": text}
        body = {"type": "email", "payload": payload, "backoff": {"base_s": 0.1, "cap_s": 0.1}, **options}
        job, *_ = submission.read(body, self.types, self.ids, request_id="r", trace=new_trace())
        return self.put(job)[0]

    def test_eight_mails_arrive_though_the_second_ones_link_is_reset_amid_it(self) -> None:
        for tls in ("starttls", "implicit"):
            with self.subTest(tls=tls), SmtpServer(tls=tls) as server, self.a_worker(server) as worker:
                first = self.mail()
                self.until_all([first], "completed")
                server.plan("content", "drop")

                job_ids = [first, *[self.mail(LARGE if number == 0 else "Hello") for number in range(7)]]

                self.until_all(job_ids, "completed")
                self.assertEqual((8, 2), (len(server.mails()), server.counts()["connections"]))
                # The second was tried again, where its last byte had left in a new attempt. The others were not.
                histories = [record.history for record in self.records(job_ids)]
                self.assertEqual([1] * 7, [len(history) for history in (histories[0], *histories[2:])])
                self.assertEqual([], worker.logged("redis.lost"))

    def test_mails_go_on_over_their_link_though_those_to_redis_are_cut(self) -> None:
        with SmtpServer(tls="starttls") as server, self.a_worker(server):
            for _ in range(5):
                self.redis.client.client_kill_filter(_type="normal", skipme=True)

                job_id = self.mail()

                self.until_all([job_id], "completed")
            self.assertEqual(5, len(server.mails()))
            self.assertEqual(1, server.counts()["connections"])
