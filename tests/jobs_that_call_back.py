"""A handler whose new jobs tell their ends to a URL of the payload. JOB_MODULES=tests.jobs_that_call_back."""

from dataclasses import dataclass

from lib.jobs.registry import JobContext, job


@dataclass
class Asks:
    """url: the callback_url of all the new jobs."""

    url: str


@job("asks")
async def asks(ctx: JobContext, payload: Asks) -> list[str]:
    """Enqueues one, plants one behind it, and starts a workflow, whose member adds another one; returns three ids."""
    first = await ctx.enqueue("bare", {}, callback_url=payload.url, once="first")
    second = await ctx.enqueue("bare", {}, after=[first], callback_url=payload.url, once="second")
    jobs = {"adds": {"type": "adds", "payload": {"url": payload.url}}}
    return [first, second, await ctx.workflow(jobs, callback_url=payload.url, once="third")]


@job("adds")
async def adds(ctx: JobContext, payload: Asks) -> str:
    """Adds a job to its workflow; returns the id."""
    added: str = await ctx.add("more", "bare", {}, callback_url=payload.url)
    return added


@job("bare")
async def bare(ctx: JobContext, payload: dict[str, object]) -> None:
    """Does nothing."""
