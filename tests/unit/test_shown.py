"""A job as the API shows it: the quick way to show a new one against the usual one."""

import unittest
from typing import Any

from lib.api.shown import new_job, present
from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord, JobSpec, to_json
from lib.tracing import new_trace

PAYLOADS: tuple[dict[str, Any], ...] = (
    {},
    {"text": 'q"uo\\te, ключ \u2028 \x00', "n": 12345678901234567890, "f": -0.0, "l": [[], {}, None, True]},
    {',"payload":': ',"payload":', "payload": {"payload": 1}},
    {"password": "hush", "deep": [{"api_key": "hush", "to": "a@b.c"}], "token": 7},
)


class NewJobs(unittest.TestCase):
    def test_a_new_job_is_shown_as_any_other(self) -> None:
        for payload in PAYLOADS:
            for kind, backoff, timeout_s, unique, run_at_ms in (
                ("email", Backoff(2, 3600), 60, "", None),
                ('odd "type", \\ "payload":', Backoff(0.5, 1.25), 0.001, 'k"ey', 1_790_000_000_001),
            ):
                spec = JobSpec(kind, payload, "an-id.1", new_trace(), 5, timeout_s, backoff, "high", unique)
                state = "delayed" if run_at_ms else "ready"
                taken = JobRecord(
                    "q-" + "0" * 32, "q", state, spec, created_ms=1, run_at_ms=run_at_ms, expires_ms=run_at_ms
                )

                self.assertEqual(new_job(taken, spec, spec.to_text()).decode(), to_json(present(taken)))
