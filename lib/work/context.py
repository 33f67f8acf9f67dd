"""What a handler is given: `JobContext` for real, and what all jobs of one runner share.

A plain function runs in a thread; whatever it says goes to the loop by `call_soon_threadsafe`, so that the rest of
the runner needs no locks.
"""

import asyncio
import contextvars
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar, cast

from lib.config import Settings
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.job import ClaimedJob, JobSpec
from lib.jobs.registry import Registry
from lib.log_lines import tail_writer
from lib.logs import NOTHING, Bound, Log
from lib.queue.lease import Ended, log_line, progress
from lib.queue.queue import Queue
from lib.tracing import child_of
from lib.work import programs
from lib.work.bulkheads import Bulkheads
from lib.work.surplus import Busy
from lib.work.timings import Timings
from lib.work.turns import Turns

Made = TypeVar("Made")

LOG_LINE_CHARS = 2000
NAMED = ("request_id", "trace_id", "job_id", "queue", "type", "attempt")
"""What log lines about an attempt bear."""
_tail = tail_writer(NAMED, numbers=("attempt",))
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


class Resources:
    """What handlers keep for the whole runner: SMTP links, a database pool. Made at first use, closed at the end."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._made: dict[Any, Any] = {}
        self._locks: dict[Any, threading.Lock] = {}

    def get(self, factory: Callable[[Settings], Made]) -> Made:
        if factory not in self._made:
            # A lock each: a database that does not answer must not hold up the loop, where mails ask for their links.
            with self._locks.setdefault(factory, threading.Lock()):
                if factory not in self._made:
                    self._made[factory] = factory(self._settings)
        return cast(Made, self._made[factory])

    def close(self) -> None:
        for factory, made in self._made.items():
            close = getattr(made, "close", None)
            try:
                if close is not None:
                    close()
            except Exception as fault:  # noqa: BLE001  A user's close() may fail in any way; the others still have to close.
                self._log.exception("resource.close_failed", f"{factory!r} could not be closed", fault)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the consumers of one runner have in common."""

    settings: Settings
    registry: Registry
    log: Log
    queue: Queue
    ids: JobIds
    threads: ThreadPoolExecutor
    resources: Resources
    rng: Random
    timings: Timings
    busy: Busy
    turns: Turns
    blank: Blank
    bulkheads: Bulkheads
    retire: Callable[[str], None]
    """Called with a reason when a handler can't be stopped: the runner must make way for a new one."""


class Context:
    """JobContext of one attempt. `note` takes what the job says to Redis; it belongs to the loop."""

    __slots__ = ("_job", "_loop", "_note", "_programs", "_shared", "_spec", "goes_on", "is_cancelled", "named")

    def __init__(
        self,
        job: ClaimedJob,
        spec: JobSpec,
        queue: str,
        shared: Shared,
        note: Callable[[Ended], object],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        """loop: for a handler in a thread; None for one that runs on the loop itself."""
        self._job = job
        self._spec = spec
        self._shared = shared
        self._note = note
        self._loop = loop
        self.is_cancelled = False
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
    def cancelled(self) -> bool:
        return self.is_cancelled

    @property
    def is_on_loop(self) -> bool:
        """Whether the handler is a coroutine, and can be cancelled."""
        return self._loop is None

    def log(self, text: str) -> None:
        self._shared.log.info("job.logged", str(text), self.about)
        self._say(log_line(self._job.job_id, self._job.token, str(text)[:LOG_LINE_CHARS]))

    def tell(self, event: str, msg: str, **fields: object) -> None:
        self._shared.log.info(event, msg, self.about, **fields)

    def progress(self, fraction: float, note: str = "") -> None:
        if not 0 <= fraction <= 1:
            raise ValueError(f"progress is from 0 to 1, not {fraction!r}")
        self._say(progress(self._job.job_id, self._job.token, float(fraction), str(note)[:LOG_LINE_CHARS]))

    def enqueue(self, type: str, payload: dict[str, Any], **options: Any) -> Any:
        """`options` are the other fields of POST /api/jobs.

        Raises InvalidFields, QueueFull, RedisUnavailable, OutcomeUnknown.
        """
        enqueued = self._enqueue({"type": type, "payload": payload, **options})
        return enqueued if self._loop is None else asyncio.run_coroutine_threadsafe(enqueued, self._loop).result()

    def resource(self, factory: Callable[[Any], Made]) -> Made:
        return self._shared.resources.get(factory)

    def enter(self) -> None:
        """From here on, lines that this task or thread logs are the job's."""
        _current.set(self)

    def end_programs(self) -> None:
        """Kill the programs that this attempt has started, and that are left."""
        programs.end(getattr(self, "_programs", ()))

    def note_program(self, program: "subprocess.Popen[Any]") -> None:
        """It has started one."""
        # Only here is there a list of them: most jobs start none.
        self._programs: list[subprocess.Popen[Any]] = [*getattr(self, "_programs", ()), program]

    async def _enqueue(self, body: dict[str, Any]) -> str:
        shared, spec = self._shared, self._spec
        job, _ = submission.read(
            body, shared.registry, shared.ids, request_id=spec.request_id, trace=child_of(spec.trace)
        )
        # Not the new job's own id: under a `unique` key another one may stand for it.
        return (await shared.queue.enqueue(job)).job_id

    def _say(self, words: Ended) -> None:
        if self._loop is None:
            self._note(words)
        else:
            self._loop.call_soon_threadsafe(self._note, words)
