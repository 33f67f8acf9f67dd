"""`after` and `then` of POST /api/jobs, with a real server, worker and Redis: jobs that wait for jobs."""

import time
import unittest
from pathlib import Path
from typing import Any, ClassVar

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker
from tests.system.oracle import assert_sound

NOOP = {"type": "noop", "payload": {}}
FAIL = {"type": "fail", "payload": {}, "max_attempts": 1}
QUEUES = ("one", "two", "three")
OLD = "server 0.2.0 web1.1.aaaaaaaa"


class AfterThen(unittest.TestCase):
    redis: ClassVar[PrivateRedis]
    server: ClassVar[Server]
    worker: ClassVar[Worker]

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = cls.enterClassContext(PrivateRedis())
        queues = ",".join(f"{queue}=4" for queue in ("default", *QUEUES))
        cls.worker = cls.enterClassContext(Worker(cls.redis.url, WORKER_QUEUES=queues))
        cls.server = cls.enterClassContext(Server(cls.redis.url))

    def tearDown(self) -> None:
        # What a test leaves behind, delayed or blocked, is in its place as well.
        self.until_told()
        assert_sound(self.redis.client)

    def until_told(self) -> None:
        """Until no notice waits in any queue."""
        client: Any = self.redis.client
        self.server.until(lambda: not any(map(client.xlen, client.keys("wb:*:notices"))), "all notices are told")

    def post(self, body: Any, expected: int = 202, **headers: str) -> Any:
        """POST /api/jobs: the job, or the problem."""
        status, answer, _ = self.server.request("POST", "/api/jobs", body, **headers)
        self.assertEqual(expected, status, answer)
        return answer

    def job(self, job_id: str, wait_s: float = 0) -> dict[str, Any]:
        status, job, _ = self.server.request("GET", f"/api/jobs/{job_id}?wait={wait_s}")
        self.assertEqual(200, status, job)
        shown: dict[str, Any] = job
        return shown

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job when it has ended."""
        job = self.job(job_id, wait_s=20)
        self.assertIn(job["state"], ("completed", "dead", "cancelled"), job)
        return job

    def become(self, job_id: str, state: str) -> dict[str, Any]:
        """The job when it has that state."""
        found: dict[str, Any] = {}

        def has_it() -> bool:
            found.update(self.job(job_id))
            return bool(found["state"] == state)

        self.server.until(has_it, f"{job_id} is {state}")
        return found

    def act(self, job_id: str, verb: str) -> None:
        status, answer, _ = self.server.request("POST", f"/api/jobs/{job_id}/{verb}")
        self.assertEqual(200, status, answer)

    def delete(self, job_id: str) -> None:
        self.assertEqual(204, self.server.request("DELETE", f"/api/jobs/{job_id}")[0])

    def outcomes(self, job_id: str) -> list[str | None]:
        """What the job knows of each for which it waits."""
        return [edge["outcome"] for edge in self.job(job_id)["after"]]

    def file(self) -> Path:
        """A file that is not there yet."""
        return self.server.folder / f"until-{time.monotonic_ns()}"

    def held(self, queue: str = "default", **payload: Any) -> tuple[str, Path]:
        """A job that runs until the file is there."""
        until = self.file()
        body = {"type": "sleep", "payload": {"until": str(until), **payload}, "queue": queue}
        return self.post(body)["id"], until

    # What runs.

    def test_a_chain_over_three_queues_runs_one_behind_the_other_and_hands_on_results(self) -> None:
        last = {"type": "parents", "payload": {}, "queue": "three"}
        middle = {"type": "parents", "payload": {}, "queue": "two", "then": [last]}
        first = self.post({"type": "echo", "payload": {"n": 1}, "queue": "one", "then": [middle]})

        (middle_id,) = first["then"]
        of_middle = self.ended(middle_id)
        (last_id,) = of_middle["then"]
        of_last = self.ended(last_id)
        self.assertEqual(["one", "two", "three"], [one["queue"] for one in (first, of_middle, of_last)])
        results = [{"name": None, "outcome": "completed", "result": {"n": 1}}]
        self.assertEqual(results, of_middle["result"])
        self.assertEqual([{"name": None, "outcome": "completed", "result": results}], of_last["result"])
        edge = {"job": first["id"], "name": None, "on": "completed", "outcome": "completed"}
        self.assertEqual([edge], of_middle["after"])
        self.assertEqual([middle_id], [one["job"] for one in of_last["after"]], "the anchor is not shown")

    def test_what_runs_depends_on_how_the_parent_ended(self) -> None:
        then = [{**NOOP, "on": "completed"}, {**NOOP, "on": "ended"}, {**NOOP, "on": "failed"}]
        for body, states, errors in (
            (NOOP, ["completed", "completed", "cancelled"], [None, None, "skipped"]),
            (FAIL, ["cancelled", "completed", "completed"], ["parent_failed", None, None]),
        ):
            job = self.post({**body, "then": then})
            ends = [self.ended(job_id) for job_id in job["then"]]

            self.assertEqual(states, [one["state"] for one in ends])
            self.assertEqual(errors, [one["error"] and one["error"]["type"] for one in ends])
            for one in ends:
                if one["error"]:
                    self.assertIn(job["id"], one["error"]["message"])

    def test_a_job_waits_for_jobs_of_three_queues_and_finds_their_results_by_name(self) -> None:
        parents = [self.held(queue) for queue in QUEUES]
        after = [{"job": job_id, "name": queue} for queue, (job_id, _) in zip(QUEUES, parents, strict=True)]
        job = self.post({"type": "parents", "payload": {}, "after": after})

        self.assertEqual(("blocked", None), (job["state"], job["run_at"]))
        self.assertEqual([None] * 3, [one["outcome"] for one in job["after"]])
        self.assertEqual([job["id"]], self.job(parents[0][0])["then"])
        for _, until in parents[:2]:
            until.touch()
        self.ended(parents[1][0])
        self.assertEqual("blocked", self.job(job["id"])["state"])
        parents[2][1].touch()
        ended = self.ended(job["id"])
        self.assertEqual("completed", ended["state"])
        self.assertEqual(dict.fromkeys(QUEUES, "completed"), {one["name"]: one["outcome"] for one in ended["result"]})

    def test_parents_that_have_ended_already_are_known_at_once(self) -> None:
        good = self.post({"type": "echo", "payload": {"n": 1}, "queue": "one"}, 200, prefer="wait=20")["id"]
        dead = self.post({**FAIL, "queue": "two"})["id"]
        self.ended(dead)

        bad = {"job": dead, "on": "failed", "name": "bad"}
        both = self.post({"type": "parents", "payload": {}, "after": [good, bad]})
        self.assertIn(both["state"], ("ready", "active", "completed"), "the answer knows it")
        ended = self.ended(both["id"])
        self.assertEqual({None: {"n": 1}, "bad": None}, {one["name"]: one["result"] for one in ended["result"]})
        lost = self.post({**NOOP, "after": [good, dead], "then": [{**NOOP, "on": "failed"}]})
        self.assertEqual(("cancelled", "parent_failed"), (lost["state"], lost["error"]["type"]))
        (alarm,) = lost["then"]
        self.assertEqual("completed", self.ended(alarm)["state"])

    def test_a_delay_counts_from_when_the_job_is_free(self) -> None:
        parent, until = self.held()
        job = self.post({**NOOP, "after": [parent], "delay_s": 600})
        self.assertEqual(("blocked", None), (job["state"], job["run_at"]))

        until.touch()

        self.become(job["id"], "delayed")
        left_s = float(self.redis.client.zscore("wb:{default}:delayed", job["id"]) or 0) / 1000 - time.time()
        self.assertTrue(500 < left_s <= 601, left_s)
        self.act(job["id"], "cancel")

    def test_who_waits_for_a_job_that_waits_gets_it_as_it_ended(self) -> None:
        job = self.post({"type": "echo", "payload": {}, "then": [NOOP]})
        ended = self.post({"type": "parents", "payload": {}, "after": [job["then"][0]]}, 200, prefer="wait=20")

        self.assertEqual("completed", ended["state"])
        problem = self.post({**NOOP, "after": [self.post(FAIL)["id"]]}, 424, prefer="wait=20")
        self.assertEqual("cancelled", problem["job"]["state"])

    # What becomes of parents.

    def test_a_parent_that_is_run_again_and_completes_frees_what_was_cancelled_for_it(self) -> None:
        until = self.file()
        deep = {**NOOP, "queue": "two", "then": [{"type": "parents", "payload": {}, "queue": "three"}]}
        job = self.post({"type": "when_there", "payload": {"until": str(until)}, "queue": "one", "then": [deep]})
        self.assertEqual("dead", self.ended(job["id"])["state"])
        (child,) = job["then"]
        self.assertEqual("cancelled", self.ended(child)["state"])
        (grandchild,) = self.job(child)["then"]
        self.become(grandchild, "cancelled")

        until.touch()
        self.act(job["id"], "retry")

        self.become(grandchild, "completed")
        self.assertEqual([1, 1], [self.job(one)["attempts"] for one in (child, grandchild)])

    def test_a_parent_that_is_cancelled_cancels_who_needs_it_and_not_who_waits_for_its_end(self) -> None:
        body = {**NOOP, "delay_s": 600, "then": [NOOP, {**NOOP, "on": "ended"}, {**NOOP, "on": "failed"}]}
        job = self.post(body)
        self.act(job["id"], "cancel")

        ends = [self.ended(job_id) for job_id in job["then"]]

        self.assertEqual(["cancelled", "completed", "cancelled"], [one["state"] for one in ends])
        self.assertEqual(["parent_cancelled", "skipped"], [one["error"]["type"] for one in ends if one["error"]])
        self.assertEqual(["cancelled"] * 3, [one["after"][0]["outcome"] for one in ends])

    def test_a_parent_that_is_deleted_after_its_end_has_left_its_result(self) -> None:
        parent, until = self.held("one")
        first = self.post({"type": "echo", "payload": {"n": 7}})["id"]
        job = self.post({"type": "parents", "payload": {}, "after": [{"job": first, "name": "a"}, parent]})
        self.ended(first)
        self.server.until(lambda: "completed" in self.outcomes(job["id"]), "the follower was told")
        self.delete(first)

        until.touch()

        results = {one["name"]: one["result"] for one in self.ended(job["id"])["result"]}
        self.assertEqual({"n": 7}, results["a"])

    def test_a_blocked_job_that_somebody_cancels_stays_so(self) -> None:
        parent, until = self.held()
        job = self.post({**NOOP, "after": [parent]})
        self.act(job["id"], "cancel")
        until.touch()
        self.ended(parent)
        self.until_told()

        self.assertEqual("cancelled", self.job(job["id"])["state"])

    # Requests.

    def test_two_fields_that_say_nothing_ask_for_a_job_by_itself(self) -> None:
        nothing: tuple[dict[str, Any], ...] = ({"after": None}, {"then": []}, {"after": [], "then": None})
        for fields in nothing:
            job = self.post({**NOOP, **fields})
            self.assertEqual(("ready", [], []), (job["state"], job["after"], job["then"]))

    def test_bad_input_is_told_with_a_pointer(self) -> None:
        nobody = "one-" + "0" * 32
        for fields, pointer in (
            ({"after": [nobody]}, "/after/0"),
            ({"after": ["x"]}, "/after/0"),
            ({"after": 7}, "/after"),
            ({"after": False}, "/after"),
            ({"then": [{"type": "noop"}]}, "/then/0/payload"),
            ({"then": [{**NOOP, "then": [{**NOOP, "on": "soon"}]}]}, "/then/0/then/0/on"),
            ({"then": [NOOP], "unique": {"key": "x"}}, "/unique"),
            ({"then": [{**NOOP, "unique": {"key": "x"}}]}, "/then/0/unique"),
            ({"then": [{"type": "workflow", "payload": {}}]}, "/then/0/type"),
            ({"then": [NOOP], "queue": "Q"}, "/queue"),
        ):
            with self.subTest(fields=fields):
                problem = self.post({**NOOP, **fields}, 422)

                self.assertEqual("/problems/invalid-fields", problem["type"])
                self.assertEqual([pointer], [error["pointer"] for error in problem["errors"]])

    def test_a_line_of_a_batch_is_told_where_such_a_job_is_taken(self) -> None:
        items = self.server.request("POST", "/api/jobs/batch", [{**NOOP, "then": [NOOP]}, NOOP])[1]["items"]

        self.assertEqual([422, 202], [item["status"] for item in items])
        (error,) = items[0]["problem"]["errors"]
        self.assertEqual("/then", error["pointer"])
        self.assertIn("POST /api/jobs", error["detail"])

    def test_the_same_request_under_its_key_queues_nothing_twice(self) -> None:
        parent = self.post({**NOOP, "delay_s": 600})["id"]
        then = [{**NOOP, "queue": "two"}]
        body = {"type": "echo", "payload": {"n": 1}, "queue": "one", "after": [parent], "then": then}
        key = f"key-{time.monotonic_ns()}"

        first = self.post(body, idempotency_key=key)
        status, again, headers = self.server.request("POST", "/api/jobs", body, idempotency_key=key)

        self.assertEqual((202, "true"), (status, headers["idempotency-replayed"]))
        self.assertEqual((first["id"], first["then"]), (again["id"], again["then"]))
        self.assertEqual("replayed", again["outcome"])
        self.assertEqual(first["then"], [job["id"] for job in self.listed("two", parent=first["id"])])
        other = self.post({**body, "payload": {"n": 2}}, 422, idempotency_key=key)
        self.assertEqual("/problems/idempotency-key-reused", other["type"])
        plain = self.post({"type": "echo", "payload": {}, "queue": "one"}, 422, idempotency_key=key)
        self.assertEqual("/problems/idempotency-key-reused", plain["type"])

        # And when all of it has been forgotten.
        self.act(first["id"], "cancel")
        self.ended(first["then"][0])
        self.delete(first["then"][0])
        self.delete(first["id"])
        status, gone, _ = self.server.request("POST", "/api/jobs", body, idempotency_key=key)
        self.assertEqual((202, first["id"], None), (status, gone["id"], gone["state"]))
        self.assertEqual(404, self.server.request("GET", f"/api/jobs/{first['then'][0]}")[0])
        self.act(parent, "cancel")

    def listed(self, queue: str, *, parent: str) -> list[dict[str, Any]]:
        """The jobs of the queue that wait for that one."""
        items = self.server.request("GET", f"/api/jobs?queue={queue}&limit=200")[1]["items"]
        return [job for job in items if any(edge["job"] == parent for edge in job["after"])]

    def test_a_thousand_jobs_wait_for_one_and_one_more_may_not(self) -> None:
        job = self.post({**NOOP, "delay_s": 600, "then": [NOOP] * 1000})
        self.assertEqual(1000, len(set(job["then"])))

        problem = self.post({**NOOP, "after": [job["id"]]}, 409)
        self.assertEqual("/problems/too-many-followers", problem["type"])

        now = {"run_at": "2026-01-01T00:00:00Z"}
        self.assertEqual(200, self.server.request("PATCH", f"/api/jobs/{job['id']}", now)[0])
        for one in job["then"][::111]:
            self.assertEqual("completed", self.ended(one)["state"])

    def test_a_full_queue_takes_nothing_of_a_graph(self) -> None:
        self.assertEqual(200, self.server.request("PATCH", "/api/queues/full", {"max_depth": 2})[0])
        then = [{**NOOP, "queue": "full"}] * 3

        problem = self.post({**NOOP, "delay_s": 600, "then": then}, 503)

        self.assertEqual("/problems/queue-full", problem["type"])
        self.assertEqual([], self.server.request("GET", "/api/jobs?queue=full")[1]["items"])
        self.act(self.post({**NOOP, "delay_s": 600, "then": then[:2]})["id"], "cancel")

    def test_while_an_older_program_runs_such_jobs_are_refused(self) -> None:
        def answer() -> tuple[int, Any, dict[str, str]]:
            return self.server.request("POST", "/api/jobs", {**NOOP, "then": [NOOP]})

        self.redis.client.zadd("wb:fleet", {OLD: int(time.time() * 1000) + 60_000})
        self.server.until(lambda: answer()[0] == 503, "the server sees the older one")
        problem = answer()[1]
        self.assertEqual("/problems/upgrade-needed", problem["type"])
        self.assertIn("web1.1.aaaaaaaa", problem["detail"])
        self.post(NOOP)

        self.redis.client.zrem("wb:fleet", OLD)

        self.server.until(lambda: answer()[0] == 202, "the server sees that it has gone")

    def test_each_job_has_its_line_in_the_log(self) -> None:
        parent, until = self.held()
        job = self.post({**NOOP, "after": [parent], "then": [NOOP]}, x_request_id="logged-1")
        until.touch()

        def lines() -> list[dict[str, Any]]:
            return [line for line in self.server.logged() if line.get("request_id") == "logged-1" and "job_id" in line]

        self.server.until(lambda: len(lines()) == 2, "both lines are written")
        self.assertEqual(
            [("job.blocked", f"Job waits for 1 job: {one}") for one in (job["id"], job["then"][0])],
            [(line["event"], line["msg"]) for line in lines()],
        )
        self.ended(job["then"][0])


if __name__ == "__main__":
    unittest.main()
