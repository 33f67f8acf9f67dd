"""lib/jobs/explanation.py: when each reason holds, what it says, and which one goes first."""

import unittest
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.explanation import ETA_FROM, REASONS, Explanation, explain, needs_runner
from lib.jobs.explanation_words import span_text
from lib.jobs.group_strikes import GroupStrikes
from lib.jobs.job import Attempt, JobRecord
from lib.jobs.job_facts import FullLimit, GroupHold, JobFacts, SpentRate
from lib.jobs.spec import JobSpec
from lib.jobs.start_limits import Rate
from lib.tracing import NO_TRACE
from tests.processes import ROOT

NOW_MS = 1_795_438_200_000
NOW, IN_40_S, AGO_12_S = "2026-11-23T12:50:00.000Z", "2026-11-23T12:50:40.000Z", "2026-11-23T12:49:48.000Z"
ERROR = {"type": "SMTPError", "message": "421 try\nlater"}


def record(state: str, **fields: Any) -> JobRecord:
    payload = fields.pop("payload", {})
    spec = JobSpec("email", payload, "request", NO_TRACE, 5, 60.0, Backoff())
    return JobRecord("email-1", "email", state, spec, **{"created_ms": NOW_MS - 12_000, **fields})


def ended(outcome: str, error: dict[str, Any] | None = None) -> Attempt:
    return Attempt(1, NOW_MS - 13_000, NOW_MS - 12_000, "vm.1.a", outcome, error)


def explained(state: str, *, facts: dict[str, Any] | None = None, **fields: Any) -> Explanation:
    """facts: those that differ from a queue with two runners for 40 jobs."""
    found: dict[str, Any] = {"runners": 2, "slots": 40, "beat_ms": NOW_MS - 100, **(facts or {})}
    return explain(JobFacts(record(state, **fields), NOW_MS, **found))


def delayed(**fields: Any) -> dict[str, Any]:
    return {"run_at_ms": NOW_MS + 40_000, "attempts": 1, **fields}


class Finished(unittest.TestCase):
    def test_it_says_when_and_how(self) -> None:
        found = explained("completed", finished_ms=NOW_MS, started_ms=NOW_MS - 12_000, attempts=2)

        self.assertEqual(
            ("finished", f"completed at {NOW}; attempt 2 of 5, begun at {AGO_12_S}", NOW_MS, None),
            (found.reason, found.detail, found.since_ms, found.until_ms),
        )

    def test_it_says_why_in_one_line(self) -> None:
        found = explained("dead", finished_ms=NOW_MS, error=ERROR)

        self.assertEqual(f"dead at {NOW}; SMTPError: 421 try later", found.detail)

    def test_no_error_tells_a_secret_of_the_payload(self) -> None:
        error = {"type": "E", "message": "refused open-sesame"}
        found = explained("dead", finished_ms=NOW_MS, error=error, payload={"api_key": "open-sesame"})

        self.assertIn("E: refused ********", found.detail)


class Running(unittest.TestCase):
    def test_it_says_where_since_when_how_far_and_how_long_still(self) -> None:
        found = explained(
            "active",
            started_ms=NOW_MS - 12_000,
            attempts=2,
            runner_id="vm.1.a",
            cancel_requested_ms=NOW_MS,
            progress={"fraction": 0.5, "note": "half-way"},
        )

        self.assertEqual(("running", NOW_MS - 12_000, NOW_MS + 48_000), (found.reason, found.since_ms, found.until_ms))
        self.assertEqual(
            f"attempt 2 of 5 runs on vm.1.a since {AGO_12_S}; 48 s of its timeout_s of 60 are left; 50 % done:"
            f" half-way; asked to stop at {NOW}",
            found.detail,
        )

    def test_its_timeout_may_be_over(self) -> None:
        self.assertIn("its timeout_s of 60 is over", explained("active", started_ms=NOW_MS - 61_000).detail)

    def test_a_worker_that_is_not_heard_of_is_told_of(self) -> None:
        late = explained("active", facts={"beat_ms": NOW_MS - 40_000}, started_ms=NOW_MS)
        gone = explained("active", facts={"beat_ms": None}, started_ms=NOW_MS)

        self.assertIn("its worker was last heard of 40 s ago", late.detail)
        self.assertIn("its worker is gone", gone.detail)

    def test_a_progress_that_somebody_wrote_by_hand_is_passed_over(self) -> None:
        for progress in ({"fraction": "half"}, {"fraction": float("inf")}, {}, {"note": "x"}):
            self.assertIn("left", explained("active", started_ms=NOW_MS, progress=progress).detail)


