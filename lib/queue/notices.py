"""Tells jobs that wait for jobs what became of those, and has jobs that wait ask.

    notices = Notices(link, keys)
    notices.poke("email")              # soon: a script has said that notices lie in that queue
    await notices.tell("email")        # now: all that lies there, and what comes of it in other queues
    await notices.ask("email")         # what its blocked jobs wait for; True if more of them are to ask

1. The script that ends a job writes, in the same step, a notice into the stream of the job's queue: who is to be told
   what. Whoever comes by tells it: the runner at once, any supervisor a second later.
2. To tell is to bring each notice to the queues of the followers (resolve.lua), and then to cross it off (XDEL). Both
   may be done twice, by any number of processes at once: resolve.lua takes a word that came before for what it is. For
   an end that is told to a callback_url a webhook is queued (end_webhooks.py), in the queue `webhook`.
3. A notice for a queue that does not answer (somebody broke its keys, a node of the Cluster is away) stays, and the
   others are told past it.
4. Notices that a failover lost are made up for by asking: a blocked job asks after 15 s, and then once an hour.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lib.errors import OutcomeUnknown, RedisUnavailable
from lib.jobs.job import JobRecord
from lib.queue.asking import Asking
from lib.queue.end_webhooks import EndTold, EndWebhooks
from lib.queue.keys import RedisKeys
from lib.queue.notice_text import Asked, Word, by_queue, chunks_of, words_of, words_text
from lib.queue.replicas import Replicas
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

NOTICES_AT_ONCE = 20
"""One notice may have 1,000 followers and 64 KiB to say."""
MOST_TURNS = 1000
"""So many queues are looked at in one `tell`, each as often as something came of it there. A chain of jobs that are
cancelled one behind the other takes a turn a job."""
PATIENCE_S = 1.0
AWAY_S = 5.0
"""A queue that did not answer within PATIENCE_S is told nothing for AWAY_S: others wait behind it meanwhile."""
MORE = b"+"


class ToldWords(NamedTuple):
    """What resolve.lua answered in the queue `queue` to each of the words."""

    queue: str
    words: Sequence[Word]
    letters: bytes


class _Page(NamedTuple):
    """Some notices of one queue, which were told. last_id: of the last one. is_more: others lie behind it.
    is_some_left: some could not be told to all their followers."""

    last_id: bytes
    is_more: bool
    is_some_left: bool


class Notices:
    """The notices of all queues, for one process."""

    def __init__(
        self,
        link: RedisLink,
        keys: RedisKeys,
        *,
        commit_link: RedisLink | None = None,
        ack_replicas: int = 0,
        clock: Callable[[], float] = time.monotonic,
        on_fault: Callable[[str, Exception | None], None] = lambda queue, fault: None,
        on_told: Callable[[ToldWords], None] = lambda told: None,
        on_ends_told: Callable[[Sequence[EndTold]], None] = lambda told: None,
    ) -> None:
        """commit_link: the link of commits, if it is another one. ack_replicas: ACK_REPLICAS; 0 with a Cluster.

        on_fault: called with a queue and the fault for which its notices, or words for its jobs, wait until somebody
        mends its keys; and with the queue and None when words were taken there. on_told: called with what was told.
        on_ends_told: called with the ends that are told to a callback_url, and the webhooks that tell them."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(commit_link or link)
        self._process_id = secrets.token_hex(8)
        self._replicas = Replicas(commit_link or link, keys, self._process_id, ack_replicas)
        self._number = 0
        self._clock = clock
        self._on_fault = on_fault
        self._on_told = on_told
        self._on_ends_told = on_ends_told
        self._end_webhooks = EndWebhooks(link, keys, self._scripts, clock)
        self._asking = Asking(link, keys, on_fault)
        self._one_at_a_time = asyncio.Lock()
        self._away_until_s: dict[str, float] = {}
        """Queue of followers -> when it is told again."""
        self._read_past: dict[str, tuple[bytes, float]] = {}
        """Queue -> the last of its notices that was read past a queue that is away, and until when those rest."""
        self._poked: dict[str, bool] = {}
        """Queue that `poke` tells at the moment -> whether it was poked again meanwhile."""
        self._asked_soon: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._became_idle = asyncio.Event()

    # To tell soon.

    def poke(self, queue: str) -> None:
        """Tell the notices of the queue soon, from the loop. Never raises; what goes wrong is left to the next one."""
        if queue in self._poked:
            self._poked[queue] = True
            return
        self._poked[queue] = False
        self._start(self._tell_poked(queue))

    def ask_soon(self, queue: str) -> None:
        """Have the blocked jobs of the queue ask that are due to, from the loop. Never raises."""
        if queue not in self._asked_soon:
            self._asked_soon.add(queue)
            self._start(self._ask_quietly(queue))

    def attend(self, records: Iterable[JobRecord]) -> None:
        """These jobs of one queue were cancelled, or are run again. Tell their followers; and where a job itself waits
        for others, have it ask for them. Costs no command where no job waits for another."""
        for record in records:
            if record.then or record.calls_back:
                self.poke(record.queue)
            if record.edges or record.is_workflow:
                self.ask_soon(record.queue)

    async def wait_until_idle(self) -> None:
        """Wait until everything that `poke` and `ask_soon` began has ended."""
        while self._tasks:
            self._became_idle.clear()
            await self._became_idle.wait()

    async def _tell_poked(self, queue: str) -> None:
        try:
            is_poked = True
            while is_poked:
                self._poked[queue] = False
                with self._quietly(queue):
                    for other in await self._turn(queue):
                        self.poke(other)
                is_poked = self._poked[queue]
        finally:
            del self._poked[queue]

    async def _ask_quietly(self, queue: str) -> None:
        self._asked_soon.discard(queue)
        with self._quietly(queue):
            while await self.ask(queue):
                pass

    def _start(self, work: Coroutine[Any, Any, object]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)
        return task

    def _on_end(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Marked as seen: nobody awaits a call that took too long.
        if not self._tasks:
            self._became_idle.set()

    # To tell now.

    async def tell(self, queue: str) -> None:
        """Tell what lies in this queue, and then what comes of it in others. What lies there for a queue that does not
        answer stays. Raises RedisUnavailable, and RedisKeysBroken for the notices of this queue."""
        due = await self._turn(queue)
        for _ in range(MOST_TURNS):
            if not due:
                return
            other = due.pop()
            with self._quietly(other):
                due |= await self._turn(other)

    async def ask(self, queue: str) -> bool:
        """Have some blocked jobs of the queue ask that are due to. Returns whether more of them are.

        The queue's own notices are told first: the word that a workflow is open, above all, may lie there. Raises what
        `tell` raises."""
        self._read_past.pop(queue, None)
        self._away_until_s.pop(queue, None)
        await self.tell(queue)
        round_ = await self._asking.ask(queue)
        for other in round_.changed:
            with self._quietly(other):
                await self.tell(other)
        if round_.words and await self._resolve(queue, round_.words, None):
            await self.tell(queue)
        return round_.is_more

    async def hurry(self, queue: str) -> bool:
        """Have all blocked jobs of the queue be due to ask now. Returns whether there are any that were not."""
        return await self._asking.hurry(queue)

    async def inquire(self, edges: Sequence[Asked]) -> list[Word]:
        """Have jobs that were just planted ask for parents. Returns what is known already; the other parents will tell.
        Raises nothing: whoever is not answered asks again by itself."""
        words, _ = await self._asking.questions(edges)
        return words

    async def bring(self, words: Iterable[Word]) -> None:
        """Bring such words to the jobs that asked. Raises nothing."""
        for queue, some in by_queue(words).items():
            with self._quietly(queue):
                if await self._resolve(queue, some, None):
                    self.poke(queue)

    # How words are brought.

    async def _turn(self, queue: str) -> set[str]:
        """Tell the notices of the queue. Returns the queues in which notices lie by that."""
        due: set[str] = set()
        after, until_s = self._read_past.pop(queue, (b"", 0.0))
        if self._clock() >= until_s:
            after, until_s = b"", 0.0  # Those that were read past have their turn again.
        is_more, is_some_left = True, until_s > 0
        while is_more:
            page = await self._tell_page(queue, after, due)
            after, is_more, is_some_left = page.last_id, page.is_more, is_some_left or page.is_some_left
        if is_some_left:
            self._read_past[queue] = after, until_s or self._clock() + AWAY_S
        return due

    async def _tell_page(self, queue: str, after: bytes, due: set[str]) -> _Page:
        """Tell the next notices behind the one with the id `after`, the first ones for b""; add the queues to `due` in
        which notices lie by that."""
        stream = self._keys.notices(queue)
        entries = await self._link.call("XRANGE", stream, b"(" + after if after else "-", "+", "COUNT", NOTICES_AT_ONCE)
        if not entries:
            return _Page(after, is_more=False, is_some_left=False)
        words = {entry_id: words_of(fields, entry_id) for entry_id, fields in entries}
        failed = await self._say(by_queue(word for of_one in words.values() for word in of_one), due)
        told = [entry_id for entry_id, of_one in words.items() if failed.isdisjoint(by_queue(of_one))]
        if told:
            await self._link.call("XDEL", stream, *told)
        return _Page(entries[-1][0], len(entries) == NOTICES_AT_ONCE, len(told) < len(entries))

    async def _say(self, words: Mapping[str, Sequence[Word]], due: set[str]) -> set[str]:
        """Bring words to the queues of their followers. Returns the queues that have not taken theirs for certain; adds
        those to `due` in which notices lie now."""
        if not self._replicas.needed:
            return await self._say_to_all(words, due, None)
        # One at a time: the number that a queue holds of this process must be that of this call.
        async with self._one_at_a_time:
            numbers: dict[str, int] = {}
            failed = await self._say_to_all(words, due, numbers)
            sure = {queue: numbers[queue] for queue in words if queue in numbers and queue not in failed}
            if not await self._are_replicated(sure):
                self._put_off(sure)
                failed.update(sure)
            return failed

    async def _say_to_all(
        self, words: Mapping[str, Sequence[Word]], due: set[str], numbers: dict[str, int] | None
    ) -> set[str]:
        now_s = self._clock()
        self._away_until_s = {queue: until_s for queue, until_s in self._away_until_s.items() if until_s > now_s}
        failed = words.keys() & self._away_until_s.keys()
        saying = {
            queue: self._start(self._bring(queue, words[queue], numbers)) for queue in words if queue not in failed
        }
        if saying:
            await asyncio.wait(saying.values(), timeout=PATIENCE_S)
        for queue, task in saying.items():
            if not self._has_taken(queue, task):
                self._put_off([queue])
                failed.add(queue)
            elif task.result():
                due.add(queue)
        return failed

    def _has_taken(self, queue: str, saying: "asyncio.Task[bool]") -> bool:
        fault = saying.exception() if saying.done() else RedisUnavailable("no answer yet")
        if not isinstance(fault, Exception | None):
            raise fault
        if not isinstance(fault, RedisUnavailable):
            self._on_fault(queue, fault)
        return fault is None

    def _put_off(self, queues: Iterable[str]) -> None:
        until_s = self._clock() + AWAY_S
        self._away_until_s.update((queue, until_s) for queue in queues)

    async def _are_replicated(self, numbers: Mapping[str, int]) -> bool:
        """Whether enough replicas have the words. If not, they are said again, and the notices stay until then."""
        try:
            if numbers:
                await self._replicas.confirm(numbers)
        except RedisUnavailable:
            return False
        return True

    async def _bring(self, queue: str, words: Sequence[Word], numbers: dict[str, int] | None) -> bool:
        """As `_resolve`; and of the ends among these words that webhooks tell, queue the webhooks."""
        if ends := [word.end for word in words if word.end]:
            self._on_ends_told(await self._end_webhooks.plant(ends, lambda: self._mark(queue, numbers)))
            words = [word for word in words if not word.end]
        return await self._resolve(queue, words, numbers)

    def _mark(self, queue: str, numbers: dict[str, int] | None) -> str:
        """The mark of the next call that goes to the queue, by which a replica is known to have it; "" for none."""
        if numbers is None:
            return ""
        self._number += 1
        numbers[queue] = self._number
        return f"{self._process_id} {self._number}"

    async def _resolve(self, queue: str, words: Sequence[Word], numbers: dict[str, int] | None) -> bool:
        """Bring words to the jobs of one queue. Returns whether notices lie there now. numbers: gets the number of the
        last call; None where no replica is asked for."""
        has_notices = False
        for chunk in chunks_of(words):
            arguments = ("resolve", self._keys.base(queue), words_text(chunk), self._mark(queue, numbers))
            try:
                letters: bytes = await self._scripts.call(*arguments)
            except OutcomeUnknown:
                letters = await self._scripts.call(*arguments)  # A word may be said twice.
            has_notices = has_notices or letters.endswith(MORE)
            self._on_told(ToldWords(queue, chunk, letters))
        return has_notices

    @contextlib.contextmanager
    def _quietly(self, queue: str) -> Iterator[None]:
        """Put around what is repeated by upkeep in any case. Only a fault of the queue itself is told."""
        try:
            yield
        except RedisUnavailable:
            return
        except Exception as fault:  # noqa: BLE001  One queue's broken keys must not cost the others theirs.
            self._on_fault(queue, fault)
