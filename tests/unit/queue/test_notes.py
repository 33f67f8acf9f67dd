"""What an attempt says, until Redis is known to have it: nothing is lost, and of too much the newest stays."""

import threading
import unittest

from lib.queue.notes import LINE_CHARS, LINES_KEPT, Notes


class Said(unittest.TestCase):
    def setUp(self) -> None:
        self.now_s = 1000.0
        self.notes = Notes("q-1", 1, clock=lambda: self.now_s)

    def add(self, *lines: str) -> None:
        for line in lines:
            self.notes.add_line(line)

    def test_nothing_said_is_nothing_to_be_told(self) -> None:
        self.assertEqual(("", ""), (self.notes.unsent()[0], self.notes.end()))

    def test_what_was_told_is_not_told_again_and_what_came_since_is(self) -> None:
        self.add("one", "two")
        self.notes.set_progress(0.5, "half")
        text, mark = self.notes.unsent()
        self.add("three")

        self.assertEqual('0\x1dl0 one\x1dl0 two\x1dp{"fraction": 0.5, "note": "half"}', text)
        self.assertTrue(self.notes.sent(mark))
        self.assertEqual("2\x1dl0 three", self.notes.unsent()[0])
        self.assertFalse(self.notes.sent(self.notes.unsent()[1]))

    def test_it_is_told_for_how_long_each_line_was_logged_when_it_is_told(self) -> None:
        self.add("one")
        self.now_s += 1.5
        self.add("two")
        self.now_s += 0.0409

        self.assertEqual("0\x1dl1540 one\x1dl40 two", self.notes.unsent()[0])
        self.now_s -= 100
        self.assertEqual("0\x1dl0 one\x1dl0 two", self.notes.unsent()[0])

    def test_progress_that_came_while_another_was_on_its_way_stays(self) -> None:
        self.notes.set_progress(0.5, "")
        _, mark = self.notes.unsent()
        self.notes.set_progress(0.6, "")

        self.assertTrue(self.notes.sent(mark))
        self.assertIn("0.6", self.notes.end())

    def test_the_newest_lines_stay_with_their_numbers(self) -> None:
        self.add(*[f"{number}" for number in range(1000)])

        first, *lines = self.notes.unsent()[0].split("\x1d")

        self.assertEqual((str(1000 - LINES_KEPT), LINES_KEPT), (first, len(lines)))
        self.assertEqual(["l0 800", "l0 999"], [lines[0], lines[-1]])

    def test_a_mark_from_before_lines_were_dropped_costs_none_that_came_since(self) -> None:
        self.add("old")
        _, mark = self.notes.unsent()
        self.add(*[f"{number}" for number in range(LINES_KEPT)])

        self.assertTrue(self.notes.sent(mark))

        self.assertEqual(LINES_KEPT, self.notes.unsent()[0].count("\x1dl"))

    def test_the_last_checkpoint_is_told_until_it_is_known(self) -> None:
        self.notes.set_checkpoint("[1]")
        text, mark = self.notes.unsent()
        self.notes.set_checkpoint("[2]")

        self.assertEqual("0\x1dc[1]", text)
        self.assertTrue(self.notes.sent(mark))
        self.assertEqual("0\x1dc[2]", self.notes.end())
        self.assertEqual("", self.notes.end())

    def test_a_checkpoint_goes_with_a_job_that_is_done(self) -> None:
        self.notes.set_checkpoint("[1]")
        self.notes.sent(self.notes.unsent()[1])

        self.assertEqual("0\x1dd", self.notes.end(is_done=True))
        self.assertEqual("", Notes("q-1", 1).end(is_done=True))

    def test_behind_the_end_nothing_is_left_and_nothing_is_added(self) -> None:
        self.add("one")
        self.assertEqual("0\x1dl0 one", self.notes.end())
        self.add("late")
        self.notes.set_progress(1, "late")

        self.assertEqual(("", ""), (self.notes.unsent()[0], self.notes.end()))
        self.assertFalse(self.notes.must_call_loop())

    def test_a_line_is_cut_and_holds_no_control_character(self) -> None:
        class Odd(str):
            def __getitem__(self, at: object) -> str:
                raise RuntimeError

        self.add(Odd("a\x1c\x1d\x1e\x1f\n\0b"), "x" * 5000)

        _, odd, long = self.notes.unsent()[0].split("\x1d")
        self.assertEqual(("l0 a      b", LINE_CHARS + len("l0 ")), (odd, len(long)))

    def test_of_many_words_of_threads_each_is_there_and_the_loop_is_called_once(self) -> None:
        start = threading.Barrier(4)
        calls: list[bool] = []

        def speak() -> None:
            start.wait(5)
            for _ in range(25):
                self.notes.add_line("x")
                calls.append(self.notes.must_call_loop())

        threads = [threading.Thread(target=speak) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)

        self.assertEqual((100, 1), (self.notes.unsent()[0].count("\x1dl"), sum(calls)))


if __name__ == "__main__":
    unittest.main()
