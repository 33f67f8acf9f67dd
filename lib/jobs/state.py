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
        +---> blocked --resolve--> ready, delayed, or an end

An active job whose handler has handed its work to another service is blocked until that one calls back (`callback`), or
until it is too late (`overdue`).
"""

from typing import Final, Literal, NamedTuple

State = Literal["ready", "delayed", "blocked", "active", "completed", "dead", "cancelled"]

STATES: Final[tuple[State, ...]] = ("ready", "active", "delayed", "blocked", "completed", "dead", "cancelled")
FINISHED: Final[frozenset[str]] = frozenset({"completed", "dead", "cancelled"})
WAITING: Final[frozenset[str]] = frozenset({"ready", "delayed", "blocked"})
BLOCKED: Final = "blocked"
"""A blocked job waits for what becomes of other jobs; `resolve` tells it, and frees it or ends it. Or it waits for a
callback: lua/parts/is_outside.lua."""


class Transition(NamedTuple):
    """One row of the table. `before` is "-" where there is no job yet, `after` is "-" where its record is removed."""

    before: str
    event: str
    after: str


TRANSITIONS: Final[frozenset[Transition]] = frozenset(
    {
        Transition("-", "enqueue", "ready"),
        Transition("-", "enqueue", "delayed"),
        Transition("-", "enqueue", "blocked"),
        # A new job of the unique mode replace or debounce changes the one that waits under its key, or ends it.
        Transition("ready", "replace", "delayed"),
        Transition("delayed", "replace", "ready"),
        Transition("ready", "replace", "cancelled"),
        Transition("delayed", "replace", "cancelled"),
        Transition("blocked", "replace", "cancelled"),
        Transition("blocked", "resolve", "ready"),
        Transition("blocked", "resolve", "delayed"),
        Transition("blocked", "resolve", "cancelled"),  # a parent has not done what the job waited for
        Transition("blocked", "resolve", "completed"),  # a workflow whose jobs have ended
        Transition("blocked", "resolve", "dead"),  # a workflow, some of whose jobs did not complete
        # What a job's parents ended is judged anew when one of these is retried.
        Transition("cancelled", "resolve", "ready"),
        Transition("cancelled", "resolve", "delayed"),
        Transition("cancelled", "resolve", "blocked"),
        Transition("cancelled", "resolve", "completed"),
        Transition("cancelled", "resolve", "dead"),
        Transition("cancelled", "resolve", "cancelled"),
        Transition("dead", "resolve", "completed"),
        Transition("dead", "resolve", "cancelled"),
        Transition("delayed", "promote", "ready"),
        Transition("ready", "claim", "active"),
        Transition("ready", "claim", "dead"),  # no version of Waybill can read its spec
        Transition("ready", "patch", "delayed"),
        Transition("delayed", "patch", "ready"),
        Transition("active", "complete", "completed"),
        Transition("active", "fail", "delayed"),
        Transition("active", "fail", "dead"),
        Transition("active", "fail", "cancelled"),
        # A service has taken the job's request, and will call back; it may do so before the runner has its answer.
        Transition("active", "hand_over", "blocked"),
        Transition("active", "hand_over", "cancelled"),
        Transition("active", "callback", "completed"),
        Transition("active", "callback", "delayed"),
        Transition("active", "callback", "dead"),
        Transition("active", "callback", "cancelled"),
        Transition("blocked", "callback", "completed"),
        Transition("blocked", "callback", "delayed"),
        Transition("blocked", "callback", "dead"),
        Transition("blocked", "callback", "cancelled"),
        Transition("blocked", "overdue", "ready"),
        Transition("blocked", "overdue", "dead"),
        Transition("blocked", "overdue", "cancelled"),
        Transition("active", "snooze", "delayed"),
        Transition("active", "snooze", "cancelled"),
        Transition("active", "release", "ready"),
        Transition("active", "release", "cancelled"),
        Transition("active", "reap", "ready"),
        Transition("active", "reap", "dead"),
        Transition("active", "reap", "cancelled"),
        Transition("ready", "expire", "dead"),
        Transition("delayed", "expire", "dead"),
        Transition("blocked", "expire", "dead"),
        Transition("ready", "cancel", "cancelled"),
        Transition("delayed", "cancel", "cancelled"),
        Transition("blocked", "cancel", "cancelled"),
        Transition("dead", "retry", "ready"),
        Transition("completed", "retry", "ready"),
        Transition("cancelled", "retry", "ready"),
        Transition("dead", "retry", "blocked"),
        Transition("cancelled", "retry", "blocked"),
        Transition("dead", "retry", "cancelled"),  # its parents have not done what it waits for
        Transition("cancelled", "retry", "cancelled"),
        Transition("dead", "retry", "completed"),  # a workflow of jobs that need not complete, and were cancelled
        Transition("cancelled", "retry", "completed"),
        Transition("completed", "delete", "-"),
        Transition("dead", "delete", "-"),
        Transition("cancelled", "delete", "-"),
        Transition("completed", "trim", "-"),
        Transition("dead", "trim", "-"),
        Transition("cancelled", "trim", "-"),
    }
)
