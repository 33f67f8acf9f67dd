"""For the tests of limits and groups: jobs with a group, and runners that claim by the script that the queue wants.

    await self.limit(group_concurrency="1")
    first, second = await self.put("tenant-1", 2)
    runner = await self.runner("w1")
    reply = await runner.claim(5)                       # Reply("", [Handed("q-…1", 1)], 250)
    await runner.end("finish", *reply.jobs)

After each test the oracle looks at the places of all jobs, and at the lines (lines.py).
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from lib.queue.end_record import (
    EndRecord,
    complete_record,
    fail_record,
    records_text,
    release_record,
    snooze_record,
)
from lib.queue.enqueue_text import new_jobs_text
from lib.queue.framing import FIELD_BYTE, RECORD_BYTE
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.case import ERROR, RedisCase
from tests.redis.lines import Lines, assert_lines, read_lines

OTHER_CLAIM = {b"rationed": "ration", b"plain": "claim"}
"""What a script that claims answers where the queue wants the other one -> that other one."""


class Handed(NamedTuple):
    """A job that a claim brought."""

    job_id: str
    token: int


class Reply(NamedTuple):
    """state: the first word of the head, as "limited". wait_ms: when the runner is to ask again because of time."""

    state: str
    jobs: list[Handed]
    wait_ms: float | None
    now_ms: int

    @property
    def ids(self) -> list[str]:
        return [job.job_id for job in self.jobs]


def reply_from(raw: Sequence[bytes]) -> Reply:
    head, *records = raw[0].split(RECORD_BYTE)
    state, now_ms, wait_ms = head.split(FIELD_BYTE)[:3]
    fields = [record.split(FIELD_BYTE) for record in records]
    jobs = [Handed(one[0].decode(), int(one[1])) for one in fields]
    return Reply(state.decode(), jobs, float(wait_ms) if wait_ms else None, int(now_ms))


def held_record(job_id: str, token: int, delay_ms: int) -> EndRecord:
    """For fail.lua: the job is tried again after delay_ms, and its group rests until then."""
    return fail_record(job_id, token, ERROR, delay_ms / 1000, holds_group=True)


NO_ANSWER = "LinkLost: host:443 closed the link"

ENDS = {
    "finish": lambda job: complete_record(job.job_id, job.token, "noop", ""),
    "fail": lambda job: fail_record(job.job_id, job.token, ERROR, 60.0),
    "snooze": lambda job: snooze_record(job.job_id, job.token, ERROR, 60.0),
    "release": lambda job: release_record(job.job_id, job.token),
}


class Runner:
    """A registered runner, as the lease is one: it claims by the script that the queue asked for last."""

    def __init__(self, link: RedisLink, base: str, runner_id: str) -> None:
        self._scripts = Scripts(link)
        self._base = base
        self.runner_id = runner_id
        self.claims_by = "claim"

    async def register(self) -> None:
        await self._scripts.call("register", self._base, self.runner_id, "{}")

    async def claim(self, limit: int = 1, source: str = "ready", *strays: str) -> Reply:
        """Raises AssertionError where the runner is not registered."""
        while True:
            raw = await self._scripts.call(self.claims_by, self._base, self.runner_id, limit, source, *strays)
            if not isinstance(raw, bytes):
                return reply_from(raw)
            assert OTHER_CLAIM.get(raw, self.claims_by) != self.claims_by, f"{self.claims_by} answered {raw!r}"
            self.claims_by = OTHER_CLAIM[raw]

    async def end(self, script: str, *jobs: Handed) -> None:
        """End these attempts by finish, fail, snooze or release. Each must have been the runner's."""
        await self.send_ends(script, *[ENDS[script](job) for job in jobs])

    async def hold(self, job: Handed, delay_ms: int) -> None:
        await self.send_ends("fail", held_record(job.job_id, job.token, delay_ms))

    async def strike(self, *jobs: Handed, delay_ms: int | None = 60_000, words: str = NO_ANSWER) -> None:
        """End these attempts by fail.lua: nobody answered them."""
        delay_s = None if delay_ms is None else delay_ms / 1000
        records = [fail_record(job.job_id, job.token, ERROR, delay_s, strike=words) for job in jobs]
        await self.send_ends("fail", *records)

    async def send_ends(self, script: str, *records: EndRecord) -> None:
        letters = await self._scripts.call(script, self._base, self.runner_id, records_text(records))
        assert letters == b"1" * len(records), f"{script} answered {letters}"


class GroupedCase(RedisCase):
    """A test of limits and groups on the queue "q"."""

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.scripts = Scripts(self.link)
        self._commits = itertools.count(1)
        self.empty()

    async def asyncTearDown(self) -> None:
        await super().asyncTearDown()
        assert_lines(self.lines())

    def empty(self) -> None:
        """Empty Redis, but for the name of the queue."""
        self.client.flushall()
        self.client.sadd(self.keys.queues, self.queue_name)

    async def call(self, script: str, *arguments: Argument) -> Any:
        return await self.scripts.call(script, self.base, *arguments)

    async def put(self, group: str = "", count: int = 1, priority: str = "normal", **times: Any) -> list[str]:
        """The ids of new jobs of a group, "" for none; the first is the next of them."""
        jobs = [self.job(priority, group=group, **times) for _ in range(count)]
        for first in range(0, count, 500):
            await self.call("enqueue", "process", next(self._commits), new_jobs_text(jobs[first : first + 500]))
        return [job.job_id for job in jobs]

    async def runner(self, runner_id: str = "w", link: RedisLink | None = None) -> Runner:
        runner = Runner(link or self.link, self.base, runner_id)
        await runner.register()
        return runner

    async def limit(self, **settings: str) -> None:
        """Set limits of the queue, as they stand in `meta`: concurrency="2", rate="100/60000", group_rate=""."""
        pairs = [item for pair in settings.items() for item in pair]
        assert await self.call("adjust", self.queue_name, "", "", *pairs) == b"done"

    async def limit_group(self, group: str, text: str) -> str:
        """Set a group's own limits: "2|100/60000|1", "" takes them away. Gives done or missing."""
        answer: bytes = await self.call("limit_group", group, text)
        return answer.decode()

    async def release_group(self, group: str) -> str:
        answer: bytes = await self.call("release_group", group, "", "")
        return answer.decode()

    def lines(self) -> Lines:
        return read_lines(self.client, self.base)

    def running(self, group: str) -> int:
        return len(self.lines().active_by_group[group])
