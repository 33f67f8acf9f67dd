"""For the tests of lib/queue: a Redis of their own, JobStore, QueueStore and Lease over it, and the oracle at the end.

    job_id = await self.enqueue("high", delay_ms=1000)
    lease = await self.lease("w")
    (job,) = (await lease.claim(1)).jobs

`python -m tests --cluster redis` runs the same tests on a Cluster of three nodes.
"""

import asyncio
import atexit
import functools
import os
import unittest
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, ClassVar

from lib.errors import OutcomeUnknown
from lib.ids import JobIds
from lib.jobs.backoff import Backoff
from lib.jobs.job import ClaimedJob, JobRecord, NewJob
from lib.jobs.spec import JobSpec
from lib.queue.claim_reply import Claim
from lib.queue.end_record import EndRecord, complete_record, fail_record, release_record, snooze_record
from lib.queue.job_fields import is_job_field
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.queue.queue_store import QueueStore
from lib.queue.upkeep_steps import Retention
from lib.redis_link.link import RedisLink, open_link
from lib.redis_link.redis_info import now_ms
from lib.redis_link.resp import Argument, Command
from lib.redis_link.single import SendsByCall, as_it_is
from lib.tracing import Trace
from tests import ON_CLUSTER
from tests.private_cluster import PrivateCluster
from tests.private_redis import PrivateRedis
from tests.system.oracle import assert_sound, everything, states

LIMIT_S = 10.0
KEEP_ALL = Retention(10**8, 10**9, 10**9)
ERROR = {"type": "ValueError", "message": "as it was told to"}
TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


@functools.cache
def the_cluster() -> PrivateCluster:
    """One Cluster for all tests of a process: its nodes take seconds until they agree."""
    cluster = PrivateCluster()
    atexit.register(cluster.close)
    cluster.start()
    return cluster


class RedisCase(unittest.IsolatedAsyncioTestCase):
    """A test of lib/queue on the queue "q". After each test the oracle checks that every job is in exactly one place; a
    test that leaves garbage on purpose deletes it first."""

    redis: ClassVar[PrivateRedis | PrivateCluster]
    queue_name = "q"

    @classmethod
    def setUpClass(cls) -> None:
        if ON_CLUSTER in os.environ:
            cls.redis = the_cluster()
            return
        cls.redis = PrivateRedis()
        cls.addClassCleanup(cls.redis.close)
        cls.redis.start()

    async def asyncSetUp(self) -> None:
        asyncio.get_running_loop().set_debug(False)
        self.client = self.redis.client
        self.client.flushall()
        self.ids = JobIds()
        self.keys = RedisKeys("wb")
        self.base = self.keys.base(self.queue_name)
        self.link = self.a_link()
        self.job_store = JobStore(self.link, self.keys)
        self.queues = QueueStore(self.link, self.keys)

    async def asyncTearDown(self) -> None:
        assert_sound(self.client)
        self.assertEqual(set(), {name for name in self.job_fields() if not is_job_field(name)})

    def a_link(self, url: str = "") -> RedisLink:
        link = open_link(url or self.redis.url, timeout_s=5)
        self.addAsyncCleanup(link.close)
        return link

    def job(self, priority: str = "normal", *, queue: str = "", **times: Any) -> NewJob:
        """A new job; times: delay_ms, run_at_ms, expires_in_ms."""
        spec = JobSpec("noop", {}, "request", TRACE, 5, 60.0, Backoff(), priority)
        return NewJob(self.ids.new(queue or self.queue_name, "request"), priority, spec.to_text(), **times)

    async def enqueue(self, priority: str = "normal", **times: Any) -> str:
        """The id of a job that was taken in."""
        job = self.job(priority, **times)
        await self.job_store.enqueue(job)
        return job.job_id

    async def enqueue_many(self, count: int, **times: Any) -> list[str]:
        jobs = [self.job(**times) for _ in range(count)]
        await asyncio.gather(*[self.job_store.enqueue(job) for job in jobs])
        return [job.job_id for job in jobs]

    async def lease(self, runner_id: str = "w", link: RedisLink | None = None) -> Lease:
        """The lease of a runner that is registered under this id."""
        lease = Lease(link or self.link, self.a_link(), self.keys, self.queue_name, runner_id, Random(1))
        await lease.register({"pid": 1})
        return lease

    async def claimed(self, lease: Lease) -> ClaimedJob:
        """Claim the only job that is ready."""
        (job,) = (await lease.claim(1)).jobs
        return job

    def popped(self, runner: Lease) -> str:
        """Move an id to the runner's list by a BRPOPLPUSH, without a claim after it, as if the runner had been cut off
        between the two. Returns the id."""
        waiting, active_list = self.keys.waiting(self.queue_name), self.keys.active(self.queue_name, runner.runner_id)
        found: Any = self.client.brpoplpush(waiting, active_list, 1)
        return found.decode() if found else ""

    async def now_ms(self) -> int:
        return await now_ms(self.link)

    async def state(self, job_id: str) -> str:
        return (await self.job_store.read(job_id)).state

    async def record(self, job_id: str) -> JobRecord:
        return await self.job_store.read(job_id)

    async def crash(self, runner_id: str, crash_limit: int = 3) -> int | None:
        """Take back what a runner held whose process has ended. Gives how many jobs."""
        held = await self.queues.runners.reap(self.queue_name, runner_id, crash_limit=crash_limit)
        return None if held is None else len(held)

    async def make_due(self, job_id: str) -> None:
        """Let a delayed job's time come, without waiting for it."""
        self.client.zadd(self.base + "delayed", {job_id: await self.now_ms() - 1})

    def configure(self, name: str, value: int) -> None:
        """CONFIG SET, on every node of the Redis."""
        for node in self.redis.clients:
            node.config_set(name, value)

    def key_names(self, pattern: str = "*") -> list[bytes]:
        """KEYS, of every node of the Redis."""
        return [key for node in self.redis.clients for key in node.keys(pattern)]

    def job_fields(self) -> set[str]:
        """The names of all fields that any job's record has."""
        records = [value for key, value in everything(self.client).items() if "}:job:" in key]
        return {name for record in records for name in record[::2]}

    async def until_blocked(self, clients: int) -> None:
        """Wait until so many clients are blocked, in a BRPOPLPUSH for example."""
        async with asyncio.timeout(LIMIT_S):
            while self.blocked_clients() < clients:
                await asyncio.sleep(0.005)

    def blocked_clients(self) -> int:
        return sum(int(node.info("clients")["blocked_clients"]) for node in self.redis.clients)

    def list(self, name: str) -> list[str]:
        """The ids in a list of the queue, as "ready:high"; the last one is the next to be claimed."""
        found: Any = self.client.lrange(self.base + name, 0, -1)
        return [item.decode() for item in found]

    def dump(self) -> dict[str, Any]:
        """Everything in this Redis by key, to be compared: without counts, heartbeats and events, which change by
        themselves, and without bells."""
        passed_over = (":minute:", ":totals", ":beats", ":events")
        found = {}
        for key, value in everything(self.client).items():
            kept = sorted(item for item in value if item != "bell") if "ready:" not in key else value
            if not any(word in key for word in passed_over) and kept != ["bell"]:
                found[key] = kept
        return found

    def states(self) -> dict[str, str]:
        return states(self.client)


