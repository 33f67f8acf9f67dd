"""Scenarios of `python -m tests.faults`, small; `make faults` runs them whole."""

import unittest
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.faults import cluster, graphs, hosts, idempotency, races, sweep, zombies
from tests.faults.bench import Bench
from tests.faults.load import ask
from tests.faults.row import Row
from tests.faults.site import Site
from tests.proxy import Proxy

ASKERS = 20


class Quick(unittest.TestCase):
    def assert_clean(self, rows: Iterable[Row]) -> None:
        for row in rows:
            with self.subTest(row.fault):
                self.assertEqual([], row.violations)
                self.assertEqual((0, 0), (row.lost, row.stale))

    def test_zombies_change_nothing(self) -> None:
        self.assert_clean(zombies.run(is_quick=True))

    def test_a_post_whose_answer_was_lost_makes_one_job(self) -> None:
        self.assert_clean(idempotency.run(is_quick=True))

    def test_a_cluster_slot_moves_under_load(self) -> None:
        self.assert_clean(cluster.run(is_quick=True))

    def test_cancel_against_claim_against_finish(self) -> None:
        self.assert_clean([races.cancels(1000)])

    def test_a_mute_host_has_nobody_else_wait(self) -> None:
        self.assert_clean([hosts.mute(100, timeout_s=10)])

    def test_a_workflow_stops_whose_server_dies_before_it_can_stop_the_jobs(self) -> None:
        self.assert_clean([graphs.stopped(Row("stopped"), 500)])

    def test_a_command_cut_off_anywhere_in_a_jobs_life_loses_nothing(self) -> None:
        with Site() as site, Proxy(site.url) as proxy:
            bench = Bench(site, proxy)
            for kind in ("request cut", "reply cut"):
                self.assert_clean([sweep.life(bench, kind, bench.is_server), sweep.life(bench, kind, bench.is_runner)])


class Frozen(unittest.TestCase):
    def test_however_many_ask_of_a_frozen_redis_each_is_answered_503_within_two_seconds(self) -> None:
        with Site() as site:
            url = site.server().url
            site.redis.freeze()
            # The first one finds its link dead; those that come then need a new one, which can't be had.
            self.assertEqual(503, ask(url, "/api/jobs")[0])

            with ThreadPoolExecutor(ASKERS) as pool:
                answers = list(pool.map(lambda _: ask(url, "/api/jobs"), range(ASKERS)))
            site.redis.thaw()

            self.assertEqual({503}, {status for status, *_ in answers})
            self.assertLess(max(took_s for _, took_s, *_ in answers), 2.0)
            self.assertTrue(all("retry-after" in headers for _, _, headers, _ in answers))


if __name__ == "__main__":
    unittest.main()
