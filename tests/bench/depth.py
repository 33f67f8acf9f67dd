"""Whether a queue that is full costs more than one that is nearly empty: a million waiting or delayed, 100 queues.

Each beside 1,000 jobs in one queue, in turns: microseconds in Redis for a call (one job a call, as when little is
going on), then jobs a second out of it, then POSTs a second into it. Out before in: five seconds of POSTs leave fifty
times as many in the shallow queue as it is to have. What is worked off is put in beforehand, 20,000 on either side.

WHY without an append-only file: it costs what is written, not what lies there; but the file of a million jobs fills the
machine's memory beside them. Tried with one, everysec and flushed beforehand: 1.18 and 1.39 for an enqueue where it is
1.04 without, on a machine that takes back memory which seems idle.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from lib.jobs import registry
from lib.settings.settings_table import SETTINGS
from tests.bench.figure import Figure
from tests.bench.posts import MODULES, drive
from tests.bench.spent import completed, drain
from tests.faults import costs
from tests.faults.costs import Side, fill
from tests.faults.site import JOB_MODULES, Site

SHALLOW = 1000
DEEP = 1_000_000
QUEUES = tuple(f"q{number:02d}" for number in range(100))
ROUNDS = 60
AT_ONCE = 100
WORKED_OFF = 20_000
CLAIMED = costs.CALLS * ROUNDS
"""As many more wait on each side as are claimed meanwhile."""


class Kind(NamedTuple):
    """What the deep side holds. at_once: jobs of each queue that its worker runs at a time."""

    name: str
    ready: int
    delayed: int = 0
    queues: tuple[str, ...] = ("default",)
    at_once: int = AT_ONCE


KINDS = (
    Kind("waiting", ready=DEEP),
    Kind("delayed", ready=SHALLOW, delayed=DEEP),
    Kind("queues", ready=SHALLOW, queues=QUEUES, at_once=AT_ONCE // 10),
)
BESIDE = Kind("shallow", ready=SHALLOW)


def run(*, is_quick: bool) -> Iterator[Figure]:
    for kind in KINDS:
        with ExitStack() as stack:
            sides = [_side(one, stack, is_quick=is_quick) for one in (BESIDE, kind)]
            found = costs.measured(*sides, rounds=ROUNDS // (10 if is_quick else 1))
            for name, cost_us in zip((f"{kind.name}_beside", kind.name), found, strict=True):
                yield Figure(f"depth.{name}.enqueue", cost_us["enqueue"], "µs")
                yield Figure(f"depth.{name}.claim_finish", cost_us["claim"] + cost_us["finish"], "µs")
            for name, side, one in zip((f"{kind.name}_beside", kind.name), sides, (BESIDE, kind), strict=True):
                yield Figure(f"depth.{name}.jobs", _jobs(side, one, is_quick=is_quick), "jobs/s")
            for name, side in zip((f"{kind.name}_beside", kind.name), sides, strict=True):
                yield Figure(f"depth.{name}.posts", _posts(side, is_quick=is_quick), "requests/s")


def _side(kind: Kind, stack: ExitStack, *, is_quick: bool) -> Side:
    site = stack.enter_context(Site())
    site.types = registry.load([JOB_MODULES, *MODULES.split(",")])
    shrunk = 10 if is_quick else 1
    side = Side(site, kind.queues)
    claimed_in_each = CLAIMED // len(kind.queues)
    fill(side, kind.ready // shrunk + claimed_in_each, type_name="noop")
    if kind.delayed:
        fill(side, kind.delayed // shrunk, first=kind.ready + claimed_in_each, state="delayed", type_name="noop")
    return side


def _jobs(side: Side, kind: Kind, *, is_quick: bool) -> float:
    """As many more are put in as will be worked off: a shallow queue holds too few."""
    site, jobs = side.site, WORKED_OFF // (10 if is_quick else 1)
    fill(side, jobs // len(kind.queues), first=2 * DEEP, type_name="noop")
    limits = ",".join(f"{queue}={kind.at_once}" for queue in kind.queues)
    already = completed(site.redis, kind.queues)
    settings: dict[str, Any] = {
        "JOB_MODULES": f"{JOB_MODULES},{MODULES}",  # Of both: what the measured calls left behind is run, too.
        "WORKER_QUEUES": limits,
        # As by default: the tests of faults, whose site it is, keep all jobs and log little.
        **{one.name: one.default for one in SETTINGS if one.name in ("LOG_LEVEL", "LEASE_S", "RETAIN_COMPLETED")},
    }
    worker = site.worker(is_awaited=False, **settings)
    try:
        return drain(site.redis, jobs, queues=kind.queues, already=already).per_s
    finally:
        worker.close()


def _posts(side: Side, *, is_quick: bool) -> float:
    server = side.site.server(JOB_MODULES=MODULES)
    try:
        return drive(server.url, is_quick=is_quick, script="post_to_queues.lua", words=side.queues).per_s
    finally:
        server.close()
