"""Every way in which a handler can end, or not end, in a real worker."""

import signal
import time
import unittest
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.job import JobRecord, NewJob
from lib.jobs.spec import JobSpec
from tests.system.worker_case import WorkerCase
from tests.traces import new_trace


def told(record: JobRecord) -> tuple[str, ...]:
    """Type, message and traceback of its error."""
    error = record.error or {}
    return tuple(str(error.get(part)) for part in ("type", "message", "traceback"))


def error_type(record: JobRecord) -> str:
    return str((record.error or {}).get("type"))


class Ends(WorkerCase):
    """One worker runs all of these at once, as it does in life."""

    def test_each_handler_ends_as_it_says_and_the_runner_outlives_them_all(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=50")
        pids = worker.runner_pids()
        flag = self.flag()
        once = {"max_attempts": 1}
        ids = {
            "noop": self.post("noop"),
            "sleep": self.post("sleep", seconds=0.05),
            "thread": self.post("sleep_thread", seconds=0.05),
            "fail": self.post("fail", {"max_attempts": 3}, text="no"),
            "fail_once": self.post("fail_once"),
            "unspeakable": self.post("fail_unspeakably"),
            "exit": self.post("exit"),
            "exit_thread": self.post("exit_thread"),
            "big": self.post("big", size=100_000),
            "fits": self.post("big", size=60_000),
            "unserialisable": self.post("unserialisable"),
            "retry": self.post("retry", seconds=0.1),
            "discard": self.post("discard", {"max_attempts": 5}, text="never"),
            "snooze": self.post("snooze", seconds=0.05, until=str(flag)),
            "talk": self.post("talk"),
            "talk_thread": self.post("talk_thread"),
            "unique": self.post("enqueue_unique"),
            "wrapped": self.post("wrapped", once),
            "strange_result": self.post("strange_result"),
            "exit_in_str": self.post("fail_with_an_exit_in_str", once),
            "child": self.post("terminate_a_child"),
            "stop_iteration": self.post("stop_iteration", once),
            "long_error": self.post("fail", once, text="é" * 50_000),
            "surrogate": self.post("fail_lone_surrogate", once),
            "last": self.post("fail_but_for_the_last"),
            "last_of_two": self.post("fail_but_for_the_last", {"max_attempts": 2}),
            "only": self.post("fail_but_for_the_last", once),
        }
        self.until_begun(ids["snooze"], attempts=3)
        flag.touch()

        dead = (
            *("fail", "unspeakable", "exit", "exit_thread", "discard", "stop_iteration", "long_error", "surrogate"),
            *("wrapped", "exit_in_str"),
        )
        self.until_all([ids[name] for name in dead], "dead")
        self.until_all([job_id for name, job_id in ids.items() if name not in dead], "completed")

        found = {name: self.record(job_id) for name, job_id in ids.items()}
        self.assertEqual(
            ("slept", "slept", "at the second attempt", "woken"),
            (found["sleep"].result, found["thread"].result, found["retry"].result, found["snooze"].result),
        )
        self.assertEqual((3, "ValueError"), (found["fail"].attempts, error_type(found["fail"])))
        self.assertEqual(["retried", "retried", "dead"], [line.outcome for line in found["fail"].history])
        self.assertEqual(2, found["fail_once"].attempts)
        self.assertEqual(
            ["attempt 3 of 3", "attempt 2 of 2", "attempt 1 of 1"],
            [found[name].result for name in ("last", "last_of_two", "only")],
        )
        self.assertEqual("Unspeakable", error_type(found["unspeakable"]))
        self.assertEqual(["SystemExit"] * 2, [error_type(found[name]) for name in ("exit", "exit_thread")])
        self.assertEqual((True, None), (found["big"].is_result_truncated, found["big"].result))
        self.assertEqual((False, 60_000), (found["fits"].is_result_truncated, len(found["fits"].result)))
        self.assertEqual(
            "it holds an object of the class object, which is no JSON", found["unserialisable"].result_error
        )
        self.assertEqual((1, "Discard", "never"), (found["discard"].attempts, *told(found["discard"])[:2]))
        self.assertEqual(1, found["snooze"].attempts)
        self.assertLessEqual(len(str((found["long_error"].error or {})["message"])), 8192)
        self.until_all([str(found["talk"].result), str(found["talk_thread"].result)], "completed")
        self.assertEqual({"fraction": 0.5, "note": "half-way"}, found["talk"].progress)
        self.assertEqual(1, len(set(found["unique"].result)))
        self.assertEqual("delayed", self.record(found["unique"].result[0]).state)
        self.assertIn("gave a coroutine and did nothing", str(found["wrapped"].error))
        self.assertTrue(found["strange_result"].is_result_truncated)
        self.assertEqual(-signal.SIGTERM, found["child"].result)
        lines = self.asked(lambda queue: queue.log_of(ids["talk"]))
        self.assertEqual(["first line", "second line    with controls"], [line.text for line in lines])
        self.assertEqual(pids, worker.runner_pids())

    def test_a_job_of_which_there_may_be_one_an_hour_is_answered_or_named_where_it_is_gone(self) -> None:
        self.ready()

        asks = self.post_many(2, "enqueue_throttled")
        self.until_all(asks, "completed")
        enqueued, *others = {str(record.result) for record in self.records(asks)}
        self.asked(lambda queue: queue.cancel(enqueued))
        self.asked(lambda queue: queue.delete(enqueued))
        last = self.post("enqueue_throttled")
        self.until_all([last], "completed")

        self.assertEqual([], others)
        self.assertEqual(f"throttled {enqueued}", self.record(last).result)

    def test_a_snooze_whose_reason_is_no_utf8_does_not_disturb_the_others(self) -> None:
        self.ready()
        bad = self.post("snooze_lone_surrogate", seconds=60)
        good = self.post_many(3, "snooze", seconds=60, until=str(self.flag()))

        self.until_all([bad, *good], "delayed")
        self.assertEqual(1, len(self.executions(bad)))

    def test_what_another_version_may_run_is_put_off_and_costs_no_attempt(self) -> None:
        worker = self.ready()
        spec = JobSpec("of_next_week", {}, "r", new_trace(), 5, 60.0, Backoff())
        newer = spec.to_text().replace('"v":1', '"v":999')
        texts = {spec.to_text(): "unknown_type", newer: "unknown_type"}
        for payload in ({"of_next_week": 1}, {"seconds": "many"}):
            texts[spec._replace(type="noop", payload=payload).to_text()] = "unfit_payload"
        texts[spec._replace(type="checked", payload={"raises": "SystemExit"}).to_text()] = "unfit_payload"

        ids = self.put(*[NewJob(self.ids.new("default", "request"), "normal", text) for text in texts])

        worker.wait_for("job.put_off", len(ids))
        self.until_all(ids, "delayed")
        for record, kind in zip(self.records(ids), texts.values(), strict=True):
            last = record.history[-1]
            self.assertEqual((0, "snoozed", kind), (record.attempts, last.outcome, (last.error or {}).get("type")))
            self.assertGreater((record.run_at_ms or 0) - (record.created_ms or 0), 9_000)

    def test_a_spec_that_nobody_can_read_is_dead_at_once(self) -> None:
        self.ready()
        texts = ("no JSON", "[]", '{"v":1}', "\ufffd")

        ids = self.put(*[NewJob(self.ids.new("default", "request"), "normal", text) for text in texts])

        self.until_all(ids, "dead")
        self.assertEqual([1] * 4, [record.attempts for record in self.records(ids)])

    def test_a_job_of_one_lane_does_not_feel_what_the_one_before_it_did(self) -> None:
        """A handler that shrugs off its cancellation and returns leaves its task marked as being cancelled."""
        self.ready(WORKER_QUEUES="default=1")
        shrugs = self.post("shrug", {"timeout_s": 0.2})
        grouped = self.post("group", {"max_attempts": 1})

        self.until_all([grouped], "dead")

        self.assertEqual("ExceptionGroup", error_type(self.record(grouped)), self.record(shrugs))


class Timeouts(WorkerCase):
    once: dict[str, Any] = {"timeout_s": 0.3, "max_attempts": 1}  # noqa: RUF012

    def test_a_coroutine_is_ended_at_its_timeout_and_the_runner_goes_on(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=1")
        pids = worker.runner_pids()
        began_s = time.monotonic()

        late = self.post("sleep", self.once, seconds=60)
        after = self.post("noop")

        self.until_all([late], "dead")
        self.until_all([after], "completed")
        self.assertLess(time.monotonic() - began_s, 5)
        self.assertEqual(("TimedOut", pids), (error_type(self.record(late)), worker.runner_pids()))

    def test_a_timed_out_job_is_tried_again_while_it_has_attempts(self) -> None:
        self.ready()

        late = self.post("sleep", {"timeout_s": 0.1, "max_attempts": 3}, seconds=60)

        self.until_all([late], "dead")
        self.assertEqual(3, len(self.executions(late)))

    def test_a_thread_is_left_behind_and_its_runner_replaced_without_harm_to_the_others(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5", UNWIND_S=1)
        (old,) = worker.runner_pids()
        flag = self.flag()
        beside = self.post("sleep", until=str(flag))
        self.until_begun(beside)

        late = self.post("deaf_thread", self.once, seconds=60)
        self.until_all([late], "dead")
        worker.wait_for("runner.started", 2)
        after = self.post("noop")
        self.until_all([after], "completed")
        flag.touch()

        self.until_all([beside], "completed")
        self.assertEqual(1, len(self.executions(beside)))
        self.until(lambda: old not in worker.runner_pids(), "the old runner has left")
        self.assertEqual([], worker.logged("runner.died"))

    def test_a_coroutine_that_swallows_its_cancellation_costs_its_runner_and_nobody_else(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5", UNWIND_S=1)
        (old,) = worker.runner_pids()

        late = self.post("swallow", self.once, seconds=60)
        beside = self.post("sleep", seconds=1)

        self.until_all([late], "dead")
        self.until_all([beside], "completed")
        self.assertEqual((1, "TimedOut"), (len(self.executions(beside)), error_type(self.record(late))))
        self.until(lambda: old not in worker.runner_pids(), "the old runner has left")

    def test_a_handler_that_blocks_the_loop_is_failed_and_the_jobs_beside_it_lose_nothing(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5")
        beside = self.post_many(3, "sleep", seconds=1)
        self.until_begun(*beside)

        late = self.post("block", {"timeout_s": 0.5, "max_attempts": 1}, seconds=60)

        self.until_all([late], "dead", 30)
        self.until_all(beside, "completed", 30)
        self.assertEqual("TimedOut", error_type(self.record(late)))
        self.assertEqual([1] * 3, [record.attempts for record in self.records(beside)])
        self.assertEqual([False], [line["level"] == "ERROR" for line in worker.logged("runner.died")])
        (died,) = self.until(lambda: worker.logged("job.died"), "its death is in the log")
        self.assertEqual((late, True), (died["job_id"], "TimedOut" in died["msg"]))
        self.assertEqual(self.record(late).spec.request_id, died["request_id"])  # type: ignore[union-attr]

    def test_of_the_jobs_that_are_late_only_the_one_is_failed_that_blocks_the_loop(self) -> None:
        worker = self.ready(WORKER_QUEUES="default=5")
        flag = self.flag()
        # Its time runs from here on: on a busy machine a second passes before the other one begins.
        beside = self.post("sleep", {"timeout_s": 4, "max_attempts": 1}, until=str(flag))
        self.until_begun(beside)

        late = self.post("block", {"timeout_s": 5, "max_attempts": 1}, seconds=60)
        self.until_begun(beside, attempts=2)
        flag.touch()

        self.until_all([late], "dead", 30)
        self.until_all([beside], "completed")
        self.assertEqual((1, ["released"]), self.told_of(beside))
        (blocked,) = worker.logged("runner.blocked")
        self.assertEqual(late, blocked["job_id"])
        self.assertIn("jobs_for_tests.py:", blocked["msg"])

    def told_of(self, job_id: str) -> tuple[int, list[str]]:
        """A job's attempts, and how those before the last one ended."""
        record = self.record(job_id)
        return record.attempts, [line.outcome for line in record.history[:-1]]

    def test_a_handler_that_blocks_longer_than_the_lease_but_in_time_is_left_alone(self) -> None:
        worker = self.ready(LEASE_S=2)

        job_id = self.post("block", {"timeout_s": 30}, seconds=4)

        self.until_all([job_id], "completed")
        self.assertEqual((1, []), (len(self.executions(job_id)), worker.logged("runner.killed")))


class Cancels(WorkerCase):
    def test_a_running_coroutine_is_stopped(self) -> None:
        self.ready()
        job_id = self.post("sleep", seconds=60)
        self.until_begun(job_id)

        self.cancel(job_id)

        self.until_all([job_id], "cancelled")
        self.assertFalse([line for line in self.lines() if line.startswith("ended")])

    def test_a_running_thread_is_told_and_cancelled_when_it_obeys(self) -> None:
        worker = self.ready()
        job_id = self.post("sleep_thread", seconds=60)
        self.until_begun(job_id)

        self.cancel(job_id)

        self.until_all([job_id], "cancelled")
        record = self.record(job_id)
        self.assertEqual((None, ["cancelled"]), (record.result, [line.outcome for line in record.history]))
        self.assertEqual("Cancelled", error_type(record))
        self.assertEqual([], worker.logged("worker.retiring"))

    def test_a_thread_that_does_not_look_whether_it_is_to_stop_may_still_complete(self) -> None:
        self.ready()
        job_id = self.post("deaf_thread", seconds=1.5)
        self.until_begun(job_id)

        self.cancel(job_id)

        self.until_all([job_id], "completed")
        self.assertEqual("slept", self.record(job_id).result)
        self.assertIsNotNone(self.record(job_id).cancel_requested_ms)

    def test_a_job_that_was_cancelled_and_is_run_again_is_not_cancelled_again(self) -> None:
        self.ready()
        flag = self.flag()
        job_id = self.post("sleep", until=str(flag), seconds=2.5)
        self.until_begun(job_id)
        self.cancel(job_id)
        self.until_all([job_id], "cancelled")
        flag.touch()

        self.asked(lambda queue: queue.retry(job_id))

        self.until_all([job_id], "completed")
        self.assertEqual(2, len(self.executions(job_id)))


if __name__ == "__main__":
    unittest.main()
