"""The jobs of one batch on their way in: each is read, sent with the next commit, and told of by itself.

A plain call and a callback for each job, no task and no future: there may be a million of them.
"""

import functools
from collections.abc import Callable
from typing import Any

from lib.api import idempotency
from lib.api.shown import outcome_of
from lib.errors import FieldError, InvalidFields, RedisKeysBroken, WaybillError
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.job import Accepted, NewJob
from lib.jobs.payload import json_type
from lib.jobs.registry import Registry
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.job_store import REFUSED, JobStore, refused_job_error
from lib.web import json_body
from lib.web.problems import InternalError, body_of
from lib.web.router import Call

Tell = Callable[[int, str], None]


class Intake:
    """tell(index, item): what became of one job, as JSON text; in any order, and maybe before `offer` returns."""

    def __init__(self, call: Call, queue: JobStore, registry: Registry, ids: JobIds, log: Log, tell: Tell) -> None:
        self._call = call
        self._queue = queue
        self._registry = registry
        self._ids = ids
        self._log = log
        self._tell = tell
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.taken_in = 0
        self.known = 0
        self.refused = 0
        self.fault: WaybillError | None = None
        """Why the last commit failed; None once one has succeeded. Not where one queue's keys are broken: the lines
        for other queues need not wait for that."""

    def offer_text(self, index: int, line: bytes) -> None:
        """A job as JSON text."""
        try:
            body = json_body.parse(line)
        except WaybillError as error:
            self.refuse(index, error)
        else:
            self.offer(index, body)

    def offer(self, index: int, body: Any) -> None:
        """A job as POST /api/jobs takes it, with an `idempotency_key` beside its fields if it has one."""
        try:
            job = self._read(body)
        except WaybillError as error:
            self.refuse(index, error)
            return
        except Exception as fault:  # noqa: BLE001  A bug of ours costs this job alone.
            self.refuse(index, self._ours(fault))
            return
        size_bytes = len(job.spec_text)
        self.in_flight += 1
        self.in_flight_bytes += size_bytes
        self._queue.post(job, functools.partial(self._hear, index, size_bytes), in_bulk=True)

    def refuse(self, index: int, error: WaybillError) -> None:
        self.refused += 1
        self._tell(index, self.refusal(index, error))

    def refusal(self, index: int, error: WaybillError) -> str:
        shown = body_of(error, self._call.request_id)
        return to_json({"index": index, "status": error.status, "problem": shown})

    def _read(self, body: Any) -> NewJob:
        key = None
        if type(body) is dict and "idempotency_key" in body:
            # A copy: the fingerprint is of the job alone, so that a POST under the same key finds it.
            body = dict(body)
            key = body.pop("idempotency_key")
            if key is not None and type(key) is not str:
                fault = FieldError("/idempotency_key", f"must be a string, not {json_type(key)}")
                raise InvalidFields("1 field is not valid; see errors", errors=[fault])
        call = self._call
        job, _ = submission.read(body, self._registry, self._ids, request_id=call.request_id, trace=call.trace)
        return job if key is None else idempotency.under_key(job, key, call, body, pointer="/idempotency_key")

    def _fail(self, index: int, fault: Exception) -> None:
        if not isinstance(fault, WaybillError):
            fault = self._ours(fault)
        if not isinstance(fault, RedisKeysBroken):
            self.fault = fault
        self.refuse(index, fault)

    def _ours(self, fault: Exception) -> InternalError:
        """A bug: the log has it, and the caller the request id."""
        request_id = self._call.request_id
        self._log.exception(
            "request.failed", "A job of a batch failed by a fault of ours", fault, request_id=request_id
        )
        return InternalError("the log has the details, under this request id")

    def _hear(self, index: int, size_bytes: int, heard: Accepted | Exception) -> None:
        self.in_flight -= 1
        self.in_flight_bytes -= size_bytes
        if isinstance(heard, Exception):
            self._fail(index, heard)
            return
        self.fault = None
        job_id, outcome, *_ = heard
        if outcome == "new":
            self.taken_in += 1
            self._tell(index, f'{{"index":{index},"status":202,"id":"{job_id}","outcome":"created"}}')
        elif outcome == "conflict":
            self.refuse(index, idempotency.key_reused_error())
        elif outcome in REFUSED:
            self.refuse(index, refused_job_error(heard))
        else:
            self.known += 1
            status = 200 if outcome.endswith("duplicate") else 202
            told = f'"id":"{job_id}","outcome":"{outcome_of(heard)}"'
            self._tell(index, f'{{"index":{index},"status":{status},{told}}}')
