"""For the oracle: says whether the jobs of a queue that wait for others stand as their edges say. By the keys alone.

An edge is a field of parents:<id>: the parent's id -> its rule, its mark, a name, and behind \\31 what the parent said.
Beside the edges the hash has their counts, "#open #lost #cut #bad #off" of the rules c e f o a, and "@open …" of a
workflow's edges to its members. Rules, marks and classes: tests/redis/graph_judge.py.
"""

import json
from collections import Counter
from typing import NamedTuple

from tests.redis.graph_judge import RANK, class_of, verdict, verdict_of_members

LIVING = ("ready", "delayed", "blocked", "active")
CALLBACK = "!callback"
"""Stands among the followers of a job whose end is told to a callback_url."""
COUNTED = [kind for kind in RANK if kind != "ok"]


class KnownEdge(NamedTuple):
    """An edge as it stands in the follower's hash. name: of a member "<place>/<name>"."""

    parent: str
    rule: str
    mark: str
    name: str

    @property
    def kind(self) -> str:
        """Its class."""
        return class_of(self.rule, self.mark)

    @property
    def is_of_member(self) -> bool:
        return self.rule in "mn"


def edges_of(parents: dict[str, str]) -> list[KnownEdge]:
    """The edges of a hash parents:<id>, without the counts."""
    return [
        KnownEdge(parent, text[0], text[1], text[2:])
        for parent, text in sorted(parents.items())
        if parent[0] not in "#@"
    ]


def faults_of_graphs(
    jobs: dict[str, dict[str, str]],
    parents: dict[str, dict[str, str]],
    followers: dict[str, str],
    unsure: dict[str, float],
) -> list[str]:
    """What is wrong in a queue, a sentence each. jobs, parents: their hashes by id. followers: the hash. unsure: id ->
    when it asks."""
    found = [f"{job_id} has parents and is no job" for job_id in sorted(parents.keys() - jobs.keys())]
    open_ids = set()
    for job_id, fields in sorted(parents.items()):
        job, edges = jobs.get(job_id, {}), edges_of(fields)
        if job and "waits" not in job:
            found.append(f"{job_id} has parents and no field `waits`")
        if job.get("state") == "blocked" and any(edge.kind == "open" for edge in edges):
            open_ids.add(job_id)
        problem = _fault_of_counts(fields, edges) or (_fault_of_verdict(job, edges) if job else "")
        if problem:
            found.append(f"{job_id} {problem}")
    found += [f"{job_id} waits and does not ask" for job_id in sorted(open_ids - unsure.keys())]
    found += [f"{job_id} asks and waits for nothing" for job_id in sorted(unsure.keys() - open_ids)]
    for parent, names in sorted(followers.items()):
        state = jobs.get(parent, {}).get("state", "no job")
        if state in ("completed", "dead", "cancelled", "no job"):
            found.append(f"{names} wait for {parent}, which is {state}")
        if not names or len(set(names.split(","))) < len(names.split(",")):
            found.append(f"{parent} is to tell {names!r}")
    found += [
        f"{job_id} has a callback_url, and its end would not be told"
        for job_id, job in sorted(jobs.items())
        if job.get("state") in LIVING and _has_callback(job) and CALLBACK not in followers.get(job_id, "").split(",")
    ]
    return found


def _has_callback(job: dict[str, str]) -> bool:
    try:
        return bool(json.loads(job.get("spec", "")).get("callback_url"))
    except (ValueError, AttributeError):
        return False  # A test wrote it by hand.


def _fault_of_counts(fields: dict[str, str], edges: list[KnownEdge]) -> str:
    must: Counter[str] = Counter(("@" if edge.is_of_member else "#") + edge.kind for edge in edges)
    for name in (mark + kind for mark in "#@" for kind in COUNTED):
        if int(fields.get(name, "0")) != must[name]:
            return f"counts {name} {fields.get(name)}, and has {must[name]} such edges: {_shown(edges)}"
    return ""


def _fault_of_verdict(job: dict[str, str], edges: list[KnownEdge]) -> str:
    """A job is where its edges say, unless it began, or a person or its time ended it."""
    own = verdict(edge.kind for edge in edges if not edge.is_of_member)
    of_members, is_stopped = [edge.kind for edge in edges if edge.is_of_member], "cancel_requested" in job
    members = verdict_of_members(of_members, is_stopped=is_stopped) if "joins" in job else ""
    state, by_parents = job.get("state", ""), job.get("by_parents", "")
    is_right = {
        "blocked": own == "." or (own == "" and members == "."),
        "ready": own == "" and "joins" not in job,
        "delayed": own == "" and "joins" not in job,
        "active": own == "" and "joins" not in job,
        "completed": own == "" and members in ("", "c"),
        "dead": by_parents in ("", members),
        "cancelled": by_parents in ("", own, members) or is_stopped,
    }
    if is_right.get(state, True) and (state in ("dead", "cancelled") or not by_parents):
        return ""
    return f"is {state}, by its parents {by_parents!r}, and they say {own!r} {members!r}: {_shown(edges)}"


def _shown(edges: list[KnownEdge]) -> str:
    return " ".join(f"{edge.rule}{edge.mark} {edge.name or edge.parent}" for edge in edges)
