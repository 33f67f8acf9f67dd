"""What only the newer half of a rolling upgrade knows. JOB_MODULES=tests.faults.jobs,tests.faults.novelties."""

from lib.jobs.registry import JobContext, job
from tests.faults.jobs import Work, work_on


@job("novelty")
async def novelty(ctx: JobContext, work: Work) -> list[int]:
    return await work_on(ctx, work)
