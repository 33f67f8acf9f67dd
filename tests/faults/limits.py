"""Bad days of a queue with groups and limits: runners and hosts that die, zombies, keys deleted by hand, a clock.

Each job's group has a cap. After each fault the jobs of the group that were aboard are begun again, no more of them run
at once than the cap allows (by the ledger), and the slots are those of the jobs that run.
"""

import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.clocks import Clock, NoCompiler, site_with_clock
from tests.faults.cluster import MOVED_KEY
from tests.faults.ledger import most_at_once
from tests.faults.load import Load
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.private_cluster import PrivateCluster
from tests.processes import Server

CAP = 20
LEASE_S = 2
GROUP = "tenant-1"
GROUPS = [f"tenant-{number}" for number in range(10)]
HOUR_S = 3600


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _dies(Row("limits: kill -9 of a runner with 20 of a group"), _kill_runner)
    yield _dies(Row("limits: a host gone with 20 of a group"), Runners.kill_all)
    yield _stopped(Row("limits: SIGSTOP past the lease with 20 of a group"))
    yield _broken(Row("limits: turns, full, running deleted by hand"), rounds=3 if is_quick else 12)
    yield _lowered(Row("limits: a concurrency lowered below what runs"))
    yield _without_keeper(Row("limits: the keeper of the clock killed"), kills=2 if is_quick else 6)
    yield _clock(Row("limits: the clock two hours ahead, and back"))
    yield _full(Row("limits: maxmemory"))
    yield _cluster(Row("limits: Cluster, a slot moved"), moves=1 if is_quick else 3)


# A group of which as many jobs run as may.


def _dies(row: Row, kill: Callable[[Runners], None]) -> Row:
    """What ran there begins again elsewhere, as many as the cap allows, and what waits follows."""
    with Site() as site:
        server = _limited(site, {"groups": {"concurrency": CAP}})
        first = site.worker(WORKER_QUEUES=f"default={2 * CAP}", LEASE_S=LEASE_S)
        ids, flag = _all_aboard(site)
        second = site.worker(WORKER_QUEUES=f"default={2 * CAP}", LEASE_S=LEASE_S)
        killed_ns, pids = time.monotonic_ns(), first.runner_pids()
        kill(first)
        # Those that were aboard have begun, and are now begun once more.
        site.until(lambda: len(site.executions()) >= 2 * CAP, "the slots are free and taken again", 30)
        row.recover_s.append((time.monotonic_ns() - killed_ns) / 1e9)
        row.demand(second.runner_pids(), "the second worker has no runner")
        flag.touch()
        site.until_completed(ids)
        _judge(site, row, server, dict.fromkeys(pids, killed_ns))
    return row


def _kill_runner(worker: Runners) -> None:
    os.kill(worker.runner_pids()[0], signal.SIGKILL)


