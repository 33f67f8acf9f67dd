"""A batch as NDJSON: a line in, a line out, however many lines there are.

1. Lines are read as they arrive, and sent to Redis with their neighbours. At most MOST_IN_FLIGHT are on their way at a
   time: when Redis is slow, the connection reads no more, and the client waits.
2. The lines of the answer stand in the order of the upload's. While the client does not read them, a Spool holds them.
3. Is Redis away? The lines on their way are refused, each by itself. Then one line is tried every TRY_EVERY_S, until a
   line is taken in or PATIENCE_S have passed. In the latter case the upload ends with a line that says where, and the
   rest of it is thrown away.
4. A million lines must not keep other requests waiting: they get a turn every TURN_S.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from lib.api.bulk.intake import Intake
from lib.api.bulk.ndjson import Lines
from lib.api.bulk.spool import Spool
from lib.errors import Draining, PayloadTooLarge, RedisUnavailable, WaybillError
from lib.web.drain import Drain

LINE_BYTES = 1 << 20
MOST_IN_FLIGHT = 2000
MOST_IN_FLIGHT_BYTES = 2 << 20
PATIENCE_S = 10.0
TRY_EVERY_S = 0.25
TURN_S = 0.003


class Upload:
    """One upload. make_intake: gives an Intake whose items go to this upload's `add_item`."""

    def __init__(self, make_intake: Callable[["Upload"], Intake], spool: Spool, drain: Drain) -> None:
        self._intake = make_intake(self)
        self._spool = spool
        self._drain = drain
        self._lines = 0
        self._next_out = 0
        self._items: dict[int, str] = {}
        self._is_flush_due = False
        self._has_new_items = asyncio.Event()
        self._turn_ends_s = 0.0
        self._away_since_s: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self.end: WaybillError | None = None
        """Why the upload ended before its last line; None otherwise."""

    @property
    def counts(self) -> dict[str, int]:
        intake = self._intake
        return {"lines": self._lines, "queued": intake.taken_in, "known": intake.known, "refused": intake.refused}

    def add_item(self, index: int, item: str) -> None:
        """Add the answer to line `index`. It is written when the answers to all lines before are written."""
        self._items[index] = item
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def stop_reading(self) -> None:
        """Wait for no further line, however long the client is silent: the server is about to stop."""
        if self._reading is not None:
            self._reading.cancel()

    async def answer(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The answer in pieces, while `body` is read in a task."""
        receiving = asyncio.get_running_loop().create_task(self._receive(body))
        try:
            while piece := await self._spool.take():
                yield piece
            await receiving
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            self._spool.close()

    async def _receive(self, body: AsyncIterator[bytes]) -> None:
        """Take every line in, and wait until each has its item."""
        try:
            await self._read(body)
            while self._intake.in_flight:
                await self._wait_for_items()
        except WaybillError as fault:
            self.end = fault
            await self._finish_early(fault, body)
        finally:
            self._flush()
            self._spool.end()

    async def _read(self, body: AsyncIterator[bytes]) -> None:
        """Read to the body's end, or until the server is about to stop. Raises as `_take_lines` does."""
        if self._drain.has_begun:
            raise _draining_error()  # The first bytes of this upload came after the drain had begun.
        self._reading = asyncio.get_running_loop().create_task(self._take_lines(body))
        try:
            await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # Not `stop_reading`: the whole answer is given up.
            raise _draining_error() from None

    async def _take_lines(self, body: AsyncIterator[bytes]) -> None:
        """Raises HttpError where the body breaks off or is no HTTP, RedisUnavailable, or Draining."""
        lines = Lines(LINE_BYTES)
        async for piece in body:
            await self._offer(lines.feed(piece))
        await self._offer(lines.end())

    async def _offer(self, lines: list[bytes | None]) -> None:
        for line in lines:
            if line is None:
                too_large = PayloadTooLarge(f"the line is longer than {LINE_BYTES} bytes")
                self._intake.refuse(self._lines, too_large)
            elif not line.strip(b" \t\r"):
                continue
            else:
                self._intake.offer_text(self._lines, line)
            self._lines += 1
            if self._is_pause_due():
                await self._pause()

    def _is_pause_due(self) -> bool:
        intake = self._intake
        is_much = intake.in_flight >= MOST_IN_FLIGHT or intake.in_flight_bytes > MOST_IN_FLIGHT_BYTES
        return is_much or intake.fault is not None or time.perf_counter() > self._turn_ends_s

    async def _pause(self) -> None:
        """Give other requests a turn. Wait before, while too many lines are on their way, or Redis is away."""
        intake = self._intake
        if self._drain.has_begun:
            raise _draining_error()
        if intake.fault is not None:
            await self._wait_for_redis()
        else:
            self._away_since_s = None
        if intake.in_flight >= MOST_IN_FLIGHT or intake.in_flight_bytes > MOST_IN_FLIGHT_BYTES:
            while intake.in_flight > MOST_IN_FLIGHT // 2 or intake.in_flight_bytes > MOST_IN_FLIGHT_BYTES // 2:
                await self._wait_for_items()
        if self._spool.is_full:
            await self._spool.room()
        await asyncio.sleep(0)
        self._turn_ends_s = time.perf_counter() + TURN_S

    async def _wait_for_redis(self) -> None:
        """After a failed commit: wait until each line on its way has its item, and TRY_EVERY_S before the next line.

        Raises RedisUnavailable after PATIENCE_S."""
        now_s = time.monotonic()
        self._away_since_s = self._away_since_s or now_s
        while self._intake.in_flight:
            await self._wait_for_items()
        if self._intake.fault is None:
            return
        if now_s - self._away_since_s > PATIENCE_S:
            raise RedisUnavailable(f"no line was taken in for {PATIENCE_S:g} s: {self._intake.fault.detail}")
        await asyncio.sleep(TRY_EVERY_S)

    async def _finish_early(self, fault: WaybillError, body: AsyncIterator[bytes]) -> None:
        """End with a last line that says why, once the lines before it are answered."""
        while self._intake.in_flight:
            await self._wait_for_items()
        self._flush()
        last = self._intake.problem_item(self._lines, fault)
        self._spool.put(f'{last[:-1]},"ended_early":true}}\n'.encode())
        if isinstance(fault, RedisUnavailable):
            # The rest of the body is read and thrown away: a client that sends all before it reads would never come
            # to read the last line if the connection ended here.
            async for _ in body:
                if self._drain.has_begun:
                    return

    async def _wait_for_items(self) -> None:
        """Wait until more lines have their items."""
        self._has_new_items.clear()
        await self._has_new_items.wait()

    def _flush(self) -> None:
        """Hand the items that are next in order to the spool."""
        self._is_flush_due = False
        items, out = self._items, []
        while (item := items.pop(self._next_out, None)) is not None:
            out.append(item)
            self._next_out += 1
        if out:
            self._spool.put(("\n".join(out) + "\n").encode())
        self._has_new_items.set()


def _draining_error() -> Draining:
    return Draining("this server is shutting down; send the lines again that were not answered")
