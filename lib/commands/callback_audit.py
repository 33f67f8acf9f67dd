"""Does each job that waits for a callback stand in `outside`, and nothing else? For audit.py; pure.

    webhook-01… is completed and stands in outside: upkeep takes it out at its deadline

Who stands there is blocked, has a `callback_token` of its newest attempt, and counts as a job that runs.
"""

from collections.abc import Set

from lib.jobs.state import BLOCKED

AT_ITS_DEADLINE = "upkeep takes it out at its deadline"
NO_WAIT = "is blocked, and waits neither for jobs nor for a callback: cancel it, and run it again if it is to run"

NO_SECRET = "waits for a callback that can't come, for its handler has not asked for a callback_key"


def state_for_limits(job_id: str, state: str, outside: Set[str]) -> str:
    """As what a job counts in its group, and for the jobs that it has waited for: one that is outside has begun, and
    runs."""
    return "active" if state == BLOCKED and job_id in outside else state


def callback_fault(state: str, *, is_outside: bool, token: bytes | None, waits: bytes | None) -> str:
    """What is wrong with one job, "" for nothing. token: its `callback_token`. waits: whether it has edges."""
    if not is_outside:
        return NO_WAIT if state == BLOCKED and waits is None else ""
    if state != BLOCKED:
        return f"is {state or 'no job'} and stands in outside: {AT_ITS_DEADLINE}"
    if not token:
        return f"waits for a callback that can't come, for it has no callback_token: {AT_ITS_DEADLINE}"
    return f"{NO_SECRET}: {AT_ITS_DEADLINE}" if token.split()[1:2] == [b"0"] else ""
