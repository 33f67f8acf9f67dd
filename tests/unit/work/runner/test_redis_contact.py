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

    def test_silence_is_counted_since_the_last_answer(self) -> None:
        self.now_s += 3

        self.assertEqual(3.0, self.contact.silent_s)
        self.contact.count_from_now()
        self.assertEqual(0.0, self.contact.silent_s)

    def test_while_redis_is_known_to_be_away_nothing_is_counted_nor_afterwards(self) -> None:
        self.contact.note_away(RedisUnavailable("refused"))
        self.now_s += 3
        self.assertEqual(0.0, self.contact.silent_s)

        self.contact.note_back()

        self.assertEqual(0.0, self.contact.silent_s)

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
