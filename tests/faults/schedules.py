"""Bad minutes of schedules: supervisors killed, links cut, replies lost, Redis full, emptied, its clock moved.

Each slot of a schedule has one job, whoever dies: no slot is left out, and none has two. The slots are read from the
jobs, the runs from the ledger.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from lib.jobs.spec import JobSpec
from tests.faults import due_at_once, graph_schedules, zone_rules
from tests.faults.clocks import Clock, NoCompiler, site_with_clock
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.private_cluster import PrivateCluster
from tests.processes import Server
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, Proxy, Request, Verdict

SUPERVISORS = 3
STEP_MS = 1000
HOUR_S = 3600
# Longer than the others' leases: a job that a dead host ran would be run a second time, and that is another row's.
LEASE_S = 15


def run(*, is_quick: bool) -> Iterator[Row]:
    yield _killed(Row("schedules: supervisors killed, links cut"), *((40, 10.0) if is_quick else (200, 60.0)))
    yield graph_schedules.row(is_quick=is_quick)
    yield due_at_once.row(1000 if is_quick else 10_000)
    yield _full(Row("schedules: maxmemory"))
    yield _removed(Row("schedules: a queue full, paused, removed"))
    yield _emptied(Row("schedules: FLUSHALL"))
    yield _cluster(Row("schedules: Cluster, a node emptied"))
    yield _clock(Row("schedules: the clock two hours ahead, and back"))
    yield zone_rules.row(Row("schedules: two hosts with other rules of a zone"), slots=8 if is_quick else 30)


# Whatever dies.


def _killed(row: Row, count: int, seconds: float) -> Row:
    """Schedules of one second. Every half second a supervisor is killed, or all links are cut; one reply in fifty and
    one request in fifty of a script is lost all the while."""
    with Site() as site, Proxy(site.url) as proxy:
        server = site.server()
        rng = site.rng
        workers = [_worker(site, proxy) for _ in range(SUPERVISORS)]
        names = [f"s{number}" for number in range(count)]
        begins = {name: _put(site, server, name) for name in names}
        proxy.judge = lambda request: _lose(rng.random(), request)
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            row.runs += 1
            time.sleep(rng.uniform(0.2, 0.8))
            if row.runs % 2:
                proxy.cut_all()
                continue
            at = rng.randrange(SUPERVISORS)
            workers[at].kill()
            workers[at] = _worker(site, proxy, is_awaited=False)
        proxy.judge = lambda request: PASS
        _judge(site, row, server, begins)
    return row


def _worker(site: Site, proxy: Proxy, *, is_awaited: bool = True) -> Runners:
    return site.worker(url=proxy.url, is_awaited=is_awaited, LEASE_S=LEASE_S, WORKER_QUEUES="default=50")


def _lose(chance: float, request: Request) -> Verdict:
    if request.words[0] != b"EVALSHA" or chance > 0.04:
        return PASS
    return CUT_REPLY if chance > 0.02 else CUT_REQUEST


def _full(row: Row) -> Row:
    """At maxmemory a slot stays due; with memory again each of them has its job."""
    with Site() as site:
        server = site.server()
        site.worker(LEASE_S=LEASE_S)
        begins = {name: _put(site, server, name) for name in ("a", "b")}
        _until_fired(site, server, "a", 2)
        site.client.config_set("maxmemory", max(1, site.client.info("memory")["used_memory"] - 100_000))
        full_s = time.monotonic()
        site.until(lambda: _read(server, "a")["overdue_s"] > 3, "a slot stays due")
        before = _read(server, "a")["counts"]["fired"]
        site.client.config_set("maxmemory", 0)
        _until_fired(site, server, "a", before + 4)
        row.recover_s.append(time.monotonic() - full_s)
        row.runs = 1
        _judge(site, row, server, begins)
    return row


def _removed(row: Row) -> Row:
    """A queue at its max_depth has no room for a slot, which stays due; in a paused queue the jobs wait; a queue with a
    schedule is not removed, and one whose schedule was deleted is, and fires nothing any more."""
    with Site() as site:
        server = site.server()
        worker = site.worker(LEASE_S=LEASE_S)
        begins = {"a": _put(site, server, "a")}
        _until_fired(site, server, "a", 1)
        _change(server, "PATCH", "/api/queues/default", {"max_depth": 0})
        site.until(lambda: _read(server, "a")["reason"] == "queue_full", "the slot has no room")
        _change(server, "PATCH", "/api/queues/default", {"max_depth": None, "paused": True})
        _until_fired(site, server, "a", 4)
        row.demand(_change(server, "DELETE", "/api/queues/default")[0] == 409, "a queue with a schedule was removed")
        _change(server, "PATCH", "/api/queues/default", {"paused": False})
        _judge(site, row, server, begins)
        worker.stop()
        _change(server, "POST", "/api/queues/default/purge", {"state": "completed"})
        row.demand(_change(server, "DELETE", "/api/schedules/a")[0] == 204, "the schedule was not deleted")
        row.demand(_change(server, "DELETE", "/api/queues/default")[0] == 204, "the queue was not removed")
        row.runs = 4
    return row


def _emptied(row: Row) -> Row:
    """Schedules are gone then; what is written behind it fires as ever."""
    with Site() as site:
        server = site.server()
        site.worker(LEASE_S=LEASE_S)
        _put(site, server, "a")
        _until_fired(site, server, "a", 2)
        site.client.flushall()
        row.demand(_change(server, "GET", "/api/schedules/a")[0] == 404, "the schedule is there behind FLUSHALL")
        emptied_s = time.monotonic()
        begins = {"a": _put(site, server, "a")}
        _until_fired(site, server, "a", 2)
        row.recover_s.append(time.monotonic() - emptied_s)
        row.runs = 1
        _judge(site, row, server, begins)
    return row


def _cluster(row: Row) -> Row:
    """Schedules in ten queues on three nodes, of which one is emptied: what lay elsewhere goes on, with a job a slot,
    and what was lost is 404, and may be written again."""
    with PrivateCluster() as cluster, Site(url=cluster.url, client=cluster.client) as site:
        server = site.server()
        queues = [f"q{number}" for number in range(10)]
        site.worker(LEASE_S=LEASE_S, WORKER_QUEUES=",".join(f"{queue}=2" for queue in ["default", *queues]))
        for queue in queues:
            _put(site, server, queue, queue=queue)
        for queue in queues:
            _until_fired(site, server, queue, 2)
        cluster.nodes[0].client.flushall()
        lost = [queue for queue in queues if not cluster.client.exists(f"wb:{{{queue}}}:schedule:{queue}")]
        row.demand(0 < len(lost) < len(queues), f"this shows nothing: {len(lost)} of {len(queues)} schedules are lost")
        fired = {queue: _fired(cluster.client, queue) for queue in queues if queue not in lost}
        for queue, count in fired.items():
            site.until(lambda: _fired(cluster.client, queue) > count + 2, f"{queue} goes on")  # noqa: B023
        row.demand(not [queue for queue in fired if _change(server, "GET", f"/api/schedules/{queue}")[0] != 200], "404")
        for queue in lost:
            row.demand(_change(server, "GET", f"/api/schedules/{queue}")[0] == 404, f"{queue} is there")
            _put(site, server, queue, queue=queue)
            _until_fired(site, server, queue, 1)
        for queue in queues:
            _change(server, "DELETE", f"/api/schedules/{queue}")
            slots = _slots(cluster.client, f"wb:{{{queue}}}:").get(queue, [])
            row.demand(len(slots) == len(set(slots)), f"a slot of {queue} has two jobs")
            row.demand(_steps(slots) <= {STEP_MS}, f"{queue} has slots {_steps(slots)} ms apart")
        row.runs = 1
    return row


def _fired(client: Any, name: str) -> int:
    return int(client.hget(f"wb:{{{name}}}:schedule:{name}", "fired") or 0)


def _clock(row: Row) -> Row:
    """The slots that a jump leaves behind are missed but the latest. With the clock back nothing fires a second time:
    the schedule waits until its next slot has come, and is resumed anew by who can't wait."""
    try:
        with site_with_clock() as (site, clock):
            _move(site, row, clock)
    except NoCompiler:
        row.note = "not shown: needs a C compiler"
    return row


