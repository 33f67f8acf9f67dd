"""Judges one step of a walk over a queue with graphs: no word is lost, and none is made up.

    judge = GraphJudge(client, "wb:{q}:")
    …one call of a script…
    judge.judge()      # raises AssertionError

- Who waited to be told of a job's end still does, or a notice for it lies in the queue, or it was told.
- A mark stands in an edge only if a notice has said it, or the parent's record said it when the edge was made or asked.
- A notice says what its parent's record says, unless that has changed since.
- What has a better mark keeps it, until the job is run again.
- A notice of an end that is told to a callback_url says which end it is.
- A job that was ended by a person, or that has run, is not begun again but by a retry.
"""

from collections import defaultdict
from typing import Any, NamedTuple

from tests.redis.graph_judge import RANK, class_of
from tests.system.oracle import Client, everything
from tests.system.oracle_graphs import CALLBACK, KnownEdge, edges_of

ENDED = ("completed", "dead", "cancelled")


class Notice(NamedTuple):
    """An entry of the queue's notices. state: in which the parent has ended, where it is told to a callback_url."""

    parent: str
    outcome: str
    followers: tuple[str, ...]
    state: str


class Snapshot(NamedTuple):
    """A queue's graphs at one moment. jobs, edges: by id. followers: parent -> who waits for it."""

    jobs: dict[str, dict[str, str]]
    edges: dict[str, list[KnownEdge]]
    followers: dict[str, set[str]]
    notices: dict[str, Notice]

    def letter(self, job_id: str) -> str:
        """What the job's record says to who asks about its end: a mark; "" while it lives."""
        if job_id not in self.jobs:
            return "g"
        job = self.jobs[job_id]
        if job.get("state") == "cancelled" and "superseded" in job and "cancel_requested" not in job:
            return "d"
        letters = {"completed": "c", "dead": "d", "cancelled": job.get("by_parents", "k")}
        return letters.get(job.get("state", ""), "")

    def is_open(self, job_id: str) -> bool:
        """Whether the job's word `open` is true: it is there, and of a workflow its parents let it begin."""
        job = self.jobs.get(job_id)
        return job is not None and ("joins" not in job or "opened" in job)


def snapshot(client: Client, base: str) -> Snapshot:
    jobs, edges, followers = {}, {}, {}
    for key, value in everything(client).items():
        name, _, job_id = key.removeprefix(base).partition(":")
        pairs = dict(zip(value[::2], value[1::2], strict=False))
        if name == "job":
            jobs[job_id] = pairs
        elif name == "parents":
            edges[job_id] = edges_of(pairs)
        elif name == "followers":
            followers = {parent: set(ids.split(",")) for parent, ids in pairs.items()}
    notices = {}
    entries: Any = client.xrange(f"{base}notices")
    for entry, fields in entries:
        parent, outcome, ids = (fields[field].decode() for field in (b"parent", b"outcome", b"followers"))
        state = fields.get(b"state", b"").decode()
        notices[entry.decode()] = Notice(parent, outcome, tuple(ids.split(",")), state)
    return Snapshot(jobs, edges, followers, notices)


