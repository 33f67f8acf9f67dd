"""A job's life, written once: which event takes it from which state to which.

The Lua files name their transitions in their headers (`-- @transition active --complete--> completed`);
tests/unit/jobs/test_state.py holds the two equal, so that this table is the truth and not a comment.

An attempt whose handler has heard that it is to stop, and then returns, has not done its work: it ends by `fail`
(cancelled, where somebody asked for that) or `release`, and not by `complete`.

                  +--------------- release, reap -----------+
                  v                                         |
    enqueue -> ready --claim--> active --complete--> completed
        |        ^                 |
        |     promote              +--fail (attempts left), snooze--> delayed
        +---> delayed              +--fail (none left), reap (too many crashes)--> dead
"""

from typing import Final, Literal, NamedTuple

State = Literal["ready", "delayed", "active", "completed", "dead", "cancelled"]

STATES: Final[tuple[State, ...]] = ("ready", "active", "delayed", "completed", "dead", "cancelled")
FINISHED: Final[frozenset[str]] = frozenset({"completed", "dead", "cancelled"})
WAITING: Final[frozenset[str]] = frozenset({"ready", "delayed"})


class Transition(NamedTuple):
    """`before` is "-" for a job that is not there yet, `after` is "-" for one that is gone."""

    before: str
    event: str
    after: str


TRANSITIONS: Final[frozenset[Transition]] = frozenset(
    {
        Transition("-", "enqueue", "ready"),
        Transition("-", "enqueue", "delayed"),
        Transition("delayed", "promote", "ready"),
        Transition("ready", "claim", "active"),
        Transition("ready", "claim", "dead"),  # its spec can't be read by anybody
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