def _move(site: Site, row: Row, clock: Clock) -> None:
    server = site.server()
    site.worker(LEASE_S=LEASE_S)
    _put(site, server, "a", catch_up="one")
    _until_fired(site, server, "a", 2)
    clock.jump(2 * HOUR_S)
    jumped_s = time.monotonic()
    before = _read(server, "a")["counts"]["fired"]
    _until_fired(site, server, "a", before + 3)
    row.recover_s.append(time.monotonic() - jumped_s)
    row.demand(_read(server, "a")["counts"]["missed"] > 0, "no run is missed, though two hours were")
    clock.jump(-2 * HOUR_S)
    behind = _read(server, "a")["counts"]["fired"]
    time.sleep(3)
    row.demand(_read(server, "a")["counts"]["fired"] == behind, "it fired again for a time that it had fired for")
    for verb in ("pause", "resume"):
        _change(server, "POST", f"/api/schedules/a/{verb}")
    _until_fired(site, server, "a", behind + 2)
    _change(server, "POST", "/api/schedules/a/pause")
    slots = _slots(site.client, site.base)["a"]
    row.runs = 2
    row.demand(len(slots) == len(set(slots)), "a slot has two jobs")
    _until_run(site)
    site.judge(row)


# Shared by all.


def _put(site: Site, server: Server, name: str, *, queue: str = "default", **fields: Any) -> int:
    """A schedule of one second, whose jobs are in the ledger. Returns its first slot, ms."""
    job = site.body("work") | {"queue": queue}
    body = {"every_s": STEP_MS / 1000, "overlap": "allow", "catch_up": "all", "job": job, **fields}
    status, answer = _change(server, "PUT", f"/api/schedules/{name}", body)
    assert status == 201, answer
    raw: Any = site.client.hget(f"wb:{{{queue}}}:schedule:{name}", "anchor")
    return int(raw) + STEP_MS


