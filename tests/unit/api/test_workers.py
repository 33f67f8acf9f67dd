"""Runners as GET /api/workers shows them: one row each, over all its queues."""

import unittest

from lib.api.workers import MOST_GONE_SHOWN, _gone, _living
from lib.queue.crews import MOST_JOBS, Crew, CrewMember, GoneRunner, RunningJob
from lib.queue.runners import Vitals

AT_MS = 1764410000123
ABOUT = {"host": "web-1", "pid": 4711, "version": "0.3.0", "started_ms": AT_MS, "concurrency": 2, "lease_s": 15}
ID = "web-1.4711.1f3a9c0e"


def held(number: int) -> RunningJob:
    return RunningJob(f"q-{number}", "noop", AT_MS + number, 60, None)


def member(jobs: list[RunningJob], beat_age_s: float = 1.0, vitals: Vitals | None = None) -> CrewMember:
    return CrewMember(ID, ABOUT, beat_age_s, vitals, len(jobs), jobs)


def gone(runner_id: str, at_ms: int = AT_MS, how: str = "crashed", jobs: int | None = 1) -> GoneRunner:
    return GoneRunner(runner_id, at_ms, how, jobs, ABOUT if how else {})


class Living(unittest.TestCase):
    def test_a_runner_of_two_queues_is_one_row_with_the_jobs_of_both_the_oldest_first(self) -> None:
        crews = [("a", Crew([member([held(3), held(1)], 2.0)], [])), ("b", Crew([member([held(2)])], []))]

        (shown,) = _living(crews)

        self.assertEqual(
            (ID, "web-1", 4711, 3, 1.0),
            tuple(shown[name] for name in ("id", "host", "pid", "active", "last_beat_age_s")),
        )
        self.assertEqual(
            [("q-1", "a"), ("q-2", "b"), ("q-3", "a")], [(one["id"], one["queue"]) for one in shown["jobs"]]
        )
        self.assertEqual(["a", "b"], [one["queue"] for one in shown["queues"]])
        self.assertEqual((None, None), (shown["state"], shown["rss_bytes"]))

    def test_what_it_tells_of_itself(self) -> None:
        (shown,) = _living([("a", Crew([member([], vitals=Vitals(48_234_496, is_draining=True))], []))])

        self.assertEqual(("draining", 48_234_496), (shown["state"], shown["rss_bytes"]))

    def test_no_more_jobs_than_one_page_of_them(self) -> None:
        crews = [(queue, Crew([member([held(number) for number in range(MOST_JOBS)])], [])) for queue in "ab"]

        (shown,) = _living(crews)

        self.assertEqual((2 * MOST_JOBS, MOST_JOBS), (shown["active"], len(shown["jobs"])))


class Gone(unittest.TestCase):
    def test_one_that_served_two_queues_is_one_row_and_its_jobs_are_added_up(self) -> None:
        crews = [("a", Crew([], [gone(ID, jobs=2)])), ("b", Crew([], [gone(ID, jobs=3)]))]

        (shown,) = _gone(crews, set())

        self.assertEqual(
            {
                "id": ID,
                "host": "web-1",
                "pid": 4711,
                "version": "0.3.0",
                "started_at": "2025-11-29T09:53:20.123Z",
                "ended_at": "2025-11-29T09:53:20.123Z",
                "how": "crashed",
                "jobs_returned": 5,
                "queues": ["a", "b"],
            },
            shown,
        )

    def test_who_lives_in_another_queue_is_not_gone(self) -> None:
        self.assertEqual([], _gone([("a", Crew([], [gone(ID)]))], {ID}))

    def test_of_one_that_an_older_version_reaped_the_host_is_known_from_its_id(self) -> None:
        for runner_id in ("web-3.example.4711.9f86d081", "web-3.example.4711.9f86d081.alone"):
            (shown,) = _gone([("a", Crew([], [gone(runner_id, how="", jobs=None)]))], set())

            self.assertEqual(
                ("web-3.example", None, None), tuple(shown[name] for name in ("host", "how", "jobs_returned"))
            )

    def test_of_too_many_those_are_dropped_first_that_left_by_themselves(self) -> None:
        left = [gone(f"left-{number}", AT_MS + number, "left") for number in range(MOST_GONE_SHOWN)]
        died = [gone("died", AT_MS - 1000)]

        shown = [one["id"] for one in _gone([("a", Crew([], [*left, *died]))], set())]

        self.assertEqual(MOST_GONE_SHOWN, len(shown))
        self.assertEqual(("left-99", "died"), (shown[0], shown[-1]))
        self.assertNotIn("left-0", shown)
