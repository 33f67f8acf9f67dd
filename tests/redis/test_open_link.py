"""A REDIS_URL that is well-formed and leads to no Redis that can be used: whoever asks is told why."""

import re
import unittest

from lib.errors import RedisUnavailable
from lib.redis_link import redis_info
from lib.redis_link.link import open_link
from prod.local.processes import free_port
from tests.private_redis import PrivateRedis
from tests.processes import ROOT

LIMIT_S = 1.0


class WrongUrls(unittest.IsolatedAsyncioTestCase):
    async def reason(self, url: str) -> str:
        link = open_link(url, timeout_s=LIMIT_S)
        self.addAsyncCleanup(link.close)
        with self.assertRaises(RedisUnavailable) as raised:
            await redis_info.inspect(link)
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


class LeastRights(unittest.IsolatedAsyncioTestCase):
    async def test_the_user_of_the_conf_file_is_refused_nothing_when_a_connection_is_opened(self) -> None:
        (rules,) = re.findall(
            r"^user (waybill .*)$", (ROOT / "prod" / "redis.conf").read_text(encoding="utf-8"), re.MULTILINE
        )
        redis = self.enterContext(PrivateRedis(options=["--user", *rules.split()]))
        link = open_link(redis.url.replace("unix://", "unix://waybill:change-me@"), timeout_s=LIMIT_S)
        self.addAsyncCleanup(link.close)
        redis.client.config_resetstat()  # of what the test's own client was refused when it connected

        await redis_info.inspect(link)
        await link.block(0.05, ("BRPOPLPUSH", "wb:{q}:ready:normal", "wb:{q}:active:w", 0.05))

        self.assertEqual([], redis.client.acl_log())
        self.assertEqual({}, redis.client.info("errorstats"))


class Blocks(unittest.IsolatedAsyncioTestCase):
    async def test_a_long_one_may_wait_on_the_connection_of_a_short_one(self) -> None:
        """The connection was opened by `?wait=`, and a stream of events waits on it next."""
        redis = self.enterContext(PrivateRedis())
        link = open_link(redis.url, timeout_s=0.1)
        self.addAsyncCleanup(link.close)

        for block_s in (0.05, 2.5):
            pop = ("BRPOPLPUSH", "wb:{q}:ready:normal", "wb:{q}:active:w", block_s)
            self.assertIsNone(await link.block(block_s, pop))
        self.assertEqual(2, redis.client.info("clients")["connected_clients"])  # The test's own is one of them.


if __name__ == "__main__":
    unittest.main()
