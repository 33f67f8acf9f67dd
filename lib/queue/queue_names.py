"""The set of the queues' names, `wb:queues`, read a page at a time, and names grouped for calls about many queues.

However many queues there are, no call of these holds up Redis or the event loop: a reply's elements are read one by
one, and ten thousand at once would take too long.
"""

from collections.abc import Iterator

from lib.ids import QUEUE_NAME
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink

START = b"0"
NAMES_AT_ONCE = 500
QUEUES_AT_ONCE = 50


async def all_names(link: RedisLink, keys: RedisKeys) -> list[str]:
    """Every queue that ever took a job or had a runner, sorted. Raises RedisKeysBroken if `wb:queues` is no set."""
    walk = Walk(link, keys, page=NAMES_AT_ONCE)
    await walk.step()
    while not walk.is_at_start:
        await walk.step()
    return sorted(walk.names)


def in_batches(queues: list[str]) -> Iterator[list[str]]:
    """The names, QUEUES_AT_ONCE at a time: as many as are asked about at once."""
    return (queues[at : at + QUEUES_AT_ONCE] for at in range(0, len(queues), QUEUES_AT_ONCE))


class Walk:
    """Walks round the set of names, a page a step, and begins again at its end.

    For upkeep, which looks at the names once a second. A set of up to a page is seen whole at every step.
    """

    def __init__(self, link: RedisLink, keys: RedisKeys, *, page: int) -> None:
        """page: about how many names a step reads."""
        self._link = link
        self._keys = keys
        self._page = page
        self._cursor = START
        self._met: set[str] = set()
        self.names: set[str] = set()
        """The names of the last whole round, and those met since."""

    @property
    def is_at_start(self) -> bool:
        return self._cursor == START

    async def step(self) -> list[str]:
        """The names on the next page; a name may come twice in a round. Raises RedisKeysBroken.

        A member of the set that can't be a queue's name is left out: somebody put it there by hand.
        """
        self._cursor, members = await self._link.call("SSCAN", self._keys.queues, self._cursor, "COUNT", self._page)
        some = [name for member in members if QUEUE_NAME.fullmatch(name := shown_text(member))]
        self._met.update(some)
        self.names.update(some)
        if self.is_at_start:
            self.names, self._met = self._met, set()
        return some
