"""A job type of one's own, for the programs of programs/: JOB_MODULES=tests.clients.jobs."""

from dataclasses import dataclass
from typing import Any

from lib.jobs.registry import JobContext, job


@dataclass
class Order:
    """number: 0 or less is no order. lines: whatever the shop knows of each."""

    number: int
    lines: list[dict[str, Any]]


@job("ship", queue="orders", max_attempts=1)
async def ship(ctx: JobContext, order: Order) -> dict[str, Any]:
    if order.number > 0:
        return {"shipped": order.number, "lines": order.lines}
    try:
        raise KeyError(order.number)
    except KeyError as fault:
        raise ValueError("no such order") from fault
