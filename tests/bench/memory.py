"""Bytes of Redis memory for each waiting job, its payload a mail with a text of 450 bytes (500 in all)."""

from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.fill import fill
from tests.private_redis import PrivateRedis

WAITING = 20_000
PAYLOAD = {"to": "test@gmail.com", "subject": "hi", "text": "x" * 450}


def run(*, is_quick: bool) -> Iterator[Figure]:
    waiting = WAITING // (10 if is_quick else 1)
    with PrivateRedis(aof="everysec") as redis:
        before = used(redis)
        fill(redis, waiting, PAYLOAD)
        yield Figure("memory.per_job", (used(redis) - before) / waiting, "bytes")


def used(redis: PrivateRedis) -> int:
    return int(redis.client.info("memory")["used_memory"])
