"""Says by plain rules how a graph of jobs ends: each job's mark, and which jobs run. Nothing of lib/ helps it.

    plan = Plan("w", {"w": Node("a", members=("x", "y")), "x": Node("b", home="w"), …})
    evaluate(plan, fails={"x"})      # Verdict(marks={"x": "d", "y": "x", "w": "d"}, ran={"x"})

Marks: c completed, d dead, x cancelled because a parent failed, k cancelled by a person or with its workflow, s
skipped, g cancelled because a parent is gone. Rules of an edge: c the parent has completed, e it has ended, f it has
failed, o its workflow is open, a the anchor of its graph is there; and of a workflow over its members: m must complete,
n is optional.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CLASSES = {
    "c": {"c": "ok", "d": "bad", "x": "bad", "k": "cut", "s": "off"},
    "m": {"c": "ok", "d": "bad", "x": "bad", "k": "cut", "s": "off"},
    "e": dict.fromkeys("cdxks", "ok"),
    "n": dict.fromkeys("cdxks", "ok"),
    "f": {"d": "ok", "x": "ok", "c": "off", "k": "off", "s": "off"},
    "o": {"o": "ok", "k": "cut", "d": "bad", "x": "bad", "s": "off", "c": "bad"},
}
CLASSES["a"] = CLASSES["o"]
"""Rule -> mark -> class. `g` is `lost` and `.` is `open` by every rule."""
RANK = {"open": 0, "lost": 1, "cut": 2, "bad": 3, "off": 4, "ok": 5}
STATES = {"c": "completed", "d": "dead", "x": "cancelled", "k": "cancelled", "s": "cancelled", "g": "cancelled"}
OF_VERDICT = (("bad", "x"), ("lost", "g"), ("cut", "k"), ("open", "."), ("off", "s"))
"""The first class of these that an edge of the job has decides: the job is cancelled with this mark, or waits (`.`)."""


def class_of(rule: str, mark: str) -> str:
    """Of an edge. A mark that says nothing by its rule, as `o` by `c`, is as none."""
    if mark == "g":
        return "lost"
    return CLASSES[rule].get(mark, "open")


def verdict(classes: Iterable[str]) -> str:
    """Of the classes of a job's edges: "" the job is free, `.` it waits, or the mark with which it is cancelled."""
    found = set(classes)
    return next((mark for kind, mark in OF_VERDICT if kind in found), "")


def verdict_of_members(classes: Iterable[str], *, is_stopped: bool = False) -> str:
    """Of the classes of an open workflow's edges to its members: `.` it waits for some, or the mark with which it
    ends. is_stopped: somebody asked for it to be cancelled."""
    found = set(classes)
    if "open" in found:
        return "."
    rest = found - {"ok", "off"}
    if not rest:
        return "c"
    return "k" if is_stopped or rest == {"cut"} else "d"


@dataclass(frozen=True)
class Node:
    """One job of a graph. edges: a rule of c, e, f and the parent's name, each. home: the workflow of which the job is
    a member, or the anchor whose word `open` it waits for; "" for none. members: of a workflow; None for a job with a
    handler."""

    queue: str
    edges: tuple[tuple[str, str], ...] = ()
    home: str = ""
    members: tuple[str, ...] | None = None
    is_optional: bool = False

    @property
    def is_workflow(self) -> bool:
        return self.members is not None


@dataclass(frozen=True)
class Plan:
    """A graph. anchor: the name of the job that is written last. nodes: by name, parents before who waits for them."""

    anchor: str
    nodes: dict[str, Node] = field(default_factory=dict)

    def workers(self) -> list[str]:
        """The names of the jobs that have a handler."""
        return [name for name, node in self.nodes.items() if not node.is_workflow]


class Verdict(NamedTuple):
    """How a graph ended. marks: by name. ran: the jobs whose handler ran."""

    marks: dict[str, str]
    ran: set[str]


def evaluate(
    plan: Plan, fails: Iterable[str], before: Mapping[str, str] | None = None, unopened: Iterable[str] = ()
) -> Verdict:
    """How the graph ends if the handlers of `fails` fail.

    before: the marks with which its jobs had ended before the whole was run again; {} for the first time. What had
    completed stays so, and of what a parent said then and says now the better one counts for each edge.
    unopened: the workflows that had never begun by then: what their jobs had said of that does not count.
    """
    return _Evaluation(plan, set(fails), before or {}, set(unopened)).run()


class _Evaluation:
    def __init__(self, plan: Plan, fails: set[str], before: Mapping[str, str], unopened: set[str]) -> None:
        self._plan = plan
        self._unopened = unopened
        self._fails = fails
        self._before = before
        self._marks: dict[str, str] = {}
        self._openings: dict[str, str] = {}
        self._ran: set[str] = set()

    def run(self) -> Verdict:
        for name in self._plan.nodes:
            self._mark(name)
        return Verdict(self._marks, self._ran)

    def _mark(self, name: str) -> str:
        """With which mark the job ends."""
        if name not in self._marks:
            self._marks[name] = self._found(name)
        return self._marks[name]

    def _found(self, name: str) -> str:
        before = self._before.get(name, "")
        if self._is_left_alone(name):
            return before
        if before == "c" or (before == "d" and not self._is_run_again(name)):
            return before
        opening = self._opening(name)
        if opening:
            return opening
        node = self._plan.nodes[name]
        if node.members is None:
            self._ran.add(name)
            return "d" if name in self._fails else "c"
        return verdict_of_members(self._of_member(member) for member in node.members)

    def _is_left_alone(self, name: str) -> bool:
        """Whether the job belongs to a workflow that has completed, whatever became of its optional jobs."""
        home = self._plan.nodes[name].home
        while home and self._plan.nodes[home].is_workflow:
            if self._before.get(home) == "c":
                return True
            home = self._plan.nodes[home].home
        return False

    def _is_run_again(self, name: str) -> bool:
        """Whether an order of the anchor comes to this job: it is one of the workflow, and does not just follow it."""
        home = self._plan.nodes[name].home
        while home and home != self._plan.anchor:
            name, home = home, self._plan.nodes[home].home
        return name == self._plan.anchor or name in (self._plan.nodes[self._plan.anchor].members or ())

    def _opening(self, name: str) -> str:
        """ "" where the job's parents, and its workflow, let it begin; else the mark with which it is cancelled."""
        if name not in self._openings:
            node = self._plan.nodes[name]
            classes = [self._best(rule, parent, self._mark(parent)) for rule, parent in node.edges]
            if node.home:
                classes.append(class_of("o", self._opening(node.home) or "o"))
            self._openings[name] = verdict(classes)
        return self._openings[name]

    def _of_member(self, name: str) -> str:
        return self._best("n" if self._plan.nodes[name].is_optional else "m", name, self._mark(name))

    def _best(self, rule: str, parent: str, mark: str) -> str:
        said = [class_of(rule, mark)]
        if parent in self._before and self._plan.nodes[parent].home not in self._unopened:
            said.append(class_of(rule, self._before[parent]))
        return max(said, key=RANK.__getitem__)
