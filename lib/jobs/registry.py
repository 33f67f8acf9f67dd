"""The job types that this deployment knows: `@job` marks a function, `load` imports JOB_MODULES and collects them.

The server loads the same modules as the worker: it never runs a handler, but refuses a payload that the handler
could not read. Nothing is registered at import time: the mark lies on the function, and `load` looks for it.
"""

import importlib
import inspect
import sysconfig
import traceback
import typing
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from lib.errors import ConfigError
from lib.ids import QUEUE_NAME
from lib.jobs.backoff import DEFAULT_BACKOFF, Backoff
from lib.jobs.job import MAX_ATTEMPTS, MAX_DELAY_S, MAX_TIMEOUT_S
from lib.jobs.payload import Decode, UnknownAnnotation, decoder_for

Handler = Callable[..., Any]
Resource = TypeVar("Resource")
_MARK = "__waybill_job__"


class JobContext(Protocol):
    """What a handler is given beside its payload: who it is, and what it may say while it runs."""

    @property
    def job_id(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def traceparent(self) -> str:
        """W3C trace context to send along with whatever the handler calls."""

    @property
    def attempt(self) -> int:
        """1 for the first."""

    @property
    def cancelled(self) -> bool:
        """The handler is to stop: somebody asked for the job to be cancelled, its time is over, or its runner leaves.

        A coroutine is cancelled as well; one in a thread should look now and then, and return. A handler that has read
        True here and returns has not done its work: the job is cancelled, timed out or given back, not completed.
        """

    @property
    def stopping(self) -> bool:
        """The runner drains: it claims no more, and what still runs after SHUTDOWN_GRACE_S is told to stop. A long job
        may save its place and `raise Snooze(after_s=0)`."""

    def log(self, text: str) -> None:
        """Keep a line with the job (the last 200) and write it to the worker's log."""

    def tell(self, event: str, msg: str, **fields: object) -> None:
        """A line for the worker's log alone, as `report.sent`; at a sixth of what `logging` takes for it."""

    def progress(self, fraction: float, note: str = "") -> None:
        """How far the job is, 0 to 1."""

    def checkpoint(self, state: Any) -> None:
        """Leave `state` for the job's next attempt, if it needs one: after a failure, a crash, a snooze, a stop.

        The last one stands; None takes it back, and so does the job's completion. It is kept as a result is (JSON,
        64 KiB): what can't be is a ValueError. What Redis does not have when the attempt ends goes with its end; of a
        runner that is killed the last few milliseconds are lost. So save a step when it is done.
        """

    @property
    def last_checkpoint(self) -> Any:
        """What an attempt before this one left, or None."""

    def enqueue(self, type: str, payload: dict[str, Any], *, once: str | None = None, **options: Any) -> Any:
        """Queue another job under the same request id; gives its id (to be awaited in an async handler).

        once: a name, of 1 to 64 letters, digits, _ . or -. However often this job is tried, or run again by hand, there
        is one job for that name, for as long as this one is kept; each time its id is given. What was asked for first
        holds, other content included. A job may give 1,000 names.
        """

    def resource(self, factory: Callable[[Any], Resource]) -> Resource:
        """`factory(settings)`, made once a runner and shared by its jobs; its `close()` is called at the end."""


class Retry(Exception):
    """Raised by a handler: this attempt failed, try again after `after_s` seconds (the backoff's where None).

    What is no time there, such as a NaN, counts as None; a Decimal or a timedelta is one.
    """

    after_s: float | None = None  # Of a subclass, too, that does not call our __init__.

    def __init__(self, reason: str = "", *, after_s: float | None = None) -> None:
        super().__init__(reason or "the handler asked for a retry")
        self.after_s = after_s


class Snooze(Exception):
    """Raised by a handler: nothing failed, run me again in `after_s` seconds; the attempt does not count.

    Without an `after_s` that is a time it is a failed attempt as any other: else the job would be run on and on.
    """

    after_s: float | None = None

    def __init__(self, reason: str = "", *, after_s: float) -> None:
        super().__init__(reason or "the handler asked to wait")
        self.after_s = after_s


class Discard(Exception):
    """Raised by a handler: this can never work; the job is dead at once, with `reason`."""


@dataclass(frozen=True, slots=True)
class JobType:
    """A kind of job: its handler, and what a job of it gets where the request names nothing else."""

    name: str
    handler: Handler
    decode: Decode
    is_async: bool
    queue: str = "default"
    max_attempts: int = 5
    timeout_s: float = 60
    backoff: Backoff = DEFAULT_BACKOFF
    retain_ms: int | None = None
    give_up_ms: int | None = None


class Defaults(NamedTuple):
    """What a type has that does not say it itself: DEFAULT_MAX_ATTEMPTS and so on."""

    max_attempts: int = 5
    timeout_s: float = 60
    backoff: Backoff = DEFAULT_BACKOFF
    give_up_after_s: float | None = None

    @classmethod
    def of(cls, settings: Any) -> "Defaults":
        backoff = Backoff(settings.default_backoff_base_s, settings.default_backoff_cap_s)
        timeout_s, give_up_after_s = settings.default_timeout_s, settings.default_give_up_after_s
        return cls(settings.default_max_attempts, timeout_s, backoff, give_up_after_s)


PLAIN = Defaults()


class _Mark(NamedTuple):
    """None: as the defaults have it."""

    name: str
    queue: str
    max_attempts: int | None
    timeout_s: float | None
    backoff: Backoff | None
    retain_s: float | None
    give_up_after_s: float | None


def job(
    name: str,
    *,
    queue: str = "default",
    max_attempts: int | None = None,
    timeout_s: float | None = None,
    backoff: tuple[float, float] | None = None,
    retain_s: float | None = None,
    give_up_after_s: float | None = None,
) -> Callable[[Handler], Handler]:
    """Mark a function `(ctx, payload)`, async or plain, as the handler of jobs of type `name`.

    backoff is (base_s, cap_s). A plain function runs in a thread. What it returns is the job's result, as JSON.
    retain_s: for so long at most its record is kept when it has ended, however it did; None: as the queue's are.
    give_up_after_s: so long after its time no attempt begins any more, however many are left. What is left out is as
    the settings DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_S, DEFAULT_BACKOFF_… and DEFAULT_GIVE_UP_AFTER_S say.
    """

    def mark(handler: Handler) -> Handler:
        steps = None if backoff is None else Backoff(*backoff)
        setattr(handler, _MARK, _Mark(name, queue, max_attempts, timeout_s, steps, retain_s, give_up_after_s))
        return handler

    return mark


class Registry:
    """Job types by name."""

    def __init__(self, types: Iterable[JobType]) -> None:
        self._types = {job_type.name: job_type for job_type in types}

    def get(self, name: str) -> JobType | None:
        return self._types.get(name)

    @property
    def names(self) -> list[str]:
        return sorted(self._types)

    @property
    def queues(self) -> dict[str, list[str]]:
        """The queues that the types name themselves, each with these types."""
        queues: dict[str, list[str]] = {}
        for name in self.names:
            queues.setdefault(self._types[name].queue, []).append(name)
        return queues


def load(modules: Iterable[str], settings: Any = None) -> Registry:
    """Import the modules and collect what `@job` marked in them. Raises ConfigError with every fault found.

    settings: where they are given, a module that has a `check_settings(settings)` is asked; it raises ConfigError for
    what its jobs could never work with.
    """
    types: dict[str, JobType] = {}
    faults: list[str] = []
    defaults = PLAIN if settings is None else Defaults.of(settings)
    for module in modules:
        for name, found in _marked(module, faults, defaults):
            if name in types and types[name].handler is not found.handler:
                faults.append(f"JOB_MODULES: the job type {name!r} is defined twice, the second time in {module}")
            types[name] = found
    if not faults and settings is not None:
        faults = _unfit(modules, settings)
    if faults:
        raise ConfigError(faults)
    return Registry(types.values())


def checks_of(modules: Iterable[str]) -> list[tuple[str, Callable[[Any], str]]]:
    """The `doctor(settings)` of each module that has one: it says what is well, or raises what is not."""
    return _hooks(modules, "doctor")


def probes_of(modules: Iterable[str]) -> list[tuple[str, Callable[[Any], Awaitable[object]]]]:
    """The async `probe_at_start(resource)` of each module that has one: see lib/work/warnings.py."""
    return _hooks(modules, "probe_at_start")


def _hooks(modules: Iterable[str], hook: str) -> list[tuple[str, Callable[[Any], Any]]]:
    found = [(name, getattr(importlib.import_module(name), hook, None)) for name in modules]
    return [(name, check) for name, check in found if callable(check)]


def _unfit(modules: Iterable[str], settings: Any) -> list[str]:
    faults: list[str] = []
    for name, check in _hooks(modules, "check_settings"):
        try:
            check(settings)
        except ConfigError as fault:
            faults += fault.faults
        except Exception as fault:  # noqa: BLE001  As at its import: a user's module may fail in any way.
            faults.append(f"JOB_MODULES: check_settings of {name} failed: {type(fault).__name__}: {fault}")
    return faults


def _marked(module: str, faults: list[str], defaults: Defaults = PLAIN) -> Iterable[tuple[str, JobType]]:
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as fault:  # noqa: BLE001  A user's module may fail in any way; it is said and the start refused.
        faults.append(f"JOB_MODULES: {module} can't be imported: {type(fault).__name__}: {fault}{_where(fault)}")
        return
    for value in list(vars(loaded).values()):
        # vars(), so that a module-level object with a magic __getattr__ is not mistaken for a handler.
        mark = getattr(value, "__dict__", {}).get(_MARK) if callable(value) else None
        if isinstance(mark, _Mark):
            try:
                yield mark.name, _job_type(mark, value, defaults)
            except Exception as fault:  # noqa: BLE001  Its annotations are code of the user's, too.
                name = getattr(value, "__name__", "?")
                faults.append(f"JOB_MODULES: {module}.{name}: {fault or type(fault).__name__}")


def _where(fault: BaseException) -> str:
    """The last line that is neither Python's own nor ours."""
    frames = traceback.extract_tb(fault.__traceback__)
    foreign = ("<", __file__, sysconfig.get_path("stdlib"))
    theirs = [frame for frame in frames if not frame.filename.startswith(foreign)]
    return f" ({theirs[-1].filename}:{theirs[-1].lineno})" if theirs else ""


def _job_type(mark: _Mark, handler: Handler, defaults: Defaults) -> JobType:
    own = {name: value for name in defaults._fields if (value := getattr(mark, name)) is not None}
    limits = defaults._replace(**own)
    _check(mark, limits)
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise ValueError("a handler that yields would never be run; have it return")
    parameters = list(inspect.signature(handler).parameters.values())
    if len(parameters) != 2:
        raise ValueError("a handler takes two arguments, (ctx, payload)")
    annotation = typing.get_type_hints(handler).get(parameters[1].name, dict)
    try:
        decode = decoder_for(annotation)
    except UnknownAnnotation as fault:
        raise ValueError(str(fault)) from None
    is_async = inspect.iscoroutinefunction(handler)
    retain_ms = None if mark.retain_s is None else round(mark.retain_s * 1000)
    return JobType(
        mark.name,
        handler,
        decode,
        is_async,
        mark.queue,
        limits.max_attempts,
        limits.timeout_s,
        limits.backoff,
        retain_ms,
        None if limits.give_up_after_s is None else max(1, round(limits.give_up_after_s * 1000)),
    )


def _check(mark: _Mark, limits: Defaults) -> None:
    # Neither " nor \\: enqueue.lua reads the name off the spec, as it stands there.
    if not mark.name or len(mark.name) > 64 or not mark.name.isprintable() or '"' in mark.name or "\\" in mark.name:
        raise ValueError(f"a job type's name has 1 to 64 printable characters, no quote or backslash: {mark.name!r}")
    if not QUEUE_NAME.fullmatch(mark.queue):
        raise ValueError(f"{mark.queue!r} can't name a queue: a-z, 0-9, _ and -, 64 at most")
    if type(limits.max_attempts) is not int or not 1 <= limits.max_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"max_attempts is a whole number from 1 to {MAX_ATTEMPTS}, not {limits.max_attempts!r}")
    if not 0 < limits.timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s is above 0 and at most {MAX_TIMEOUT_S}, not {limits.timeout_s!r}")
    if not 0 < limits.backoff.base_s <= limits.backoff.cap_s <= MAX_DELAY_S:
        raise ValueError(f"0 < base_s <= cap_s <= {MAX_DELAY_S} is asked for, not {tuple(limits.backoff)!r}")
    if limits.give_up_after_s is not None and not 0 < limits.give_up_after_s <= MAX_DELAY_S:
        raise ValueError(f"give_up_after_s is above 0 and at most {MAX_DELAY_S}, not {limits.give_up_after_s!r}")
    if mark.retain_s is not None and not 0 <= mark.retain_s <= MAX_DELAY_S:
        raise ValueError(f"retain_s is from 0 to {MAX_DELAY_S}, or None, not {mark.retain_s!r}")
