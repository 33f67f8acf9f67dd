"""Exports the spans of jobs (lib/jobs/exported_spans.py) from one process: a runner, a supervisor or a server.

    spans = open_spans(collector, link, keys, log)          # None where nothing is exported
    spans.note("email-01a2…", Ended.of_attempt(2))          # soon: the job's record is read, and its spans are made
    await spans.close()

WHY the record is read, though its runner knows much of it: only the record has the earlier attempts and Redis' times.
What GET /api/requests/{request_id} shows is made of it by the same code, so ids, parents and times are the same there.
A record that upkeep removes within READ_AFTER_S of the job's end (RETAIN_COMPLETED=0) can't be read any more, and the
spans of that end are not exported.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.exported_spans import Ended, exported, parents_of
from lib.jobs.job import JobRecord
from lib.logs.log import Log
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.meters import Meters
from lib.redis_link.link import RedisLink

if TYPE_CHECKING:
    from lib.otlp import Exporter
    from lib.otlp_post import Collector

READ_AT_ONCE = 50
READ_AFTER_S = 0.2
"""A job that has ended is read this much later, with those that end meanwhile."""
MOST_NOTED = 4096
ROOM = 400
"""While the exporter has room for fewer spans, no record is read: a collector that is away costs no work in vain."""
FULL_PAUSE_S = 0.1
COUNT_EVERY_S = 5.0
CLOSE_S = 2.0


class JobSpans:
    """exporter: to which others may add spans, too."""

    def __init__(self, exporter: "Exporter", job_store: JobStore, meters: Meters, log: Log) -> None:
        self.exporter = exporter
        self._job_store = job_store
        self._counts = _SpanCounts(exporter, meters)
        self._log = log
        self._noted: list[tuple[str, Ended]] = []
        self._reading: asyncio.Task[None] | None = None
        self._is_closing = False

    def note(self, job_id: str, ended: Ended) -> None:
        """Something of a job has ended: export what has. To be called on the loop; never raises."""
        if len(self._noted) >= MOST_NOTED:
            self.exporter.drop(1)
            return
        self._noted.append((job_id, ended))
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read_soon())

    async def export(self, records: Sequence[JobRecord], ended: Ended) -> None:
        """Export what has ended of jobs that were read just now. Never raises."""
        with self._losing(len(records)):
            await self._export([(record, ended) for record in records])

    async def count(self) -> None:
        """Add to the counts in Redis, which /metrics shows, for as long as this process runs."""
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            await self._counts.add()

    async def close(self, within_s: float = CLOSE_S) -> None:
        """Send what has ended so far, in so long at most. A third of it each may go to Redis and to the collector."""
        self._is_closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s / 3):
                while self._noted or self._reading is not None:
                    await (self._reading or self._read_noted())
        self.exporter.drop(len(self._noted))
        self._noted.clear()
        await asyncio.to_thread(self.exporter.close, within_s / 3)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s / 3):
                await self._counts.add()

    async def _read_soon(self) -> None:
        try:
            await asyncio.sleep(READ_AFTER_S)
            await self._read_noted()
        finally:
            self._reading = None

    async def _read_noted(self) -> None:
        while self._noted:
            if self.exporter.room < ROOM and not self._is_closing:
                await asyncio.sleep(FULL_PAUSE_S)
                continue
            some, self._noted = self._noted[:READ_AT_ONCE], self._noted[READ_AT_ONCE:]
            with self._losing(len(some)):
                found = await self._job_store.read_many(list(dict.fromkeys(job_id for job_id, _ in some)))
                records = {record.job_id: record for record in found}
                self.exporter.drop(sum(job_id not in records for job_id, _ in some))
                await self._export([(records[job_id], ended) for job_id, ended in some if job_id in records])

    @contextlib.contextmanager
    def _losing(self, count: int) -> Iterator[None]:
        """Put around what exports so many jobs. What goes wrong there costs their spans, and nothing else."""
        try:
            yield
        except (RedisUnavailable, RedisKeysBroken):
            self.exporter.drop(count)
        except Exception as fault:  # noqa: BLE001  A span that can't be made must change nothing of what it tells of.
            self.exporter.drop(count)
            self._log.exception("spans.failed", "Spans could not be made, by a fault of ours", fault)

    async def _export(self, ends: Sequence[tuple[JobRecord, Ended]]) -> None:
        parents = list({parent_id for record, ended in ends for parent_id in parents_of(record, ended)})
        traces = {
            record.job_id: record.spec.trace.trace_id
            for record in (await self._job_store.read_many(parents) if parents else [])
            if record.spec is not None
        }
        for record, ended in ends:
            if spans := exported(record, ended, traces):
                self.exporter.add(spans)


class _SpanCounts:
    """How many spans were exported and dropped here, added to what all processes have counted."""

    def __init__(self, exporter: "Exporter", meters: Meters) -> None:
        self._exporter = exporter
        self._meters = meters
        self._told = {"exported": 0, "dropped": 0}

    async def add(self) -> None:
        with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
            for name, told in self._told.items():
                count: int = getattr(self._exporter, name)
                if count > told:
                    # Before the call: where its reply is lost, a count too low is better than one told twice.
                    self._told[name] = count
                    await self._meters.count_spans(name, count - told)


def open_spans(collector: "Collector | None", link: RedisLink, keys: RedisKeys, log: Log) -> JobSpans | None:
    """None where no collector is set: then nothing is imported for it."""
    if collector is None:
        return None
    from lib.otlp import Exporter

    exporter = Exporter(collector, log.warning)
    exporter.start()
    return JobSpans(exporter, JobStore(link, keys), Meters(link, keys), log)
