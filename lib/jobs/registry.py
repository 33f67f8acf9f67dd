"""The job types that this deployment knows: `@job` marks a function, `load` imports JOB_MODULES and collects them.

The server loads the same modules as the worker: it never runs a handler, but refuses a payload that the handler
could not read. Nothing is registered at import time: the mark lies on the function, and `load` looks for it.
"""

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from lib.errors import ConfigError
from lib.ids import QUEUE_NAME
from lib.jobs.backoff import DEFAULT_BACKOFF, Backoff
from lib.jobs.failure import message_of
from lib.jobs.job import MAX_ATTEMPTS, MAX_DELAY_S, MAX_TIMEOUT_S
from lib.jobs.module import ModuleFault, load_module
from lib.jobs.payload import Decode, UnknownAnnotation, decoder_for, vet
from lib.logs.log_lines import class_name
from lib.settings.config import Settings

Handler = Callable[..., Any]
Marked = TypeVar("Marked", bound=Callable[..., Any])
Check = Callable[[Any], object]
CheckFactory = Callable[[Settings], Check]
Resource = TypeVar("Resource")
_MARKS = "__waybill_jobs__"


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
    def max_attempts(self) -> int:
        """So many attempts the job has: of its request, or its type's."""

    @property
    def is_last_attempt(self) -> bool:
        """Whether the job is dead if this attempt fails. A `Retry` is a failure too; a `Snooze` is none."""

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

    @overload
    def resource(self, factory: Callable[[Any], Coroutine[Any, Any, Resource]]) -> Any: ...
    @overload
    def resource(self, factory: Callable[[Any], Resource]) -> Resource: ...
    def resource(self, factory: Callable[[Any], Any]) -> Any:
        """`factory(settings)`, made once a runner and shared by its jobs.

        What an `async def` makes is to be awaited in an async handler, `pool = await ctx.resource(make_pool)`; a plain
        one waits for it. It is made on the runner's loop and for all who ask: a job that is stopped while it waits does
        not stop it. Where the factory raises, who asked is told, and whoever asks next has it tried again. What it made
        is kept under the factory itself: give a function of the module, not a lambda that each call makes anew.

        When the runner leaves, `aclose()` or `close()` of each is called, and awaited where that is async.
        """


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
    annotation: Any = dict
    """What its handler asks the payload to be."""
    check: Check | None = None
    give_up_ms: int | None = None

    def admit(self, payload: Any, pointer: str) -> None:
        """Raises Invalid for a payload that may not be queued: its handler can't read it, or its check refuses it."""
        decoded = self.decode(payload, pointer)
        if self.check is not None:
            vet(self.check, decoded, pointer)


class Defaults(NamedTuple):
    """What a type has that does not say it itself: DEFAULT_MAX_ATTEMPTS and so on."""

    max_attempts: int = 5
    timeout_s: float = 60
    backoff: Backoff = DEFAULT_BACKOFF
    give_up_after_s: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Defaults":
        backoff = Backoff(settings.default_backoff_base_s, settings.default_backoff_cap_s)
        timeout_s, give_up_after_s = settings.default_timeout_s, settings.default_give_up_after_s
        return cls(settings.default_max_attempts, timeout_s, backoff, give_up_after_s)


PLAIN = Defaults()


class _Mark(NamedTuple):
    """What was said to `@job`, as it was said: `_job_type` checks it, where a fault can be told with all others. None
    is as Defaults have it."""

    name: Any
    queue: Any
    max_attempts: Any
    timeout_s: Any
    backoff: Any
    retain_s: Any
    give_up_after_s: Any
    check: Any


