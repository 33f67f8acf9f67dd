"""The jobs that the benchmark runs: those that do nothing, say when they were begun, enqueue others, or take time."""

import asyncio
import os
import time
from typing import Any

from lib.jobs.registry import JobContext, job


@job("noop")
async def noop(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Nothing: what is left is Waybill itself."""


@job("stamp")
async def stamp(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Append the seconds from `sent_s` to now to the file `path`."""
    _append(payload["path"], f"{time.time() - payload['sent_s']}\n")


@job("chain")
async def chain(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Enqueue so many `stamp`s, one every `pause_s`, for the file `path`."""
    for _ in range(payload["stamps"]):
        await ctx.enqueue("stamp", {"sent_s": time.time(), "path": payload["path"]})
        await asyncio.sleep(payload["pause_s"])


@job("last")
async def last(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Take `lasts_ms`; then append when it was sent, begun and ended, and `name`, to the file `path`."""
    begun_s = time.time()
    await asyncio.sleep(payload["lasts_ms"] / 1000)
    _append(payload["path"], f"{payload['sent_s']} {begun_s} {time.time()} {payload['name']}\n")


def _append(path: str, line: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line.encode())
    os.close(fd)


@job("part")
async def part(ctx: JobContext, payload: dict[str, Any]) -> int:
    """Nothing; the result is its `number`."""
    return int(payload["number"])


@job("total")
async def total(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Append the time, and the sum of what the jobs before it have returned, to the file `path`."""
    results = [parent.result for parent in await ctx.results()]
    _append(payload["path"], f"{time.time()} {sum(results)}\n")
