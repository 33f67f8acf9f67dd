"""What a handler is given: `JobContext` for real, and what all jobs of one runner share.

A plain function runs in a thread, and a coroutine may speak from one; what they say lies in `queue/notes.py`, and the
loop is told of it by `call_soon_threadsafe`, so that the rest of the runner needs no locks.
"""

import asyncio
import contextvars
import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.handler import checked_fraction
from lib.jobs.job import ClaimedJob
from lib.jobs.registry import Registry
from lib.jobs.result import Unkept, result_text
from lib.jobs.spec import JobSpec
from lib.logs.log import NOTHING, Bound, Log
from lib.logs.log_lines import tail_writer
from lib.queue.bulkheads import Bulkheads
from lib.queue.job_store import JobStore
from lib.queue.notes import Notes
from lib.settings.config import Settings
from lib.tracing import child_of
from lib.work.runner import programs
from lib.work.runner.prefetch.surplus import Busy
from lib.work.runner.prefetch.turns import Turns
from lib.work.runner.resources import Making, Resources
from lib.work.runner.timings import Timings

NAMED = ("request_id", "trace_id", "job_id", "queue", "type", "attempt")
"""What log lines about an attempt bear."""
_tail = tail_writer(NAMED, numbers=("attempt",))
_first_word = threading.Lock()  # Two threads of one job may speak first.
_current: contextvars.ContextVar["Context | None"] = contextvars.ContextVar("job", default=None)


def about_current_job() -> Bound:
    """For the log: whose line it is, when a handler or a library logs through the standard library."""
    context = _current.get()
    return context.about if context else NOTHING


def note_program(program: "subprocess.Popen[Any]") -> None:
    """A program was started: it belongs to the attempt that speaks, if one does."""
    context = _current.get()
    if context is not None:
        context.note_program(program)


class Blank:
    """The context variables as the runner's start left them, and as each job is to find them. Made at that start.

    What a job sets (a tenant, a span, a decimal precision) is its own. Lanes and threads outlive their jobs.
    """

    def __init__(self) -> None:
        _current.set(None)
        self._context = contextvars.copy_context()
        self._others = [(variable, value) for variable, value in self._context.items() if variable is not _current]

    def context(self) -> contextvars.Context:
        return self._context.copy()

    def is_still(self, context: contextvars.Context) -> bool:
        """Whether all is so in one that `context` gave, but for whose job it is.

        WHY not copy_context(): to make one for each job costs a tenth of what a small job does.
        """
        if len(context) != len(self._context):
            return False
        return not self._others or all(context.get(variable) is value for variable, value in self._others)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the consumers of one runner have in common."""

    settings: Settings
    registry: Registry
    log: Log
    queue: JobStore
    ids: JobIds
    threads: ThreadPoolExecutor
    resources: Resources
    rng: Random
    timings: Timings
    busy: Busy
    turns: Turns
    blank: Blank
    bulkheads: Bulkheads
    is_draining: Callable[[], bool]
    """Whether the runner claims no more and is to leave."""
    retire: Callable[[str], None]
    """Called with a reason when a handler can't be stopped: the runner must make way for a new one."""


