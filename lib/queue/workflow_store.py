"""Graphs of jobs on their way into Redis: planted all or not at all, though their jobs lie in many queues.

    planted = await workflows.plant(graph, Keyed("ops order-7", "9c1f…"))      # Planted("default-01…", …, False)

1. Before anything is written: does every program that uses this Redis know jobs that wait? Are the parents there that
   are no part of the graph (look.lua)? Has each queue room (room.lua)? Did the request come before (reserve.lua)?
2. All jobs but the anchor are written, blocked (plant.lua). None of them can run: each waits, at last, for the anchor.
3. The anchor is written. This is the decision: before it nothing of the graph runs, whoever dies, and what was written
   is cancelled once it has asked for its anchor; after it everything runs, whoever dies.
4. The anchor's parents outside are asked, and what is known of them already is told; the first jobs are told that the
   anchor is open. Whoever dies before this leaves jobs that ask by themselves after ASK_AFTER_MS.
"""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from lib.errors import (
    FieldError,
    IdempotencyKeyReused,
    OutcomeUnknown,
    QueueFull,
    RedisUnavailable,
    TooManyFollowers,
    WorkflowEnded,
)
from lib.ids import queue_of
from lib.jobs.job import NO_KEY, Keyed
from lib.jobs.request_fields import fields_error
from lib.jobs.workflow import OPEN, Graph, GraphJob, under
from lib.queue.enqueue_text import BEGUN
from lib.queue.enqueuer import Enqueuer
from lib.queue.fleet import UpgradeGate
from lib.queue.framing import RECORD, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.notice_text import Asked
from lib.queue.notices import Notices
from lib.queue.replicas import Replicas
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.queue.workflow_text import anchor_text, jobs_by_queue, member_calls
from lib.redis_link.link import RedisLink

WORKFLOWS_SINCE = "0.3.0"
"""The first version that knows jobs that wait for jobs. An older runner tells nobody what became of a job, an older
server runs one again whose parents are dead, and the record of one that an older program deletes stays in part."""
ASK_AFTER_MS = 15_000
LOOKED_AT_ONCE = 500
MOST_MEMBERS = 1000
GONE = b"G"
KNOWN_EDGE = re.compile(rb"[mn]([^.]).*")
"""What a workflow holds of a member that has ended: rule, mark and name, `mc0/fetch`."""
TOO_MUCH = b"!"


class Planted(NamedTuple):
    """The anchor of a graph that was planted. is_replayed: it had been planted before, under the same key."""

    anchor_id: str
    created_ms: int
    is_replayed: bool


class _Sent(NamedTuple):
    """What a call of plant.lua was answered: Redis' time, and whether its last job had been there before."""

    ms: int
    was_there: bool


class Member(NamedTuple):
    """A job of a workflow. rule: m, or n where it is optional. mark: what the workflow knows of it, `.` nothing."""

    job_id: str
    name: str
    rule: str
    mark: str


