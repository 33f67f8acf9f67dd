"""The body of a PUT of a schedule: what is taken, every fault by its pointer, and the job of a slot."""

import json
import unittest
from dataclasses import dataclass
from typing import Any, ClassVar

from lib.errors import InvalidFields
from lib.ids import JobIds
from lib.jobs.declaration import type_of
from lib.jobs.handler import JobContext
from lib.jobs.registry import Registry, job
from lib.jobs.schedule import Schedule, ScheduleSlot
from lib.jobs.schedule_request import (
    SCHEDULE_NAME,
    read_preview,
    read_schedule,
    schedule_from,
    schedule_text,
)
from lib.jobs.slot_jobs import job_of_slot
from lib.jobs.spec import JobSpec


@dataclass
class Report:
    month: str
    api_key: str = ""


@job("report", queue="reports", max_attempts=3, retain_s=1.5, give_up_after_s=3600)
async def report(ctx: JobContext, payload: Report) -> None: ...


REGISTRY = Registry([type_of(report)])
JOB = {"type": "report", "payload": {"month": "2026-11"}}
BODY = {"cron": "30 2 * * *", "timezone": "UTC", "job": JOB}
WORKFLOW: dict[str, Any] = {"job": None}
"""A change of BODY that leaves the place of the job to a workflow."""
AT = "2026-12-01T00:00:00Z"


def taken(body: Any, kept: Schedule | None = None) -> Schedule:
    return read_schedule(body, REGISTRY, JobIds(), kept)


def faults(body: Any, kept: Schedule | None = None) -> dict[str, str]:
    """Pointer -> detail of everything that is wrong."""
    try:
        taken(body, kept)
    except InvalidFields as fault:
        return dict(fault.errors)
    return {}


class Taken(unittest.TestCase):
    def test_the_defaults_of_the_type_are_written_into_the_job(self) -> None:
        self.assertEqual(
            {
                "type": "report",
                "payload": {"month": "2026-11"},
                "queue": "reports",
                "priority": "normal",
                "max_attempts": 3,
                "timeout_s": 60,
                "backoff": {"base_s": 2, "cap_s": 3600},
                "retain_s": 1.5,
                "give_up_after_s": 3600,
            },
            taken(BODY).job,
        )

    def test_what_is_left_out_has_its_default(self) -> None:
        schedule = taken({"every_s": 300, "job": JOB, "starts_at": None})

        self.assertEqual(Schedule("", 300_000, "UTC", schedule.job, "skip", "one", 0, None, None, False, ""), schedule)
        self.assertEqual("reports", schedule.queue)

    def test_every_field_is_read(self) -> None:
        schedule = taken(
            {
                "cron": "@daily",
                "job": {**JOB, "queue": "slow", "priority": "low", "expires_in_s": 60},
                "overlap": "allow",
                "catch_up": "all",
                "jitter_s": 2.5,
                "starts_at": "2026-12-01T00:00:00Z",
                "ends_at": "2026-12-02T00:00:00Z",
                "paused": True,
                "owner": "team/reports@eu",
            }
        )

        self.assertEqual(("allow", "all", 2500, True), (schedule.overlap, schedule.catch_up, schedule.jitter_ms, True))
        self.assertEqual(86_400_000, (schedule.ends_ms or 0) - (schedule.starts_ms or 0))
        self.assertEqual(
            ("slow", "low", 60), tuple(schedule.job[name] for name in ("queue", "priority", "expires_in_s"))
        )
        self.assertEqual((True, "team/reports@eu"), (schedule.paused, schedule.owner))

    def test_its_text_is_read_back(self) -> None:
        schedule = taken({**BODY, "jitter_s": 1, "owner": "me"})

        self.assertEqual(schedule, schedule_from(schedule_text(schedule)))

    def test_a_text_that_is_none_is_refused(self) -> None:
        for text in ("", "[]", "{}", "null", "{", '{"cron": "x"}', schedule_text(taken(BODY)).replace("queue", "qu")):
            with self.subTest(text), self.assertRaises(ValueError):
                schedule_from(text)

    def test_a_masked_secret_is_the_one_that_was_kept(self) -> None:
        kept = taken({**BODY, "job": {"type": "report", "payload": {"month": "x", "api_key": "k-123"}}})
        masked = {**BODY, "job": {"type": "report", "payload": {"month": "y", "api_key": "********"}}}

        self.assertEqual({"month": "y", "api_key": "k-123"}, taken(masked, kept).job["payload"])
        self.assertIn("/job/payload/api_key", faults(masked))

    def test_names(self) -> None:
        for name in ("daily-report", "a", "0.b_c", "x" * 100):
            self.assertTrue(SCHEDULE_NAME.fullmatch(name), name)
        for name in ("", "-a", "A", "a b", "x" * 101, "a/b", "ü"):
            self.assertFalse(SCHEDULE_NAME.fullmatch(name), name)


