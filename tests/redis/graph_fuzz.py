"""Random graphs and failures; whoever plants, tells or asks may die at any call, and old words are said again.

    random   then what is dead is run again, one by one
    again    the whole is stopped in the middle, or not, and run again as a whole

python -m tests.redis.graph_sweep random again --graphs 200 runs them.
"""

import contextlib
from collections import Counter
from random import Random

from lib.queue.notice_text import Word
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink
from tests.redis.graph_judge import evaluate
from tests.redis.graph_site import KEYS, NEVER, Died, Mortal, Site
from tests.redis.graph_trial import Trial, difference
from tests.redis.graphs import QUEUES, random_plan
from tests.system.oracle import Client


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
            await Site(mortal).plant(self._trial.plan, self._trial.anchor_id)
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
    await trial.go_on_for_hours()
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
        await trial.go_on_for_hours()
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
    await trial.go_on_for_hours()
    first = trial.found()
    assert not first.left, f"left over: {first}"
    if first.marks[plan.anchor] == "c":
        return "completed at once"
    ran, unopened = Counter(trial.crew.ran), trial.unopened()
    trial.crew.fails = {name for name in fails if rng.random() < 0.3}
    muddle.forget()
    assert await scripts.call("retry", base, trial.anchor_id, "", "", "", "", "", "") == [b"done"]
    for _ in range(40):
        await muddle.step()
    await trial.go_on_for_hours()
    _judge_again(trial, first.marks, unopened, ran)
    return f"{first.states[plan.anchor]}, run again"


def _judge_again(trial: Trial, before: dict[str, str], unopened: set[str], ran: Counter[str]) -> None:
    """What had completed did not run again; the rest did, as far as its parents let it."""
    found, verdict = trial.found(), evaluate(trial.plan, trial.crew.fails, before, unopened)
    assert not found.left, f"left over: {found}"
    again = Counter(trial.crew.ran)
    again.subtract(ran)
    # What was stopped stays so where the workflow in the workflow, whose job it is, does not begin this time.
    marks = {
        name: "k" if before[name] == found.marks[name] == "k" and mark in "xsg" else mark
        for name, mark in verdict.marks.items()
    }
    assert marks == found.marks, f"{difference(marks, found.marks)} (must be, is); before {before}"
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
