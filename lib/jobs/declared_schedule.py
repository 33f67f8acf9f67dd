"""Schedules in code: what `@job(…, cron="0 3 * * *")` declares, as the body of PUT /api/schedules/{name}. Pure.

    @job("report", cron="0 3 * * *", timezone="Europe/Berlin", payload={"month": "last"})

    ->  DeclaredSchedule("report", {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "owner": "code:shop.jobs",
                                    "job": {"type": "report", "payload": {"month": "last"}, "queue": "default"}})

The start of every program that loads the module checks the declaration, as PUT would (`faults_of`). Workers write it
into Redis: lib/queue/code_schedules.py says when.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lib.errors import InvalidFields
from lib.ids import JobIds
from lib.json_text import TOO_DEEP, is_too_deep, to_json

if TYPE_CHECKING:
    from lib.jobs.registry import Registry

_NO_OWNER = re.compile(r"[^A-Za-z0-9._:@/-]")
_OWNER_CHARS = 128


class ScheduleMark(NamedTuple):
    """The arguments of one `@job` that ask for a schedule, unchecked. None stands for one that was left out."""

    cron: Any
    every_s: Any
    timezone: Any
    payload: Any
    schedule: Any
    overlap: Any
    catch_up: Any


class DeclaredSchedule(NamedTuple):
    """A schedule as code declares it. body: as PUT /api/schedules/{name} takes it."""

    name: str
    body: dict[str, Any]

    @property
    def digest(self) -> str:
        """Stands for what the author wrote: 16 hex digits, the same for the same words on every host."""
        return hashlib.sha256(to_json(self.body).encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def queue(self) -> str:
        return str(self.body["job"]["queue"])

    @property
    def owner(self) -> str:
        """`code:` and the module."""
        return str(self.body["owner"])


def declared(mark: ScheduleMark, type_name: str, module: str, options: Mapping[str, Any]) -> DeclaredSchedule | None:
    """The schedule that the mark asks for; None where it asks for none. Raises ValueError.

    options: what the same `@job` says of its jobs, under the names of POST /api/jobs; None for what it does not say.
    """
    given = {name: value for name, value in mark._asdict().items() if value is not None}
    if not given:
        return None
    if "cron" not in given and "every_s" not in given:
        raise ValueError(f'{next(iter(given))} goes with a schedule: give cron, as in cron="0 3 * * *", or every_s')
    payload, name = _plain(given.pop("payload", {})), given.pop("schedule", type_name)
    if not isinstance(name, str):
        raise ValueError(f"schedule is the name of its schedule, not {name!r}")
    job = {"type": type_name, "payload": payload, **{key: value for key, value in options.items() if value is not None}}
    owner = f"code:{_NO_OWNER.sub('_', module)}"[:_OWNER_CHARS]
    return DeclaredSchedule(name, _plain({**given, "owner": owner, "job": job}))


def faults_of(schedules: Iterable[DeclaredSchedule], registry: "Registry") -> list[str]:
    """A sentence for each fault that PUT would find."""
    # Imported here: most deployments declare no schedule, and schedule_request.py imports registry.py.
    from lib.jobs.schedule_request import SCHEDULE_NAME, read_schedule

    faults, names, ids = [], set[str](), JobIds()
    for one in schedules:
        where = f"{one.owner.removeprefix('code:')}: the schedule {one.name!r} of @job({one.body['job']['type']!r})"
        if not SCHEDULE_NAME.fullmatch(one.name):
            faults.append(
                f"{where}: a schedule's name is 1 to 100 of a-z, 0-9 and . _ -, and begins with a letter or digit; "
                'name it, as in @job(…, schedule="nightly")'
            )
        if one.name in names:
            faults.append(f'{where}: there are two of that name; name one otherwise, as in @job(…, schedule="nightly")')
        names.add(one.name)
        try:
            read_schedule(one.body, registry, ids, None)
        except InvalidFields as fault:
            faults += [f"{where}: {_argument(error.pointer)} {error.detail}" for error in fault.errors]
    return faults


def _plain(value: Any) -> Any:
    """The value as it comes back out of JSON, so that nobody else can change it. Raises ValueError."""
    try:
        text = to_json(value)
    except (TypeError, ValueError, RecursionError) as fault:
        raise ValueError(f"the payload of its schedule, or an option, is no JSON: {fault}") from None
    if is_too_deep(text):
        raise ValueError(f"the payload of its schedule: {TOO_DEEP}")
    return json.loads(text)


def _argument(pointer: str) -> str:
    """/cron -> cron, /job/payload/month -> payload/month: what the author of the code looks for."""
    return pointer.removeprefix("/job").removeprefix("/")
