"""A rolling upgrade: the release before this one beside this one on one Redis, in every order, and back again.

Each order replaces the server and the worker of one release by those of the other, while jobs come in through every
server that runs. Nothing may be lost, run twice or stand where it must not, and jobs that one release has taken in,
failed once or put off are ended by the other. The release before is taken out of the repository's history.

Limits and groups are for this release alone: while a program of the release before runs, they are refused with 503.
"""

import functools
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.row import Row
from tests.faults.runners import Runners
from tests.faults.site import Site
from tests.faults.versions_blocked import BlockedJobs
from tests.processes import ROOT, Server

RELEASE_BEFORE = "5b83eb7bfc53a65de2b6deaa80fb40c05cc8bc09"
"""0.2.0, which knows no limits, groups and tags."""
COUNT = 20
ORDERS = (("worker", "server"), ("server", "worker"))
LEASE_S = 2


def run(*, is_quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="wb-release-") as folder:
        before = Path(folder)
        if not _unpacked(before):
            yield Row("two releases side by side", note="not shown: the release before is not in this clone's history")
            return
        for order, (first, then) in itertools.product(ORDERS, ((before, ROOT), (ROOT, before))):
            direction = "upgrade" if then == ROOT else "back again"
            row = Row(f"{direction}: {order[0]}s, then {order[1]}s")
            with Site() as site:
                _roll(site, row, order, first, then)
            yield row
        row = Row("upgrade: the old worker's host dies")
        with Site() as site:
            _die(site, row, before)
        yield row
        row = Row("blocked jobs beside the release before")
        with Site() as site:
            BlockedJobs(site, row, before).run()
        yield row


