"""How many wrong keys an address may send: TRIES at once, then one every EVERY_S, in bounded memory."""

import unittest

from lib.web import failed_tries
from lib.web.failed_tries import EVERY_S, TRIES, FailedTries, address_of


class Counting(unittest.TestCase):
    def setUp(self) -> None:
        self.now_s = 1000.0
        self.tries = FailedTries(clock=lambda: self.now_s)

    def use_up(self, peer: str) -> None:
        for _ in range(TRIES):
            self.assertEqual(0, self.tries.count(peer))

    def test_the_first_ones_are_let_be_and_the_next_is_told_how_long_to_wait(self) -> None:
        self.use_up("192.0.2.1")

        self.assertEqual(EVERY_S, self.tries.count("192.0.2.1"))
        self.assertEqual(0, self.tries.count("192.0.2.2"))

    def test_a_refused_try_does_not_make_the_wait_longer(self) -> None:
        self.use_up("192.0.2.1")
        for _ in range(1000):
            self.tries.count("192.0.2.1")

        self.now_s += EVERY_S

        self.assertEqual(0, self.tries.count("192.0.2.1"))
        self.assertEqual(EVERY_S, self.tries.count("192.0.2.1"))

    def test_all_are_forgotten_after_a_while(self) -> None:
        self.use_up("192.0.2.1")
        self.now_s += TRIES * EVERY_S

        self.use_up("192.0.2.1")

    def test_memory_is_bounded_and_who_came_last_is_remembered(self) -> None:
        for number in range(failed_tries.MOST_ADDRESSES + 500):
            self.tries.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.use_up("192.0.2.1")

        self.assertEqual(failed_tries.MOST_ADDRESSES, len(self.tries._forgotten_at))
        self.assertTrue(self.tries.count("192.0.2.1"))

    def test_a_network_of_ipv6_is_one_address(self) -> None:
        for peer, address in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
            ("fe80::1%eth0", "fe80::"),
            ("", ""),
        ):
            self.assertEqual(address, address_of(peer))


if __name__ == "__main__":
    unittest.main()
