"""A new job as a value: made in one call, with its fields in their places."""

import unittest

from lib.jobs.job import NewJob, make_new_job


class NewJobs(unittest.TestCase):
    def test_a_job_that_is_made_has_every_field_in_its_place(self) -> None:
        made = make_new_job("q-1", "high", "{}", 1, 2, 3, "key", 4, "throttle", 5, 6, "group", ("tag",), True, True)

        self.assertEqual(len(NewJob._fields), len(made))
        self.assertEqual(
            NewJob(
                job_id="q-1",
                priority="high",
                spec_text="{}",
                delay_ms=1,
                run_at_ms=2,
                expires_in_ms=3,
                unique_key="key",
                unique_ttl_ms=4,
                unique_mode="throttle",
                retain_ms=5,
                give_up_ms=6,
                group="group",
                tags=("tag",),
                may_lose_group=True,
                calls_back=True,
            ),
            made,
        )


if __name__ == "__main__":
    unittest.main()
