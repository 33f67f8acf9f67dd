"""However oddly a handler ends, in a real worker: it was an attempt, and it hurt nobody."""

import json
import time
import unittest

from lib.jobs import registry
from lib.jobs.job import JobRecord
from lib.queue.job_store import JobStore
from tests.jobs_that_end_oddly import ODDITIES
from tests.processes import JOB_MODULES, Server, Worker
from tests.system.oracle import counts
from tests.system.worker_case import WorkerCase

MODULES = f"{JOB_MODULES},tests.jobs_that_end_oddly"


class EndsCase(WorkerCase):
    settings = {"WORKER_QUEUES": "default=20", "JOB_MODULES": MODULES}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.types = registry.load(MODULES.split(","))

    def unhurt(self, worker: Worker, pids: list[int]) -> None:
        """The runner is the one that there was at first, and no lane has ended."""
        self.assertEqual(pids, worker.runner_pids())
        for event in ("lane.failed", "job.unended", "runner.died", "worker.retiring"):
            self.assertEqual([], worker.logged(event), event)


class Odd(EndsCase):
    def test_whatever_a_handler_raises_is_an_attempt_with_backoff_and_history(self) -> None:
        worker = self.ready()
        pids = worker.runner_pids()
        ids = {(name, kind): self.post(kind, text=name) for name in ODDITIES for kind in ("odd", "odd_thread")}
        discarded, completed = self.post("bare_discard"), [self.post("odd_result"), self.post("odd_result_thread")]

        self.until_all([*ids.values(), discarded], "dead")
        self.until_all(completed, "completed")

        for name, job_id in ids.items():
            self.assertEqual((2, ["retried", "dead"]), told_of(self.record(job_id)), name)
            self.assertEqual([1, 2], [execution.attempt for execution in self.executions(job_id)], name)
        self.assertEqual((1, ["dead"]), told_of(self.record(discarded)))
        self.assertEqual([1, 1], [len(self.executions(job_id)) for job_id in completed])
        types = {name: (self.record(job_id).error or {}).get("type") for (name, _), job_id in ids.items()}
        self.assertEqual(("OfNoName", "Masked", "OwnBase"), (types["no_name"], types["masked"], types["own_base"]))
        self.unhurt(worker, pids)


LAST = {"fraction": 0.9, "note": "last"}


class LastWords(EndsCase):
    def said(self, *ids: str) -> list[tuple[list[str], object]]:
        """The log and the progress of each of these jobs."""

        async def ask(queue: JobStore) -> list[tuple[list[str], object]]:
            return [
                ([line.text for line in await queue.log_of(job_id)], (await queue.read(job_id)).progress)
                for job_id in ids
            ]

        return self.asked(ask)

    def test_what_a_handler_says_last_is_kept_with_its_end_under_load(self) -> None:
        worker = self.ready()
        pids = worker.runner_pids()
        ends = {"": "completed", "fail": "dead", "snooze": "delayed"}
        kinds = ("says_last", "says_last_thread", "says_last_beside")
        ids = {(kind, end): self.post_many(60, kind, text=end, size=2) for kind in kinds for end in ends}

        for (_, end), some in ids.items():
            self.until_all(some, ends[end], 60)

        for key, some in ids.items():
            self.assertEqual([(["line 0", "line 1"], LAST)] * len(some), self.said(*some), key)
        self.unhurt(worker, pids)

    def test_of_a_thousand_lines_in_one_turn_the_newest_two_hundred_are_kept_in_order(self) -> None:
        self.ready()
        ids = [self.post(kind, size=1000) for kind in ("says_last", "says_last_thread", "says_last_beside")]

        self.until_all(ids, "completed")

        newest = [f"line {number}" for number in range(800, 1000)]
        self.assertEqual([(newest, LAST)] * 3, self.said(*ids))

    def test_what_is_said_while_a_handler_is_stopped_is_kept_too(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0)
        cancelled = self.post("says_last_when_stopped", size=2)
        timed_out = self.post("says_last_when_stopped", {"timeout_s": 0.2}, size=2)
        released = self.post("says_last_when_stopped", size=2)
        self.until_begun(cancelled, timed_out, released)

        self.cancel(cancelled)
        self.until_all([cancelled], "cancelled")
        self.until_all([timed_out], "dead")
        self.assertEqual(0, worker.stop())

        self.assertEqual("ready", self.record(released).state)
        words = (["begun", "line 0", "line 1"], LAST)
        self.assertEqual([words] * 3, self.said(cancelled, timed_out, released))

    def test_however_often_its_links_are_cut_each_word_is_there_once_and_in_order(self) -> None:
        self.ready()
        ids = self.post_many(100, "says_it_slowly", size=8)
        cuts = 0

        def have_ended() -> bool:
            nonlocal cuts
            cuts += self.redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") > 0
            return counts(self.redis.client) == {"completed": len(ids)}

        self.until(have_ended, "all have ended", 60)

        self.assertEqual([([f"line {number}" for number in range(8)], LAST)] * len(ids), self.said(*ids))
        self.assertGreater(cuts, 5)

    def test_half_a_surrogate_pair_and_controls_cost_a_note_nothing_else(self) -> None:
        self.ready()
        job_id = self.post("says_a_surrogate")

        self.until_all([job_id], "completed")

        ((lines, progress),) = self.said(job_id)
        self.assertEqual(["half of a pair: ?, and     "], lines)
        self.assertEqual({"fraction": 0.5, "note": "half of a pair: \udc80, and \x1c\x1d\x1e\x1f"}, progress)


