"""A job's life as one table: each event that can happen to a job, with the states before and after it. Pure.

Each Lua file names its transitions in its header (`-- @transition active --complete--> completed`), and
tests/unit/jobs/test_state.py holds headers and table equal, so that neither can drift from the other.

An attempt whose handler was told to stop, and then returned, has not done its work: it ends by `fail` (cancelled, if
somebody asked for that) or `release`, and not by `complete`.

                  +--------------- release, reap -----------+
                  v                                         |
    enqueue -> ready --claim--> active --complete--> completed
        |        ^                 |
        |     promote              +--fail (attempts left), snooze--> delayed
        +---> delayed              +--fail (none left), reap (too many crashes)--> dead
"""

from typing import Final, Literal, NamedTuple

State = Literal["ready", "delayed", "blocked", "active", "completed", "dead", "cancelled"]

STATES: Final[tuple[State, ...]] = ("ready", "active", "delayed", "blocked", "completed", "dead", "cancelled")
FINISHED: Final[frozenset[str]] = frozenset({"completed", "dead", "cancelled"})
WAITING: Final[frozenset[str]] = frozenset({"ready", "delayed"})
BLOCKED: Final = "blocked"
"""A blocked job waits for other jobs, or for a call from outside. No transition of this version leads to or from the
state: later versions block jobs and free them. This version knows the state, so that both may run on one Redis: it
counts and shows a blocked job, and neither runs, changes nor ends it."""


class Transition(NamedTuple):
    """One row of the table. `before` is "-" where there is no job yet, `after` is "-" where its record is removed."""

    before: str
    event: str
    after: str


TRANSITIONS: Final[frozenset[Transition]] = frozenset(
    {
        Transition("-", "enqueue", "ready"),
        Transition("-", "enqueue", "delayed"),
        Transition("delayed", "promote", "ready"),
        Transition("ready", "claim", "active"),
        Transition("ready", "claim", "dead"),  # no version of Waybill can read its spec
        Transition("ready", "patch", "delayed"),
        Transition("delayed", "patch", "ready"),
        Transition("active", "complete", "completed"),
        Transition("active", "fail", "delayed"),
        Transition("active", "fail", "dead"),
        Transition("active", "fail", "cancelled"),
        Transition("active", "snooze", "delayed"),
        Transition("active", "snooze", "cancelled"),
        Transition("active", "release", "ready"),
        Transition("active", "release", "cancelled"),
        Transition("active", "reap", "ready"),
        Transition("active", "reap", "dead"),
        Transition("active", "reap", "cancelled"),
        Transition("ready", "expire", "dead"),
        Transition("delayed", "expire", "dead"),
        Transition("ready", "cancel", "cancelled"),
        Transition("delayed", "cancel", "cancelled"),
        Transition("dead", "retry", "ready"),
        Transition("completed", "retry", "ready"),
        Transition("cancelled", "retry", "ready"),
        Transition("completed", "delete", "-"),
        Transition("dead", "delete", "-"),
        Transition("cancelled", "delete", "-"),
        Transition("completed", "trim", "-"),
        Transition("dead", "trim", "-"),
        Transition("cancelled", "trim", "-"),
    }
)