@overload
def job(name: Marked, /) -> Marked: ...
@overload
def job(
    name: str | None = None,
    *,
    queue: str = "default",
    max_attempts: int | None = None,
    timeout_s: float | None = None,
    backoff: tuple[float, float] | None = None,
    retain_s: float | None = None,
    give_up_after_s: float | None = None,
    check: CheckFactory | None = None,
) -> Callable[[Marked], Marked]: ...
def job(
    name: Any = None,
    *,
    queue: Any = "default",
    max_attempts: Any = None,
    timeout_s: Any = None,
    backoff: Any = None,
    retain_s: Any = None,
    give_up_after_s: Any = None,
    check: Any = None,
) -> Any:
    """Mark a function `(ctx, payload)`, async or plain, as the handler of jobs of type `name`; without a name, as in
    a mere `@job`, of the type that is called as the function is.

    backoff is (base_s, cap_s). A plain function runs in a thread. What it returns is the job's result, as JSON. One
    that is marked twice is the handler of two types.
    retain_s: for so long at most its record is kept when it has ended, however it did; None: as the queue's are.
    give_up_after_s: so long after its time no attempt begins any more, however many are left. What is left out is as
    the settings DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_S, DEFAULT_BACKOFF_… and DEFAULT_GIVE_UP_AFTER_S say.
    check is for what a payload class can't know by itself: `check(settings)` is called at the start (a ValueError
    refuses it), and what it gives is called with each payload that is to be queued, and raises where it may not be.
    """
    if callable(name):
        return job()(name)

    def mark(handler: Handler) -> Handler:
        said = _Mark(name, queue, max_attempts, timeout_s, backoff, retain_s, give_up_after_s, check)
        try:
            setattr(handler, _MARKS, (*_marks(handler), said))
        except (AttributeError, TypeError):
            raise TypeError(f"@job can't mark a {class_name(handler)}; mark a function that calls it") from None
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
    def types(self) -> list[JobType]:
        """By name."""
        return [self._types[name] for name in self.names]

    @property
    def queues(self) -> dict[str, list[str]]:
        """The queues that the types name themselves, each with these types."""
        queues: dict[str, list[str]] = {}
        for name in self.names:
            queues.setdefault(self._types[name].queue, []).append(name)
        return queues


def load(modules: Iterable[str], settings: Settings | None = None) -> Registry:
    """Import the modules and collect what `@job` marked in them. Raises ConfigError with every fault found.

    settings: for the defaults, and for the checks of what is to be queued; where they are given, a module that has a
    `check_settings(settings)` is asked, which raises ConfigError for what its jobs could never work with. Whatever a
    module raises is its fault, a KeyboardInterrupt as well: see guard.py for a Ctrl-C.
    """
    types: dict[str, JobType] = {}
    faults: list[str] = []
    for module in modules:
        for name, found in _marked(module, faults, settings):
            if name in types and types[name].handler is not found.handler:
                faults.append(f"JOB_MODULES: the job type {name!r} is defined twice, the second time in {module}")
            types[name] = found
    if not types and not faults:
        faults.append("JOB_MODULES: it names no module, so there is no type of job")
    if not faults and settings is not None:
        faults = _unfit(modules, settings)
    if faults:
        raise ConfigError(faults)
    return Registry(types.values())


def type_of(handler: Handler) -> JobType:
    """What `@job` marked that function as. Raises ValueError where it did not, or as no handler can be."""
    marks = _marks(handler)
    if not marks:
        raise ValueError(f"{getattr(handler, '__name__', handler)!r} is the handler of no job: @job(…) marks one")
    return _job_type(marks[0], handler, None)


