"""Which schedules has code written that no worker's code declares any more? For `python worker.py --doctor`."""

from collections.abc import Collection

from lib.queue.keys import RedisKeys
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link.link import RedisLink

READ_AT_ONCE = 50


async def find_orphans(link: RedisLink, keys: RedisKeys, declared: Collection[str]) -> list[str]:
    """A sentence for each. declared: the schedules of the job modules on this host, where no worker need run."""
    store = ScheduleStore(link, keys)
    index = await store.index()
    found = []
    for queue in sorted(set(index.values())):
        names = [name for name, where in index.items() if where == queue]
        for at in range(0, len(names), READ_AT_ONCE):
            _, some = await store.read_some(queue, names[at : at + READ_AT_ONCE])
            found += [
                f"{seen.name} ({seen.schedule.owner or 'no owner'}) was written by a worker's code, and no worker that"
                f" runs declares it: DELETE /api/schedules/{seen.name} if the code is gone, or start that worker"
                for seen in some
                if seen.is_orphaned and seen.name not in declared
            ]
    return found
