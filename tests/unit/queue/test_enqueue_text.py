"""lib/queue/enqueue_text.py: new jobs, byte for byte as enqueue.lua reads them, and its answer."""

import re
import unittest

from lib.errors import OutcomeUnknown
from lib.jobs.job import Accepted, NewJob
from lib.queue.enqueue_text import accepted_from, new_jobs_text
from lib.queue.scripts import PARTS

JOBS = [NewJob(f"q-{number}", "normal", "{}") for number in (1, 2, 3)]


class Text(unittest.TestCase):
    def test_jobs_are_written_as_the_script_reads_them(self) -> None:
        for job, text in (
            (NewJob("q-1", "normal", '{"v":1}'), 'q-1\x1fnormal\x1f\x1f{"v":1}\x1e'),
            (NewJob("q-1", "high", "{}", delay_ms=0), "q-1\x1fhigh\x1fd+0\x1d\x1f{}\x1e"),
            (NewJob("q-1", "low", "{}", run_at_ms=9), "q-1\x1flow\x1fd9\x1d\x1f{}\x1e"),
            (
                NewJob("q-1", "low", "{}", None, None, 1, "u", 2, "keep", "i", "f", 3, 4),
                "q-1\x1flow\x1fe1\x1duu\x1dt2\x1dii\x1dff\x1dr3\x1dp4\x1d\x1f{}\x1e",
            ),
            (
                NewJob("q-1", "low", "{}", unique_key="u", unique_mode="throttle"),
                "q-1\x1flow\x1fuu\x1dmt\x1d\x1f{}\x1e",
            ),
            (
                NewJob("q-1", "low", "{}", group="tenant-42", tags=("eu", "order-17")),
                "q-1\x1flow\x1fgtenant-42\x1daeu,order-17\x1d\x1f{}\x1e",
            ),
        ):
            self.assertEqual(text, new_jobs_text([job]))
        self.assertEqual("".join(f"q-{n}\x1fnormal\x1f\x1f{{}}\x1e" for n in (1, 2, 3)), new_jobs_text(JOBS))

    def test_each_option_has_a_letter_that_the_script_knows(self) -> None:
        lua = (PARTS / "job_options.lua").read_text(encoding="utf-8")
        (table,) = re.findall(r"option_names = option_names\n    or \{(.*?)^    \}", lua, re.MULTILINE | re.DOTALL)
        every = NewJob("q-1", "low", "{}", 1, None, 2, "3", 4, "throttle", "5", "6", 7, 8, "9", ("10",), False, True)

        options = new_jobs_text([every]).split("\x1f")[2]

        known = set(re.findall(r"^      (\w) = ", table, re.MULTILINE)) - set(
            "bjlo"
        )  # Of jobs in graphs: workflow_text.py.
        self.assertEqual(sorted(known), sorted(part[0] for part in options.split("\x1d")[:-1]))
        self.assertEqual(12, options.count("\x1d"))


class Answer(unittest.TestCase):
    def test_jobs_that_are_not_named_were_taken_in(self) -> None:
        for answer in (b"1764410000123", b"+1764410000123"):
            self.assertEqual([Accepted(job.job_id, "new", 1764410000123) for job in JOBS], accepted_from(JOBS, answer))

    def test_the_others_have_their_outcome(self) -> None:
        answer = b"5\x1e1\x1fduplicate\x1fq-9\x1e2\x1ffull\x1f30\x1e3\x1fbrief\x1f"
        throttled = b"5\x1e3\x1fthrottled\x1fq-9 40"

        self.assertEqual(
            [Accepted("q-9", "duplicate", 5), Accepted("q-2", "full", 5, 30), Accepted("q-3", "brief", 5)],
            accepted_from(JOBS, answer),
        )
        self.assertEqual(Accepted("q-9", "throttled", 5, 40), accepted_from(JOBS, throttled)[2])

    def test_nobody_knows_of_a_commit_that_was_overtaken(self) -> None:
        with self.assertRaises(OutcomeUnknown):
            accepted_from(JOBS, b"superseded")

    def test_one_that_is_made_without_the_constructor_has_every_field(self) -> None:
        made = accepted_from(JOBS, b"5")[0]

        self.assertIs(Accepted, type(made))
        self.assertEqual(len(Accepted._fields), len(made))


if __name__ == "__main__":
    unittest.main()
