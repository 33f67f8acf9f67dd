"""unique.mode replace and debounce, and schedules that queue, with a real server and real workers: what is sent last
runs, and never two at once."""

import unittest
from pathlib import Path
from typing import Any

from tests.processes import Server
from tests.system.worker_case import WorkerCase


class UniqueModes(WorkerCase):
    settings: dict[str, object] = {"WORKER_QUEUES": "default=4", "WORKER_PROCESSES": 2}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server: Server = self.enterContext(Server(self.redis.url))

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answered, content, _ = self.server.request(method, path, body)
        self.assertEqual(status, answered, content)
        return content

    def send(self, type_name: str, options: dict[str, Any] | None = None, **payload: Any) -> Any:
        """Status, headers and body of a POST under the key `k`. options: the request's other fields."""
        body = {"type": type_name, "payload": {"ledger": str(self.ledger), **payload}}
        body |= {"unique": {"key": "k", "mode": "replace"}, **(options or {})}
        status, content, headers = self.server.request("POST", "/api/jobs", body)
        return status, {name.lower(): value for name, value in headers.items()}, content

    def assert_one_at_a_time(self) -> None:
        running: list[str] = []
        for line in self.lines():
            first, *others = line.split()
            if first == "ended":
                running.remove(others[0])
            else:
                self.assertEqual([], running, f"{first} began while these ran")
                running.append(first)

    def test_200_posts_while_jobs_run_are_a_few_runs_and_the_last_of_them_is_the_last_post(self) -> None:
        self.ready()
        for number in range(200):
            status, headers, job = self.send("sleep", seconds=0.01, text=str(number))
            self.assertEqual(status == 200, headers.get("unique-outcome") == "replaced", job)

        ended = self.ask("GET", f"/api/jobs/{job['id']}?wait=20")

        self.assertEqual(("completed", "199"), (ended["state"], ended["payload"]["text"]))
        self.assert_one_at_a_time()
        self.assertEqual(job["id"], self.executions()[-1].job_id)
        self.assertGreater(len(self.executions()), 3)

    def test_while_one_runs_the_next_one_waits_and_says_for_what(self) -> None:
        flag = self.flag()
        self.ready()
        first = self.send("sleep", until=str(flag))[2]["id"]
        self.until_begun(first)
        status, headers, second = self.send("sleep")
        self.assertEqual((202, "blocked", "created"), (status, second["state"], second["outcome"]))
        self.assertEqual(([first], "ended"), ([edge["job"] for edge in second["after"]], second["after"][0]["on"]))
        self.assertEqual(f"/api/jobs/{second['id']}", headers["location"])
        self.assertEqual("waiting_for_jobs", self.ask("GET", f"/api/jobs/{second['id']}/explain")["reason"])
        (line,) = self.server.wait_for("job.superseded")
        self.assertEqual((first, second["id"]), (line["job_id"], line["by"]))

        flag.touch()

        self.assertEqual("completed", self.ask("GET", f"/api/jobs/{second['id']}?wait=20")["state"])
        self.assertEqual(("completed", 1), ((one := self.ask("GET", f"/api/jobs/{first}"))["state"], one["attempts"]))

    def test_one_that_fails_meanwhile_ends_as_superseded_and_says_by_what(self) -> None:
        self.ready()
        first = self.send("sleep", {"timeout_s": 1}, until=str(self.flag()))[2]["id"]
        self.until_begun(first)
        second = self.send("sleep")[2]["id"]

        self.until_all([second], "completed")

        job = self.ask("GET", f"/api/jobs/{first}")
        error = job["error"]
        self.assertEqual(("cancelled", 1, "superseded"), (job["state"], job["attempts"], error["type"]))
        self.assertEqual(f"the job {second} took its place", error["message"])
        self.assertIn("type", error["cause"])
        self.assertEqual("finished", self.ask("GET", f"/api/jobs/{first}/explain")["reason"])

    def test_one_between_two_attempts_makes_room(self) -> None:
        self.ready()
        first = self.send("fail", {"backoff": {"base_s": 600}})[2]["id"]
        self.until_all([first], "delayed")

        status, _, second = self.send("fail", {"max_attempts": 1})

        self.until_all([second["id"]], "dead")
        self.assertEqual((202, "cancelled"), (status, self.ask("GET", f"/api/jobs/{first}")["state"]))

    def test_a_burst_of_requests_is_one_run_of_the_last(self) -> None:
        self.ready()
        quiet = {"unique": {"key": "k", "mode": "debounce", "ttl_s": 0.5}}
        seen = [self.send("echo", quiet, text=str(number)) for number in range(20)]

        ended = self.ask("GET", f"/api/jobs/{seen[0][2]['id']}?wait=20")

        self.assertEqual("19", ended["result"]["text"])
        self.assertEqual([202, *[200] * 19], [status for status, _, _ in seen])
        self.assertEqual({"postponed"}, {headers.get("unique-outcome") for _, headers, _ in seen[1:]})
        self.assertEqual({"replaced"}, {job["outcome"] for _, _, job in seen[1:]})
        self.assertEqual({seen[0][2]["id"]}, {job["id"] for _, _, job in seen})

    def test_lines_of_a_batch_and_keys_of_requests_take_the_modes(self) -> None:
        job = {"type": "noop", "payload": {}, "delay_s": 60, "unique": {"key": "k", "mode": "replace"}}
        items = self.ask("POST", "/api/jobs/batch", [job, {**job, "idempotency_key": "x"}, job])["items"]
        again = self.ask("POST", "/api/jobs/batch", [{**job, "idempotency_key": "x"}])["items"]

        words = [(item["status"], item["outcome"]) for item in items]
        self.assertEqual([(202, "created"), (200, "replaced"), (200, "replaced")], words)
        self.assertEqual((200, "replayed"), (again[0]["status"], again[0]["outcome"]))
        self.assertEqual(1, len({item["id"] for item in [*items, *again]}))

    def test_it_has_no_place_in_graphs_and_schedules(self) -> None:
        job = {"type": "noop", "payload": {}, "unique": {"key": "k", "mode": "replace"}}
        after = {**job, "then": [{"type": "noop", "payload": {}}]}
        for method, path, body, pointer in (
            ("POST", "/api/jobs", after, "/unique"),
            ("POST", "/api/workflows", {"jobs": {"a": job}}, "/jobs/a/unique"),
            ("PUT", "/api/schedules/s", {"every_s": 60, "job": job}, "/job/unique"),
        ):
            problem = self.ask(method, path, body, 422)
            self.assertEqual([pointer], [error["pointer"] for error in problem["errors"]], path)

    def test_runs_of_a_schedule_that_queues_are_one_at_a_time_and_in_order(self) -> None:
        flag = self.flag()
        worker = self.ready()
        job = {"type": "sleep", "payload": {"ledger": str(self.ledger), "until": str(flag)}}
        self.ask("PUT", "/api/schedules/s", {"every_s": 1, "overlap": "queue", "job": job}, 201)
        fired = [line["job_id"] for line in worker.wait_for("schedule.fired", 4)]
        self.ask("POST", "/api/schedules/s/pause")

        blocked = self.ask("GET", "/api/jobs?state=blocked")["items"]
        Path(flag).touch()
        self.until_all(fired, "completed")

        self.assertLessEqual({*fired[1:]}, {one["id"] for one in blocked})
        self.assert_one_at_a_time()
        self.assertEqual(fired, [begun.job_id for begun in self.executions()][:4])
        self.assertEqual("queue", self.ask("GET", "/api/schedules/s")["overlap"])


if __name__ == "__main__":
    unittest.main()
