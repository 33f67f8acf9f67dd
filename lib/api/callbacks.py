"""/api/callbacks/{key}: a service that has taken a job's work says what became of it, or asks for more time.

No API key is needed: the path ends in a key for one attempt of one job (jobs/callback_key.py). Logs mask it. Wrong ones
count as wrong API keys do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from lib.errors import CallbackGone, CallbackUnknown, TooManyTries
from lib.http1.message import Response
from lib.jobs.backoff import DEFAULT_BACKOFF, delay_s
from lib.jobs.callback_key import CallbackKey, read_callback_key
from lib.jobs.callback_request import CallbackOutcome, read_extension, read_outcome
from lib.jobs.exported_spans import Ended
from lib.jobs.failure import gave_up_behind
from lib.jobs.job import JobRecord
from lib.jobs.masking import error_to_keep, known_secrets
from lib.json_text import to_json
from lib.logs.log import Log
from lib.queue.callback_store import UNKNOWN, CallbackTaken
from lib.queue.job_spans import JobSpans
from lib.queue.job_store import JobStore
from lib.queue.outcome_log import OutcomeLog, log_fields
from lib.web import json_body
from lib.web.failed_tries import FailedTries
from lib.web.json_answer import answer_json
from lib.web.router import Call


class CallbackOperations:
    """The operations of those who were sent a callback's URL. tries: those with wrong API keys."""

    def __init__(
        self,
        job_store: JobStore,
        outcomes: OutcomeLog,
        tries: FailedTries,
        log: Log,
        rng: Random,
        spans: JobSpans | None,
    ) -> None:
        """spans: exports the span of an attempt that a callback completes; None: no collector is set. (The attempts
        that a callback fails are exported by `outcomes`.)"""
        self._spans = spans
        self._job_store = job_store
        self._outcomes = outcomes
        self._tries = tries
        self._log = log
        self._rng = rng

    async def settle(self, call: Call) -> Response:
        callbacks = self._job_store.callbacks
        with self._counted(call):
            key, record = await self._expected(call.path["key"])
            outcome = read_outcome(json_body.parse(call.request.body))
            with self._told_if_late(call, record):
                if outcome.error is None:
                    taken = await callbacks.complete(key, outcome.result)
                else:
                    error, pause_s = await self._failure(outcome.error, self._pause_s(outcome, record), record)
                    taken = await callbacks.fail(key, to_json(error), pause_s)
        if outcome.error is not None and not taken.is_again:
            self._outcomes.log_soon([key.job_id])
        elif self._spans is not None and not taken.is_again:
            self._spans.note(key.job_id, Ended.of_attempt(key.token))
        return self._answer(call, record, taken, "completed" if outcome.error is None else "failed")

    async def extend(self, call: Call) -> Response:
        with self._counted(call):
            key, record = await self._expected(call.path["key"])
            wanted = read_extension(json_body.parse(call.request.body))
            with self._told_if_late(call, record):
                taken = await self._job_store.callbacks.extend(key, wanted.extend_s, wanted.progress)
        return self._answer(call, record, taken, "extended")

    async def _expected(self, text: str) -> tuple[CallbackKey, JobRecord]:
        """The key, and the job that it names; whether the key is good still is the script's to say. Raises
        CallbackUnknown.

        WHY before the body is read as JSON: whoever has no key gets no such work done."""
        key = read_callback_key(text)
        if key is None:
            raise CallbackUnknown(UNKNOWN)
        await self._job_store.callbacks.check(key)
        records = await self._job_store.read_many([key.job_id])
        if not records:
            raise CallbackUnknown(UNKNOWN)
        return key, records[0]

    async def _failure(
        self, error: dict[str, Any], pause_s: float | None, record: JobRecord
    ) -> tuple[dict[str, Any], float | None]:
        """The job's error, without the secrets of its payload, and how long it waits for its next attempt, None for
        none. As in work/runner/attempt.py, a job whose next attempt would begin after its give_up_after_s is dead
        now."""
        error = error_to_keep(error, known_secrets(record.spec.payload if record.spec else None))
        if pause_s is None or record.gives_up_ms is None:
            return error, pause_s
        if await self._job_store.now_ms() + pause_s * 1000 <= record.gives_up_ms:
            return error, pause_s
        return gave_up_behind(error, f"{error['type']}: {error['message']}"), None

    def _pause_s(self, outcome: CallbackOutcome, record: JobRecord) -> float | None:
        """How long the job waits for its next attempt; None where it has none.

        A job whose spec this version can't read is tried again: a worker that can read it knows how often."""
        spec = record.spec
        if not outcome.may_retry or (spec is not None and record.attempts >= spec.max_attempts):
            return None
        if outcome.retry_after_s is not None:
            return outcome.retry_after_s
        base_s, cap_s = spec.backoff if spec is not None else DEFAULT_BACKOFF
        return delay_s(max(1, record.attempts), base_s=base_s, cap_s=cap_s, rng=self._rng)

    @contextmanager
    def _counted(self, call: Call) -> Iterator[None]:
        """Count a callback that nobody waits for as a failed try of its address. Raises TooManyTries."""
        try:
            yield
        except CallbackUnknown:
            peer = call.request.peer
            if retry_after_s := self._tries.count(peer):
                raise TooManyTries(
                    f"too many wrong keys came from your address; the next is looked at in {retry_after_s} s",
                    headers=[("Retry-After", str(retry_after_s))],
                ) from None
            msg = "A callback was refused: no job waits for it"
            self._log.warning("callback.refused", msg, request_id=call.request_id, peer=peer)
            raise

    @contextmanager
    def _told_if_late(self, call: Call, record: JobRecord) -> Iterator[None]:
        """Log a callback whose time is over, under the request id of its job."""
        try:
            yield
        except CallbackGone:
            about = log_fields(self._log, record.job_id, record.queue, record.spec, record.attempts)
            msg = f"A callback was refused: it came too late for {record.job_id}"
            self._log.warning("callback.refused", msg, about, callback_request_id=call.request_id)
            raise

    def _answer(self, call: Call, record: JobRecord, taken: CallbackTaken, outcome: str) -> Response:
        """WHY the line has the job's request id: by that id whoever sent the job looks for all of its lines."""
        if not taken.is_again:
            about = log_fields(self._log, record.job_id, record.queue, record.spec, record.attempts)
            msg = f"Callback: {record.job_id} {outcome}, and is {taken.state}"
            self._log.info("callback.taken", msg, about, outcome=outcome, callback_request_id=call.request_id)
        return answer_json(200, {"job_id": record.job_id, "state": taken.state})
