"""RFC 3339 text and ms since 1970, one into the other."""

import unittest

from lib.jobs.timestamps import milliseconds, timestamp


class Times(unittest.TestCase):
    def test_rfc_3339_in_its_forms(self) -> None:
        for text, ms in (
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-23T12:49:48.123Z", 1_795_438_188_123),
            ("2026-11-23t13:49:48.123456789+01:00", 1_795_438_188_123),
            ("2026-11-23 04:49:48.1-08:00", 1_795_438_188_100),
            ("2024-02-29T00:00:00z", 1_709_164_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2026-11-23T12:49:48.9999999999999999999Z", 1_795_438_188_999),
            ("2026-11-23T12:49:48.0570000000Z", 1_795_438_188_057),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("2017-01-01T00:59:60.5+01:00", 1_483_228_800_500),
        ):
            self.assertEqual(ms, milliseconds(text), text)

    def test_a_time_that_is_shown_is_read_back(self) -> None:
        for ms in (0, 1, *range(900, 1000), 1_795_438_188_123, 253_402_300_799_999):
            self.assertEqual(ms, milliseconds(timestamp(ms)))


if __name__ == "__main__":
    unittest.main()
