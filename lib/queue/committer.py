"""Group commit: what arrives while a call is in flight goes with the next one.

One call to Redis costs about as much as the work of thirty jobs; so enqueue and finish are never sent alone under
load, and never wait when there is none. Knows nothing of Redis: `send` does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import repeat
from typing import Generic, TypeVar

from lib.errors import RedisUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Hear = Callable[[Answer | Exception], None]

MAX_ITEMS = 500  # A script over more than this holds Redis for over 10 ms.
MAX_BYTES = 1 << 20


class Committer(Generic[Item, Answer]):
    """Collects items and hands them to `send` in batches, in the order they came.

    send: takes the items, gives as many answers, or raises what all of them are told. Where it raises, those that wait
    behind are told RedisUnavailable at once: each would else wait for a failure of its own.
    size_bytes: of one item. A batch holds at most MAX_ITEMS and MAX_BYTES, but always one item.
    in_flight: so many batches at a time. Where it is 2, Redis has work while the answers to the first are read here.

    What is in bulk goes behind all else that waits: else whoever sends a million lines has everybody wait for 2,000.
    """

    def __init__(
        self,
        send: Callable[[list[Item]], Awaitable[list[Answer]]],
        size_bytes: Callable[[Item], int],
        *,
        in_flight: int = 1,
    ) -> None:
        self._send = send
        self._size_bytes = size_bytes
        self._waiting: deque[tuple[Item, Hear[Answer]]] = deque()
        self._bulk: deque[tuple[Item, Hear[Answer]]] = deque()
        self._in_flight = in_flight
        self._senders: set[asyncio.Task[None]] = set()
        # Kept: get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()

    def post(self, item: Item, hear: Hear[Answer], *, in_bulk: bool = False) -> None:
        """Send `item` with the next batch; `hear` is called with its answer, or with what went wrong.

        A plain call, no future: this is done for every job, and a future's callback costs a turn of the loop.
        """
        (self._bulk if in_bulk else self._waiting).append((item, hear))
        if len(self._senders) < self._in_flight:
            self._senders.add(self._loop.create_task(self._run()))

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
        return not self._senders

    async def settled(self) -> None:
        """Wait until everything that was handed in so far has been answered."""
        while self._senders:
            await asyncio.wait(self._senders)

    async def _run(self) -> None:
        try:
            while self._waiting or self._bulk:
                await self._commit(self._next_batch())
        finally:
            if (task := asyncio.current_task()) is not None:
                self._senders.discard(task)

    def _next_batch(self) -> list[tuple[Item, Hear[Answer]]]:
        batch: list[tuple[Item, Hear[Answer]]] = []
        room_bytes = MAX_BYTES
        for waiting in (self._waiting, self._bulk):
            while waiting and len(batch) < MAX_ITEMS:
                room_bytes -= self._size_bytes(waiting[0][0])
                if room_bytes < 0 and batch:
                    return batch
                batch.append(waiting.popleft())
        return batch

    async def _commit(self, batch: list[tuple[Item, Hear[Answer]]]) -> None:
        try:
            answers = await self._send([item for item, _ in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(batch)} items were sent and {len(answers)} answered")
        except Exception as fault:  # noqa: BLE001  Whatever it is, those who wait for the answer are told.
            self._tell(batch, repeat(fault))
            behind = [*self._waiting, *self._bulk]
            self._waiting.clear()
            self._bulk.clear()
            away = RedisUnavailable("Redis failed the commit before this one; nothing of this one was sent")
            self._tell(behind, repeat(away))
            return
        self._tell(batch, answers)

    def _tell(self, batch: list[tuple[Item, Hear[Answer]]], answers: Iterable[Answer | Exception]) -> None:
        for (_, hear), answer in zip(batch, answers, strict=False):
            try:
                hear(answer)
            except Exception as fault:  # noqa: BLE001  One that fails to listen must not keep the others waiting for ever.
                self._loop.call_exception_handler({"message": "an answer could not be told", "exception": fault})
