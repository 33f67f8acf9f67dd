"""Graphs of jobs with what becomes of each of their jobs: as requests, and how they must end. Pure.

    errand = random_errand(Random(7), "graph-7")
    errand.path, errand.body(ledger, folder)     # POST it
    errand.ids(anchor_id)                        # name -> id
    errand.verdict()                             # each job's mark, and which jobs run

Some jobs fail, crash their runner, expire or need a second attempt: FATES.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from lib.jobs.workflow import member_id
from tests.redis.graph_judge import Node, Plan, Verdict, evaluate
from tests.redis.graphs import random_plan

CRASHING = "crash"
UNSERVED = "unserved"
"""The queue of jobs that crash their runner, and the queue that nobody serves."""
EXPIRES_IN_S = 3
RULES = {"c": "completed", "e": "ended", "f": "failed"}


class Fate(NamedTuple):
    """type: of tests/faults/jobs.py. queue: "" for the plan's own."""

    type: str
    queue: str = ""
    is_dead: bool = False
    options: Mapping[str, Any] = {}


FATES = {
    "works": Fate("work"),
    "is tried twice": Fate("fail_once"),
    "fails": Fate("stubborn", is_dead=True),
    "crashes": Fate("poison", CRASHING, is_dead=True),
    "expires": Fate("work", UNSERVED, is_dead=True, options={"expires_in_s": EXPIRES_IN_S}),
}
SHARES = {"works": 70, "is tried twice": 8, "fails": 16, "crashes": 3, "expires": 3}


@dataclass
class Errand:
    """A graph that somebody asks for. fates: of the jobs with a handler, by name; a key of FATES each. is_stopped: it
    is cancelled in the middle, and run again when all has ended. asked_s: when it was sent for the first time.
    anchor_id: known once it was answered 202. before, unopened: as `evaluate` has them."""

    name: str
    plan: Plan
    fates: dict[str, str]
    seconds: dict[str, float]
    is_stopped: bool = False
    asked_s: float = 0.0
    anchor_id: str = ""
    before: dict[str, str] = field(default_factory=dict)
    unopened: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        return "/api/workflows" if self._anchor.is_workflow else "/api/jobs"

    @property
    def queue(self) -> str:
        return self._anchor.queue

    def flag(self, folder: Path) -> Path:
        """The file from which on those of its jobs complete that fail."""
        return folder / f"{self.name}.flag"

    def body(self, ledger: Path, folder: Path) -> dict[str, Any]:
        """The request."""
        payload = {"ledger": str(ledger), "until": str(self.flag(folder))}
        anchor = self.plan.anchor
        own = (
            {"name": self.name, **self._job(anchor, payload)}
            if self._anchor.is_workflow
            else self._job(anchor, payload)
        )
        return {**own, "then": self._then(anchor, payload)}

    def ids(self, anchor_id: str) -> dict[str, str]:
        """The id of each job of the graph."""
        ids = {self.plan.anchor: anchor_id}
        paths = dict(self._paths(self.plan.anchor, "then "))
        for name, node in self.plan.nodes.items():
            if name in paths:
                ids[name] = member_id(node.queue, anchor_id, paths[name])
            elif name != self.plan.anchor:
                ids[name] = member_id(node.queue, ids[node.home], name)
        return ids

    def verdict(self, *, is_healed: bool = False) -> Verdict:
        """How it must end. is_healed: nothing fails any more, and the whole was run again."""
        dead = {name for name, fate in self.fates.items() if FATES[fate].is_dead}
        marks, ran = evaluate(self.plan, () if is_healed else dead, self.before, self.unopened)
        return Verdict(marks, {name for name in ran if self.fates[name] != "expires"})

    @property
    def _anchor(self) -> Node:
        return self.plan.nodes[self.plan.anchor]

    def _job(self, name: str, payload: dict[str, str]) -> dict[str, Any]:
        node = self.plan.nodes[name]
        if node.members is not None:
            return {"queue": node.queue, "jobs": {member: self._member(member, payload) for member in node.members}}
        fate = FATES[self.fates[name]]
        work = {"ledger": payload["ledger"], "seconds": self.seconds[name]}
        work |= {"stubborn": {"until": payload["until"]}, "poison": {"kind": "kill"}}.get(fate.type, {})
        return {"type": fate.type, "queue": node.queue, "payload": work, **fate.options}

    def _member(self, name: str, payload: dict[str, str]) -> dict[str, Any]:
        node = self.plan.nodes[name]
        after = [{"job": parent, "on": RULES[rule]} for rule, parent in node.edges]
        return {**self._job(name, payload), "after": after, "optional": node.is_optional}

    def _followers(self, parent: str) -> list[str]:
        """The jobs of the `then` of `parent`."""
        members = {member for node in self.plan.nodes.values() for member in node.members or ()}
        nodes = self.plan.nodes.items()
        return [name for name, node in nodes if name not in members and node.edges and node.edges[0][1] == parent]

    def _then(self, parent: str, payload: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {
                **self._job(name, payload),
                "on": RULES[self.plan.nodes[name].edges[0][0]],
                "then": self._then(name, payload),
            }
            for name in self._followers(parent)
        ]

    def _paths(self, parent: str, path: str) -> Iterator[tuple[str, str]]:
        """The jobs of the `then` of `parent` and below it, with the names by which their ids are made: `then 0.1`."""
        for number, name in enumerate(self._followers(parent)):
            yield name, f"{path}{number}"
            yield from self._paths(name, f"{path}{number}.")


def random_errand(rng: Random, name: str, *, stops: float = 0.25, most_s: float = 0.2) -> Errand:
    """stops: the share of workflows that are stopped in the middle. most_s: how long a job takes at most."""
    plan = random_plan(rng)
    is_stopped = plan.nodes[plan.anchor].is_workflow and rng.random() < stops
    fates = {job: _fate(rng, plan, job, is_stopped=is_stopped) for job in plan.workers()}
    nodes = {
        job: dataclasses.replace(node, queue=FATES[fates[job]].queue or node.queue) if job in fates else node
        for job, node in plan.nodes.items()
    }
    seconds = {job: round(rng.uniform(0, most_s), 3) for job in fates}
    return Errand(name, Plan(plan.anchor, nodes), fates, seconds, is_stopped)


def _fate(rng: Random, plan: Plan, name: str, *, is_stopped: bool) -> str:
    """Only jobs that wait for nothing but their workflow expire, whose parents have no say in how they end. Jobs of a
    workflow that is run again complete the second time."""
    (fate,) = rng.choices(list(SHARES), list(SHARES.values()))
    node = plan.nodes[name]
    is_first = not node.edges and node.home == plan.anchor
    return "fails" if (fate == "expires" and not is_first) or (is_stopped and fate in ("expires", "crashes")) else fate
