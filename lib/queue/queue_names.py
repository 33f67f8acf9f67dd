"""The set of the queues' names, read a page at a time; for those who look at it once a second, however long it is."""

from lib.ids import QUEUE_NAME
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink

BEGIN = b"0"


async def page_of(link: RedisLink, keys: RedisKeys, cursor: bytes, about: int) -> tuple[list[str], bytes]:
    """The next names, `about` so many, and the cursor of those behind them; BEGIN where that was all. A name may come
    twice. What somebody put among them and is no name is left out. Raises RedisKeysBroken where they are no set."""
    cursor, some = await link.call("SSCAN", keys.queues, cursor, "COUNT", about)
    return [name for raw in some if QUEUE_NAME.fullmatch(name := raw.decode("utf-8", "replace"))], cursor


class Walk:
    """Goes round the set, a page at each step. Up to a page of names is seen whole at every step."""

    def __init__(self, link: RedisLink, keys: RedisKeys, *, page: int) -> None:
        self._link = link
        self._keys = keys
        self._page = page
        self._cursor = BEGIN
        self._met: set[str] = set()
        self.names: set[str] = set()
        """Those of the last whole round, and what was met since."""

    @property
    def is_at_the_begin(self) -> bool:
        return self._cursor == BEGIN

    async def step(self) -> list[str]:
        """The names on the next page. Raises RedisKeysBroken."""
        some, self._cursor = await page_of(self._link, self._keys, self._cursor, self._page)
        self._met.update(some)
        self.names.update(some)
        if self.is_at_the_begin:
            self.names, self._met = self._met, set()
        return some