class Context:
    """JobContext of one attempt. `tell_redis` is called, on the loop, when the job has said something."""

    __slots__ = (
        *("_job", "_loop", "_notes", "_programs", "_shared", "_spec", "_tell_redis"),
        *("goes_on", "has_heard", "is_cancelled", "is_on_loop", "named"),
    )

    def __init__(
        self,
        job: ClaimedJob,
        spec: JobSpec,
        queue: str,
        shared: Shared,
        tell_redis: Callable[[Notes], object],
        loop: asyncio.AbstractEventLoop,
        *,
        is_on_loop: bool,
    ) -> None:
        self._job = job
        self._spec = spec
        self._shared = shared
        self._tell_redis = tell_redis
        self._loop = loop
        self._notes: Notes | None = None
        self.is_on_loop = is_on_loop
        """Whether the handler is a coroutine, and can be cancelled; else it runs in a thread."""
        self.is_cancelled = False
        self.has_heard = False
        """Whether the handler has read `cancelled` as True. If it then returns, that is why."""
        self.goes_on = False
        """Whether its handler runs in a thread now, or was given up and goes on all the same."""
        self.named = (spec.request_id, spec.trace[0], job.job_id, queue, spec.type, str(job.attempt))
        """The values of NAMED, all of them plain: the spec was read, its type is known."""

    @property
    def about(self) -> Bound:
        """For log lines that are not a Form."""
        fields: dict[str, object] = dict(zip(NAMED, self.named, strict=True))
        fields["attempt"] = self._job.attempt
        return Bound(fields, _tail(*self.named))

    @property
    def job_id(self) -> str:
        return self._job.job_id

    @property
    def request_id(self) -> str:
        return self._spec.request_id

    @property
    def traceparent(self) -> str:
        return child_of(self._spec.trace).traceparent

    @property
    def attempt(self) -> int:
        return self._job.attempt

    @property
    def max_attempts(self) -> int:
        return self._spec.max_attempts

    @property
    def is_last_attempt(self) -> bool:
        return self._job.attempt >= self._spec.max_attempts

    @property
    def cancelled(self) -> bool:
        if self.is_cancelled:
            self.has_heard = True
        return self.is_cancelled

    @property
    def stopping(self) -> bool:
        return self._shared.is_draining()

    def log(self, text: str) -> None:
        text = str(text)
        self._shared.log.info("job.logged", text, self.about)
        self._said().add_line(text)
        self._tell()

    def tell(self, event: str, msg: str, **fields: object) -> None:
        self._shared.log.info(event, msg, self.about, **fields)

    def progress(self, fraction: float, note: str = "") -> None:
        self._said().set_progress(checked_fraction(fraction), str(note))
        self._tell()

    def checkpoint(self, state: Any) -> None:
        try:
            text = result_text(state)
        except Unkept as fault:
            raise ValueError(f"the checkpoint can't be kept: {fault}") from None
        self._said().set_checkpoint(text)
        self._tell()

    @property
    def last_checkpoint(self) -> Any:
        try:
            return json.loads(self._job.checkpoint) if self._job.checkpoint else None
        except (ValueError, RecursionError):
            return None  # Somebody wrote it by hand.

    def enqueue(self, type: str, payload: dict[str, Any], *, once: str | None = None, **options: Any) -> Any:
        """`options` are the other fields of POST /api/jobs; once: see children.py.

        Raises InvalidFields, QueueFull, RedisUnavailable, OutcomeUnknown; with `once` WrongState, too.
        """
        enqueued = self._enqueue({"type": type, "payload": payload, **options}, once)
        return enqueued if self.is_on_loop else asyncio.run_coroutine_threadsafe(enqueued, self._loop).result()

    def resource(self, factory: Callable[[Any], Any]) -> Any:
        made = self._shared.resources.get(factory)
        if type(made) is not Making:
            return made
        return made.made() if self.is_on_loop else asyncio.run_coroutine_threadsafe(made.made(), self._loop).result()

    def last_words(self, *, is_done: bool) -> str:
        """The attempt has ended: what it said and Redis is not known to have, to ride with its end.

        is_done: the job has completed, and what an earlier attempt left for the next one is to go.
        """
        if is_done and self._job.checkpoint:
            self._said().set_checkpoint("")
        return self._notes.end(is_done=is_done) if self._notes is not None else ""

    def enter(self) -> None:
        """From here on, lines that this task or thread logs are the job's."""
        _current.set(self)

    @property
    def has_programs(self) -> bool:
        """Whether one that this attempt has started may still run: nobody has waited for its end."""
        return any(program.returncode is None for program in getattr(self, "_programs", ()))

    def end_programs(self) -> None:
        """Kill the programs that this attempt has started, and that are left."""
        programs.end(getattr(self, "_programs", ()))

    def note_program(self, program: "subprocess.Popen[Any]") -> None:
        """It has started one."""
        # Only here is there a list of them: most jobs start none.
        self._programs: list[subprocess.Popen[Any]] = [*getattr(self, "_programs", ()), program]

    async def _enqueue(self, body: dict[str, Any], once: str | None) -> str:
        shared, spec = self._shared, self._spec
        job, _ = submission.read(
            body, shared.registry, shared.ids, request_id=spec.request_id, trace=child_of(spec.trace)
        )
        if once is not None:
            return await shared.queue.children.enqueue(self._job, once, job)
        # Not the new job's own id: under a `unique` key another one may stand for it.
        return (await shared.queue.enqueue(job)).job_id

    def _said(self) -> Notes:
        """Made with the first word: most jobs say nothing."""
        if self._notes is None:
            with _first_word:
                if self._notes is None:
                    self._notes = Notes(self._job.job_id, self._job.token)
        return self._notes

    def _tell(self) -> None:
        """Have the loop tell Redis; from whatever thread the job spoke."""
        notes = self._said()
        if asyncio._get_running_loop() is self._loop:
            self._tell_redis(notes)
        elif notes.calls():
            self._loop.call_soon_threadsafe(self._heed, notes)

    def _heed(self, notes: Notes) -> None:
        notes.is_called = False
        self._tell_redis(notes)
