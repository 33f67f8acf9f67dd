"""Who plants a graph, tells what has ended, asks, and works, for the trials of graphs; and links whose owner dies.

site = Site(Mortal(link, 17, "after"))       # dies at its 17th call, once Redis has carried it out
await site.plant(plan, anchor_id)
await site.upkeep()                          # tell, then ask, each queue
await Crew(link, plan, anchor_id, fails={"p1"}).work()
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Any, Literal

from lib.ids import queue_of
from lib.queue.end_record import EndRecord, complete_record, fail_record, records_text
from lib.queue.framing import FIELD, FIELD_BYTE, PART, RECORD, RECORD_BYTE
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument
from tests.redis.case import ERROR, Through
from tests.redis.graph_judge import Plan
from tests.redis.graphs import QUEUES, edges_of, followers_of, ids_of, opened_by
from tests.redis.grouped import Handed, Runner

KEYS = RedisKeys("wb")
When = Literal["before", "after"]
Told = tuple[str, str, str, str]
"""A word: who is told, of which parent, its outcome (a mark), what the parent said."""


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
    """Plants graphs and brings notices to followers, over one link."""

    def __init__(self, link: RedisLink, *, ask_ms: int = 0) -> None:
        self._link = link
        self._scripts = Scripts(link)
        self._ask_ms = ask_ms

    async def plant(self, plan: Plan, anchor_id: str) -> None:
        """All jobs but the anchor, queue by queue; the anchor last; then what it has to say."""
        ids = ids_of(plan, anchor_id)
        by_queue: dict[str, list[str]] = defaultdict(list)
        for name, node in plan.nodes.items():
            if name != plan.anchor:
                by_queue[node.queue].append(record_of(plan, name, ids))
        home = plan.nodes[plan.anchor].queue
        for queue in sorted({*by_queue, home}):
            await self._link.call("SADD", KEYS.queues, queue)
        for queue, records in by_queue.items():
            await self._scripts.call("plant", KEYS.base(queue), self._ask_ms, "".join(records), "")
        await self._scripts.call("plant", KEYS.base(home), self._ask_ms, record_of(plan, plan.anchor, ids), "")
        await self.tell(home)

    async def tell(self, queue: str) -> None:
        """All that lies in the queue's notices, and what comes of it elsewhere."""
        todo = [queue]
        while todo:
            queue = todo.pop()
            notices = f"{KEYS.base(queue)}notices"
            entries = await self._link.call("XRANGE", notices, "-", "+", "COUNT", 20)
            if entries:
                todo += await self.say(word for _, fields in entries for word in words_of(fields))
                await self._link.call("XDEL", notices, *[entry for entry, _ in entries])
                todo.append(queue)

    async def say(self, words: Iterable[Told]) -> list[str]:
        """Say these words, by queue. Gives the queues in which there are notices now."""
        by_queue: dict[str, list[str]] = defaultdict(list)
        for word in words:
            by_queue[_queue(word[0])].append(FIELD.join(word) + RECORD)
        more = []
        for queue, records in by_queue.items():
            for some in _bites(records, 200):
                letters = await self._scripts.call("resolve", KEYS.base(queue), "".join(some), "")
                if letters.endswith(b"+"):
                    more.append(queue)
        return more

    async def heard(self, queue: str) -> list[Told]:
        """What lies in the queue's notices, and stays there."""
        entries = await self._link.call("XRANGE", f"{KEYS.base(queue)}notices", "-", "+", "COUNT", 5)
        return [word for _, fields in entries for word in words_of(fields)]

    async def ask(self, queue: str, *, again_ms: int = 3_600_000, order_ms: int = 50) -> int:
        """Who waits in the queue asks. Gives how many edges were asked about."""
        await self.tell(queue)
        flat = [one.decode() for one in await self._scripts.call("asking", KEYS.base(queue), 50, again_ms, order_ms)]
        asked = [tuple(flat[at : at + 4]) for at in range(0, len(flat), 4)]
        for follower, parent, _, rule in sorted(asked, key=place_of):
            if rule == "k":
                await self._scripts.call("cancel", KEYS.base(_queue(parent)), parent, "", "", "", "")
            elif rule[0] == "r":
                order = f"{follower} {rule}"
                await self._scripts.call("retry", KEYS.base(_queue(parent)), parent, "", "", "", "", "", order)
        by_queue: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for follower, parent, _, rule in asked:
            by_queue[_queue(parent)].append((follower, parent, rule))
        for parents, some in by_queue.items():
            records = [FIELD.join((parent, follower, rule, "")) + RECORD for follower, parent, rule in some]
            reply = await self._scripts.call("attach", KEYS.base(parents), "".join(records))
            answers = [answer.split(FIELD_BYTE) for answer in reply.split(RECORD_BYTE)[1:]]
            assert len(answers) == len(some), f"attach answered {reply} for {some}"
            await self.say(
                (follower, parent, answer[0].decode(), answer[1].decode())
                for (follower, parent, _), answer in zip(some, answers, strict=True)
                if answer[0]
            )
        return len(asked)

    async def upkeep(self, **times: int) -> None:
        for queue in QUEUES:
            await self.tell(queue)
        for queue in QUEUES:
            await self.ask(queue, **times)


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


def record_of(plan: Plan, name: str, ids: dict[str, str], priority: str = "normal", more: str = "") -> str:
    """A record of plant.lua: id, priority, options, spec. more: options beside those of a graph, as in `gtenant-1` and
    a PART behind it."""
    node = plan.nodes[name]
    edges = [f"{edge.rule}{ids[edge.parent]} {edge.name}" for edge in edges_of(plan, name)]
    followers = [ids[other] for other in followers_of(plan, name)]
    told = [ids[other] for other in opened_by(plan, name) if other not in (node.members or ())]
    options = {"b": ",".join(edges), "l": ",".join(followers), "o": ",".join(told), "j": "1" * node.is_workflow}
    text = more + "".join(f"{letter}{value}{PART}" for letter, value in options.items() if value)
    return FIELD.join((ids[name], priority, text, spec_of(name, is_workflow=node.is_workflow))) + RECORD


def spec_of(name: str, *, is_workflow: bool = False) -> str:
    kind, payload = ("workflow", f'{{"name":"{name}"}}') if is_workflow else ("noop", "{}")
    return (
        f'{{"v":1,"type":"{kind}","request_id":"r","max_attempts":5,"timeout_s":60,"backoff":[2,3600],'
        f'"payload":{payload}}}'
    )


def words_of(fields: Sequence[bytes]) -> list[Told]:
    """Of an entry of the notices."""
    notice = dict(zip(fields[::2], fields[1::2], strict=True))
    parent, outcome, said = (notice[name].decode() for name in (b"parent", b"outcome", b"said"))
    return [(follower, parent, outcome, said) for follower in notice[b"followers"].decode().split(",")]


def place_of(asked: Sequence[str]) -> int:
    """The number that begins the name of a member, in topological order; 0 for another parent."""
    number, slash, _ = asked[2].partition("/")
    return int(number) if slash else 0


def _bites(items: list[str], most: int) -> list[list[str]]:
    return [items[at : at + most] for at in range(0, len(items), most)]


def _queue(job_id: str) -> str:
    queue = queue_of(job_id)
    assert queue is not None, job_id
    return queue
