"""What the jobs that a job has waited for, its parents, have come to: what a handler gets of `ctx.results()`. Pure.

    results = await ctx.results()
    results["fetch"]                                    what the parent "fetch" returned
    [one.result for one in results]                     of all parents
    [one.job_id for one in results if one.outcome != "completed"]

The parents' results stand by value in a hash beside the job, `wb:{q}:said:<id>`, what became of them in another one,
`wb:{q}:parents:<id>`. Whatever became of the parents' records since, both are there as long as the job's own record.
In both the field of a parent is its id; in the latter the value is `<rule><mark><name>`:

    default-0192…   ccfetch   {"rows":12}     rule c; the parent "fetch" completed, and returned this
    email-0192…     fd        {"type":"…"}    rule f; a parent without a name is dead, with that error
    #open           0                         how many of its parents have not ended: no parent
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lib.ids import queue_of
from lib.jobs.edges import OUTCOMES

_OF_PARENTS = ("c", "e", "f")
"""The rules of edges to parents. The other rules are those between a workflow and its jobs."""
_TOO_MUCH = "!"


class Parent(NamedTuple):
    """A job that the running job has waited for.

    name: by which the running job knows it; None for none. outcome: a word of OUTCOMES (edges.py); None where nothing
    is known. result: what its handler returned. error: {"type": "ValueError", "message": "…"} of one that failed.
    is_truncated: result or error is None, because it was too much to be kept for all who waited for it.
    """

    name: str | None
    job_id: str
    outcome: str | None
    result: Any = None
    error: dict[str, Any] | None = None
    is_truncated: bool = False


class Results:
    """The parents of a job, sorted by name; those of one name, or without one, by the time in their ids."""

    def __init__(self, parents: list[Parent]) -> None:
        self._parents = sorted(parents, key=lambda one: (one.name or "", one.job_id[-32:]))

    def __iter__(self) -> Iterator[Parent]:
        return iter(self._parents)

    def __len__(self) -> int:
        return len(self._parents)

    def __contains__(self, name: object) -> bool:
        return any(name in (one.name, one.job_id) for one in self._parents)

    def __getitem__(self, name: str) -> Any:
        """What the parent with this name, or this id, returned; None where it returned nothing or did not complete.

        Raises KeyError where there is no such parent, and ValueError where its result was too much to be kept here.
        """
        parent = self.parent(name)
        if parent.is_truncated:
            reason = f"the result of {name} was too much to be kept for all who waited for it"
            raise ValueError(f"{reason}; the job {parent.job_id} has it")
        return parent.result

    def parent(self, name: str) -> Parent:
        """All that is known of the parent with this name, or this id. Raises KeyError."""
        for one in self._parents:
            if name in (one.name, one.job_id):
                return one
        known = ", ".join(one.name or one.job_id for one in self._parents[:20]) or "it has waited for none"
        raise KeyError(f"this job has waited for no job named {name!r}; known: {known}")

    def __repr__(self) -> str:
        return f"Results({self._parents!r})"


def results_from(edges: Mapping[str, str], said: Mapping[str, str]) -> Results:
    """The results in the hashes `parents:<id>` and `said:<id>` of one job. What is no parent is left out."""
    parents = (one for one in edges.items() if queue_of(one[0]) and one[1].startswith(_OF_PARENTS))
    return Results([_parent(job_id, edge, said.get(job_id, "")) for job_id, edge in parents])


def _parent(job_id: str, edge: str, said: str) -> Parent:
    outcome = OUTCOMES.get(edge[1:2])
    name = edge[2:] or None
    if outcome is None:
        return Parent(name, job_id, None)
    if said == _TOO_MUCH:
        return Parent(name, job_id, outcome, is_truncated=True)
    value = _value(said)
    if outcome == "completed":
        return Parent(name, job_id, outcome, value)
    return Parent(name, job_id, outcome, error=value if isinstance(value, dict) else None)


def _value(said: str) -> Any:
    try:
        return json.loads(said) if said else None
    except (ValueError, RecursionError):
        return None
