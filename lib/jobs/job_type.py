"""A job type as a value: its handler, and what a job of the type has where its request says nothing. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lib.jobs.author_checks import vet
from lib.jobs.backoff import DEFAULT_BACKOFF, Backoff
from lib.jobs.declared_schedule import DeclaredSchedule
from lib.jobs.handler import Handler
from lib.jobs.job import KEEP
from lib.jobs.payload import Decode
from lib.jobs.spec import JobSpec
from lib.settings.config import Settings

PayloadCheck = Callable[[Any], object]
GroupOf = Callable[[dict[str, Any]], str]


class TypeDefaults(NamedTuple):
    """What a type has where `@job` does not say it. In a deployment the settings DEFAULT_… say it, elsewhere these."""

    max_attempts: int = 5
    timeout_s: float = 60
    backoff: Backoff = DEFAULT_BACKOFF
    give_up_after_s: float | None = None


WITHOUT_SETTINGS = TypeDefaults()


def defaults_of(settings: Settings) -> TypeDefaults:
    """The settings DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_S and so on."""
    return TypeDefaults(
        settings.default_max_attempts,
        settings.default_timeout_s,
        Backoff(settings.default_backoff_base_s, settings.default_backoff_cap_s),
        settings.default_give_up_after_s,
    )


@dataclass(frozen=True, slots=True)
class JobType:
    """A kind of job, such as "email".

    decode: turns a payload's JSON into `annotation`, which is what the handler's second parameter is annotated with.
    check: what `@job(check=…)` made for these settings; raises for a decoded payload that may not be enqueued.
    retain_ms: how long a finished job's record is kept at most; None: as long as the queue keeps records.
    give_up_ms: how long after its due time a job may still begin an attempt; None: for ever.
    group_by: the field of a payload that names the job's group, as in "tenant" or "customer.id"; "" for none.
    group: the group of a job for which neither the request nor the payload names one; "" for none.
    group_of: gives that group for a payload that was admitted, where it is not the same for all; None: `group` holds.
    schedule: the schedule that its `@job` declares.
    group_concurrency: how many jobs of each group may run at once, as a setting that the type's queue begins with;
    None: the queue begins without.
    """

    name: str
    handler: Handler
    decode: Decode
    is_async: bool
    queue: str = "default"
    max_attempts: int = WITHOUT_SETTINGS.max_attempts
    timeout_s: float = WITHOUT_SETTINGS.timeout_s
    backoff: Backoff = WITHOUT_SETTINGS.backoff
    retain_ms: int | None = None
    annotation: Any = dict
    check: PayloadCheck | None = None
    give_up_ms: int | None = None
    group_by: str = ""
    group: str = ""
    schedule: DeclaredSchedule | None = None
    group_of: GroupOf | None = None
    group_concurrency: int | None = None
    defaults: dict[str, Any] = field(init=False, repr=False, compare=False)
    """What a job has where its request says nothing: the values that the checks of fields.py would give for the other
    fields, under their names there, and the defaults of a spec under the names there."""

    def __post_init__(self) -> None:
        defaults = {
            **JobSpec._field_defaults,
            "queue": self.queue,
            "delay_s": None,
            "run_at": None,
            "max_attempts": self.max_attempts,
            "timeout_s": self.timeout_s,
            "backoff": self.backoff,
            "expires_in_s": None,
            "unique": ("", 0, KEEP),
            "retain_s": self.retain_ms,
            "give_up_after_s": self.give_up_ms,
            "group": self.group,
        }
        object.__setattr__(self, "defaults", defaults)

    def admit(self, payload: Any, pointer: str) -> None:
        """Raises Invalid for a payload that may not be enqueued: the handler can't read it, or `check` refuses it."""
        decoded = self.decode(payload, pointer)
        if self.check is not None:
            vet(self.check, decoded, pointer)