def _change(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    status, answer, _ = server.request(method, path, body)
    return status, answer


def _read(server: Server, name: str) -> Any:
    status, answer = _change(server, "GET", f"/api/schedules/{name}")
    assert status == 200, answer
    return answer


def _until_fired(site: Site, server: Server, name: str, count: int) -> None:
    site.until(lambda: _read(server, name)["counts"]["fired"] >= count, f"{name} has fired {count} times")


def _slots(client: Any, base: str) -> dict[str, list[int]]:
    """Schedule -> the slots of all its jobs, sorted."""
    found = defaultdict[str, list[int]](list)
    for raw in client.zrange(f"{base}all", 0, -1):
        spec = JobSpec.from_text(client.hget(f"{base}job:{raw.decode()}", "spec"))
        found[spec.schedule].append(spec.scheduled_for)
    return {name: sorted(slots) for name, slots in found.items()}


def _steps(slots: Iterable[int]) -> set[int]:
    return {behind - one for one, behind in pairwise(slots)}


def _judge(site: Site, row: Row, server: Server, begins: dict[str, int]) -> None:
    """Every slot from the first to the last has one job, which ran once. begins: schedule -> its first slot, ms."""

    def now_ms() -> int:
        at_s, us = site.client.time()
        return int(at_s) * 1000 + int(us) // 1000

    def is_up_to_date() -> bool:
        return not site.client.zcount(f"{site.base}slots", "-inf", now_ms() - 100)

    site.until(is_up_to_date, "no slot is due", 60)
    quiet_ms = now_ms()
    for name in begins:
        _change(server, "POST", f"/api/schedules/{name}/pause")
    slots = _slots(site.client, site.base)
    for name, begin_ms in begins.items():
        found, counts = slots.get(name, []), _read(server, name)["counts"]
        whole = list(range(begin_ms, max([quiet_ms - STEP_MS, *found]) + 1, STEP_MS))
        row.lost += len(lost := set(whole) - set(found))
        row.twice += len(found) - len(set(found))
        row.demand(not lost, f"{name} has no job for {sorted(lost)[:5]}")
        row.demand(len(found) == len(set(found)), f"{name} has a slot with two jobs")
        row.demand(set(found) <= set(whole), f"{name} has jobs for {sorted(set(found) - set(whole))[:5]}, no slots")
        row.demand(counts == {"fired": len(found), "skipped": 0, "missed": 0}, f"{name} has {len(found)}, and {counts}")
    row.note = f"{sum(map(len, slots.values()))} slots of {len(begins)} schedules"
    _until_run(site)
    site.judge(row)


def _until_run(site: Site) -> None:
    raw: Any = site.client.zrange(f"{site.base}all", 0, -1)
    site.accepted = [job_id.decode() for job_id in raw]
    site.until_completed(site.accepted, 90)
