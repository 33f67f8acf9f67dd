"""How an attempt ends, as it is recorded in Redis: each way in which a job's own code can come to its end."""

import asyncio
import json
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from lib.http1.client.faults import AddressRefused, LinkLost
from lib.jobs import registry
from lib.jobs.backoff import Backoff
from lib.jobs.failure import ERROR_BYTES
from lib.jobs.job import ClaimedJob
from lib.jobs.registry import Discard, HandOver, Retry, Snooze
from lib.jobs.spec import JobSpec
from lib.logs.log import open_logs
from lib.tracing import Trace
from lib.work.runner import attempt
from lib.work.runner.attempt import NotNow, TimedOut
from lib.work.runner.current_job import BlankContext
from tests.jobs_for_tests import REFUSALS

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


def spec(type_name: str = "noop", payload: dict[str, Any] | None = None, max_attempts: int = 3) -> JobSpec:
    return JobSpec(type_name, payload or {}, "r", TRACE, max_attempts, 60.0, Backoff(2.0, 60.0))


def claimed(text: str | bytes, number: int = 1, **fields: Any) -> ClaimedJob:
    raw = text if isinstance(text, bytes) else text.encode()
    return ClaimedJob("q-" + "0" * 32, 7, number, fields.get("unknown_since_ms"), fields.get("now_ms", 0), raw)


def words(ending: attempt.AttemptEnd) -> list[str]:
    """What is sent behind the id and the token."""
    return ending.record.rest.split("\x1f")[1:]


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        log = open_logs(Path(folder.name) / "log", level="ERROR", console_format="text", max_bytes=0, backups=1)
        self.addCleanup(log.close)
        types = registry.load(["tests.jobs_for_tests"])
        self.threads = ThreadPoolExecutor(1)
        self.addCleanup(self.threads.shutdown)
        self.log, self.registry, self.rng = log, types, Random(1)
        self.parts: Any = SimpleNamespace(threads=self.threads, blank=BlankContext())


class Prepare(Case):
    def test_a_job_that_fits_is_ready_to_run(self) -> None:
        prepared = attempt.prepare(attempt.read(claimed(spec("noop", {"seconds": 1}).to_text())), self.registry)

        self.assertEqual((True, 1.0), (prepared.type.is_async, prepared.payload.seconds))

    def test_what_another_worker_may_know_is_put_off(self) -> None:
        for text in (spec("of_next_week").to_text(), spec().to_text().replace('"v":1', '"v":2')):
            with self.assertRaises(NotNow):
                attempt.prepare(attempt.read(claimed(text)), self.registry)

    def test_a_payload_of_another_version_of_its_class_is_put_off_whatever_does_not_fit(self) -> None:
        """It fitted when it was posted: the class of this worker is an older or a newer one."""
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("noop", {"seconds": "x"}, "/payload/seconds: must be a number, not a string"),
            ("noop", {"more": 1}, "/payload/more: is not known here; known: ledger, seconds, size, text, until"),
            ("keeps_a_secret", {}, "/payload/api_key: is missing"),
            *[("checked", {"raises": name}, "/payload: ") for name in REFUSALS],
        ]
        for type_name, payload, said in cases:
            with self.assertRaises(NotNow) as put_off:
                attempt.prepare(attempt.read(claimed(spec(type_name, payload).to_text())), self.registry)
            self.assertIn(said, str(put_off.exception))
            ended = attempt.put_off(claimed(b"", unknown_since_ms=1, now_ms=900_002), put_off.exception)
            self.assertEqual(("fail", "unfit_payload"), (ended.script, json.loads(words(ended)[1])["type"]))
            self.assertIn(said, json.loads(words(ended)[1])["message"])

    def test_what_nobody_will_ever_read_is_discarded(self) -> None:
        for text in (
            b"",
            b"\xff",
            b"{}",
            b"[]",
        ):
            with self.assertRaises(Discard):
                attempt.prepare(attempt.read(claimed(text)), self.registry)


