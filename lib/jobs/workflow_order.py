"""The order of a workflow's jobs, in which each stands behind those for whom it waits; or the cycle in which they wait.
Pure.

    ordered({"sum": ["a", "b"], "a": ["fetch"], "b": ["fetch"], "fetch": []})  ->  ["fetch", "a", "b", "sum"]
    ordered({"a": ["b"], "b": ["a"]})  ->  raises Cycle("a waits for b waits for a")
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

MOST_SHOWN: Final = 10
"""How many names of a cycle are said."""


class Cycle(Exception):
    """Jobs wait for each other. The message names them, as in "a waits for b waits for a"."""


def ordered(parents_of: Mapping[str, Sequence[str]]) -> list[str]:
    """The names, each behind its parents; where that leaves a choice, as they stand in `parents_of`.

    parents_of: every name, with the names for whom it waits, each of which is a name of `parents_of`. Raises Cycle.
    """
    followers: dict[str, list[str]] = {name: [] for name in parents_of}
    for name, parents in parents_of.items():
        for parent in parents:
            followers[parent].append(name)
    open_parents = {name: len(parents) for name, parents in parents_of.items()}
    free = deque(name for name, count in open_parents.items() if not count)
    order = []
    while free:
        name = free.popleft()
        order.append(name)
        for follower in followers[name]:
            open_parents[follower] -= 1
            if not open_parents[follower]:
                free.append(follower)
    if len(order) < len(parents_of):
        raise Cycle(_cycle(parents_of, {name for name, count in open_parents.items() if count}))
    return order


def _cycle(parents_of: Mapping[str, Sequence[str]], stuck: set[str]) -> str:
    """A cycle among the names that have no place in an order.

    Each of `stuck` has a parent in it: whoever goes on from parent to parent comes back to where he was."""
    name = next(name for name in parents_of if name in stuck)
    path: dict[str, None] = {}
    while name not in path:
        path[name] = None
        name = next(parent for parent in parents_of[name] if parent in stuck)
    names = list(path)
    cycle = names[names.index(name) :]
    shown = [*cycle[:MOST_SHOWN], *(["…"] if len(cycle) > MOST_SHOWN else []), name]
    return " waits for ".join(shown)
