"""POST /api/jobs/batch: many jobs in one request, as a JSON array or as NDJSON. A bad job spoils no other job.

    [{"type": "email", …}, {"type": 7}]      is answered
    {"items": [{"index": 0, "status": 202, "id": "email-0192…", "outcome": "created"},
               {"index": 1, "status": 422, "problem": {…}}]}

An array is read whole, and answered once every job has its item. NDJSON is read and answered line by line: upload.py.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from lib.api.bulk.intake import Intake, OnItem
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
    """The operation on many jobs at once. A drain ends every upload with a line that says how far it came."""

    def __init__(self, job_store: JobStore, registry: Registry, ids: JobIds, log: Log, drain: Drain) -> None:
        self._job_store = job_store
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
        # A long text is parsed in a thread, for it would hold up the loop for more than 5 ms.
        is_long = len(text) > LARGE_BYTES
        bodies = await asyncio.to_thread(json_body.parse, text) if is_long else json_body.parse(text)
        if type(bodies) is not list:
            raise InvalidFields(f"the body must be an array of jobs, not {json_type(bodies)}")
        if len(bodies) > MOST_ITEMS:
            raise InvalidFields(f"{len(bodies)} jobs are more than {MOST_ITEMS}; send them as {NDJSON}, one a line")
        items: dict[int, str] = {}
        is_complete = asyncio.Event()

        def on_item(index: int, item: str) -> None:
            items[index] = item
            if len(items) == len(bodies):
                is_complete.set()

        intake = self._intake(call, on_item)
        for index, body in enumerate(bodies):
            intake.offer(index, body)
            if index % ITEMS_A_TURN == ITEMS_A_TURN - 1:
                await asyncio.sleep(0)
        if bodies:
            await is_complete.wait()
        counts = {"queued": intake.taken_in, "known": intake.known, "refused": intake.refused}
        self._log_end(call, {"lines": len(bodies), **counts})
        shown = ",".join([items[index] for index in range(len(bodies))])
        return answer_text(200, f'{{"items":[{shown}]}}')

    async def _upload(self, call: Call, body: AsyncIterator[bytes]) -> Response:
        def make_intake(upload: Upload) -> Intake:
            return self._intake(call, upload.add_item)

        upload = Upload(make_intake, Spool(), self._drain)
        # The body's first bytes before the answer begins: a client that waits for "100 Continue" must get that first,
        # or an error.
        first = await anext(body, b"")
        return StreamedResponse(200, self._answer(call, upload, _whole(first, body)), content_type=NDJSON)

    def _intake(self, call: Call, on_item: OnItem) -> Intake:
        return Intake(call, self._job_store, self._registry, self._ids, self._log, on_item)

    async def _answer(self, call: Call, upload: Upload, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        answer = upload.answer(body)
        self._uploads.add(upload)
        try:
            async for piece in answer:
                yield piece
        finally:
            self._uploads.discard(upload)
            await answer.aclose()
            self._log_end(call, upload.counts, upload.end.detail if upload.end else None)

    def _end_uploads(self) -> None:
        for upload in self._uploads:
            upload.stop_reading()

    def _log_end(self, call: Call, counts: dict[str, int], why_early: str | None = None) -> None:
        """One log line for a batch. Its jobs bear the request id of this line, and have no lines of their own."""
        numbers = ", ".join(f"{count} {name}" for name, count in counts.items())
        msg = f"Batch {'ended early' if why_early else 'ended'}: {numbers}" + (f" | {why_early}" if why_early else "")
        log = self._log.warning if why_early else self._log.info
        log("batch.ended", msg, **call.asked_by, trace_id=call.trace.trace_id, **counts)


async def _whole(first: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body whose first piece was taken already, whole again."""
    if first:
        yield first
    async for piece in body:
        yield piece
