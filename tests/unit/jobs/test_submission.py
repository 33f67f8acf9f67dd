"""A request for a job: every field's range, every fault at once, each with its pointer."""

import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.errors import InvalidFields
from lib.ids import JobIds, queue_of
from lib.jobs import registry, submission
from lib.jobs.job import NewJob
from lib.jobs.request_fields import CHECKS, REQUIRED
from lib.jobs.spec import JobSpec
from lib.settings import config
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")
TYPES = registry.load(["tests.jobs_for_tests"])
SECRET = "whsec_" + "YWFh" * 8
LEAST: dict[str, Any] = {"type": "noop", "payload": {}}


def read(body: Any) -> tuple[NewJob, JobSpec]:
    job, spec = submission.read(body, TYPES, JobIds(), request_id="r", trace=TRACE)
    return job, spec


def faults(body: Any) -> set[str]:
    """The pointers of the fields that are not valid."""
    try:
        read(body)
    except InvalidFields as fault:
        return {error.pointer for error in fault.errors}
    return set()


class Read(unittest.TestCase):
    def test_what_is_not_named_is_as_the_type_has_it(self) -> None:
        job, spec = read(LEAST)

        self.assertEqual(
            ("default", "normal", None, None), (queue_of(job.job_id), job.priority, job.delay_ms, job.run_at_ms)
        )
        self.assertEqual((5, 60, (2, 3600)), (spec.max_attempts, spec.timeout_s, tuple(spec.backoff)))
        self.assertEqual(spec, JobSpec.from_text(job.spec_text))

    def test_what_is_named_is_taken(self) -> None:
        job, spec = read(
            {
                **LEAST,
                "queue": "other",
                "priority": "high",
                "delay_s": 1.5,
                "max_attempts": 1,
                "timeout_s": 0.5,
                "backoff": {"base_s": 1, "cap_s": 2},
            }
        )

        self.assertEqual(("other", "high", 1500), (queue_of(job.job_id), job.priority, job.delay_ms))
        self.assertEqual(
            (1, 0.5, (1, 2), "high"), (spec.max_attempts, spec.timeout_s, tuple(spec.backoff), spec.priority)
        )

    def test_each_field_has_its_range(self) -> None:
        wrong: dict[str, list[Any]] = {
            "queue": ["", "Q", "-a", "a b", "a" * 65, 1, "ä", "a\n"],
            "priority": ["", "HIGH", 1, [], {}],
            "delay_s": [-1, "1", True, 1e300, float("nan"), 10**400],
            "run_at": [
                "",
                "tomorrow",
                1,
                "2026-01-01T00:00:00",
                "2026-13-01T00:00:00Z",
                "2026-02-30T00:00:00Z",
                "1969-12-31T23:59:59Z",
                "2026-01-01T24:00:00Z",
                "２026-01-01T00:00:00Z",
                "2031-01-06T08:00:00.٥Z",
                "2031-01-06T08:0٠:00Z",
                "2031-01-06T08:00:00.Z",
                "2031-01-06T08:00:60Z",
                "2031-01-06T23:59:60+01:00",
                "2031-01-06T23:59:61Z",
                "9999-12-31T23:59:60Z",
            ],
            "max_attempts": [0, 1001, 1.5, float("inf"), "5", True],
            "timeout_s": [0, -1, 604_801, "1", True],
            "backoff": [1, [], {"base_s": 0}, {"base_s": 5, "cap_s": 1}, {"base_s": "1"}, {"more": 1}],
            "retain_s": [-1, "1", True, 1e300, float("nan")],
            "give_up_after_s": [0, -1, "1", True, 1e300, float("nan")],
            "group": ["", "a b", "ä", "a,b", "a\n", "x" * 129, 1, True, [], {}],
            "tags": ["eu", 1, {}, [1], [None], [""], ["a b"], ["-a"], ["a,b"], ["x" * 65], ["a\n"], [*"0123456789a"]],
            "unique": [1, [], {"key": ""}, {"key": None}, {"key": "k", "ttl_s": 0}, {"key": "k", "mode": ["keep"]}],
            "type": [1, None, "", "unknown"],
            "payload": [None, [], "x", 1],
        }
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name, value=str(value)[:40]):
                    self.assertTrue(any(p.startswith(f"/{name}") for p in faults({**LEAST, name: value})), value)

    def test_null_is_as_if_the_field_were_not_there(self) -> None:
        optional = dict.fromkeys(set(CHECKS) - set(REQUIRED))
        nested = {"backoff": {"base_s": None, "cap_s": None}, "unique": {"key": "k", "ttl_s": None, "mode": None}}

        for body, same in (
            (optional, {}),
            ({**optional, "delay_s": 5}, {"delay_s": 5}),
            ({**optional, "run_at": "2031-01-06T08:00:00Z"}, {"run_at": "2031-01-06T08:00:00Z"}),
            (nested, {"unique": {"key": "k"}}),
        ):
            (job, spec), (other, other_spec) = read({**LEAST, **body}), read({**LEAST, **same})
            self.assertEqual((job[3:], spec), (other[3:], other_spec), body)
        self.assertEqual({"/type", "/payload", "/nobodys"}, faults({"type": None, "payload": None, "nobodys": None}))

    def test_a_whole_number_may_have_a_point(self) -> None:
        spec = read({**LEAST, "max_attempts": 5.0})[1]

        self.assertEqual((5, int), (spec.max_attempts, type(spec.max_attempts)))

    def test_a_group_and_tags_go_into_the_job_and_its_spec(self) -> None:
        job, spec = read({**LEAST, "group": "Tenant.42:a@b/c_-", "tags": ["eu", "order/17:a.b"]})

        self.assertEqual(("Tenant.42:a@b/c_-", ("eu", "order/17:a.b")), (job.group, job.tags))
        self.assertFalse(job.may_lose_group)
        self.assertEqual((job.group, job.tags), (spec.group, spec.tags))
        self.assertEqual(spec, JobSpec.from_text(job.spec_text))

    def test_a_tag_that_is_named_twice_is_had_once(self) -> None:
        self.assertEqual(("eu", "us"), read({**LEAST, "tags": ["eu", "us", "eu"]})[0].tags)
        self.assertEqual((), read({**LEAST, "tags": []})[0].tags)

    def test_a_wrong_tag_is_pointed_to(self) -> None:
        self.assertEqual({"/tags/1"}, faults({**LEAST, "tags": ["eu", "a b"]}))

    def test_the_payload_names_the_group_where_the_request_does_not(self) -> None:
        for body, group in (
            ({"payload": {"customer": {"id": 42}}}, "42"),
            ({"payload": {"customer": {"id": 42}}, "group": None}, "42"),
            ({"payload": {"customer": {"id": 42}}, "group": "mine"}, "mine"),
            ({"payload": {"customer": {"id": "not a name"}}, "group": "mine"}, "mine"),
            ({"payload": {"customer": {}}}, ""),
            ({"payload": {}}, ""),
        ):
            job, spec = read({"type": "order", **body})
            self.assertEqual((group, group, False), (job.group, spec.group, job.may_lose_group), body)

    def test_a_payload_that_names_no_group_where_it_should_is_refused_once_and_beside_other_faults(self) -> None:
        wrong = {"type": "order", "payload": {"customer": {"id": "a b"}, "ledger": 5}}

        self.assertEqual({"/payload/customer/id", "/payload/ledger"}, faults(wrong))
        with self.assertRaises(InvalidFields) as refused:
            read({"type": "order", "payload": {"customer": {"id": 1.5}}})
        self.assertEqual(["/payload/customer/id"], [error.pointer for error in refused.exception.errors])

    def test_the_group_of_a_type_is_that_of_its_jobs_which_name_none_and_may_be_left_out(self) -> None:
        types = registry.Registry([replace(job_type, group="shared") for job_type in TYPES.types])
        for body, group, may_lose_group in (
            ({**LEAST}, "shared", True),
            ({**LEAST, "group": "mine"}, "mine", False),
            ({"type": "order", "payload": {"customer": {"id": 7}}}, "7", False),
            ({"type": "order", "payload": {}}, "shared", True),
        ):
            job, spec = submission.read(body, types, JobIds(), request_id="r", trace=TRACE)
            self.assertEqual((group, group, may_lose_group), (job.group, spec.group, job.may_lose_group), body)

            bare = submission.without_group(job)

            self.assertEqual(("", False), (bare.group, bare.may_lose_group))
            self.assertEqual(spec._replace(group=""), JobSpec.from_text(bare.spec_text))

    def test_a_type_names_the_group_by_the_payload_where_the_request_does_not_and_it_may_be_left_out(self) -> None:
        def group_of(payload: dict[str, Any]) -> str:
            return str(payload.get("text", ""))

        types = registry.Registry([replace(job_type, group_of=group_of) for job_type in TYPES.types])
        for body, group, may_lose_group in (
            ({**LEAST, "payload": {"text": "a.example:443"}}, "a.example:443", True),
            ({**LEAST, "payload": {"text": "a.example:443"}, "group": "mine"}, "mine", False),
            ({**LEAST, "payload": {}}, "", False),
        ):
            job, spec = submission.read(body, types, JobIds(), request_id="r", trace=TRACE)

            self.assertEqual((group, group, may_lose_group), (job.group, spec.group, job.may_lose_group), body)
        with self.assertRaises(InvalidFields):
            submission.read({**LEAST, "payload": {"text": 5}}, types, JobIds(), request_id="r", trace=TRACE)

    def test_every_fault_is_reported_at_once(self) -> None:
        body = {"type": "noop", "payload": {"seconds": "x"}, "queue": "Q", "priority": 1, "a/b": 2, "max_attempts": 0}

        self.assertEqual({"/payload/seconds", "/queue", "/priority", "/a~1b", "/max_attempts"}, faults(body))

    def test_a_workflow_is_made_elsewhere(self) -> None:
        with self.assertRaises(InvalidFields) as caught:
            read({"type": "workflow", "payload": {"name": "import"}})

        self.assertIn("/type has no handler: POST /api/workflows makes one", str(caught.exception))

    def test_a_field_within_a_field_is_pointed_to(self) -> None:
        for body, pointer in (
            ({"backoff": {"mo~re/": 1}}, "/backoff/mo~0re~1"),
            ({"unique": {"key": "k", "more": 1}}, "/unique/more"),
            ({"unique": {}}, "/unique/key"),
            ({"unique": {"key": "k", "mode": "Throttle"}}, "/unique/mode"),
            ({"payload": {"more": 1}}, "/payload/more"),
        ):
            self.assertEqual({pointer}, faults({**LEAST, **body}))

    def test_what_is_missing_is_reported(self) -> None:
        self.assertEqual({"/type", "/payload"}, faults({}))

    def test_a_unique_key_that_would_be_free_before_the_job_is_due_is_refused(self) -> None:
        for ttl_s, delay_s, found in ((59.999, 60, {"/unique/ttl_s"}), (60, 60, set()), (1, 0, set())):
            body = {**LEAST, "delay_s": delay_s, "unique": {"key": "k", "ttl_s": ttl_s}}
            self.assertEqual(found, faults(body), body)
        self.assertEqual(set(), faults({**LEAST, "delay_s": 300_000, "unique": {"key": "k"}}))

    def test_the_mode_of_a_unique_key_is_keep_or_what_it_says(self) -> None:
        for given, mode in (({}, "keep"), ({"mode": "keep"}, "keep"), ({"mode": "throttle"}, "throttle")):
            job, spec = read({**LEAST, "unique": {"key": "k", "ttl_s": 1.5, **given}})

            self.assertEqual(("k", 1500, mode), (job.unique_key, job.unique_ttl_ms, job.unique_mode))
            self.assertEqual(read({**LEAST, "unique": {"key": "k"}})[1], spec)
        self.assertEqual("keep", read(LEAST)[0].unique_mode)

    def test_one_that_replaces_has_the_times_of_keep(self) -> None:
        job, _ = read({**LEAST, "unique": {"key": "k", "mode": "replace", "ttl_s": 60}, "delay_s": 5})

        self.assertEqual(("k", 60_000, "replace", 5000, True), (*job[6:9], job.delay_ms, job.takes_place))

    def test_of_debounce_the_ttl_is_the_delay_and_the_bound_a_day(self) -> None:
        for unique, most_wait_ms, delay_ms in (
            ({"ttl_s": 5}, 86_400_000, 5000),
            ({"ttl_s": 5, "max_wait_s": None}, 86_400_000, 5000),
            ({"ttl_s": 5, "max_wait_s": 60}, 60_000, 5000),
            ({"ttl_s": 200_000}, 200_000_000, 200_000_000),
        ):
            job, _ = read({**LEAST, "unique": {"key": "k", "mode": "debounce", **unique}})

            self.assertEqual(("k", most_wait_ms, "debounce", delay_ms), (*job[6:9], job.delay_ms))

    def test_what_debounce_lacks_or_has_no_place_beside_it_is_pointed_to(self) -> None:
        for body, pointer in (
            ({"unique": {"key": "k", "mode": "debounce"}}, "/unique/ttl_s"),
            ({"unique": {"key": "k", "mode": "debounce", "ttl_s": 5, "max_wait_s": 4}}, "/unique/max_wait_s"),
            ({"unique": {"key": "k", "mode": "debounce", "ttl_s": 5}, "delay_s": 5}, "/delay_s"),
            ({"unique": {"key": "k", "mode": "debounce", "ttl_s": 5}, "run_at": "2030-01-01T00:00:00Z"}, "/run_at"),
            ({"unique": {"key": "k", "mode": "replace", "max_wait_s": 4}}, "/unique/max_wait_s"),
            ({"unique": {"key": "k", "mode": "latest"}}, "/unique/mode"),
        ):
            self.assertEqual({pointer}, faults({**LEAST, **body}), body)

    def test_when_it_is_given_up_is_what_it_says_else_what_its_type_says(self) -> None:
        for type_name, given, give_up_ms in (
            ("noop", {}, None),
            ("noop", {"give_up_after_s": 0.0001}, 1),
            ("impatient", {}, 600_000),
            ("impatient", {"give_up_after_s": 1.5}, 1500),
            ("impatient", {"give_up_after_s": None}, 600_000),
        ):
            job, _ = read({**LEAST, "type": type_name, **given})
            self.assertEqual(give_up_ms, job.give_up_ms, (type_name, given))

    def test_how_long_it_is_kept_is_what_it_says_else_what_its_type_says(self) -> None:
        for type_name, given, retain_ms in (
            ("noop", {}, None),
            ("noop", {"retain_s": 0}, 0),
            ("vanish", {}, 0),
            ("vanish", {"retain_s": 1.5}, 1500),
        ):
            job, _ = read({**LEAST, "type": type_name, **given})
            self.assertEqual(retain_ms, job.retain_ms, (type_name, given))

    def test_delay_and_time_exclude_each_other(self) -> None:
        self.assertEqual({"/run_at"}, faults({**LEAST, "delay_s": 1, "run_at": "2026-11-23T12:00:00Z"}))
        self.assertEqual(set(), faults({**LEAST, "delay_s": 0, "run_at": "2026-11-23T12:00:00Z"}))

    def test_a_body_that_is_no_object_is_refused(self) -> None:
        bodies: tuple[Any, ...] = (None, [], "x", 1, True)
        for body in bodies:
            self.assertEqual({""}, faults(body))

    def test_half_of_a_surrogate_pair_is_refused_before_it_reaches_redis(self) -> None:
        """A request's body can't hold one, but what a handler enqueues can; it would fail the jobs beside it."""
        with self.assertRaises(InvalidFields):
            read({"type": "echo", "payload": {"text": "\udc80"}})


