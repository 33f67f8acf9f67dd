"""`@job(…, cron=…)`: what is declared, and what refuses the start."""

import itertools
import unittest
from dataclasses import dataclass
from datetime import date
from typing import Any

from lib.jobs.declared_schedule import DeclaredSchedule
from lib.jobs.registry import job, load
from lib.settings import config
from lib.settings.config import Settings
from tests.unit.jobs.module_case import LoadCase

NAMES = (f"nightly_{number}" for number in itertools.count())
"""Of modules, one for each that a test makes."""


@dataclass
class Report:
    month: str


class Declared(LoadCase):
    def declared(self, handler: Any) -> list[DeclaredSchedule]:
        handler.__module__ = "shop.jobs"
        return load([self.module(next(NAMES), handler=handler)]).schedules

    def test_it_is_the_body_of_a_put_and_named_as_its_type(self) -> None:
        @job("report", cron="0 3 * * *", timezone="Europe/Berlin", payload={"month": "last"}, max_attempts=3)
        async def report(ctx: Any, payload: Report) -> None: ...

        job_body = {"type": "report", "payload": {"month": "last"}, "queue": "default", "max_attempts": 3}
        body = {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "owner": "code:shop.jobs", "job": job_body}
        self.assertEqual([DeclaredSchedule("report", body)], self.declared(report))

    def test_it_may_have_a_name_of_its_own_and_an_interval(self) -> None:
        @job("Report", every_s=300, schedule="nightly", overlap="allow", catch_up="none", queue="slow", backoff=(1, 9))
        def report(ctx: Any, payload: dict[str, Any]) -> None: ...

        [one] = self.declared(report)

        self.assertEqual(("nightly", "slow", "code:shop.jobs"), (one.name, one.queue, one.owner))
        words = (one.body["every_s"], one.body["overlap"], one.body["catch_up"], one.body["job"]["backoff"])
        self.assertEqual((300, "allow", "none", {"base_s": 1, "cap_s": 9}), words)
        self.assertEqual({}, one.body["job"]["payload"])

    def test_a_type_without_one_declares_none(self) -> None:
        @job("report", max_attempts=3)
        def report(ctx: Any, payload: dict[str, Any]) -> None: ...

        self.assertEqual([], self.declared(report))

    def test_the_digest_is_that_of_the_words_alone(self) -> None:
        def digest(**words: Any) -> str:
            @job("report", **{"cron": "0 3 * * *", **words})
            def report(ctx: Any, payload: dict[str, Any]) -> None: ...

            return self.declared(report)[0].digest

        self.assertEqual(digest(), digest())
        others: list[dict[str, Any]] = [
            {"cron": "0 4 * * *"},
            {"timezone": "Europe/Berlin"},
            {"payload": {"a": 1}},
            {"max_attempts": 2},
        ]
        self.assertEqual(5, len({digest(), *(digest(**words) for words in others)}))

    def test_what_the_author_does_with_the_payload_later_changes_nothing(self) -> None:
        payload: dict[str, Any] = {"month": "last"}

        @job("report", cron="0 3 * * *", payload=payload)
        async def report(ctx: Any, payload: Report) -> None: ...

        [one] = self.declared(report)
        payload.clear()

        self.assertEqual({"month": "last"}, one.body["job"]["payload"])


class Refused(LoadCase):
    def faults(self, name: str = "report", **words: Any) -> str:
        @job(name, **words)
        async def handler(ctx: Any, payload: Report) -> None: ...

        handler.__module__ = "shop.jobs"
        return self.refused(self.module(next(NAMES), handler=handler))

    def test_what_put_would_refuse_is_said_at_the_start(self) -> None:
        fits = {"payload": {"month": "last"}}
        for words, sentence in (
            ({"cron": "0 3 * *", **fits}, "cron has 4 fields"),
            ({"cron": "0 3 * * *"}, "payload/month is missing"),
            ({"cron": "0 3 * * *", "payload": {"month": 3}}, "payload/month"),
            ({"cron": "0 3 * * *", "payload": [1]}, "payload"),
            ({"cron": "0 3 * * *", "timezone": "Europe/Berlln", **fits}, "timezone no zone 'Europe/Berlln' is known"),
            ({"cron": "0 3 * * *", "every_s": 5, **fits}, "every_s can't stand beside cron"),
            ({"every_s": 0.5, **fits}, "every_s must be from 1 to 316224000"),
            ({"cron": "0 3 * * *", "overlap": "replace", **fits}, "overlap must be one of skip, allow, queue"),
            ({"cron": "0 3 * * *", "catch_up": "some", **fits}, "catch_up must be one of"),
            ({"cron": "0 3 * * *", "schedule": "Nightly!", **fits}, 'schedule="nightly"'),
        ):
            faults = self.faults(**words)

            self.assertIn(f"JOB_MODULES: shop.jobs: the schedule {words.get('schedule', 'report')!r}", faults, words)
            self.assertIn(sentence, faults, words)

    def test_what_is_no_schedule_is_said_too(self) -> None:
        for words, sentence in (
            ({"timezone": "UTC"}, "timezone goes with a schedule: give cron"),
            ({"payload": {}}, "payload goes with a schedule"),
            ({"cron": "0 3 * * *", "payload": {"day": date(2026, 11, 29)}}, "is no JSON"),
            ({"cron": "0 3 * * *", "schedule": 7}, "schedule is the name of its schedule, not 7"),
        ):
            self.assertIn(sentence, self.faults(**words), words)

    def test_a_type_whose_name_can_name_no_schedule_asks_for_one(self) -> None:
        faults = self.faults("Report", cron="0 3 * * *", payload={"month": "last"})

        self.assertIn('begins with a letter or digit; name it, as in @job(…, schedule="nightly")', faults)

    def test_two_of_one_name_are_refused(self) -> None:
        @job("one", cron="0 3 * * *", schedule="nightly")
        @job("two", cron="0 4 * * *", schedule="nightly")
        def handler(ctx: Any, payload: dict[str, Any]) -> None: ...

        self.assertIn("there are two of that name", self.refused(self.module("two_nightly", handler=handler)))

    def test_the_check_of_the_type_is_asked_with_the_settings(self) -> None:
        def check(settings: Settings) -> Any:
            def not_this(payload: Report) -> None:
                raise ValueError(f"not {payload.month}")

            return not_this

        @job("report", cron="0 3 * * *", payload={"month": "last"}, check=check)
        async def handler(ctx: Any, payload: Report) -> None: ...

        module = self.module("checked_nightly", handler=handler)
        with self.assertRaisesRegex(Exception, "payload not last"):
            load([module], config.load({}, self.written()))
        self.assertEqual(1, len(load([module]).schedules))


if __name__ == "__main__":
    unittest.main()
