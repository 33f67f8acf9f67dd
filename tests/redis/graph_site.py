"""Who plants a graph, tells what has ended, asks, and works, for the trials of graphs; and links whose owner dies.

site = Site(Mortal(link, 17, "after"))       # dies at its 17th call, once Redis has carried it out
await site.plant(plan, anchor_id)
await site.upkeep()                          # tell, then ask, each queue
await Crew(link, plan, anchor_id, fails={"p1"}).work()
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any, Literal

from lib.jobs.job import NO_KEY, Keyed
from lib.queue.end_record import EndRecord, complete_record, fail_record, records_text
from lib.queue.enqueuer import Enqueuer
from lib.queue.fleet import Fleet, UpgradeGate
from lib.queue.keys import RedisKeys
from lib.queue.notice_text import Word, queue_of_raw, words_of, words_text
from lib.queue.notices import Notices
from lib.queue.scripts import Scripts
from lib.queue.workflow_store import Planted, Workflows
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.case import ERROR, Through
from tests.redis.graph_judge import Plan
from tests.redis.graphs import QUEUES, graph_of, ids_of
from tests.redis.grouped import Handed, Runner

KEYS = RedisKeys("wb")
NEVER = 10**9
"""For the number of a call: nobody dies."""
When = Literal["before", "after"]


class Died(BaseException):
    """The owner of a link has died. WHY no Exception: what the product does at a fault must not hide it."""


class Mortal(Through):
    """A link whose owner dies at its call number `at`: before the call is sent, or after Redis has carried it out. A
    dead owner makes no call any more."""

    def __init__(self, link: RedisLink, at: int, when: When) -> None:
        super().__init__(link)
        self._at = at
        self._when = when
        self.calls = 0

    async def call(self, *command: Argument) -> Any:
        self.calls += 1
        if self.calls > self._at or (self.calls == self._at and self._when == "before"):
            raise Died
        reply = await super().call(*command)
        if self.calls == self._at:
            raise Died
        return reply


class Frozen(Through):
    """A link whose owner is frozen at its call number `at`: `meanwhile` is run first, then the call is made."""

    def __init__(self, link: RedisLink, at: int, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(link)
        self._at = at
        self._meanwhile = meanwhile
        self.calls = 0

    async def call(self, *command: Argument) -> Any:
        self.calls += 1
        if self.calls == self._at:
            await self._meanwhile()
        return await super().call(*command)


class Site:
    """Plants graphs and brings notices to followers as a process of Waybill does, over one link."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._scripts = Scripts(link)
        self.notices = Notices(link, KEYS, on_fault=_raise)
        gate = UpgradeGate(Fleet(link, KEYS))
        enqueuer = Enqueuer(link, link, KEYS, ack_replicas=0, clock=time.monotonic, gate=gate)
        self._workflows = Workflows(
            link, link, KEYS, enqueuer=enqueuer, gate=gate, notices=self.notices, ack_replicas=0
        )

    async def plant(self, plan: Plan, anchor_id: str, keyed: Keyed = NO_KEY) -> Planted:
        """What POST /api/workflows does, and POST /api/jobs with `then`; the first jobs are told, too."""
        planted = await self._workflows.plant(graph_of(plan, anchor_id), keyed)
        await self.notices.wait_until_idle()
        return planted

    async def say(self, word: Word) -> None:
        """An old word, once more."""
        await self._scripts.call("resolve", KEYS.base(queue_of_raw(word.follower)), words_text([word]), "")

    async def heard(self, queue: str) -> list[Word]:
        """What lies in the queue's notices, and stays there."""
        entries = await self._link.call("XRANGE", KEYS.notices(queue), "-", "+", "COUNT", 5)
        return [word for _, fields in entries for word in words_of(fields)]

    async def upkeep(self) -> None:
        for queue in QUEUES:
            await self.notices.tell(queue)
        for queue in QUEUES:
            while await self.notices.ask(queue):
                pass


def _raise(queue: str, fault: Exception | None) -> None:
    if fault is not None:
        raise AssertionError(f"{queue}: {fault}") from fault


class Crew:
    """A runner of each queue. ran: name of a job -> how often its handler ran."""

    def __init__(self, link: RedisLink, plan: Plan, anchor_id: str, fails: Iterable[str] = ()) -> None:
        self._link = link
        self._names = {job_id: name for name, job_id in ids_of(plan, anchor_id).items()}
        self.fails = set(fails)
        self.ran: Counter[str] = Counter()

    async def work(self) -> int:
        """Claim and end everything that may run, each queue in turn. Gives how many jobs that were."""
        done = 0
        for queue in QUEUES:
            while some := await self.step(queue, 10):
                done += some
        return done

    async def step(self, queue: str, limit: int, rng: Random | None = None) -> int:
        """One claim, and the ends of what it brought; rng: in any order."""
        runner = Runner(self._link, KEYS.base(queue), f"w.{queue}")
        await runner.register()
        jobs = (await runner.claim(limit)).jobs
        if rng:
            rng.shuffle(jobs)
        for job in jobs:
            name = self._names.get(job.job_id, job.job_id)
            self.ran[name] += 1
            script = "fail" if name in self.fails else "finish"
            await self._end(queue, script, _end_of(script, job, name))
        return len(jobs)

    async def _end(self, queue: str, script: str, record: EndRecord) -> None:
        letters = await Scripts(self._link).call(script, KEYS.base(queue), f"w.{queue}", records_text([record]))
        assert letters.rstrip(b"+") == b"1", f"{script} answered {letters} for {record}"


def _end_of(script: str, job: Handed, name: str) -> EndRecord:
    if script == "fail":
        return fail_record(job.job_id, job.token, ERROR, None)
    return complete_record(job.job_id, job.token, "noop", f'{{"of":"{name}"}}')