class Delayed(unittest.TestCase):
    def test_a_blocked_job_waits_for_others(self) -> None:
        found = explained("blocked", facts={"blocked_since_ms": 7, "is_paused": True})

        self.assertEqual(("waiting_for_jobs", 7, None), (found.reason, found.since_ms, found.until_ms))

    def test_a_job_that_was_handed_over_waits_for_a_callback(self) -> None:
        facts = {"blocked_since_ms": NOW_MS - 12_000, "callback_by_ms": NOW_MS + 40_000, "is_paused": True}
        found = explained("blocked", facts=facts, attempts=2, progress={"fraction": 0.5})

        self.assertEqual("waiting_for_callback", found.reason)
        self.assertEqual((NOW_MS - 12_000, NOW_MS + 40_000), (found.since_ms, found.until_ms))
        self.assertEqual(
            f"attempt 2 of 5 was handed over at {AGO_12_S}; the service that took it is to call back by {IN_40_S}, "
            "in 40 s; 50 % done; no worker holds it; behind that time the attempt has failed",
            found.detail,
        )

    def test_after_a_failure_it_says_which_and_when_the_next_attempt_is(self) -> None:
        found = explained("delayed", **delayed(history=(ended("retried", ERROR),)))

        self.assertEqual(("retry_backoff", NOW_MS + 40_000), (found.reason, found.until_ms))
        self.assertEqual(NOW_MS - 12_000, found.since_ms)
        self.assertEqual(
            f"attempt 1 of 5 failed: SMTPError: 421 try later; the next one is due at {IN_40_S}, in 40 s", found.detail
        )

    def test_of_an_unknown_type_it_says_who_put_it_off_and_when_it_is_dead(self) -> None:
        history = (ended("snoozed", {"type": "unknown_type", "message": "no handler for email"}),)
        found = explained("delayed", facts={"unknown_since_ms": NOW_MS}, **delayed(history=history))

        self.assertEqual(("unknown_type", NOW_MS + 40_000), (found.reason, found.until_ms))
        self.assertEqual(
            "the worker vm.1.a can't run it and put it off: unknown_type: no handler for email; it is tried again at"
            f" {IN_40_S} and dead if no worker can run it by 2026-11-23T13:05:00.000Z: give the workers its module in"
            " JOB_MODULES",
            found.detail,
        )

    def test_one_with_a_time_of_its_own_says_when_it_is_due(self) -> None:
        found = explained("delayed", **delayed())

        self.assertEqual(
            ("delayed", f"it is due at {IN_40_S}, in 40 s", NOW_MS - 12_000, NOW_MS + 40_000),
            (found.reason, found.detail, found.since_ms, found.until_ms),
        )

    def test_one_that_its_handler_put_off_says_so(self) -> None:
        found = explained("delayed", **delayed(history=(ended("snoozed"),)))

        self.assertEqual(("delayed", f"its handler put it off, and it is due at {IN_40_S}, in 40 s"), found[:2])

    def test_one_whose_time_has_come_waits_for_what_ready_jobs_wait_for(self) -> None:
        due: dict[str, Any] = {"run_at_ms": NOW_MS, "history": (ended("retried", ERROR),)}
        paused = explained("delayed", facts={"is_paused": True}, **due)
        unserved = explained("delayed", facts={"runners": 0}, **due)
        served = explained("delayed", **due)

        self.assertEqual(
            ["queue_paused", "no_worker", "waiting_its_turn"], [one.reason for one in (paused, unserved, served)]
        )
        self.assertIn("its time has come", served.detail)

    def test_it_waits_since_its_time_has_come(self) -> None:
        due_ms = NOW_MS - 4000

        self.assertEqual(due_ms, explained("delayed", facts={"runners": 0}, run_at_ms=due_ms).since_ms)