def checked_fraction(fraction: float) -> float:
    """What `ctx.progress` was given. Raises ValueError where that is none."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"progress is from 0 to 1, not {fraction!r}")
    return float(fraction)


def checks_of(modules: Iterable[str]) -> list[tuple[str, Callable[[Any], Any]]]:
    """The `doctor(settings)` of each module that has one: it says what is well, or raises what is not."""
    return _hooks(modules, "doctor")


def probes_of(modules: Iterable[str]) -> list[tuple[str, Callable[[Any], Awaitable[object]]]]:
    """The async `probe_at_start(resource)` of each module that has one: see lib/work/runner/warnings.py."""
    return _hooks(modules, "probe_at_start")


def _hooks(modules: Iterable[str], hook: str) -> list[tuple[str, Callable[[Any], Any]]]:
    found = [(name, getattr(load_module(name), hook, None)) for name in modules]
    return [(name, check) for name, check in found if callable(check)]


def _unfit(modules: Iterable[str], settings: Settings) -> list[str]:
    faults: list[str] = []
    for name, check in _hooks(modules, "check_settings"):
        try:
            check(settings)
        except ConfigError as fault:
            faults += fault.faults
        except BaseException as fault:  # noqa: BLE001  As at its import: a user's module may fail in any way.
            faults.append(f"JOB_MODULES: check_settings of {name} failed: {class_name(fault)}: {message_of(fault)}")
    return faults


def _marked(module: str, faults: list[str], settings: Settings | None = None) -> Iterable[tuple[str, JobType]]:
    try:
        loaded = load_module(module)
    except ModuleFault as fault:
        faults.append(f"JOB_MODULES: {fault}")
        return
    # vars(), so that a module-level object with a magic __getattr__ is not mistaken for a handler.
    handlers = [(name, value) for name, value in list(vars(loaded).items()) if callable(value) and _marks(value)]
    lost = _marked_in_classes(loaded)
    if not handlers and not lost and not callable(vars(loaded).get("doctor")):
        faults.append(f"JOB_MODULES: {module} {_why_none(loaded)}")
    found = {id(mark) for _, handler in handlers for mark in _marks(handler)}
    for name, marks in lost:
        if not found.issuperset(map(id, marks)):  # A bound method beside the class is found.
            words = "@job marks a function in a class, and nobody would find it; put it outside of the class"
            faults.append(f"JOB_MODULES: {module}.{name}: {words}")
    for name, handler in handlers:
        for mark in _marks(handler):
            try:
                job_type = _job_type(mark, handler, settings)
            except ConfigError as fault:
                faults.extend(fault.faults)
            except BaseException as fault:  # noqa: BLE001  Annotations, and what @job was given, are code of the user's.
                faults.append(f"JOB_MODULES: {module}.{name}: {message_of(fault) or class_name(fault)}")
            else:
                yield job_type.name, job_type


def _marks(value: object) -> tuple[_Mark, ...]:
    """What `@job` has said of it; of a function that wraps such a one, and was given all that it had, as well."""
    try:
        found = getattr(value, "__dict__", {}).get(_MARKS, ())
    except BaseException:  # noqa: BLE001  Such as a proxy for a request that is not there: it is no handler.
        return ()
    return found if type(found) is tuple else ()


def _marked_in_classes(module: ModuleType) -> list[tuple[str, tuple[_Mark, ...]]]:
    """The functions of the module's own classes that `@job` marks, with what it says of each."""
    # By its class: what an object says of its own, it may say by raising.
    classes = [value for value in vars(module).values() if issubclass(type(value), type)]
    # type's own: a class may have a metaclass that answers differently, or raises.
    members = [(kind, type.__dict__["__dict__"].__get__(kind)) for kind in classes]
    found = [
        (f"{type.__dict__['__name__'].__get__(kind)}.{name}", _marks(value) or _marks(_behind(value)))
        for kind, values in members
        if values.get("__module__") == module.__name__
        for name, value in values.items()
    ]
    return [(name, marks) for name, marks in found if marks]


def _behind(value: object) -> object:
    """The function of a staticmethod or classmethod."""
    return value.__func__ if type(value) in (staticmethod, classmethod) else None  # type: ignore[attr-defined]


def _why_none(module: ModuleType) -> str:
    """Words for a module in which nothing is marked."""
    others = [value for value in vars(module).values() if issubclass(type(value), ModuleType) and value is not module]
    named = sorted({other.__name__ for other in others if any(_marks(value) for value in vars(other).values())})
    if named:
        return f"has no job of its own; name the modules that it imports, which have some: {', '.join(named)}"
    return "has no job: mark a function (ctx, payload) in it with @job, or have a module with jobs import it"


