"""`@job` marks a function as a handler, and a mark becomes a JobType. What was given to `@job` is checked here.

    @job("report", queue="slow", max_attempts=3)
    async def report(ctx: JobContext, payload: Report) -> None: ...

    ->  JobType("report", report, decode, is_async=True, queue="slow", max_attempts=3, annotation=Report, …)

Nothing is registered while a module is imported: `@job` writes a JobMark onto the function, and registry.py looks for
functions with marks in the modules that JOB_MODULES names.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, overload

from lib.ids import QUEUE_NAME
from lib.jobs.backoff import Backoff
from lib.jobs.declared_schedule import DeclaredSchedule, ScheduleMark, declared
from lib.jobs.group import GROUP_NAME, GROUP_RULE
from lib.jobs.handler import Handler
from lib.jobs.job import MAX_ATTEMPTS, MAX_DELAY_S, MAX_TIMEOUT_S
from lib.jobs.job_type import WITHOUT_SETTINGS, GroupOf, JobType, PayloadCheck, TypeDefaults, defaults_of
from lib.jobs.masking import names_secrets
from lib.jobs.payload import Decode, UnknownAnnotation, decoder_for, fields_of
from lib.jobs.start_limits import MAX_CONCURRENCY
from lib.jobs.workflow import WORKFLOW_TYPE
from lib.logs.log_lines import class_name
from lib.settings.config import Settings

Marked = TypeVar("Marked", bound=Callable[..., Any])
CheckFactory = Callable[[Settings], PayloadCheck]
GroupFactory = Callable[[Settings], str | GroupOf | None]
_MARKS = "__waybill_jobs__"
_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class JobMark(NamedTuple):
    """The arguments of one `@job`, unchecked: `job_type` checks them, where the start can report a fault beside all
    others. None stands for an argument that was left out."""

    name: Any
    queue: Any
    max_attempts: Any
    timeout_s: Any
    backoff: Any
    retain_s: Any
    give_up_after_s: Any
    check: Any
    group_by: Any
    group: Any
    schedule: ScheduleMark
    group_concurrency: Any = None


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
    group_by: str | None = None,
    group: GroupFactory | None = None,
    group_concurrency: int | None = None,
    cron: str | None = None,
    every_s: float | None = None,
    timezone: str | None = None,
    payload: dict[str, Any] | None = None,
    schedule: str | None = None,
    overlap: str | None = None,
    catch_up: str | None = None,
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
    group_by: Any = None,
    group: Any = None,
    group_concurrency: Any = None,
    cron: Any = None,
    every_s: Any = None,
    timezone: Any = None,
    payload: Any = None,
    schedule: Any = None,
    overlap: Any = None,
    catch_up: Any = None,
) -> Any:
    """JobMark a function `(ctx, payload)`, async or plain, as the handler of jobs of type `name`. Without a name, as
    in a mere `@job`, the type is named like the function.

    A plain function runs in a thread. What the function returns is the job's result, as JSON. A function that is marked
    twice is the handler of two types.

    backoff: (base_s, cap_s).
    retain_s: how long a finished job's record is kept at most; None: as long as its queue keeps records.
    give_up_after_s: how long after its due time a job may still begin an attempt, however many attempts are left.
    check: a function of the settings that is called at the start (a ValueError refuses the start) and returns a
    function of the payload. The latter is called before a job is enqueued, and raises for a payload that is to be
    refused, by rules that a payload class can't know by itself.
    group_by: the field of the payload that names a job's group, as in "tenant", or "customer.id", which dots lead to. A
    request's own `group` goes before it. A job whose payload lacks the field has no group.
    group: a function of the settings that is called at the start, and returns the group of all jobs for which neither
    request nor payload names one: what they share outside, as a mail server. None or "": they have none. It may return
    a function, too: that one is called with each payload (a dict that was checked) and returns the payload's group.
    group_concurrency: how many jobs of each group may run at once in the type's queue. It is a setting that the queue
    begins with, as PATCH /api/queues/{queue} makes it, and that anybody may change later; of a queue that is there
    already nothing is changed.
    cron or every_s: the type has a schedule, which workers write (lib/queue/code_schedules.py). Its job has `payload`
    ({} where that is left out) and what else is said here. timezone, overlap, catch_up: as in PUT /api/schedules.
    schedule: its name; left out, it is the type's.
    max_attempts, timeout_s, backoff and give_up_after_s: left out, they are what the settings DEFAULT_MAX_ATTEMPTS,
    DEFAULT_TIMEOUT_S, DEFAULT_BACKOFF_… and DEFAULT_GIVE_UP_AFTER_S say.
    """
    if callable(name):
        return job()(name)

    def add_mark(handler: Handler) -> Handler:
        asked = ScheduleMark(cron, every_s, timezone, payload, schedule, overlap, catch_up)
        limits = (queue, max_attempts, timeout_s, backoff, retain_s, give_up_after_s)
        mark = JobMark(name, *limits, check, group_by, group, asked, group_concurrency)
        try:
            setattr(handler, _MARKS, (*marks_of(handler), mark))
        except (AttributeError, TypeError):
            raise TypeError(f"@job can't mark a {class_name(handler)}; mark a function that calls it") from None
        return handler

    return add_mark


def marks_of(value: object) -> tuple[JobMark, ...]:
    """The marks of a function, or of a wrapper that took over the function's attributes; () for anything else."""
    try:
        found = getattr(value, "__dict__", {}).get(_MARKS, ())
    except BaseException:  # noqa: BLE001  A proxy for a request that is not there raises, say: it is no handler.
        return ()
    return found if type(found) is tuple else ()


