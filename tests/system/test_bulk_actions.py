"""Redrive, purge and actions against a real server and worker: each job once, in as many calls as it takes."""

import hashlib
import itertools
import re
import secrets
import unittest
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lib.queue.scripts import text_of
from lib.settings import api_keys
from tests.private_redis import wait_until
from tests.processes import Server
from tests.proxy import CUT_REPLY, PASS, Proxy, Request, Verdict
from tests.system.oracle import everything, states
from tests.system.worker_case import WorkerCase

TIME_OF_A_COUNTER = re.compile(r":(beats|minute:\d+|fleet)$")


class BulkCase(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.a_server()

    def a_server(self, **settings: object) -> Server:
        server = Server(self.redis.url, **{"JOB_MODULES": "tests.jobs_for_tests", **settings})
        self.addCleanup(server.close)
        server.start()
        server.wait_until_ready()
        return server

    def ask(self, path: str, body: Any, **headers: str) -> Any:
        """The body of a 200."""
        status, answer, _ = self.server.request("POST", path, body, **headers)
        self.assertEqual(200, status, answer)
        return answer

    def redrive(self, body: Any, **headers: str) -> Any:
        return self.ask("/api/queues/default/redrive", body, **headers)

    def purge(self, body: Any, **headers: str) -> Any:
        return self.ask("/api/queues/default/purge", body, **headers)

    def act(self, body: Any, **headers: str) -> Any:
        return self.ask("/api/jobs/actions", body, **headers)

    def create(self, kind: str = "noop", **fields: Any) -> str:
        body = {"type": kind, "payload": {}, "max_attempts": 1, **fields}
        status, job, _ = self.server.request("POST", "/api/jobs", body)
        self.assertIn(status, (200, 202), job)
        self.accepted.append(job["id"])
        return str(job["id"])

    def create_many(self, count: int, **fields: Any) -> list[str]:
        jobs = [{"type": "noop", "payload": {}, "max_attempts": 1, **fields} for _ in range(count)]
        items = self.ask("/api/jobs/batch", jobs)["items"]
        self.accepted += [item["id"] for item in items]
        return [item["id"] for item in items]

    def cancelled(self, count: int, **fields: Any) -> list[str]:
        ids = self.create_many(count, **fields)
        for at in range(0, count, 200):
            self.act({"action": "cancel", "ids": ids[at : at + 200]})
        return ids

    def states(self) -> dict[str, str]:
        return states(self.redis.client)

    def states_of(self, ids: list[str]) -> set[str]:
        """In which states these jobs are."""
        now = self.states()
        return {now[job_id] for job_id in ids}

    def walk(self, path: str, body: dict[str, Any]) -> Iterator[Any]:
        """The answers of as many calls as it takes."""
        cursor: str | None = None
        while True:
            answer = self.ask(path, {**body, "cursor": cursor})
            yield answer
            cursor = answer["next_cursor"]
            if not cursor:
                return

    def all_keys(self) -> dict[str, list[str]]:
        """Every key with its value, but for the counters that change by themselves."""
        found = everything(self.redis.client)
        return {
            key: value if ":ready:" in key else sorted(value)  # The fields of a hash have no order.
            for key, value in found.items()
            if not TIME_OF_A_COUNTER.search(key)
        }

    def next_ms(self) -> int:
        """Redis' time, one ms at least after all that has happened so far."""
        begin_ms = self.now_ms()
        return int(wait_until(lambda: (now := self.now_ms()) > begin_ms and now, "the next ms"))

    def now_ms(self) -> int:
        seconds, micros = self.redis.client.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def forget_answer(self, key: str, began_ms: int) -> None:
        """Let the request under this key look as if its server had died before it answered."""
        name = f"wb:{{default}}:idem:- {key}"
        queue, fingerprint, _ = self.redis.client.get(name).decode().split(" ")
        self.redis.client.set(name, f"{queue} {fingerprint} begun:{began_ms}")


class DryRuns(BulkCase):
    def test_a_dry_run_changes_no_key(self) -> None:
        ended = self.cancelled(30, tags=["eu"])
        waiting = self.create_many(30, tags=["eu"])
        before = self.all_keys()

        redrive = self.redrive({"state": "cancelled", "tag": "eu", "dry_run": True}, idempotency_key="k")
        purges = [
            self.purge({"state": state, "dry_run": True, "limit": 7}, idempotency_key="k")
            for state in ("cancelled", "ready", "delayed")
        ]
        actions = [
            self.act({"action": action, "ids": [ended[0], waiting[0], "nobody"], "dry_run": True}, idempotency_key="k")
            for action in ("retry", "cancel", "delete")
        ]

        self.assertEqual(before, self.all_keys())
        self.assertEqual((30, 0, 20), (redrive["matched"], redrive["redriven"], len(redrive["sample"])))
        self.assertEqual([7, 7, 0], [answer["matched"] for answer in purges])
        self.assertEqual(ended[:20], [job["id"] for job in redrive["sample"]])
        self.assertEqual(["done", "refused", "refused"], [item["outcome"] for item in actions[0]["items"]])
        self.assertEqual(["refused", "done", "refused"], [item["outcome"] for item in actions[1]["items"]])

    def test_it_does_what_it_said(self) -> None:
        ended = self.cancelled(3)
        tried = self.act({"action": "retry", "ids": ended, "dry_run": True})

        done = self.act({"action": "retry", "ids": ended})

        self.assertEqual(tried["items"], done["items"])


class Redrive(BulkCase):
    def test_each_job_of_thousands_runs_once_more_though_they_die_again_meanwhile(self) -> None:
        self.ready(WORKER_QUEUES="default=20")
        ids = [item["id"] for item in self.ask("/api/jobs/batch", [self.failing() for _ in range(1000)])["items"]]
        ids += [item["id"] for item in self.ask("/api/jobs/batch", [self.failing() for _ in range(500)])["items"]]
        self.accepted += ids
        wait_until(lambda: self.dead() == 1500, "all are dead", within_s=60)

        answers = list(self.walk("/api/queues/default/redrive", {"type": "fail", "limit": 400}))
        wait_until(lambda: self.dead() == 1500, "all are dead again", within_s=60)

        self.assertEqual(1500, sum(answer["redriven"] for answer in answers))
        self.assertEqual([], [skipped for answer in answers for skipped in answer["skipped"]])
        runs = Counter(line.job_id for line in self.executions())
        self.assertEqual(dict.fromkeys(ids, 2), dict(runs))

    def failing(self) -> dict[str, Any]:
        return {"type": "fail", "payload": {"ledger": str(self.ledger)}, "max_attempts": 1}

    def dead(self) -> int:
        return int(self.redis.client.zcard("wb:{default}:dead"))

    def test_filters_choose_and_the_rest_stays(self) -> None:
        ours = self.cancelled(5, tags=["eu"], group="tenant-4")
        others = self.cancelled(5, tags=["us"])

        answer = self.redrive({"state": "cancelled", "tag": "eu", "group": "tenant-4", "type": "noop"})

        self.assertEqual((5, 5, False), (answer["matched"], answer["redriven"], answer["more"]))
        now = self.states()
        self.assertEqual(({"ready"}, {"cancelled"}), ({now[one] for one in ours}, {now[one] for one in others}))

    def test_one_whose_unique_key_is_held_is_skipped_and_said(self) -> None:
        first = self.create(unique={"key": "report"})
        self.act({"action": "cancel", "ids": [first]})
        holder = self.create(unique={"key": "report"})

        answer = self.redrive({"state": "cancelled"})

        reason = f"the job {holder} holds the same unique key"
        self.assertEqual(
            (1, 0, [{"id": first, "reason": reason}]), tuple(answer[n] for n in ("matched", "redriven", "skipped"))
        )

    def test_it_says_in_the_log_who_did_what_to_how_many(self) -> None:
        ids = self.cancelled(3)
        self.redrive({"state": "cancelled", "type": "noop"}, x_request_id="mine.1")

        (line,) = self.server.wait_for("jobs.redriven")

        self.assertEqual(
            ("mine.1", "default", 3, 3), tuple(line[n] for n in ("request_id", "queue", "matched", "redriven"))
        )
        self.assertEqual('Queue default: 3 matched, 3 redriven (state "cancelled", type "noop")', line["msg"])
        revived = self.server.wait_for("job.revived", 3)
        self.assertEqual(
            ({"mine.1"}, ids), ({one["request_id"] for one in revived}, [one["job_id"] for one in revived])
        )

    def test_a_request_that_is_sent_again_under_its_key_changes_nothing_more(self) -> None:
        ids = self.cancelled(3)
        first = self.redrive({"state": "cancelled"}, idempotency_key="once")
        self.act({"action": "cancel", "ids": ids})

        status, again, headers = self.server.request(
            "POST", "/api/queues/default/redrive", {"state": "cancelled"}, idempotency_key="once"
        )

        self.assertEqual((200, first, "true"), (status, again, headers["idempotency-replayed"]))
        self.assertEqual({"cancelled"}, self.states_of(ids))
        refused = self.server.request("POST", "/api/queues/default/redrive", {}, idempotency_key="once")
        self.assertEqual((422, "/problems/idempotency-key-reused"), (refused[0], refused[1]["type"]))

    def test_one_that_broke_off_goes_on_under_its_key_with_the_jobs_that_had_ended_when_it_began(self) -> None:
        self.create()
        self.redrive({"state": "cancelled"}, idempotency_key="broken-off")
        early = self.cancelled(2)
        began_ms = self.next_ms()
        self.forget_answer("broken-off", began_ms)
        late = self.cancelled(2)

        answer = self.redrive({"state": "cancelled"}, idempotency_key="broken-off")

        self.assertEqual(2, answer["redriven"])
        now = self.states()
        self.assertEqual((["ready"] * 2, ["cancelled"] * 2), ([now[one] for one in early], [now[one] for one in late]))

    def test_where_redis_goes_away_in_the_middle_it_says_so_and_goes_on_when_it_is_sent_again(self) -> None:
        ids = self.cancelled(250)
        proxy = self.enterContext(Proxy(self.redis.url))
        server = Server(proxy.url, JOB_MODULES="tests.jobs_for_tests")
        self.addCleanup(server.close)
        server.start()
        server.wait_until_ready()
        retry = hashlib.sha1(text_of("retry").encode(), usedforsecurity=False).hexdigest().encode()
        calls = itertools.count(1)

        def cut_the_second(request: Request) -> Verdict:
            """The second batch is changed, and its reply lost. (The first call by hash finds no script there.)"""
            return CUT_REPLY if request.words[1:2] == (retry,) and next(calls) == 2 else PASS

        proxy.judge = cut_the_second
        path, body = "/api/queues/default/redrive", {"state": "cancelled"}

        first = server.request("POST", path, body, idempotency_key="once")
        again = server.request("POST", path, body, idempotency_key="once")

        self.assertEqual((503, "/problems/outcome-unknown"), (first[0], first[1]["type"]))
        self.assertIn("100 jobs were changed, then Redis failed", first[1]["detail"])
        self.assertEqual((200, 50), (again[0], again[1]["redriven"]))
        self.assertEqual({"ready"}, self.states_of(ids))
        broken_off, whole = server.wait_for("jobs.redriven", 2)
        self.assertEqual(("WARNING", 100), (broken_off["level"], broken_off["redriven"]))
        self.assertEqual(("INFO", 50), (whole["level"], whole["redriven"]))


class Purge(BulkCase):
    def test_jobs_that_wait_are_cancelled_and_those_that_have_ended_deleted_in_as_many_calls_as_it_takes(self) -> None:
        ids = [*self.create_many(250), *self.create_many(250, delay_s=600)]

        for state in ("ready", "delayed"):
            answers = list(self.walk("/api/queues/default/purge", {"state": state, "limit": 120}))
            self.assertEqual([120, 120, 10], [answer["cancelled"] for answer in answers])
        self.assertEqual({"cancelled"}, {*self.states().values()})
        answers = list(self.walk("/api/queues/default/purge", {"state": "cancelled", "limit": 300}))

        self.assertEqual([300, 200], [answer["deleted"] for answer in answers])
        self.assertEqual({}, self.states())
        self.accepted = [one for one in self.accepted if one not in ids]

    def test_of_the_ready_jobs_those_of_one_group_are_cancelled(self) -> None:
        ours, others = self.create_many(5, group="tenant-4"), self.create_many(5, group="tenant-42")
        alone = self.create_many(5)

        self.assertEqual(5, self.purge({"state": "ready", "group": "tenant-4"})["cancelled"])

        now = self.states()
        self.assertEqual({"cancelled"}, {now[one] for one in ours})
        self.assertEqual({"ready"}, {now[one] for one in (*others, *alone)})

    def test_a_job_that_runs_by_then_is_not_stopped(self) -> None:
        self.ready(WORKER_QUEUES="default=1")
        running = self.post("sleep", seconds=1)
        self.until_all([running], "active")
        waiting = self.create_many(5)

        self.assertEqual(5, self.purge({"state": "ready"})["cancelled"])

        self.until_all([running], "completed")
        self.assertEqual({"cancelled"}, self.states_of(waiting))

    def test_an_age_and_a_time_choose_by_the_end(self) -> None:
        old, new = self.cancelled(1), self.cancelled(1)
        self.redis.client.zadd("wb:{default}:cancelled", {old[0]: 5000})
        self.redis.client.hset(f"wb:{{default}}:job:{old[0]}", "finished", "5000")

        self.assertEqual(0, self.purge({"state": "cancelled", "before": "1970-01-01T00:00:05Z"})["deleted"])
        self.assertEqual(1, self.purge({"state": "cancelled", "older_than_s": 60})["deleted"])

        self.assertEqual({new[0]: "cancelled"}, self.states())
        self.accepted.remove(old[0])


class Actions(BulkCase):
    def test_each_id_has_its_outcome_in_order_whatever_its_queue(self) -> None:
        ready, other = self.create(), self.create(queue="other")

        answer = self.act({"action": "cancel", "ids": [ready, "nobody", other, ready, "q-" + "0" * 32]})
        again = self.act({"action": "cancel", "ids": [ready, other]})

        self.assertEqual(["done", "refused", "done", "done", "refused"], [one["outcome"] for one in answer["items"]])
        self.assertEqual([404, 404], [one["problem"]["status"] for one in answer["items"] if "problem" in one])
        self.assertEqual([409, 409], [one["problem"]["status"] for one in again["items"]])
        self.assertEqual(2, answer["matched"])
        self.assertEqual({ready: "cancelled", other: "cancelled"}, self.states())

    def test_it_logs_who_did_it_with_a_line_for_each_job(self) -> None:
        key, entry = api_keys.new_key("ops", "write", "", secrets.choice)
        server = self.a_server(API_KEYS=entry)
        ids = self.create_many(2)
        body = {"action": "cancel", "ids": ids}

        status, _, _ = server.request("POST", "/api/jobs/actions", body, authorization=f"Bearer {key}")

        self.assertEqual(200, status)
        (line,) = server.wait_for("jobs.cancelled")
        self.assertEqual(("ops", 2, 2), (line["caller"], line["matched"], line["done"]))
        self.assertEqual(ids, [one["job_id"] for one in server.wait_for("job.cancel_asked", 2)])

    def test_a_running_job_is_asked_to_stop(self) -> None:
        self.ready(WORKER_QUEUES="default=1")
        running = self.post("sleep", {"max_attempts": 1}, seconds=30)
        self.until_all([running], "active")

        answer = self.act({"action": "cancel", "queue": "default", "state": "active"})

        self.assertEqual([{"id": running, "outcome": "requested"}], answer["items"])
        self.until_all([running], "cancelled")

    def test_by_filters_it_goes_on_with_its_cursor(self) -> None:
        ids = self.create_many(30, tags=["order-17"])
        body = {"action": "cancel", "queue": "default", "state": "ready", "tag": "order-17", "limit": 12}

        answers = list(self.walk("/api/jobs/actions", body))

        self.assertEqual([12, 12, 6], [len(answer["items"]) for answer in answers])
        self.assertEqual(ids, [item["id"] for answer in answers for item in answer["items"]])

    def test_it_is_sent_again_under_its_key_without_effect(self) -> None:
        ids = self.cancelled(2)
        first = self.act({"action": "retry", "ids": ids}, idempotency_key="once")
        self.act({"action": "cancel", "ids": ids})

        self.assertEqual(first, self.act({"action": "retry", "ids": ids}, idempotency_key="once"))

        self.assertEqual({"cancelled"}, {*self.states().values()})

    def test_one_that_broke_off_and_is_sent_again_counts_what_it_did_as_done(self) -> None:
        ids = self.cancelled(3)
        body = {"action": "delete", "ids": ids}
        first = self.act(body, idempotency_key="broken-off")
        self.forget_answer("broken-off", self.next_ms())

        self.assertEqual(first["items"], self.act(body, idempotency_key="broken-off")["items"])
        self.accepted = []


class Refusals(BulkCase):
    def refused(self, path: str, body: Any) -> list[tuple[str, str]]:
        status, answer, _ = self.server.request("POST", path, body)
        self.assertEqual(422, status, (path, body, answer))
        return [(error["pointer"], error["detail"]) for error in answer["errors"]]

    def test_each_fault_has_a_pointer_and_says_what_to_send(self) -> None:
        self.create_many(2)
        other = self.purge({"state": "ready", "limit": 1, "dry_run": True})["next_cursor"]
        known = (
            "state, type, tag, group, error, before, after, request_id, schedule, by, workflow, worker, "
            "limit, cursor, dry_run"
        )
        redrive, purge, actions = "/api/queues/default/redrive", "/api/queues/default/purge", "/api/jobs/actions"
        for path, body, pointer, detail in (
            (redrive, {"colour": 1}, "/colour", f"is not known here; known: {known}"),
            (redrive, {"state": "ready"}, "/state", "must be one of dead, cancelled"),
            (redrive, {"limit": 0}, "/limit", "must be an integer from 1 to 10000"),
            (redrive, {"limit": 10_001}, "/limit", "must be an integer from 1 to 10000"),
            (redrive, {"limit": True}, "/limit", "must be an integer from 1 to 10000"),
            (redrive, {"tag": "a b"}, "/tag", "must be a tag: 1 to 64 letters of"),
            (redrive, {"group": "a b"}, "/group", "must be a group's name"),
            (redrive, {"type": 7}, "/type", "must be a string, not an integer"),
            (redrive, {"before": "yesterday"}, "/before", "must be a time as RFC 3339 has it"),
            (redrive, {"before": "2026-01-01T00:00:00Z", "after": "2026-01-01T00:00:00Z"}, "/after", "must be earlier"),
            (redrive, {"dry_run": "yes"}, "/dry_run", "must be a boolean, not a string"),
            (redrive, {"cursor": "x"}, "/cursor", "is not one that this operation gave"),
            (redrive, {"cursor": other}, "/cursor", "is of a call with other fields"),
            (redrive, [], "", "the body must be a JSON object, not an array"),
            (purge, {}, "/state", "is missing; give one of completed, dead, cancelled, ready, delayed, blocked"),
            (purge, {"state": None}, "/state", "must be one of completed, dead"),
            (purge, {"state": "active"}, "/state", "must be one of completed, dead, cancelled, ready, delayed"),
            (purge, {"state": "dead", "older_than_s": -1}, "/older_than_s", "must be from 0 to"),
            (
                purge,
                {"state": "dead", "older_than_s": 1, "before": "2026-01-01T00:00:00Z"},
                "/older_than_s",
                "says the same as before; give one of the two",
            ),
            (actions, {"ids": ["a"]}, "/action", "is missing; give one of retry, cancel, delete"),
            (actions, {"action": "burn", "ids": ["a"]}, "/action", "must be one of retry, cancel, delete"),
            (actions, {"action": "retry", "ids": []}, "/ids", "must have 1 to 200 ids, and has 0"),
            (actions, {"action": "retry", "ids": ["a"] * 201}, "/ids", "must have 1 to 200 ids, and has 201"),
            (actions, {"action": "retry", "ids": ["a", 7]}, "/ids/1", "must be a job's id, not an integer"),
            (actions, {"action": "retry"}, "/queue", "is missing; give ids, or queue and state"),
            (actions, {"action": "retry", "ids": ["a"], "tag": "eu"}, "/tag", "goes with queue and state"),
            (actions, {"action": "retry", "queue": "default", "state": "ready"}, "/state", "must be one of completed"),
            (actions, {"action": "retry", "ids": ["a"], "force": True}, "/force", "goes with the action cancel alone"),
            (actions, {"action": "retry", "queue": "nobody", "state": "dead"}, "/queue", "there is no queue 'nobody'"),
        ):
            with self.subTest(path=path, body=body):
                found = self.refused(path, body)

                self.assertEqual(pointer, found[0][0])
                self.assertTrue(found[0][1].startswith(detail), found)

    def test_filters_of_a_list_are_checked_as_well(self) -> None:
        for query, pointer in (
            ("tag=-", "?tag"),
            ("group=a%20b", "?group"),
            ("before=now", "?before"),
            ("colour=1", "?colour"),
        ):
            status, answer, _ = self.server.request("GET", f"/api/jobs?{query}")
            self.assertEqual((422, pointer), (status, answer["errors"][0]["pointer"]))
        late = "after=2026-01-02T00:00:00Z&before=2026-01-01T00:00:00Z"
        self.assertEqual("?after", self.server.request("GET", f"/api/jobs?{late}")[1]["errors"][0]["pointer"])

    def test_a_queue_that_is_not_there_is_404(self) -> None:
        for path in ("/api/queues/nobody/redrive", "/api/queues/NOBODY/purge"):
            status, answer, _ = self.server.request("POST", path, {"state": "dead"})
            self.assertEqual((404, "/problems/queue-not-found"), (status, answer["type"]))


if __name__ == "__main__":
    unittest.main()
