"""A change of a job that waits, checked: the JSON that PATCH /api/jobs/{job_id} takes. Pure.

    {"priority": "high", "run_at": null}     the job is to run now, before others

`read` checks the body by itself, and `Change.of` the new payload against the job as it is. Both find every fault at
once. Nothing is written here: job_store.py writes the Revision.
"""

from typing import Any, NamedTuple

from lib.errors import FieldError, WrongState
from lib.jobs.author_checks import Invalid
from lib.jobs.job import JobRecord, Revision
from lib.jobs.masking import unmasked
from lib.jobs.registry import Registry
from lib.jobs.request_fields import CHANGEABLE, CHECKS, FieldFault, changes_in, fields_error
from lib.jobs.spec import JobSpec


class Change(NamedTuple):
    """The checked values of the fields that the body has, as {"priority": "high", "run_at": None} (None: now)."""

    fields: dict[str, Any]

    def of(self, record: JobRecord, registry: Registry) -> Revision:
        """What the job in `record` is to be. Raises InvalidFields, and WrongState for a job whose spec can't be
        read."""
        spec = record.spec
        if spec is None:
            raise WrongState("the job can't be read, so it can't be changed; cancel it")
        changed = {name: value for name, value in self.fields.items() if name in JobSpec._fields}
        if "payload" in changed:
            changed["payload"] = _payload(changed["payload"], spec, registry)
        due = self.fields["run_at"] or "now" if "run_at" in self.fields else None
        spec_text = spec._replace(**changed).to_text()
        return Revision(spec_text, changed.get("priority"), due, changed.get("tags"))


def read(body: Any) -> Change:
    """The change that `body` asks for. Raises InvalidFields with every fault."""
    return Change(changes_in(body, _CHECKS))


def _payload(sent: dict[str, Any], spec: JobSpec, registry: Registry) -> dict[str, Any]:
    """The payload that was sent, with the job's secrets in place of their masks. Raises InvalidFields where the type's
    handler could not read it."""
    errors: list[FieldError] = []
    payload: dict[str, Any] = unmasked(sent, spec.payload, "/payload", errors)
    job_type = registry.get(spec.type)
    if job_type is None:
        errors.append(
            FieldError("/payload", f"can't be checked: no job module defines {spec.type!r} (see JOB_MODULES)")
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


def _fixed(value: Any) -> None:
    raise FieldFault("can't be changed: cancel the job, and send it anew with another callback_url")


# In a PATCH a run_at of null does not count as left out: the job is to run now.
_CHANGES = {name: _run_at if name == "run_at" else CHECKS[name] for name in CHANGEABLE}
_CHECKS = {**_CHANGES, "callback_url": _fixed}
