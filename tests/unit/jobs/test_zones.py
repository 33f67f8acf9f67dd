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
TZDATA_TAKEN_AWAY = """
import sys, zoneinfo
sys.modules["tzdata"] = None
from lib.jobs.zones import UnknownZone, find_zone, known_zones
known_zones()
zoneinfo.reset_tzpath(to=["/nonexistent"])
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
        meant = {
            "berlin": "Europe/Berlin",
            "europe/berlin": "Europe/Berlin",
            " Europe/Berlin ": "Europe/Berlin",
            "New York": "America/New_York",
            "utc": "UTC",
        }
        for name, zone in meant.items():
            with self.subTest(name), self.assertRaisesRegex(UnknownZone, f"do you mean '{zone}'"):
                find_zone(name)

    def test_an_offset_is_refused_and_no_zone_of_the_opposite_sign_proposed(self) -> None:
        # Etc/GMT+2 is two hours behind UTC, and who writes GMT+2 means two hours ahead.
        for name in ("UTC+2", "utc+02:00", "GMT+2", "+02:00", "-0530", "GMT-11"):
            with self.subTest(name), self.assertRaisesRegex(UnknownZone, "is an offset and no zone; write the zone of"):
                find_zone(name)

    def test_a_long_name_is_not_repeated_whole(self) -> None:
        with self.assertRaises(UnknownZone) as refused:
            find_zone("x" * 5000)

        self.assertLess(len(str(refused.exception)), 250)

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
        utc, warning, refusal = said(WITHOUT_TZDATA, PYTHONTZPATH="/nonexistent")

        self.assertEqual("UTC", utc)
        self.assertIn("apt-get install tzdata", warning)
        self.assertIn("no zone but UTC is known on this host", refusal)

    @unittest.skipUnless(HAS_ZONES, "this host has no tzdata")
    def test_a_zone_whose_data_are_taken_away_under_a_process_is_unknown(self) -> None:
        self.assertIn("the tzdata of this host can't be read for 'Europe/Berlin'", "".join(said(TZDATA_TAKEN_AWAY)))


def said(program: str, **environment: str) -> list[str]:
    """The lines that a Python program printed."""
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return ended.stdout.splitlines()


if __name__ == "__main__":
    unittest.main()
