"""lib/jobs/group_strikes.py: the strikes of a group as Redis keeps them."""

import unittest

from lib.jobs.group_strikes import GroupStrikes, strikes_from


class Read(unittest.TestCase):
    def test_the_words_may_hold_blanks_or_be_missing(self) -> None:
        self.assertEqual(GroupStrikes(3, 17, 21, "LinkLost: a b"), strikes_from("3 17 21 LinkLost: a b"))
        self.assertEqual(GroupStrikes(3, 17, 21, ""), strikes_from("3 17 21 "))
        self.assertEqual(GroupStrikes(3, 17, 21, ""), strikes_from("3 17 21"))

    def test_what_somebody_wrote_by_hand_is_none(self) -> None:
        for text in (
            "",
            "3",
            "3 17",
            "many 17 21 x",
            "3 -17 21 x",
            "3 17 ² x",
            f"3 17 {'9' * 5000} x",
            f"3 17 {'9' * 19} x",
        ):
            self.assertIsNone(strikes_from(text), text)


if __name__ == "__main__":
    unittest.main()
