"""The jobs of one batch on their way to Redis. Each is read, sent with the next commit, and answered by an item:

    {"index": 0, "status": 202, "id": "email-0192…", "outcome": "created"}
    {"index": 1, "status": 422, "problem": {"type": "/problems/invalid-fields", …}}

A job costs a plain call and a callback, no task and no future: a batch may have a million jobs.
"""

import functools
from collections.abc import Callable
from typing import Any

from lib.api import idempotency
from lib.errors import FieldError, InvalidFields, RedisKeysBroken, UpgradeNeeded, WaybillError
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.job import Accepted, NewJob
from lib.jobs.payload import json_type
from lib.jobs.registry import Registry
from lib.jobs.shown import outcome_of
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.job_store import JobStore
from lib.queue.refusals import REFUSED, refused_job_error
from lib.web import json_body
from lib.web.problems import InternalError, body_of
from lib.web.router import Call

OnItem = Callable[[int, str], None]
"""Called with a job's index in its batch and its item, as JSON text."""


class Intake:
    """Takes the jobs of one batch. `on_item` is called once for each, in any order, maybe before `offer` returns."""

    def __init__(
        self, call: Call, job_store: JobStore, registry: Registry, ids: JobIds, log: Log, on_item: OnItem
    ) -> None:
        self._call = call
        self._job_store = job_store
        self._registry = registry
        self._ids = ids
        self._log = log
        self._on_item = on_item
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.taken_in = 0
        self.known = 0
        self.refused = 0
        self.fault: WaybillError | None = None
        """Why the last commit failed; None once a commit has succeeded. (The broken keys of one queue do not count, nor
        a feature that waits for an upgrade: the other jobs need not wait for either.)"""

    def offer_text(self, index: int, line: bytes) -> None:
        """Take a job as JSON text."""
        try:
            body = json_body.parse(line)
        except WaybillError as error:
            self.refuse(index, error)
        else:
            self.offer(index, body)

    def offer(self, index: int, body: Any) -> None:
        """Take a job as POST /api/jobs does. It may have the field `idempotency_key` beside the others."""
        try:
            job = self._read(body)
        except WaybillError as error:
            self.refuse(index, error)
            return
        except Exception as fault:  # noqa: BLE001  A bug costs this job alone.
            self.refuse(index, self._internal_error(fault))
            return
        size_bytes = len(job.spec_text)
        self.in_flight += 1
        self.in_flight_bytes += size_bytes
        self._job_store.post(job, functools.partial(self._on_commit, index, size_bytes), in_bulk=True)

    def refuse(self, index: int, error: WaybillError) -> None:
        """Answer a job with a problem."""
        self.refused += 1
        self._on_item(index, self.problem_item(index, error))

    def problem_item(self, index: int, error: WaybillError) -> str:
        shown = body_of(error, self._call.request_id)
        return to_json({"index": index, "status": error.status, "problem": shown})

    def _read(self, body: Any) -> NewJob:
        key = None
        if type(body) is dict and "idempotency_key" in body:
            # A copy without the key: its fingerprint is that of a POST of the same job under the same key.
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
            fault = self._internal_error(fault)
        if not isinstance(fault, (RedisKeysBroken, UpgradeNeeded)):
            self.fault = fault
        self.refuse(index, fault)

    def _internal_error(self, fault: Exception) -> InternalError:
        """Log a bug; its job is answered with the request id alone."""
        request_id = self._call.request_id
        self._log.exception(
            "request.failed", "A job of a batch failed by a fault of ours", fault, request_id=request_id
        )
        return InternalError("the log has the details, under this request id")

    def _on_commit(self, index: int, size_bytes: int, accepted: Accepted | Exception) -> None:
        """Redis has answered the commit with the job."""
        self.in_flight -= 1
        self.in_flight_bytes -= size_bytes
        if isinstance(accepted, Exception):
            self._fail(index, accepted)
            return
        self.fault = None
        job_id, outcome, *_ = accepted
        if outcome in ("new", "superseding"):
            self.taken_in += 1
            self._on_item(index, f'{{"index":{index},"status":202,"id":"{job_id}","outcome":"created"}}')
        elif outcome == "conflict":
            self.refuse(index, idempotency.key_reused_error())
        elif outcome in REFUSED:
            self.refuse(index, refused_job_error(accepted))
        else:
            self.known += 1
            status = 200 if outcome.endswith(("duplicate", "replaced")) else 202
            stand_in = f'"id":"{job_id}","outcome":"{outcome_of(accepted)}"'
            self._on_item(index, f'{{"index":{index},"status":{status},{stand_in}}}')
