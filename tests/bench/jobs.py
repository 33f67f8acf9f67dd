"""The jobs that the benchmark runs: one that does nothing, one that says when it was begun, one that has such begun."""

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
    line = f"{time.time() - payload['sent_s']}\n".encode()
    fd = os.open(payload["path"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line)
    os.close(fd)


@job("chain")
async def chain(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Enqueue so many `stamp`s, one every `pause_s`, for the file `path`."""
    for _ in range(payload["stamps"]):
        await ctx.enqueue("stamp", {"sent_s": time.time(), "path": payload["path"]})
        await asyncio.sleep(payload["pause_s"])
