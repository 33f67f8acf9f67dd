"""Fills a Redis with jobs, as POST /api/jobs would: `fill`, which runs this file in a process of its own.

python -m tests.bench.fill REDIS_URL COUNT BODY
"""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from lib.ids import JobIds, uuid4_of
from lib.jobs import registry, submission
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.redis_link.link import open_link
from tests.private_redis import PrivateRedis
from tests.traces import new_trace

AT_ONCE = 5000
PAYLOAD = {"to": "test@gmail.com", "subject": "hi", "text": "hello world"}


def fill(
    redis: PrivateRedis,
    jobs: int,
    payload: dict[str, Any] | None = None,
    type_name: str = "noop",
    **fields: object,
) -> None:
    """Put jobs in through the API's own code; what that took of memory ends with the process. fields: further ones of
    the request, as group="a"."""
    body = json.dumps({"type": type_name, "payload": payload or PAYLOAD, **fields})
    subprocess.run([sys.executable, "-m", "tests.bench.fill", redis.url, str(jobs), body], check=True)


async def _put_in(url: str, count: int, body: object) -> None:
    link = open_link(url, timeout_s=30)
    queue, ids, types = (
        JobStore(link, RedisKeys("wb")),
        JobIds(),
        registry.load(["tests.bench.jobs", "lib.handlers.email", "lib.handlers.webhook"]),
    )
    for begun in range(0, count, AT_ONCE):
        jobs = [
            submission.read(body, types, ids, request_id=uuid4_of(os.urandom(16).hex()), trace=new_trace())[0]
            for _ in range(min(AT_ONCE, count - begun))
        ]
        await asyncio.gather(*map(queue.enqueue, jobs))
    await link.close()


if __name__ == "__main__":
    asyncio.run(_put_in(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])))