class Again(unittest.TestCase):
    def test_a_pause_stays_where_the_request_does_not_say(self) -> None:
        paused = taken({**BODY, "paused": True})

        self.assertTrue(taken(BODY, paused).paused)
        self.assertTrue(taken({**BODY, "paused": None}, paused).paused)
        self.assertFalse(taken({**BODY, "paused": False}, paused).paused)
        self.assertFalse(taken(BODY).paused)


class Graphs(unittest.TestCase):
    """A schedule of several jobs: a job with `then`, or a workflow."""

    SECRET: ClassVar = {"month": "x", "api_key": "k-123"}

    def workflow(self, **fields: Any) -> Schedule:
        return taken({**BODY, **WORKFLOW, "workflow": {"jobs": {"a": JOB}, **fields}})

    def test_every_job_of_a_then_has_the_defaults_of_its_type(self) -> None:
        mail = {**JOB, "on": "failed", "delay_s": 60, "then": [JOB]}

        schedule = taken({**BODY, "job": {**JOB, "then": [JOB, mail]}})

        alone = taken(BODY).job
        self.assertEqual(
            {**alone, "then": [alone, {**alone, "delay_s": 60, "on": "failed", "then": [alone]}]}, schedule.job
        )
        self.assertTrue(schedule.has_graph)

    def test_a_then_without_jobs_says_nothing(self) -> None:
        nothing: tuple[Any, ...] = ([], None)
        for then in nothing:
            self.assertEqual(taken(BODY), taken({**BODY, "job": {**JOB, "then": then}}))
        self.assertFalse(taken(BODY).has_graph)

    def test_every_job_of_a_workflow_has_the_defaults_of_its_type(self) -> None:
        nested = {"jobs": {"c": JOB}, "after": ["a"], "optional": True}
        last = {**JOB, "after": [{"job": "p", "on": "ended"}]}

        schedule = self.workflow(name="import", jobs={"a": JOB, "p": nested, "b": last}, then=[{**JOB, "on": "ended"}])

        alone = taken(BODY).job
        self.assertEqual(
            {
                "name": "import",
                "queue": "default",
                "jobs": {
                    "a": alone,
                    "p": {"jobs": {"c": alone}, "after": ["a"], "optional": True},
                    "b": {**alone, "after": [{"job": "p", "on": "ended"}]},
                },
                "then": [{**alone, "on": "ended"}],
            },
            schedule.workflow,
        )
        self.assertEqual(({}, "default", True), (schedule.job, schedule.queue, schedule.has_graph))

    def test_its_text_is_read_back_and_that_of_a_single_job_is_as_it_was(self) -> None:
        schedule = self.workflow(queue="slow")

        self.assertEqual((schedule, "slow"), (schedule_from(schedule_text(schedule)), schedule.queue))
        self.assertNotIn("workflow", json.loads(schedule_text(taken(BODY))))

    def test_masked_secrets_are_those_that_were_kept_at_the_same_place(self) -> None:
        masked = {**JOB, "payload": {"month": "y", "api_key": "********"}}
        secret = {**JOB, "payload": self.SECRET}

        then = taken({**BODY, "job": {**JOB, "then": [secret]}})
        again = taken({**BODY, "job": {**JOB, "then": [masked]}}, then)
        flow = taken({**BODY, **WORKFLOW, "workflow": {"jobs": {"a": masked}}}, self.workflow(jobs={"a": secret}))

        self.assertEqual({"month": "y", "api_key": "k-123"}, again.job["then"][0]["payload"])
        assert flow.workflow is not None
        self.assertEqual({"month": "y", "api_key": "k-123"}, flow.workflow["jobs"]["a"]["payload"])
        for kept in (None, taken(BODY), self.workflow(jobs={"b": secret})):
            body = {**BODY, **WORKFLOW, "workflow": {"jobs": {"a": masked}}}
            self.assertEqual(["/workflow/jobs/a/payload/api_key"], [*faults(body, kept)])

    def test_a_text_that_is_too_long_is_refused_with_a_sentence(self) -> None:
        long = {**JOB, "payload": {"month": "x" * 600_000}}

        found = faults({**BODY, **WORKFLOW, "workflow": {"jobs": {"a": long, "b": long}}})

        self.assertEqual(["/workflow"], [*found])
        self.assertIn("1048576 are the most: have long payloads lie elsewhere", found["/workflow"])

    def test_a_then_of_fifty_levels_is_taken(self) -> None:
        job: dict[str, Any] = JOB
        for _ in range(48):
            job = {**JOB, "then": [job]}

        self.assertEqual(48, schedule_text(taken({**BODY, "job": job})).count('"then"'))


