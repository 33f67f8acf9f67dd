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
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from lib.jobs.state import FINISHED
from lib.queue.framing import FIELD, FIELD_BYTE, PART, RECORD, RECORD_BYTE
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis import later_version
from tests.redis.graph_judge import Node, Plan
from tests.redis.graph_site import Told, place_of, record_of, spec_of, words_of
from tests.redis.graph_walk_judge import GraphJudge
from tests.redis.graphs import ids_of, random_plan
from tests.redis.walk import PRIORITIES, QUEUE, TAGS, main
from tests.redis.walk_limits import LIVING, LimitedWalk

MOST_IN_GRAPHS = 20
ENDS = ("finish", "fail", "snooze", "release")
Calls = AsyncIterator[str]
"""Calls of scripts that belong together: the name of each, once it was made."""


class GraphWalk(LimitedWalk):
    """A walk in which graphs are planted, told, asked, changed and taken apart."""

    def __init__(self, link: RedisLink, client: later_version.Client, seed: int) -> None:
        super().__init__(link, client, seed)
        self._moves["drain"] = {(state, after) for state in (*LIVING, *FINISHED) for after in FINISHED}
        self.graphs = GraphJudge(client, self._base)
        self._begun: list[Calls] = []
        self._heard: list[Told] = []

    def _steps(self) -> dict[Callable[[], Awaitable[str]], int]:
        steps = {**super()._steps(), self._begin: 14, self._go_on: 50, self._say_again: 4, self._look_at_graphs: 2}
        for step in (self._block, self._free):  # A job that waits for jobs is blocked and freed by its edges alone.
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

    async def _begin(self) -> str:
        """The first of several calls."""
        kinds = (self._plant, self._follow, self._add, self._tell, self._tell, self._ask_parents, self._ask_parents)
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
            await self._resolve([self._rng.choice(self._heard) for _ in range(self._rng.randint(1, 3))])
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
            assert flat[::4] == [edge.parent for edge in places], f"{flat}, {places}"
        assert isinstance(await self._call("room", 1), bytes)
        assert await self._call("reserve", "caller 99", "x", f"{QUEUE}-1") in (b"new", f"planting {QUEUE}-1".encode())
        return "nothing"

    # Calls that belong together.

    async def _plant(self) -> Calls:
        """A graph: its jobs in any order, some of them twice; the anchor last."""
        if len(self._states) > MOST_IN_GRAPHS:
            return
        rng, plan = self._rng, _in_one_queue(random_plan(self._rng))
        ids = ids_of(plan, self._ids.new(QUEUE))
        names = [name for name in plan.nodes if name != plan.anchor]
        rng.shuffle(names)
        while names:
            some, names = names[:4], names[4:]
            yield await self._plant_records([self._record(plan, name, ids) for name in some])
        yield await self._plant_records([self._record(plan, plan.anchor, ids)])

    async def _follow(self) -> Calls:
        """`after` of POST /api/jobs: a job that waits for some that are there, or were a moment ago."""
        if len(self._states) > MOST_IN_GRAPHS:
            return
        rng = self._rng
        parents = {job_id: rng.choice("cef") for job_id in self._some()}
        edges = ",".join(f"{rule}{job_id} {rng.choice(('', 'fetch'))}" for job_id, rule in parents.items())
        if not edges:
            return
        job_id = self._ids.new(QUEUE)
        yield await self._plant_records([self._plain_record(job_id, f"b{edges}{PART}")])
        async for script in self._attach([(job_id, parent, rule) for parent, rule in parents.items()]):
            yield script

    async def _add(self) -> Calls:
        """`ctx.add`: one more job in the workflow of a job that runs."""
        running = [job_id for job_id, state in self._states.items() if state == "active"]
        homes = [
            edge.parent for job_id in running for edge in self.graphs.now.edges.get(job_id, []) if edge.rule == "o"
        ]
        homes = [home for home in homes if "joins" in self.graphs.now.jobs.get(home, {})]
        if not homes or len(self._states) > MOST_IN_GRAPHS:
            return
        home, job_id, name = self._rng.choice(homes), self._ids.new(QUEUE), f"added{next(self._numbers)}"
        yield await self._plant_records([self._plain_record(job_id, f"bo{home} {PART}l{home}{PART}")])
        word = await self._call("adopt", home, job_id, name, self._rng.choice("mn"), 1000)
        assert word in (b"done", b"ended", b"gone"), word
        yield "adopt"

    async def _tell(self) -> Calls:
        """What lies in the notices; they are crossed off when everybody was told."""
        entries = await self._link.call("XRANGE", f"{self._base}notices", "-", "+", "COUNT", 20)
        words = [word for _, fields in entries for word in words_of(fields)]
        self._heard = [*self._heard, *words][-200:]
        yield "nothing"
        for word in words:
            if self._rng.random() < 0.5:
                await self._resolve([word])
                yield "resolve"
        if words:
            await self._resolve(words)
            yield "resolve"
            await self._link.call("XDEL", f"{self._base}notices", *[entry for entry, _ in entries])
            yield "nothing"

    async def _ask_parents(self) -> Calls:
        """Who waits asks, and gives the orders of its workflow."""
        if self._rng.random() < 0.5:
            self._let_all_ask()
        flat = [one.decode() for one in await self._call("asking", self._rng.randint(1, 20), 3_600_000, 20)]
        asked = [(flat[at], flat[at + 1], flat[at + 2], flat[at + 3]) for at in range(0, len(flat), 4)]
        asked.sort(key=place_of)
        yield "nothing"
        for follower, parent, _, rule in asked:
            if rule == "k":
                await self._call("cancel", parent, "", "", "", "")
                yield "cancel"
            elif rule[0] == "r":
                await self._call("retry", parent, "", "", "", "", "", f"{follower} {rule}")
                yield "retry"
        async for script in self._attach([(follower, parent, rule) for follower, parent, _, rule in asked]):
            yield script

    async def _attach(self, asked: list[tuple[str, str, str]]) -> Calls:
        """asked: who asks, about which parent, by which rule."""
        if not asked:
            return
        records = [FIELD.join((parent, follower, rule, "")) + RECORD for follower, parent, rule in asked]
        reply = await self._call_perhaps_twice("attach", "".join(records))
        yield "nothing"
        answers = [answer.split(FIELD_BYTE) for answer in reply.split(RECORD_BYTE)[1:]]
        words = [
            (follower, parent, answer[0].decode(), answer[1].decode())
            for (follower, parent, _), answer in zip(asked, answers, strict=True)
            if answer[0]
        ]
        if words:
            await self._resolve(words)
            yield "resolve"

    # Calls.

    async def _resolve(self, words: list[Told]) -> None:
        answer = await self._call("resolve", "".join(FIELD.join(word) + RECORD for word in words), "")
        letters = answer.rstrip(b"+").decode()
        assert len(letters) == len(words) and set(letters) <= set("01-"), f"resolve answered {answer} for {words}"

    async def _plant_records(self, records: list[str]) -> str:
        """One call of plant.lua; where it is sent again, all jobs are there already."""
        ask_ms = self._rng.choice((0, 15_000))
        answer = (await self._call("plant", ask_ms, "".join(records), "")).lstrip(b"+")
        assert answer.endswith(b"1" * len(records)), answer
        if self._rng.random() < 0.3:
            again = (await self._call("plant", ask_ms, "".join(records), "")).lstrip(b"+")
            assert again.endswith(b"0" * len(records)), again
        return "plant"

    def _record(self, plan: Plan, name: str, ids: dict[str, str]) -> str:
        is_workflow = plan.nodes[name].is_workflow
        return record_of(plan, name, ids, self._rng.choice(PRIORITIES), "" if is_workflow else self._options())

    def _plain_record(self, job_id: str, edges: str) -> str:
        text = self._options() + edges
        return FIELD.join((job_id, self._rng.choice(PRIORITIES), text, spec_of("added"))) + RECORD

    def _options(self) -> str:
        """Options of a job beside its edges, as text."""
        rng = self._rng
        options = {
            "d": rng.choice(("+1", "+30", "+60000")),
            "e": rng.choice(("5", "50", "60000")),
            "r": rng.choice(("0", "60000")),
            "p": rng.choice(("20", "60000")),
            "g": rng.choice((*self._groups, "b")),
            "a": rng.choice(TAGS),
        }
        return "".join(f"{letter}{value}{PART}" for letter, value in options.items() if rng.random() < 0.15)

    # The end.

    async def _free_blocked(self) -> None:
        """Tell and ask until that changes nothing."""
        self._begun = []
        self._let_all_ask()
        for calls in (self._tell(), self._ask_parents(), self._tell()):
            async for _ in calls:
                pass

    def _let_all_ask(self) -> None:
        """The hour until those who wait ask again is over."""
        for job_id in self.graphs.now.jobs:
            self._client.zadd(f"{self._base}unsure", {job_id: 0}, xx=True)

    async def _drain(self) -> None:
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
