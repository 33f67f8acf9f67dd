"""Graphs of jobs for the trials: three by hand, and random ones. Pure.

DIAMOND                      a workflow of seven jobs over three queues, and a mail behind it
NESTED                       a workflow in a workflow, an optional job, two that follow the whole
TREE                         the `then` of POST /api/jobs: the anchor is a job with a handler
random_plan(Random(7))       one of either kind
ids_of(plan, anchor_id)      name -> id: the same for the same anchor
"""

import hashlib
from random import Random
from typing import NamedTuple

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


class Edge(NamedTuple):
    """One wait as it stands in Redis. name: by which the follower knows the parent."""

    parent: str
    rule: str
    name: str


def ids_of(plan: Plan, anchor_id: str) -> dict[str, str]:
    """The id of each job of the graph."""
    found = {
        name: f"{node.queue}-{hashlib.sha256(f'{anchor_id} {name}'.encode()).hexdigest()[:32]}"
        for name, node in plan.nodes.items()
    }
    return {**found, plan.anchor: anchor_id}


def edges_of(plan: Plan, name: str) -> list[Edge]:
    """All edges of a job: c, e and f to its parents, o to its home, m and n of a workflow to its members."""
    node = plan.nodes[name]
    edges = [Edge(parent, rule, parent) for rule, parent in node.edges]
    if node.home:
        edges.append(Edge(node.home, "o", ""))
    for place, member in enumerate(node.members or ()):
        rule = "n" if plan.nodes[member].is_optional else "m"
        edges.append(Edge(member, rule, f"{place}/{member}"))
    return edges


def followers_of(plan: Plan, name: str) -> list[str]:
    """The names of the jobs that wait for this one's end; who waits for its word `open` alone is none of them."""
    return [
        other for other in plan.nodes if any(edge.parent == name and edge.rule != "o" for edge in edges_of(plan, other))
    ]


def opened_by(plan: Plan, name: str) -> list[str]:
    """The names of the jobs that wait for this one's word `open`."""
    return [other for other, node in plan.nodes.items() if node.home == name]


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
