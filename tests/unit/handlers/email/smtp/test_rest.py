"""How long all mails rest when the server says that they are too fast."""

import unittest
from random import Random

from lib.handlers.email.smtp.patience import DAILY, RATE
from lib.handlers.email.smtp.rest import Rest


class Rests(unittest.TestCase):
    def setUp(self) -> None:
        self.now_s = 1000.0
        self.rest = Rest(lambda: self.now_s, Random(1))

    def test_those_of_one_round_come_back_together(self) -> None:
        first_s = self.rest.pause_s(RATE)
        self.now_s += 0.25

        self.assertAlmostEqual(first_s - 0.25, self.rest.pause_s(RATE))

    def test_a_round_in_which_the_server_takes_none_is_followed_by_a_longer_rest(self) -> None:
        rests = []
        for _ in range(6):
            rests.append(self.rest.pause_s(RATE))
            self.now_s += rests[-1]

        self.assertTrue(RATE.base_s / 2 <= rests[0] <= RATE.base_s, rests)
        self.assertGreater(max(rests), 4 * RATE.base_s)

    def test_as_long_as_it_takes_some_the_rest_stays_short(self) -> None:
        for _ in range(10):
            rest_s = self.rest.pause_s(RATE)
            self.rest.note_accepted()
            self.now_s += rest_s

            self.assertLessEqual(rest_s, RATE.base_s)

    def test_an_interval_that_the_server_names_is_kept_whatever_rests_already(self) -> None:
        self.rest.pause_s(RATE)

        self.assertGreaterEqual(self.rest.pause_s(DAILY), DAILY.base_s)


if __name__ == "__main__":
    unittest.main()
