"""Zones by name: UTC without any data of the host, the others by its tzdata, and what is said where there is none."""

import subprocess
import sys
import unittest
from datetime import UTC
from pathlib import Path

from lib.jobs.zones import UnknownZone, find_zone, known_zones, read_anew, tzdata_text

ROOT = Path(__file__).resolve().parents[3]
HAS_ZONES = "Europe/Berlin" in known_zones()
WITHOUT_TZDATA = """
import sys
sys.modules["tzdata"] = None
from lib.jobs.zones import UnknownZone, find_zone, tzdata_warning
print(find_zone("UTC"))
print(tzdata_warning())
try:
    find_zone("Europe/Berlin")
except UnknownZone as fault:
    print(fault)
"""


class Zones(unittest.TestCase):
    def test_utc_is_not_asked_of_the_host(self) -> None:
        for name in ("UTC", "Etc/UTC", "Z"):
            self.assertIs(UTC, find_zone(name))

    @unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
    def test_a_zone_is_found_by_its_name(self) -> None:
        self.assertEqual("Europe/Berlin", str(find_zone("Europe/Berlin")))

    @unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
    def test_what_is_no_zone_of_its_own_is_refused(self) -> None:
        for name in ("localtime", "Factory", "right/Europe/Berlin", "../etc/passwd", "/etc/localtime", "", "Mars/Base"):
            with self.subTest(name), self.assertRaisesRegex(UnknownZone, r"is known on this host; zoneinfo finds \d+"):
                find_zone(name)

    @unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
    def test_a_zone_that_is_nearly_right_is_named(self) -> None:
        for name in ("berlin", "europe/berlin"):
            with self.subTest(name), self.assertRaisesRegex(UnknownZone, "do you mean 'Europe/Berlin'"):
                find_zone(name)

    @unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
    def test_rules_are_read_again_when_asked_for(self) -> None:
        first = find_zone("Europe/Berlin")

        self.assertIs(first, find_zone("Europe/Berlin"))
        read_anew()
        self.assertIsNot(first, find_zone("Europe/Berlin"))

    @unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
    def test_which_tzdata_it_is_can_be_told(self) -> None:
        self.assertRegex(tzdata_text(), r"^[45]\d\d zones of tzdata (20\d\d[a-z]|of an unknown version)$")

    def test_a_host_without_tzdata_has_utc_and_says_what_to_install(self) -> None:
        program = subprocess.run(
            [sys.executable, "-c", WITHOUT_TZDATA],
            env={"PYTHONTZPATH": "/nonexistent"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )

        utc, warning, refusal = program.stdout.splitlines()
        self.assertEqual("UTC", utc)
        self.assertIn("apt-get install tzdata", warning)
        self.assertIn("no zone but UTC is known on this host", refusal)


if __name__ == "__main__":
    unittest.main()
