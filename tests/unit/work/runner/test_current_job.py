"""The context variables that each job starts with."""

import contextvars
import unittest
from typing import cast

from lib.logs.log import NOTHING, Bound
from lib.work.runner.context import Context
from lib.work.runner.current_job import CURRENT_JOB, BlankContext, about_current_job

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant_of_a_job")


class AContext:
    about = Bound({"job_id": "q-1"}, "")


class Blank(unittest.TestCase):
    def setUp(self) -> None:
        contextvars.copy_context().run(self.make)

    def make(self) -> None:
        TENANT.set("of the start")
        self.blank = BlankContext()

    def test_a_copy_is_unchanged_whatever_job_it_works_for(self) -> None:
        copy = self.blank.copy()
        copy.run(CURRENT_JOB.set, cast(Context, AContext()))

        self.assertTrue(self.blank.is_unchanged(copy))

    def test_a_copy_in_which_a_variable_was_set_or_added_is_not(self) -> None:
        changed, added = self.blank.copy(), self.blank.copy()
        changed.run(TENANT.set, "of a job")
        other: contextvars.ContextVar[str] = contextvars.ContextVar("other")
        added.run(other.set, "of a job")

        self.assertFalse(self.blank.is_unchanged(changed) or self.blank.is_unchanged(added))

    def test_lines_that_a_library_logs_are_the_current_jobs(self) -> None:
        copy = self.blank.copy()

        self.assertIs(NOTHING, copy.run(about_current_job))
        copy.run(CURRENT_JOB.set, cast(Context, AContext()))
        self.assertIs(AContext.about, copy.run(about_current_job))


if __name__ == "__main__":
    unittest.main()
