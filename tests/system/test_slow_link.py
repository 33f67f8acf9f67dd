"""A link to Redis that is slow, or goes silent amid an answer: what redis_wire.py makes of it."""

import asyncio
import contextlib
import time
import unittest
from collections.abc import AsyncIterator

from lib.errors import OutcomeUnknown
from lib.redis_link.link import RedisLink, open_link
from tests.private_redis import PrivateRedis
from tests.proxy import Proxy

TIMEOUT_S = 0.25


class SlowLink(unittest.IsolatedAsyncioTestCase):
    """An answer of a MB takes twice the link's time-out."""

    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.redis.client.set("large", "x" * 1_000_000)
        self.proxy = self.enterContext(Proxy(self.redis.url, bytes_per_s=2_000_000))

    @contextlib.asynccontextmanager
    async def link(self) -> AsyncIterator[RedisLink]:
        link = open_link(self.proxy.url, timeout_s=TIMEOUT_S)
        try:
            yield link
        finally:
            await link.close()

    async def test_an_answer_that_keeps_coming_is_waited_for_and_so_is_the_one_behind_it(self) -> None:
        async with self.link() as link:
            large, time_told = await asyncio.gather(link.call("GET", "large"), link.call("TIME"))

        self.assertEqual((1_000_000, 2), (len(large), len(time_told)))

    async def test_one_that_stops_coming_is_given_up_after_the_time_out(self) -> None:
        self.proxy.silent_at_byte = 300_000
        async with self.link() as link:
            began_s = time.monotonic()

            with self.assertRaises(OutcomeUnknown):
                await asyncio.wait_for(link.call("GET", "large"), 10)

        self.assertLess(time.monotonic() - began_s, 5)


if __name__ == "__main__":
    unittest.main()
