"""The `ctx` that a handler is given: `Context`, the JobContext of lib/jobs/registry.py for real, one for each attempt.

A plain handler calls the context from a thread; a coroutine calls it on the runner's loop, or from a thread too. What
the handler reports (log lines, progress, checkpoints) is kept in a `Notes` (queue/notes.py), which any thread may add
to. The loop is asked by `call_soon_threadsafe` to send the notes to Redis, so nothing else in the runner needs a lock.
"""

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.handler import checked_fraction
from lib.jobs.job import ClaimedJob
from lib.jobs.registry import Registry
from lib.jobs.result import Unkept, result_text
from lib.jobs.spec import JobSpec
from lib.logs.forms import attempt_fields
from lib.logs.log import Bound, Log
from lib.queue.job_store import JobStore
from lib.queue.notes import Notes
from lib.tracing import Trace, attempt_span_id
from lib.work.runner import job_programs
from lib.work.runner.current_job import CURRENT_JOB
from lib.work.runner.plans import Plans
from lib.work.runner.resources import AsyncResource, Resources

LOG_FIELDS = ("request_id", "trace_id", "job_id", "queue", "type", "attempt")
"""The fields of every log line about an attempt."""
_notes_guard = threading.Lock()
"""Held while a Context makes its Notes: two threads of one job may report first."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the contexts of all jobs of one runner use."""

    registry: Registry
    log: Log
    job_store: JobStore
    ids: JobIds
    resources: Resources
    is_draining: Callable[[], bool]
    """Whether the runner claims nothing more and is about to exit."""


