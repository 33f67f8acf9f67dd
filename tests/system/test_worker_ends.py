"""However oddly a handler ends, in a real worker: it was an attempt, and it hurt nobody."""

import unittest

from lib.jobs import registry
from lib.jobs.job import JobRecord
from tests.jobs_that_end_oddly import ODDITIES
from tests.processes import JOB_MODULES, Worker
from tests.system.worker_case import WorkerCase

MODULES = f"{JOB_MODULES},tests.jobs_that_end_oddly"


class EndsCase(WorkerCase):
    settings = {"WORKER_QUEUES": "default=20", "JOB_MODULES": MODULES}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(MODULES.split(","))

    def unhurt(self, worker: Worker, pids: list[int]) -> None:
        """The runner is the one that there was at first, and no lane has ended."""
        self.assertEqual(pids, worker.runner_pids())
        for event in ("lane.failed", "job.unended", "runner.died", "worker.retiring"):
            self.assertEqual([], worker.logged(event), event)


class Odd(EndsCase):
    def test_whatever_a_handler_raises_is_an_attempt_with_backoff_and_history(self) -> None:
        worker = self.ready()
        pids = worker.runner_pids()
        ids = {(name, kind): self.post(kind, text=name) for name in ODDITIES for kind in ("odd", "odd_thread")}
        discarded, completed = self.post("bare_discard"), self.post("odd_result")

        self.until_all([*ids.values(), discarded], "dead")
        self.until_all([completed], "completed")

        for name, job_id in ids.items():
            self.assertEqual((2, ["retried", "dead"]), told_of(self.record(job_id)), name)
            self.assertEqual([1, 2], [execution.attempt for execution in self.executions(job_id)], name)
        self.assertEqual((1, ["dead"]), told_of(self.record(discarded)))
        self.assertEqual(1, len(self.executions(completed)))
        types = {name: (self.record(job_id).error or {}).get("type") for (name, _), job_id in ids.items()}
        self.assertEqual(("OfNoName", "Masked", "OwnBase"), (types["no_name"], types["masked"], types["own_base"]))
        self.unhurt(worker, pids)


def told_of(record: JobRecord) -> tuple[int, list[str]]:
    """How often it was tried, and how each attempt ended."""
    return record.attempts, [line.outcome for line in record.history]


if __name__ == "__main__":
    unittest.main()