class Ready(unittest.TestCase):
    def test_a_paused_queue_goes_before_all_that_its_ready_jobs_wait_for(self) -> None:
        facts = {"is_paused": True, "runners": 0, "is_suspect": True, "ahead": 3, "precision": "exact"}
        found = explained("ready", facts={**facts, "ended_a_minute": 40})

        self.assertEqual(("queue_paused", 3, None), (found.reason, found.ahead, found.eta_s))
        self.assertEqual(
            "the queue email is paused, and goes on with POST /api/queues/email/resume; the job waits since"
            f" {AGO_12_S}, for 12 s",
            found.detail,
        )

    def test_without_a_worker_it_says_which_queues_are_served(self) -> None:
        found = explained("ready", facts={"runners": 0, "served": ("a", "b")})

        self.assertEqual("no_worker", found.reason)
        self.assertEqual(
            "no live worker serves email (live workers serve a, b); name email in the WORKER_QUEUES of a worker; the"
            f" job waits since {AGO_12_S}, for 12 s",
            found.detail,
        )
        self.assertIn("serve other queues", explained("ready", facts={"runners": 0}).detail)
        self.assertIn("no worker lives", explained("ready", facts={"runners": 0, "served": None}).detail)

    def test_a_suspect_runs_alone(self) -> None:
        found = explained("ready", facts={"is_suspect": True, "ahead": 2, "precision": "exact"})

        self.assertEqual(("suspected", 2, None), (found.reason, found.ahead, found.eta_s))
        self.assertTrue(found.detail.endswith("; 2 jobs of email are before it"), found.detail)

    def test_its_turn_comes_at_the_pace_of_the_last_minute(self) -> None:
        found = explained("ready", facts={"ahead": 811, "precision": "exact", "ended_a_minute": 40})

        self.assertEqual(
            Explanation(
                reason="waiting_its_turn",
                detail="811 jobs of email are before it; 40 a minute ended there lately, with 2 runners for 40 at once",
                ahead=811,
                ahead_precision="exact",
                eta_s=1217,
                eta_from="ends_of_last_minute",
                since_ms=NOW_MS - 12_000,
                until_ms=None,
                state="ready",
            ),
            found,
        )

    def test_where_none_ended_no_time_is_given(self) -> None:
        found = explained("ready", facts={"ahead": 1, "precision": "exact", "runners": 1, "slots": 4})

        self.assertIsNone(found.eta_s)
        self.assertEqual(
            "1 job of email is before it; none ended there in the last minute, with 1 runner for 4 at once",
            found.detail,
        )

    def test_it_says_how_exactly_its_place_is_known(self) -> None:
        words = {
            ("exact", 0, "exact"): "it is the next of email;",
            (
                "most",
                8110,
                "at_most",
            ): "at most 8,110 jobs of email are before it (some of them may have been cancelled);",
            ("least", 10_000, "at_least"): "10,000 jobs of email or more are before it;",
            ("taken", 0, "exact"): "a worker has just taken it",
            ("none", None, None): "it stands in no list of email",
        }
        for (precision, ahead, told), begin in words.items():
            found = explained("ready", facts={"ahead": ahead, "precision": precision})
            with self.subTest(precision):
                self.assertTrue(found.detail.startswith(begin), found.detail)
                self.assertEqual((ahead, told), (found.ahead, found.ahead_precision))

    def test_it_says_how_an_estimate_was_made(self) -> None:
        place: dict[str, Any] = {"ahead": 1, "precision": "exact"}
        found = [
            explained("ready", facts=facts)
            for facts in (
                {**place, "ended_a_minute": 40},
                {**place, "spent_queue": SpentRate(Rate(1, 1000), NOW_MS)},
                {"ahead": 0, "precision": "taken"},
                place,
            )
        ]

        self.assertEqual(
            [(2, "ends_of_last_minute"), (1, "rate"), (0, "taken"), (None, None)],
            [(one.eta_s, one.eta_from) for one in found],
        )
        self.assertEqual([*ETA_FROM], [one.eta_from for one in found[:3]])

    def test_it_says_how_many_places_are_taken(self) -> None:
        for busy, end in (
            (0, "for 40 at once"),
            (31, "at once, 31 of which are taken"),
            (40, "at once, and all are taken"),
        ):
            found = explained("ready", facts={"ahead": 1, "precision": "exact", "busy": busy})
            self.assertTrue(found.detail.endswith(end), found.detail)


