"""The Date field of answers."""

import unittest

from lib.http1.server.outgoing import DateLine


class TestDateLine(unittest.TestCase):
    def test_the_date_is_made_anew_each_second(self) -> None:
        times = iter([784111777.0, 784111777.9, 784111778.0])
        date = DateLine(lambda: next(times))

        first, second, third = date(), date(), date()

        self.assertEqual(first, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        self.assertIs(second, first)
        self.assertEqual(third, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n")