def _unpacked(folder: Path) -> bool:
    """Whether the release before could be had."""
    archive = subprocess.run(["git", "archive", RELEASE_BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        return False
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return True


def _roll(site: Site, row: Row, order: tuple[str, str], first: Path, then: Path) -> None:
    """Replace one kind of program after the other."""
    server, worker = site.server(root=first), site.worker(root=first)
    _use(site, row, [server])
    if first == ROOT:
        _use_limits(site, row, server)
    began_s = time.monotonic()
    for kind in order:
        if kind == "worker":
            newer_worker = site.worker(root=then)
            _use(site, row, [server])
            _demand_refused(site, row, [server])
            row.demand(worker.stop() == 0, "the first worker did not leave in peace")
            worker = newer_worker
        else:
            newer_server = site.server(root=then)
            _use(site, row, [server, newer_server])
            _demand_refused(site, row, [server, newer_server])
            row.demand(server.stop() == 0, "the first server did not leave in peace")
            server = newer_server
        _use(site, row, [server])
    row.recover_s.append(time.monotonic() - began_s)
    if then == ROOT:
        _demand_one_version(site, row, server)
        _use_limits(site, row, server)
    row.runs = len(site.accepted)
    site.judge(row, twice_allowed=True)
    # Every job that fails once, or is dead and run again, is executed twice.
    types = (json.loads(record["spec"])["type"] for record in site.records(site.accepted).values())
    row.twice -= sum(type_name in ("fail_once", "stubborn") for type_name in types)
    row.demand(row.twice == 0, f"{row.twice} executions too many")


def _use(site: Site, row: Row, servers: list[Server]) -> None:
    """Jobs of every kind, through each of these servers; cancelled, retried and changed through the next one."""
    for server, other in zip(servers, (*servers[1:], servers[0]), strict=True):
        waiting = [_post(site, server, "work", delay_s=600) for _ in range(3)]
        ids = [_post(site, server, "work", seconds=0.01) for _ in range(COUNT)]
        ids += [_post(site, server, "fail_once") for _ in range(COUNT)]
        ids += [_post(site, server, "work", delay_s=0.3, priority="high") for _ in range(COUNT)]
        flag = site.folder / f"flag-{len(site.accepted)}"
        dead = [_post(site, server, "stubborn", until=str(flag)) for _ in range(3)]
        for job_id in dead:
            site.until(functools.partial(_is_dead, site, job_id), "a job without its file is dead")
        flag.touch()
        for job_id in dead:
            _demand(row, other, "POST", f"/api/jobs/{job_id}/retry", 200)
        _demand(row, other, "POST", f"/api/jobs/{waiting[0]}/cancel", 200)
        _demand(row, other, "DELETE", f"/api/jobs/{waiting[0]}", 204)
        site.accepted.remove(waiting[0])
        for job_id in waiting[1:]:
            _demand(row, other, "PATCH", f"/api/jobs/{job_id}", 200, {"priority": "high", "run_at": None})
        site.until_completed([*ids, *dead, *waiting[1:]])


def _demand_refused(site: Site, row: Row, servers: list[Server]) -> None:
    """While both releases run, this one's servers take in no job with a group, and set no limit. A pause is none."""
    for server in servers:
        if server.root != ROOT:
            continue
        body = site.body("work", {"group": "tenant-1"})
        _demand(row, server, "POST", "/api/jobs", 503, body, slug="upgrade-needed")
        for settings in ({"concurrency": 5}, {"rate": {"limit": 5, "per_s": 1}}, {"groups": {"concurrency": 1}}):
            _demand(row, server, "PATCH", f"/api/queues/{site.queue}", 503, settings, slug="upgrade-needed")
        _demand(row, server, "PATCH", f"/api/queues/{site.queue}", 200, {"paused": False})
    lines: Any = site.client.keys(f"{site.base}line:*")
    row.demand(not lines, f"there are lines: {lines}")


def _use_limits(site: Site, row: Row, server: Server) -> None:
    """Jobs of two groups run by limits of queue and groups. When all are gone, the queue is as it was without them."""
    path, limits = f"/api/queues/{site.queue}", {"concurrency": 3, "groups": {"concurrency": 2}}
    # A server asks once a second who is there.
    site.until(lambda: server.request("PATCH", path, limits)[0] == 200, "limits are taken", every_s=0.2)
    groups = ("tenant-1", "tenant-2")
    ids = [_post(site, server, "work", seconds=0.02, group=group) for _ in range(COUNT) for group in groups]
    site.until_completed(ids)
    _demand(row, server, "PATCH", path, 200, {"concurrency": None, "groups": None})
    site.until(lambda: not site.client.hexists(f"{site.base}meta", "rationed"), "the queue is plain again")


def _post(site: Site, server: Server, type_name: str, *, seconds: float = 0, until: str = "", **options: Any) -> str:
    payload: dict[str, Any] = {"seconds": seconds, "until": until} if until else {"seconds": seconds}
    status, body, _ = server.request("POST", "/api/jobs", site.body(type_name, options, **payload))
    assert status == 202, (status, body)
    site.accepted.append(job_id := str(body["id"]))
    return job_id


def _demand(row: Row, server: Server, method: str, path: str, status: int, body: Any = None, *, slug: str = "") -> None:
    """slug: how the problem's type is to end."""
    got, answer, _ = server.request(method, path, body)
    is_right = got == status and (not slug or str(answer["type"]).endswith(slug))
    row.demand(is_right, f"{method} {path} {body or ''} is {got}: {answer}")


def _is_dead(site: Site, job_id: str) -> bool:
    return site.client.hget(f"{site.base}job:{job_id}", "state") == b"dead"


def _demand_one_version(site: Site, row: Row, server: Server) -> None:
    """Once who left is forgotten, /api/health knows one version, and has no warning about several."""

    def versions() -> list[Any]:
        return list(server.request("GET", "/api/health")[1]["versions"])

    site.until(lambda: len(versions()) == 1, "one version is left", within_s=4 * LEASE_S)
    warnings = server.request("GET", "/api/health")[1]["warnings"]
    row.demand(not any(warning["code"] == "versions_mixed" for warning in warnings), f"warnings: {warnings}")


def _die(site: Site, row: Row, before: Path) -> None:
    """Jobs in the hands of an older worker come to a newer one when the older one's host is gone."""
    server = site.server()
    older = site.worker(root=before)
    gate = site.folder / "go"
    ids = [_post(site, server, "work", until=str(gate)) for _ in range(5)]
    site.until_begun(ids)
    newer: Runners = site.worker()
    health = server.request("GET", "/api/health")[1]
    row.demand(any(warning["code"] == "versions_mixed" for warning in health["warnings"]), f"no warning: {health}")
    row.demand(len(health["versions"]) == 2, f"versions: {health['versions']}")
    began_s = time.monotonic()
    older.kill_all()
    gate.touch()
    site.until_completed(ids)
    row.recover_s.append(time.monotonic() - began_s)
    row.runs = len(ids)
    site.judge(row, twice_allowed=True)
    row.demand(newer.process is not None and newer.process.poll() is None, "the newer worker fell over")
