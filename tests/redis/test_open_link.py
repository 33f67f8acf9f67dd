"""A REDIS_URL that is well-formed and leads to no Redis that can be used: whoever asks is told why."""

import unittest

from lib.errors import RedisUnavailable
from lib.queue import server
from lib.queue.client import open_link
from prod.local.processes import free_port
from tests.private_redis import PrivateRedis

LIMIT_S = 1.0


class WrongUrls(unittest.IsolatedAsyncioTestCase):
    async def reason(self, url: str) -> str:
        link = open_link(url, timeout_s=LIMIT_S)
        self.addAsyncCleanup(link.close)
        with self.assertRaises(RedisUnavailable) as raised:
            await server.inspect(link)
        return raised.exception.detail

    async def test_what_redis_says_before_there_is_a_connection_is_the_reason(self) -> None:
        redis = self.enterContext(PrivateRedis())
        host = f"127.0.0.1:{free_port()}"
        redis.client.config_set("port", host.partition(":")[2])

        reasons = {
            "out of range": await self.reason(f"redis://{host}/99"),
            "not a node of a Cluster": await self.reason(f"redis+cluster://{host}"),
            "unknown command 'SENTINEL'": await self.reason(f"redis+sentinel://{host}/name"),
            "no connection to Redis: TimeoutError": await self.reason(f"rediss://{host}"),
            "refuses the password": await self.reason(f"redis://user:secret@{host}"),
        }

        for words, reason in reasons.items():
            self.assertIn(words, reason)
            self.assertNotIn("secret", reason)


if __name__ == "__main__":
    unittest.main()