class Refused(unittest.TestCase):
    def test_each_fault_has_its_pointer_and_says_what_to_do(self) -> None:
        cases: list[tuple[dict[str, Any], str, str]] = [
            ({"cron": None}, "/cron", "is missing; give it"),
            ({"every_s": 5}, "/every_s", "can't stand beside cron"),
            ({"cron": "* * * * * *"}, "/cron", "use every_s for less than a minute"),
            ({"cron": 5}, "/cron", "must be a string, not an integer"),
            ({"cron": None, "every_s": 0.5}, "/every_s", "must be from 1 to 316224000"),
            ({"cron": None, "every_s": 0}, "/every_s", "must be from 1 to 316224000"),
            ({"cron": None, "every_s": "5"}, "/every_s", "must be a number of seconds"),
            ({"timezone": "Mars/Base"}, "/timezone", "is known on this host"),
            ({"timezone": 1}, "/timezone", "must be a string"),
            ({"overlap": "replace"}, "/overlap", "must be one of skip, allow, queue"),
            ({"catch_up": "some"}, "/catch_up", "must be one of one, none, all"),
            ({"jitter_s": 86_401}, "/jitter_s", "must be from 0 to 86400"),
            ({"jitter_s": -1}, "/jitter_s", "must be from 0 to 86400"),
            ({"starts_at": "2026-12-01"}, "/starts_at", "RFC 3339"),
            ({"ends_at": "2200-01-01T00:00:00Z"}, "/ends_at", "before the year 2200"),
            (
                {"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"},
                "/ends_at",
                "must be after starts_at",
            ),
            ({"paused": 1}, "/paused", "must be a boolean"),
            ({"owner": "a b"}, "/owner", "letters, digits"),
            ({"seconds": 1}, "/seconds", "is not known here; known: cron"),
            ({"job": None}, "/job", "is missing; give it, or a workflow"),
            ({"job": [JOB]}, "/job", "must be an object, not an array"),
            ({"job": {"payload": {}}}, "/job/type", "is missing"),
            ({"job": {"type": "nothing", "payload": {}}}, "/job/type", "no job module defines it"),
            ({"job": {**JOB, "payload": {"month": 11}}}, "/job/payload/month", "must be a string"),
            ({"job": {**JOB, "max_attempts": 0}}, "/job/max_attempts", "must be an integer"),
            ({"job": {**JOB, "delay_s": 5}}, "/job/delay_s", "the schedule says when"),
            ({"job": {**JOB, "run_at": "2026-12-01T00:00:00Z"}}, "/job/run_at", "the schedule says when"),
            ({"job": {**JOB, "unique": {"key": "k"}}}, "/job/unique", "use the schedule's overlap"),
            ({"job": {**JOB, "then": [{}] * 11_001}}, "/job", "has more than 11000 jobs"),
            ({"job": {**JOB, "then": [JOB] * 1001}}, "/job/then", "has more than 1000 jobs"),
            ({"job": {"type": "workflow", "payload": {}}}, "/job/type", "give the workflow's jobs in `workflow`"),
            ({"job": {**JOB, "after": []}}, "/job/after", "a schedule's run waits for no job"),
            ({"job": {**JOB, "then": {}}}, "/job/then", "must be an array, not an object"),
            ({"job": {**JOB, "then": [5]}}, "/job/then/0", "must be an object, a job"),
            ({"job": {**JOB, "then": [{**JOB, "on": "x"}]}}, "/job/then/0/on", "must be one of completed"),
            ({"job": {**JOB, "then": [{**JOB, "after": []}]}}, "/job/then/0/after", "has no place here"),
            ({"job": {**JOB, "then": [{**JOB, "run_at": AT}]}}, "/job/then/0/run_at", "use delay_s"),
            ({"job": {**JOB, "then": [{**JOB, "unique": {}}]}}, "/job/then/0/unique", "use the schedule's overlap"),
            (
                {"job": {**JOB, "then": [{**JOB, "then": [{**JOB, "payload": {}}]}]}},
                "/job/then/0/then/0/payload/month",
                "is missing",
            ),
            ({"workflow": {"jobs": {"a": JOB}}}, "/workflow", "can't stand beside job"),
            (WORKFLOW | {"workflow": {}}, "/workflow/jobs", "is missing"),
            (WORKFLOW | {"workflow": {"jobs": {}}}, "/workflow/jobs", "is empty"),
            (WORKFLOW | {"workflow": [JOB]}, "/workflow", "must be an object"),
            (WORKFLOW | {"workflow": {"jobs": {"a": {**JOB, "after": ["b"]}}}}, "/workflow/jobs/a/after/0", "no job"),
            (WORKFLOW | {"workflow": {"jobs": {"a": {**JOB, "run_at": AT}}}}, "/workflow/jobs/a/run_at", "use delay_s"),
            (WORKFLOW | {"workflow": {"jobs": {"a": JOB}, "cron": "x"}}, "/workflow/cron", "is not known here"),
            (
                WORKFLOW | {"workflow": {"jobs": {"p": {"jobs": {"a": {"type": "nothing", "payload": {}}}}}}},
                "/workflow/jobs/p/jobs/a/type",
                "no job module defines it",
            ),
        ]
        for change, pointer, words in cases:
            with self.subTest(change):
                found = faults({**BODY, **change})

                self.assertEqual([pointer], [*found])
                self.assertIn(words, found[pointer])

    def test_a_job_that_is_left_out_is_missed(self) -> None:
        self.assertEqual({"/job": "is missing; give it, or a workflow"}, faults({"cron": "0 3 * * *"}))

    def test_what_is_no_object_is_refused(self) -> None:
        bodies: tuple[Any, ...] = ([], "x", None, 5)
        for body in bodies:
            self.assertEqual([""], [*faults(body)])

    def test_all_faults_come_at_once(self) -> None:
        body = {"cron": "60 * * * *", "overlap": 1, "job": {"type": "report", "payload": {}, "priority": "x"}}

        self.assertEqual({"/cron", "/overlap", "/job/priority", "/job/payload/month"}, {*faults(body)})


