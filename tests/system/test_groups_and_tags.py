"""Groups and tags of jobs, as a caller of the API and a handler see them: real server and worker, and a mail server."""

import json
import time
import unittest
from typing import Any

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker
from tests.smtp_server import SmtpServer
from tests.system.oracle import assert_sound

MODULES = {"JOB_MODULES": "tests.jobs_for_tests,lib.handlers.email"}
NOOP = {"type": "noop", "payload": {}}
MAIL = {"type": "email", "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}}
OLD = "server 0.2.0 web1.1.aaaaaaaa"


class Live(unittest.TestCase):
    settings: dict[str, str] = MODULES

    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.server = self.enterContext(Server(self.redis.url, **self.settings))
        self.addCleanup(lambda: assert_sound(self.redis.client))

    def post(self, body: dict[str, Any]) -> tuple[int, Any]:
        status, answer, _ = self.server.request("POST", "/api/jobs", body)
        return status, answer

    def ids_with(self, queue: str, tag: str) -> list[str]:
        found: Any = self.redis.client.zrange(f"wb:{{{queue}}}:tag:{tag}", 0, -1)
        return [job_id.decode() for job_id in found]


class GroupsAndTags(Live):
    def test_a_job_is_answered_read_and_listed_with_its_group_and_tags(self) -> None:
        asked = {"group": "tenant-42", "tags": ["eu", "order/17", "eu"]}
        shown = {"group": "tenant-42", "tags": ["eu", "order/17"]}

        status, job = self.post({**NOOP, **asked})

        self.assertEqual((202, shown), (status, {name: job[name] for name in shown}))
        _, read, _ = self.server.request("GET", f"/api/jobs/{job['id']}")
        self.assertEqual(shown, {name: read[name] for name in shown})
        _, plain = self.post(NOOP)
        _, page, _ = self.server.request("GET", "/api/jobs?queue=default")
        self.assertEqual(
            {plain["id"]: (None, []), job["id"]: ("tenant-42", ["eu", "order/17"])},
            {item["id"]: (item["group"], item["tags"]) for item in page["items"]},
        )
        self.assertEqual([job["id"]], self.ids_with("default", "order/17"))

    def test_what_is_wrong_is_pointed_to_and_says_what_to_do(self) -> None:
        for body, pointer, words in (
            ({**NOOP, "group": "a b"}, "/group", "1 to 128 letters"),
            ({**NOOP, "tags": ["eu", "a,b"]}, "/tags/1", "must be a tag: 1 to 64 letters"),
            ({**NOOP, "tags": "eu"}, "/tags", "must be an array of strings, not a string"),
            ({**NOOP, "tags": [*"abcdefghijk"]}, "/tags", "has 11 tags; a job has 10 at most"),
            ({"type": "order", "payload": {"customer": {"id": "a b"}}}, "/payload/customer/id", "name the group in"),
        ):
            status, problem = self.post(body)
            self.assertEqual((422, [pointer]), (status, [error["pointer"] for error in problem["errors"]]))
            self.assertIn(words, problem["errors"][0]["detail"])

    def test_the_payload_names_the_group_as_the_list_of_types_says(self) -> None:
        _, types, _ = self.server.request("GET", "/api/types")
        by_name = {one["name"]: (one["group_by"], one["group"]) for one in types["items"]}

        _, job = self.post({"type": "order", "payload": {"customer": {"id": 42}}})

        self.assertEqual([("customer.id", None), (None, None)], [by_name["order"], by_name["email"]])
        self.assertLessEqual({one["module"] for one in types["items"]}, {*types["modules"]})
        self.assertEqual("42", job["group"])

    def test_a_change_moves_the_tags_and_leaves_the_group(self) -> None:
        _, job = self.post({"type": "order", "payload": {"customer": {"id": 42}}, "tags": ["eu"], "delay_s": 600})
        path = f"/api/jobs/{job['id']}"

        change = {"payload": {"customer": {"id": 43}}, "tags": ["us", "urgent"]}
        status, changed, _ = self.server.request("PATCH", path, change)

        self.assertEqual((200, "42", ["us", "urgent"]), (status, changed["group"], changed["tags"]))
        self.assertEqual(([], [job["id"]]), (self.ids_with("default", "eu"), self.ids_with("default", "urgent")))
        status, problem, _ = self.server.request("PATCH", path, {"group": "43"})
        self.assertEqual((422, "/group"), (status, problem["errors"][0]["pointer"]))
        _, changed, _ = self.server.request("PATCH", path, {"tags": []})
        self.assertEqual([], changed["tags"])

    def test_while_an_older_program_runs_they_are_refused_and_other_jobs_are_not(self) -> None:
        _, tagged = self.post({**NOOP, "tags": ["eu"], "delay_s": 600})
        self.redis.client.zadd("wb:fleet", {OLD: int(time.time() * 1000) + 60_000})

        def is_refused() -> bool:
            return self.post({**NOOP, "group": "a"})[0] == 503

        self.server.until(is_refused, "the server sees the older one")
        for body, feature in (({"group": "a"}, "groups"), ({"tags": ["a"]}, "tags")):
            status, problem = self.post({**NOOP, **body})
            self.assertEqual((503, "/problems/upgrade-needed"), (status, problem["type"]))
            self.assertIn(f"{feature} need Waybill 0.3.0", problem["detail"])
            self.assertIn("web1.1.aaaaaaaa", problem["detail"])
        items = self.batch({**NOOP, "group": "a"}, NOOP, {**NOOP, "tags": ["a"]})
        self.assertEqual([503, 202, 503], [item["status"] for item in items])
        self.assertEqual("/problems/upgrade-needed", items[0]["problem"]["type"])
        changed = self.server.request("PATCH", f"/api/jobs/{tagged['id']}", {"tags": ["us"]})
        self.assertEqual((503, "/problems/upgrade-needed"), (changed[0], changed[1]["type"]))
        self.assertEqual(200, self.server.request("PATCH", f"/api/jobs/{tagged['id']}", {"priority": "high"})[0])

        self.redis.client.zrem("wb:fleet", OLD)

        self.server.until(lambda: not is_refused(), "the server sees that it has gone")

    def batch(self, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
        """The items for these jobs; sent as an array and, once more, as NDJSON."""
        text = "\n".join(map(json.dumps, bodies)).encode()
        array: list[dict[str, Any]] = self.server.request("POST", "/api/jobs/batch", [*bodies])[1]["items"]
        lines = self.uploaded(text)
        self.assertEqual([item["status"] for item in array], [item["status"] for item in lines])
        return lines

    def uploaded(self, text: bytes) -> list[dict[str, Any]]:
        _, answer, _ = self.server.request("POST", "/api/jobs/batch", text, content_type="application/x-ndjson")
        found = answer if isinstance(answer, (bytes, str)) else json.dumps(answer)
        return [json.loads(line) for line in found.splitlines()]

    def test_a_batch_takes_them_line_by_line(self) -> None:
        items = self.batch({**NOOP, "group": "a", "tags": ["eu"]}, {**NOOP, "group": "a b"}, NOOP)

        self.assertEqual([202, 422, 202], [item["status"] for item in items])
        _, job, _ = self.server.request("GET", f"/api/jobs/{items[0]['id']}")
        self.assertEqual(("a", ["eu"]), (job["group"], job["tags"]))

    def test_a_handler_enqueues_with_them_and_is_refused_as_a_caller_is(self) -> None:
        worker = self.enterContext(Worker(self.redis.url, **self.settings))
        worker.wait_until_ready()

        def run(order: dict[str, Any], tags: list[str]) -> dict[str, Any]:
            _, job = self.post({"type": "orders", "payload": {"order": order, "tags": tags}})
            _, ended, _ = self.server.request("GET", f"/api/jobs/{job['id']}?wait=20")
            found: dict[str, Any] = ended
            return found

        done = run({"customer": {"id": 7}}, ["eu"])
        self.assertEqual("completed", done["state"], done)
        _, child, _ = self.server.request("GET", f"/api/jobs/{done['result']}?wait=20")
        self.assertEqual(("completed", "7", ["eu"]), (child["state"], child["group"], child["tags"]))
        dead = run({"customer": {"id": "a b"}}, [])
        self.assertEqual(("dead", "InvalidFields"), (dead["state"], dead["error"]["type"]))
        self.assertIn("/payload/customer/id", dead["error"]["message"])


class OfMails(Live):
    def test_a_mails_group_is_the_mail_server_if_the_request_names_none(self) -> None:
        mails = self.enterContext(SmtpServer())
        # The system takes 0.0.0.0 for this host, and Waybill for any other.
        url = mails.url().replace("127.0.0.1", "0.0.0.0")
        server = self.enterContext(Server(self.redis.url, **MODULES, SMTP_URL=url))
        worker = self.enterContext(Worker(self.redis.url, **MODULES, WORKER_QUEUES="email=2", SMTP_URL=url))
        worker.wait_until_ready()

        for body, group in ((MAIL, "0.0.0.0"), ({**MAIL, "group": "tenant-42"}, "tenant-42")):
            status, job, _ = server.request("POST", "/api/jobs", body, prefer="wait=20")
            self.assertEqual((200, "completed", group), (status, job["state"], job["group"]))
        _, job = self.post({**MAIL, "delay_s": 600})
        self.assertIsNone(job["group"], "this server knows no mail server")

    def test_a_mail_goes_without_its_servers_group_while_an_older_program_runs(self) -> None:
        self.redis.client.zadd("wb:fleet", {OLD: int(time.time() * 1000) + 60_000})
        server = self.enterContext(Server(self.redis.url, **MODULES, SMTP_URL="smtp://smtp.example.com"))

        status, job, _ = server.request("POST", "/api/jobs", {**MAIL, "delay_s": 600})

        self.assertEqual((202, None), (status, job["group"]))
        self.assertIsNone(server.request("GET", f"/api/jobs/{job['id']}")[1]["group"])
        self.redis.client.zrem("wb:fleet", OLD)

        def has_group() -> bool:
            _, job, _ = server.request("POST", "/api/jobs", {**MAIL, "delay_s": 600})
            _, read, _ = server.request("GET", f"/api/jobs/{job['id']}")
            self.assertEqual(read["group"], job["group"])
            return bool(job["group"] == "smtp.example.com")

        server.until(has_group, "mails have their server's group again")


if __name__ == "__main__":
    unittest.main()