class Workflows:
    """Plants graphs, and reads which jobs a workflow has."""

    def __init__(
        self,
        link: RedisLink,
        commit_link: RedisLink,
        keys: RedisKeys,
        *,
        enqueuer: Enqueuer,
        gate: UpgradeGate,
        notices: Notices,
        ack_replicas: int,
    ) -> None:
        """commit_link: for what plants, if it is another one than `link`. enqueuer: names the queues."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._commit_scripts = Scripts(commit_link)
        self._enqueuer = enqueuer
        self._gate = gate
        self._notices = notices
        self._process_id = secrets.token_hex(8)
        self._replicas = Replicas(commit_link, keys, self._process_id, ack_replicas)
        self._number = 0
        self._one_at_a_time = asyncio.Lock()

    async def plant(self, graph: Graph, keyed: Keyed = NO_KEY) -> Planted:
        """Take the jobs of a graph in; when this returns, Redis has them all.

        Raises UpgradeNeeded, InvalidFields for a parent that is not there, TooManyFollowers, QueueFull,
        IdempotencyKeyReused, RedisUnavailable or RedisKeysBroken if nothing of the graph runs, and OutcomeUnknown or
        NotReplicated if it may run.
        """
        with _undecided():
            before, graph = await self._prepared(graph, keyed)
        if before.startswith("planted"):
            return _replayed(before.removeprefix("planted "))
        return await self._plant(graph, keyed)

    async def plant_members(self, graph: Graph) -> None:
        """Plant all jobs of a graph but the anchor, which fire.lua takes in for a schedule; until then none of them
        runs. Raises QueueFull, RedisUnavailable or RedisKeysBroken."""
        with _undecided():
            await self._admit(graph)
            for call in member_calls(graph):
                await self._send(call.queue, call.text, {})

    def begin(self, graph: Graph) -> None:
        """The anchor was taken in elsewhere: have the first jobs start at once."""
        self._notices.poke(graph.anchor.job.queue)

    async def add(self, workflow_id: str, job: GraphJob, name: str, rule: str) -> None:
        """Have the workflow wait for one job more. job: with an edge of the rule o on the workflow, and the workflow
        among its followers. name: by which the workflow knows it. rule: m, or n where it is optional.

        May be called again with the same job: nothing is done twice. Raises WorkflowEnded, InvalidFields for a name
        that another member has or a member too many, and what `plant` raises.
        """
        queue, job_id = queue_of(workflow_id) or "", job.job.job_id
        # A member that has ended may have been trimmed: it is not planted again.
        if not await self._link.call("HEXISTS", self._keys.parents(queue, workflow_id), job_id):
            graph = Graph(job, (), ())
            with _undecided():
                await self._gate.require("workflows", WORKFLOWS_SINCE)
                await self._name_queues(graph)
            # WHY without a look at max_depth: the jobs that wait for the one which adds may fill the queue, and each
            # attempt would be refused.
            await self._plant(graph, NO_KEY)
            await self._ask_members(queue, workflow_id, job)
        arguments = ("adopt", self._keys.base(queue), workflow_id, job_id, name, rule, MOST_MEMBERS)
        try:
            answer = await self._scripts.call(*arguments)
        except OutcomeUnknown:
            answer = await self._scripts.call(*arguments)  # A job that it has already is answered `done`.
        _check_adopted(shown_text(answer), workflow_id, name)
        self._notices.poke(queue)

    async def _ask_members(self, queue: str, workflow_id: str, job: GraphJob) -> None:
        """Have an added job ask the members for which it waits. Of one that was trimmed the workflow knows the end, and
        not what it said."""
        asked = [_question(edge.parent_id, job.job.job_id, edge.rule) for edge in job.edges if edge.rule != OPEN]
        words = await self._notices.inquire(asked)
        parents = self._keys.parents(queue, workflow_id)
        for at, word in enumerate(words):
            if word.outcome == GONE:
                known = KNOWN_EDGE.match(await self._link.call("HGET", parents, word.parent) or b"")
                words[at] = word._replace(outcome=known[1], said=TOO_MUCH) if known else word
        await self._notices.bring(words)

    async def members(self, workflow_id: str) -> list[Member]:
        """The jobs of a workflow, by place; [] where there is no such workflow."""
        queue = queue_of(workflow_id)
        if queue is None:
            return []
        flat = await self._scripts.call("members", self._keys.base(queue), workflow_id)
        with understood(queue):
            placed = [
                _member(shown_text(job_id), shown_text(edge))
                for job_id, edge in zip(flat[::2], flat[1::2], strict=True)
            ]
        return [member for _, member in sorted(placed)]

    # Before anything is written.

    async def _prepared(self, graph: Graph, keyed: Keyed) -> tuple[str, Graph]:
        """What reserve.lua says of the request, "" without a key; and the graph that is to be planted."""
        await self._gate.require("workflows" if graph.anchor.is_workflow else "after and then", WORKFLOWS_SINCE)
        queue = graph.anchor.job.queue
        # WHY not reserve at once: a request that is refused below must not keep its key from the mended one.
        before = ""
        if keyed.key and await self._link.call("EXISTS", self._keys.idempotency(queue, keyed.key)):
            before = await self._reserve(queue, graph, keyed)
        if before.startswith("planted"):
            return before, graph
        await self._admit(graph)
        if keyed.key and not before:
            before = await self._reserve(queue, graph, keyed)
        if before.startswith("planting"):
            graph = under(graph, before.removeprefix("planting "))
        return before, graph

    async def _reserve(self, queue: str, graph: Graph, keyed: Keyed) -> str:
        """'new' | 'planting <id>': the decision was not made, plant under that id | 'planted <id>'. Raises
        IdempotencyKeyReused."""
        arguments = ("reserve", self._keys.base(queue), keyed.key, keyed.fingerprint, graph.anchor.job.job_id)
        answer = shown_text(await self._commit_scripts.call(*arguments))
        if answer.startswith("conflict"):
            raise IdempotencyKeyReused("it came before with another body; send the same body again, or another key")
        return answer

    async def _admit(self, graph: Graph) -> None:
        """Name the queues; see that the parents outside are there, and that the queues have room."""
        await self._look_at_parents(graph)
        await self._name_queues(graph)
        counts = jobs_by_queue(graph)
        rooms = [self._scripts.call("room", self._keys.base(queue), count) for queue, count in counts.items()]
        for (queue, count), seconds in zip(counts.items(), await asyncio.gather(*rooms), strict=True):
            if seconds:
                raise _full(queue, count, shown_text(seconds))

    async def _name_queues(self, graph: Graph) -> None:
        for queue in jobs_by_queue(graph):
            if not self._enqueuer.is_named(queue):
                await self._enqueuer.name(queue)

    async def _look_at_parents(self, graph: Graph) -> None:
        states: dict[str, str] = {}
        by_queue: dict[str, list[str]] = {}
        for edge in graph.outside:
            by_queue.setdefault(queue_of(edge.parent_id) or "", []).append(edge.parent_id)
        for queue, ids in by_queue.items():
            for at in range(0, len(ids) if queue else 0, LOOKED_AT_ONCE):
                some = ids[at : at + LOOKED_AT_ONCE]
                found = await self._scripts.call("look", self._keys.base(queue), *some)
                states.update(zip(some, map(shown_text, found), strict=False))
        missing = [
            FieldError(f"/after/{at}", f"there is no job {edge.parent_id[:120]}; it may have been trimmed or deleted")
            for at, edge in enumerate(graph.outside)
            if not states.get(edge.parent_id)
        ]
        if missing:
            raise fields_error(missing)
        for edge in graph.outside:
            if states[edge.parent_id] == "full":
                raise TooManyFollowers(
                    f"1,000 jobs wait for {edge.parent_id} already; let one job wait for it, and others for that one"
                )

    # Writing.

    async def _plant(self, graph: Graph, keyed: Keyed) -> Planted:
        queue = graph.anchor.job.queue
        async with self._alone():
            numbers: dict[str, int] = {}
            with _undecided():
                for call in member_calls(graph):
                    await self._send(call.queue, call.text, numbers)
            sent = await self._send(queue, anchor_text(graph, keyed), numbers)
            try:
                if self._replicas.needed:
                    await self._replicas.confirm(numbers)
            finally:
                await self._begin(graph)
        anchor_id = graph.anchor.job.job_id
        # Of equal requests at one time the first has planted the anchor, and the others have found it there.
        return _replayed(anchor_id) if sent.was_there else Planted(anchor_id, sent.ms, is_replayed=False)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One graph at a time where replicas are asked for: the number that a queue holds of this process must be that
        of this graph."""
        if not self._replicas.needed:
            yield
            return
        async with self._one_at_a_time:
            yield

    async def _send(self, queue: str, text: str, numbers: dict[str, int]) -> _Sent:
        """One call of plant.lua. Raises OutcomeUnknown if it may have been carried out."""
        commit = ""
        if self._replicas.needed:
            self._number += 1
            numbers[queue] = self._number
            commit = f"{self._process_id} {self._number}"
        arguments = ("plant", self._keys.base(queue), ASK_AFTER_MS, text, commit)
        is_sent_twice = False
        try:
            reply = await self._commit_scripts.call(*arguments)
        except OutcomeUnknown as fault:
            is_sent_twice = True  # What is there may be what the first call has written.
            try:
                reply = await self._commit_scripts.call(*arguments)  # Jobs that are there already are left alone.
            except RedisUnavailable:
                raise fault from None
        if reply.startswith(BEGUN):
            await self._enqueuer.beginnings.begun(queue)
        ms = int(reply.removeprefix(BEGUN)[: -text.count(RECORD)])  # A letter a job stands behind the time.
        return _Sent(ms, reply.endswith(b"0") and not is_sent_twice)

    async def _begin(self, graph: Graph) -> None:
        """Have the first jobs start at once. Raises nothing: jobs that are not told ask by themselves."""
        self._notices.poke(graph.anchor.job.queue)
        if graph.outside:
            questions = [_question(*edge) for edge in graph.outside]
            await self._notices.bring(await self._notices.inquire(questions))