def _stopped(row: Row) -> Row:
    """A zombie ends its jobs when others have ended them: that frees no slot a second time."""
    with Site() as site:
        server = _limited(site, {"groups": {"concurrency": CAP}})
        zombie = site.worker(WORKER_QUEUES=f"default={2 * CAP}", LEASE_S=LEASE_S)
        ids, flag = _all_aboard(site)
        stopped_ns, pids = time.monotonic_ns(), [zombie.pid, *zombie.runner_pids()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        site.worker(WORKER_QUEUES=f"default={2 * CAP}", LEASE_S=LEASE_S)
        site.until(lambda: len(site.executions()) >= 2 * CAP, "all that were aboard run again", 30)
        row.recover_s.append((time.monotonic_ns() - stopped_ns) / 1e9)
        flag.touch()
        site.until_completed(ids)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        zombie.wait_for("job.stale", CAP)
        site.until_completed(site.put(2 * CAP, "work", {"group": GROUP}, seconds=0.05))
        _judge(site, row, server, dict.fromkeys(pids, stopped_ns))
    return row


def _all_aboard(site: Site) -> tuple[list[str], Any]:
    """20 jobs of a group run until the flag is there, and 20 more wait behind them."""
    flag = site.folder / "flag"
    ids = site.put(2 * CAP, "work", {"group": GROUP}, until=str(flag))
    site.until(lambda: len(site.executions()) == CAP, "20 of the group run")
    return ids, flag


# Somebody's hand.


def _broken(row: Row, *, rounds: int) -> Row:
    """Under load in ten groups: what mend.lua puts right is right within seconds, and no job is lost."""
    with Site() as site:
        server = _limited(site, {"groups": {"concurrency": 2}})
        for _ in range(2):
            site.worker(WORKER_QUEUES="default=10", LEASE_S=LEASE_S)
        breaks = itertools.cycle((_delete(site, "turns:normal"), _delete(site, "full"), _add_ghosts(site)))
        rng = site.rng
        with Load(lambda: server.url, lambda: _of_a_group(site, rng.choice(GROUPS)), per_s=60) as load:
            for breaks_it in itertools.islice(breaks, rounds):
                done = len(load.accepted)
                site.until(lambda: len(load.accepted) > done + 20, "load")  # noqa: B023
                breaks_it()
                done, broken_s = len(load.accepted), time.monotonic()
                site.until(lambda: len(load.accepted) > done + 20, "load")  # noqa: B023
                site.until_begun(load.accepted[done : done + 20], 20)
                row.recover_s.append(time.monotonic() - broken_s)
        row.runs = rounds
        site.accepted += load.accepted
        site.until_completed(site.accepted)
        _until_free(site, row)
        site.judge(row)
    return row


def _delete(site: Site, name: str) -> Callable[[], object]:
    return lambda: site.client.delete(site.base + name)


def _add_ghosts(site: Site) -> Callable[[], object]:
    """As many ids of no job as the cap allows, in three groups: none of theirs may run until they are gone."""

    def add() -> None:
        for group in GROUPS[:3]:
            site.client.sadd(f"{site.base}running:{group}", *[site.ids.new(site.queue, "request") for _ in range(2)])

    return add


def _lowered(row: Row) -> Row:
    """Of 20 that run none is stopped, and none begins until fewer than the new limit run."""
    with Site() as site:
        server = _limited(site, {"concurrency": CAP})
        site.worker(WORKER_QUEUES=f"default={2 * CAP}", WORKER_PROCESSES=2, LEASE_S=LEASE_S)
        ids, flag = _all_aboard(site)
        _patch(server, {"concurrency": 3})
        lowered_ns = time.monotonic_ns()
        flag.touch()
        site.until_completed(ids)
        later = [one for one in site.executions() if one.began_ns > lowered_ns]
        row.demand(len(later) == CAP, f"{len(later)} began behind the change")
        row.demand(most_at_once(later, {}) <= 3, f"{most_at_once(later, {})} ran at once behind the change")
        row.runs = len(ids)
        site.judge(row)
    return row


# Time.


def _without_keeper(row: Row, *, kills: int) -> Row:
    """The runner that keeps the clock is killed again and again: a start is late by a second and a half at most."""
    with Site() as site:
        server = _limited(site, {"rate": {"limit": 1, "per_s": 0.2}})
        worker = site.worker(WORKER_PROCESSES=4, LEASE_S=LEASE_S, CRASH_LIMIT=100)
        site.put(25 * kills, "work")
        for _ in range(kills):
            begun = len(site.executions())
            site.until(lambda: len(site.executions()) >= begun + 5, "jobs begin")  # noqa: B023
            killed_ns = time.monotonic_ns()
            pid = site.until(lambda: _keeper(site), "somebody keeps the clock")
            os.kill(pid, signal.SIGKILL)
            row.runs += 1
            site.until(lambda: site.executions()[-1].began_ns > killed_ns, "a job begins", 10)  # noqa: B023
            row.recover_s.append((site.executions()[-1].began_ns - killed_ns) / 1e9)
        _patch(server, {"rate": None})
        site.until_completed(site.accepted)
        row.demand(max(row.recover_s) < 1.5, f"late by {max(row.recover_s):.1f} s")
        row.demand(worker.runner_pids(), "no runner is left")
        site.judge(row, twice_allowed=True)
    return row


def _keeper(site: Site) -> int:
    """The pid of the runner that keeps the clock; 0 where nobody does."""
    post: Any = site.client.get(f"{site.base}keeper")
    about: Any = post and site.client.hget(f"{site.base}workers", post.decode().partition(" ")[2])
    return int(json.loads(about)["pid"]) if about else 0


def _clock(row: Row) -> Row:
    """Redis' clock goes two hours ahead, and back: queue and groups go on by their rates within seconds."""
    try:
        with site_with_clock() as (site, clock):
            _move(site, row, clock)
    except NoCompiler:
        row.note = "not shown: needs a C compiler"
    return row


def _move(site: Site, row: Row, clock: Clock) -> None:
    _limited(site, {"rate": {"limit": 50, "per_s": 1}, "groups": {"rate": {"limit": 10, "per_s": 1}}})
    site.worker(WORKER_PROCESSES=2, LEASE_S=LEASE_S)
    for by_s in (2 * HOUR_S, -2 * HOUR_S, -2 * HOUR_S, 2 * HOUR_S):
        ids = site.put(30, "work", {"group": GROUP})
        site.until(lambda: len({one.job_id for one in site.executions()} & set(ids)) >= 5, "the rate is at work")  # noqa: B023
        clock.jump(by_s)
        jumped_s = time.monotonic()
        site.until_completed(ids, 30)
        row.recover_s.append(time.monotonic() - jumped_s)
        row.runs += 1
    row.demand(max(row.recover_s) < 10, f"30 jobs at 10 a second took {max(row.recover_s):.1f} s behind a jump")
    site.judge(row)


# Redis itself.


def _full(row: Row) -> Row:
    """At maxmemory jobs of groups are refused, and those that are there run by their limits."""
    with Site() as site:
        server = _limited(site, {"groups": {"concurrency": 2}})
        site.worker(WORKER_QUEUES="default=10", LEASE_S=LEASE_S)
        _patch(server, {"paused": True})
        ids = [job_id for group in GROUPS for job_id in site.put(4, "work", {"group": group}, seconds=0.02)]
        site.client.config_set("maxmemory", max(1, site.client.info("memory")["used_memory"] - 100_000))
        status, answer, _ = server.request("POST", "/api/jobs", _of_a_group(site, GROUP))
        row.demand(status == 503, f"a POST at maxmemory is {status}: {answer}")
        began_s = time.monotonic()
        _patch(server, {"paused": False})
        site.until_completed(ids)
        row.recover_s.append(time.monotonic() - began_s)
        site.client.config_set("maxmemory", 0)
        row.runs = len(ids)
        site.judge(row)
    return row


def _cluster(row: Row, *, moves: int) -> Row:
    """The slot of a queue with limits moves to another node under load."""
    with PrivateCluster() as cluster, Site(url=cluster.url, client=cluster.client) as site:
        server = _limited(site, {"concurrency": 6, "groups": {"concurrency": 2}})
        site.worker(WORKER_PROCESSES=2, LEASE_S=LEASE_S)
        rng = site.rng
        with Load(lambda: server.url, lambda: _of_a_group(site, rng.choice(GROUPS)), per_s=40) as load:
            for _ in range(moves):
                done = len(load.accepted)
                site.until(lambda: len(load.accepted) > done + 50, "load")  # noqa: B023
                cluster.move(MOVED_KEY, pause_s=0.01)
                moved_ns = time.monotonic_ns()
                site.until(lambda: any(one.began_ns > moved_ns for one in site.executions()), "jobs run", 30)  # noqa: B023
                row.recover_s.append((time.monotonic_ns() - moved_ns) / 1e9)
        row.runs = moves
        site.accepted += load.accepted
        site.until_completed(site.accepted)
        site.judge(row)
        row.demand(most_at_once(site.executions(), {}) <= 6, "more than six ran at once")
    return row


# Shared by all.


def _limited(site: Site, settings: dict[str, Any]) -> Server:
    """A server, and the queue with these limits."""
    server = site.server()
    _patch(server, settings)
    return server


def _patch(server: Server, settings: dict[str, Any]) -> None:
    status, answer, _ = server.request("PATCH", "/api/queues/default", settings)
    assert status == 200, answer


def _of_a_group(site: Site, group: str) -> dict[str, Any]:
    return site.body("work", {"group": group}, seconds=site.rng.uniform(0, 0.05))


def _judge(site: Site, row: Row, server: Server, deaths: dict[int, int]) -> None:
    """deaths: pid -> when it was killed or stopped, and what it ran is no concern of the cap any more."""
    row.runs = 1
    _until_free(site, row)
    site.judge(row, twice_allowed=True)
    # What a zombie ran ends for the queue when its lease does, whatever the zombie writes later.
    runs = [one._replace(ended_ns=None) if one.pid in deaths else one for one in site.executions()]
    most = most_at_once(runs, deaths)
    row.demand(most <= CAP, f"{most} of the group ran at once, {CAP} are allowed")
    status, group, _ = server.request("GET", "/api/queues/default/groups")
    row.demand(status == 200, f"GET of the groups is {status}: {group}")


def _until_free(site: Site, row: Row) -> None:
    """No group holds a slot for a job that does not run."""

    def held() -> list[bytes]:
        return list(site.client.scan_iter(f"{site.base}running:*"))

    with contextlib.suppress(AssertionError):
        site.until(lambda: not held(), "every slot is free", 20)
    row.demand(not held(), f"slots are taken: {held()}")
