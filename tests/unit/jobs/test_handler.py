"""What job modules import: the exceptions keep the name under which logs and pickles know them."""

import traceback
import unittest

from lib.jobs import registry
from lib.jobs.handler import Discard, Retry, Snooze


class Exceptions(unittest.TestCase):
    def test_they_are_named_after_the_module_that_they_are_imported_from(self) -> None:
        for kind in (Retry, Snooze, Discard):
            self.assertIs(kind, getattr(registry, kind.__name__))
            self.assertEqual("lib.jobs.registry", kind.__module__)

        self.assertEqual(["lib.jobs.registry.Retry: later\n"], traceback.format_exception_only(Retry("later")))


if __name__ == "__main__":
    unittest.main()
