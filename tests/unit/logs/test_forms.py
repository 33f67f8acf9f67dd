"""logs/forms.py: each ready-made line is the one that Log.info makes of the same fields."""

import io
import json
import unittest

from lib.logs.console import Console
from lib.logs.forms import (
    JOB_ENQUEUED,
    JOB_FINISHED,
    JOB_STARTED,
    REQUEST_ENDED,
    REQUEST_STARTED,
    Form,
    attempt_fields,
)
from lib.logs.log import NOTHING, Log
from lib.logs.log_lines import INFO, WARNING
from tests.unit.logs.log_case import FakeFile

REQUEST = {"request_id": "r-1", "trace_id": "0af7651916cd43dd8448eb211c80319c"}
JOB = {**REQUEST, "job_id": "email-7", "queue": "mail", "type": "email"}
# Form, event, message, the fields, and what the message alone names.
LINES: list[tuple[Form, str, str, dict[str, object], tuple[str, ...]]] = [
    (
        REQUEST_STARTED,
        "request.started",
        "Request Started → ID: r-1 | POST /api/jobs/100%7B",
        {"request_id": "r-1", "method": "POST", "path": "/api/jobs/100%7B"},
        (),
    ),
    (
        REQUEST_ENDED,
        "request.ended",
        "Request Ended → ID: r-1 | Status: 202 | 1.4 ms",
        {**REQUEST, "status": 202, "duration_ms": 1.4},
        (),
    ),
    (JOB_ENQUEUED, "job.enqueued", "Email job added to queue", {**JOB}, ("Email",)),
    (JOB_STARTED, "job.started", "Job started: email-7", {**JOB, "attempt": 2}, ()),
    (JOB_FINISHED, "job.finished", "Job finished: email-7", {**JOB, "attempt": 2, "duration_ms": 21.0}, ()),
]


class Forms(unittest.TestCase):
    def setUp(self) -> None:
        self.file, self.screen = FakeFile(), io.StringIO()
        self.log = self.new_log(INFO)

    def new_log(self, level: int) -> Log:
        return Log(self.file, level=level, console=Console(self.screen), clock=lambda: 1_700_000_000.25)

    def test_a_form_makes_the_line_that_its_fields_would(self) -> None:
        for form, event, msg, fields, more in LINES:
            with self.subTest(event):
                self.file.batches.clear()
                self.screen.seek(0)
                self.screen.truncate()
                about = self.log.bind(caller='sh"op')

                self.log.write(form, about, *map(str, fields.values()), *more)
                self.log.info(event, msg, **fields, caller='sh"op')

                self.assertEqual(self.file.batches[0], self.file.batches[1])
                first, second = self.screen.getvalue().splitlines()
                self.assertEqual(first, second)
                self.assertIn(msg, first)

    def test_every_form_is_here(self) -> None:
        from lib.logs import forms

        self.assertCountEqual(
            [form for form in vars(forms).values() if isinstance(form, Form)], [line[0] for line in LINES]
        )

    def test_a_form_below_the_level_is_not_written(self) -> None:
        log = self.new_log(WARNING)

        log.write(REQUEST_STARTED, NOTHING, "r-1", "GET", "/")

        self.assertEqual(([], ""), (self.file.batches, self.screen.getvalue()))

    def test_the_fields_of_an_attempt_are_those_that_bind_makes(self) -> None:
        fields: dict[str, object] = {**JOB, "attempt": 2}

        self.assertEqual(self.log.bind(**fields).tail, attempt_fields(*map(str, fields.values())))
        self.assertEqual(fields, json.loads("{" + attempt_fields(*map(str, fields.values()))[1:] + "}"))


if __name__ == "__main__":
    unittest.main()
