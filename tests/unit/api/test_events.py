"""For how long a stream of events goes on."""

import unittest

from lib.api.events import readable_s

NOW_S = 1_764_410_400.0


class Readable(unittest.TestCase):
    def test_a_stream_ends_when_it_was_asked_to_or_with_its_key_whichever_is_first(self) -> None:
        for for_s, expires_s, expected in (
            (None, None, None),
            (5.0, None, 5.0),
            (None, NOW_S + 60, 60.0),
            (5.0, NOW_S + 60, 5.0),
            (300.0, NOW_S + 60, 60.0),
            (0.0, NOW_S + 60, 0.0),
            (None, NOW_S - 1, 0.0),
        ):
            with self.subTest(for_s=for_s, expires_s=expires_s):
                self.assertEqual(expected, readable_s(for_s, expires_s, NOW_S))


if __name__ == "__main__":
    unittest.main()
