"""Bad days of jobs that wait for jobs: random graphs over three queues; what runs them is killed, cut and stopped.

In the end each job is as graph_judge.py says, what did not begin did not run, and nothing waits any more. Workflows
that were stopped in the middle are run again, and judged then.
"""

import contextlib
import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

from lib.queue.scripts import text_of
from tests.faults.graph_crowd import Assassin, Crowd, Meddler, killer_at
from tests.faults.graph_ends import ALL_QUEUES, ends, judge, judge_again, look_at_runs, until_still
from tests.faults.graph_errands import Errand, random_errand
from tests.faults.graph_load import GraphLoad, ask
from tests.faults.row import Row
from tests.faults.sentinel import Fleet
from tests.faults.site import Site
from tests.private_cluster import PrivateCluster
from tests.private_redis import wait_until
from tests.proxy import PASS, Proxy
from tests.redis.graphs import QUEUES
from tests.system.oracle import states

THREADS = 4
PAUSE_S = 0.3
KILLS_S = 3.0


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _killed(Row("graphs: kill -9, cuts, a frozen server"), 24 if is_quick else 600, seed=time.time_ns())
    yield _tellers_killed(Row("graphs: kill -9 of who tells"), 16 if is_quick else 100)
    yield stopped(Row("graphs: 1,000 jobs cancelled, the server killed"), 1000)


def run_outages(*, is_quick: bool) -> Iterator[Row]:
    yield _restarted(Row("graphs: Redis killed and started, AOF"), restarts=2 if is_quick else 10)
    yield _emptied(Row("graphs: one queue's keys deleted"), times=1 if is_quick else 5)


def run_cluster(*, is_quick: bool) -> Iterator[Row]:
    yield _node_away(Row("graphs: Cluster, a node away"), times=1 if is_quick else 3, away_s=8 if is_quick else 30)


def run_sentinel(*, is_quick: bool) -> Iterator[Row]:
    for acks in (1,) if is_quick else (1, 0):
        row = Row(f"graphs: Sentinel, master killed, ACK_REPLICAS={acks}")
        yield _failed_over(row, times=1 if is_quick else 5, acks=acks)


# Who runs it.


def _killed(row: Row, count: int, *, seed: int) -> Row:
    """Servers, supervisors and runners are killed, commands are lost, a server is frozen while it plants."""
    rng = Random(seed)
    errands = _errands(rng, count)
    meddler = Meddler(Random(seed))
    with Site(aof="everysec") as site, Proxy(site.url) as proxy:
        proxy.judge = meddler.judge
        crowd = Crowd(site, proxy.url)
        meddler.crowd, meddler.freeze_at = crowd, count // 2
        with _load(site, crowd, errands) as load:
            while load.is_busy:
                _kill_for(crowd, rng, PAUSE_S)
        meddler.is_at_work = False
        _judge_all(site, row, crowd, load, errands)
        row.note = f"seed {seed}: {sum(crowd.kills.values())} kills, {meddler.cuts} cuts; {row.note}"
    return row


def _tellers_killed(row: Row, count: int) -> Row:
    """Who has read a notice is killed before or behind its telling, or its crossing off. No job asks: every word must
    come by its notice. (A job that expires before its workflow is there is known to it by asking alone: none here.)"""
    with Site() as site, Proxy(site.url) as proxy:
        errands = [errand for errand in _errands(site.rng, count, stops=0) if "expires" not in errand.fates.values()]
        crowd = Crowd(site, proxy.url)
        assassin = Assassin(site.rng, crowd)
        proxy.judge = assassin.judge
        with _load(site, crowd, errands, PAUSE_S) as load:
            while load.is_busy:
                _have_asked(site, ALL_QUEUES)
                crowd.replace_dead()
                time.sleep(0.1)
        proxy.judge = lambda request: PASS
        crowd.replace_dead()
        _have_asked(site, ALL_QUEUES)
        _judge_all(site, row, crowd, load, errands)
        row.note = f"{assassin.kills} kills; {row.note}"
    return row


