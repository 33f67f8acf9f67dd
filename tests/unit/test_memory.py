"""lib/memory.py: what this process holds, on Linux and where there is no /proc."""

import sys
import unittest
from pathlib import Path

from lib.memory import MIB, _peak_bytes, rss_bytes


class Rss(unittest.TestCase):
    def test_it_grows_with_what_is_held(self) -> None:
        before = rss_bytes()
        held = b"x" * (64 * MIB)

        self.assertGreater(rss_bytes() - before, 60 * MIB)
        self.assertEqual(64 * MIB, len(held))

    @unittest.skipUnless(sys.platform == "linux", "only Linux has /proc/self/status")
    def test_it_is_what_the_system_says(self) -> None:
        told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())

        for held, name in ((rss_bytes(), "VmRSS"), (_peak_bytes(), "VmHWM")):
            self.assertAlmostEqual(int(told[name].split()[0]) * 1024, held, delta=4 * MIB)


if __name__ == "__main__":
    unittest.main()