class Limited(unittest.TestCase):
    UNTIL = NOW_MS + 40_000

    def explained(self, **facts: Any) -> Explanation:
        """Of a job with one other before it; sixty a minute end in its queue."""
        return explained("ready", facts={"ahead": 1, "precision": "exact", "ended_a_minute": 60, **facts})

    def test_a_paused_group_says_how_it_goes_on(self) -> None:
        found = self.explained(group="a", is_group_paused=True, runners=0)

        self.assertEqual(("group_paused", None), (found.reason, found.eta_s))
        self.assertEqual(
            'its group a is paused, and goes on with PATCH /api/queues/email/groups/a with {"paused": false}; the job'
            f" waits since {AGO_12_S}, for 12 s",
            found.detail,
        )

    def test_a_held_group_says_until_when_and_for_which_job(self) -> None:
        found = self.explained(group="a", hold=GroupHold(self.UNTIL, "email-9"), full_group=FullLimit(1, 1, ()))

        self.assertEqual(("held", self.UNTIL), (found.reason, found.until_ms))
        self.assertEqual(
            f"its group a rests until {IN_40_S}, in 40 s, because its job email-9 asked for that "
            "(its handler, or a Retry-After)",
            found.detail,
        )

    def test_a_group_that_rests_for_its_strikes_says_what_went_wrong(self) -> None:
        strikes = GroupStrikes(3, self.UNTIL - 4000, self.UNTIL, "LinkLost: host:443 closed the link")
        resting = self.explained(group="a", hold=GroupHold(self.UNTIL, "email-9"), strikes=strikes)
        asked = self.explained(group="a", hold=GroupHold(self.UNTIL + 1, "email-9"), strikes=strikes)
        probed = self.explained(group="a", full_group=FullLimit(1, 1, ("email-8",)), strikes=strikes._replace(times=1))

        self.assertEqual(("held", self.UNTIL), (resting.reason, resting.until_ms))
        self.assertRegex(
            resting.detail,
            f"^its group a rests until {IN_40_S}, in 40 s, because nothing answered 3 times in a row, the last time at "
            r"\S+ \(LinkLost: host:443 closed the link\); then one of its jobs tries again$",
        )
        self.assertIn("because its job email-9 asked for that", asked.detail)
        self.assertRegex(
            probed.detail,
            "^1 of 1 of its group a run: email-8; one at a time until one goes well, because nothing answered at ",
        )

    def test_a_concurrency_says_what_runs_of_the_group_and_of_the_queue(self) -> None:
        group, queue = FullLimit(2, 2, ("email-8", "email-9")), FullLimit(1000, 1200, ("email-7",))
        both = self.explained(
            group="a", full_group=group, full_queue=queue, spent_queue=SpentRate(Rate(1, 1), self.UNTIL)
        )
        of_queue = self.explained(full_queue=queue)

        self.assertEqual(("concurrency_limited", None, None), (both.reason, both.until_ms, both.eta_s))
        self.assertEqual(
            "2 of 2 of its group a run: email-8, email-9; 1,200 of 1,000 of email run: email-7 and others; 1 job of its"
            " group a is before it",
            both.detail,
        )
        self.assertEqual(1, of_queue.eta_s)
        self.assertIn("1 job of email is before it", of_queue.detail)

    def test_a_rate_says_until_when_it_is_used_up(self) -> None:
        queue, rests = SpentRate(Rate(100, 60_000), self.UNTIL), SpentRate(None, NOW_MS + 10_000)
        found = self.explained(spent_queue=queue)
        both = self.explained(group="a", spent_queue=queue, spent_group=rests)

        self.assertEqual(("rate_limited", self.UNTIL, 40), (found.reason, found.until_ms, found.eta_s))
        self.assertEqual(
            f"email has used up its rate of 100 in 60 s until {IN_40_S}, in 40 s; 1 job of email is before it",
            found.detail,
        )
        self.assertEqual(self.UNTIL, both.until_ms)
        self.assertTrue(both.detail.startswith("its group a has used up its rate until 2026-"), both.detail)

    def test_a_rate_says_when_it_lets_the_job_start(self) -> None:
        spent, rests = SpentRate(Rate(10, 1000), NOW_MS + 900), SpentRate(Rate(1, 20_000), self.UNTIL)

        for ahead, facts, eta_s in (
            (0, {"spent_queue": spent}, 1),
            (9, {"spent_queue": spent}, 1),
            (29, {"spent_queue": spent}, 3),
            (2, {"group": "a", "spent_group": rests}, 80),
            (10, {"group": "a", "spent_group": spent, "spent_queue": rests}, 41),
            (2, {"group": "a", "spent_queue": spent}, None),
            (2, {"spent_queue": SpentRate(None, self.UNTIL)}, None),
            (None, {"spent_queue": spent}, None),
        ):
            with self.subTest(ahead=ahead, **facts):
                self.assertEqual(eta_s, self.explained(**facts, ahead=ahead).eta_s)

    def test_the_path_of_a_paused_group_is_one_that_can_be_sent(self) -> None:
        found = self.explained(group="smtp/a:25", is_group_paused=True)

        self.assertIn("PATCH /api/queues/email/groups/smtp%2Fa%3A25 with", found.detail)

    def test_of_a_group_the_place_is_its_own_and_no_time_is_given(self) -> None:
        found = self.explained(group="a")

        self.assertEqual(("waiting_its_turn", 1, None), (found.reason, found.ahead, found.eta_s))
        self.assertTrue(
            found.detail.startswith(
                "1 job of its group a is before it; groups take turns, the one that runs least first;"
            )
        )


