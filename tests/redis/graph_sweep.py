"""Graphs whose planter, teller or asker dies at each of its calls to Redis, or is frozen there; random graphs as well.

    python -m tests.redis.graph_sweep [deaths freezes random again] [--seed 7] [--graphs 200] [--cluster]

deaths   whoever plants, tells and asks dies at its call number k, before it is sent or after it was carried out, for
         each k; then upkeep and runners go on
freezes  the planter is frozen at its call number k, the others take its graph for abandoned, then it goes on
random   random graphs and failures, deaths at any time, old words said again and out of turn; then what is dead is run
         again, one by one
again    random graphs, stopped in the middle as a whole or not, and run again as a whole, with deaths meanwhile

Where the anchor was written each job ends as graph_judge.py says and ran once, or not at all; else nothing ran. In the
end nothing waits, and no notice is left.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from lib.ids import JobIds
from lib.queue.notice_text import Word
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink, open_link
from tests.private_cluster import PrivateCluster
from tests.private_redis import PrivateRedis
from tests.redis.graph_judge import STATES, Plan, Verdict, evaluate
from tests.redis.graph_site import KEYS, Crew, Died, Frozen, Mortal, Site, When
from tests.redis.graphs import DIAMOND, NESTED, QUEUES, REQUEST_ID, TREE, ids_of, random_plan
from tests.system.oracle import Client, assert_sound

NEVER = 10**9
STEP_S = 5
CASES: tuple[tuple[str, Plan, tuple[str, ...]], ...] = (
    ("diamond", DIAMOND, ()),
    ("diamond", DIAMOND, ("p1",)),
    ("diamond", DIAMOND, ("p3",)),
    ("nested", NESTED, ()),
    ("nested", NESTED, ("part.x",)),
    ("tree", TREE, ()),
    ("tree", TREE, ("m",)),
    ("tree", TREE, ("root",)),
)


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
        self.anchor_id = JobIds().new(plan.nodes[plan.anchor].queue, REQUEST_ID)
        self.ids = ids_of(plan, self.anchor_id)
        self.crew = Crew(link, plan, self.anchor_id, fails)
        self.well = Site(link)
        client.flushall()

    async def go_on(self) -> None:
        """Upkeep and work, until nothing is left to do, and nothing comes of it within a minute."""
        for _ in range(60 // STEP_S):
            await self.well.upkeep()
            while await self.crew.work():
                await self.well.upkeep()
            if not self.found().left:
                return
            self.let_time_pass(STEP_S)

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
        assert verdict.marks == found.marks, f"{_other(verdict.marks, found.marks)} (must be, is); {found.states}"
        assert all(found.states[name] == STATES[mark] for name, mark in found.marks.items()), f"{found}"
        assert verdict.ran == set(self.crew.ran), f"{verdict.ran} must run, {set(self.crew.ran)} ran"


def _other(must: dict[str, str], are: dict[str, str]) -> dict[str, tuple[str, str]]:
    names = sorted(must.keys() | are.keys())
    return {name: (must.get(name, "-"), are.get(name, "-")) for name in names if must.get(name) != are.get(name)}


class Death(NamedTuple):
    """One run of a sweep."""

    name: str
    plan: Plan
    fails: tuple[str, ...]
    at: int
    when: str

    def __str__(self) -> str:
        return f"{self.name}, {self.fails or 'nothing'} fails, {self.when} call {self.at}"


async def die(link: RedisLink, client: Client, death: Death) -> tuple[str, int]:
    """Whoever plants, tells and asks dies at its call number death.at. Gives how it ended, and how many calls it
    made."""
    trial = Trial(link, client, death.plan, death.fails)
    when: When = "before" if death.when == "before" else "after"
    mortal = Mortal(link, death.at, when)
    with contextlib.suppress(Died):
        site = Site(mortal)
        await site.plant(death.plan, trial.anchor_id)
        while await trial.crew.work():
            await site.upkeep()
    await trial.go_on()
    return trial.judge(), mortal.calls


async def freeze(link: RedisLink, client: Client, death: Death) -> tuple[str, int]:
    """The planter is frozen at its call number death.at, until upkeep has done with what is there."""
    trial = Trial(link, client, death.plan, death.fails)
    frozen = Frozen(link, death.at, trial.go_on)
    await Site(frozen).plant(death.plan, trial.anchor_id)
    await trial.go_on()
    outcome = trial.judge()
    assert outcome == "ran", outcome
    return outcome, frozen.calls


def deaths(calls: dict[tuple[str, tuple[str, ...]], int], whens: tuple[str, ...]) -> Iterator[Death]:
    """Each run of a sweep; calls: how many calls a run of each case makes."""
    for name, plan, fails in CASES:
        for when, at in itertools.product(whens, range(1, calls[name, fails] + 1)):
            yield Death(name, plan, fails, at, when)


async def count_calls(link: RedisLink, client: Client, kind: str) -> dict[tuple[str, tuple[str, ...]], int]:
    """How many calls a whole run of each case makes, where nobody dies."""
    run = freeze if kind == "freezes" else die
    return {
        (name, fails): (await run(link, client, Death(name, plan, fails, NEVER, "after")))[1]
        for name, plan, fails in CASES
    }


async def sweep(link: RedisLink, client: Client, kind: str, most: int = NEVER, seed: int = 0) -> Counter[str]:
    """deaths or freezes: each of them, or `most`, chosen by the seed. Gives how many ended how."""
    calls = await count_calls(link, client, kind)
    run = freeze if kind == "freezes" else die
    todo = list(deaths(calls, ("frozen",) if kind == "freezes" else ("before", "after")))
    Random(seed).shuffle(todo)
    ended: Counter[str] = Counter()
    for death in todo[:most]:
        try:
            outcome, _ = await run(link, client, death)
        except AssertionError as fault:
            raise AssertionError(f"{death}: {fault}") from fault
        ended[outcome] += 1
    return ended


class Muddle:
    """Random work, telling and asking on one graph; whoever tells or asks may die."""

    def __init__(self, trial: Trial, rng: Random) -> None:
        self._trial = trial
        self._rng = rng
        self._heard: list[Word] = []

    async def plant(self) -> bool:
        """Whether the planter lived to its end."""
        rng = self._rng
        mortal = Mortal(self._trial.link, rng.choice((*range(1, 14), NEVER)), rng.choice(("before", "after")))
        with contextlib.suppress(Died):
            await Site(mortal, ask_ms=rng.choice((0, 0, 15_000))).plant(self._trial.plan, self._trial.anchor_id)
            return True
        return False

    async def step(self) -> None:
        rng, queue, act = self._rng, self._rng.choice(QUEUES), self._rng.random()
        mortal = Mortal(self._trial.link, rng.choice((1, 2, 3, 4, 6, NEVER)), rng.choice(("before", "after")))
        site = Site(mortal)
        with contextlib.suppress(Died):
            if act < 0.45:
                await self._trial.crew.step(queue, rng.randint(1, 3), rng)
            elif act < 0.7:
                await site.notices.tell(queue)
            elif act < 0.9:
                self._trial.let_time_pass(rng.choice((0, 5, 15, 3600)))
                await site.notices.ask(queue)
            else:
                await self._say_again(queue)

    def forget(self) -> None:
        """No word from before is said again. WHY: `dead`, said of a job once more after its workflow was run again, is
        taken for how the job ended this time. Nothing can tell the two apart; and for it to happen, who brings the word
        must be frozen from before the end of the workflow until somebody has run it again."""
        self._heard = []

    async def _say_again(self, queue: str) -> None:
        """An old word, much later and out of turn."""
        self._heard += await self._trial.well.heard(queue)
        if self._heard:
            await self._trial.well.say(self._rng.choice(self._heard))


async def random_graph(link: RedisLink, client: Client, seed: int) -> str:
    """Plant, run and muddle; then what is dead is run again, one by one."""
    rng = Random(seed)
    plan = random_plan(rng)
    fails = tuple(name for name in plan.workers() if rng.random() < 0.25)
    trial = Trial(link, client, plan, fails)
    muddle, is_planted = Muddle(trial, rng), False
    for _ in range(rng.randint(5, 80)):
        if not is_planted and rng.random() < 0.3:
            is_planted = await muddle.plant()
        else:
            await muddle.step()
    await trial.go_on()
    outcome = trial.judge()
    if outcome == "ran":
        await _heal(trial)
    return outcome


async def _heal(trial: Trial) -> None:
    """What is dead is run again, and completes; what was cancelled for it goes on, and nothing that ran runs again."""
    ran, tries, scripts = Counter(trial.crew.ran), Counter[str](), Scripts(trial.link)
    trial.crew.fails.clear()
    for _ in trial.plan.nodes:
        dead = [name for name in trial.plan.workers() if trial.found().states[name] == "dead"]
        for name in dead:
            tries[name] += 1
            job_id, base = trial.ids[name], KEYS.base(trial.plan.nodes[name].queue)
            assert await scripts.call("retry", base, job_id, "", "", "", "", "", "") == [b"done"], name
        if not dead:
            break
        await trial.go_on()
    found, well = trial.found(), evaluate(trial.plan, ())
    assert not found.left and "dead" not in found.states.values(), f"{found}"
    assert set(trial.crew.ran) >= well.ran, f"{well.ran - set(trial.crew.ran)} did not run after all"
    for name, count in trial.crew.ran.items():
        assert count == tries[name] + 1, f"{name} ran {count} times, {ran[name]} before it was tried again"


async def run_again(link: RedisLink, client: Client, seed: int) -> str:
    """Plant and muddle, perhaps stop the whole; then run the whole again."""
    rng = Random(seed)
    plan = random_plan(rng)
    while not plan.nodes[plan.anchor].is_workflow:
        plan = random_plan(rng)
    fails = tuple(name for name in plan.workers() if rng.random() < 0.3)
    trial = Trial(link, client, plan, fails)
    muddle, scripts, base = Muddle(trial, rng), Scripts(link), KEYS.base(plan.nodes[plan.anchor].queue)
    await trial.well.plant(plan, trial.anchor_id)
    is_stopped = rng.random() < 0.5
    for _ in range(rng.randint(0, 30 if is_stopped else 60)):
        await muddle.step()
    if is_stopped and trial.found().states[plan.anchor] == "blocked":
        assert await scripts.call("cancel", base, trial.anchor_id, "", "", "", "") == [b"requested"]
        for _ in range(15):
            await muddle.step()
    await trial.go_on()
    first = trial.found()
    assert not first.left, f"left over: {first}"
    if first.marks[plan.anchor] == "c":
        return "completed at once"
    ran = Counter(trial.crew.ran)
    trial.crew.fails.clear()
    muddle.forget()
    assert await scripts.call("retry", base, trial.anchor_id, "", "", "", "", "", "") == [b"done"]
    for _ in range(40):
        await muddle.step()
    await trial.go_on()
    _judge_again(trial, first.marks, ran)
    return f"{first.states[plan.anchor]}, run again"


def _judge_again(trial: Trial, before: dict[str, str], ran: Counter[str]) -> None:
    """What had completed did not run again; the rest did, as far as its parents let it."""
    found, verdict = trial.found(), evaluate(trial.plan, (), before)
    assert not found.left, f"left over: {found}"
    again = Counter(trial.crew.ran)
    again.subtract(ran)
    # What was stopped stays so where the workflow in the workflow, whose job it is, does not begin this time.
    marks = {
        name: "k" if before[name] == found.marks[name] == "k" and mark in "xsg" else mark
        for name, mark in verdict.marks.items()
    }
    assert marks == found.marks, f"{_other(marks, found.marks)} (must be, is); before {before}"
    assert {name for name, count in again.items() if count} == verdict.ran, f"{verdict.ran} must run, {again} ran"
    assert set(again.values()) <= {0, 1}, f"ran more than once: {again}"


RANDOM = {"random": random_graph, "again": run_again}


async def graphs(link: RedisLink, client: Client, kind: str, count: int, seed: int) -> Counter[str]:
    """So many random graphs. Gives how many ended how."""
    ended: Counter[str] = Counter()
    for number in range(seed, seed + count):
        try:
            ended[await RANDOM[kind](link, client, number)] += 1
        except AssertionError as fault:
            raise AssertionError(f"{kind}, seed {number}: {fault}") from fault
    return ended


async def _run(chosen: argparse.Namespace) -> int:
    with (PrivateCluster if chosen.cluster else PrivateRedis)() as server:
        link = open_link(server.url, timeout_s=5)
        for kind in chosen.kinds:
            began = time.monotonic()
            if kind in RANDOM:
                ended = await graphs(link, server.client, kind, chosen.graphs, chosen.seed)
            else:
                ended = await sweep(link, server.client, kind)
            print(f"{kind}: {dict(ended)} in {time.monotonic() - began:.1f} s", flush=True)
        await link.close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Graphs whose planter, teller or asker dies.")
    parser.add_argument("kinds", nargs="*", default=["deaths", "freezes", "random", "again"])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--graphs", type=int, default=200)
    parser.add_argument("--cluster", action="store_true")
    return asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
