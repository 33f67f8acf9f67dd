"""A job as the API shows it: `new_job`, which is quick, gives the same JSON as `present`."""

import random
import unittest
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.job import PRIORITIES, JobRecord, NewJob
from lib.jobs.shown import just_taken, new_job, present
from lib.jobs.spec import JobSpec
from lib.json_text import to_json
from tests.traces import new_trace

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
                spec = JobSpec(kind, payload, "an-id.1", new_trace(), 5, timeout_s, backoff, "high", unique_key=unique)
                due_ms = run_at_ms
                retain_ms = {None: None, 1_790_000_000_001: 1500}[due_ms]
                times: dict[str, Any] = {"run_at_ms": due_ms, "expires_in_ms": due_ms, "retain_ms": retain_ms}
                times["give_up_ms"] = retain_ms
                job = NewJob("q-" + "0" * 32, "high", spec.to_text(), **times)
                taken = JobRecord(job.job_id, "q", "delayed" if due_ms else "ready", spec, created_ms=1)
                if due_ms:
                    taken = taken._replace(run_at_ms=due_ms, expires_ms=1 + due_ms, retain_ms=1500)
                    taken = taken._replace(give_up_ms=1500, gives_up_ms=due_ms + 1500)

                shown = to_json({**present(taken), "outcome": "created"})

                self.assertEqual(f"{shown}\n", new_job(job, spec, 1).decode())

    def test_whatever_was_asked_for_it_is_shown_as_any_other(self) -> None:
        rng = random.Random(19)
        values: dict[str, tuple[Any, ...]] = {
            "type": ("email", "100 %s ?", 'odd "type"', "\0id", "ключ"),
            "payload": PAYLOADS,
            "request_id": ("an-id.1", "b"),
            "trace": (new_trace(), new_trace()),
            "max_attempts": (1, 5, 1000),
            "timeout_s": (60, 0.001, 604_800),
            "backoff": (Backoff(2, 3600), Backoff(0.5, 1.25)),
            "priority": PRIORITIES,
            "group": ("", "tenant-42", "?"),
            "schedule": ("", "daily-report"),
            "scheduled_for": (0, 1_790_000_000_000),
            "tags": ((), ("eu",), ("eu", "order/17:a")),
            "by": ("", f"q-{1:032x}"),
            "workflow": ("", f"default-{2:032x}"),
            "unique_key": ("", 'k"ey %', "?"),
            "callback_url": ("", "https://a.example/done?token=hush&v"),
        }
        times: dict[str, tuple[Any, ...]] = {
            "expires_in_ms": (None, 1, 86_400_000),
            "retain_ms": (None, 0, 1500, 60_000),
            "give_up_ms": (None, 1, 316_224_000_000),
        }
        starts: tuple[dict[str, Any], ...] = (
            {},
            {"delay_ms": 1500},
            {"run_at_ms": 1},
            {"run_at_ms": 253_402_300_799_999},
        )
        self.assertEqual(list(JobSpec._fields), list(values), "a field that this test does not vary")
        for _ in range(3000):
            spec = JobSpec(**{name: rng.choice(some) for name, some in values.items()})
            chosen = {name: rng.choice(some) for name, some in times.items()}
            job_id = rng.choice(("q-", "email-eu-")) + f"{rng.getrandbits(128):032x}"
            job = NewJob(job_id, spec.priority, spec.to_text(), **chosen, **rng.choice(starts))

            shown = to_json({**present(just_taken(job, spec, 1_789_000_000_001)), "outcome": "created"})

            self.assertEqual(f"{shown}\n", new_job(job, spec, 1_789_000_000_001).decode())


if __name__ == "__main__":
    unittest.main()