class Results(EndsCase):
    def test_a_result_is_kept_as_json_or_the_job_says_why_not(self) -> None:
        self.ready()
        found = self.post("gives_a_dataclass")
        deep = {levels: self.post("gives_depth", size=levels) for levels in (100, 101, 950, 1010)}
        exits = self.post("odd_result")

        self.until_all([found, *deep.values(), exits], "completed")

        shown = {"when": "2026-11-29T00:00:00+00:00", "price": "1.50", "tags": ["a"], "share": "NaN"}
        self.assertEqual((shown, None), self.result_of(found))
        self.assertEqual(None, self.result_of(deep[100])[1])
        for levels in (101, 950, 1010):
            self.assertEqual((None, "it is nested more than 100 levels deep"), self.result_of(deep[levels]))
        self.assertEqual((None, "it could not be read: SystemExit: 3"), self.result_of(exits))

    def result_of(self, job_id: str) -> tuple[object, str | None]:
        record = self.record(job_id)
        return record.result, record.result_error


class Errors(EndsCase):
    def test_the_api_shows_where_it_went_wrong_and_why_and_no_secret(self) -> None:
        server = self.enterContext(Server(self.redis.url, JOB_MODULES=MODULES))
        self.ready()
        body = {"type": "tells_its_secret", "payload": {"api_key": "hush-hush"}}

        job_id = server.request("POST", "/api/jobs", body)[1]["id"]
        shown = server.request("GET", f"/api/jobs/{job_id}?wait=20")[1]
        self.accepted.append(job_id)

        self.assertEqual("dead", shown["state"])
        self.assertNotIn("hush-hush", json.dumps(shown))
        for error in (shown["error"], *[attempt["error"] for attempt in shown["history"]]):
            self.assertEqual(("LookupError", "refused: ********"), (error["type"], error["message"]))
            first, code = error["traceback"].split("\n")
            self.assertRegex(first, r'\AFile "tests/jobs_that_end_oddly.py", line \d+, in tells_its_secret\Z')
            self.assertTrue(code.startswith("  raise LookupError("))
            self.assertEqual("JSONDecodeError", error["cause"]["type"])
            self.assertIn('File "json/decoder.py", line', error["cause"]["traceback"])
        self.assertEqual(2, len(shown["history"]))

    def test_none_says_where_it_went_wrong_where_the_worker_is_not_to_keep_that(self) -> None:
        self.ready(ERROR_TRACEBACKS="off")
        failed = self.post("fail_once")
        late = self.post("sleep", {"timeout_s": 0.2, "max_attempts": 1}, seconds=60)

        self.until_all([failed], "completed")
        self.until_all([late], "dead")

        errors = [self.record(failed).history[0].error, self.record(late).error]
        self.assertEqual(["ValueError", "TimedOut"], [(error or {})["type"] for error in errors])
        self.assertNotIn("traceback", str(errors))

    def test_one_that_was_stopped_says_where_it_was_by_then(self) -> None:
        self.ready()
        late = self.post("sleep", {"timeout_s": 0.2, "max_attempts": 1}, seconds=60)

        self.until_all([late], "dead")

        error = self.record(late).error or {}
        self.assertEqual("TimedOut", error["type"])
        self.assertIn("in sleep\n  await asyncio.sleep(work.seconds)", error["traceback"])


