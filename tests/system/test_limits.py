"""Limits that are set over HTTP hold over three runners with ten slots each, and a change holds at once."""

import re
import unittest
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from tests.processes import Server
from tests.system.worker_case import WorkerCase

QUEUE = "/api/queues/default"


class Limits(WorkerCase):
    settings = {"WORKER_QUEUES": "default=10", "WORKER_PROCESSES": 3}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.server = Server(self.redis.url)
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.wait_until_ready()
        self.ready()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, answer, _ = self.server.request(method, path, body)
        self.assertLess(status, 300, answer)
        return answer

    def limit(self, **settings: Any) -> None:
        self.ask("PATCH", QUEUE, settings)

    def limit_group(self, group: str, **limits: Any) -> None:
        self.ask("PATCH", f"{QUEUE}/groups/{group}", limits)

    def limited(self) -> Any:
        return self.ask("GET", QUEUE)["limited"]

    def groups(self) -> dict[str, Any]:
        return {group["name"]: group for group in self.ask("GET", f"{QUEUE}/groups")["items"]}

    def sleepers(self, count: int, until: object, group: str = "") -> list[str]:
        return self.post_many(count, "sleep", {"group": group} if group else None, until=str(until))

    def begun(self, ids: Iterable[str]) -> set[str]:
        return {execution.job_id for execution in self.executions()} & set(ids)

    def until_so_many_run(self, count: int, ids: Iterable[str]) -> None:
        """Wait until `count` of these jobs run and no other of them can: the queue, or their group, says so."""
        ids = list(ids)
        self.until(lambda: len(self.begun(ids)) == count, f"{count} jobs have begun: {self.begun(ids)}")

    def most_at_once(self, ids: list[str]) -> int:
        """How many of these ended jobs ran at the same time at most, by Redis' clock. One that ended in the ms in which
        another began had ended before it."""
        records = self.records(ids)
        steps = [(record.started_ms, 1) for record in records] + [(record.finished_ms, -1) for record in records]
        return max(accumulate(step for _, step in sorted((ms or 0, step) for ms, step in steps)))

    def test_a_rate_is_never_exceeded_in_any_window(self) -> None:
        self.limit(rate={"limit": 20, "per_s": 1})
        ids = self.post_many(70, "noop")

        self.until(lambda: (self.limited() or {}).get("by") == "rate", "the rate is used up")
        metrics = self.ask("GET", "/metrics").decode()
        self.until_all(ids, "completed")

        starts = sorted(record.started_ms or 0 for record in self.records(ids))
        self.assertGreaterEqual(min(later - first for first, later in zip(starts, starts[20:], strict=False)), 1000)
        self.assertLess(starts[-1] - starts[0], 3000 + 2000, "70 jobs at 20 a second take three windows")
        self.assertIn('waybill_queue_starts_per_second_limit{queue="default"} 20\n', metrics)
        self.assertRegex(metrics, r'waybill_queue_limited\{queue="default",by="rate"\} [01]\n')

    def test_a_concurrency_holds_over_all_runners_and_a_change_holds_at_once(self) -> None:
        gate = self.flag()
        self.limit(concurrency=3)
        ids = self.sleepers(12, gate)
        self.until_so_many_run(3, ids)
        self.until(lambda: self.limited() == {"by": "concurrency", "until": None}, "it is limited")

        self.limit(concurrency=5)
        self.until_so_many_run(5, ids)
        self.limit(concurrency=2)
        counts = self.ask("GET", QUEUE)["counts"]
        gate.touch()
        self.until_all(ids, "completed")

        self.assertEqual((5, 7), (counts["active"], counts["ready"]))
        self.assertEqual(5, self.most_at_once(ids))
        later = sorted(ids, key=lambda job_id: self.record(job_id).started_ms or 0)[5:]
        self.assertLessEqual(self.most_at_once(later), 2)
        self.assertIsNone(self.limited())

    def test_without_its_limit_a_queue_runs_all_at_once(self) -> None:
        gate = self.flag()
        self.limit(concurrency=1, groups={"concurrency": 1})
        ids = [*self.sleepers(6, gate), *self.sleepers(6, gate, "a")]
        self.until_so_many_run(1, ids)

        self.limit(concurrency=None, groups=None)

        self.until_so_many_run(12, ids)
        gate.touch()
        self.until_all(ids, "completed")

    def test_a_tenant_waits_for_its_own_jobs_alone(self) -> None:
        gate = self.flag()
        self.limit(groups={"concurrency": 2})
        flood = self.sleepers(100, gate, "flood")
        self.until_so_many_run(2, flood)

        others = [*self.post_many(3, "noop", {"group": "small"}), *self.post_many(3, "noop")]
        self.until_all(others, "completed")

        shown = self.groups()["flood"]
        self.assertEqual((98, 2, "concurrency"), (shown["ready"], shown["running"], shown["limited_by"]))
        self.assertEqual(2, len(self.begun(flood)))
        gate.touch()
        self.until_all(flood, "completed")
        self.assertEqual(2, self.most_at_once(flood))

    def test_a_paused_group_starts_nothing_and_goes_on_when_its_own_limits_are_gone(self) -> None:
        self.limit_group("a", paused=True)
        paused = self.post_many(5, "noop", {"group": "a"})
        others = self.post_many(5, "noop", {"group": "b"})
        self.until_all(others, "completed")

        self.assertEqual((set(), "paused"), (self.begun(paused), self.groups()["a"]["limited_by"]))
        self.ask("DELETE", f"{QUEUE}/groups/a")
        self.until_all(paused, "completed")

    def test_a_held_group_shows_until_when_and_goes_on_when_it_is_released(self) -> None:
        holder = self.post("hold", {"group": "a"}, seconds=600)
        self.until(lambda: self.groups().get("a", {}).get("limited_by") == "hold", "the group is held")
        waiting = self.post_many(3, "noop", {"group": "a"})
        self.until_all(self.post_many(3, "noop", {"group": "b"}), "completed")
        held = self.groups()["a"]
        metrics = self.ask("GET", "/metrics").decode()

        released = self.ask("POST", f"{QUEUE}/groups/a/release")

        self.until_all(waiting, "completed")
        self.assertEqual(("hold", 3, 0), (held["limited_by"], held["ready"], held["running"]))
        self.assertEqual(self.ask("GET", f"/api/jobs/{holder}")["run_at"], held["until"])
        self.assertIn('waybill_queue_groups{queue="default",state="held"} 1\n', metrics)
        self.assertEqual((None, None), (released["limited_by"], released["until"]))
        self.assertEqual("delayed", self.record(holder).state)

    def test_one_group_may_have_more_and_then_as_much_as_all_again(self) -> None:
        first_gate, second_gate = self.flag(), self.folder / "second"
        self.limit(groups={"concurrency": 1})
        self.limit_group("large", concurrency=4)
        large, small = self.sleepers(6, first_gate, "large"), self.sleepers(3, first_gate, "small")
        self.until_so_many_run(4, large)
        self.until_so_many_run(1, small)

        self.ask("DELETE", f"{QUEUE}/groups/large")
        more = self.sleepers(3, second_gate, "large")
        first_gate.touch()
        self.until_all([*large, *small], "completed")
        self.until_so_many_run(1, more)
        second_gate.touch()
        self.until_all(more, "completed")

        self.assertEqual(4, self.most_at_once(large))
        self.assertEqual((1, 1), (self.most_at_once(small), self.most_at_once(more)))

    def test_the_metrics_count_groups_by_what_they_wait_for(self) -> None:
        gate = self.flag()
        self.limit(groups={"concurrency": 1})
        ids = self.sleepers(3, gate, "a")
        self.until_so_many_run(1, ids)

        metrics = self.ask("GET", "/metrics").decode()

        found = dict(re.findall(r'waybill_queue_groups\{queue="default",state="(\w+)"\} (\d+)', metrics))
        self.assertEqual({"waiting": "0", "full": "1", "resting": "0", "held": "0", "struck": "0"}, found)
        self.assertNotIn("waybill_queue_limited{", metrics)
        gate.touch()
        self.until_all(ids, "completed")


if __name__ == "__main__":
    unittest.main()
