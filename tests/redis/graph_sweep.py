"""Graphs whose planter, teller or asker dies at each of its calls to Redis, or is frozen there; random graphs as well.

    python -m tests.redis.graph_sweep [deaths freezes resends random again] [--seed 7] [--graphs 200] [--cluster]

deaths   whoever plants, tells and asks dies at its call number k, before it is sent or after it was carried out, for
         each k; then upkeep and runners go on
freezes  the planter is frozen at its call number k, the others take its graph for abandoned, then it goes on
resends  the planter dies or is frozen at its call number k, and the request is sent again with its Idempotency-Key
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
from typing import NamedTuple

from lib.ids import JobIds
from lib.jobs.job import Keyed
from lib.queue.workflow_store import Planted
from lib.redis_link.link import RedisLink, open_link
from tests.private_cluster import PrivateCluster
from tests.private_redis import PrivateRedis
from tests.redis.graph_fuzz import RANDOM, graphs
from tests.redis.graph_judge import Plan
from tests.redis.graph_site import NEVER, Died, Frozen, Mortal, Site, When
from tests.redis.graph_trial import Trial
from tests.redis.graphs import DIAMOND, NESTED, TREE
from tests.system.oracle import Client

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


async def send_again(link: RedisLink, client: Client, death: Death) -> tuple[str, int]:
    """The planter dies at its call number death.at, or is frozen there; meanwhile the same request, with the same
    Idempotency-Key, is planted by another process."""
    trial, keyed = Trial(link, client, death.plan), Keyed("ops order-7", "9c1f")
    sent: list[Planted] = []

    async def again() -> None:
        sent.append(await trial.well.plant(death.plan, JobIds().new(trial.ids[death.plan.anchor][:1], "other"), keyed))

    first: Mortal | Frozen = Frozen(link, death.at, again)
    if death.when != "frozen":
        first = Mortal(link, death.at, "before" if death.when == "before" else "after")
    with contextlib.suppress(Died):
        sent.append(await Site(first).plant(death.plan, trial.anchor_id, keyed))
    await again()
    assert len({planted.anchor_id for planted in sent}) == 1, f"one key, and several graphs: {sent}"
    trial.follow(sent[0].anchor_id, death.fails)
    await trial.go_on()
    outcome = trial.judge()
    assert outcome == "ran", outcome
    return outcome, first.calls


RUNS = {
    "deaths": (die, ("before", "after")),
    "freezes": (freeze, ("frozen",)),
    "resends": (send_again, ("before", "after", "frozen")),
}


def deaths(calls: dict[tuple[str, tuple[str, ...]], int], whens: tuple[str, ...]) -> Iterator[Death]:
    """Each run of a sweep; calls: how many calls a run of each case makes."""
    for name, plan, fails in CASES:
        for when, at in itertools.product(whens, range(1, calls[name, fails] + 1)):
            yield Death(name, plan, fails, at, when)


async def count_calls(link: RedisLink, client: Client, kind: str) -> dict[tuple[str, tuple[str, ...]], int]:
    """How many calls a whole run of each case makes, where nobody dies."""
    run, _ = RUNS[kind]
    return {
        (name, fails): (await run(link, client, Death(name, plan, fails, NEVER, "after")))[1]
        for name, plan, fails in CASES
    }


async def sweep(link: RedisLink, client: Client, kind: str, most: int = NEVER, seed: int = 0) -> Counter[str]:
    """deaths, freezes or resends: each of them, or `most`, chosen by the seed. Gives how many ended how."""
    calls = await count_calls(link, client, kind)
    run, whens = RUNS[kind]
    todo = list(deaths(calls, whens))
    Random(seed).shuffle(todo)
    ended: Counter[str] = Counter()
    for death in todo[:most]:
        try:
            outcome, _ = await run(link, client, death)
        except AssertionError as fault:
            raise AssertionError(f"{death}: {fault}") from fault
        ended[outcome] += 1
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
    parser.add_argument("kinds", nargs="*", default=[*RUNS, *RANDOM])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--graphs", type=int, default=200)
    parser.add_argument("--cluster", action="store_true")
    return asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
