"""A batch as NDJSON: a line in, a line out, however many there are.

1. Lines are read as they arrive and sent to Redis with their neighbours. Only so many are on their way at a time: when
   Redis is slow, the connection reads no more, and the client waits.
2. The answer's lines stand in the order of the upload's. Where the client does not read them yet, they are put aside.
3. Redis away? Those on their way are refused, each by itself; then one line is tried now and then, until one is taken
   in or PATIENCE_S have passed. Then the upload ends with a line that says where, and the rest of it is thrown away.
4. A million lines must not keep other requests waiting: the loop has its turn every few milliseconds.
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
    """make_intake: an Intake that tells this one."""

    def __init__(self, make_intake: Callable[["Upload"], Intake], spool: Spool, drain: Drain) -> None:
        self._intake = make_intake(self)
        self._spool = spool
        self._drain = drain
        self._lines = 0
        self._next_out = 0
        self._told: dict[int, str] = {}
        self._is_flush_due = False
        self._progress = asyncio.Event()
        self._turn_ends_s = 0.0
        self._away_since_s: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self.end: WaybillError | None = None
        """Why it ended before its end."""

    @property
    def counts(self) -> dict[str, int]:
        intake = self._intake
        return {"lines": self._lines, "queued": intake.taken_in, "known": intake.known, "refused": intake.refused}

    def tell(self, index: int, item: str) -> None:
        """What became of a line."""
        self._told[index] = item
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def stop_reading(self) -> None:
        """The server is about to stop: wait for no further line, however long the client is silent."""
        if self._reading is not None:
            self._reading.cancel()

    async def answer(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The answer in pieces, while `body` is taken."""
        taking = asyncio.get_running_loop().create_task(self._take(body))
        try:
            while piece := await self._spool.take():
                yield piece
            await taking
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            self._spool.close()

    async def _take(self, body: AsyncIterator[bytes]) -> None:
        try:
            await self._read(body)
            while self._intake.in_flight:
                await self._more_progress()
        except WaybillError as fault:
            self.end = fault
            await self._finish_early(fault, body)
        finally:
            self._flush()
            self._spool.end()

    async def _read(self, body: AsyncIterator[bytes]) -> None:
        """To the body's end, or until the server is about to stop. Raises what `_take_lines` raises."""
        if self._drain.has_begun:
            raise _leaving()  # Its first bytes came after `drain` had been said to the others.
        self._reading = asyncio.get_running_loop().create_task(self._take_lines(body))
        try:
            await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # It is this whole answer that is given up.
            raise _leaving() from None

    async def _take_lines(self, body: AsyncIterator[bytes]) -> None:
        """Raises WaybillError: HttpError where the body breaks, RedisUnavailable, Draining."""
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
            if self._must_give_way():
                await self._give_way()

    def _must_give_way(self) -> bool:
        intake = self._intake
        is_much = intake.in_flight >= MOST_IN_FLIGHT or intake.in_flight_bytes > MOST_IN_FLIGHT_BYTES
        return is_much or intake.fault is not None or time.perf_counter() > self._turn_ends_s

    async def _give_way(self) -> None:
        """Let others have their turn; wait while too much is on its way, or Redis is away."""
        intake = self._intake
        if self._drain.has_begun:
            raise _leaving()
        if intake.fault is not None:
            await self._be_patient()
        else:
            self._away_since_s = None
        if intake.in_flight >= MOST_IN_FLIGHT or intake.in_flight_bytes > MOST_IN_FLIGHT_BYTES:
            while intake.in_flight > MOST_IN_FLIGHT // 2 or intake.in_flight_bytes > MOST_IN_FLIGHT_BYTES // 2:
                await self._more_progress()
        if self._spool.is_full:
            await self._spool.room()
        await asyncio.sleep(0)
        self._turn_ends_s = time.perf_counter() + TURN_S

    async def _be_patient(self) -> None:
        """After a failed commit: have all that is on its way answered, and wait a moment before the next line."""
        now_s = time.monotonic()
        self._away_since_s = self._away_since_s or now_s
        while self._intake.in_flight:
            await self._more_progress()
        if self._intake.fault is None:
            return
        if now_s - self._away_since_s > PATIENCE_S:
            raise RedisUnavailable(f"no line was taken in for {PATIENCE_S:g} s: {self._intake.fault.detail}")
        await asyncio.sleep(TRY_EVERY_S)

    async def _finish_early(self, fault: WaybillError, body: AsyncIterator[bytes]) -> None:
        """Say so in a last line, once the lines before it are answered; then let the client send to its end."""
        while self._intake.in_flight:
            await self._more_progress()
        self._flush()
        last = self._intake.refusal(self._lines, fault)
        self._spool.put(f'{last[:-1]},"ended_early":true}}\n'.encode())
        if isinstance(fault, RedisUnavailable):
            # A client that sends all before it reads would never come to read that line if this one hung up.
            async for _ in body:
                if self._drain.has_begun:
                    return

    async def _more_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    def _flush(self) -> None:
        """Hand on the lines that are next in order."""
        self._is_flush_due = False
        told, out = self._told, []
        while (item := told.pop(self._next_out, None)) is not None:
            out.append(item)
            self._next_out += 1
        if out:
            self._spool.put(("\n".join(out) + "\n").encode())
        self._progress.set()


def _leaving() -> Draining:
    return Draining("this server is shutting down; send the lines again that were not answered")
