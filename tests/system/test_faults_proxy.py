"""The proxy itself: what it is told to lose is lost, at the command that was meant, and nothing else."""

import socket
import unittest
from collections.abc import Callable
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.private_redis import PrivateRedis
from tests.proxy import CUT_REPLY, CUT_REQUEST, PASS, SWALLOW_REQUEST, Proxy, Request, Verdict


def on(word: bytes, verdict: Verdict) -> Callable[[Request], Verdict]:
    return lambda request: verdict if request.words[0] == word else PASS


class ProxyToRedis(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = PrivateRedis()
        self.addCleanup(self.redis.close)
        self.redis.start()
        self.proxy = Proxy(self.redis.url).__enter__()
        self.addCleanup(self.proxy.__exit__)
        self.client = redis.Redis(unix_socket_path=self.proxy.address, retry=Retry(NoBackoff(), 0), socket_timeout=0.5)
        self.addCleanup(self.client.close)

    def test_everything_passes_and_is_counted(self) -> None:
        self.client.ping()
        requests, replies = self.proxy.requests, self.proxy.replies

        self.client.rpush("list", "a", "", b"\r\n*3\r\n")
        found = self.client.lrange("list", 0, -1)

        self.assertEqual([b"a", b"", b"\r\n*3\r\n"], found)
        self.assertEqual((2, 2), (self.proxy.requests - requests, self.proxy.replies - replies))

    def test_a_cut_request_is_never_carried_out(self) -> None:
        self.proxy.judge = on(b"SET", CUT_REQUEST)

        with self.assertRaises(redis.ConnectionError):
            self.client.set("name", "value")

        self.assertIsNone(self.redis.client.get("name"))
        self.assertTrue(self.client.ping())

    def test_a_request_whose_reply_is_cut_is_carried_out(self) -> None:
        self.proxy.judge = on(b"SET", CUT_REPLY)

        with self.assertRaises(redis.ConnectionError):
            self.client.set("name", "value")

        self.assertEqual(b"value", self.redis.client.get("name"))

    def test_a_swallowed_request_is_never_answered(self) -> None:
        self.proxy.judge = on(b"SET", SWALLOW_REQUEST)

        with self.assertRaises(redis.TimeoutError):
            self.client.set("name", "value")

        self.assertIsNone(self.redis.client.get("name"))

    def test_what_is_to_happen_then_happens_when_the_reply_is_there(self) -> None:
        found: list[object] = []
        self.proxy.judge = on(b"SET", Verdict("pass", lambda: found.append(self.redis.client.get("name"))))

        self.client.set("name", "value")

        self.assertEqual([b"value"], found)

    def test_a_reset_comes_instead_of_the_byte_that_was_named(self) -> None:
        self.redis.client.set("name", "x" * 100)
        with Proxy(self.redis.url, tcp=True) as proxy:
            proxy.reset_at_byte = 50
            parts = urlsplit(proxy.url)
            with socket.create_connection((parts.hostname or "", parts.port or 0)) as link:
                link.sendall(b"*2\r\n$3\r\nGET\r\n$4\r\nname\r\n")
                got = b""
                with self.assertRaises(ConnectionResetError):
                    while True:
                        got += link.recv(100)

        self.assertEqual(50, len(got))


if __name__ == "__main__":
    unittest.main()