@contextlib.contextmanager
def _undecided() -> Iterator[None]:
    """Put around what comes before the decision: whatever becomes of it, nothing of the graph runs."""
    try:
        yield
    except OutcomeUnknown as fault:
        raise RedisUnavailable(f"{fault.detail}; nothing of it runs") from None


def _replayed(anchor_id: str) -> Planted:
    return Planted(anchor_id, int(anchor_id[-32:-20], 16), is_replayed=True)


def _full(queue: str, count: int, seconds: str) -> QueueFull:
    jobs = "1 job" if count == 1 else f"{count} jobs"
    detail = f"the queue {queue} has no room for {jobs} below its max_depth"
    again = f"nothing was taken in: send it again in {seconds} s"
    return QueueFull(f"{detail}; {again}", headers=[("Retry-After", seconds)])


def _member(job_id: str, edge: str) -> tuple[int, Member]:
    """The member and its place. edge: `mc0/fetch`, rule, mark, place and name."""
    place, _, name = edge[2:].partition("/")
    return int(place) if place.isdigit() else 0, Member(job_id, name, edge[:1], edge[1:2])


def _question(parent_id: str, follower_id: str, rule: str) -> Asked:
    return Asked(follower_id.encode(), parent_id.encode(), b"", rule.encode())


def _check_adopted(answer: str, workflow_id: str, name: str) -> None:
    """Raises what `Workflows.add` raises for the answer of adopt.lua."""
    word, _, other_id = answer.partition(" ")
    if word in ("ended", "gone"):
        raise WorkflowEnded(f"the workflow {workflow_id} has ended, or was asked to stop; nothing is added to it")
    if word == "full":
        raise fields_error([FieldError("/name", f"is one too many: a workflow has {MOST_MEMBERS} jobs at most")])
    if word == "taken":
        raise fields_error([FieldError("/name", f"{name} is the name of another job of the workflow, {other_id}")])
