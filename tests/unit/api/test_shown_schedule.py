"""A schedule in the words of the API, also where this host can't work its times out."""

import unittest
from typing import Any

from lib.api.shown_schedule import present_day, present_preview, present_schedule
from lib.jobs.schedule import Schedule, ScheduleSlot
from lib.queue.schedule_seen import ScheduleRun, ScheduleSeen, SlotOutcome
from tests import contract

CONTRACT = contract.load()
JOB_ID = "reports-01a2074f9c0b800080005d12a47e70c4"
NOW = 1_795_953_600_000  # 2026-11-29T12:00:00Z
JOB = {"type": "report", "payload": {"api_key": "k-123"}, "queue": "reports"}


SOON = ScheduleSlot(NOW + 60_000, NOW + 60_000)


def seen(slot: ScheduleSlot | None = SOON, **fields: Any) -> ScheduleSeen:
    schedule = Schedule(**{"cron": "", "every_ms": 60_000, "timezone": "UTC", "job": JOB, **fields})
    return ScheduleSeen("s", schedule, 7, NOW, slot, NOW)


class Shown(unittest.TestCase):
    def test_it_has_the_fields_of_the_contract(self) -> None:
        runs = (ScheduleRun(NOW, JOB_ID, "active"), ScheduleRun(NOW - 60_000, JOB_ID, None))
        outcomes = (
            SlotOutcome(NOW, NOW, "fired", "reports-1"),
            SlotOutcome(NOW, NOW, "missed", "3"),
            SlotOutcome(NOW, None, "run", "reports-2"),
            SlotOutcome(NOW, NOW, "skipped", "reports-1"),
        )
        shown = present_schedule(seen()._replace(runs=runs, outcomes=outcomes, reason="full"))

        self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Schedule"))))
        self.assertEqual({*CONTRACT.schema("Schedule")["properties"]}, {*shown})
        self.assertEqual("********", shown["job"]["payload"]["api_key"])
        self.assertEqual([0, 3, 0, 0], [one["missed"] for one in shown["outcomes"]])
        self.assertEqual("reports-1 had not ended", shown["outcomes"][3]["reason"])
        self.assertEqual("queue_full", shown["reason"])
        self.assertEqual({"at": "2026-11-29T11:59:00.000Z", "job_id": JOB_ID, "state": None}, shown["last_runs"][1])

    def test_a_workflow_stands_in_the_place_of_the_job_with_all_secrets_masked(self) -> None:
        workflow = {"queue": "reports", "jobs": {"a": JOB, "p": {"jobs": {"b": JOB}}}, "then": [JOB]}

        shown = present_schedule(seen(job={}, workflow=workflow)._replace(reason="graph_full"))

        self.assertEqual([], list(CONTRACT.faults(shown, CONTRACT.schema("Schedule"))))
        hidden = {**JOB, "payload": {"api_key": "********"}}
        jobs = {"a": hidden, "p": {"jobs": {"b": hidden}}}
        self.assertEqual({"queue": "reports", "jobs": jobs, "then": [hidden]}, shown["workflow"])
        self.assertEqual((None, "reports", "queue_full"), (shown["job"], shown["queue"], shown["reason"]))
        self.assertIsNone(present_schedule(seen())["workflow"])

    def test_the_next_runs_begin_with_the_one_that_is_stored(self) -> None:
        late = ScheduleSlot(NOW - 5000, NOW - 5000)

        shown = present_schedule(seen(late))

        self.assertEqual((5, 5), (shown["overdue_s"], len(shown["next_runs"])))
        self.assertEqual(shown["next_run_at"], shown["next_runs"][0])

    def test_one_that_is_paused_has_none_and_one_that_has_ended_says_so(self) -> None:
        paused, ended = present_schedule(seen(None, paused=True)), present_schedule(seen(None, ends_ms=1))

        self.assertEqual((None, [], []), (paused["next_run_at"], paused["next_runs"], paused["warnings"]))
        self.assertIn("it has ended", ended["warnings"][0])

    def test_a_paused_one_has_its_warnings_before_it_is_resumed(self) -> None:
        mail = {**JOB, "max_attempts": 150, "backoff": {"base_s": 30, "cap_s": 3600}, "give_up_after_s": 259_200}

        shown = present_schedule(seen(None, paused=True, job=mail))

        self.assertIn("longer than the 60 s between two runs", "\n".join(shown["warnings"]))

    def test_its_day_has_the_first_run_of_each_quarter_of_an_hour(self) -> None:
        runs = present_day(seen())

        self.assertEqual(["2026-11-29T12:01:00.000Z", "2026-11-29T12:15:00.000Z"], runs[:2])
        self.assertEqual(("2026-11-30T11:45:00.000Z", 96), (runs[-1], len(runs)))
        self.assertEqual([], present_day(seen(None, paused=True)))
        self.assertEqual([], present_day(seen(timezone="Mars/Base")))

    def test_its_times_are_said_in_words(self) -> None:
        broken = present_schedule(seen(every_ms=0, cron="by hand"))

        self.assertEqual("Every minute", present_schedule(seen())["words"])
        self.assertEqual("Every day at 02:30", present_schedule(seen(every_ms=0, cron="30 2 * * *"))["words"])
        self.assertEqual("by hand", broken["words"])

    def test_a_zone_that_this_host_does_not_know_is_said(self) -> None:
        shown = present_schedule(seen(timezone="Mars/Base"))

        self.assertEqual([shown["next_run_at"]], shown["next_runs"])
        self.assertIn("this server can't work out its times: no zone", shown["warnings"][0])

    def test_a_preview_shows_as_many_runs_as_were_asked_for_and_its_doubts(self) -> None:
        schedule = Schedule("0 3 1 * mon", 0, "UTC", {})

        shown = present_preview(schedule, NOW, 1)

        self.assertEqual(["2026-11-30T03:00:00.000Z"], shown["next_runs"])
        self.assertEqual(1, len(shown["warnings"]))


if __name__ == "__main__":
    unittest.main()
