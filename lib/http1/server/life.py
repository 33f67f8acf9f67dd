"""A connection's life as one table: a state and an event lead to the next state and its deadline. Pure.

Lifeline.step (lifeline.py) takes every step of every connection by this table.

A state names what the connection waits for. Without a wait there is no state: a request that arrives whole leads from
`head` straight to `handling`.

                        +----- answered, the next may come -----+
                        v                                       |
    accepted --------> head ---- request is whole ---------> handling
                       | ^ |                                  ^ |  |
                       | | +- body is missing --> body -------+ |  |
        answered early | |                      (is whole)      |  |
                       v | dropped                              |  |
                    dropping <-------- answered early ----------+  |
                       |                                           |
    head, body, dropping, handling: last answer, refused, too slow |
                       +-----------------> lingering <-------------+
                                               |
    any state: connection lost                 +--> closed

    head        the next request's head; nothing of it needs to have come yet
    body        the rest of a request's body
    dropping    the rest of a body whose request has been answered; the body is thrown away, the next request follows
    handling    the application's answer; or a piece of the body, while the application waits for one
    lingering   the client to close: the last answer is sent, and what still arrives is thrown away
    closed      nothing

Each step sets the deadline anew, counted from a time that the caller of the step gives. While the kernel takes no more
of an answer (after `write_paused`), the deadline is `write_s` instead, and a step changes the state alone.
"""

from math import inf
from typing import Final, Literal, NamedTuple, get_args

from lib.http1.server.limits import Limits

State = Literal["head", "body", "dropping", "handling", "lingering", "closed"]
Event = Literal[
    "accepted",  # the socket is there
    "begun",  # the first bytes of a request have come
    "body_awaited",  # bytes of the body are missing
    "handed_over",  # the application has the request
    "piece_awaited",  # the application has taken what has come of the body, and waits for more
    "piece_settled",  # more of the body has come, or will not come
    "next_awaited",  # the request is done with, and nothing of the next one has come
    "next_begun",  # the request is done with, and the next one has begun to come
    "answered_early",  # the request is answered, and its body is still to come
    "answered_last",  # the connection's last answer is written; the client has no more to send
    "cut_short",  # the connection's last answer is written; the client may still be sending
    "bytes_dropped",  # bytes have come, and were thrown away
    "drain_begun",  # the listener stops
    "write_paused",  # the kernel takes no more of the answer for now
    "write_resumed",  # the kernel has taken all of it
    "ended",  # the client has closed its sending half, and all its requests are answered
    "lost",  # the connection is gone
]
Deadline = Literal[
    "head_s", "body_s", "idle_close_s", "write_s", "linger_quiet_s", "linger_done_s", "linger_drain_s", "none"
]

STATES: Final[tuple[State, ...]] = get_args(State)
READING: Final[frozenset[State]] = frozenset({"head", "body", "dropping"})


class Step(NamedTuple):
    """A row of the table. `deadline` names the time in Limits that the state `after` may last, or is "none"."""

    before: State
    event: Event
    after: State
    deadline: Deadline


STEPS: Final[tuple[Step, ...]] = (
    Step("head", "accepted", "head", "head_s"),
    Step("head", "begun", "head", "head_s"),
    Step("head", "body_awaited", "body", "body_s"),
    Step("body", "body_awaited", "body", "body_s"),
    Step("dropping", "body_awaited", "dropping", "body_s"),
    Step("head", "handed_over", "handling", "none"),
    Step("body", "handed_over", "handling", "none"),
    Step("handling", "piece_awaited", "handling", "body_s"),
    Step("handling", "piece_settled", "handling", "none"),
    # From `head`: a request without a body was refused; or writing goes on again, and so the wait begins anew.
    Step("head", "next_awaited", "head", "idle_close_s"),
    Step("handling", "next_awaited", "head", "idle_close_s"),
    Step("dropping", "next_awaited", "head", "idle_close_s"),
    Step("head", "next_begun", "head", "head_s"),
    Step("handling", "next_begun", "head", "head_s"),
    Step("dropping", "next_begun", "head", "head_s"),
    Step("head", "answered_early", "dropping", "body_s"),
    Step("handling", "answered_early", "dropping", "body_s"),
    Step("head", "answered_last", "lingering", "linger_done_s"),
    Step("handling", "answered_last", "lingering", "linger_done_s"),
    Step("head", "cut_short", "lingering", "linger_quiet_s"),
    Step("body", "cut_short", "lingering", "linger_quiet_s"),
    Step("dropping", "cut_short", "lingering", "linger_quiet_s"),
    Step("handling", "cut_short", "lingering", "linger_quiet_s"),
    Step("lingering", "bytes_dropped", "lingering", "linger_quiet_s"),
    Step("lingering", "drain_begun", "lingering", "linger_drain_s"),
    Step("body", "write_resumed", "body", "body_s"),
    Step("dropping", "write_resumed", "dropping", "body_s"),
    Step("handling", "write_resumed", "handling", "none"),
    Step("lingering", "write_resumed", "lingering", "linger_quiet_s"),
    Step("closed", "write_resumed", "closed", "none"),
    Step("head", "ended", "closed", "none"),
    Step("body", "ended", "closed", "none"),
    Step("dropping", "ended", "closed", "none"),
    *(Step(state, "write_paused", state, "write_s") for state in STATES),
    *(Step(state, "lost", "closed", "none") for state in STATES),
)

Timetable = dict[Event, dict[State, tuple[State, float]]]


def timetable(limits: Limits) -> Timetable:
    """The table with its seconds: ("handling", "next_awaited") -> ("head", 76.0). inf stands for "none"."""
    waits_s: dict[Deadline, float] = {"none": inf}
    waits_s |= {name: getattr(limits, name) for name in get_args(Deadline) if name != "none"}
    found: Timetable = {event: {} for event in get_args(Event)}
    for step in STEPS:
        found[step.event][step.before] = step.after, waits_s[step.deadline]
    return found