def stopped(row: Row, count: int) -> Row:
    """The server dies when Redis has the mark to stop, and before the server could give the members their orders."""
    with Site() as site, Proxy(site.url) as proxy:
        server = site.server(url=proxy.url)
        site.worker(WORKER_QUEUES=",".join(f"{queue}=4" for queue in QUEUES), WORKER_PROCESSES=2)
        jobs = {f"j{n}": site.body("work", {"queue": QUEUES[n % 3]}, seconds=0.2) for n in range(count)}
        status, content = ask(server.url, "POST", "/api/workflows", {"queue": "a", "jobs": jobs})
        assert status == 202, content
        site.until(lambda: len(site.executions()) > count // 20, "some jobs run")
        site.client.script_load(text_of("cancel"))  # Else its first call is answered that Redis does not have it.
        proxy.judge = killer_at("cancel", server.pid)
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(server.url, "POST", f"/api/workflows/{content['id']}/cancel")
        row.recover_s.append(until_still(site, row))
        row.runs = count
        found = Counter(states(site.client).values())
        begun = len({run.job_id for run in site.executions()})
        row.demand(found["cancelled"] + found["completed"] == count + 1, f"they ended {dict(found)}")
        row.demand(found["completed"] <= begun < count, f"{begun} began, {found['completed']} completed")
        row.demand(server.process is not None and server.process.poll() is not None, "the server was not killed")
        row.note = f"{begun} had begun"
    return row


# Redis itself.


def _restarted(row: Row, *, restarts: int) -> Row:
    """kill -9 of Redis, which has all on its disk."""
    with Site(aof="always") as site:
        errands = _errands(site.rng, 20 * (restarts + 1))
        crowd = Crowd(site, site.url)

        def restart() -> None:
            site.redis.kill()
            site.redis.start()

        load = _under_load(site, crowd, errands, [restart] * restarts)
        _judge_all(site, row, crowd, load, errands)
    return row


def _emptied(row: Row, *, times: int) -> Row:
    """Somebody deletes all keys of the queue b. Who waits for a job there is told that it is gone; graphs that have
    none there, and those that came later, end as they must."""
    with Site() as site:
        errands = _errands(site.rng, 20 * (times + 1), stops=0)
        crowd = Crowd(site, site.url)
        emptied_s: list[float] = []

        def empty() -> None:
            _have_asked(site, QUEUES)
            site.client.delete(*site.client.keys("wb:{b}:*"))
            emptied_s.append(time.monotonic())

        load = _under_load(site, crowd, errands, [empty] * times)
        row.runs = len(errands)
        row.recover_s.append(until_still(site, row))
        row.violations += load.refused
        whole = [errand for errand in errands if errand.asked_s > emptied_s[-1] or not _is_in(errand, "b")]
        judge(site, row, whole)
        row.note = f"{len(errands)} graphs, {len(whole)} of which it did not hit"
    return row


def _have_asked(site: Site, queues: Iterable[str]) -> None:
    """As if all that wait had waited for more than 15 s: they asked, and would ask again in an hour."""
    hour_ms = time.time() * 1000 + 3_600_000
    for queue in queues:
        waiting: Any = site.client.zrange(f"wb:{{{queue}}}:unsure", 0, -1)
        if waiting:
            site.client.zadd(f"wb:{{{queue}}}:unsure", dict.fromkeys(waiting, hour_ms), xx=True)


def _is_in(errand: Errand, queue: str) -> bool:
    return any(node.queue == queue for node in errand.plan.nodes.values())


def _node_away(row: Row, *, times: int, away_s: float) -> Row:
    """A node that has the queue b, or c, dies and comes back; the others go on meanwhile. Before, then and after it
    servers, supervisors and runners are killed."""
    options = ("--appendonly", "yes", "--appendfsync", "always", "--cluster-require-full-coverage", "no")
    with PrivateCluster(*options) as cluster, Site(url=cluster.url, client=cluster.client) as site:
        errands = _errands(site.rng, 20 * (times + 1))
        crowd = Crowd(site, site.url)

        def leave(queue: str) -> None:
            node = cluster.owner(f"wb:{{{queue}}}:")
            _kill_for(crowd, site.rng, KILLS_S)
            node.process.kill()
            node.process.wait()
            _kill_for(crowd, site.rng, away_s)
            node.start()
            _kill_for(crowd, site.rng, KILLS_S)

        load = _under_load(site, crowd, errands, [partial(leave, "bc"[n % 2]) for n in range(times)])
        _judge_all(site, row, crowd, load, errands)
        row.note = f"{sum(crowd.kills.values())} kills; {row.note}"
    return row


def _failed_over(row: Row, *, times: int, acks: int) -> Row:
    """The master dies. With ACK_REPLICAS nothing that was answered 202 is lost; without, a graph may be gone, or never
    begin."""
    with Fleet() as fleet, Site(url=fleet.url, client=fleet.master.client) as site:
        errands = _errands(site.rng, 20 * (times + 1), stops=0)
        crowd = Crowd(site, site.url, ack_replicas=acks)

        def fail_over() -> None:
            old = fleet.master
            old.process.kill()
            old.process.wait()
            wait_until(lambda: fleet.master is not old, "another master", within_s=60, every_s=0.05)
            old.start()
            fleet.until_whole()
            site.look_into(fleet.master.client)

        load = _under_load(site, crowd, errands, [fail_over] * times)
        row.runs = len(errands)
        row.recover_s.append(until_still(site, row))
        row.violations += load.refused
        judge(site, row, errands, may_be_lost=not acks)
        row.note = f"{len(errands)} graphs, {dict(load.answers)}"
    return row


# Shared by all.


def _kill_for(crowd: Crowd, rng: Random, seconds: float) -> None:
    """Kill one after the other, for so long."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        crowd.kill(rng)
        time.sleep(rng.uniform(0.1, 0.8))


def _errands(rng: Random, count: int, *, stops: float = 0.25) -> list[Errand]:
    return [random_errand(rng, f"graph-{number}", stops=stops) for number in range(count)]


def _load(site: Site, crowd: Crowd, errands: Sequence[Errand], pause_s: float = 0.0) -> GraphLoad:
    return GraphLoad(crowd.urls, errands, site.ledger, site.folder, threads=THREADS, pause_s=pause_s)


def _under_load(
    site: Site, crowd: Crowd, errands: Sequence[Errand], strikes: Sequence[Callable[[], None]]
) -> GraphLoad:
    """Ask for the graphs, and strike at equal distances."""
    with _load(site, crowd, errands, PAUSE_S) as load:
        for number, strike in enumerate(strikes, 1):
            enough = number * len(errands) // (len(strikes) + 1)
            site.until(lambda: len(load.accepted) >= enough, "graphs are accepted", 120)  # noqa: B023
            strike()
    return load


def _judge_all(site: Site, row: Row, crowd: Crowd, load: GraphLoad, errands: Sequence[Errand]) -> None:
    """All errands were accepted, each ended as it must, those that were stopped end well when they are run again."""
    row.runs = len(errands)
    row.recover_s.append(until_still(site, row))
    row.violations += load.refused
    odd = {answer for answer in load.answers if answer in ("400", "404", "422", "500")}
    row.demand(not odd, f"servers answered {dict(load.answers)}")
    judge(site, row, errands)
    _run_again(site, row, crowd, errands)
    look_at_runs(row, site, errands, crowd.killed)
    row.note = f"{len(errands)} graphs, {len(site.executions())} executions, {dict(load.answers)}"


def _run_again(site: Site, row: Row, crowd: Crowd, errands: Sequence[Errand]) -> None:
    """Run the workflows again that were stopped and did not complete, and judge them."""
    stopped = ends(site, [errand for errand in errands if errand.is_stopped and errand.anchor_id])
    again = [one.errand for one in stopped if one.marks.get(one.errand.plan.anchor) != "c"]
    begun = Counter(run.job_id for run in site.executions())
    for one in stopped:
        one.errand.before, one.errand.unopened = one.marks, one.unopened()
        one.errand.flag(site.folder).touch()
    for errand in again:
        status, content = ask(crowd.servers[0].url, "POST", f"/api/workflows/{errand.anchor_id}/retry")
        row.demand(status in (200, 202), f"retry of {errand.name} is {status}: {content}")
    until_still(site, row)
    judge_again(site, row, again, begun)
