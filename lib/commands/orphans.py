"""Do schedules and code fit each other? Which schedules has code written that no worker's code declares any more, and
which queue jobs of types that the job modules of this host do not define? For `python worker.py --doctor`."""

from collections.abc import AsyncIterator, Collection

from lib.jobs.schedule import Schedule
from lib.jobs.schedule_tree import each_job
from lib.queue.keys import RedisKeys
from lib.queue.schedule_seen import ScheduleSeen
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import RedisLink

READ_AT_ONCE = 50
MOST_NAMED = 3
"""So many jobs of one schedule are named."""


async def find_orphans(link: RedisLink, keys: RedisKeys, declared: Collection[str]) -> list[str]:
    """A sentence for each. declared: the schedules of the job modules on this host, where no worker need run."""
    return [
        f"{seen.name} ({seen.schedule.owner or 'no owner'}) was written by a worker's code, and no worker that"
        f" runs declares it: DELETE /api/schedules/{seen.name} if the code is gone, or start that worker"
        async for seen in _all_schedules(link, keys)
        if seen.is_orphaned and seen.name not in declared
    ]


async def find_unknown_types(link: RedisLink, keys: RedisKeys, known: Collection[str]) -> list[str]:
    """A sentence for each schedule with a job, in its `then` or its workflow as well, of a type that is not known."""
    found = []
    async for seen in _all_schedules(link, keys):
        if unknown := _unknown_of(seen.schedule, known):
            more = f", and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
            named = ", ".join(unknown[:MOST_NAMED]) + more
            found.append(
                f"{seen.name} queues jobs that no job module of this host defines: {named}; add the module to"
                " JOB_MODULES, or PUT the schedule anew"
            )
    return found


def _unknown_of(schedule: Schedule, known: Collection[str]) -> list[str]:
    """`thumbnail (/workflow/jobs/small)` for each such job."""
    kind, tree = ("job", schedule.job) if schedule.workflow is None else ("workflow", schedule.workflow)
    return [f"{job.get('type')} (/{kind}{at})" for at, job in each_job(tree) if job.get("type") not in known]


async def _all_schedules(link: RedisLink, keys: RedisKeys) -> AsyncIterator[ScheduleSeen]:
    store = ScheduleStore(link, keys)
    index = await store.index()
    for queue in sorted(set(index.values())):
        names = [name for name, where in index.items() if where == queue]
        for at in range(0, len(names), READ_AT_ONCE):
            for seen in (await store.read_some(queue, names[at : at + READ_AT_ONCE]))[1]:
                yield seen
