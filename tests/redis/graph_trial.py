"""One graph in an empty Redis: planted by somebody, worked on, and judged at its end by graph_judge.py."""

from typing import Any, NamedTuple

from lib.ids import JobIds
from lib.redis_link.link import RedisLink
from tests.redis.graph_judge import STATES, Plan, Verdict, evaluate
from tests.redis.graph_site import KEYS, Crew, Site
from tests.redis.graphs import QUEUES, REQUEST_ID, ids_of
from tests.system.oracle import Client, assert_sound

STEP_S = 5


class Found(NamedTuple):
    """A graph as it stands in Redis. states, marks: by name, of the jobs that are there; marks of those that ended.
    left: what is not empty, as {"a notices": 1}."""

    states: dict[str, str]
    marks: dict[str, str]
    left: dict[str, int]


class Trial:
    """One graph in an empty Redis."""

    def __init__(self, link: RedisLink, client: Client, plan: Plan, fails: tuple[str, ...] = ()) -> None:
        self.link = link
        self._client = client
        self.plan = plan
        self.well = Site(link)
        self.follow(JobIds().new(plan.nodes[plan.anchor].queue, REQUEST_ID), fails)
        client.flushall()

    def follow(self, anchor_id: str, fails: tuple[str, ...] = ()) -> None:
        """This is the anchor of the graph from now on."""
        self.anchor_id = anchor_id
        self.ids = ids_of(self.plan, anchor_id)
        self.crew = Crew(self.link, self.plan, anchor_id, fails)

    async def go_on(self) -> None:
        """Upkeep and work, until nothing is left to do; what is left must be done within a minute."""
        for _ in range(60 // STEP_S):
            await self.well.upkeep()
            while await self.crew.work():
                await self.well.upkeep()
            if not self.found().left:
                return
            self.let_time_pass(STEP_S)

    async def go_on_for_hours(self) -> None:
        """As `go_on`, where who asked has died, and the next time is an hour later."""
        for _ in range(3):
            await self.go_on()
            if not self.found().left:
                return
            self.let_time_pass(3600)

    def let_time_pass(self, seconds: int) -> None:
        """For the jobs that ask after some time: the time comes nearer."""
        for queue in QUEUES:
            found: Any = self._client.zrange(f"{KEYS.base(queue)}unsure", 0, -1)
            for job_id in found:
                self._client.zincrby(f"{KEYS.base(queue)}unsure", -seconds * 1000, job_id)

    def found(self) -> Found:
        """Raises AssertionError where a job is not in its one place."""
        known = assert_sound(self._client)
        states = {name: known[job_id] for name, job_id in self.ids.items() if job_id in known}
        marks = {name: self._mark(name, state) for name, state in states.items()}
        return Found(states, {name: mark for name, mark in marks.items() if mark}, self._left())

    def _mark(self, name: str, state: str) -> str:
        if state in ("completed", "dead"):
            return state[0]
        if state != "cancelled":
            return ""
        mark = self._client.hget(f"{self._base(name)}job:{self.ids[name]}", "by_parents")
        return mark.decode() if isinstance(mark, bytes) else "k"

    def unopened(self) -> set[str]:
        """The workflows of the graph whose jobs were never told that they may begin."""
        workflows = [name for name, node in self.plan.nodes.items() if node.is_workflow]
        return {
            name for name in workflows if not self._client.hexists(f"{self._base(name)}job:{self.ids[name]}", "opened")
        }

    def _left(self) -> dict[str, int]:
        found = {}
        for queue in QUEUES:
            base = KEYS.base(queue)
            found[f"{queue} notices"] = int(self._client.xlen(f"{base}notices"))
            found[f"{queue} followers"] = len(self._client.hkeys(f"{base}followers"))
            for index in ("blocked", "unsure"):
                found[f"{queue} {index}"] = int(self._client.zcard(f"{base}{index}"))
        return {name: count for name, count in found.items() if count}

    def _base(self, name: str) -> str:
        return KEYS.base(self.plan.nodes[name].queue)

    def judge(self) -> str:
        """Raises AssertionError where the graph did not end as it must. Gives `ran` or `never began`."""
        found, ran = self.found(), self.crew.ran
        assert not found.left, f"left over: {found}"
        if self.plan.anchor not in found.states:
            assert not ran, f"the graph never began, and {dict(ran)} ran"
            assert set(found.marks.values()) <= {"g"} and len(found.marks) == len(found.states), f"{found}"
            return "never began"
        self.judge_end(evaluate(self.plan, self.crew.fails), found)
        assert set(ran.values()) <= {1}, f"ran more than once: {dict(ran)}"
        return "ran"

    def judge_end(self, verdict: Verdict, found: Found) -> None:
        assert verdict.marks == found.marks, f"{difference(verdict.marks, found.marks)} (must be, is); {found.states}"
        assert all(found.states[name] == STATES[mark] for name, mark in found.marks.items()), f"{found}"
        assert verdict.ran == set(self.crew.ran), f"{verdict.ran} must run, {set(self.crew.ran)} ran"


def difference(must: dict[str, str], are: dict[str, str]) -> dict[str, tuple[str, str]]:
    names = sorted(must.keys() | are.keys())
    return {name: (must.get(name, "-"), are.get(name, "-")) for name in names if must.get(name) != are.get(name)}
