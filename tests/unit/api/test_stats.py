"""How GET /api/errors shows a kind of errors."""

import unittest

from lib.api.stats import _kind
from lib.jobs.error_kinds import ErrorKind


class Kinds(unittest.TestCase):
    def test_what_stands_behind_the_name_of_a_secret_is_masked(self) -> None:
        shown = _kind(ErrorKind("q", "email", "ValueError", "login refused, password=hunter#", 12))

        self.assertEqual("login refused, password=********", shown["message"])

    def test_the_kinds_beyond_the_first_have_no_job_type(self) -> None:
        self.assertIsNone(_kind(ErrorKind("q", "", "other", "", 12))["job_type"])
        self.assertEqual("other", _kind(ErrorKind("q", "other", "other", "", 12))["job_type"])


if __name__ == "__main__":
    unittest.main()
