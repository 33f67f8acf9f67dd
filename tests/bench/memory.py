"""Bytes of Redis memory for each waiting job, its payload a mail with a text of 450 bytes (500 in all)."""

from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.work import fill
from tests.private_redis import PrivateRedis

WAITING = 20_000
TEXT_450 = "x" * 450


def run(*, is_quick: bool) -> Iterator[Figure]:
    waiting = WAITING // (10 if is_quick else 1)
    with PrivateRedis() as redis:
        before = int(redis.client.info("memory")["used_memory"])
        fill(redis, waiting, {"to": "test@gmail.com", "subject": "hi", "text": TEXT_450})
        after = int(redis.client.info("memory")["used_memory"])
    yield Figure("memory.per_job", (after - before) / waiting, "bytes")