class CallbackUrl(unittest.TestCase):
    """What `callback_url` may be, by the type webhook as it ships and the settings."""

    def read(self, url: object, *, modules: str = "lib.handlers.webhook", secret: str = SECRET, **more: Any) -> NewJob:
        settings = config.load({"WEBHOOK_SECRET": secret}, Path("none"))
        types = registry.load(["tests.jobs_for_tests", modules], settings)
        body = {**LEAST, "callback_url": url, **more}
        return submission.read(body, types, JobIds(), request_id="r", trace=TRACE)[0]

    def refusal(self, url: object, **how: Any) -> str:
        """Why the URL is refused."""
        with self.assertRaises(InvalidFields) as refused:
            self.read(url, **how)
        ((pointer, detail),) = refused.exception.errors
        self.assertEqual("/callback_url", pointer)
        return detail

    def test_a_url_is_kept_in_the_spec_as_it_came(self) -> None:
        job = self.read("https://API.example.com/done?job=1")

        self.assertTrue(job.calls_back)
        self.assertEqual("https://API.example.com/done?job=1", JobSpec.from_text(job.spec_text).callback_url)

    def test_none_or_null_is_no_callback(self) -> None:
        for job in (self.read(None), read(LEAST)[0]):
            self.assertFalse(job.calls_back)
            self.assertNotIn("callback", job.spec_text)

    def test_what_is_no_url_is_refused_once_and_with_what_to_write(self) -> None:
        for url, detail in (
            (7, "must be a string, not an integer"),
            ("", "must begin with https:// or http://"),
            ("ftp://a.example", "must begin with https:// or http://"),
            ("https://me:pw@a.example", "send them in a header"),
            ("https://a.example/#top", "leave out #"),
            ("https://a.example/?token=********", "send the URL itself"),
            ("https://" + "a" * 9000, "is longer than 8192 characters"),
        ):
            self.assertIn(detail, self.refusal(url), url)

    def test_an_address_that_webhooks_may_not_reach_is_refused(self) -> None:
        for url in ("http://127.0.0.1/done", "http://[::1]:8080", "http://169.254.169.254/latest"):
            self.assertIn("WEBHOOK_ALLOW_PRIVATE", self.refusal(url), url)

    def test_without_the_type_webhook_the_module_to_add_is_named(self) -> None:
        for detail in (
            self.refusal("https://a.example", modules="tests.jobs_for_tests"),
            self.refusal("https://a.example", modules="tests.jobs_for_tests", secret=""),
        ):
            self.assertIn("add lib.handlers.webhook to JOB_MODULES", detail)

    def test_without_a_secret_it_is_refused_because_it_is_always_signed(self) -> None:
        for secret in ("", "  "):
            self.assertIn("set WEBHOOK_SECRET", self.refusal("https://a.example", secret=secret))

    def test_it_stands_beside_the_unique_modes_that_keep_the_job(self) -> None:
        for mode in ("keep", "throttle"):
            self.assertTrue(self.read("https://a.example", unique={"key": "k", "mode": mode}).calls_back)
        for unique in ({"key": "k", "mode": "replace"}, {"key": "k", "mode": "debounce", "ttl_s": 5}):
            self.assertIn("unique.mode replace or debounce", self.refusal("https://a.example", unique=unique))


if __name__ == "__main__":
    unittest.main()
