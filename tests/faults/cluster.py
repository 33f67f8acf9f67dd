"""A Cluster of three nodes: jobs run, and the slot of a queue is moved to another node and back under load.

While a slot moves, half of its keys are here and half are there: Waybill refuses for that time, and loses nothing.
"""

import time
from collections.abc import Iterator

from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.site import Site
from tests.private_cluster import PrivateCluster

MOVED_KEY = "wb:{default}:"


def run(*, is_quick: bool) -> Iterator[Row]:
    moves = 1 if is_quick else 4
    row = Row("Cluster: a slot moved under load", runs=moves)
    with PrivateCluster() as cluster, Site(url=cluster.url, client=cluster.client) as site:
        url = site.server().url
        worker = site.worker(WORKER_PROCESSES=2)
        with Load(lambda: url, lambda: site.body("work", seconds=site.rng.uniform(0, 0.1)), per_s=60) as load:
            for _ in range(moves):
                done = len(load.accepted)
                site.until(lambda: len(load.accepted) > done + 100, "load")  # noqa: B023
                cluster.move(MOVED_KEY, pause_s=0.01)
                moved_ns = time.monotonic_ns()
                site.until(lambda: any(run.began_ns > moved_ns for run in site.executions()), "jobs run", 30)  # noqa: B023
                row.recover_s.append((time.monotonic_ns() - moved_ns) / 1e9)
        site.accepted += load.accepted
        site.until_completed(site.accepted)
        site.judge(row)
        row.demand(not worker.logged("consumer.failed"), "a consumer fell over")
        odd = {answer for answer in load.answers if answer not in ("202", "503")}
        row.demand(not odd, f"the API answered {dict(load.answers)}")
        row.note = f"{len(site.accepted)} jobs, {load.answers['503']} x 503"
    yield row
