"""What every outage is measured by: load, the fault, questions to the API meanwhile, its end, and the reckoning."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.faults.load import Load, ask
from tests.faults.row import Row
from tests.faults.site import Site

LEASE_S = 3
ASKERS = 20
MOST_S = 2.0
RUNNING = 3
BACKLOG = 300
READS = {True: {503}, False: {200}, None: {200, 503}}


class Outage(NamedTuple):
    """begin and end: the fault. refuses_reads (None: some), refuses_writes, is_ready: what the API does meanwhile.
    drains: whether workers go on meanwhile."""

    title: str
    begin: Callable[[], object]
    end: Callable[[], object]
    refuses_reads: bool | None = True
    refuses_writes: bool = True
    is_ready: bool = False
    drains: bool = False


def suffer(site: Site, hold_s: float, outage: Outage, *, is_probed: bool = True) -> Row:
    """Load, the fault, `hold_s` of it with questions to the API, its end, and then the reckoning."""
    row = Row(f"{outage.title}, {hold_s:g} s", runs=1)
    url = site.server().url
    worker = site.worker(WORKER_PROCESSES=2, LEASE_S=LEASE_S)
    flag = site.folder / "flag"
    with Load(lambda: url, lambda: site.body("work", seconds=site.rng.uniform(0, 0.1)), per_s=80) as load:
        running = site.put(RUNNING, "work", until=str(flag))
        site.until_begun(running)
        site.put(BACKLOG if outage.drains else 0, "work", seconds=0.1)
        site.until(lambda: len(load.accepted) > 50, "load")
        outage.begin()
        began_s = time.monotonic()
        if is_probed:
            _probe(row, url, outage, began_s + 1.0)
        flag.touch()
        begun = len(site.executions())
        time.sleep(max(0.0, began_s + hold_s - time.monotonic()))
        has_drained = len(site.executions()) > begun
        outage.end()
        ended_ns = time.monotonic_ns()
        site.until(lambda: any(run.began_ns > ended_ns for run in site.executions()), "jobs run again", 30, 0.05)
        row.recover_s.append((time.monotonic_ns() - ended_ns) / 1e9)
    site.accepted += load.accepted
    site.until_completed(site.accepted)
    site.judge(row)
    attempts = {record.get("attempts") for record in site.records(site.accepted).values()}
    row.demand(attempts == {"1"}, f"attempts counted: {attempts}")
    row.demand(not worker.logged("worker.reaped"), "somebody was reaped")
    row.demand(not worker.logged("worker.crashed") + worker.logged("consumer.failed"), "a runner fell over")
    row.demand(has_drained or not outage.drains, "workers did not go on meanwhile")
    odd = {answer for answer in load.answers if answer not in ("202", "503")}
    row.demand(not odd, f"the API answered {dict(load.answers)}")
    row.demand(load.answers["503"] or not outage.refuses_writes, "no POST was refused")
    slowest_s = load.slowest_s.get("503", 0.0)
    row.demand(slowest_s < MOST_S, f"a POST was answered 503 after {slowest_s:.1f} s")
    row.demand(not load.without_retry_after, f"{load.without_retry_after} times 503 without Retry-After")
    links = len([link for link in site.client.client_list() if link["name"] == "waybill"])
    row.demand(links <= 25, f"{links} connections are left open")
    row.note = f"{len(site.accepted)} jobs, {load.answers['503']} x 503, {links} links"
    return row


def _probe(row: Row, url: str, outage: Outage, from_s: float) -> None:
    """Many questions at once, a second after the fault began."""
    time.sleep(max(0.0, from_s - time.monotonic()))
    paths = ["/livez", "/readyz", *["/api/jobs"] * ASKERS]
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = dict(zip(enumerate(paths), pool.map(lambda path: ask(url, path), paths), strict=True))
    expected = {"/livez": 200, "/readyz": 200 if outage.is_ready else 503}
    for (_, path), (status, took_s, headers, _) in answers.items():
        wanted = {expected[path]} if path in expected else READS[outage.refuses_reads]
        row.demand(status in wanted, f"{path} was answered {status}, not {wanted}")
        row.demand(took_s < MOST_S, f"{path} was answered after {took_s:.1f} s")
        row.demand(status != 503 or "retry-after" in headers, f"{path}: 503 without Retry-After")
