"""Schedules of workflows, and of jobs with `then`, over three queues, of one second: supervisors are killed, links cut,
replies lost, and the schedules edited all the while. Each slot has one graph, and each of its jobs ends once, as the
graph says. What an edit left behind has never run, and says so."""

import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from lib.jobs.spec import JobSpec
from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.processes import Server
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, Proxy, Request, Verdict
from tests.system.oracle import faults

SUPERVISORS = 3
STEP_MS = 1000
QUEUES = ("default", "reports", "letters")
LEASE_S = 15
EDITED_EACH_S = 0.3


class _Job(NamedTuple):
    """A job as it lies in Redis. request_id: one for each slot and version of a schedule."""

    job_id: str
    state: str
    error: str
    spec: JobSpec


def row(*, is_quick: bool) -> Row:
    """The row."""
    found = Row("schedules of workflows: supervisors killed, links cut, edits")
    count, seconds = (4, 10.0) if is_quick else (12, 60.0)
    with Site() as site, Proxy(site.url) as proxy:
        server = site.server()
        workers = [_worker(site, proxy) for _ in range(SUPERVISORS)]
        bodies = {f"s{number}": _body(site, number) for number in range(count)}
        begins = {name: _put(site, server, name, body) for name, body in bodies.items()}
        proxy.judge = lambda request: _lose(site.rng.random(), request)
        ends_s = time.monotonic() + seconds
        edits_s = time.monotonic()
        while time.monotonic() < ends_s:
            found.runs += 1
            time.sleep(site.rng.uniform(0.2, 0.8))
            if time.monotonic() > edits_s:
                edits_s += EDITED_EACH_S
                name = site.rng.choice([*bodies])
                _change(server, "PUT", f"/api/schedules/{name}", bodies[name] | {"owner": f"edit-{found.runs}"})
            if found.runs % 2:
                proxy.cut_all()
                continue
            at = site.rng.randrange(SUPERVISORS)
            workers[at].kill()
            workers[at] = _worker(site, proxy, is_awaited=False)
        proxy.judge = lambda request: PASS
        _judge(site, found, server, begins)
    return found


def _worker(site: Site, proxy: Proxy, *, is_awaited: bool = True) -> Runners:
    queues = ",".join(f"{queue}=20" for queue in QUEUES)
    return site.worker(url=proxy.url, is_awaited=is_awaited, LEASE_S=LEASE_S, WORKER_QUEUES=queues)


def _lose(chance: float, request: Request) -> Verdict:
    if request.words[0] != b"EVALSHA" or chance > 0.04:
        return PASS
    return CUT_REPLY if chance > 0.02 else CUT_REQUEST


def _body(site: Site, number: int) -> dict[str, Any]:
    """A schedule: each second one a job with `then`, the others workflows."""

    def work(queue: str, **fields: Any) -> dict[str, Any]:
        return site.body("work", {"queue": queue, **fields})

    home, other, third = (QUEUES[(number + step) % 3] for step in range(3))
    body: dict[str, Any] = {"every_s": STEP_MS / 1000, "overlap": "allow", "catch_up": "all"}
    if number % 2:
        return body | {"job": work(home, then=[work(other, then=[work(third)]), work(third, on="failed")])}
    jobs = {
        "fetch": work(other),
        "part": {"jobs": {"left": work(home), "right": work(third, after=["left"])}, "after": ["fetch"]},
        "sum": work(third, after=["fetch", {"job": "part", "on": "ended"}]),
    }
    return body | {"workflow": {"queue": home, "jobs": jobs, "then": [work(other, on="ended")]}}


THEN_ENDS = Counter({"completed": 3, "cancelled": 1})
"""How the jobs of one slot of a job with `then` end: its alarm has nothing to say."""
WORKFLOW_ENDS = Counter({"completed": 7})


