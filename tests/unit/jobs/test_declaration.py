"""`@job`: what it marks becomes a job type, and what can't be a handler is reported by its name."""

import functools
import re
import unittest
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.errors import ConfigError
from lib.jobs.registry import job, load
from lib.settings import config
from lib.settings.config import Settings
from tests.unit.jobs.module_case import LoadCase


@dataclass
class Report:
    month: int


@dataclass
class Nested:
    report: Report
    maybe: Report | None = None
    more: dict[str, Any] = field(default_factory=dict)
    api_key: str = ""


class Groups(LoadCase):
    """Which group the jobs of a type have."""

    def test_a_field_of_the_payload_or_a_function_of_the_settings_names_it(self) -> None:
        def server(settings: Settings) -> str:
            return settings.key_prefix

        @job("by_field", group_by="month")
        async def by_field(ctx: Any, payload: Report) -> None: ...

        @job("by_settings", group=server)
        async def by_settings(ctx: Any, payload: dict[str, Any]) -> None: ...

        module = self.module("jobs_a", a=by_field, b=by_settings)
        types = load([module], config.load({"KEY_PREFIX": "mine"}, Path("none"))).types

        self.assertEqual([("month", ""), ("", "mine")], [(one.group_by, one.group) for one in types])
        self.assertEqual(["", ""], [one.group for one in load([module]).types])

    def test_a_function_of_the_settings_may_return_the_function_of_the_payload_that_names_it(self) -> None:
        @job("by_payload", group=lambda settings: lambda payload: f"{settings.key_prefix}-{payload['month']}")
        async def by_payload(ctx: Any, payload: Report) -> None: ...

        module = self.module("jobs_a", a=by_payload)
        (found,) = load([module], config.load({"KEY_PREFIX": "mine"}, Path("none"))).types

        assert found.group_of is not None
        self.assertEqual(("", "mine-2026-11"), (found.group, found.group_of({"month": "2026-11"})))
        self.assertIsNone(load([module]).types[0].group_of)

    def test_what_can_name_none_is_said_at_the_start(self) -> None:
        def marked(name: str, **options: Any) -> Any:
            @job(name, **options)
            async def handler(ctx: Any, payload: Nested) -> None: ...

            return handler

        bad = {
            "typo": (marked("a", group_by="mont"), "Nested has no field mont; it has report, maybe, more, api_key"),
            "deep": (marked("b", group_by="report.week"), "Report has no field week; it has month"),
            "dots": (marked("c", group_by="report..month"), 'a field of the payload, as "tenant" or "customer.id"'),
            "empty": (marked("d", group_by=""), "a field of the payload"),
            "number": (marked("e", group_by=5), "a field of the payload"),
            "secret": (marked("f", group_by="api_key"), "would show a secret"),
            "text": (marked("g", group="tenant"), "group is a function of the settings, or None, not 'tenant'"),
            "unfit": (marked("h", group=lambda settings: "a b"), "group gives a name of 1 to 128 letters"),
            "no_name": (marked("i", group=lambda settings: 5), "group gives a name of 1 to 128 letters"),
            "fails": (marked("j", group=lambda settings: settings.nothing), "nothing"),
        }
        module = self.module("jobs_bad", **{name: handler for name, (handler, _) in bad.items()})

        with self.assertRaises(ConfigError) as refused:
            load([module], config.load({}, Path("none")))

        self.assertEqual(len(bad), len(refused.exception.faults))
        for (name, (_, words)), fault in zip(bad.items(), refused.exception.faults, strict=True):
            self.assertIn(words, fault, name)

    def test_what_may_hold_anything_is_not_looked_into(self) -> None:
        @job("free", group_by="a.b")
        async def free(ctx: Any, payload: dict[str, Any]) -> None: ...

        @job("nested", group_by="report.month")
        @job("more", group_by="more.anything")
        @job("optional", group_by="maybe.month")
        async def nested(ctx: Any, payload: Nested) -> None: ...

        found = load([self.module("jobs_a", a=free, b=nested)])

        self.assertEqual(["a.b", "more.anything", "report.month", "maybe.month"], [one.group_by for one in found.types])


