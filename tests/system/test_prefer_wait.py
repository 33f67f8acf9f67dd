"""`Prefer: wait` with a real server, worker and Redis: 200 with the finished job, 202 where it is not done by then."""

import http.client
import json
import threading
import time
import unittest
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.private_redis import PrivateRedis, wait_until
from tests.processes import LIMIT_S, Server, Worker

NOOP = {"type": "noop", "payload": {}}


class PreferWait(unittest.TestCase):
    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]
    worker: ClassVar[Worker]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        cls.worker = cls.enterClassContext(Worker(cls.redis.url))
        cls.server = cls.enterClassContext(Server(cls.redis.url))

    def post(self, body: Any, prefer: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
        return self.server.request("POST", "/api/jobs", body, prefer=prefer, **headers)

    def ask(self, found: list[tuple[int, Any, dict[str, str]]], body: Any, keys: dict[str, str]) -> None:
        found.append(self.post(body, "wait=20", **keys))

    def is_answered(self, outcome: bytes) -> bool:
        """Whether that stands in the answer of the server's last enqueue script."""
        names: Any = self.redis.client.keys("wb:{default}:commit:*")
        answers: Any = [self.redis.client.get(name) for name in names]
        return any(outcome in answer for answer in answers)

    def test_a_job_that_finishes_in_time_is_answered_200_as_it_ended(self) -> None:
        status, job, headers = self.post({"type": "echo", "payload": {"a": [1]}}, "respond-async, wait=20")

        self.assertEqual((200, "completed", {"a": [1]}), (status, job["state"], job["result"]))
        self.assertEqual("wait=20", headers["preference-applied"])
        self.assertEqual(f"/api/jobs/{job['id']}", headers["location"])

    def test_in_the_query_it_is_the_same_and_stands_above_the_header_and_reading_a_job_knows_both(self) -> None:
        echo = {"type": "echo", "payload": {"a": [1]}}
        for target, prefer, applied in (
            ("wait=20", "", "wait=20"),
            ("wait=61", "wait=0", "wait=60"),
            ("wait=19.5", "", "wait=20"),
        ):
            status, job, headers = self.server.request("POST", f"/api/jobs?{target}", echo, prefer=prefer)
            self.assertEqual((200, "completed"), (status, job["state"]))
            self.assertEqual(applied, headers["preference-applied"])
        for target, prefer, applied in (("?wait=90", "", "wait=60"), ("", "wait=90", "wait=60"), ("", "", "")):
            status, _, headers = self.server.request("GET", f"/api/jobs/{job['id']}{target}", prefer=prefer)
            self.assertEqual((200, applied), (status, headers.get("preference-applied", "")))

        self.assertEqual(422, self.server.request("POST", "/api/jobs?wait=soon", {**echo, "queue": "q"})[0])
        self.assertEqual([], self.server.request("GET", "/api/jobs?queue=q")[1]["items"])

    def test_it_counts_for_the_request_that_bears_it_and_for_no_replay(self) -> None:
        """As openapi.yaml has it of Idempotency-Key: the status of the first time, but for what Prefer makes of it."""
        for prefer, status in (("wait=20", 200), ("", 202), ("wait=20", 200)):
            found, job, headers = self.post({"type": "echo", "payload": {}}, prefer, idempotency_key="counts")

            self.assertEqual((status, "completed"), (found, job["state"]))
            self.assertEqual(prefer, headers.get("preference-applied", ""))
        self.assertEqual("true", headers["idempotency-replayed"])

    def test_one_that_fails_is_finished_as_well(self) -> None:
        status, job, _ = self.post({"type": "fail", "payload": {}, "max_attempts": 1}, "wait=20")

        self.assertEqual((200, "dead"), (status, job["state"]))

    def test_one_that_takes_longer_is_answered_202_after_the_wait_as_it_is_then(self) -> None:
        gate = self.worker.folder / "gate"
        began_s = time.monotonic()

        status, job, headers = self.post({"type": "sleep", "payload": {"until": str(gate)}}, "wait=1, respond-async")
        took_s = time.monotonic() - began_s
        gate.touch()

        self.assertEqual((202, "active"), (status, job["state"]))
        self.assertEqual("respond-async, wait=1", headers["preference-applied"])
        self.assertTrue(0.9 < took_s < 10, took_s)

    def test_without_a_wait_it_is_202_at_once(self) -> None:
        for prefer in ("respond-async", "wait=0", "return=minimal"):
            status, _, headers = self.post({**NOOP, "delay_s": 600}, prefer)

            self.assertEqual(202, status)
            self.assertEqual("respond-async" if prefer == "respond-async" else None, headers.get("preference-applied"))

    def test_a_replay_and_a_duplicate_wait_for_the_job_that_stands_there(self) -> None:
        gate = self.worker.folder / "gate-2"
        body = {"type": "sleep", "payload": {"until": str(gate)}, "unique": {"key": "one"}}
        _, first, _ = self.post(body, "", idempotency_key="k")
        found: list[tuple[int, Any, dict[str, str]]] = []
        waiting = []
        for keys, outcome in (({"idempotency_key": "k"}, b"replayed-new"), ({}, b"\x1fduplicate")):
            waiting.append(threading.Thread(target=self.ask, args=(found, body, keys)))
            waiting[-1].start()
            wait_until(partial(self.is_answered, outcome), "it is known that another job stands for it")
        gate.touch()
        for one in waiting:
            one.join(LIMIT_S)

        self.assertEqual([(200, first["id"], "completed")] * 2, [(s, job["id"], job["state"]) for s, job, _ in found])
        self.assertEqual(1, sum("idempotency-replayed" in headers for _, _, headers in found))

    def test_a_server_that_leaves_answers_those_who_wait(self) -> None:
        with Server(self.redis.url) as server:
            parts = urlsplit(server.url)
            link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
            headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
            link.request("POST", "/api/jobs", json.dumps({**NOOP, "delay_s": 600}), headers)
            server.wait_for("job.enqueued")
            code = server.stop()
            answer = link.getresponse()

            self.assertEqual((0, 202, "delayed"), (code, answer.status, json.loads(answer.read())["state"]))
            link.close()

    def test_a_redis_that_goes_away_meanwhile_takes_nothing_back(self) -> None:
        with PrivateRedis() as redis, Server(redis.url) as server:
            found: list[int] = []
            body = {**NOOP, "delay_s": 600}
            asking = threading.Thread(
                target=lambda: found.append(server.request("POST", "/api/jobs", body, prefer="wait=30")[0])
            )
            asking.start()
            server.wait_for("job.enqueued")
            redis.kill()
            asking.join(LIMIT_S)

            self.assertEqual([202], found)


if __name__ == "__main__":
    unittest.main()
