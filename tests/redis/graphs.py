"""Graphs of jobs for the trials: three by hand, and random ones; and a plan as the product's own values. Pure.

DIAMOND                      a workflow of seven jobs over three queues, and a mail behind it
NESTED                       a workflow in a workflow, an optional job, two that follow the whole
TREE                         the `then` of POST /api/jobs: the anchor is a job with a handler
random_plan(Random(7))       one of either kind
ids_of(plan, anchor_id)      name -> id: the same for the same anchor
graph_of(plan, anchor_id)    a Graph, as it is read from a request
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Edge, Graph, GraphJob, member_id
from lib.tracing import Trace
from tests.redis.graph_judge import Node, Plan

QUEUES = ("a", "b", "c")

DIAMOND = Plan(
    "w",
    {
        "w": Node("a", members=("fetch", "p1", "p2", "p3", "side", "sum", "alarm")),
        "fetch": Node("a", home="w"),
        "p1": Node("b", (("c", "fetch"),), "w"),
        "p2": Node("c", (("c", "fetch"),), "w"),
        "p3": Node("a", (("c", "fetch"),), "w"),
        "side": Node("c", home="w"),
        "sum": Node("b", (("c", "p1"), ("c", "p2"), ("e", "p3"), ("c", "side")), "w"),
        "alarm": Node("c", (("f", "sum"),), "w"),
        "mail": Node("b", (("e", "w"),)),
    },
)
NESTED = Plan(
    "w",
    {
        "w": Node("b", members=("first", "part", "last", "extra")),
        "first": Node("a", home="w"),
        "part": Node("c", (("c", "first"),), "w", members=("part.x", "part.y")),
        "part.x": Node("a", home="part"),
        "part.y": Node("b", (("c", "part.x"),), "part"),
        "last": Node("a", (("c", "part"),), "w"),
        "extra": Node("c", (("e", "part"),), "w", is_optional=True),
        "report": Node("a", (("c", "w"),)),
        "report.read": Node("b", (("e", "report"),), "w"),
        "alarm": Node("c", (("f", "w"),)),
    },
)
TREE = Plan(
    "root",
    {
        "root": Node("a"),
        "m": Node("b", (("c", "root"),)),
        "n": Node("c", (("c", "m"),), "root"),
        "x": Node("a", (("f", "m"),), "root"),
        "y": Node("b", (("e", "n"),), "root"),
        "z": Node("c", (("f", "root"),)),
    },
)
RULES = "cccef"


REQUEST_ID = "request"
TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


class Wait(NamedTuple):
    """An edge by names. name: by which the follower knows the parent."""

    parent: str
    rule: str
    name: str


def ids_of(plan: Plan, anchor_id: str) -> dict[str, str]:
    """The id of each job of the graph."""
    ids = {plan.anchor: anchor_id}
    for name, node in plan.nodes.items():
        if name != plan.anchor:
            ids[name] = member_id(node.queue, ids[node.home or plan.anchor], name)
    return ids


def waits_of(plan: Plan, name: str) -> list[Wait]:
    """All edges of a job: c, e and f to its parents; to its home o where that is its workflow, else a; and m and n of a
    workflow to its members."""
    node = plan.nodes[name]
    waits = [Wait(parent, rule, parent) for rule, parent in node.edges]
    if node.home:
        waits.append(Wait(node.home, "o" if name in (plan.nodes[node.home].members or ()) else "a", ""))
    for place, member in enumerate(node.members or ()):
        rule = "n" if plan.nodes[member].is_optional else "m"
        waits.append(Wait(member, rule, f"{place}/{member}"))
    return waits


def as_it_is(job: NewJob) -> NewJob:
    return job


def graph_of(plan: Plan, anchor_id: str, change: Callable[[NewJob], NewJob] = as_it_is) -> Graph:
    """change: what the job is to have beside what the plan says, such as a group."""
    ids = ids_of(plan, anchor_id)
    followers: dict[str, list[str]] = {name: [] for name in plan.nodes}
    for name in plan.nodes:
        for wait in waits_of(plan, name):
            if wait.rule not in "oa":
                followers[wait.parent].append(ids[name])
    jobs = {name: _graph_job(plan, name, ids, tuple(followers[name]), change) for name in plan.nodes}
    anchor = jobs.pop(plan.anchor)
    return Graph(anchor, tuple(jobs.values()), ())


def _graph_job(
    plan: Plan, name: str, ids: dict[str, str], followers: tuple[str, ...], change: Callable[[NewJob], NewJob]
) -> GraphJob:
    node = plan.nodes[name]
    edges = tuple(Edge(ids[wait.parent], wait.rule, wait.name) for wait in waits_of(plan, name))
    opens = [ids[other] for other, one in plan.nodes.items() if one.home == name and other not in (node.members or ())]
    kind, payload = ("workflow", {"name": name}) if node.is_workflow else ("noop", {})
    spec = JobSpec(kind, payload, REQUEST_ID, TRACE, 5, 60.0, Backoff())
    job = change(NewJob(ids[name], "normal", spec.to_text()))
    return GraphJob(job, edges, followers, node.is_workflow, spec, tuple(opens), name)


def random_plan(rng: Random) -> Plan:
    """A workflow in two of three cases, else a job with its `then`."""
    if rng.random() < 0.3:
        return _random_tree(rng)
    nodes: dict[str, Node] = {}
    _add_workflow(rng, nodes, "w", Node(rng.choice(QUEUES)), depth=0)
    if rng.random() < 0.6:
        _add_then(rng, nodes, "w", "w", 2)
    return Plan("w", nodes)


def _add_workflow(rng: Random, nodes: dict[str, Node], name: str, node: Node, depth: int) -> None:
    prefix = "" if depth == 0 else f"{name}."
    members = [f"{prefix}n{number}" for number in range(rng.randint(1 if depth else 2, 8 if depth == 0 else 3))]
    nodes[name] = Node(node.queue, node.edges, node.home, tuple(members), node.is_optional)
    for at, member in enumerate(members):
        parents = rng.sample(members[:at], min(at, rng.choice((0, 1, 1, 2, 3))))
        edges = tuple((rng.choice(RULES), parent) for parent in parents)
        one = Node(rng.choice(QUEUES), edges, name, None, rng.random() < 0.15)
        if depth < 2 and rng.random() < 0.15:
            _add_workflow(rng, nodes, member, one, depth + 1)
        else:
            nodes[member] = one


def _random_tree(rng: Random) -> Plan:
    nodes = {"root": Node(rng.choice(QUEUES))}
    _add_then(rng, nodes, "root", "root", 3)
    return Plan("root", nodes)


def _add_then(rng: Random, nodes: dict[str, Node], anchor: str, parent: str, depth: int) -> None:
    """Jobs that follow `parent`; those that do not follow the anchor itself wait for its word, too."""
    home = "" if parent == anchor else anchor
    for number in range(rng.randint(1, 2)):
        name = f"{parent}>{number}"
        nodes[name] = Node(rng.choice(QUEUES), ((rng.choice(RULES), parent),), home)
        if depth > 1 and rng.random() < 0.5:
            _add_then(rng, nodes, anchor, name, depth - 1)
