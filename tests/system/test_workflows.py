"""Workflows of a real server and real workers: graphs over queues that run, fail, are stopped and run again."""

import unittest
from typing import Any, cast

from tests.processes import Server
from tests.system.oracle import states
from tests.system.worker_case import WorkerCase

Body = dict[str, Any]


class Workflows(WorkerCase):
    settings: dict[str, object] = {"WORKER_QUEUES": "default=8,alpha=4,beta=4"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server: Server = self.enterContext(Server(self.redis.url))

    # Asking.

    def job(self, type_name: str = "noop", **options: Any) -> Body:
        """A job as a workflow takes it. Options that the payload of the test jobs has go into the payload."""
        payload = {name: options.pop(name) for name in ("text", "size", "until", "seconds") if name in options}
        return {"type": type_name, "payload": {"ledger": str(self.ledger), **payload}, **options}

    def start(self, jobs: Body, **fields: Any) -> Body:
        status, content, _ = self.server.request("POST", "/api/workflows", {"jobs": jobs, **fields})
        self.assertEqual(202, status, content)
        return cast(Body, content)

    def ask(self, method: str, path: str, status: int = 200, body: Any = None, **headers: str) -> Body:
        found, content, _ = self.server.request(method, path, body, **headers)
        self.assertEqual(status, found, content)
        return cast(Body, content)

    def ended(self, workflow: Body) -> Body:
        """The workflow when it has ended."""
        shown = self.ask("GET", f"/api/workflows/{workflow['id']}?wait=15")
        self.assertIsNotNone(shown["finished_at"], shown)
        return shown

    def states_of(self, workflow: Body) -> dict[str, str]:
        shown = self.ask("GET", f"/api/workflows/{workflow['id']}")
        return {member["name"]: member["state"] for member in shown["jobs"]}

    def members(self, workflow: Body) -> dict[str, str]:
        return {member["name"]: member["id"] for member in workflow["jobs"]}

    def runs(self, job_id: str) -> int:
        return len(self.executions(job_id))

    # What runs.

    def test_who_posts_may_wait_for_the_end(self) -> None:
        self.ready()
        prefer, well = {"Prefer": "wait=15"}, {"jobs": {"a": self.job(), "b": self.job(after=["a"])}}

        status, shown, headers = self.server.request("POST", "/api/workflows", well, **prefer)
        self.assertEqual((200, "completed", "wait=15"), (status, shown["state"], headers["preference-applied"]))

        failing = {"jobs": {"a": self.job("fail", max_attempts=1)}}
        status, shown, _ = self.server.request("POST", "/api/workflows?wait=15", failing)
        self.assertEqual((200, "dead", "dead"), (status, shown["state"], shown["jobs"][0]["state"]))

        status, shown, headers = self.server.request(
            "POST", "/api/workflows?wait=0.2", {"jobs": {"a": self.job("sleep", seconds=5)}}
        )
        self.assertEqual((202, "blocked", "wait=1"), (status, shown["state"], headers["preference-applied"]))
        self.ask("POST", f"/api/workflows/{shown['id']}/cancel")
        self.ended(shown)

    def test_a_graph_over_three_queues_runs_each_job_once_and_behind_those_that_it_waits_for(self) -> None:
        self.ready()
        workflow = self.start(
            {
                "sum": self.job("gather", after=["a", {"job": "b", "on": "ended"}]),
                "a": self.job("echo_text", text="one", queue="alpha", after=["fetch"]),
                "b": self.job("echo_text", text="two", queue="beta", after=["fetch"]),
                "fetch": self.job("echo_text", text="none"),
            },
            name="import",
        )

        shown = self.ended(workflow)

        (line,) = self.server.wait_for("workflow.planted")
        self.assertEqual(
            (workflow["id"], 4, workflow["request_id"]), (line["job_id"], line["jobs"], line["request_id"])
        )
        self.assertEqual(("completed", "import", 1.0), (shown["state"], shown["name"], shown["progress"]))
        self.assertEqual((4, 4), (shown["counts"]["jobs"], shown["counts"]["completed"]))
        self.assertEqual("fetch", shown["jobs"][0]["name"])
        self.assertEqual("sum", shown["jobs"][3]["name"])
        ids = self.members(shown)
        self.assertEqual(
            [("a", "completed", "completed"), ("b", "ended", "completed")],
            [(edge["name"], edge["on"], edge["outcome"]) for edge in shown["jobs"][3]["after"]],
        )
        times = {one["name"]: (one["started_at"], one["finished_at"], one["run_at"]) for one in shown["jobs"]}
        for name, (started_at, finished_at, run_at) in times.items():
            self.assertLessEqual(started_at, finished_at, name)
            self.assertIsNone(run_at)
        self.assertLessEqual(times["fetch"][1], times["a"][0])
        self.assertEqual([1, 1, 1, 1], [self.runs(job_id) for job_id in ids.values()])
        order = [run.job_id for run in self.executions()]
        self.assertEqual((ids["fetch"], ids["sum"]), (order[0], order[-1]))
        # Results came by value: they are there though the records of those that returned them are gone.
        self.ask("DELETE", f"/api/jobs/{ids['a']}", 204)
        self.assertEqual({"a": "one", "b": "two"}, self.ask("GET", f"/api/jobs/{ids['sum']}")["result"])
        gone = self.ask("GET", f"/api/workflows/{workflow['id']}")
        self.assertEqual({"completed"}, {member["state"] for member in gone["jobs"]})
        self.assertEqual([None], [member["type"] for member in gone["jobs"] if member["name"] == "a"])

    def test_of_a_failed_workflow_a_retry_runs_what_did_not_complete(self) -> None:
        self.ready()
        mended = self.flag()
        workflow = self.start(
            {
                "fetch": self.job(),
                "part": self.job("when_there", until=str(mended), queue="alpha", after=["fetch"]),
                "sum": self.job(after=["part"]),
                "alarm": self.job(after=[{"job": "part", "on": "failed"}]),
            }
        )
        failed = self.ended(workflow)
        ids = self.members(failed)

        self.assertEqual(("dead", "jobs_failed"), (failed["state"], failed["error"]["type"]))
        self.assertEqual(
            {"fetch": "completed", "part": "dead", "sum": "cancelled", "alarm": "completed"}, self.states_of(failed)
        )
        self.assertEqual("parent_failed", self.ask("GET", f"/api/jobs/{ids['sum']}")["error"]["type"])
        mended.touch()
        again = self.ask("POST", f"/api/workflows/{workflow['id']}/retry")
        self.assertEqual("blocked", again["state"])
        whole = self.ended(workflow)
        self.assertEqual("completed", whole["state"], whole)
        self.assertEqual({"completed"}, {*self.states_of(whole).values()})
        self.assertEqual({"fetch": 1, "part": 2, "sum": 1, "alarm": 1}, {name: self.runs(ids[name]) for name in ids})
        answer = self.ask("POST", f"/api/workflows/{workflow['id']}/retry", 409)
        self.assertEqual("/problems/wrong-state", answer["type"])

    def test_a_single_job_that_is_run_again_heals_the_workflow(self) -> None:
        self.ready()
        mended = self.flag()
        workflow = self.start(
            {"part": self.job("when_there", until=str(mended)), "sum": self.job(queue="beta", after=["part"])}
        )
        ids = self.members(self.ended(workflow))
        mended.touch()

        self.ask("POST", f"/api/jobs/{ids['part']}/retry")

        self.until(lambda: {*self.states_of(workflow).values()} == {"completed"}, "both have completed")
        self.until(lambda: self.ask("GET", f"/api/workflows/{workflow['id']}")["state"] == "completed", "it is healed")

    def test_a_workflow_is_stopped_in_the_middle(self) -> None:
        self.ready()
        workflow = self.start(
            {
                "done": self.job(),
                "long": self.job("sleep", seconds=60, after=["done"]),
                "behind": self.job(queue="alpha", after=["long"]),
                "alarm": self.job(after=[{"job": "long", "on": "failed"}]),
                "later": self.job(queue="beta", delay_s=600),
            },
            then=[self.job(on="failed"), self.job(on="ended")],
        )
        ids = self.members(workflow)
        self.until_begun(ids["long"])

        stopping = self.ask("POST", f"/api/workflows/{workflow['id']}/cancel")

        self.assertIsNotNone(stopping["cancel_requested_at"])
        ended = self.ended(workflow)
        self.assertEqual("cancelled", ended["state"], ended)
        found = self.states_of(ended)
        self.assertEqual("completed", found.pop("done"))
        self.assertLessEqual({*found.values()}, {"cancelled", "skipped"})
        alarm, letter = workflow["then"]
        self.until_all([letter], "completed")
        self.until_all([alarm], "cancelled")
        self.assertEqual([0, 0, 0, 0], [self.runs(one) for one in (ids["behind"], ids["alarm"], ids["later"], alarm)])
        self.ask("POST", f"/api/workflows/{workflow['id']}/cancel", 409)

    def test_cancel_and_retry_of_its_job_and_by_actions_are_the_same(self) -> None:
        self.ready()
        workflow = self.start({"later": self.job(delay_s=600), "behind": self.job(after=["later"])})
        path = f"/api/jobs/{workflow['id']}"

        self.assertEqual("blocked", self.ask("POST", f"{path}/cancel")["state"])
        self.assertEqual("cancelled", self.ended(workflow)["state"])
        retry = {"action": "retry", "ids": [workflow["id"]]}
        items = self.ask("POST", "/api/jobs/actions", body=retry)["items"]
        self.assertEqual([{"id": workflow["id"], "outcome": "done"}], items)
        self.assertEqual("completed", self.ended(workflow)["state"])
        items = self.ask("POST", "/api/jobs/actions", body={**retry, "dry_run": True})["items"]
        self.assertEqual("wrong-state", items[0]["problem"]["type"].rpartition("/")[2])
        self.ask("DELETE", path, 204)
        self.ask("GET", f"/api/workflows/{workflow['id']}", 404)

    def test_an_optional_job_may_fail_and_the_end_of_the_whole_is_told(self) -> None:
        self.ready()
        jobs = {"must": self.job(), "may": self.job("fail", max_attempts=1, optional=True)}
        good = self.start(jobs, then=[self.job(on="failed"), self.job(on="ended"), self.job()])
        bad = self.start(
            {"must": self.job("fail", max_attempts=1)}, then=[self.job(on="failed"), self.job(on="ended"), self.job()]
        )

        self.assertEqual(["completed", "dead"], [self.ended(one)["state"] for one in (good, bad)])
        self.until_all([*good["then"][1:], *bad["then"][:2]], "completed")
        self.until_all([good["then"][0], bad["then"][2]], "cancelled")
        self.assertEqual({"must": "completed", "may": "dead"}, self.states_of(good))

    def test_a_workflow_within_a_workflow_is_one_job_of_it(self) -> None:
        self.ready()
        inner = {"left": self.job(queue="alpha"), "right": self.job(queue="beta", after=["left"])}
        workflow = self.start(
            {
                "first": self.job(),
                "parts": {"jobs": inner, "after": ["first"]},
                "last": self.job(after=["parts"]),
            }
        )

        shown = self.ended(workflow)

        self.assertEqual("completed", shown["state"], shown)
        self.assertEqual(["first", "parts", "last"], [member["name"] for member in shown["jobs"]])
        parts = self.ask("GET", f"/api/workflows/{self.members(shown)['parts']}")
        self.assertEqual((workflow["id"], "completed"), (parts["workflow"], parts["state"]))
        self.assertEqual(["first"], [edge["name"] for edge in parts["after"]])
        order = [run.job_id for run in self.executions()]
        left, right = (self.members(parts)[name] for name in ("left", "right"))
        self.assertEqual([self.members(shown)["first"], left, right, self.members(shown)["last"]], order)

    def test_the_same_request_with_its_key_starts_one_workflow(self) -> None:
        body = {"jobs": {"one": self.job(), "two": self.job(after=["one"])}}
        first = self.ask("POST", "/api/workflows", 202, body, idempotency_key="import")
        second = self.ask("POST", "/api/workflows", 202, body, idempotency_key="import")
        self.ask("POST", "/api/workflows", 422, {"jobs": {"one": self.job()}}, idempotency_key="import")
        self.ready()
        self.assertEqual("completed", self.ended(first)["state"])
        for job_id in (first["id"], *self.members(first).values()):
            self.ask("DELETE", f"/api/jobs/{job_id}", 204)

        third = self.ask("POST", "/api/workflows", 202, body, idempotency_key="import")

        self.assertEqual(("created", "replayed", "replayed"), tuple(one["outcome"] for one in (first, second, third)))
        self.assertEqual({first["id"]}, {one["id"] for one in (second, third)})
        self.assertEqual(self.members(first), self.members(third))
        self.assertEqual((None, {"gone"}), (third["state"], {member["state"] for member in third["jobs"]}))
        self.assertEqual({}, states(self.redis.client))

    def test_a_thousand_jobs_and_one_behind_them_all(self) -> None:
        self.ready()
        parts = {f"part-{number}": self.job("noop", queue=("alpha", "beta")[number % 2]) for number in range(999)}
        workflow = self.start({**parts, "sum": self.job(after=[*parts])})

        shown = self.ended(workflow)

        self.assertEqual(("completed", 1000), (shown["state"], shown["counts"]["completed"]), shown["counts"])
        self.assertEqual(1000, len(self.lines()))

    def test_a_member_that_is_gone_forbids_a_retry(self) -> None:
        self.ready()
        workflow = self.start({"bad": self.job("fail", max_attempts=1), "good": self.job()})
        self.assertEqual("dead", self.ended(workflow)["state"])
        ids = self.members(workflow)
        self.ask("DELETE", f"/api/jobs/{ids['bad']}", 204)

        problem = self.ask("POST", f"/api/workflows/{workflow['id']}/retry", 409)

        self.assertEqual("/problems/member-gone", problem["type"])
        self.assertIn(f"bad ({ids['bad']})", problem["detail"])
        self.assertEqual(problem, self.ask("POST", f"/api/jobs/{workflow['id']}/retry", 409) | same(problem))
        body = {"action": "retry", "ids": [workflow["id"]]}
        (item,) = self.ask("POST", "/api/jobs/actions", body=body)["items"]
        self.assertEqual("/problems/member-gone", item["problem"]["type"])
        self.assertEqual({"bad": "dead", "good": "completed"}, self.states_of(workflow))

    # What waits.

    def test_a_job_that_waits_is_listed_counted_changed_and_cancelled(self) -> None:
        workflow = self.start({"first": self.job(delay_s=600), "second": self.job(after=["first"])})
        ids = self.members(workflow)
        second = f"/api/jobs/{ids['second']}"

        listed = self.ask("GET", "/api/jobs?state=blocked")["items"]
        self.assertEqual({workflow["id"], ids["second"]}, {job["id"] for job in listed})
        listed = self.ask("GET", "/api/jobs?type=workflow")["items"]
        self.assertEqual([workflow["id"]], [job["id"] for job in listed])
        counts = self.ask("GET", "/api/queues/default")["counts"]
        self.assertEqual((2, 0, 1), (counts["blocked"], counts["ready"], counts["delayed"]))
        metrics = bytes(self.server.request("GET", "/metrics")[1]).decode()
        self.assertIn('\nwaybill_jobs{queue="default",state="blocked"} 2\n', metrics)

        changed = self.ask("PATCH", second, body={"payload": {"text": "new"}, "priority": "high", "tags": ["eu"]})
        self.assertEqual(("blocked", "high", ["eu"]), (changed["state"], changed["priority"], changed["tags"]))
        dry = {"action": "cancel", "ids": [ids["first"], ids["second"]], "dry_run": True}
        self.assertEqual(2, self.ask("POST", "/api/jobs/actions", body=dry)["followed"])
        purge = {"state": "blocked", "tag": "eu"}
        self.assertEqual(1, self.ask("POST", "/api/queues/default/purge", body=purge)["cancelled"])
        self.assertEqual({"first": "delayed", "second": "cancelled"}, self.states_of(workflow))

    def test_what_is_wrong_is_said_with_its_place(self) -> None:
        one = self.job()
        for pointer, body in (
            ("/jobs", {}),
            ("/jobs", {"jobs": {}}),
            ("/jobs", {"jobs": [one]}),
            ("/jobs", {"jobs": {"a": {**one, "after": ["b"]}, "b": {**one, "after": ["a"]}}}),
            ("/jobs", {"jobs": {"a": {**one, "after": ["a"]}}}),
            ("/jobs/a~1b", {"jobs": {"a/b": one}}),
            ("/jobs/a/after/1", {"jobs": {"b": one, "a": {**one, "after": ["b", "c"]}}}),
            ("/jobs/a/after/1", {"jobs": {"b": one, "a": {**one, "after": ["b", "b"]}}}),
            ("/jobs/a/after/0/on", {"jobs": {"b": one, "a": {**one, "after": [{"job": "b", "on": "done"}]}}}),
            ("/jobs/a/unique", {"jobs": {"a": {**one, "unique": {"key": "k"}}}}),
            ("/jobs/a/optional", {"jobs": {"a": {**one, "optional": "yes"}}}),
            ("/jobs/a/type", {"jobs": {"a": {"type": "workflow", "payload": {}}}}),
            ("/jobs/a/type", {"jobs": {"a": {"type": "nobody", "payload": {}}}}),
            ("/jobs/a/payload/seconds", {"jobs": {"a": {"type": "sleep", "payload": {"seconds": "x"}}}}),
            ("/jobs/a/colour", {"jobs": {"a": {**one, "colour": "red"}}}),
            ("/then/0/on", {"jobs": {"a": one}, "then": [{**one, "on": "done"}]}),
            ("/queue", {"jobs": {"a": one}, "queue": "Not A Queue"}),
            ("/jobs", {"jobs": dict.fromkeys(map(str, range(1001)), one)}),
        ):
            with self.subTest(pointer, body=str(body)[:120]):
                problem = self.ask("POST", "/api/workflows", 422, body)
                self.assertIn(pointer, [error["pointer"] for error in problem["errors"]], problem)
        circle = {"a": {**one, "after": ["b"]}, "b": {**one, "after": ["a"]}}
        cycle = self.ask("POST", "/api/workflows", 422, {"jobs": circle})
        self.assertRegex(cycle["errors"][0]["detail"], "(a waits for b waits for a|b waits for a waits for b)")
        problem = self.ask("POST", "/api/jobs", 422, {"type": "workflow", "payload": {}})
        self.assertIn("POST /api/workflows", problem["errors"][0]["detail"])
        self.assertEqual({}, states(self.redis.client))

    def test_a_full_queue_refuses_all_of_it(self) -> None:
        self.ask("PATCH", "/api/queues/beta", body={"max_depth": 2})
        body = {"jobs": {"a": self.job(), **{f"b{number}": self.job(queue="beta", after=["a"]) for number in range(3)}}}

        problem = self.ask("POST", "/api/workflows", 503, body)

        self.assertEqual("/problems/queue-full", problem["type"])
        self.assertEqual({}, states(self.redis.client))


def same(problem: Body) -> Body:
    """What differs between two answers of one problem: the request's id."""
    return {"request_id": problem["request_id"]}


if __name__ == "__main__":
    unittest.main()