class Stopped(EndsCase):
    settings = {**EndsCase.settings, "UNWIND_S": "1"}  # noqa: RUF012

    def outcomes(self, *ids: str) -> list[tuple[str, list[str]]]:
        """Each job's state, and how its attempts ended."""
        return [(record.state, [line.outcome for line in record.history]) for record in self.records(list(ids))]

    def test_who_hears_that_it_is_to_stop_and_ends_is_cancelled_and_costs_no_runner(self) -> None:
        worker = self.ready()
        pids = worker.runner_pids()
        ids = [self.post("sleep_thread", seconds=60), self.post("heeds"), self.post("stops_with_an_error")]
        self.until_begun(*ids)

        for job_id in ids:
            self.cancel(job_id)

        self.until_all(ids, "cancelled")
        self.assertEqual([("cancelled", ["cancelled"])] * 3, self.outcomes(*ids))
        self.assertEqual({"Cancelled"}, {(record.error or {})["type"] for record in self.records(ids)})
        self.unhurt(worker, pids)

    def test_who_hears_that_its_time_is_over_and_ends_has_timed_out_and_costs_no_runner(self) -> None:
        worker = self.ready()
        pids = worker.runner_pids()
        options = {"timeout_s": 0.2, "max_attempts": 1}
        ids = [self.post("sleep_thread", options, seconds=60), self.post("heeds", options)]

        self.until_all(ids, "dead")

        self.assertEqual({"TimedOut"}, {(record.error or {})["type"] for record in self.records(ids)})
        self.unhurt(worker, pids)

    def test_who_hears_at_a_stop_and_ends_is_given_back_and_whose_work_was_done_is_completed(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0, UNWIND_S=3)
        hears = [self.post("sleep_thread", seconds=60), self.post("heeds")]
        done = self.post("deaf_thread", seconds=1.5)
        self.until_begun(*hears, done)

        self.assertEqual(0, worker.stop())

        self.assertEqual([("ready", ["released"])] * 2, self.outcomes(*hears))
        self.assertEqual([("completed", ["completed"])], self.outcomes(done))

    def test_a_drain_is_told_to_coroutines_and_threads(self) -> None:
        worker = self.ready()
        ids = [self.post("until_stopping"), self.post("until_stopping_thread")]
        self.until_begun(*ids)

        self.assertEqual(0, worker.stop())

        self.assertEqual(["saved its place"] * 2, [record.result for record in self.records(ids)])

    def test_a_finally_gets_its_time_at_a_cancel_a_time_out_and_a_stop(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0, UNWIND_S=4)
        released = self.post("slow_to_unwind", seconds=1.2)
        cancelled = self.post("slow_to_unwind", seconds=2.2)
        timed_out = self.post("slow_to_unwind", {"timeout_s": 0.2}, seconds=2.2)
        self.until_begun(released, cancelled, timed_out)

        self.cancel(cancelled)
        self.until_all([timed_out], "dead")
        self.until_all([cancelled], "cancelled")
        self.assertEqual([], worker.logged("worker.retiring"))
        self.assertEqual(0, worker.stop())

        self.assertEqual([("ready", ["released"])], self.outcomes(released))
        self.assertEqual({f"ended {job_id}" for job_id in (released, cancelled, timed_out)}, self.ends())

    def test_who_takes_longer_than_that_is_not_waited_for(self) -> None:
        worker = self.ready(SHUTDOWN_GRACE_S=0)
        ids = [self.post("slow_to_unwind", seconds=60), self.post("deaf_thread", seconds=60)]
        self.until_begun(*ids)

        self.assertEqual(0, worker.stop())

        self.assertEqual([("ready", ["released"])] * 2, self.outcomes(*ids))
        self.assertEqual(set(), self.ends())

    def ends(self) -> set[str]:
        return {line for line in self.lines() if line.startswith("ended")}


class Forced(EndsCase):
    settings = {**EndsCase.settings, "UNWIND_S": "30"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server = self.enterContext(Server(self.redis.url, JOB_MODULES=MODULES))

    def force(self, job_id: str, value: str = "true") -> int:
        return int(self.server.request("POST", f"/api/jobs/{job_id}/cancel?force={value}")[0])

    def test_a_deaf_handlers_job_is_cancelled_at_once_and_its_runner_replaced(self) -> None:
        worker = self.ready()
        (old,) = worker.runner_pids()
        deaf = [self.post("deaf_thread", seconds=60), self.post("slow_to_unwind", seconds=60)]
        flag = self.flag()
        beside = self.post("sleep", until=str(flag))
        self.until_begun(*deaf, beside)
        began_s = time.monotonic()

        self.assertEqual([200, 200], [self.force(job_id) for job_id in deaf])

        self.until_all(deaf, "cancelled")
        self.assertLess(time.monotonic() - began_s, 5)
        worker.wait_for("runner.started", 2)
        flag.touch()
        self.until_all([beside], "completed")
        self.assertEqual(1, len(self.executions(beside)))
        self.until(lambda: old not in worker.runner_pids(), "the old runner has left")
        self.assertEqual([], worker.logged("runner.died"))

    def test_one_that_was_asked_before_can_be_forced_and_one_that_obeys_costs_no_runner(self) -> None:
        worker = self.ready()
        deaf, heeds = self.post("deaf_thread", seconds=60), self.post("sleep_thread", seconds=60)
        self.until_begun(deaf, heeds)
        self.assertEqual(200, self.force(heeds))
        self.until_all([heeds], "cancelled")
        self.assertEqual([], worker.logged("worker.retiring"))
        self.cancel(deaf)

        self.assertEqual(200, self.force(deaf))

        self.until_all([deaf], "cancelled")
        worker.wait_for("worker.retiring")

    def test_of_a_job_that_waits_or_has_ended_force_says_what_a_cancel_says(self) -> None:
        waiting = self.post("noop", {"delay_s": 60})

        self.assertEqual([422, 200, 409], [self.force(waiting, value) for value in ("maybe", "true", "true")])
        self.assertEqual("cancelled", self.record(waiting).state)


def told_of(record: JobRecord) -> tuple[int, list[str]]:
    """How often it was tried, and how each attempt ended."""
    return record.attempts, [line.outcome for line in record.history]


if __name__ == "__main__":
    unittest.main()
