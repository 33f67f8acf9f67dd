"""The job types that this deployment knows: `load` imports the modules of JOB_MODULES and collects what `@job` marked.

The server loads the same modules as a runner does. It never runs a handler, but refuses a payload that the handler
could not read.

Job modules import all that they need from here: `from lib.jobs.registry import Discard, JobContext, Retry, Snooze,
job`.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from lib.errors import ConfigError
from lib.jobs.declaration import JobMark, job, job_type, marks_of
from lib.jobs.declared_schedule import DeclaredSchedule, faults_of
from lib.jobs.failure import message_of
from lib.jobs.handler import Discard, Handler, HandOver, JobContext, Retry, Snooze
from lib.jobs.job_type import JobType
from lib.jobs.module import ModuleFault, load_module
from lib.jobs.parents import Parent, Results
from lib.jobs.queue_settings import stored
from lib.logs.log_lines import class_name
from lib.settings.config import Settings

# All of what job modules have ever imported from here.
__all__ = [
    "Discard",
    "HandOver",
    "Handler",
    "JobContext",
    "JobType",
    "Parent",
    "Registry",
    "Results",
    "Retry",
    "Snooze",
    "job",
    "load",
]


class Registry:
    """Job types by name. signs_webhooks: whether there is a secret by which webhooks are signed (WEBHOOK_SECRET)."""

    def __init__(self, types: Iterable[JobType], *, signs_webhooks: bool = False) -> None:
        self._types = {one.name: one for one in types}
        self.signs_webhooks = signs_webhooks

    def get(self, name: str) -> JobType | None:
        return self._types.get(name)

    @property
    def names(self) -> list[str]:
        return sorted(self._types)

    @property
    def types(self) -> list[JobType]:
        """Sorted by name."""
        return [self._types[name] for name in self.names]

    @property
    def queues(self) -> dict[str, list[str]]:
        """{"email": ["email"], "default": ["noop", "report"]}: each queue that a type names, with these types."""
        queues: dict[str, list[str]] = {}
        for name in self.names:
            queues.setdefault(self._types[name].queue, []).append(name)
        return queues

    @property
    def first_settings(self) -> dict[str, dict[str, str]]:
        """{"webhook": {"group_concurrency": "10"}}: what queues begin with, as Redis keeps it."""
        return {
            one.queue: stored({"groups": {"concurrency": one.group_concurrency}})
            for one in self.types
            if one.group_concurrency is not None
        }

    @property
    def schedules(self) -> list[DeclaredSchedule]:
        """Those that types declare, sorted by the types' names."""
        return [one.schedule for one in self.types if one.schedule is not None]


def load(modules: Iterable[str], settings: Settings | None = None) -> Registry:
    """Import the modules and collect what `@job` marked in them. Raises ConfigError with every fault found.

    settings: for the defaults of the types and for their payload checks. With settings, `check_settings(settings)` of
    each module that has one is called; it raises ConfigError for settings with which its jobs could never work.
    Whatever a module raises is reported as its fault, a KeyboardInterrupt as well; for a Ctrl-C see guard.py.
    """
    types: dict[str, JobType] = {}
    faults: list[str] = []
    for module in modules:
        for found in _types_in(module, faults, settings):
            if found.name in types and types[found.name].handler is not found.handler:
                faults.append(f"JOB_MODULES: the job type {found.name!r} is defined twice, the second time in {module}")
            types[found.name] = found
    if not types and not faults:
        faults.append("JOB_MODULES: it names no module, so there is no type of job")
    signs_webhooks = settings is not None and settings.webhook_secret.strip() != ""
    registry = Registry(types.values(), signs_webhooks=signs_webhooks)
    faults += _at_odds(registry)
    if not faults and registry.schedules:
        faults = [f"JOB_MODULES: {fault}" for fault in faults_of(registry.schedules, registry)]
    if not faults and settings is not None:
        faults = _misfits(modules, settings)
    if faults:
        raise ConfigError(faults)
    return registry


def _at_odds(registry: Registry) -> list[str]:
    """A sentence for each type whose queue begins, by an earlier type, with another group_concurrency."""
    faults, firsts = [], dict[str, JobType]()
    for one in registry.types:
        first = one if one.group_concurrency is None else firsts.setdefault(one.queue, one)
        if first.group_concurrency != one.group_concurrency:
            named = f"{first.name} {first.group_concurrency}, {one.name} {one.group_concurrency}"
            faults.append(f"JOB_MODULES: types of the queue {one.queue} differ in their group_concurrency: {named}")
    return faults


