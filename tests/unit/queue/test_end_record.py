"""lib/queue/end_record.py: the text of each way in which an attempt ends, byte for byte as the scripts read it."""

import unittest
from typing import get_type_hints

from lib.queue.end_record import (
    EndRecord,
    are_ours,
    complete_record,
    complete_without_result,
    fail_record,
    note_record,
    records_text,
    release_record,
    snooze_record,
)

ERROR = {"type": "ValueError", "message": "no"}


class Text(unittest.TestCase):
    def test_every_end_is_written_as_its_script_reads_it(self) -> None:
        for record, text in (
            (complete_record("q-1", 7, "email", '{"sent":1}'), 'q-1\x1f7\x1f-email\x1f{"sent":1}\x1e'),
            (complete_record("q-1", 7, "email", ""), "q-1\x1f7\x1f-email\x1f\x1e"),
            (complete_without_result("q-1", 7, "email", "no JSON"), "q-1\x1f7\x1ftemail\x1fno JSON\x1e"),
            (fail_record("q-1", 7, ERROR, 2.5), 'q-1\x1f7\x1f2500\x1f{"type":"ValueError","message":"no"}\x1e'),
            (fail_record("q-1", 7, ERROR, -1), 'q-1\x1f7\x1f0\x1f{"type":"ValueError","message":"no"}\x1e'),
            (fail_record("q-1", 7, ERROR, None), 'q-1\x1f7\x1f\x1f{"type":"ValueError","message":"no"}\x1e'),
            (fail_record("q-1", 7, {}, 2.5, holds_group=True), "q-1\x1f7\x1f2500h\x1f{}\x1e"),
            (fail_record("q-1", 7, {}, None, holds_group=True), "q-1\x1f7\x1f\x1f{}\x1e"),
            (fail_record("q-1", 7, {}, 2.5, strike="Lost: a\x1f\x1eé"), "q-1\x1f7\x1f2500sLost: a  é\x1f{}\x1e"),
            (fail_record("q-1", 7, {}, 2, holds_group=True, strike=""), "q-1\x1f7\x1f2000hs\x1f{}\x1e"),
            (fail_record("q-1", 7, {}, None, strike="x" * 300), f"q-1\x1f7\x1fs{'x' * 200}\x1f{{}}\x1e"),
            (snooze_record("q-1", 7, {}, 60), "q-1\x1f7\x1f60000\x1f{}\x1e"),
            (snooze_record("q-1", 7, {}, 60, holds_group=True), "q-1\x1f7\x1f60000h\x1f{}\x1e"),
            (snooze_record("q-1", 7, {}, 60, is_unknown=True), "q-1\x1f7\x1f60000u\x1f{}\x1e"),
            (release_record("q-1", 7), "q-1\x1f7\x1f\x1f\x1e"),
            (release_record("q-1", 7, is_begun=False), "q-1\x1f7\x1fn\x1f\x1e"),
            (note_record("q-1", 7, "0\x1dlsent"), "q-1\x1f7\x1f\x1f0\x1dlsent\x1e"),
            (
                complete_record("q-1", 7, "email", "1").with_notes("0\x1dlsent"),
                "q-1\x1f7\x1f-email\x1f1\x1d0\x1dlsent\x1e",
            ),
        ):
            self.assertEqual(text.encode(), records_text([record]))

    def test_records_stand_one_behind_the_other_and_a_lone_surrogate_stops_none(self) -> None:
        records = [release_record("q-1", 1), complete_record("q-2", 2, "email", '"\udc80"')]

        self.assertEqual(b'q-1\x1f1\x1f\x1f\x1eq-2\x1f2\x1f-email\x1f"?"\x1e', records_text(records))

    def test_without_notes_a_record_is_what_it_was(self) -> None:
        record = release_record("q-1", 1)

        self.assertIs(record, record.with_notes(""))

    def test_one_that_is_made_without_the_constructor_has_every_field(self) -> None:
        made = complete_record("q-1", 7, "email", "")

        self.assertEqual(len(EndRecord._fields), len(made))
        self.assertEqual(list(get_type_hints(EndRecord).values()), [type(value) for value in made])
        self.assertEqual(EndRecord("q-1", 7, "\x1f-email\x1f"), made)

    def test_a_letter_for_each_says_whose_the_job_was(self) -> None:
        self.assertEqual([True, False, True], are_ours(b"101"))


if __name__ == "__main__":
    unittest.main()