class Context:
    """The JobContext of one attempt."""

    __slots__ = (
        *("_job", "_loop", "_notes", "_programs", "_send_notes", "_services", "_spec"),
        *("has_seen_cancel", "is_cancelled", "is_on_loop", "log_values", "still_runs"),
    )

    def __init__(
        self,
        job: ClaimedJob,
        spec: JobSpec,
        queue: str,
        services: Services,
        send_notes: Callable[[Notes], object],
        loop: asyncio.AbstractEventLoop,
        *,
        is_on_loop: bool,
    ) -> None:
        """send_notes: called on the loop when the handler has reported something."""
        self._job = job
        self._spec = spec
        self._services = services
        self._send_notes = send_notes
        self._loop = loop
        self._notes: Notes | None = None
        self.is_on_loop = is_on_loop
        """Whether the handler is a coroutine, which can be cancelled; else it runs in a thread."""
        self.is_cancelled = False
        self.has_seen_cancel = False
        """Whether the handler has read `cancelled` as True. Its return is then no success: it has stopped early."""
        self.still_runs = False
        """Whether the handler is running in a thread at the moment, or was given up as unstoppable and has not
        returned."""
        self.log_values = (spec.request_id, spec.trace[0], job.job_id, queue, spec.type, str(job.attempt))
        """The values of LOG_FIELDS. None needs escaping: the spec was read, and its type is a known one."""

    @property
    def about(self) -> Bound:
        """The log fields of this attempt, for a line that is not a Form."""
        fields: dict[str, object] = dict(zip(LOG_FIELDS, self.log_values, strict=True))
        fields["attempt"] = self._job.attempt
        return Bound(fields, attempt_fields(*self.log_values))

    @property
    def job_id(self) -> str:
        return self._job.job_id

    @property
    def request_id(self) -> str:
        return self._spec.request_id

    @property
    def traceparent(self) -> str:
        return self._trace.traceparent

    @property
    def attempt(self) -> int:
        return self._job.attempt

    @property
    def max_attempts(self) -> int:
        return self._spec.max_attempts

    @property
    def timeout_s(self) -> float:
        return self._spec.timeout_s

    @property
    def is_last_attempt(self) -> bool:
        return self._job.attempt >= self._spec.max_attempts

    @property
    def scheduled_for(self) -> datetime | None:
        slot_ms = self._spec.scheduled_for
        return datetime.fromtimestamp(slot_ms / 1000, UTC) if slot_ms else None

    @property
    def cancelled(self) -> bool:
        if self.is_cancelled:
            self.has_seen_cancel = True
        return self.is_cancelled

    @property
    def stopping(self) -> bool:
        return self._services.is_draining()

    def log(self, text: str) -> None:
        text = str(text)
        self._services.log.info("job.logged", text, self.about)
        self._ensure_notes().add_line(text)
        self._send_soon()

    def tell(self, event: str, msg: str, **fields: object) -> None:
        self._services.log.info(event, msg, self.about, **fields)

    def progress(self, fraction: float, note: str = "") -> None:
        self._ensure_notes().set_progress(checked_fraction(fraction), str(note))
        self._send_soon()

    def checkpoint(self, state: Any) -> None:
        try:
            text = result_text(state)
        except Unkept as fault:
            raise ValueError(f"the checkpoint can't be kept: {fault}") from None
        self._ensure_notes().set_checkpoint(text)
        self._send_soon()

    @property
    def last_checkpoint(self) -> Any:
        try:
            return json.loads(self._job.checkpoint) if self._job.checkpoint else None
        except (ValueError, RecursionError):
            return None  # Somebody wrote it by hand.

    def enqueue(self, type: str, payload: dict[str, Any], *, once: str | None = None, **options: Any) -> Any:
        """Queue a job; the id of the queued job, for a coroutine to await. `options` are the other fields of
        POST /api/jobs; once: see queue/named_jobs.py.

        Raises InvalidFields, QueueFull, UpgradeNeeded, RedisUnavailable, OutcomeUnknown; with `once` WrongState, too;
        with unique={"key": …, "mode": "throttle"} Throttled where the job that holds the key is gone; with after=[…]
        TooManyFollowers.
        """
        body = {"type": type, "payload": payload, **options}
        if submission.GRAPH_FIELDS.isdisjoint(options):
            return self._given(self._enqueue(body, once))
        return self._given(self._plans.enqueue(body, once))

    def workflow(
        self,
        jobs: dict[str, Any],
        *,
        name: str | None = None,
        queue: str | None = None,
        then: Any = None,
        callback_url: str | None = None,
        once: str | None = None,
    ) -> Any:
        """Start a workflow; its id, for a coroutine to await. Raises what `enqueue` raises."""
        fields = {"jobs": jobs, "name": name, "queue": queue, "then": then, "callback_url": callback_url}
        body = {field: value for field, value in fields.items() if value is not None}
        return self._given(self._plans.workflow(body, once))

    def add(
        self, name: str, type: str, payload: dict[str, Any], *, after: Any = (), optional: bool = False, **options: Any
    ) -> Any:
        """Add a job to the workflow of this job; its id, for a coroutine to await.

        Raises InvalidFields, WrongState, WorkflowEnded, QueueFull, UpgradeNeeded, RedisUnavailable, OutcomeUnknown.
        """
        body = {"type": type, "payload": payload, "after": after, **options}
        return self._given(self._plans.add(name, body, is_optional=optional))

    def results(self) -> Any:
        """A Results (jobs/parents.py), for a coroutine to await. Raises RedisUnavailable."""
        return self._given(self._services.job_store.results(self._job.job_id))

    def callback_key(self) -> Any:
        """Its text, for a coroutine to await. Raises AttemptOver, RedisUnavailable."""
        return self._given(self._expect_callback())

    def resource(self, factory: Callable[[Any], Any]) -> Any:
        made = self._services.resources.get(factory)
        if type(made) is not AsyncResource:
            return made
        return self._given(made.value())

    def closing_notes(self, *, is_done: bool) -> str:
        """What the handler reported and Redis may not have yet, to be sent with the record of the attempt's end; "" for
        nothing. Reports that come later are dropped.

        is_done: the job has completed, so that the checkpoint of an earlier attempt is to be deleted.
        """
        if is_done and self._job.checkpoint:
            self._ensure_notes().set_checkpoint("")
        return self._notes.end(is_done=is_done) if self._notes is not None else ""

    def enter(self) -> None:
        """From here on the running task or thread works for this job."""
        CURRENT_JOB.set(self)

    @property
    def has_programs(self) -> bool:
        """Whether a program that this attempt started may still run: nobody has waited for its end."""
        return any(program.returncode is None for program in getattr(self, "_programs", ()))

    def kill_programs(self) -> None:
        """Kill this attempt's programs, if any still run."""
        job_programs.kill(getattr(self, "_programs", ()))

    def note_program(self, program: "subprocess.Popen[Any]") -> None:
        """This attempt has started a program."""
        # The list is made here: most jobs start no program.
        self._programs: list[subprocess.Popen[Any]] = [*getattr(self, "_programs", ()), program]

    @property
    def _trace(self) -> Trace:
        """This attempt's place in the trace of the job."""
        return self._spec.trace._replace(span_id=attempt_span_id(self._job.job_id, self._job.token))

    def _given(self, call: Coroutine[Any, Any, Any]) -> Any:
        """The coroutine, for an async handler to await; a plain handler is made to wait for what it returns."""
        return call if self.is_on_loop else asyncio.run_coroutine_threadsafe(call, self._loop).result()

    @property
    def _plans(self) -> Plans:
        services = self._services
        return Plans(self._job, self._spec, self._trace, services.registry, services.ids, services.job_store)

    async def _expect_callback(self) -> str:
        return (await self._services.job_store.callbacks.expect(self._job.job_id, self._job.token)).text

    async def _enqueue(self, body: dict[str, Any], once: str | None) -> str:
        services, spec = self._services, self._spec
        job, child = submission.read(
            body, services.registry, services.ids, request_id=spec.request_id, trace=self._trace
        )
        job = job._replace(spec_text=child._replace(by=self._job.job_id).to_text())
        if once is not None:
            return await services.job_store.named_jobs.enqueue(self._job, once, job, spec.request_id)
        # The id of the answer, not the new job's own: an older job under the same `unique` key may stand for it.
        return (await services.job_store.enqueue(job)).job_id

    def _ensure_notes(self) -> Notes:
        """The attempt's Notes, made at its first report: most jobs report nothing."""
        if self._notes is None:
            with _notes_guard:
                if self._notes is None:
                    self._notes = Notes(self._job.job_id, self._job.token)
        return self._notes

    def _send_soon(self) -> None:
        """Have the loop send the notes to Redis; called from whatever thread the handler reported in."""
        notes = self._ensure_notes()
        if asyncio._get_running_loop() is self._loop:
            self._send_notes(notes)
        elif notes.must_call_loop():
            self._loop.call_soon_threadsafe(self._send_called, notes)

    def _send_called(self, notes: Notes) -> None:
        notes.has_called_loop = False
        self._send_notes(notes)
