"""Why a job was not cancelled, run again or deleted: the word that the script answers, as the error of the API. Pure.

    retry_refusal("email-0192…", "done")      None
    retry_refusal("email-0192…", "ready")     WrongState("the job is ready; only one that is dead, completed or …")
    retry_refusal("email-0192…", "")          JobNotFound("there is no job email-0192…; it may have been trimmed, …")

job_store.py raises the error for a single job; of many jobs (bulk_changes.py), each has its own.
"""

from lib.errors import JobNotFound, WaybillError, WrongState
from lib.jobs.state import BLOCKED

DONE = "done"
REQUESTED = "requested"
CHANGED = "changed"
UNIQUE = "unique "
WAITS = "waits"


def retry_refusal(job_id: str, word: str) -> WaybillError | None:
    """word: of retry.lua. None where the job runs again."""
    if word.startswith(UNIQUE):
        return WrongState(f"the job {word.removeprefix(UNIQUE)} holds the same unique key")
    if word == WAITS:
        return WrongState("the job waited for other jobs; only a newer version of Waybill can run it again")
    return _refusal(job_id, word, "only one that is dead, completed or cancelled can be run again")


def cancel_refusal(job_id: str, word: str) -> WaybillError | None:
    """word: of cancel.lua. None where the job is cancelled, or its runner is asked to stop it."""
    return _refusal(job_id, word, "only one that is ready, delayed or active can be cancelled")


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
    if state == BLOCKED:
        rule = "it waits for other jobs, or for a call from outside, and only a newer version of Waybill can change it"
    return WrongState(f"the job is {state}; {rule}")
