"""The walk of walk_limits.py in a queue in which jobs wait for jobs: workflows, `then`, `after`, and jobs added later.

    python -m tests.redis.walk_graphs [--seconds 60] [--seed 7]

What needs several calls (to plant a graph, to tell what lies in the notices, to ask, to add a job) goes on a call a
step, in any order with all other steps, and may be left where it stands, as if its process had died. Old words are said
again and out of turn. Beside what walk_limits.py says, after each step

- each job that waits for others is where its edges say, and its counts are right (oracle_graphs.py);
- no word is lost, and none is made up (graph_walk_judge.py).

At the end everything is told and asked, everything that waits runs, and nothing is left.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.jobs.state import BLOCKED, FINISHED
from lib.jobs.workflow import Edge, GraphJob
from lib.queue.framing import FIELD_BYTE
from lib.queue.notice_text import Asked, Word, answers_of, asked_from, attach_text, words_of, words_text
from lib.queue.workflow_text import record_of
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.graph_judge import Node, Plan
from tests.redis.graph_walk_judge import GraphJudge, snapshot
from tests.redis.graphs import REQUEST_ID, TRACE, graph_of, random_plan
from tests.redis.walk import PRIORITIES, QUEUE, TAGS, main
from tests.redis.walk_limits import LIVING, LimitedWalk
from tests.system.oracle import Client

MOST_IN_GRAPHS = 36
ENDS = ("finish", "fail", "snooze", "release")
Calls = AsyncIterator[str]
"""Calls of scripts that belong together: the name of each, once it was made."""


class GraphWalk(LimitedWalk):
    """A walk in which graphs are planted, told, asked, changed and taken apart."""

    overlaps = ("skip", "allow", "queue", "queue")

    def __init__(self, link: RedisLink, client: Client, seed: int) -> None:
        super().__init__(link, client, seed)
        self._moves["drain"] = {(state, after) for state in (*LIVING, *FINISHED) for after in FINISHED}
        self.graphs = GraphJudge(client, self._base)
        self._begun: list[Calls] = []
        self._heard: list[Word] = []

    def _steps(self) -> dict[Callable[[], Awaitable[str]], int]:
        steps = {**super()._steps(), self._begin: 20, self._go_on: 90, self._say_again: 4, self._look_at_graphs: 2}
        for step in (self._hand_over, self._call_back, self._overdue):
            del steps[step]  # Who judges the graph takes a blocked job for one that waits for others.
        steps |= {self._claim: 30, self._end: 30, self._become_plain: 1, self._expire: 8, self._trim: 2}
        for step in (self._plant, self._resolve):  # They say words at random, which nobody has said.
            del steps[step]
        return steps

    def _judge(self, script: str, before: dict[str, str], after: dict[str, str]) -> None:
        super()._judge(script, before, after)
        if script == "drain":
            self.graphs.pass_over()
        else:
            self.graphs.judge(script)

    async def _call(self, script: str, *arguments: Argument) -> Any:
        answer = await super()._call(script, *arguments)
        return answer.rstrip(b"+") if script in ENDS else answer

    # Steps.

    def _new_job(self) -> NewJob:
        """Some take the place of the job that lives under their key."""
        job, rng = super()._new_job(), self._rng
        if job.unique_key not in ("a", "b") or rng.random() < 0.3:
            return job
        if rng.random() < 0.5:
            return job._replace(unique_mode="replace")
        return job._replace(unique_mode="debounce", unique_ttl_ms=60_000, delay_ms=rng.choice((1, 30, 60_000)))

    async def _begin(self) -> str:
        """The first of several calls."""
        graphs = (self._plant_graph, self._follow, self._add, self._add)
        kinds = (*graphs, *[self._tell_all, self._ask_parents] * 2)
        return await self._next(self._rng.choice(kinds)())

    async def _go_on(self) -> str:
        """One call more of something that was begun; now and then it is left where it stands."""
        if not self._begun:
            return await self._begin()
        calls = self._begun.pop(self._rng.randrange(len(self._begun)))
        return "nothing" if self._rng.random() < 0.03 else await self._next(calls)

    async def _next(self, calls: Calls) -> str:
        script = await anext(calls, "")
        if script:
            self._begun.append(calls)
        return script or "nothing"

    async def _say_again(self) -> str:
        """An old word, out of turn."""
        if self._heard:
            await self._say([self._rng.choice(self._heard) for _ in range(self._rng.randint(1, 3))])
        return "resolve"

    async def _look_at_graphs(self) -> str:
        ids = self._some(most=8)
        if ids:
            assert [one.decode() for one in await self._call("look", *ids)] == [self._states[one] for one in ids]
            glances = [one.split(FIELD_BYTE)[0].decode() for one in await self._call("glance", *ids)]
            assert glances == [self._states[one] for one in ids], glances
            flat = [one.decode() for one in await self._call("members", ids[0])]
            edges = [edge for edge in self.graphs.now.edges.get(ids[0], []) if edge.is_of_member]
            places = sorted(edges, key=lambda edge: int(edge.name.split("/")[0]))
            found = sorted(zip(flat[1::2], flat[::2], strict=True), key=lambda one: int(one[0][2:].split("/")[0]))
            assert [one[1] for one in found] == [edge.parent for edge in places], f"{flat}, {places}"
        assert isinstance(await self._call("room", 1), bytes)
        assert await self._call("reserve", "caller 99", "x", f"{QUEUE}-1") in (b"new", f"planting {QUEUE}-1".encode())
        return "nothing"

    # Calls that belong together.

    async def _plant_graph(self) -> Calls:
        """A graph: its jobs in any order, some of them twice; the anchor last, of a schedule at times."""
        if len(self._states) > MOST_IN_GRAPHS:
            return
        graph = graph_of(_in_one_queue(random_plan(self._rng)), self._ids.new(QUEUE, REQUEST_ID), self._changed)
        members = self._rng.sample(graph.members, len(graph.members))
        while members:
            some, members = members[:4], members[4:]
            yield await self._plant_records(some)
        if self._rng.random() < 0.3:
            yield await self._fire_anchor(graph.anchor)
        else:
            yield await self._plant_records([graph.anchor])

    async def _fire_anchor(self, anchor: GraphJob) -> str:
        """A slot of a schedule takes the anchor in, unless there is no room."""
        version, _ = await self._version_and_due("s")
        await self._call("schedule", "s", "{}", version, 1, "set", str(10**13), "1", "", 10, "")
        await self._enter("s")
        version, seen = await self._version_and_due("s")
        await self._call("shift", "s", version, seen, 1, 1, "")
        slot = ("s", version, "1", 10**13, 1, "", 1, 0, self._rng.choice(("allow", "skip")))
        word, *_ = await self._call("fire", *slot, "", 1, "ask")
        if word == b"plant":
            word, *_ = await self._call("fire", *slot, record_of(anchor), 1, "planted")
            assert word in (b"fired", b"group_full"), word
        assert word in (b"fired", b"full", b"group_full", b"skipped"), word
        return "fire"

    async def _follow(self) -> Calls:
        """`after` of POST /api/jobs: a job that waits for some that are there, or were a moment ago."""
        if len(self._states) > MOST_IN_GRAPHS:
            return
        rng = self._rng
        edges = [Edge(parent_id, rng.choice("cef"), rng.choice(("", "fetch"))) for parent_id in self._some()]
        if not edges:
            return
        job = self._job_with(edges, ())
        yield await self._plant_records([job])
        asked = [Asked(job.job.job_id.encode(), edge.parent_id.encode(), b"", edge.rule.encode()) for edge in edges]
        async for script in self._attach(asked):
            yield script

    async def _add(self) -> Calls:
        """`ctx.add`: one more job in a workflow; one that ends meanwhile does not take it."""
        jobs = self.graphs.now.jobs
        homes = [job_id for job_id, state in self._states.items() if state == BLOCKED and "joins" in jobs[job_id]]
        if not homes or len(self._states) > MOST_IN_GRAPHS:
            return
        home = self._rng.choice(homes)
        job = self._job_with([Edge(home, "o", "")], (home,))
        yield await self._plant_records([job])
        name = f"added{next(self._numbers)}"
        word = await self._call("adopt", home, job.job.job_id, name, self._rng.choice("mn"), 1000)
        assert word in (b"done", b"ended", b"gone"), word
        if word == b"done" and "opened" in self.graphs.now.jobs[home]:
            now = snapshot(self._client, self._base)
            told = {one for notice in now.notices.values() if notice.outcome == "o" for one in notice.followers}
            assert job.job.job_id in told, f"{home} is open, and its new job is not told: {now.notices}"
        yield "adopt"

    async def _tell_all(self) -> Calls:
        """What lies in the notices; they are crossed off when everybody was told."""
        entries = await self._link.call("XRANGE", f"{self._base}notices", "-", "+", "COUNT", 20)
        words = [word for _, fields in entries for word in words_of(fields)]
        self._heard = [*self._heard, *words][-200:]
        yield "nothing"
        for word in words:
            if self._rng.random() < 0.5:
                await self._say([word])
                yield "resolve"
        if words:
            await self._say(words)
            yield "resolve"
            await self._link.call("XDEL", f"{self._base}notices", *[entry for entry, _ in entries])
            yield "nothing"

    async def _ask_parents(self) -> Calls:
        """Who waits asks, and gives the orders of its workflow."""
        if self._rng.random() < 0.5:
            self._let_all_ask()
        asked = asked_from(await self._call("asking", self._rng.randint(1, 20), 3_600_000, 20))
        yield "nothing"
        for order in sorted((one for one in asked if one.is_order), key=lambda one: one.place):
            if order.is_to_cancel:
                await self._call("cancel", order.parent, "", "", "", "")
                yield "cancel"
            else:
                await self._call("retry", order.parent, "", "", "", "", "", order.order)
                yield "retry"
        async for script in self._attach([one._replace(rule=b"m") if one.is_order else one for one in asked]):
            yield script

    async def _attach(self, asked: list[Asked]) -> Calls:
        """Ask the parents; what they answer is told a step later."""
        if not asked:
            return
        reply = await self._call_perhaps_twice("attach", attach_text(asked))
        yield "nothing"
        words = answers_of(asked, reply)
        if words:
            await self._say(words)
            yield "resolve"

    # Calls.

    async def _say(self, words: list[Word]) -> None:
        answer = await self._call("resolve", words_text(words), "")
        letters = answer.rstrip(b"+").decode()
        assert len(letters) == len(words) and set(letters) <= set("01fe-"), f"{answer} for {words}"

    async def _plant_records(self, jobs: Sequence[GraphJob]) -> str:
        """One call of plant.lua; where it is sent again, all jobs are there already."""
        arguments = self._rng.choice((0, 15_000)), "".join(map(record_of, jobs)), ""
        answer = (await self._call("plant", *arguments)).lstrip(b"+")
        assert answer.endswith(b"1" * len(jobs)), answer
        if self._rng.random() < 0.3:
            again = (await self._call("plant", *arguments)).lstrip(b"+")
            assert again.endswith(b"0" * len(jobs)), again
        return "plant"

    def _job_with(self, edges: Sequence[Edge], followers: tuple[str, ...]) -> GraphJob:
        """A new job with a handler."""
        spec = JobSpec("noop", {}, REQUEST_ID, TRACE, 5, 60.0, Backoff())
        job = self._changed(NewJob(self._ids.new(QUEUE, REQUEST_ID), "normal", spec.to_text()))
        return GraphJob(job, tuple(edges), followers, is_workflow=False, spec=spec)

    def _changed(self, job: NewJob) -> NewJob:
        """The job with some options."""
        rng = self._rng
        options: dict[str, Any] = {
            "priority": rng.choice(PRIORITIES),
            "delay_ms": rng.choice((1, 30, 60_000)),
            "expires_in_ms": rng.choice((5, 50, 60_000)),
            "retain_ms": rng.choice((0, 60_000)),
            "give_up_ms": rng.choice((20, 60_000)),
            "group": rng.choice((*self._groups, "b")),
            "tags": tuple(rng.sample(TAGS, rng.randint(1, 3))),
            "calls_back": True,
        }
        if '"type":"workflow"' in job.spec_text:
            return job
        return job._replace(**{name: value for name, value in options.items() if rng.random() < 0.25})

    # The end.

    async def _free_blocked(self) -> None:
        """Tell and ask until that changes nothing."""
        self._begun = []
        self._let_all_ask()
        for calls in (self._tell_all(), self._ask_parents(), self._tell_all()):
            async for _ in calls:
                pass

    def _let_all_ask(self) -> None:
        """The hour until those who wait ask again is over."""
        for job_id in self.graphs.now.jobs:
            self._client.zadd(f"{self._base}unsure", {job_id: 0}, xx=True)

    async def _drain(self) -> None:
        await super()._drain()
        while self._client.xlen(f"{self._base}notices"):  # The last ends may free others.
            await self._free_blocked()
            await super()._drain()
        self.graphs.pass_over()
        self.graphs.judge_at_the_end()
        keys = [f"{self._base}{name}" for name in ("unsure", "followers", "blocked")]
        left = self._client.xlen(f"{self._base}notices"), *[self._client.exists(key) for key in keys]
        assert not any(left), f"seed {self._seed}: left over of notices, unsure, followers, blocked: {left}"


def _in_one_queue(plan: Plan) -> Plan:
    """The same graph, all of it in the walk's queue."""
    nodes = {
        name: Node(QUEUE, node.edges, node.home, node.members, node.is_optional) for name, node in plan.nodes.items()
    }
    return Plan(plan.anchor, nodes)


if __name__ == "__main__":
    sys.exit(main(GraphWalk))