def checks_of(modules: Iterable[str]) -> list[tuple[str, Callable[[Any], Any]]]:
    """Each module that has a `doctor(settings)`, with this function: it returns a sentence about what is well, or
    raises for what is not."""
    return _hooks(modules, "doctor")


def probes_of(modules: Iterable[str]) -> list[tuple[str, Callable[[Any], Awaitable[object]]]]:
    """Each module that has an async `probe_at_start(resource)`, with this function; see work/runner/warnings.py."""
    return _hooks(modules, "probe_at_start")


def _hooks(modules: Iterable[str], hook: str) -> list[tuple[str, Callable[[Any], Any]]]:
    found = [(name, getattr(load_module(name), hook, None)) for name in modules]
    return [(name, function) for name, function in found if callable(function)]


def _misfits(modules: Iterable[str], settings: Settings) -> list[str]:
    """The faults that the modules' own `check_settings` find."""
    faults: list[str] = []
    for name, check in _hooks(modules, "check_settings"):
        try:
            check(settings)
        except ConfigError as fault:
            faults += fault.faults
        except BaseException as fault:  # noqa: BLE001  As at its import: a user's module may fail in any way.
            faults.append(f"JOB_MODULES: check_settings of {name} failed: {class_name(fault)}: {message_of(fault)}")
    return faults


def _types_in(module: str, faults: list[str], settings: Settings | None = None) -> Iterator[JobType]:
    """The job types that a module declares. What is wrong with the module is added to `faults`."""
    try:
        loaded = load_module(module)
    except ModuleFault as fault:
        faults.append(f"JOB_MODULES: {fault}")
        return
    # vars(), so that a module-level object with a magic __getattr__ is not mistaken for a handler.
    handlers = [(name, value) for name, value in list(vars(loaded).items()) if callable(value) and marks_of(value)]
    faults += (f"JOB_MODULES: {module}{fault}" for fault in _marks_out_of_reach(loaded, handlers))
    for name, handler in handlers:
        for mark in marks_of(handler):
            try:
                yield job_type(mark, handler, settings)
            except ConfigError as fault:
                faults.extend(fault.faults)
            except BaseException as fault:  # noqa: BLE001  Annotations, and what @job was given, are code of the user's.
                faults.append(f"JOB_MODULES: {module}.{name}: {message_of(fault) or class_name(fault)}")


def _marks_out_of_reach(module: ModuleType, handlers: list[tuple[str, Any]]) -> Iterator[str]:
    """Sentences about marks that lie where `load` does not look, to be written behind the module's name."""
    in_classes = _marked_in_classes(module)
    if not handlers and not in_classes and not callable(vars(module).get("doctor")):
        yield f" {_why_none(module)}"
    found = {id(mark) for _, handler in handlers for mark in marks_of(handler)}
    for name, marks in in_classes:
        if not found.issuperset(map(id, marks)):  # A bound method beside the class is found.
            yield f".{name}: @job marks a function in a class, and nobody would find it; put it outside of the class"


def _marked_in_classes(module: ModuleType) -> list[tuple[str, tuple[JobMark, ...]]]:
    """The functions of the module's own classes that `@job` marks, with their marks: ("Reports.daily",
    (JobMark(…),))."""
    # By its class: an object may raise when it is asked for its own __class__.
    classes = [value for value in vars(module).values() if issubclass(type(value), type)]
    # type's own: a class may have a metaclass that answers differently, or raises.
    members = [(kind, type.__dict__["__dict__"].__get__(kind)) for kind in classes]
    found = [
        (f"{type.__dict__['__name__'].__get__(kind)}.{name}", marks_of(value) or marks_of(_wrapped_by(value)))
        for kind, values in members
        if values.get("__module__") == module.__name__
        for name, value in values.items()
    ]
    return [(name, marks) for name, marks in found if marks]


def _wrapped_by(value: object) -> object:
    """The function of a staticmethod or classmethod."""
    return value.__func__ if type(value) in (staticmethod, classmethod) else None  # type: ignore[attr-defined]


def _why_none(module: ModuleType) -> str:
    """A sentence, to follow the name of a module in which nothing is marked."""
    others = [value for value in vars(module).values() if issubclass(type(value), ModuleType) and value is not module]
    named = sorted({other.__name__ for other in others if any(marks_of(value) for value in vars(other).values())})
    if named:
        return f"has no job of its own; name the modules that it imports, which have some: {', '.join(named)}"
    return "has no job: mark a function (ctx, payload) in it with @job, or have a module with jobs import it"
