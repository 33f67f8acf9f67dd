"""A change of a job that waits, checked: the JSON that PATCH /api/jobs/{job_id} takes.

Every fault is found at once, each with a pointer. First what can be said of the body by itself; then, with the job as
it is, whether its handler could read the new payload. Pure: nothing is written here.
"""

from typing import Any, NamedTuple

from lib.errors import FieldError, WrongState
from lib.jobs.job import JobRecord, Revision
from lib.jobs.masking import unmasked
from lib.jobs.payload import Invalid
from lib.jobs.registry import Registry
from lib.jobs.submission import CHECKS, checked, fields_error, object_in

FIELDS = ("payload", "priority", "run_at", "max_attempts")


class Change(NamedTuple):
    """What is asked for. `fields` holds what was given, in the form that a spec has it; run_at may be None: now."""

    fields: dict[str, Any]

    def of(self, record: JobRecord, registry: Registry) -> Revision:
        """What the job is to be. Raises InvalidFields, and WrongState for a job that nobody can read."""
        spec = record.spec
        if spec is None:
            raise WrongState("the job can't be read, so it can't be changed; cancel it")
        if "payload" in self.fields:
            payload = _payload(self.fields["payload"], spec.payload, spec.type, registry)
            spec = spec._replace(payload=payload)
        priority = self.fields.get("priority")
        spec = spec._replace(
            priority=priority or spec.priority, max_attempts=self.fields.get("max_attempts", spec.max_attempts)
        )
        due = self.fields["run_at"] or "now" if "run_at" in self.fields else None
        return Revision(spec.to_text(), priority, due)


def read(body: Any) -> Change:
    """Raises InvalidFields with every fault."""
    errors: list[FieldError] = []
    fields = checked(object_in(body), {name: _CHECKS[name] for name in FIELDS}, errors)
    if not errors and not fields:
        errors.append(FieldError("", "changes nothing; give one of " + ", ".join(FIELDS)))
    if errors:
        raise fields_error(errors)
    return Change(fields)


def _payload(sent: dict[str, Any], stored: dict[str, Any], type_name: str, registry: Registry) -> dict[str, Any]:
    """What is sent, its masks filled in from what is stored, fit for the type's handler."""
    errors: list[FieldError] = []
    payload: dict[str, Any] = unmasked(sent, stored, "/payload", errors)
    job_type = registry.get(type_name)
    if job_type is None:
        errors.append(
            FieldError("/payload", f"can't be checked: no job module defines {type_name!r} (see JOB_MODULES)")
        )
    elif not errors:
        try:
            job_type.admit(payload, "/payload")
        except Invalid as fault:
            errors.extend(fault.errors)
    if errors:
        raise fields_error(errors)
    return payload


def _run_at(value: Any) -> int | None:
    return None if value is None else CHECKS["run_at"](value)


_CHECKS = {**CHECKS, "run_at": _run_at}