class Names(LoadCase):
    """What a job is called, and what can be marked."""

    def test_without_a_name_a_type_is_called_as_its_function_is(self) -> None:
        @job
        async def bare(ctx: Any, payload: Report) -> None: ...

        @job()
        def with_brackets(ctx: Any, payload: dict[str, Any]) -> None: ...

        @job(queue="slow")
        def with_options(ctx: Any, payload: dict[str, Any]) -> None: ...

        found = load([self.module("jobs_a", a=bare, b=with_brackets, c=with_options)])

        self.assertEqual(["bare", "with_brackets", "with_options"], found.names)
        self.assertEqual({"default": ["bare", "with_brackets"], "slow": ["with_options"]}, found.queues)
        one = found.get("bare")
        assert one is not None
        self.assertEqual((True, Report(3)), (one.is_async, one.decode({"month": 3}, "")))

    def test_a_function_that_is_marked_twice_is_the_handler_of_both(self) -> None:
        @job("old_name")
        @job("new_name", queue="slow")
        def handler(ctx: Any, payload: dict[str, Any]) -> None: ...

        self.assertEqual(
            {"default": ["old_name"], "slow": ["new_name"]}, load([self.module("jobs_a", h=handler)]).queues
        )

    def test_partials_objects_and_bound_methods_are_handlers_async_or_not(self) -> None:
        async def later(more: int, ctx: Any, payload: Report) -> None: ...

        class Plain:
            def __call__(self, ctx: Any, payload: Report) -> None: ...

            @job("bound")
            async def bound(self, ctx: Any, payload: Report) -> None: ...

        class Later:
            async def __call__(self, ctx: Any, payload: Report) -> None: ...

        made = {
            "partial": job("partial")(functools.partial(functools.partial(later), 1)),
            "plain": job("plain")(Plain()),
            "later": job("later")(Later()),
            "cached": job("cached")(functools.lru_cache(Plain().__call__)),
            "bound": Plain().bound,
        }

        found = load([self.module("jobs_a", Plain=Plain, **made)])

        self.assertEqual(sorted(made), found.names)
        types = {name: one for name in found.names if (one := found.get(name))}
        self.assertEqual({"partial", "later", "bound"}, {name for name, one in types.items() if one.is_async})
        self.assertEqual([Report(3)] * len(made), [one.decode({"month": 3}, "") for one in types.values()])

    def test_what_can_be_no_handler_is_reported(self) -> None:
        @job("kind")
        class Kind:
            def __init__(self, ctx: Any, payload: Any) -> None: ...

        @job
        class BareKind: ...

        @job("by_name")
        def by_name(ctx: Any, *, payload: dict[str, Any]) -> None: ...

        @job("starred")
        def starred(*ctx: Any, **payload: Any) -> None: ...

        @job("lost")
        def lost(ctx: Any, payload: "Exits.now") -> None: ...  # type: ignore[name-defined]  # noqa: F821

        nameless = job(functools.partial(print, 1))

        faults = self.refused(
            self.module(
                "jobs_a", Kind=Kind, BareKind=BareKind, by_name=by_name, starred=starred, lost=lost, nameless=nameless
            )
        )

        for name, words in {
            "Kind": "marks a class",
            "BareKind": "marks a class",
            "by_name": "(ctx, payload)",
            "starred": "(ctx, payload)",
            "lost": "name 'Exits' is not defined",
            "nameless": '@job("report")',
        }.items():
            self.assertRegex(faults, rf"JOB_MODULES: jobs_a\.{name}: .*{re.escape(words)}")

    def test_what_can_bear_no_mark_is_reported_with_its_line(self) -> None:
        folder = self.written(jobs_slots="from lib.jobs.registry import job\n\njob('x')(print)\n")

        faults = self.refused("jobs_slots")

        self.assertIn("@job can't mark a builtin_function_or_method", faults)
        self.assertIn(f"({folder}/jobs_slots.py:3)", faults)

    def test_methods_are_told_for_nobody_would_find_them(self) -> None:
        self.written(
            jobs_methods="""
from lib.jobs.registry import job
class Mails:
    @job("bound")
    def bound(self, ctx, payload): ...
    @staticmethod
    @job("still")
    def still(ctx, payload): ...
    @job("of_class")
    @classmethod
    def of_class(cls, ctx, payload): ...
@job
def found(ctx, payload): ...
"""
        )

        faults = self.refused("jobs_methods")

        self.assertEqual(3, len(faults.splitlines()), faults)
        for name in ("bound", "still", "of_class"):
            self.assertIn(f"jobs_methods.Mails.{name}: @job marks a function in a class", faults)


if __name__ == "__main__":
    unittest.main()