def _put(site: Site, server: Server, name: str, body: dict[str, Any]) -> int:
    """Returns the first slot, ms."""
    status, answer = _change(server, "PUT", f"/api/schedules/{name}", body)
    assert status == 201, answer
    raw: Any = site.client.hget(f"wb:{{{answer['queue']}}}:schedule:{name}", "anchor")
    return int(raw) + STEP_MS


def _change(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    status, answer, _ = server.request(method, path, body)
    return status, answer


def _judge(site: Site, found: Row, server: Server, begins: dict[str, int]) -> None:
    """Every slot from the first to the last has one whole graph; nothing else has run, and nothing waits."""
    site.until(lambda: not _overdue(site), "no slot is due", 60)
    quiet_ms = _now_ms(site)
    for name in begins:
        _change(server, "POST", f"/api/schedules/{name}/pause")
    site.until(
        lambda: {job.state for job in _jobs(site)} <= {"completed", "cancelled"}, "all jobs have ended", 120, 0.5
    )
    graphs = defaultdict[tuple[str, int], dict[str, list[_Job]]](lambda: defaultdict(list))
    for job in _jobs(site):
        graphs[job.spec.schedule, job.spec.scheduled_for][job.spec.request_id].append(job)
    left_behind = 0
    for number, (name, begin_ms) in enumerate(begins.items()):
        wanted = THEN_ENDS if number % 2 else WORKFLOW_ENDS
        slots = [slot for schedule, slot in graphs if schedule == name]
        whole = range(begin_ms, max([quiet_ms - STEP_MS, *slots]) + 1, STEP_MS)
        found.demand({*slots} <= {*whole}, f"{name} has jobs for {sorted({*slots} - {*whole})[:5]}, no slots")
        for slot in whole:
            of_slot = graphs.get((name, slot), {}).values()
            right = sum(Counter(job.state for job in jobs) == wanted for jobs in of_slot)
            orphans = sum(all(job.error == "parent_gone" for job in jobs) for jobs in of_slot)
            found.lost += not right
            found.twice += max(0, right - 1)
            found.demand(right == 1, f"{name} has {right} graphs for {slot}")
            found.demand(right + orphans == len(of_slot), f"{name} has half a graph for {slot}")
            left_behind += orphans
    _judge_runs(site, found)
    found.note = f"{sum(map(len, graphs.values())) - left_behind} graphs, {left_behind} left behind by edits"


def _judge_runs(site: Site, found: Row) -> None:
    """What has completed was run once, but workflows; nothing else was run. The oracle is content."""
    begun = Counter(run.job_id for run in site.executions())
    ran = {job.job_id for job in _jobs(site) if job.state == "completed" and job.spec.type != "workflow"}
    found.twice += (twice := begun.total() - len(begun))
    found.demand(not twice, f"{twice} executions too many")
    found.demand({*begun} == ran, f"{len({*begun} ^ ran)} jobs ran and did not complete, or the other way round")
    found.violations += [f"oracle: {fault}" for fault in faults(site.client)[:20]]


def _jobs(site: Site) -> list[_Job]:
    found = []
    for queue in QUEUES:
        raw: Any = site.client.zrange(f"wb:{{{queue}}}:all", 0, -1)
        pipe = site.client.pipeline(transaction=False)
        for job_id in raw:
            pipe.hmget(f"wb:{{{queue}}}:job:{job_id.decode()}", "state", "error", "spec")
        for job_id, (state, error, spec) in zip(raw, pipe.execute(), strict=True):
            kind = (error or b"").decode().partition('"type":"')[2].partition('"')[0]
            found.append(_Job(job_id.decode(), state.decode(), kind, JobSpec.from_text(spec)))
    return found


def _overdue(site: Site) -> int:
    late_ms = _now_ms(site) - 100
    return sum(int(site.client.zcount(f"wb:{{{queue}}}:slots", "-inf", late_ms)) for queue in QUEUES)


def _now_ms(site: Site) -> int:
    at_s, us = site.client.time()
    return int(at_s) * 1000 + int(us) // 1000