class Previewed(unittest.TestCase):
    def test_times_and_a_count_are_read(self) -> None:
        schedule, count = read_preview({"cron": "0 3 * * *", "count": 50})

        self.assertEqual(("0 3 * * *", 50), (schedule.cron, count))
        self.assertEqual(5, read_preview({"every_s": 5})[1])

    def test_a_job_and_a_wrong_count_are_refused(self) -> None:
        for body, pointer in (({"count": 51}, "/count"), ({"count": 0}, "/count"), ({"job": JOB}, "/job")):
            with self.subTest(pointer), self.assertRaises(InvalidFields) as caught:
                read_preview({"cron": "0 3 * * *", **body})
            self.assertEqual([pointer], [error.pointer for error in caught.exception.errors])


class Jobs(unittest.TestCase):
    SLOT = ScheduleSlot(1_796_002_200_000, 1_796_002_200_500)

    def test_the_job_of_a_slot_is_the_one_that_was_put(self) -> None:
        schedule = taken({**BODY, "job": {**JOB, "priority": "high", "expires_in_s": 60}})

        made, spec = job_of_slot(schedule, JobIds(), "daily", 7, self.SLOT)

        self.assertEqual(
            ("reports", "high", 60_000, 1500), (made.queue, made.priority, made.expires_in_ms, made.retain_ms)
        )
        self.assertEqual(3_600_000, made.give_up_ms)
        self.assertEqual(spec, JobSpec.from_text(made.spec_text))
        self.assertEqual(("report", {"month": "2026-11"}, 3), (spec.type, spec.payload, spec.max_attempts))
        self.assertEqual(("daily", 1_796_002_200_000), (spec.schedule, spec.scheduled_for))

    def test_its_request_id_and_trace_are_made_of_name_version_and_slot(self) -> None:
        schedule = taken(BODY)
        first, again = (job_of_slot(schedule, JobIds(), "daily", 7, self.SLOT) for _ in range(2))

        self.assertEqual((first[1].request_id, first[1].trace), (again[1].request_id, again[1].trace))
        self.assertNotEqual(first[0].job_id, again[0].job_id)
        self.assertRegex(first[1].request_id, r"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        others = [
            job_of_slot(schedule, JobIds(), name, version, ScheduleSlot(at_ms, 0))[1].request_id
            for name, version, at_ms in (
                ("dail", 7, 1_796_002_200_000),
                ("daily", 8, 1_796_002_200_000),
                ("daily", 7, 5),
            )
        ]
        self.assertEqual(4, len({first[1].request_id, *others}))

    def test_a_job_that_a_later_version_wrote_is_refused(self) -> None:
        schedule = taken(BODY)
        schedule = schedule._replace(job=json.loads(json.dumps({**schedule.job, "novelty": 1})))

        with self.assertRaises(InvalidFields):
            job_of_slot(schedule, JobIds(), "daily", 7, self.SLOT)


if __name__ == "__main__":
    unittest.main()
