"""openapi.yaml against a real Redis, server and worker: every answer is what the contract says, every success and every
problem in it can be had, and every body that it shows is taken."""

import json
import secrets
import signal
import socket
import unittest
from collections.abc import Callable
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from lib.http1.server.limits import Limits
from lib.jobs.callback_key import CallbackKey
from lib.manual import yaml_subset
from lib.settings import api_keys
from lib.web.failed_tries import TRIES
from tests import contract
from tests.contract import Answer, Operation
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import Server, Worker

CONTRACT = contract.load()
LIMITS = Limits()
MAIL = {"type": "email", "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}}
NO_JOB = "default-" + "0" * 32
NO_CALLBACK = CallbackKey(NO_JOB, 1, f"wb_{'a' * 12}_{'b' * 43}")
REQUEST_ID = "contract-test"
MAX_CONNECTIONS = 12
READ_KEY, READ_KEY_ENTRY = api_keys.new_key("reader", "read", "", secrets.choice)
NDJSON = "application/x-ndjson"
WEBHOOK_SECRET = "whsec_" + "YWFh" * 8
MODULES = "lib.handlers.email,lib.handlers.webhook,tests.jobs_for_tests"


def replied(
    server: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    status, content, fields = server.request(method, path, body, **{"x_request_id": REQUEST_ID, **headers})
    return status, fields, content


def target(operation: Operation) -> str:
    path = operation.path.replace("{job_id}", NO_JOB).replace("{queue}", "email").replace("{slug}", "bad-json")
    path = path.replace("{schedule}", "email").replace("{key}", NO_CALLBACK.text)
    path = path.replace("{group}", "tenant-42").replace("{workflow_id}", NO_JOB)
    path = path.replace("{request_id}", "nobody")
    path = path.replace("/pages/{file}", "/pages/overview.js").replace("{file}", "app.js")
    return path + ("?for_s=0.1" if operation.id == "readEvents" else "")


def good_body(operation: Operation) -> Any:
    """The first body that the contract shows for it; None where it takes none."""
    return next((body for one, _, body in CONTRACT.request_examples() if one.id == operation.id), None)


def opened(server: Server, request: bytes = b"") -> socket.socket:
    """A connection on which these bytes were sent."""
    parts = urlsplit(server.url)
    link = socket.create_connection((parts.hostname, parts.port), timeout=20)
    link.sendall(request)
    return link


def read_answer(link: socket.socket) -> Answer:
    """The one answer that comes; closes the connection."""
    with link, link.makefile("rb") as stream:
        head, body = stream.readline(), b""
        headers: dict[str, str] = {}
        while line := stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
    return Answer(int(head.split()[1]), headers, json.loads(body) if body else None)


class Live(unittest.TestCase):
    """What the test classes below share: asking, and holding the answer to the contract."""

    server: ClassVar[Server]

    def ask(self, operation_id: str, path: str = "", body: Any = None, **headers: str) -> Answer:
        """One request for an operation, whose answer must be as the contract says. `path` is put behind its own."""
        operation = CONTRACT.operation(operation_id)
        where = path if path.startswith("/") else operation.path + path
        return self.held(operation, Answer(*self.reply(operation.method, where, body, **headers)))

    def reply(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        return replied(self.server, method, path, body, **headers)

    def held(self, operation: Operation, answer: Answer) -> Answer:
        body = answer.body
        if answer.headers.get("content-type") == "application/yaml":
            body = yaml_subset.read(answer.body.decode())
        elif (kind := answer.headers.get("content-type", "")).startswith(("text/", "image/svg")) or kind == NDJSON:
            body = answer.body.decode()
        faults = CONTRACT.answer_faults(operation, answer._replace(body=body))
        self.assertEqual([], faults, (operation.id, answer))
        return answer

    def sent(self, lines: str, body: bytes = b"", operation_id: str = "createJob") -> Answer:
        """The answer to a request that no client would send, held to an operation that it might have been."""
        request = lines.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body
        return self.held(CONTRACT.operation(operation_id), read_answer(opened(self.server, request)))


class Successes(Live):
    redis: ClassVar[PrivateRedis]
    worker: ClassVar[Worker]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.worker = Worker(cls.redis.url, JOB_MODULES=MODULES, WEBHOOK_SECRET=WEBHOOK_SECRET)
        cls.server = Server(cls.redis.url, JOB_MODULES=MODULES, WEBHOOK_SECRET=WEBHOOK_SECRET)
        for program in (cls.worker, cls.server):
            cls.addClassCleanup(program.close)
            program.start()
        for program in (cls.worker, cls.server):
            program.wait_until_ready()

    def create(self, body: Any, **headers: str) -> dict[str, Any]:
        answer = self.ask("createJob", "", body, **headers)
        self.assertEqual(202, answer.status)
        return cast(dict[str, Any], answer.body)

    def read(self, job: dict[str, Any], query: str = "") -> dict[str, Any]:
        answer = self.ask("readJob", f"/api/jobs/{job['id']}{query}")
        self.assertEqual(200, answer.status)
        return cast(dict[str, Any], answer.body)

    def change(self, operation_id: str, job: dict[str, Any]) -> Answer:
        return self.ask(operation_id, CONTRACT.operation(operation_id).path.replace("{job_id}", job["id"]))

    def until(self, job: dict[str, Any], state: str) -> dict[str, Any]:
        return cast(
            dict[str, Any], wait_until(lambda: (now := self.read(job))["state"] == state and now, f"the job is {state}")
        )

    def test_every_body_that_the_contract_shows_is_taken(self) -> None:
        shown = list(CONTRACT.request_examples())

        self.assertTrue(shown)
        for operation, name, body in shown:
            with self.subTest(name):
                kind = {"content_type": NDJSON} if type(body) is str else {}
                sent = body.encode() if type(body) is str else body
                path = target(operation)
                if "{job_id}" in operation.path:
                    job = self.create({**MAIL, "delay_s": 600})
                    path = operation.path.replace("{job_id}", job["id"])
                if "{key}" in operation.path:
                    out = self.until(self.create({"type": "hand_over", "payload": {}}), "blocked")
                    path = operation.path.replace("{key}", out["progress"]["note"])
                if operation.id == "createJob" and "after" in body:
                    parents = [self.create({**MAIL, "delay_s": 600})["id"] for _ in body["after"]]
                    sent = {**body, "after": parents}
                self.assertIn(self.ask(operation.id, path, sent, **kind).status, (200, 201, 202))

    def test_a_mail_from_its_creation_to_its_deletion(self) -> None:
        job = self.create(MAIL)
        done = self.read(job, "?wait=20")
        page = self.ask("listJobs", "?queue=email&state=completed&type=email&limit=200")
        rows = self.ask("listJobs", "?queue=email&state=completed,dead&q=EMAIL&fields=summary&order=newest&limit=200")
        by_id = self.ask("listJobs", f"?id={job['id'][-32:-16]}&state=completed&fields=summary")
        logs = self.change("readJobLogs", job)
        again = self.change("retryJob", job)
        done_again = self.read(job, "?wait=20")
        deleted = self.change("deleteJob", job)

        self.assertEqual("completed", done["state"])
        self.assertIn(job["id"], [item["id"] for item in page.body["items"]])
        self.assertIn(job["id"], [item["id"] for item in rows.body["items"]])
        self.assertIn(job["id"], [item["id"] for item in by_id.body["items"]])
        self.assertEqual([200, 200, 204], [logs.status, again.status, deleted.status])
        self.assertEqual(["completed", "completed"], [one["outcome"] for one in done_again["history"]])

    def test_a_job_that_waits_is_changed(self) -> None:
        secret = {"type": "keeps_a_secret", "payload": {"api_key": "hush", "n": 1}}
        job = self.create({**secret, "delay_s": 600})
        path = f"/api/jobs/{job['id']}"

        hurried = self.ask("changeJob", path, {"priority": "low", "max_attempts": 9, "run_at": "2031-01-01T00:00:00Z"})
        kept = self.ask("changeJob", path, {"payload": {"api_key": "********", "n": 2}})
        masked = {"payload": {"n": 1, "secret": "********"}}
        wrong: list[Any] = [{}, [], {"hue": 1}, {"payload": {"n": "x", "api_key": "k"}}, {"run_at": "soon"}, masked]
        refused = [self.ask("changeJob", path, body) for body in wrong]
        now = self.ask("changeJob", path, {"run_at": None})

        self.assertEqual(("low", 9), (hurried.body["priority"], hurried.body["max_attempts"]))
        self.assertEqual("2031-01-01T00:00:00.000Z", hurried.body["run_at"])
        self.assertEqual({"api_key": "********", "n": 2}, kept.body["payload"])
        self.assertEqual([422] * 6, [answer.status for answer in refused])
        self.assertEqual("/payload/n", refused[3].body["errors"][0]["pointer"])
        self.assertEqual(200, now.status)
        done = self.until(job, "completed")
        self.assertEqual("hush 2", done["result"])
        late = self.ask("changeJob", path, {"priority": "high"})
        self.assertEqual((409, "/problems/wrong-state"), (late.status, late.body["type"]))

    def test_jobs_that_wait_run_talk_fail_and_end_in_every_way(self) -> None:
        gate = str(self.worker.folder / "gate")
        waiting = self.create({**MAIL, "delay_s": 600, "expires_in_s": 900.5, "queue": "elsewhere"})
        running = self.create({"type": "sleep", "payload": {"until": gate}})
        failing = self.create({"type": "fail", "payload": {}, "max_attempts": 2})
        put_off = self.create({"type": "snooze", "payload": {"until": gate, "seconds": 60}})
        talking = self.create({"type": "talk", "payload": {}})
        too_big = self.create({"type": "big", "payload": {"size": 70_000}})
        expired = self.create({"type": "noop", "payload": {}, "delay_s": 60, "expires_in_s": 0.001})

        self.assertEqual("delayed", waiting["state"])
        self.until(running, "active")
        for job, reason in ((waiting, "delayed"), (running, "running")):
            self.assertEqual(reason, self.change("explainJob", job).body["reason"])
        self.assertIsNotNone(self.change("cancelJob", running).body["cancel_requested_at"])
        self.assertEqual("dead", self.read(failing, "?wait=20")["state"])
        self.assertEqual("snoozed", self.until(put_off, "delayed")["history"][0]["outcome"])
        self.assertEqual({"fraction": 0.5, "note": "half-way"}, self.read(talking, "?wait=20")["progress"])
        self.assertEqual(2, len(self.change("readJobLogs", talking).body["items"]))
        self.assertTrue(self.read(too_big, "?wait=20")["result_truncated"])
        self.assertEqual("expired", self.read(expired, "?wait=20")["error"]["type"])
        self.assertEqual("cancelled", self.read(running, "?wait=20")["state"])
        self.assertEqual("cancelled", self.change("cancelJob", waiting).body["state"])
        self.assertEqual(200, self.change("retryJob", failing).status)

    def test_pages_go_on_where_the_last_one_ended(self) -> None:
        wanted = {self.create({**MAIL, "delay_s": 600, "queue": "pages"})["id"] for _ in range(3)}

        found, cursor = [], ""
        for _ in range(5):
            page = self.ask("listJobs", f"?queue=pages&limit=1{cursor}").body
            found += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

        self.assertEqual((wanted, 3), ({*found}, len(found)))

    def test_keys_that_keep_a_second_job_away(self) -> None:
        once = {**MAIL, "delay_s": 600, "unique": {"key": "only-one"}}
        first = self.create(once)
        second = self.ask("createJob", "", once)
        keyed = self.create(MAIL, idempotency_key='"again"')
        replayed = self.ask("createJob", "", MAIL, idempotency_key='"again"')
        self.read(keyed, "?wait=20")
        self.change("deleteJob", keyed)
        after_deletion = self.ask("createJob", "", MAIL, idempotency_key='"again"')

        self.assertEqual(
            (200, first["id"], "kept"), (second.status, second.body["id"], second.headers["unique-outcome"])
        )
        for answer in (replayed, after_deletion):
            self.assertEqual(
                (202, keyed["id"], "true"),
                (answer.status, answer.body["id"], answer.headers["idempotency-replayed"]),
            )

    def test_at_most_one_job_in_a_time(self) -> None:
        once = {**MAIL, "unique": {"key": "one-a-day", "mode": "throttle"}}
        first = self.create(once)
        self.read(first, "?wait=20")

        second = self.ask("createJob", "", once)
        self.change("deleteJob", first)
        third = self.ask("createJob", "", once)

        self.assertEqual(
            (200, first["id"], "kept"), (second.status, second.body["id"], second.headers["unique-outcome"])
        )
        self.assertEqual(("completed", "duplicate"), (second.body["state"], second.body["outcome"]))
        self.assertEqual((409, "/problems/throttled"), (third.status, third.body["type"]))
        self.assertEqual(
            (first["id"], third.headers["retry-after"]), (third.body["job_id"], str(third.body["retry_after_s"]))
        )
        self.assertIn(third.body["retry_after_s"], range(86_000, 86_401))

    def test_queues_workers_and_the_service(self) -> None:
        self.create({**MAIL, "delay_s": 600})
        self.redis.client.lpush("wb:{email}:ready:normal", "left-by-hand")
        wait_until(lambda: self.ask("readQueue", "/api/queues/email").body["quarantine"], "what is no job is found")

        for operation_id, paused in (("pauseQueue", True), ("resumeQueue", False)):
            path = CONTRACT.operation(operation_id).path.replace("{queue}", "email")
            self.assertEqual(paused, self.ask(operation_id, path).body["paused"])
        self.assertIn("email", [queue["name"] for queue in self.ask("listQueues").body["items"]])
        self.assertEqual("email", self.ask("readQueue", "/api/queues/email").body["name"])
        self.assertEqual(1, len(self.ask("listWorkers").body["items"]))
        self.assertEqual("ok", self.ask("readHealth").body["status"])
        self.assertIn("retry: 2000\n", self.ask("readEvents", "?for_s=0").body.decode())
        for operation_id in ("isAlive", "isReady"):
            self.assertEqual(200, self.ask(operation_id).status)
        self.assertEqual(contract.PATH.read_bytes(), self.ask("readContract").body)

    def test_a_schedule_from_its_preview_to_its_deletion(self) -> None:
        path = "/api/schedules/nightly"
        secret = {"type": "keeps_a_secret", "payload": {"api_key": "hush", "n": 1}}
        body = {"cron": "0 3 29 2 *", "job": secret, "owner": "me"}
        made = self.ask("putSchedule", path, body, if_none_match="*")
        twice = self.ask("putSchedule", path, body, if_none_match="*")
        tag = made.headers["etag"]
        changed = self.ask("putSchedule", path, {**body, "job": made.body["job"], "overlap": "allow"}, if_match=tag)
        late = self.ask("pauseSchedule", f"{path}/pause", if_match=tag)
        paused = self.ask("pauseSchedule", f"{path}/pause", if_match=changed.headers["etag"])
        resumed = self.ask("resumeSchedule", f"{path}/resume")
        run = self.ask("runSchedule", f"{path}/run", idempotency_key="now")
        again = self.ask("runSchedule", f"{path}/run", idempotency_key="now")

        self.assertEqual([201, 412, 200, 412], [one.status for one in (made, twice, changed, late)])
        self.assertEqual("********", made.body["job"]["payload"]["api_key"])
        self.assertEqual((made.body["next_run_at"], None), (changed.body["next_run_at"], paused.body["next_run_at"]))
        self.assertEqual(changed.body["next_runs"], resumed.body["next_runs"])
        self.assertEqual((202, "nightly", None), (run.status, run.body["schedule"], run.body["scheduled_for"]))
        self.assertEqual((run.body["id"], "true"), (again.body["id"], again.headers["idempotency-replayed"]))
        self.assertEqual("hush 1", self.read(run.body, "?wait=20")["result"])
        read = self.ask("readSchedule", path)
        self.assertEqual(["run"], [one["outcome"] for one in read.body["outcomes"]])
        mine = self.ask("listSchedules", "?owner=me").body["items"]
        self.assertEqual((["nightly"], []), ([one["name"] for one in mine], self.listed("?owner=you")))
        stale = self.ask("deleteSchedule", path, if_match=tag)
        gone = [self.ask("deleteSchedule", path, if_match=read.headers["etag"]).status for _ in range(2)]
        self.assertEqual((412, [204, 404]), (stale.status, gone))

    def test_a_workflow_from_its_start_through_a_stop_to_its_end(self) -> None:
        jobs = {"first": {**MAIL, "delay_s": 600}, "second": {**MAIL, "after": ["first"]}}
        started = self.ask("createWorkflow", "", {"name": "two", "jobs": jobs}, idempotency_key="two")
        again = self.ask("createWorkflow", "", {"name": "two", "jobs": jobs}, idempotency_key="two")
        path = started.headers["location"]

        self.assertEqual([202, 202], [started.status, again.status])
        self.assertEqual((started.body["id"], "replayed"), (again.body["id"], again.body["outcome"]))
        self.assertEqual(f"/api/workflows/{started.body['id']}", path)
        self.assertEqual(404, self.ask("readWorkflow", f"/api/workflows/{self.create(MAIL)['id']}").status)
        self.assertEqual(409, self.ask("retryWorkflow", f"{path}/retry").status)
        self.assertEqual(200, self.ask("cancelWorkflow", f"{path}/cancel").status)
        stopped = self.ask("readWorkflow", f"{path}?wait=20")
        self.assertEqual(("cancelled", 2), (stopped.body["state"], stopped.body["counts"]["cancelled"]))
        self.assertEqual(409, self.ask("cancelWorkflow", f"{path}/cancel").status)
        self.assertEqual(200, self.ask("retryWorkflow", f"{path}/retry").status)
        ended = self.ask("readWorkflow", f"{path}?wait=20", prefer="wait=1")
        self.assertEqual(("completed", 1.0), (ended.body["state"], ended.body["progress"]))
        listed = self.ask("listJobs", "?type=workflow&state=completed")
        self.assertIn(started.body["id"], [job["id"] for job in listed.body["items"]])

    def test_schedules_are_listed_by_name_page_by_page(self) -> None:
        names = [f"page-{number}" for number in range(25)]
        for name in names:
            self.ask("putSchedule", f"/api/schedules/{name}", {"every_s": 3600, "job": {**MAIL, "queue": "paged"}})
        found, cursor = [], ""
        for _ in range(10):
            page = self.ask("listSchedules", f"?queue=paged&limit=7{cursor}").body
            found += [one["name"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

        self.assertEqual(sorted(names), found)
        part = self.ask("listSchedules", "?queue=paged&name=e-1&day=true&limit=2").body
        self.assertEqual((["page-1", "page-10"], 11), ([one["name"] for one in part["items"]], part["total"]))
        self.assertEqual([("page-1", 24), ("page-10", 24)], [(d["schedule"], len(d["runs"])) for d in part["day"]])
        self.assertEqual(422, self.ask("listSchedules", "?name=PAGE").status)
        self.redis.client.hset("wb:{paged}:schedule:page-3", "text", "broken by hand")
        page = self.ask("listSchedules", "?queue=paged&limit=200").body
        self.assertEqual((24, 1), (len(page["items"]), len(page["warnings"])))
        self.assertEqual(503, self.ask("readSchedule", "/api/schedules/page-3").status)

    def test_schedules_are_listed_by_their_next_run_and_each_that_stands_still_comes_once(self) -> None:
        for number in range(20):
            body = {"every_s": 3600 + (number * 7 % 20), "job": {**MAIL, "queue": f"soon-{number % 3}"}}
            self.ask("putSchedule", f"/api/schedules/soon-{number:02}", {**body, "paused": number < 3})
        found, cursor = [], ""
        for _ in range(10):
            page = self.ask("listSchedules", f"?name=soon-&sort=next&limit=6{cursor}").body
            found += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
            moved = page["items"][0]
            self.ask("putSchedule", f"/api/schedules/{moved['name']}", {"every_s": 9000, "job": moved["job"]})

        first = {one["name"]: one["next_run_at"] for one in reversed(found)}
        by_time = sorted(first, key=lambda name: (first[name] is None, first[name], name))
        self.assertEqual(by_time, list(dict.fromkeys(one["name"] for one in found)))
        self.assertEqual(["soon-00", "soon-01", "soon-02"], by_time[-3:])
        self.assertEqual((20, 20), (len(first), page["total"]))
        self.redis.client.delete("wb:{soon-1}:slots")
        self.redis.client.set("wb:{soon-1}:slots", "broken by hand")
        self.addCleanup(self.redis.client.delete, "wb:{soon-1}:slots")
        broken = self.ask("listSchedules", "?name=soon-&sort=next&limit=200").body
        self.assertEqual((13, 7), (len(broken["items"]), len(broken["warnings"])))
        for refused in (
            "sort=newest",
            "sort=next&cursor=soon-03",
            "cursor=1796002200417~soon-03",
            "sort=next&cursor=~",
        ):
            self.assertEqual(422, self.ask("listSchedules", f"?{refused}").status, refused)

    def test_what_is_wrong_with_a_schedule_has_its_pointer(self) -> None:
        wrong = {"cron": "* * * * * *", "timezone": "Mars/Base", "job": {"type": "email", "payload": {}, "delay_s": 5}}
        answer = self.ask("putSchedule", "/api/schedules/wrong", wrong)
        preview = self.ask("previewSchedule", "", {"cron": "0 0 31 2 *"})

        pointers = [error["pointer"] for error in answer.body["errors"]]
        self.assertEqual(422, answer.status)
        self.assertLessEqual({"/cron", "/timezone", "/job/delay_s", "/job/payload/subject"}, {*pointers})
        self.assertIn("use every_s for less than a minute", answer.body["errors"][0]["detail"])
        self.assertEqual((422, "/cron"), (preview.status, preview.body["errors"][0]["pointer"]))

    def listed(self, query: str) -> list[str]:
        return [one["name"] for one in self.ask("listSchedules", query).body["items"]]

    def test_a_group_is_listed_limited_and_as_all_others_again(self) -> None:
        queue = "/api/queues/fair"
        self.create({**MAIL, "queue": "fair", "group": "tenant-42"})
        rate = {"limit": 9, "per_s": 0.5}
        for body in ({"concurrency": 5, "rate": rate, "groups": {"concurrency": 2}}, {"rate": None}):
            self.assertEqual(200, self.ask("changeQueue", queue, body).status)
        changed = self.ask("changeGroup", f"{queue}/groups/tenant-42", {"paused": True, "rate": rate})
        listed = self.ask("listGroups", f"{queue}/groups?limit=1")

        self.assertEqual(("paused", True), (changed.body["limited_by"], changed.body["own"]))
        self.assertEqual([changed.body], listed.body["items"])
        self.assertEqual(changed.body, self.ask("readGroup", f"{queue}/groups/tenant-42").body)
        self.assertEqual(404, self.ask("releaseGroup", f"{queue}/groups/tenant-42/release").status)
        (host,) = self.ask("listHosts", "/api/hosts?queue=fair&limit=1").body["items"]
        self.assertEqual(("tenant-42", "paused", 0), (host["host"], host["reason"], host["strikes"]))
        self.assertEqual(404, self.ask("listHosts", "/api/hosts?queue=nobody").status)
        self.assertEqual(204, self.ask("resetGroup", f"{queue}/groups/tenant-42").status)

    def test_numbers_over_time_of_a_queue_and_of_all(self) -> None:
        self.create({**MAIL, "queue": "counted"})

        for window, steps, step_s in (("1h", 60, 60), ("24h", 96, 900)):
            for queue in ("counted", None):
                path = f"/api/stats?window={window}" + (f"&queue={queue}" if queue else "")
                page = self.ask("readStats", path).body
                self.assertEqual((steps, step_s, queue), (len(page["series"]["dead"]), page["step_s"], page["queue"]))
                self.assertGreaterEqual(page["totals"]["enqueued"], 1)
            kinds = self.ask("listErrors", f"/api/errors?window={window}&limit=3").body
            self.assertLessEqual(len(kinds["items"]), 3)
            merged = self.ask("listErrors", f"/api/errors?window={window}&merged=true&limit=200").body["items"]
            names = [(kind["job_type"], kind["type"], kind["message"]) for kind in merged]
            self.assertEqual(len(names), len(set(names)))
        self.assertEqual(422, self.ask("listErrors", "/api/errors?merged=all").status)
        for name, operation in (("stats", "readStats"), ("errors", "listErrors")):
            self.assertEqual(404, self.ask(operation, f"/api/{name}?queue=nobody").status)
            self.assertEqual(422, self.ask(operation, f"/api/{name}?window=2h").status)

    def test_where_there_are_no_keys_anyone_is_told_to_be_an_admin(self) -> None:
        anyone = {"name": None, "scope": "admin", "expires_at": None, "asks_for_key": False}

        self.assertEqual(anyone, self.ask("readCaller").body)

    def test_a_request_is_shown_as_spans(self) -> None:
        job = self.create(MAIL, x_request_id="order-25")
        page = self.ask("readRequest", "/api/requests/order-25?limit=10").body

        self.assertEqual([job["id"]], [one["id"] for one in page["jobs"]])
        self.assertEqual(["server", "job"], [span["kind"] for span in page["spans"][:2]])

    def test_the_types_are_shown_with_what_a_job_of_each_gets(self) -> None:
        types = {one["name"]: one for one in self.ask("listTypes").body["items"]}

        self.assertEqual(sorted(types), [*types])
        for name in ("email", "noop", "keeps_a_secret"):
            payload = MAIL["payload"] if name == "email" else {"api_key": "k"} if name == "keeps_a_secret" else {}
            job = self.create({"type": name, "payload": payload, "delay_s": 600})
            shared = ("queue", "max_attempts", "backoff", "timeout_s", "retain_s")
            self.assertEqual([job[field] for field in shared], [types[name][field] for field in shared])
            self.assertLessEqual({*types[name]["payload_schema"].get("required", [])}, {*payload})
        self.assertTrue(types["email"]["description"].startswith("Send one mail."))
        self.assertEqual("tests.jobs_for_tests", types["stumble"]["module"])

    def test_a_queue_that_was_mistyped_is_removed_when_its_job_is(self) -> None:
        job = self.create({**MAIL, "queue": "emial", "delay_s": 600})
        refused = self.ask("deleteQueue", "/api/queues/emial")
        self.change("cancelJob", job)
        self.change("deleteJob", job)

        answers = [self.ask("deleteQueue", "/api/queues/emial").status for _ in range(2)]

        self.assertIn("1 jobs (1 delayed): cancel those that wait", refused.body["detail"])
        self.assertEqual((409, [204, 404]), (refused.status, answers))
        self.assertEqual([], self.redis.client.keys("*emial*"))
        self.assertIn("runners serve", self.ask("deleteQueue", "/api/queues/email").body["detail"])

    def test_the_request_id_comes_back_and_goes_into_the_job(self) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        answer = self.ask("createJob", "", MAIL, x_request_id="mine.1", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        unfit = self.ask("isAlive", x_request_id="not fit")

        self.assertEqual("mine.1", answer.headers["x-request-id"])
        self.assertEqual(("mine.1", trace), (answer.body["request_id"], answer.body["trace_id"]))
        self.assertRegex(unfit.headers["x-request-id"], r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

    def test_head_is_get_without_the_body_and_options_tells_the_methods(self) -> None:
        for operation in CONTRACT.operations:
            methods = {one.method for one in CONTRACT.operations if one.path == operation.path}
            allowed = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
            status, headers, body = self.reply("OPTIONS", target(operation))

            self.assertEqual((204, b""), (status, body))
            self.assertEqual(", ".join(sorted(allowed)), headers["allow"])
            if operation.method == "GET":
                get, head = self.reply("GET", target(operation)), self.reply("HEAD", target(operation))

                self.assertEqual((get[0], get[1].keys(), b""), (head[0], head[1].keys(), head[2]), operation.id)


class Refusals(Live):
    """Every problem that the contract lists is provoked, but for those of `Endings`."""

    redis: ClassVar[PrivateRedis]
    guarded: ClassVar[Server]
    late: ClassVar[socket.socket]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.server = cls.enterClassContext(Server(cls.redis.url, JOB_MODULES=MODULES, MAX_CONNECTIONS=MAX_CONNECTIONS))
        cls.guarded = cls.enterClassContext(Server(cls.redis.url, API_KEYS=READ_KEY_ENTRY))
        # 5 s may pass before a body that does not come is given up; meanwhile the other tests run.
        lines = ("POST /api/jobs HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 2")
        cls.late = opened(cls.server, "\r\n".join((*lines, "", "")).encode())

    @classmethod
    def tearDownClass(cls) -> None:
        cls.late.close()

    def test_every_problem_can_be_had_and_is_as_the_contract_says(self) -> None:
        provoked = {}
        for slug, provoke in self.provocations().items():
            with self.subTest(slug):
                answer = provoke()

                self.assertEqual(f"/problems/{slug}", answer.body["type"])
                self.assertEqual(answer.status, answer.body["status"])
                self.assertEqual(answer.headers["x-request-id"], answer.body["request_id"])
                is_for_later = answer.status in (429, 503) or slug == "throttled"
                self.assertEqual(is_for_later, "retry-after" in answer.headers)
                self.assertEqual(
                    slug in ("key-missing", "key-invalid", "scope-missing"), "www-authenticate" in answer.headers
                )
                self.assertEqual(answer.status == 405, "allow" in answer.headers)
                self.assertEqual(answer.headers.get("retry-after", "None"), str(answer.body.get("retry_after_s")))
                provoked[slug] = answer.status

        elsewhere = {"redis-unavailable", "draining", "workflow-ended"}
        self.assertEqual(dict(CONTRACT.problems).keys() - elsewhere, provoked.keys())

    def provocations(self) -> dict[str, Callable[[], Answer]]:
        """By slug, in this order: those that take Redis away or crowd the server come last."""
        host = "Host: localhost\nX-Request-ID: x\n"
        return {
            "bad-request": lambda: self.sent("POST /api/jobs HTTP/1.1\nHost: a\nHost: b"),
            "bad-json": lambda: self.ask("createJob", "", b"{"),
            "schedule-not-found": lambda: self.ask("readSchedule", "/api/schedules/nobody"),
            "schedule-elsewhere": self.a_schedule_that_lies_elsewhere,
            "too-many-schedules": self.a_schedule_more_than_a_queue_may_have,
            "not-found": lambda: self.ask("readHealth", "/api/nothing"),
            "key-missing": lambda: self.ask_guarded("readHealth"),
            "key-invalid": lambda: self.ask_guarded("readHealth", authorization="Bearer wb_x"),
            "scope-missing": lambda: self.ask_guarded("createJob", authorization=f"Bearer {READ_KEY}"),
            "cross-site": lambda: self.ask("createJob", "", MAIL, sec_fetch_site="cross-site"),
            "rate-limited": self.a_request_more_than_the_rate,
            "too-many-tries": self.many_wrong_keys,
            "request-not-found": lambda: self.ask("readRequest", "/api/requests/nobody"),
            "job-not-found": lambda: self.ask("readJob", f"/api/jobs/{NO_JOB}"),
            "queue-not-found": lambda: self.ask("readQueue", "/api/queues/nobody"),
            "method-not-allowed": lambda: self.sent(f"PUT /api/jobs HTTP/1.1\n{host}Content-Length: 0"),
            "group-not-found": self.the_limits_of_a_group_that_has_none,
            "queue-full": self.a_job_more_than_may_wait,
            "group-full": self.a_job_more_than_its_group_may_have,
            "upgrade-needed": self.a_limit_while_an_older_worker_runs,
            "not-acceptable": lambda: self.ask("readHealth", accept="text/html"),
            "wrong-state": self.deletion_of_a_job_that_waits,
            "job-failed": self.a_wait_for_a_job_that_was_cancelled,
            "too-many-followers": self.a_job_that_waits_for_one_with_a_thousand_followers,
            "member-gone": self.a_retry_of_a_workflow_whose_job_is_gone,
            "callback-unknown": lambda: self.ask("endJob", target(CONTRACT.operation("endJob")), {"outcome": "failed"}),
            "callback-gone": self.a_callback_for_a_job_that_waits_for_none,
            "throttled": self.a_job_within_the_time_of_one_that_is_gone,
            "queue-in-use": self.removal_of_a_queue_that_holds_a_job,
            "precondition-failed": lambda: self.ask("changeJob", f"/api/jobs/{NO_JOB}", {}, if_match='"nonsense"'),
            "payload-too-large": lambda: self.sent(
                f"POST /api/jobs HTTP/1.1\n{host}Content-Type: application/json\n"
                f"Content-Length: {LIMITS.body_bytes + 1}"
            ),
            "uri-too-long": lambda: self.sent(f"GET /{'x' * LIMITS.request_line_bytes} HTTP/1.1\n{host}"[:-1]),
            "unsupported-media-type": lambda: self.ask("createJob", "", b"{}", content_type="text/plain"),
            "expectation-failed": lambda: self.sent(f"GET /livez HTTP/1.1\n{host}Expect: more"),
            "misdirected-request": lambda: self.ask("isAlive", host="attacker.example"),
            "invalid-fields": lambda: self.ask("createJob", "", {"type": "email", "payload": {"to": 1}, "x": 2}),
            "idempotency-key-reused": self.another_body_under_the_same_key,
            "headers-too-large": lambda: self.sent(f"GET /livez HTTP/1.1\n{host}" + "A: b\n" * 64 + "A: b"),
            "method-unknown": lambda: self.sent(f"BREW /livez HTTP/1.1\n{host}"[:-1]),
            "coding-unknown": lambda: self.sent(f"POST /api/jobs HTTP/1.1\n{host}Transfer-Encoding: gzip, chunked"),
            "version-not-supported": lambda: self.sent(f"GET /livez HTTP/2.0\n{host}"[:-1]),
            "keys-broken": self.a_key_of_redis_that_somebody_spoiled,
            "internal-error": lambda: self.ask("createJob", "", {"type": "stumble", "payload": {}}),
            "not-replicated": self.a_server_that_asks_for_a_replica,
            "outcome-unknown": self.a_redis_that_stops_answering,
            "request-timeout": lambda: self.held(CONTRACT.operation("createJob"), read_answer(self.late)),
            "too-many-connections": self.one_connection_too_many,
        }

    def ask_guarded(self, operation_id: str, **headers: str) -> Answer:
        """As `ask`, of a server that asks for keys."""
        operation = CONTRACT.operation(operation_id)
        return self.held(operation, Answer(*replied(self.guarded, operation.method, operation.path, b"", **headers)))

    def a_request_more_than_the_rate(self) -> Answer:
        operation = CONTRACT.operation("readHealth")
        with Server(self.redis.url, RATE_LIMIT="1/3600") as limited:
            replied(limited, "GET", operation.path)
            return self.held(operation, Answer(*replied(limited, "GET", operation.path)))

    def many_wrong_keys(self) -> Answer:
        for _ in range(TRIES):
            self.ask_guarded("readHealth", authorization="Bearer wb_x")
        return self.ask_guarded("readHealth", authorization="Bearer wb_x")

    def deletion_of_a_job_that_waits(self) -> Answer:
        job = self.ask("createJob", "", {**MAIL, "delay_s": 600}).body
        return self.ask("deleteJob", f"/api/jobs/{job['id']}")

    def a_wait_for_a_job_that_was_cancelled(self) -> Answer:
        body = {**MAIL, "delay_s": 600}
        job = self.ask("createJob", "", body, idempotency_key="cancelled").body
        self.ask("cancelJob", f"/api/jobs/{job['id']}/cancel")
        return self.ask("createJob", "?wait=20", body, idempotency_key="cancelled")

    def a_job_within_the_time_of_one_that_is_gone(self) -> Answer:
        body = {**MAIL, "delay_s": 600, "unique": {"key": "k", "mode": "throttle"}}
        job = self.ask("createJob", "", body).body
        self.ask("cancelJob", f"/api/jobs/{job['id']}/cancel")
        self.ask("deleteJob", f"/api/jobs/{job['id']}")
        return self.ask("createJob", "", body)

    def removal_of_a_queue_that_holds_a_job(self) -> Answer:
        self.ask("createJob", "", {**MAIL, "queue": "emial"})
        return self.ask("deleteQueue", "/api/queues/emial")

    def a_job_more_than_may_wait(self) -> Answer:
        crowded = {**MAIL, "queue": "crowded"}
        self.ask("createJob", "", crowded)
        self.ask("changeQueue", "/api/queues/crowded", {"max_depth": 1})
        return self.ask("createJob", "", crowded)

    def a_job_that_waits_for_one_with_a_thousand_followers(self) -> Answer:
        job_id = self.ask("createJob", "", {**MAIL, "queue": "flows", "delay_s": 600}).body["id"]
        followers = ",".join(f"flows-{number:032x}" for number in range(1000))
        self.redis.client.hset("wb:{flows}:followers", job_id, followers)
        return self.ask("createJob", "", {**MAIL, "after": [job_id]})

    def a_callback_for_a_job_that_waits_for_none(self) -> Answer:
        job = self.ask("createJob", "", {**MAIL, "delay_s": 600}).body
        key = NO_CALLBACK._replace(job_id=job["id"])
        # As it is where the attempt that had asked for the callback has failed.
        self.redis.client.hset(f"wb:{{email}}:job:{job['id']}", "callback_token", f"1 {key.sha256} -")
        return self.ask("endJob", f"/api/callbacks/{key.text}", {"outcome": "completed"})

    def a_retry_of_a_workflow_whose_job_is_gone(self) -> Answer:
        started = self.ask("createWorkflow", "", {"queue": "flows", "jobs": {"only": {**MAIL, "queue": "flows"}}}).body
        workflow_id, base = started["id"], "wb:{flows}:"
        # As it is where the job has died, and was trimmed before the workflow.
        self.redis.client.delete(f"{base}job:{started['jobs'][0]['id']}")
        self.redis.client.hset(f"{base}job:{workflow_id}", "state", "dead")
        return self.ask("retryWorkflow", f"/api/workflows/{workflow_id}/retry")

    def put_schedule(self, name: str, queue: str) -> Answer:
        return self.ask("putSchedule", f"/api/schedules/{name}", {"every_s": 3600, "job": {**MAIL, "queue": queue}})

    def a_schedule_that_lies_elsewhere(self) -> Answer:
        self.assertEqual(201, self.put_schedule("moved", "email").status)
        return self.put_schedule("moved", "elsewhere")

    def a_schedule_more_than_a_queue_may_have(self) -> Answer:
        self.redis.client.zadd("wb:{scheduled}:slots", {f"s{number}": 10**15 for number in range(10_000)})
        try:
            return self.put_schedule("more", "scheduled")
        finally:
            self.redis.client.delete("wb:{scheduled}:slots")

    def the_limits_of_a_group_that_has_none(self) -> Answer:
        self.ask("changeQueue", "/api/queues/fair", {"groups": {"concurrency": 2}})
        return self.ask("resetGroup", "/api/queues/fair/groups/tenant-41")

    def a_job_more_than_its_group_may_have(self) -> Answer:
        self.ask("changeQueue", "/api/queues/fair", {"groups": {"max_depth": 1}})
        self.ask("createJob", "", {**MAIL, "queue": "fair", "group": "tenant-42"})
        return self.ask("createJob", "", {**MAIL, "queue": "fair", "group": "tenant-42"})

    def a_limit_while_an_older_worker_runs(self) -> Answer:
        older = "supervisor 0.2.0 jobs1.812.77aa01f0"
        self.redis.client.zadd("wb:fleet", {older: 2**53})
        try:
            wait_until(
                lambda: self.ask("changeQueue", "/api/queues/email", {"concurrency": 5}).status == 503, "it is refused"
            )
            return self.ask("changeQueue", "/api/queues/email", {"concurrency": 5})
        finally:
            self.redis.client.zrem("wb:fleet", older)

    def another_body_under_the_same_key(self) -> Answer:
        self.ask("createJob", "", MAIL, idempotency_key="k")
        return self.ask("createJob", "", {**MAIL, "priority": "low"}, idempotency_key="k")

    def a_key_of_redis_that_somebody_spoiled(self) -> Answer:
        self.redis.client.sadd("wb:queues", "spoiled")
        self.redis.client.set("wb:{spoiled}:all", "a text, where a sorted set should be")
        try:
            return self.ask("readQueue", "/api/queues/spoiled")
        finally:
            self.redis.client.srem("wb:queues", "spoiled")

    def a_server_that_asks_for_a_replica(self) -> Answer:
        with Server(self.redis.url, JOB_MODULES=MODULES, ACK_REPLICAS=1) as strict:
            return self.held(CONTRACT.operation("createJob"), Answer(*replied(strict, "POST", "/api/jobs", MAIL)))

    def a_redis_that_stops_answering(self) -> Answer:
        self.ask("createJob", "", MAIL)
        self.redis.freeze()
        try:
            return self.ask("createJob", "", MAIL)
        finally:
            self.redis.thaw()

    def one_connection_too_many(self) -> Answer:
        crowd = [opened(self.server) for _ in range(MAX_CONNECTIONS)]
        try:
            return self.held(CONTRACT.operation("isAlive"), read_answer(opened(self.server)))
        finally:
            for link in crowd:
                link.close()

    def test_each_operation_answers_the_refusals_that_all_of_them_have(self) -> None:
        for operation in CONTRACT.operations:
            first = f"{operation.method} {target(operation)} HTTP/1.1\n"
            for status, lines in (
                (400, f"{first}X-Request-ID: x"),
                (421, f"{first}Host: attacker.example"),
                (431, f"{first}Host: localhost\n" + "A: b\n" * 64 + "A: b"),
            ):
                with self.subTest(operation=operation.id, status=status):
                    self.assertEqual(status, self.sent(lines, operation_id=operation.id).status)
                    self.assertIn(str(status), operation.fields["responses"])

    def test_each_operation_under_api_refuses_parameters_that_it_does_not_know(self) -> None:
        for operation in CONTRACT.operations:
            where = f"{target(operation).partition('?')[0]}?colour=red"
            answer = self.held(operation, Answer(*self.reply(operation.method, where, good_body(operation))))

            if operation.path.startswith("/api"):
                self.assertEqual((422, "?colour"), (answer.status, answer.body["errors"][0]["pointer"]), operation.id)
            else:
                self.assertEqual(200, answer.status, operation.id)

    def test_each_operation_that_can_miss_says_404(self) -> None:
        for operation in CONTRACT.operations:
            # These two are 404 where DASHBOARD=0 is set: test_dashboard_served.py.
            if "404" in operation.fields["responses"] and operation.id not in ("readDashboard", "readIcon"):
                path = target(operation).replace("/email", "/NOBODY").replace("/bad-json", "/nothing")
                path = path.replace("/app.js", "/nothing.js").replace("/overview.js", "/nothing.js")
                if operation.id in ("readStats", "listErrors"):
                    path += "?queue=nobody"  # Without it, they are about all queues.

                answer = Answer(*self.reply(operation.method, path, good_body(operation)))
                self.assertEqual(404, self.held(operation, answer).status)


class Endings(Live):
    """A server without a Redis, which is then stopped."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server("unix:///nonexistent/redis", JOB_MODULES=MODULES)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def test_without_redis_each_operation_that_needs_it_is_503_and_then_the_server_says_that_it_leaves(self) -> None:
        for operation in CONTRACT.operations:
            answer = Answer(*self.reply(operation.method, target(operation), good_body(operation)))
            self.held(operation, answer)

            with self.subTest(operation.id):
                self.assertEqual("503" in operation.fields["responses"], answer.status == 503)
                self.assertEqual(answer.status == 503, "retry-after" in answer.headers)

        begun = opened(self.server, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n")
        # A request that has begun is let finish. The answer to a later one shows that this one was read.
        self.reply("GET", "/livez")
        self.server.signal(signal.SIGTERM)
        self.server.wait_for("server.draining")
        begun.sendall(b"\r\n")
        leaving = self.held(CONTRACT.operation("isReady"), read_answer(begun))

        self.assertEqual((503, "/problems/draining"), (leaving.status, leaving.body["type"]))
        self.assertEqual(0, self.server.wait())


if __name__ == "__main__":
    unittest.main()
