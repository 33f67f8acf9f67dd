"""Schedules that job modules declare, with real workers: written at their start, left as people and newer code have
them, and shown as orphaned when the code is gone."""

import unittest
from pathlib import Path
from typing import Any, cast

from tests.processes import Server, Worker
from tests.system.worker_case import WorkerCase

MODULE = """
from lib.jobs.registry import JobContext, job
from dataclasses import dataclass


@dataclass
class Report:
    month: str = "this"


@job("tell", {words})
async def tell(ctx: JobContext, payload: Report) -> list[str]:
    assert ctx.scheduled_for is not None
    return [ctx.scheduled_for.isoformat(), payload.month]


@job("other")
async def other(ctx: JobContext, payload: Report) -> None: ...
"""
EVERY_SECOND = 'every_s=1, overlap="allow", payload={"month": "last"}'
NIGHTLY = 'cron="0 3 * * *", timezone="Europe/Berlin"'


class InCode(WorkerCase):
    settings: dict[str, object] = {"WORKER_QUEUES": "default=4", "JOB_MODULES": "shop_of_test"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server: Server = self.enterContext(Server(self.redis.url, JOB_MODULES="lib.handlers.email"))

    def release(self, words: str) -> Path:
        """A folder with the job module as one release has it."""
        folder = self.folder / f"release{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        (folder / "shop_of_test.py").write_text(MODULE.replace("{words}", words), encoding="utf-8")
        return folder

    def started(self, words: str) -> Worker:
        return self.ready(PYTHONPATH=self.release(words))

    def created(self, words: str) -> Worker:
        worker = self.started(words)
        worker.wait_for("schedule.created")
        return worker

    def read(self, path: str) -> dict[str, Any]:
        status, content, _ = self.server.request("GET", path)
        self.assertEqual(200, status, content)
        return cast(dict[str, Any], content)

    def test_it_is_written_at_the_start_and_its_jobs_run(self) -> None:
        worker = self.started(EVERY_SECOND)
        line, *_ = worker.wait_for("schedule.fired")

        job = self.read(f"/api/jobs/{line['job_id']}?wait=10")
        self.assertEqual(("completed", "tell", "last"), (job["state"], job["schedule"], job["result"][1]))
        [listed] = self.read("/api/schedules?owner=code:shop_of_test")["items"]
        self.assertEqual(("tell", False), (listed["name"], listed["orphaned"]))
        found = self.read("/api/jobs?schedule=tell&state=completed")["items"]
        self.assertIn(job["id"], [one["id"] for one in found])
        self.assertEqual(200, self.server.request("POST", "/api/schedules/tell/pause")[0])

    def test_a_pause_stays_and_an_older_release_puts_nothing_back(self) -> None:
        self.created(NIGHTLY).stop()
        self.assertEqual(200, self.server.request("POST", "/api/schedules/tell/pause")[0])
        newer = self.started(NIGHTLY.replace("3", "4", 1))
        newer.wait_for("schedule.changed")
        written = self.read("/api/schedules/tell")

        older = self.started(NIGHTLY)
        older.wait_for("schedule.left")

        self.assertEqual(("0 4 * * *", True), (written["cron"], written["paused"]))
        self.assertEqual(written["version"], self.read("/api/schedules/tell")["version"])

    def test_what_would_be_refused_ends_the_start_with_78(self) -> None:
        for words, sentence in (
            (NIGHTLY.replace("0 3", "0 3 1"), "cron has 6 fields"),
            (f"{NIGHTLY}, payload={{'mnth': 'last'}}", "payload/mnth is not known here"),
        ):
            worker = self.worker(PYTHONPATH=self.release(words))

            self.assertEqual(78, worker.wait())
            self.assertIn(f"JOB_MODULES: shop_of_test: the schedule 'tell' of @job('tell'): {sentence}", worker.said())

    def test_what_the_code_no_longer_says_is_orphaned_and_runs_on(self) -> None:
        self.created(EVERY_SECOND).stop()
        self.redis.client.delete("wb:declared")  # As a minute later.
        without = self.release("max_attempts=3")
        worker = self.ready(PYTHONPATH=without)

        shown = self.read("/api/schedules/tell")
        code, said = worker.examined()

        self.assertTrue(shown["orphaned"])
        self.assertIn("the job modules of no worker that runs do", shown["warnings"][0])
        self.assertEqual(1, code)
        self.assertIn("WRONG  Schedules: tell (code:shop_of_test) was written by a worker's code", said)
        worker.wait_for("schedule.fired")
        self.assertEqual(204, self.server.request("DELETE", "/api/schedules/tell")[0])
        self.assertIn("ok     Schedules: none is orphaned", worker.examined()[1])


if __name__ == "__main__":
    unittest.main()