class Completed(Case):
    def test_the_result_is_json(self) -> None:
        for result, text in ((None, ""), ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'), ("", '""'), (0, "0"), (False, "false")):
            self.assertEqual(["-noop", text], words(attempt.complete(claimed(b""), spec(), result, self.log)))

    def test_a_result_that_can_not_be_kept_costs_the_result_and_not_the_job(self) -> None:
        for result, reason in ((object(), "class object"), (b"\xff", "no UTF-8"), ("x" * 65_600, "65,602 bytes")):
            ending = attempt.complete(claimed(b""), spec(), result, self.log)

            option, why = words(ending)
            self.assertEqual(("finish", "tnoop", True), (ending.script, option, reason in why))

    def test_half_a_surrogate_pair_is_kept_as_its_escape(self) -> None:
        ending = attempt.complete(claimed(b""), spec(), "\udc80", self.log)

        self.assertEqual(["-noop", '"\\udc80"'], words(ending))

    def test_no_result_holds_a_byte_that_parts_records(self) -> None:
        ending = attempt.complete(claimed(b""), spec(), {"\x1e": "\x1f\x1d\x1c\x00"}, self.log)

        self.assertFalse(set(ending.record.rest[2:]) & set("\x1c\x1d\x1e\x00"))
        self.assertEqual(2, ending.record.rest.count("\x1f"))


class WentWrong(Case):
    def of(self, fault: BaseException, number: int = 1) -> attempt.AttemptEnd:
        return attempt.fail(claimed(b"", number), spec(max_attempts=3), fault, self.rng)

    def test_with_attempts_left_it_comes_back_by_its_backoff(self) -> None:
        for number in (1, 2):
            ending = self.of(ValueError("no"), number)

            delay_ms, error = words(ending)
            self.assertEqual(("fail", "job.retried"), (ending.script, ending.event))
            self.assertIn(int(delay_ms), range(1000, 4001))
            self.assertEqual({"type": "ValueError", "message": "no"}, json.loads(error))

    def test_what_could_be_tried_again_only_too_late_is_dead_with_a_reason_of_its_own(self) -> None:
        for fault in (Snooze("greylisted", after_s=300), Retry("later", after_s=300), ValueError("x" * 20_000)):
            for gives_up_ms, ran_s, is_dead in ((900, 0.0, True), (310_000, 0.0, False), (310_000, 311.0, True)):
                job = claimed(b"")._replace(gives_up_ms=gives_up_ms)

                ending = attempt.fail(job, spec(max_attempts=3), fault, self.rng, ran_s)

                self.assertEqual(is_dead, ending.event == "job.died", (fault, gives_up_ms, ran_s))
                if is_dead:
                    delay_ms, text = words(ending)
                    error = json.loads(text)
                    self.assertEqual(("fail", "", "gave_up"), (ending.script, delay_ms, error["type"]))
                    self.assertIn(str(fault)[:100], error["message"])
                    self.assertLessEqual(len(text), ERROR_BYTES)

    def test_the_secrets_of_its_payload_are_not_kept_in_its_error(self) -> None:
        secretive = spec(max_attempts=3)._replace(payload={"api_key": "k-4711-hush", "to": "anna"})
        for fault in (ValueError("401 for k-4711-hush"), Snooze("k-4711-hush", after_s=300), Discard("k-4711-hush")):
            ending = attempt.fail(claimed(b"")._replace(gives_up_ms=900), secretive, fault, self.rng)

            self.assertNotIn("hush", words(ending)[1])
            self.assertIn("********", words(ending)[1])

    def test_whether_it_keeps_its_traceback_is_obeyed_however_it_ends(self) -> None:
        try:
            raise ValueError("no")
        except ValueError as raised:
            fault = raised
        late = claimed(b"")._replace(gives_up_ms=1)
        cancelled = attempt.Cancelled("somebody asked").with_traceback(fault.__traceback__)
        for job, error in ((claimed(b""), fault), (claimed(b"", 3), fault), (late, fault), (claimed(b""), cancelled)):
            for keeps_traceback in (True, False):
                with self.subTest(job, keeps=keeps_traceback):
                    ending = attempt.fail(job, spec(max_attempts=3), error, self.rng, keeps_traceback=keeps_traceback)

                    self.assertEqual(keeps_traceback, "in WentWrong.test_whether" in words(ending)[1])

    def test_one_that_was_cancelled_is_not_given_up(self) -> None:
        job = claimed(b"")._replace(gives_up_ms=1)

        ending = attempt.fail(job, spec(), attempt.Cancelled("somebody asked"), self.rng)

        self.assertEqual("job.cancelled", ending.event)

    def test_at_the_last_attempt_it_is_dead_whatever_it_asked_for(self) -> None:
        for fault in (
            ValueError("no"),
            Retry("later", after_s=5),
            TimedOut("late"),
            SystemExit(3),
            KeyboardInterrupt(),
            asyncio.CancelledError(),
        ):
            ending = self.of(fault, 3)
            self.assertEqual(("fail", "job.died", ""), (ending.script, ending.event, words(ending)[0]))

    def test_a_retry_may_name_its_delay(self) -> None:
        self.assertEqual("1500", words(self.of(Retry("later", after_s=1.5)))[0])
        self.assertEqual("0", words(self.of(Retry("now", after_s=-5)))[0])

    def test_what_is_handed_over_for_no_length_of_time_has_failed(self) -> None:
        class Odd(HandOver): ...

        self.assertEqual(
            ("hand_over", "60000"), (self.of(Odd(within_s=60)).script, words(self.of(Odd(within_s=60)))[0])
        )
        self.assertEqual("316224000000", words(self.of(HandOver(within_s=float("inf"))))[0])
        for within_s in (float("nan"), True):
            self.assertEqual("fail", self.of(HandOver(within_s=within_s)).script)

    def test_a_retry_and_a_snooze_may_hold_the_group(self) -> None:
        class Odd(Retry):
            @property
            def hold(self) -> bool:
                raise ValueError("not even this")

            @hold.setter
            def hold(self, value: bool) -> None: ...

        grouped = spec()._replace(group="tenant-42")
        for fault, script, option in (
            (Retry("429", after_s=30, hold=True), "fail", "30000h"),
            (Snooze("429", after_s=30, hold=True), "snooze", "30000h"),
            (Retry("429", after_s=30), "fail", "30000"),
            (Odd("429", after_s=30, hold=True), "fail", "30000"),
        ):
            ending = attempt.fail(claimed(grouped.to_text()), grouped, fault, self.rng)

            self.assertEqual((script, option), (ending.script, words(ending)[0]))
            self.assertEqual(option.endswith("h"), "the group tenant-42 rests until then" in ending.msg, ending.msg)

    def test_an_exception_whose_class_says_so_is_a_strike_against_the_group(self) -> None:
        class Meta(type):
            @property
            def strikes(cls) -> bool:
                raise SystemExit(3)

        class Odd(Exception, metaclass=Meta): ...

        class Truthy(Exception):
            strikes = 1

        class Final(Discard):
            strikes = True

        grouped = spec()._replace(group="api.example.com:443")
        for fault, number, strike in (
            (LinkLost("api.example.com:443 closed the link"), 1, "sLinkLost: api.example.com:443 closed the link"),
            (LinkLost("closed"), 3, "sLinkLost: closed"),
            (Final("closed"), 1, "sFinal: closed"),
            (AddressRefused("127.0.0.1"), 1, ""),
            (Retry("429", after_s=30), 1, ""),
            (Odd("x"), 1, ""),
            (Truthy("x"), 1, ""),
        ):
            ending = attempt.fail(claimed(grouped.to_text(), number), grouped, fault, self.rng)

            self.assertEqual(("fail", strike), (ending.script, words(ending)[0].lstrip("0123456789")))
            rests = ", and the group api.example.com:443 rests for its strikes" in ending.msg
            self.assertEqual(bool(strike) and ending.event == "job.retried", rests, ending.msg)

    def test_what_is_given_up_strikes_as_well(self) -> None:
        job = claimed(b"")._replace(gives_up_ms=1)

        ending = attempt.fail(job, spec(), LinkLost("closed"), self.rng)

        self.assertEqual(("job.died", "sLinkLost: closed"), (ending.event, words(ending)[0]))

    def test_a_discard_is_dead_at_once(self) -> None:
        self.assertEqual(("fail", ""), (self.of(Discard("never")).script, words(self.of(Discard("never")))[0]))

    def test_a_snooze_counts_nothing_even_at_the_last_attempt(self) -> None:
        ending = self.of(Snooze("early", after_s=2), 3)

        self.assertEqual(("snooze", "2000"), (ending.script, words(ending)[0]))

    def test_delays_that_are_no_numbers_of_seconds_fail_the_attempt_and_not_the_lane(self) -> None:
        odd: tuple[Any, ...] = (float("nan"), float("inf"), 1e300, 10**400, "soon", None, True, Decimal("NaN"), [1])
        for delay_s in odd:
            for fault in (Retry("x", after_s=delay_s), Snooze("x", after_s=delay_s)):
                with self.subTest(repr(delay_s), fault=type(fault).__name__):
                    self.assertRegex(words(self.of(fault))[0], r"\A[0-9]{0,15}\Z")

    def test_a_snooze_that_names_no_time_is_a_failed_attempt(self) -> None:
        class Bare(Snooze):
            def __init__(self) -> None:
                pass

        odd: tuple[Any, ...] = (float("nan"), "soon", None, True)
        for fault in (Bare(), *[Snooze("x", after_s=value) for value in odd]):
            self.assertEqual(("fail", "job.retried"), (self.of(fault).script, self.of(fault).event), fault)
            self.assertEqual("job.died", self.of(fault, 3).event)

    def test_a_delay_may_be_of_any_kind_that_is_a_time(self) -> None:
        for after_s in (2, 2.0, Decimal("2.0"), timedelta(seconds=2)):
            for fault in (Retry("x", after_s=after_s), Snooze("x", after_s=after_s)):  # type: ignore[arg-type]
                self.assertEqual("2000", words(self.of(fault))[0])

    def test_what_an_exception_says_is_bounded_and_can_not_fail(self) -> None:
        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        for fault in (Unspeakable(), ValueError("x" * 10**6), ValueError("\udc80\x1e\x1f\x00"), ValueError()):
            ending = self.of(fault)
            self.assertEqual(2, len(words(ending)))
            self.assertLessEqual(len(json.loads(words(ending)[1])["message"]), 8192)
            ending.record.rest.encode()


class PutOff(Case):
    def test_an_unknown_type_waits_for_a_quarter_of_an_hour_and_no_longer(self) -> None:
        for since_ms, now_ms, script in ((None, 0, "snooze"), (1000, 901_000, "snooze"), (1000, 901_001, "fail")):
            job = claimed(b"", unknown_since_ms=since_ms, now_ms=now_ms)

            ending = attempt.put_off(job, NotNow("unknown"))

            self.assertEqual(script, ending.script)
            self.assertEqual("10000u" if script == "snooze" else "", words(ending)[0])
            self.assertEqual({"type": "unknown_type", "message": "unknown"}, json.loads(words(ending)[1]))


class Run(Case):
    def ran(self, type_name: str, *, is_cancelled: bool = False) -> Any:
        """The result of a handler of tests.jobs_for_tests."""
        prepared = attempt.prepare(attempt.read(claimed(spec(type_name, {"ledger": ""}).to_text())), self.registry)
        context: Any = SimpleNamespace(
            enter=lambda: None, job_id="j", attempt=1, cancelled=False, is_cancelled=is_cancelled
        )

        async def run() -> Any:
            async with asyncio.timeout(5):
                return await attempt.run(prepared, context, self.parts)

        return asyncio.run(run())

    def test_async_and_plain_handlers_give_their_results(self) -> None:
        self.assertEqual(["slept", "slept"], [self.ran("sleep"), self.ran("sleep_thread")])

    def test_what_had_no_thread_until_it_was_told_to_stop_does_not_begin(self) -> None:
        raised = self.ran("sleep_thread", is_cancelled=True)

        self.assertIs(asyncio.CancelledError, type(raised.fault))

    def test_what_a_thread_raises_comes_out_when_it_is_to_be_a_result(self) -> None:
        for type_name, kind in (("exit_thread", SystemExit), ("stop_iteration", StopIteration)):
            raised = self.ran(type_name)

            with self.assertRaises(kind):
                attempt.complete(claimed(b""), spec(), raised, self.log)


if __name__ == "__main__":
    unittest.main()
