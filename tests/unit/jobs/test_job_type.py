"""A job type's defaults: one for every field that a request may leave out, and every field of a spec that has one."""

import unittest

from lib.jobs.job_type import JobType
from lib.jobs.payload import decoder_for
from lib.jobs.request_fields import FIELDS, REQUIRED
from lib.jobs.spec import JobSpec


class Defaults(unittest.TestCase):
    def test_there_is_one_for_every_field_that_may_be_left_out(self) -> None:
        defaults = JobType("noop", print, decoder_for(dict), is_async=False).defaults

        self.assertEqual({*FIELDS, *JobSpec._field_defaults} - set(REQUIRED), set(defaults))


if __name__ == "__main__":
    unittest.main()
