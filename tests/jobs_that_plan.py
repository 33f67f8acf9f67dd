"""Jobs that enqueue jobs which wait for each other, and those that wait. JOB_MODULES=tests.jobs_that_plan.

A handler here that plans does so at each of its attempts; `act` says what comes of the first one behind the planning:
"fail", or "kill", which is the end of its runner.
"""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.errors import WaybillError
from lib.jobs.registry import JobContext, Results, job
from tests.jobs_for_tests import QUICK, write_line
from tests.jobs_for_tests import fail as fail
from tests.jobs_for_tests import noop as noop
from tests.jobs_for_tests import sleep as sleep


@dataclass
class Plan:
    """The payload. Every attempt that begins writes `<job_id> <attempt> <pid>` into the ledger."""

    ledger: str = ""
    act: str = ""
    count: int = 3
    seconds: float = 0.0
    value: Any = None
    jobs: dict[str, Any] = field(default_factory=dict)


def begin(ctx: JobContext, plan: Plan) -> None:
    write_line(plan.ledger, f"{ctx.job_id} {ctx.attempt} {os.getpid()}")


def end_early(ctx: JobContext, plan: Plan) -> None:
    """What `act` says, at the first attempt; of "fail once" at the first of all, though somebody has it run again."""
    if plan.act == "fail once" and Path(plan.ledger).read_text(encoding="utf-8").count(f"{ctx.job_id} ") == 1:
        raise ValueError("the first run fails")
    if ctx.attempt == 1 and plan.act == "fail":
        raise ValueError("the first attempt fails")
    if ctx.attempt == 1 and plan.act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


@job("give")
async def give(ctx: JobContext, plan: Plan) -> Any:
    """Returns `value`; None fails the job for good."""
    begin(ctx, plan)
    if plan.value is None:
        raise ValueError("it has nothing to give")
    return plan.value


def shown(results: Results) -> list[list[Any]]:
    return [[one.name, one.outcome, one.result, (one.error or {}).get("type")] for one in results]


@job("gather")
async def gather(ctx: JobContext, plan: Plan) -> list[list[Any]]:
    """Returns name, outcome, result and type of error of each of its parents."""
    begin(ctx, plan)
    return shown(await ctx.results())


@job("gather_plainly")
def gather_plainly(ctx: JobContext, plan: Plan) -> list[list[Any]]:
    begin(ctx, plan)
    return shown(ctx.results())


@job("plan_a_join", backoff=QUICK)
async def plan_a_join(ctx: JobContext, plan: Plan) -> str:
    """Has `count` jobs give their numbers, and one job that waits for all of them gather these. Returns its id."""
    begin(ctx, plan)
    given = [await _give(ctx, plan, number) for number in range(plan.count)]
    after = [{"job": job_id, "name": f"n{number}"} for number, job_id in enumerate(given)]
    alarm = {"type": "noop", "payload": {"ledger": plan.ledger}, "on": "failed"}
    follow_up = {"type": "gather", "payload": {"ledger": plan.ledger}, "queue": "other"}
    payload = {"ledger": plan.ledger}
    made: str = await ctx.enqueue("gather", payload, after=after, then=[alarm, follow_up], once="join")
    end_early(ctx, plan)
    return made


async def _give(ctx: JobContext, plan: Plan, number: int) -> str:
    payload, queue = {"ledger": plan.ledger, "value": number}, ("default", "other")[number % 2]
    made: str = await ctx.enqueue("give", payload, once=f"n{number}", queue=queue)
    return made


@job("plan_plainly")
def plan_plainly(ctx: JobContext, plan: Plan) -> str:
    begin(ctx, plan)
    first = ctx.enqueue("give", {"ledger": plan.ledger, "value": 7})
    made: str = ctx.enqueue("gather_plainly", {"ledger": plan.ledger}, after=(first,), delay_s=plan.seconds)
    return made


@job("plan_a_workflow", backoff=QUICK)
async def plan_a_workflow(ctx: JobContext, plan: Plan) -> str:
    """Starts the workflow `jobs`, and returns its id."""
    begin(ctx, plan)
    made: str = await ctx.workflow(plan.jobs, name="planned", once="workflow")
    end_early(ctx, plan)
    return made


@job("split", backoff=QUICK)
async def split(ctx: JobContext, plan: Plan) -> list[str]:
    """Adds `count` pages to its workflow, the last one optional and without a value, and a job that gathers them."""
    begin(ctx, plan)
    names, ids = [f"page-{number}" for number in range(plan.count)], []
    for number, name in enumerate(names):
        is_last = number == plan.count - 1
        payload = {"ledger": plan.ledger, "value": None if is_last else number}
        ids.append(await ctx.add(name, "give", payload, optional=is_last, max_attempts=1, queue="other"))
    after = [{"job": name, "on": "ended"} for name in names]
    ids.append(await ctx.add("gather", "gather", {"ledger": plan.ledger}, after=after))
    end_early(ctx, plan)
    return ids


@job("add_late")
def add_late(ctx: JobContext, plan: Plan) -> None:
    """Heeds no stop: waits for the file `value`, adds a job then, and writes `ended <how that was refused>`."""
    begin(ctx, plan)
    while not Path(plan.value).exists():
        time.sleep(0.01)
    try:
        ctx.add("more", "noop", {"ledger": plan.ledger})
    except WaybillError as fault:
        write_line(plan.ledger, f"ended {type(fault).__name__}: {fault.detail}")


@job("add", max_attempts=1)
async def add(ctx: JobContext, plan: Plan) -> str:
    """Adds one job under the name `act`, behind those in `value`; returns how that was refused, or the new job's id."""
    begin(ctx, plan)
    try:
        made: str = await ctx.add(plan.act, "noop", {"ledger": plan.ledger}, after=plan.value or [])
    except WaybillError as fault:
        errors = " ".join(f"{error.pointer}: {error.detail}" for error in fault.errors)
        return f"{type(fault).__name__}: {errors or fault.detail}"
    return made