def type_of(handler: Handler) -> JobType:
    """The JobType of a function that `@job` marked. Raises ValueError for any other function, and for a wrong mark."""
    marks = marks_of(handler)
    if not marks:
        raise ValueError(f"{getattr(handler, '__name__', handler)!r} is the handler of no job: @job(…) marks one")
    return job_type(marks[0], handler, None)


def job_type(mark: JobMark, handler: Handler, settings: Settings | None) -> JobType:
    """The JobType that a mark on `handler` asks for. Without settings it has WITHOUT_SETTINGS and no check.

    Raises ValueError for a mark or a function that can't be one, and whatever the author's own `check` raises.
    """
    code = _code_of(handler)
    limits = _limits(mark, settings)
    name = _checked_name(mark, handler)
    _check_limits(mark, limits)
    backoff = _checked_backoff(limits.backoff)
    decode, annotation = _decoder(code, handler)
    group = _shared_group(mark.group, settings)
    return JobType(
        name,
        handler,
        decode,
        inspect.iscoroutinefunction(code),
        mark.queue,
        limits.max_attempts,
        limits.timeout_s,
        backoff,
        None if mark.retain_s is None else round(mark.retain_s * 1000),
        annotation,
        mark.check(settings) if mark.check is not None and settings is not None else None,
        None if limits.give_up_after_s is None else max(1, round(limits.give_up_after_s * 1000)),
        _checked_group_by(mark.group_by, annotation),
        "" if callable(group) else group,
        _schedule(mark, name, handler),
        group if callable(group) else None,
        _checked_concurrency(mark.group_concurrency),
    )


def _limits(mark: JobMark, settings: Settings | None) -> TypeDefaults:
    """What the mark says, and the defaults for what it does not say. Not yet checked."""
    defaults = WITHOUT_SETTINGS if settings is None else defaults_of(settings)
    return defaults._replace(**{name: value for name in defaults._fields if (value := getattr(mark, name)) is not None})


def _code_of(handler: Handler) -> Any:
    """The function that runs when the handler is called: the inner one of a partial, `__call__` of an object. That
    function has the annotations, and may be async."""
    if isinstance(handler, type):
        raise ValueError("@job marks a class; mark a function (ctx, payload), or an object that can be called so")
    while isinstance(handler, functools.partial):
        handler = handler.func
    if inspect.isroutine(handler):
        return handler
    return _code_of(type(handler).__call__)


def _decoder(code: Any, handler: Handler) -> tuple[Decode, Any]:
    """The decoder of the handler's payload, and the annotation that the decoder is made of. Raises ValueError."""
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise ValueError("a handler that yields would never be run; have it return")
    parameters = list(inspect.signature(handler).parameters.values())
    if [parameter.kind in _BY_PLACE for parameter in parameters] != [True, True]:
        raise ValueError("a handler takes two arguments, (ctx, payload)")
    annotation = typing.get_type_hints(code).get(parameters[1].name, dict)
    try:
        return decoder_for(annotation), annotation
    except UnknownAnnotation as fault:
        raise ValueError(str(fault)) from None


def _checked_name(mark: JobMark, handler: Handler) -> str:
    name = getattr(handler, "__name__", None) if mark.name is None else mark.name
    if name is None:
        raise ValueError('it has no name that its jobs could have; give it one, as in @job("report")')
    # Neither " nor \\: enqueue.lua reads the type's name off the spec, as it stands there.
    if not isinstance(name, str) or not _is_type_name(name):
        raise ValueError(f"a job type's name has 1 to 64 printable characters, no quote or backslash: {name!r}")
    if name == WORKFLOW_TYPE:
        raise ValueError(f"the job type {name!r} is Waybill's own, and has no handler; give yours another name")
    return name


