"""lib/queue/framing.py: bytes of Redis' read as text, numbers, JSON and counters, whatever somebody wrote by hand."""

import unittest

from lib.queue.framing import (
    FIELD,
    FIELD_BYTE,
    LINE_BYTE,
    PART_BYTE,
    RECORD_BYTE,
    counters,
    exact_text,
    named,
    optional_json,
    optional_number,
    optional_object,
    optional_text,
    shown_text,
    texts,
)
from lib.redis_link.resp import encoded


class Framing(unittest.TestCase):
    def test_the_separators_are_those_that_the_scripts_know(self) -> None:
        self.assertEqual((b"\x1e", b"\x1f", b"\x1d", b"\x1c"), (RECORD_BYTE, FIELD_BYTE, PART_BYTE, LINE_BYTE))

    def test_a_byte_that_is_no_utf_8_is_shown_and_an_exact_text_restores_it(self) -> None:
        self.assertEqual("a\ufffd", shown_text(b"a\xff"))
        self.assertTrue(encoded((exact_text(b"a\xff"),)).endswith(b"\r\na\xff\r\n"))

    def test_what_is_absent_or_makes_no_sense_is_none(self) -> None:
        self.assertEqual([None, None, "é"], [optional_text(raw) for raw in (None, b"", "é".encode())])
        numbers = (None, b"", b"-1", b"1.5", b"1e3", b"x", b"0", b"17")
        self.assertEqual([None] * 6 + [0, 17], [optional_number(raw) for raw in numbers])
        deep = b"[" * 100_000
        self.assertEqual([None] * 5 + [[1]], [optional_json(raw) for raw in (None, b"", b"{", b"\xff", deep, b"[1]")])
        self.assertEqual([None, None, {"a": 1}], [optional_object(raw) for raw in (b"[1]", b"7", b'{"a":1}')])

    def test_an_answer_by_name_is_read_and_one_that_is_cut_off_is_refused(self) -> None:
        self.assertEqual({"active": 1, "beats": [b"w"]}, named([b"active", 1, b"beats", [b"w"]]))
        with self.assertRaises(ValueError):
            named([b"active", 1, b"beats"])

    def test_counters_are_read_and_what_is_no_count_is_left_out(self) -> None:
        text = FIELD.join(("completed email", "12", "dead email", "1", "broken", "1.5")).encode()

        self.assertEqual({"completed email": 12, "dead email": 1}, counters(text))
        self.assertEqual({"completed email": "12", "dead email": "1", "broken": "1.5"}, texts(text))
        self.assertEqual({}, counters(b""))
        with self.assertRaises(ValueError):
            counters(b"completed email")


if __name__ == "__main__":
    unittest.main()