class GraphJudge:
    """Knows the queue as it was before a step, and every word that was said since the walk began."""

    def __init__(self, client: Client, base: str) -> None:
        self._client = client
        self._base = base
        self.now = snapshot(client, base)
        self.said: dict[str, set[str]] = defaultdict(set)
        """Parent -> the marks that it has said at any time."""

    def judge(self, script: str) -> None:
        """To be called behind each step; script: what the step called. Raises AssertionError."""
        before, self.now = self.now, snapshot(self._client, self._base)
        self._hear(before)
        for entry in self.now.notices.keys() - before.notices.keys():
            self._judge_notice(script, before, self.now.notices[entry])
        self._judge_followers(before)
        for job_id, edges in self.now.edges.items():
            self._judge_edges(before, job_id, edges)
        self._judge_begins(script, before)

    def pass_over(self) -> None:
        """Instead of `judge`, behind many calls at once."""
        before, self.now = self.now, snapshot(self._client, self._base)
        self._hear(before)

    def _hear(self, before: Snapshot) -> None:
        for job_id in before.jobs.keys() | self.now.jobs.keys():
            self.said[job_id] |= {mark for mark in (before.letter(job_id), self.now.letter(job_id)) if mark}
            if self.now.is_open(job_id):
                self.said[job_id].add("o")
        for notice in self.now.notices.values():
            self.said[notice.parent].add(notice.outcome)
        for job_id, edges in self.now.edges.items():
            for edge in edges:
                is_member = edge.rule != "o" or job_id in {one.parent for one in self.now.edges.get(edge.parent, ())}
                if edge.parent not in self.now.jobs or not is_member:
                    self.said[edge.parent].add("g")
                elif edge.rule == "a":
                    self.said[edge.parent].add("o")

    def _judge_notice(self, script: str, before: Snapshot, notice: Notice) -> None:
        if notice.outcome == "o":
            assert self.now.is_open(notice.parent), f"{notice} and it is {self.now.jobs.get(notice.parent)}"
        elif script != "resolve":  # One call may end a job, and free it again by the next word.
            letters = {self.now.letter(notice.parent), before.letter(notice.parent)}
            assert notice.outcome in letters, f"{notice}, and its record says {letters}"
        if CALLBACK in notice.followers and notice.outcome != "g":
            assert notice.state in ENDED, f"{notice} does not say which end it is"

    def _judge_followers(self, before: Snapshot) -> None:
        """Who was to be told of an end is to be told still, or a notice is there."""
        noticed = {
            (notice.parent, follower)
            for notice in self.now.notices.values()
            if notice.outcome != "o"
            for follower in notice.followers
        }
        for parent, ids in before.followers.items():
            lost = {
                one
                for one in ids - self.now.followers.get(parent, set())
                if (parent, one) not in noticed and (one in self.now.jobs or one == CALLBACK)
            }
            assert not lost, f"{lost} waited for {parent}, and are not told: {self.now.jobs.get(parent)}"

    def _judge_edges(self, before: Snapshot, job_id: str, edges: list[KnownEdge]) -> None:
        had = {edge.parent: edge for edge in before.edges.get(job_id, ())}
        for edge in edges:
            was = had.get(edge.parent)
            if edge.mark != "." and (was is None or was.mark != edge.mark):
                self._judge_mark(job_id, edge)
            if was and RANK[edge.kind] < RANK[was.kind]:
                may_reopen = edge.mark == "." and (was.kind != "ok" or (edge.rule == "n" and was.mark != "c"))
                assert may_reopen, f"{job_id} knew {was.mark} of {edge.parent}, and knows {edge.mark}"
        if had:
            gone = had.keys() - {edge.parent for edge in edges}
            assert not gone, f"{job_id} has no edge to {gone} any more"

    def _judge_mark(self, job_id: str, edge: KnownEdge) -> None:
        known = self.said[edge.parent]
        assert edge.mark in known, f"{job_id} has heard {edge.mark} of {edge.parent}, which has said {known}"

    def _judge_begins(self, script: str, before: Snapshot) -> None:
        """A job that has ended waits again only by a retry, unless its parents had ended it."""
        for job_id, job in self.now.jobs.items():
            was = before.jobs.get(job_id, {})
            if job.get("state") not in ("ready", "delayed", "blocked", "active") or script == "retry":
                continue
            if was.get("state") in ("completed", "dead", "cancelled"):
                assert was.get("by_parents") and was["state"] == "cancelled", (
                    f"{script} began {job_id}, which was {was}"
                )

    def judge_at_the_end(self) -> None:
        """Each edge knows at least as much as its parent's record says now; but for one that was never told, of a job
        that others had ended by then: it asks once it waits again."""
        for job_id, edges in self.now.edges.items():
            for edge in edges:
                letter = self.now.letter(edge.parent)
                if edge.rule not in "oa" and letter != "g" and edge.mark != ".":
                    known, true = edge.kind, class_of(edge.rule, letter)
                    is_told = RANK[known] >= RANK[true]
                    assert is_told, f"{job_id} was not told {letter} of {edge.parent}, it knows {edge.mark}"