def _is_type_name(name: str) -> bool:
    return 0 < len(name) <= 64 and name.isprintable() and '"' not in name and "\\" not in name


def _check_limits(mark: JobMark, limits: TypeDefaults) -> None:
    """Raises ValueError for the first argument that is not what it must be."""
    if not isinstance(mark.queue, str) or not QUEUE_NAME.fullmatch(mark.queue):
        raise ValueError(f"{mark.queue!r} can't name a queue: a-z, 0-9, _ and -, 64 at most")
    if type(limits.max_attempts) is not int or not 1 <= limits.max_attempts <= MAX_ATTEMPTS:
        raise ValueError(f"max_attempts is a whole number from 1 to {MAX_ATTEMPTS}, not {limits.max_attempts!r}")
    if not _is_number(limits.timeout_s) or not 0 < limits.timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s is a number above 0 and at most {MAX_TIMEOUT_S}, not {limits.timeout_s!r}")
    give_up_s = limits.give_up_after_s
    if give_up_s is not None and not (_is_number(give_up_s) and 0 < give_up_s <= MAX_DELAY_S):
        raise ValueError(f"give_up_after_s is a number above 0 and at most {MAX_DELAY_S}, or None, not {give_up_s!r}")
    if mark.retain_s is not None and not (_is_number(mark.retain_s) and 0 <= mark.retain_s <= MAX_DELAY_S):
        raise ValueError(f"retain_s is a number from 0 to {MAX_DELAY_S}, or None, not {mark.retain_s!r}")
    if mark.check is not None and not callable(mark.check):
        raise ValueError(f"check is a function of the settings, or None, not {mark.check!r}")


def _checked_backoff(given: Any) -> Backoff:
    words = f"backoff is (base_s, cap_s), with 0 < base_s <= cap_s <= {MAX_DELAY_S}, not {given!r}"
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(map(_is_number, given)):
        raise ValueError(words)
    backoff = Backoff(*given)
    if not 0 < backoff.base_s <= backoff.cap_s <= MAX_DELAY_S:
        raise ValueError(words)
    return backoff


def _checked_group_by(path: Any, annotation: Any) -> str:
    """The field that names the group, "" for none. Raises ValueError for one that no payload of this class can have."""
    if path is None:
        return ""
    if not isinstance(path, str) or not all(path.split(".")):
        raise ValueError(f'group_by is a field of the payload, as "tenant" or "customer.id", or None, not {path!r}')
    if names_secrets(dict.fromkeys(path.split("."), "")):
        raise ValueError(f"group_by={path!r} would show a secret: a group's name is seen by everybody")
    kind = annotation
    for name in path.split("."):
        if not (dataclasses.is_dataclass(kind) and isinstance(kind, type)):
            break
        fields = {field.name: field.annotation for field in fields_of(kind)}
        if name not in fields:
            raise ValueError(f"group_by={path!r}: {kind.__name__} has no field {name}; it has {', '.join(fields)}")
        kind = fields[name]
    return path


def _checked_concurrency(given: Any) -> int | None:
    if given is None or (type(given) is int and 1 <= given <= MAX_CONCURRENCY):
        return given
    raise ValueError(f"group_concurrency is a whole number from 1 to {MAX_CONCURRENCY}, or None, not {given!r}")


def _shared_group(group: Any, settings: Settings | None) -> str | GroupOf:
    """The group that `@job(group=…)` gives for these settings, "" for none; or the function that names it for each
    payload."""
    if group is not None and not callable(group):
        raise ValueError(f"group is a function of the settings, or None, not {group!r}")
    name = group(settings) if group is not None and settings is not None else None
    if name in (None, ""):
        return ""
    if callable(name):
        group_of: GroupOf = name
        return group_of
    if not isinstance(name, str) or not GROUP_NAME.fullmatch(name):
        raise ValueError(f"group gives a name of {GROUP_RULE}, not {name!r}")
    return name


def _schedule(mark: JobMark, name: str, handler: Handler) -> DeclaredSchedule | None:
    backoff = None if mark.backoff is None else Backoff(*mark.backoff)._asdict()
    options = {field: getattr(mark, field) for field in ("queue", *TypeDefaults._fields, "retain_s")}
    return declared(mark.schedule, name, handler.__module__, {**options, "backoff": backoff})


def _is_number(value: object) -> bool:
    # True is an int in Python, and no length of time.
    return isinstance(value, int | float) and not isinstance(value, bool)
