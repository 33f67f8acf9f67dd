"""POST /api/jobs/batch: many jobs in one request, as a JSON array or line by line. A bad one spoils no other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from lib.api.bulk.intake import Intake
from lib.api.bulk.spool import Spool
from lib.api.bulk.upload import Upload
from lib.errors import FieldError, InvalidFields
from lib.http1.message import Response, StreamedResponse
from lib.ids import JobIds
from lib.jobs.payload import json_type
from lib.jobs.registry import Registry
from lib.logs.log import Log
from lib.queue.job_store import JobStore
from lib.web import json_body
from lib.web.drain import Drain
from lib.web.json_answer import answer_text
from lib.web.router import Call, media_type

MOST_ITEMS = 1000
ARRAY_BYTES = 8 << 20
NDJSON_BYTES = 256 << 20
NDJSON = "application/x-ndjson"
BODIES = {"application/json": ARRAY_BYTES, NDJSON: NDJSON_BYTES}
ITEMS_A_TURN = 50
LARGE_BYTES = 64 << 10


class BatchOperations:
    """The operation on many jobs at once."""

    def __init__(self, queue: JobStore, registry: Registry, ids: JobIds, log: Log, drain: Drain) -> None:
        self._queue = queue
        self._registry = registry
        self._ids = ids
        self._log = log
        self._drain = drain
        self._uploads: set[Upload] = set()
        drain.on_begin(self._end_uploads)

    async def create(self, call: Call) -> Response:
        if "idempotency-key" in call.request.headers:
            detail = "names one job; here each has its own, in its field idempotency_key"
            raise InvalidFields(f"the Idempotency-Key {detail}", errors=[FieldError("Idempotency-Key", detail)])
        body = call.request.stream
        assert body is not None
        if media_type(call.request) == NDJSON:
            return await self._upload(call, body)
        return await self._array(call, b"".join([piece async for piece in body]))

    async def _array(self, call: Call, text: bytes) -> Response:
        # In a thread, where it is long: the loop gets its turn every 5 ms.
        is_long = len(text) > LARGE_BYTES
        bodies = await asyncio.to_thread(json_body.parse, text) if is_long else json_body.parse(text)
        if type(bodies) is not list:
            raise InvalidFields(f"the body must be an array of jobs, not {json_type(bodies)}")
        if len(bodies) > MOST_ITEMS:
            raise InvalidFields(f"{len(bodies)} jobs are more than {MOST_ITEMS}; send them as {NDJSON}, one a line")
        items: dict[int, str] = {}
        is_told = asyncio.Event()

        def tell(index: int, item: str) -> None:
            items[index] = item
            if len(items) == len(bodies):
                is_told.set()

        intake = Intake(call, self._queue, self._registry, self._ids, self._log, tell)
        for index, body in enumerate(bodies):
            intake.offer(index, body)
            if index % ITEMS_A_TURN == ITEMS_A_TURN - 1:
                await asyncio.sleep(0)
        if bodies:
            await is_told.wait()
        counts = {"queued": intake.taken_in, "known": intake.known, "refused": intake.refused}
        self._tell_log(call, {"lines": len(bodies), **counts})
        shown = ",".join([items[index] for index in range(len(bodies))])
        return answer_text(200, f'{{"items":[{shown}]}}')

    async def _upload(self, call: Call, body: AsyncIterator[bytes]) -> Response:
        def make_intake(upload: Upload) -> Intake:
            return Intake(call, self._queue, self._registry, self._ids, self._log, upload.tell)

        upload = Upload(make_intake, Spool(), self._drain)
        # The first bytes before the answer's: who waits for "100 Continue" must get that first, or an error.
        first = await anext(body, b"")
        return StreamedResponse(200, self._answer(call, upload, _again(first, body)), content_type=NDJSON)

    async def _answer(self, call: Call, upload: Upload, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        answer = upload.answer(body)
        self._uploads.add(upload)
        try:
            async for piece in answer:
                yield piece
        finally:
            self._uploads.discard(upload)
            await answer.aclose()
            self._tell_log(call, upload.counts, upload.end.detail if upload.end else None)

    def _end_uploads(self) -> None:
        """The server is about to stop: each upload ends with a line that says how far it came."""
        for upload in self._uploads:
            upload.stop_reading()

    def _tell_log(self, call: Call, counts: dict[str, int], why_early: str | None = None) -> None:
        """One line a batch: its jobs bear the same request id."""
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        msg = f"Batch {'ended early' if why_early else 'ended'}: {said}" + (f" | {why_early}" if why_early else "")
        say = self._log.warning if why_early else self._log.info
        say("batch.ended", msg, request_id=call.request_id, trace_id=call.trace.trace_id, **counts)


async def _again(first: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body from which the first piece was taken already, whole again."""
    if first:
        yield first
    async for piece in body:
        yield piece