def ids_of(claim: Claim) -> list[str]:
    return [job.job_id for job in claim.jobs]


def ending(script: str, job: ClaimedJob, *, delay_s: float | None = 60.0, is_begun: bool = True) -> EndRecord:
    """The words with which `script` ends this attempt. is_begun: of a job that is released, whether it had begun."""
    if script == "finish":
        return complete_record(job.job_id, job.token, "noop", '"result"')
    if script == "fail":
        return fail_record(job.job_id, job.token, ERROR, delay_s)
    if script == "snooze":
        return snooze_record(job.job_id, job.token, ERROR, delay_s or 0)
    return release_record(job.job_id, job.token, is_begun=is_begun)


async def until(condition: Any, what: str) -> Any:
    """The value of the async `condition`, once it is true. Raises TimeoutError after LIMIT_S."""
    async with asyncio.timeout(LIMIT_S):
        while not (value := await condition()):
            await asyncio.sleep(0.005)
        return value
    raise AssertionError(what)


class Through(SendsByCall):
    """A link over another one, for tests that step in between at `call`."""

    def __init__(self, link: RedisLink) -> None:
        super().__init__()
        self._link = link

    async def call(self, *command: Argument) -> Any:
        return await self._link.call(*command)

    async def block(self, block_s: float, *commands: Command, read: Callable[[Any], Any] = as_it_is) -> Any:
        return await self._link.block(block_s, *commands, read=read)

    async def end_block(self) -> None:
        await self._link.end_block()

    def together(self, keys: Iterable[str]) -> list[list[str]]:
        return self._link.together(keys)

    async def close(self) -> None:
        await self._link.close()


class LosesReplies(Through):
    """A link that loses replies: Redis carries every command out, and the next `lose` replies to commands that begin
    with one of `words` (EVALSHA and EVAL) become OutcomeUnknown. `sent` has every command."""

    def __init__(self, link: RedisLink, *words: str) -> None:
        super().__init__(link)
        self._words = words or ("EVALSHA", "EVAL")
        self.lose = 0
        self.sent: list[tuple[Argument, ...]] = []

    async def call(self, *command: Argument) -> Any:
        reply = await self._link.call(*command)
        self.sent.append(command)
        if self.lose and command[0] in self._words:
            self.lose -= 1
            raise OutcomeUnknown("the reply was lost")
        return reply
