"""Group commit: what arrives while a call is in flight goes with the next one.

One call to Redis costs about as much as the work of thirty jobs; so enqueue and finish are never sent alone under
load, and never wait when there is none. Knows nothing of Redis: `send` does.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from itertools import repeat
from typing import Any, Generic, TypeVar

from lib.errors import RedisKeysBroken, RedisUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Hear = Callable[[Answer | Exception], None]
Batch = tuple[list[Item], list[Hear[Answer]]]

MAX_ITEMS = 500  # A script over more than this holds Redis for over 10 ms.
MAX_BYTES = 1 << 20
WORTH_ITEMS = 16  # Fewer wait for the answer to the batch before them, and are more by then.


class Committer(Generic[Item, Answer]):
    """Collects items and hands them to `send` in batches, in the order they came.

    send(items, hear): puts them on their way, and has `hear(read, ...)` called when it is known what became of them:
    then `read(...)` gives as many answers, or a coroutine that comes to them, or raises what all of them are told.
    Where it raises, those that wait behind are told at once that nothing was sent: each would else wait for a failure
    of its own. WHY no coroutine all the way: where little is going on each job is a commit, and that took half of it.
    size_bytes: of one item. A batch holds at most MAX_ITEMS and MAX_BYTES, but always one item.
    in_flight: so many batches at a time. Where it is 2, Redis has work while the answers to the first are read here. A
    batch that goes behind another has WORTH_ITEMS at least.

    What is in bulk goes behind all else that waits: else whoever sends a million lines has everybody wait for 2,000.
    """

    def __init__(
        self,
        send: Callable[[list[Item], Callable[..., None]], None],
        size_bytes: Callable[[Item], int],
        *,
        in_flight: int = 1,
    ) -> None:
        self._send = send
        self._size_bytes = size_bytes
        self._waiting: deque[tuple[Item, Hear[Answer]]] = deque()
        self._bulk: deque[tuple[Item, Hear[Answer]]] = deque()
        self._most_away = in_flight
        self._away = 0
        self._is_due = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_settled = asyncio.Event()
        # Kept: get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()

    def post(self, item: Item, hear: Hear[Answer], *, in_bulk: bool = False) -> None:
        """Send `item` with the next batch; `hear` is called with its answer, or with what went wrong.

        A plain call, no future: this is done for every job, and a future's callback costs a turn of the loop.
        """
        (self._bulk if in_bulk else self._waiting).append((item, hear))
        if not self._is_due and self._is_worth_it():
            self._is_due = True
            self._loop.call_soon(self._send_due)

    def submit(self, item: Item) -> "asyncio.Future[Answer]":
        """The same, with the answer to be awaited. If nobody does, the item is sent all the same."""
        answer: asyncio.Future[Answer] = self._loop.create_future()

        def hear(heard: Answer | Exception) -> None:
            if answer.done():
                return
            if isinstance(heard, Exception):
                answer.set_exception(heard)
                answer.exception()  # Marked as seen: an item that nobody awaits is no bug.
            else:
                answer.set_result(heard)

        self.post(item, hear)
        return answer

    @property
    def is_idle(self) -> bool:
        """Nothing waits, and nothing is on its way."""
        return not (self._away or self._waiting or self._bulk)

    async def settled(self) -> None:
        """Wait until everything that was handed in so far has been answered."""
        while not self.is_idle:
            self._has_settled.clear()
            await self._has_settled.wait()

    def _send_due(self) -> None:
        self._is_due = False
        self._send_next()

    def _is_worth_it(self) -> bool:
        """Whether what waits may go now."""
        waits = len(self._waiting) + len(self._bulk)
        return waits >= (WORTH_ITEMS if self._away else 1) and self._away < self._most_away

    def _send_next(self) -> None:
        if not self._is_worth_it():
            return
        batch = self._next_batch()
        self._away += 1
        try:
            self._send(batch[0], functools.partial(self._heard, batch))
        except Exception as fault:  # noqa: BLE001  Whatever it is, those who wait for the answer are told.
            self._answered(batch, fault)

    def _next_batch(self) -> Batch[Item, Answer]:
        items: list[Item] = []
        hears: list[Hear[Answer]] = []
        room_bytes = MAX_BYTES
        for waiting in (self._waiting, self._bulk):
            while waiting and len(items) < MAX_ITEMS:
                room_bytes -= self._size_bytes(waiting[0][0])
                if room_bytes < 0 and items:
                    return items, hears
                item, hear = waiting.popleft()
                items.append(item)
                hears.append(hear)
        return items, hears

    def _heard(self, batch: Batch[Item, Answer], read: Callable[..., Any], *arguments: Any) -> None:
        try:
            answers = read(*arguments)
        except Exception as fault:  # noqa: BLE001  as in `_send_next`
            answers = fault
        if asyncio.iscoroutine(answers):
            task = self._loop.create_task(self._await(batch, answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answered(batch, answers)

    async def _await(self, batch: Batch[Item, Answer], coming: Coroutine[Any, Any, list[Answer]]) -> None:
        answers: list[Answer] | Exception
        try:
            answers = await coming
        except Exception as fault:  # noqa: BLE001  as in `_send_next`
            answers = fault
        self._answered(batch, answers)

    def _answered(self, batch: Batch[Item, Answer], answers: list[Answer] | Exception) -> None:
        """All is known of this batch: tell them, and send the next one."""
        items, hears = batch
        if not isinstance(answers, Exception) and len(answers) != len(items):
            answers = ValueError(f"{len(items)} items were sent and {len(answers)} answered")
        if isinstance(answers, Exception):
            behind = [hear for _, hear in (*self._waiting, *self._bulk)]
            self._waiting.clear()
            self._bulk.clear()
            self._tell(hears, repeat(answers))
            self._tell(behind, repeat(_fault_behind(answers)))
        else:
            self._tell(hears, answers)
        self._away -= 1
        self._send_next()
        if self.is_idle:
            self._has_settled.set()

    def _tell(self, hears: list[Hear[Answer]], answers: Iterable[Answer | Exception]) -> None:
        for hear, answer in zip(hears, answers, strict=False):
            try:
                hear(answer)
            except Exception as fault:  # noqa: BLE001  One that fails to listen must not keep the others waiting for ever.
                self._loop.call_exception_handler({"message": "an answer could not be told", "exception": fault})


def _fault_behind(fault: Exception) -> Exception:
    """What those are told that wait behind a commit that failed."""
    # One committer is one queue's: they would meet the same keys. RedisUnavailable would say that Redis is away.
    if isinstance(fault, RedisKeysBroken):
        return fault
    return RedisUnavailable("Redis failed the commit before this one; nothing of this one was sent")
