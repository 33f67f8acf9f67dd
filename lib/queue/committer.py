"""Group commit: what arrives while a call to Redis is in flight goes with the next call.

A call to Redis costs about as much as the work that it does for thirty jobs. So under load new jobs and ends of
attempts are sent many at a time, and with no load each is sent at once. Knows nothing of Redis; its `send` does.
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
OnAnswer = Callable[[Answer | Exception], None]
Batch = tuple[list[Item], list[OnAnswer[Answer]]]

MAX_ITEMS = 500  # A script over more than this holds Redis for over 10 ms.
MAX_BYTES = 1 << 20
WORTH_ITEMS = 16  # Fewer items wait until the batch before them is answered: by then more have come.


class Committer(Generic[Item, Answer]):
    """Collects items and hands them to `send` in batches, in the order in which they came.

    send(items, on_outcome): sends a batch, and calls `on_outcome(read, *arguments)` once the outcome is known. The
    committer then calls `read(*arguments)`, which returns an answer for each item, or a coroutine that returns them, or
    raises the fault that every item of the batch is answered with. After a fault the items that wait behind the batch
    are answered at once, that nothing was sent: else each would wait for a failure of its own.
    WHY `send` is no coroutine: with little load each job is a batch, and a coroutine took half the time of one.

    size_bytes(item): a batch holds at most MAX_ITEMS and MAX_BYTES, but always one item.
    in_flight: how many batches are sent at a time. With 2, Redis has work while the answers to the first are read here;
    a batch that is sent behind another has at least WORTH_ITEMS.

    Items in bulk go behind all others: else everybody would wait for 2,000 batches of whoever sends a million lines.
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
        self._waiting: deque[tuple[Item, OnAnswer[Answer]]] = deque()
        self._bulk: deque[tuple[Item, OnAnswer[Answer]]] = deque()
        self._most_in_flight = in_flight
        self._in_flight = 0
        self._is_due = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._became_idle = asyncio.Event()
        # Kept, for get_running_loop() asks the kernel for the process id each time.
        self._loop = asyncio.get_running_loop()

    def post(self, item: Item, on_answer: OnAnswer[Answer], *, in_bulk: bool = False) -> None:
        """Send `item` with the next batch; `on_answer` is called with its answer, or with the fault.

        No future: this is called for every job, and the callback of a future costs a turn of the loop.
        """
        (self._bulk if in_bulk else self._waiting).append((item, on_answer))
        if not self._is_due and self._is_worth_it():
            self._is_due = True
            self._loop.call_soon(self._send_due)

    def submit(self, item: Item) -> "asyncio.Future[Answer]":
        """Send `item` with the next batch; the future ends with its answer. An item whose future is cancelled is sent
        all the same."""
        answer: asyncio.Future[Answer] = self._loop.create_future()

        def on_answer(given: Answer | Exception) -> None:
            if answer.done():
                return
            if isinstance(given, Exception):
                answer.set_exception(given)
                answer.exception()  # Marked as seen: an item that nobody awaits is no bug.
            else:
                answer.set_result(given)

        self.post(item, on_answer)
        return answer

    @property
    def is_idle(self) -> bool:
        """True if no item waits and no batch is in flight."""
        return not (self._in_flight or self._waiting or self._bulk)

    async def wait_until_idle(self) -> None:
        """Wait until every item has been answered, also items that are handed in while this waits."""
        while not self.is_idle:
            self._became_idle.clear()
            await self._became_idle.wait()

    def _send_due(self) -> None:
        self._is_due = False
        self._send_next()

    def _is_worth_it(self) -> bool:
        """True if the items that wait may be sent now."""
        waits = len(self._waiting) + len(self._bulk)
        return waits >= (WORTH_ITEMS if self._in_flight else 1) and self._in_flight < self._most_in_flight

    def _send_next(self) -> None:
        if not self._is_worth_it():
            return
        batch = self._next_batch()
        self._in_flight += 1
        try:
            self._send(batch[0], functools.partial(self._on_outcome, batch))
        except Exception as fault:  # noqa: BLE001  Any fault is the answer to all items of the batch.
            self._answer(batch, fault)

    def _next_batch(self) -> Batch[Item, Answer]:
        items: list[Item] = []
        callbacks: list[OnAnswer[Answer]] = []
        room_bytes = MAX_BYTES
        for waiting in (self._waiting, self._bulk):
            while waiting and len(items) < MAX_ITEMS:
                room_bytes -= self._size_bytes(waiting[0][0])
                if room_bytes < 0 and items:
                    return items, callbacks
                item, on_answer = waiting.popleft()
                items.append(item)
                callbacks.append(on_answer)
        return items, callbacks

    def _on_outcome(self, batch: Batch[Item, Answer], read: Callable[..., Any], *arguments: Any) -> None:
        try:
            answers = read(*arguments)
        except Exception as fault:  # noqa: BLE001  as in `_send_next`
            answers = fault
        if asyncio.iscoroutine(answers):
            task = self._loop.create_task(self._await(batch, answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answer(batch, answers)

    async def _await(self, batch: Batch[Item, Answer], coming: Coroutine[Any, Any, list[Answer]]) -> None:
        answers: list[Answer] | Exception
        try:
            answers = await coming
        except Exception as fault:  # noqa: BLE001  as in `_send_next`
            answers = fault
        self._answer(batch, answers)

    def _answer(self, batch: Batch[Item, Answer], answers: list[Answer] | Exception) -> None:
        """Answer the items of a batch, and send the next batch."""
        items, callbacks = batch
        if not isinstance(answers, Exception) and len(answers) != len(items):
            answers = ValueError(f"{len(items)} items were sent and {len(answers)} answered")
        if isinstance(answers, Exception):
            behind = [on_answer for _, on_answer in (*self._waiting, *self._bulk)]
            self._waiting.clear()
            self._bulk.clear()
            self._call_back(callbacks, repeat(answers))
            self._call_back(behind, repeat(_fault_behind(answers)))
        else:
            self._call_back(callbacks, answers)
        self._in_flight -= 1
        self._send_next()
        if self.is_idle:
            self._became_idle.set()

    def _call_back(self, callbacks: list[OnAnswer[Answer]], answers: Iterable[Answer | Exception]) -> None:
        for on_answer, answer in zip(callbacks, answers, strict=False):
            try:
                on_answer(answer)
            except Exception as fault:  # noqa: BLE001  One callback that raises must not keep the others waiting for ever.
                self._loop.call_exception_handler({"message": "an answer could not be told", "exception": fault})


def _fault_behind(fault: Exception) -> Exception:
    """The answer to the items that wait behind a batch that failed with `fault`: nothing of theirs was sent."""
    # A committer serves one queue, so these items would meet the same broken keys; and Redis does answer.
    if isinstance(fault, RedisKeysBroken):
        return fault
    return RedisUnavailable("Redis failed the commit before this one; nothing of this one was sent")
