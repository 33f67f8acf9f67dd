"""A mail with files, from the request to the mail in the outbox, through real server and worker processes."""

import base64
import random
import unittest
from email import message_from_bytes, policy

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker

MODULES = "lib.handlers.email"


class Attachments(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url, JOB_MODULES=MODULES))

    def test_as_much_as_a_request_holds_arrives_byte_for_byte(self) -> None:
        worker = self.enterContext(Worker(self.redis.url, JOB_MODULES=MODULES, WORKER_QUEUES="email=2"))
        body = random.Random(1).randbytes(780_000)
        file = {"filename": "Übersicht.pdf", "content": base64.b64encode(body).decode()}
        mail = {"to": "a@x.example", "subject": "Hi", "html": '<p>See <img src="cid:gone">', "attachments": [file]}

        status, job, _ = self.server.request("POST", "/api/jobs", {"type": "email", "payload": mail})
        done = self.server.request("GET", f"/api/jobs/{job['id']}?wait=20")[1]

        self.assertEqual((202, "completed"), (status, done["state"]))
        message = message_from_bytes((worker.outbox / done["result"]["file"]).read_bytes(), policy=policy.default)
        text, file_part = message.get_body(("plain",)), next(message.iter_attachments())
        assert text is not None
        self.assertEqual(("See\r\n", "Übersicht.pdf"), (text.get_content(), file_part.get_filename()))
        self.assertEqual(body, file_part.get_content())
        said = self.server.request("GET", f"/api/jobs/{job['id']}/logs")[1]
        self.assertIn("cid:gone", f"{said}")

    def test_a_file_that_can_not_be_attached_is_a_422_that_points_to_it(self) -> None:
        files = [{"content": "QQ=="}, {"content": "QQ", "filename": "../a", "cid": "a b", "path": "/etc/passwd"}]
        mail = {"to": "a@x.example", "subject": "Hi", "text": "Hello", "attachments": files}

        status, problem, _ = self.server.request("POST", "/api/jobs", {"type": "email", "payload": mail})

        self.assertEqual(422, status)
        self.assertEqual(["/payload/attachments/1/path"], [error["pointer"] for error in problem["errors"]])

        del files[1]["path"]
        status, problem, _ = self.server.request("POST", "/api/jobs", {"type": "email", "payload": mail})

        places = [f"/payload/attachments/1/{name}" for name in ("filename", "cid")]
        self.assertEqual((422, places), (status, [error["pointer"] for error in problem["errors"]]))


if __name__ == "__main__":
    unittest.main()
