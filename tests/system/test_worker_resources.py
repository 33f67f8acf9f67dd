"""ctx.resource with an async factory, in a real worker: whatever becomes of the job that asked first."""

import unittest

from lib.jobs import registry
from tests.system.test_worker_handlers import error_type
from tests.system.worker_case import WorkerCase

MODULES = "tests.jobs_for_tests,tests.jobs_that_share"


class Shared(WorkerCase):
    settings = {**WorkerCase.settings, "JOB_MODULES": MODULES}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(MODULES.split(","))

    def test_it_outlives_who_asked_first_is_tried_again_where_it_fails_and_is_closed_at_the_end(self) -> None:
        worker = self.ready(OUTBOX_DIR=self.folder / "outbox")
        pids = worker.runner_pids()

        late = self.post("share", {"timeout_s": 0.3})
        self.until_all([late], "dead")
        beside = [self.post(name) for name in ("share", "share_thread")]
        self.until_begun(*beside)
        (self.folder / "may-go-on").touch()
        self.until_all(beside, "dead")
        (self.folder / "may-be-made").touch()
        failing = self.post("share", text="the first who gets it")
        self.until_all([failing], "dead")
        good = [self.post(name) for name in ("share", "share_thread", "share")]
        self.until_all(good, "completed")

        self.assertEqual(
            ["TimedOut", "ResourceFailed", "ResourceFailed", "ValueError"],
            [error_type(record) for record in self.records([late, *beside, failing])],
        )
        (program,) = {record.result for record in self.records(good)}
        self.assertGreater(program, 0)
        self.assertEqual(pids, worker.runner_pids())
        self.assertEqual(0, worker.stop())
        self.assertEqual(["begun", "begun", "closed"], (self.folder / "pool").read_text().split())
        self.assertEqual([], worker.logged("runner.died"))


if __name__ == "__main__":
    unittest.main()
