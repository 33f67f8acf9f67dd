"""Job modules are loaded: what `@job` marks in them is found, and every fault is reported."""

import tempfile
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.errors import ConfigError
from lib.jobs.author_checks import Invalid
from lib.jobs.registry import job, load
from lib.settings import config
from lib.settings.config import Settings
from tests.unit.jobs.module_case import LoadCase

SETTINGS = config.load({}, Path(tempfile.gettempdir()) / "none")


@dataclass
class Report:
    month: int


class Load(LoadCase):
    def test_a_queue_begins_with_what_a_type_asks_for_and_types_must_agree(self) -> None:
        @job("a", queue="hooks", group_concurrency=10)
        async def a(ctx: Any, payload: Report) -> None: ...

        @job("b", queue="hooks", group_concurrency=10)
        async def b(ctx: Any, payload: Report) -> None: ...

        @job("c", queue="hooks", group_concurrency=9)
        async def c(ctx: Any, payload: Report) -> None: ...

        @job("d", queue="hooks")
        async def d(ctx: Any, payload: Report) -> None: ...

        found = load([self.module("jobs_a", a=a, b=b, d=d)])
        with self.assertRaises(ConfigError) as refused:
            load([self.module("jobs_b", a=a, c=c)])

        self.assertEqual({"hooks": {"group_concurrency": "10"}}, found.first_settings)
        (fault,) = refused.exception.faults
        self.assertIn("types of the queue hooks differ in their group_concurrency: a 10, c 9", fault)

    def test_a_group_concurrency_is_a_number_of_jobs(self) -> None:
        for wrong in (0, -1, 1.5, True, "10", 100_001):

            @job("a", group_concurrency=wrong)  # type: ignore[arg-type]
            async def a(ctx: Any, payload: Report) -> None: ...

            with self.assertRaises(ConfigError) as refused:
                load([self.module(f"jobs_{wrong}", a=a)])
            self.assertIn("group_concurrency is a whole number from 1 to 100000", str(refused.exception.faults))

    def test_async_and_plain_handlers_are_found_with_their_defaults(self) -> None:
        @job("report", queue="slow", max_attempts=2, timeout_s=7, backoff=(1, 9), retain_s=0.5, give_up_after_s=60)
        async def report(ctx: Any, payload: Report) -> None: ...

        @job("plain")
        def plain(ctx: Any, payload: dict[str, Any]) -> None: ...

        found = load([self.module("jobs_a", report=report, plain=plain, other=load, number=1)])

        slow = found.get("report")
        assert slow is not None
        self.assertEqual(
            (True, "slow", 2, 7, (1, 9)),
            (slow.is_async, slow.queue, slow.max_attempts, slow.timeout_s, tuple(slow.backoff)),
        )
        self.assertEqual(Report(3), slow.decode({"month": 3}, ""))
        self.assertEqual((500, 60_000), (slow.retain_ms, slow.give_up_ms))
        quick = found.get("plain")
        assert quick is not None
        self.assertEqual(
            (5, 60, (2, 3600), None), (quick.max_attempts, quick.timeout_s, quick.backoff, quick.give_up_ms)
        )
        self.assertEqual(["plain", "report"], found.names)
        self.assertIsNone(found.get("unknown"))

    def test_a_check_is_made_with_the_settings_and_asked_before_a_payload_is_queued(self) -> None:
        def at_most(settings: Settings) -> Callable[[Report], None]:
            def check(payload: Report) -> None:
                if payload.month > settings.crash_limit:
                    raise KeyError("too late")

            return check

        @job("report", check=at_most)
        async def report(ctx: Any, payload: Report) -> None: ...

        module = self.module("jobs_a", report=report)
        checked, unchecked = load([module], SETTINGS).get("report"), load([module]).get("report")

        assert checked and unchecked
        checked.admit({"month": 3}, "/payload")
        unchecked.admit({"month": 4}, "/payload")
        for payload, pointer in (({"month": 4}, "/payload"), ({"month": ""}, "/payload/month")):
            with self.assertRaises(Invalid) as refused:
                checked.admit(payload, "/payload")
            self.assertEqual([pointer], [error.pointer for error in refused.exception.errors])

    def test_a_check_that_can_not_be_made_of_the_settings_refuses_the_start(self) -> None:
        for fault, faults in (
            (ConfigError(["X: is wrong", "Y: too"]), "X: is wrong\nY: too"),
            (ValueError("no"), "JOB_MODULES: jobs_a.report: no"),
        ):

            def broken(settings: Settings, fault: Exception = fault) -> Callable[[Any], None]:
                raise fault

            @job("report", check=broken)
            async def report(ctx: Any, payload: Report) -> None: ...

            report.__name__ = "report"
            with self.subTest(faults), self.assertRaises(ConfigError) as refused:
                load([self.module("jobs_a", report=report)], SETTINGS)
            self.assertEqual(faults, "\n".join(refused.exception.faults))
            self.doCleanups()

    def test_what_a_type_does_not_say_is_as_the_settings_have_it(self) -> None:
        @job("report", max_attempts=2, backoff=(1, 9))
        async def report(ctx: Any, payload: Report) -> None: ...

        @job("plain", timeout_s=3, give_up_after_s=5)
        async def plain(ctx: Any, payload: Report) -> None: ...

        environment = {
            "DEFAULT_MAX_ATTEMPTS": "7",
            "DEFAULT_TIMEOUT_S": "90",
            "DEFAULT_BACKOFF_BASE_S": "0.5",
            "DEFAULT_BACKOFF_CAP_S": "20",
            "DEFAULT_GIVE_UP_AFTER_S": "259200",
        }
        settings = config.load(environment, Path("none"))

        found = load([self.module("jobs_a", report=report, plain=plain)], settings)

        got = {
            name: (t.max_attempts, t.timeout_s, tuple(t.backoff), t.give_up_ms)
            for name in found.names
            if (t := found.get(name)) is not None
        }
        self.assertEqual((2, 90, (1, 9), 259_200_000), got["report"])
        self.assertEqual((7, 3, (0.5, 20), 5000), got["plain"])

    def test_a_module_may_refuse_the_settings(self) -> None:
        def fussy(settings: Any) -> None:
            raise ConfigError(["SMTP_URL: not so", "MAIL_FROM: nor this"])

        def broken(settings: Any) -> None:
            raise KeyError("x")

        @job
        async def noop(ctx: Any, payload: Report) -> None: ...

        hooks = {"jobs_a": fussy, "jobs_b": broken}
        names = [self.module(name, check_settings=hook, noop=noop) for name, hook in hooks.items()]

        with self.assertRaises(ConfigError) as refused:
            load(names, config.load({}, Path("none")))

        first, second, third = refused.exception.faults
        self.assertEqual(["SMTP_URL: not so", "MAIL_FROM: nor this"], [first, second])
        self.assertIn("check_settings of jobs_b failed: KeyError", third)
        load(names)

    def test_a_handler_imported_into_another_module_is_the_same_and_not_defined_twice(self) -> None:
        @job("report")
        async def report(ctx: Any, payload: Report) -> None: ...

        names = [self.module("jobs_a", report=report), self.module("jobs_b", again=report)]

        self.assertEqual(["report"], load(names).names)

    def test_every_fault_of_every_module_is_reported_at_once(self) -> None:
        def marked(name: str = "x", **options: Any) -> Callable[[Any, dict[str, Any]], None]:
            @job(name, **options)
            def handler(ctx: Any, payload: dict[str, Any]) -> None: ...

            return handler

        @job("three")
        def three(ctx: Any, payload: dict[str, Any], more: int) -> None: ...

        @job("unpayable")
        def unpayable(ctx: Any, payload: set[int]) -> None: ...

        @job("generates")
        def generates(ctx: Any, payload: dict[str, Any]) -> Any:
            yield

        @job("generates later")
        async def generates_later(ctx: Any, payload: dict[str, Any]) -> Any:
            yield

        bad = {
            "generates": generates,
            "generates_later": generates_later,
            "half": marked("h", max_attempts=2.5),
            "endless": marked("e", timeout_s=float("inf")),
            "no_number": marked("n", timeout_s=float("nan")),
            "endless_backoff": marked("eb", backoff=(1, float("inf"))),
            "three": three,
            "unpayable": unpayable,
            "unnamed": marked(""),
            "long": marked("n" * 65),
            "unprintable": marked("a\nb"),
            "queue": marked("q", queue="Not A Queue"),
            "attempts": marked("a", max_attempts=0),
            "timeout": marked("t", timeout_s=0),
            "backoff": marked("b", backoff=(5, 1)),
            "impatient": marked("im", give_up_after_s=0),
            "patient": marked("pa", give_up_after_s=float("inf")),
            "retain": marked("r", retain_s=-1),
            "endless_retain": marked("er", retain_s=float("nan")),
            "text_timeout": marked("tt", timeout_s="60"),
            "no_patience": marked("np", give_up_after_s=0),
            "true_timeout": marked("rt", timeout_s=True),
            "one_backoff": marked("ob", backoff=5),
            "three_backoffs": marked("tb", backoff=(1, 2, 3)),
            "text_backoff": marked("xb", backoff=("1", "2")),
            "text_patience": marked("xp", give_up_after_s="60"),
            "number_queue": marked("nq", queue=5),
            "no_queue": marked("kq", queue=None),
            "list_queue": marked("lq", queue=["a"]),
            "number_name": marked(5),  # type: ignore[arg-type]
            "bytes_name": marked(b"x"),  # type: ignore[arg-type]
            "quoted_name": marked('a"b'),
        }

        faults = self.refused(self.module("jobs_bad", **bad), "no_such_module")

        self.assertEqual(len(bad) + 1, len(faults.split("\n")), faults)
        self.assertIn("no_such_module can't be imported", faults)

    def test_a_module_that_exits_or_fails_at_its_import_is_reported_with_the_line(self) -> None:
        folder = self.written(
            jobs_exits='import sys\n\nsys.exit("no DATABASE_URL")\n',
            jobs_fails='import os\n\nURL = os.environ["NOT_THERE"]\n',
        )

        faults = self.refused("jobs_exits", "jobs_fails")

        self.assertIn(f"SystemExit: no DATABASE_URL ({folder}/jobs_exits.py:3)", faults)
        self.assertIn(f"KeyError: 'NOT_THERE' ({folder}/jobs_fails.py:3)", faults)

    def test_two_handlers_under_one_name_are_refused(self) -> None:
        @job("same")
        def one(ctx: Any, payload: dict[str, Any]) -> None: ...

        @job("same")
        def other(ctx: Any, payload: dict[str, Any]) -> None: ...

        self.assertIn("'same' is defined twice", self.refused(self.module("jobs_a", one=one, other=other)))

    def test_objects_that_answer_to_any_name_are_no_handlers(self) -> None:
        class Magic:
            def __getattr__(self, name: str) -> object:
                return self

            def __call__(self) -> None: ...

        class Proxy:
            """As those of web frameworks, where no request is there."""

            def __getattribute__(self, name: str) -> object:
                raise RuntimeError("working outside of request context")

            def __call__(self) -> None: ...

        class Silent(type):
            def __getattribute__(cls, name: str) -> object:
                raise SystemExit(name)

        class OfSilent(metaclass=Silent): ...

        @job("x")
        def x(ctx: Any, payload: dict[str, Any]) -> None: ...

        self.assertEqual(["x"], load([self.module("jobs_a", magic=Magic(), proxy=Proxy(), silent=OfSilent, x=x)]).names)


if __name__ == "__main__":
    unittest.main()
