"""A drain begins once, and calls back everybody that waits."""

import unittest

from lib.web.drain import Drain


class Begin(unittest.TestCase):
    def test_callbacks_are_called_in_their_order_once_it_has_begun(self) -> None:
        drain, seen = Drain(), list[tuple[str, bool]]()
        drain.on_begin(lambda: seen.append(("first", drain.has_begun)))
        drain.on_begin(lambda: seen.append(("second", drain.has_begun)))
        self.assertFalse(drain.has_begun)

        drain.begin()

        self.assertEqual([("first", True), ("second", True)], seen)


if __name__ == "__main__":
    unittest.main()
