"""Jobs that share a resource, a Pool, which a coroutine makes. JOB_MODULES=tests.jobs_for_tests,tests.jobs_that_share.

The file `pool` beside the outbox gets a line `begun` each time that a pool is begun, and `closed` when it is closed.
"""

import asyncio
from pathlib import Path

from lib.jobs.registry import JobContext, job
from lib.settings.config import Settings
from tests.jobs_for_tests import QUICK, Work, enter, write_line


class Pool:
    def __init__(self, path: Path, program: asyncio.subprocess.Process) -> None:
        self._path = path
        self.program = program

    async def close(self) -> None:
        self.program.kill()
        await self.program.wait()
        write_line(str(self._path), "closed")


async def make_pool(settings: Settings) -> Pool:
    """A pool with a program of its own. Waits for the file `may-go-on`, and then exits if `may-be-made` is missing."""
    folder = settings.outbox_dir.parent
    write_line(str(folder / "pool"), "begun")
    program = await asyncio.create_subprocess_exec("sleep", "600")
    while not (folder / "may-go-on").exists():
        await asyncio.sleep(0.01)
    if not (folder / "may-be-made").exists():
        raise SystemExit(3)
    return Pool(folder / "pool", program)


@job("share", backoff=QUICK, max_attempts=1)
async def share(ctx: JobContext, work: Work) -> int:
    """Returns the process id of the pool's program; 0 if the program has ended."""
    enter(ctx, work)
    pool: Pool = await ctx.resource(make_pool)
    if work.text:
        raise ValueError(work.text)
    return pool.program.pid if pool.program.returncode is None else 0


@job("share_thread", backoff=QUICK, max_attempts=1)
def share_thread(ctx: JobContext, work: Work) -> int:
    enter(ctx, work)
    pool: Pool = ctx.resource(make_pool)
    return pool.program.pid if pool.program.returncode is None else 0
