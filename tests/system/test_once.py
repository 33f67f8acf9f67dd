"""A handler that enqueues under a name, and fails or takes its runner down behind it: its children are there once."""

import unittest

from tests.system.worker_case import WorkerCase


class Once(WorkerCase):
    def test_a_parent_that_is_tried_again_or_run_again_by_hand_has_the_same_children(self) -> None:
        self.ready()
        kinds = (("parent", ""), ("parent_thread", ""), ("parent", "kill"))
        parents = [self.post(name, text=text) for name, text in kinds]
        self.until_all(parents, "completed")
        children = {record.job_id: record.result for record in self.records(parents)}

        for job_id in parents:
            self.asked(lambda queue, job_id=job_id: queue.retry(job_id))  # type: ignore[misc]
        self.until_all(parents, "completed")

        self.assertEqual(children, {record.job_id: record.result for record in self.records(parents)})
        ids = [child for of_one in children.values() for child in of_one]
        self.until_all(ids, "completed")
        totals = self.redis.client.hgetall("wb:{default}:totals")
        self.assertEqual((6, 6), (len(set(ids)), int(totals[b"enqueued noop"])))

    def test_a_name_that_is_none_is_a_fault_that_says_so(self) -> None:
        self.ready()
        job_id = self.post("misnames", {"max_attempts": 1})

        self.until_all([job_id], "dead")

        error = self.record(job_id).error or {}
        self.assertEqual(
            ("InvalidFields", "/once must be a name of 1 to 64 letters, digits, _ . or -"),
            (error["type"], error["message"]),
        )


if __name__ == "__main__":
    unittest.main()