def _job_type(mark: _Mark, handler: Handler, settings: Settings | None) -> JobType:
    code = _code_of(handler)
    defaults = PLAIN if settings is None else Defaults.of(settings)
    own = {name: value for name in defaults._fields if (value := getattr(mark, name)) is not None}
    limits = defaults._replace(**own)
    name, backoff = _checked(mark, limits, handler)
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise ValueError("a handler that yields would never be run; have it return")
    parameters = list(inspect.signature(handler).parameters.values())
    if [parameter.kind in _BY_PLACE for parameter in parameters] != [True, True]:
        raise ValueError("a handler takes two arguments, (ctx, payload)")
    annotation = typing.get_type_hints(code).get(parameters[1].name, dict)
    try:
        decode = decoder_for(annotation)
    except UnknownAnnotation as fault:
        raise ValueError(str(fault)) from None
    is_async = inspect.iscoroutinefunction(code)
    retain_ms = None if mark.retain_s is None else round(mark.retain_s * 1000)
    check = mark.check(settings) if mark.check is not None and settings is not None else None
    return JobType(
        name,
        handler,
        decode,
        is_async,
        mark.queue,
        limits.max_attempts,
        limits.timeout_s,
        backoff,
        retain_ms,
        annotation,
        check,
        None if limits.give_up_after_s is None else max(1, round(limits.give_up_after_s * 1000)),
    )


_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _code_of(handler: Handler) -> Any:
    """The function that runs when the handler is called: a partial's, and an object's `__call__`. It has the
    annotations, and says whether it is async."""
    if isinstance(handler, type):
        raise ValueError("@job marks a class; mark a function (ctx, payload), or an object that can be called so")
    while isinstance(handler, functools.partial):
        handler = handler.func
    if inspect.isroutine(handler):
        return handler
    return _code_of(type(handler).__call__)


def _checked(mark: _Mark, limits: Defaults, handler: Handler) -> tuple[str, Backoff]:
    """The type's name and backoff. Raises ValueError."""
    name = getattr(handler, "__name__", None) if mark.name is None else mark.name
    if name is None:
        raise ValueError('it has no name that its jobs could have; give it one, as in @job("report")')
    # Neither " nor \\: enqueue.lua reads the name off the spec, as it stands there.
    if not isinstance(name, str) or not _is_type_name(name):
        raise ValueError(f"a job type's name has 1 to 64 printable characters, no quote or backslash: {name!r}")
    if not isinstance(mark.queue, str) or not QUEUE_NAME.fullmatch(mark.queue):
        raise ValueError(f"{mark.queue!r} can't name a queue: a-z, 0-9, _ and -, 64 at most")
    if type(limits.max_attempts) is not int or not 1 <= limits.max_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"max_attempts is a whole number from 1 to {MAX_ATTEMPTS}, not {limits.max_attempts!r}")
    if not _is_number(limits.timeout_s) or not 0 < limits.timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s is a number above 0 and at most {MAX_TIMEOUT_S}, not {limits.timeout_s!r}")
    given_up_s = limits.give_up_after_s
    if given_up_s is not None and not (_is_number(given_up_s) and 0 < given_up_s <= MAX_DELAY_S):
        raise ValueError(f"give_up_after_s is a number above 0 and at most {MAX_DELAY_S}, or None, not {given_up_s!r}")
    if mark.retain_s is not None and not (_is_number(mark.retain_s) and 0 <= mark.retain_s <= MAX_DELAY_S):
        raise ValueError(f"retain_s is a number from 0 to {MAX_DELAY_S}, or None, not {mark.retain_s!r}")
    if mark.check is not None and not callable(mark.check):
        raise ValueError(f"check is a function of the settings, or None, not {mark.check!r}")
    return name, _backoff(limits.backoff)


def _is_type_name(name: str) -> bool:
    return 0 < len(name) <= 64 and name.isprintable() and '"' not in name and "\\" not in name


def _backoff(said: Any) -> Backoff:
    words = f"backoff is (base_s, cap_s), with 0 < base_s <= cap_s <= {MAX_DELAY_S}, not {said!r}"
    if not isinstance(said, tuple | list) or len(said) != 2 or not all(map(_is_number, said)):
        raise ValueError(words)
    backoff = Backoff(*said)
    if not 0 < backoff.base_s <= backoff.cap_s <= MAX_DELAY_S:
        raise ValueError(words)
    return backoff


def _is_number(value: object) -> bool:
    # A bool is an int to Python, and no time.
    return isinstance(value, int | float) and not isinstance(value, bool)
