"""What became of graphs in Redis, held against graph_judge.py: how each job ended, who ran, and what waits still."""

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import redis

from tests.faults.graph_errands import CRASHING, UNSERVED, Errand
from tests.faults.ledger import Execution, stale_results
from tests.faults.row import Row
from tests.faults.site import Site
from tests.redis.graph_trial import difference
from tests.redis.graphs import QUEUES
from tests.system.oracle import faults

ALL_QUEUES = (*QUEUES, CRASHING, UNSERVED)
WAITING = {"notices": "xlen", "followers": "hlen", "blocked": "zcard", "unsure": "zcard", "delayed": "zcard"}
ENDED = ("completed", "dead", "cancelled")
SHOWN = 5
AT_ONCE = 500


class Ends(NamedTuple):
    """The jobs of an errand. records: their hashes by name; {} of one that is not there."""

    errand: Errand
    records: dict[str, dict[str, str]]

    @property
    def marks(self) -> dict[str, str]:
        """Of the jobs that have ended, by name: c, d, or why it was cancelled."""
        return {name: _mark(record) for name, record in self.records.items() if record.get("state") in ENDED}

    @property
    def is_there(self) -> bool:
        """Whether the anchor was written, by which the graph runs."""
        return bool(self.records[self.errand.plan.anchor])

    def unopened(self) -> set[str]:
        nodes = self.errand.plan.nodes
        return {name for name, record in self.records.items() if nodes[name].is_workflow and "opened" not in record}


def _mark(record: dict[str, str]) -> str:
    return record["state"][0] if record["state"] != "cancelled" else record.get("by_parents", "k")


def ends(site: Site, errands: Iterable[Errand]) -> list[Ends]:
    """What became of each."""
    errands = list(errands)
    ids = {errand.name: errand.ids(errand.anchor_id) for errand in errands}
    wanted = [job_id for of_one in ids.values() for job_id in of_one.values()]
    records: dict[str, dict[str, str]] = {}
    for at in range(0, len(wanted), AT_ONCE):
        pipe = site.client.pipeline(transaction=False)
        for job_id in (chunk := wanted[at : at + AT_ONCE]):
            pipe.hgetall(f"wb:{{{job_id[:-33]}}}:job:{job_id}")
        for job_id, fields in zip(chunk, pipe.execute(), strict=True):
            records[job_id] = {k.decode(): v.decode(errors="replace") for k, v in fields.items()}
    return [Ends(errand, {name: records[job_id] for name, job_id in ids[errand.name].items()}) for errand in errands]


def left(client: Any) -> dict[str, int]:
    """What is not empty of that which waits, as {"a notices": 1}; jobs that are ready or run as {"a ready": 2}."""
    try:
        return _left(client)
    except redis.RedisError:
        return {"nodes that do not answer": 1}


def _left(client: Any) -> dict[str, int]:
    found = {}
    for queue in ALL_QUEUES:
        base = f"wb:{{{queue}}}:"
        for name, count in WAITING.items():
            found[f"{queue} {name}"] = int(getattr(client, count)(base + name))
        ended = sum(int(client.zcard(base + name)) for name in ENDED)
        others = sum(found[f"{queue} {name}"] for name in ("blocked", "delayed"))
        found[f"{queue} ready"] = int(client.zcard(f"{base}all")) - ended - others
    return {name: count for name, count in found.items() if count}


def until_still(site: Site, row: Row, within_s: float = 90.0) -> float:
    """Wait until nothing waits, and note what does then. Returns how long it took."""
    began_s = time.monotonic()
    with contextlib.suppress(AssertionError):
        site.until(lambda: not left(site.client), "nothing waits", within_s, every_s=0.1)
    still = left(site.client)
    row.demand(not still, f"after {within_s:g} s: {still}")
    return time.monotonic() - began_s


def judge(site: Site, row: Row, errands: Collection[Errand], *, may_be_lost: bool = False) -> None:
    """Each job of the errands that nobody stopped has ended as it must, and has run only if it must. may_be_lost: a
    graph may be gone, or cancelled since its anchor is gone, but nothing else."""
    row.violations += [f"oracle: {fault}" for fault in faults(site.client)[:SHOWN]]
    runs = site.executions()
    begun = Counter(run.job_id for run in runs)
    found = ends(site, [errand for errand in errands if errand.anchor_id])
    for one in found:
        if one.errand.is_stopped:
            continue
        if not one.is_there:
            row.lost += 1
            row.demand(may_be_lost, f"{one.errand.name} was answered 202 and is not there: {one.marks}")
            row.demand(set(one.marks.values()) <= {"g"}, f"{one.errand.name} never began, and ended {one.marks}")
            continue
        marks, ran = one.errand.verdict()
        _hold(row, one, marks, ran, {name for name, job_id in _ids(one).items() if begun[job_id]})
    _look_at_results(row, found, runs)


def judge_again(site: Site, row: Row, errands: Collection[Errand], begun_before: Counter[str]) -> None:
    """Of workflows that were stopped and run again: what had completed did not run again, and the rest did."""
    row.violations += [f"oracle: {fault}" for fault in faults(site.client)[:SHOWN]]
    begun = Counter(run.job_id for run in site.executions())
    for one in ends(site, errands):
        before, (must, ran) = one.errand.before, one.errand.verdict(is_healed=True)
        # What was stopped stays so where the workflow in the workflow, whose job it is, does not begin this time.
        marks = {
            name: "k" if before.get(name) == one.marks.get(name) == "k" and mark in "xsg" else mark
            for name, mark in must.items()
        }
        again = {name for name, job_id in _ids(one).items() if begun[job_id] > begun_before[job_id]}
        _hold(row, one, marks, ran, again)


def _ids(one: Ends) -> dict[str, str]:
    return one.errand.ids(one.errand.anchor_id)


def _hold(row: Row, one: Ends, marks: dict[str, str], ran: set[str], has_run: set[str]) -> None:
    where = f"{one.errand.name} ({one.errand.anchor_id})"
    if marks != one.marks:
        row.lost += 1
        row.violations.append(f"{where}: {difference(marks, one.marks)} (must be, is), before {one.errand.before}")
    row.demand(ran <= has_run, f"{where}: {sorted(ran - has_run)} must run, and did not")
    row.demand(has_run <= ran, f"{where}: {sorted(has_run - ran)} ran, and must not")


def _look_at_results(row: Row, found: Iterable[Ends], runs: list[Execution]) -> None:
    records = {_ids(one)[name]: record for one in found for name, record in one.records.items()}
    row.stale += len(stale := stale_results(records, runs))
    row.demand(not stale, f"results of a runner that had lost the job: {stale[:SHOWN]}")


def look_at_runs(row: Row, site: Site, errands: Iterable[Errand], killed: Collection[int]) -> None:
    """Of graphs that nobody stopped: a job began again only where its runner was killed before it was told that the job
    had ended; leaving aside jobs that fail at first, or whose runner they take down themselves."""
    ids = {
        errand.ids(errand.anchor_id)[name]
        for errand in errands
        for name, fate in errand.fates.items()
        if fate in ("works", "fails") and errand.anchor_id and not errand.is_stopped
    }
    by_job = defaultdict[str, list[Execution]](list)
    for run in site.executions():
        if run.job_id in ids:
            by_job[run.job_id].append(run)
    for job_id, runs in by_job.items():
        row.twice += len(runs) - 1
        is_explained = all(run.pid in killed for run in runs[:-1])
        row.demand(is_explained, f"{job_id} began again, though its runner was not killed: {runs}")
