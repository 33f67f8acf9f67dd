"""How a child's end is told."""

import unittest

from lib.processes.child_process import describe_end


class Ends(unittest.TestCase):
    def test_an_end_is_told_in_words(self) -> None:
        self.assertEqual("exit code 70", describe_end(70))
        self.assertEqual("killed by SIGKILL", describe_end(-9))
        self.assertEqual("killed by signal 99", describe_end(-99))


if __name__ == "__main__":
    unittest.main()