class Table(unittest.TestCase):
    def test_the_reasons_stand_in_the_order_that_is_documented(self) -> None:
        self.assertEqual(
            "finished running waiting_for_jobs waiting_for_callback retry_backoff unknown_type delayed queue_paused"
            " group_paused no_worker suspected held concurrency_limited rate_limited waiting_its_turn",
            " ".join(REASONS),
        )

    def test_for_each_of_them_a_test_makes_a_job_wait_in_redis(self) -> None:
        tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/redis").glob("test_explain*.py"))

        self.assertEqual([], [reason for reason in REASONS if f'"{reason}"' not in tests])

    def test_other_queues_are_asked_about_only_for_a_job_that_is_due_and_has_no_runner(self) -> None:
        asked = {
            (state, runners): needs_runner(JobFacts(record(state, run_at_ms=due_ms), NOW_MS, runners=runners))
            for state, due_ms in (("ready", 1), ("delayed", NOW_MS + 1), ("active", 1), ("dead", 1))
            for runners in (0, 1)
        }

        self.assertEqual([("ready", 0)], [key for key, is_asked in asked.items() if is_asked])

    def test_a_record_without_spec_and_times_is_explained_in_every_state(self) -> None:
        for state in ("ready", "active", "delayed", "blocked", "completed", "dead", "cancelled", "odd"):
            found = explain(JobFacts(JobRecord("q-1", "q", state, None), NOW_MS))
            self.assertTrue(found.detail, state)

    def test_lengths_of_time_are_round(self) -> None:
        spans = {400: "0.4 s", 40_000: "40 s", 720_000: "12 min", 10_800_000: "3 h", 259_200_000: "3 days", -5: "0.0 s"}
        self.assertEqual(list(spans.values()), [span_text(ms) for ms in spans])


if __name__ == "__main__":
    unittest.main()
