"""For how long Redis has been silent, and that an outage is logged once at each end."""

import unittest
from unittest.mock import patch

from lib.errors import RedisUnavailable
from lib.work.runner.redis_contact import RedisContact
from tests.a_log import ALog


class Contact(unittest.TestCase):
    def setUp(self) -> None:
        self.now_s = 1000.0
        self.enterContext(patch("time.monotonic", lambda: self.now_s))
        self.log = ALog(self)
        self.contact = RedisContact("q", self.log)

    def silent_s(self, after_s: float, *, is_asking: bool = True) -> float:
        self.now_s += after_s
        return self.contact.silent_s(is_asking=is_asking)

    def test_silence_is_counted_since_the_last_answer(self) -> None:
        self.assertEqual([1.0, 2.0, 3.0], [self.silent_s(1) for _ in range(3)])

        self.contact.note_answer()

        self.assertEqual(1.0, self.silent_s(1))

    def test_the_first_free_slot_after_long_jobs_is_no_silence(self) -> None:
        self.assertEqual([0.0] * 60, [self.silent_s(1, is_asking=False) for _ in range(60)])

        self.assertEqual(0.5, self.silent_s(0.5))

    def test_a_loop_that_has_not_turned_for_long_is_no_silence(self) -> None:
        self.assertLess(self.silent_s(60), 5)

    def test_while_redis_is_known_to_be_away_nothing_is_counted_nor_afterwards(self) -> None:
        self.contact.note_away(RedisUnavailable("refused"))
        self.assertEqual(0.0, self.silent_s(3))

        self.contact.note_back()

        self.assertEqual(0.0, self.silent_s(0))

    def test_an_outage_is_logged_once_at_its_begin_and_once_at_its_end(self) -> None:
        for _ in range(2):
            self.contact.note_away(RedisUnavailable("refused"))
        self.now_s += 3
        for _ in range(2):
            self.contact.note_back()

        said = [(line["event"], line["msg"]) for line in self.log.lines()]
        self.assertEqual([("redis.lost", "Database away: refused"), ("redis.found", "Database back after 3.0 s")], said)


if __name__ == "__main__":
    unittest.main()
