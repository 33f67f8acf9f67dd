"""Why a job was not taken in, cancelled, run again or deleted: the script's word, as the error of the API. Pure.

    retry_refusal("email-0192…", "done")      None
    retry_refusal("email-0192…", "ready")     WrongState("the job is ready; only one that is dead, completed or …")
    retry_refusal("email-0192…", "")          JobNotFound("there is no job email-0192…; it may have been trimmed, …")
    refused_job_error(accepted)               QueueFull("the queue email is at its max_depth; …"), for `full`

job_store.py and enqueuer.py raise the error for a single job; of many jobs (bulk_changes.py, a batch), each has its
own.
"""

from lib.errors import GroupFull, InvalidFields, JobNotFound, QueueFull, Throttled, WaybillError, WrongState
from lib.ids import queue_of
from lib.jobs.job import Accepted
from lib.jobs.request_fields import fields_error
from lib.jobs.submission import BRIEF

DONE = "done"
REQUESTED = "requested"
CHANGED = "changed"
UNIQUE = "unique "
REFUSED = ("full", "group-full", "brief", "throttled")
"""The outcomes of a new job that was not taken in."""


def refused_job_error(accepted: Accepted) -> QueueFull | InvalidFields | Throttled:
    """The error for a job that was not taken in: its outcome is one of REFUSED."""
    if accepted.outcome == "brief":
        return fields_error([BRIEF])
    queue, seconds = queue_of(accepted.job_id), accepted.retry_after_s
    if accepted.outcome == "throttled":
        return Throttled(
            f"the job {accepted.job_id} holds the unique key, and its record is gone; nothing was taken in: the key is "
            f"free in {seconds} s",
            headers=[("Retry-After", str(seconds))],
            members={"job_id": accepted.job_id},
        )
    headers = [("Retry-After", str(seconds))]
    again = f"nothing was taken in: send it again in {seconds} s"
    if accepted.outcome == "group-full":
        detail = f"the job's group is at the max_depth that each group of the queue {queue} has; {again}"
        return GroupFull(detail, headers=headers)
    return QueueFull(f"the queue {queue} is at its max_depth; {again}", headers=headers)


def retry_refusal(job_id: str, word: str) -> WaybillError | None:
    """word: of retry.lua. None where the job runs again."""
    if word.startswith(UNIQUE):
        return WrongState(f"the job {word.removeprefix(UNIQUE)} holds the same unique key")
    if word == "completed":
        return WrongState("the workflow has completed, and nothing of it is left to be run again; start another one")
    return _refusal(job_id, word, "only one that is dead, completed or cancelled can be run again")


def cancel_refusal(job_id: str, word: str) -> WaybillError | None:
    """word: of cancel.lua. None where the job is cancelled, or its runner is asked to stop it."""
    return _refusal(job_id, word, "only one that is ready, delayed, blocked or active can be cancelled")


def delete_refusal(job_id: str, word: str) -> WaybillError | None:
    """word: of delete.lua. None where the job is gone."""
    return _refusal(job_id, word, "cancel it first, then delete it")


def _refusal(job_id: str, word: str, rule: str) -> WaybillError | None:
    if word in (DONE, REQUESTED):
        return None
    if word == CHANGED:
        return WrongState("somebody else changed the job in that moment; it is left as it is")
    return wrong_state(word, rule) if word else not_found(job_id)


def not_found(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id[:120]}; it may have been trimmed, see RETAIN_COMPLETED and retain_s")


def wrong_state(state: str, rule: str) -> WrongState:
    """rule: which jobs the change is for."""
    return WrongState(f"the job is {state}; {rule}")
