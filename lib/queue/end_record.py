"""How an attempt ended, as the text that one of the scripts finish, fail, snooze, release and hand_over is given. Pure.

A runner ends an attempt by one of five verbs, each with a function here that makes the record for the script:

    complete_record("id1", 7, "email", '{"sent":1}')    id1|7|-email|{"sent":1};         finish.lua
    complete_without_result("id1", 7, "email", "…")     id1|7|temail|it is no JSON;      finish.lua
    fail_record("id1", 7, {"type": …}, 2.5)             id1|7|2500|{"type":…};           fail.lua, tried again in 2.5 s
    fail_record("id1", 7, …, 2.5, holds_group=True)     id1|7|2500h|{"type":…};          … and its group rests so long
    fail_record("id1", 7, …, 2.5, strike="LinkLost")    id1|7|2500sLinkLost|{"type":…};  … a strike against its group
    fail_record("id1", 7, {"type": …}, None)            id1|7||{"type":…};               fail.lua, the job is dead
    snooze_record("id1", 7, {"type": …}, 60)            id1|7|60000|{"type":…};          snooze.lua
    release_record("id1", 7)                            id1|7||;                         release.lua
    hand_over_record("id1", 7, 3600, is_last=True)      id1|7|3600000l|;                 hand_over.lua

`|` stands for FIELD, `;` for RECORD (framing.py). 7 is the token that the claim gave: a script ends the attempt only if
the job still has that token and is still in the runner's active list. What the job noted and Redis may not have yet
stands behind the last field: `id1|7|-email|{"sent":1}/3/lsent;`, with `/` for PART.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lib.json_text import to_json
from lib.queue.framing import FIELD, PART, RECORD

# Takes half as long as a named tuple's own constructor, which is Python, and one of these is made for every job. No
# type checker sees what is passed: tests/unit/queue/test_end_record.py holds the length and the order.
_new = tuple.__new__
_COMPLETED = f"{FIELD}-"
STRIKE_CHARS = 200


class EndRecord(NamedTuple):
    """One attempt's end on its way to Redis. rest: the fields behind id and token, a FIELD before each."""

    job_id: str
    token: int
    rest: str

    def with_notes(self, notes: str) -> "EndRecord":
        """The same end, and with it what the attempt noted and Redis may not have: see Notes.end."""
        return self._replace(rest=f"{self.rest}{PART}{notes}") if notes else self


def complete_record(job_id: str, token: int, type_name: str, result: str) -> EndRecord:
    """For finish.lua. type_name: the type under which the job is counted. result: JSON text, "" for none."""
    return _new(EndRecord, (job_id, token, f"{_COMPLETED}{type_name}{FIELD}{result}"))


def complete_without_result(job_id: str, token: int, type_name: str, reason: str) -> EndRecord:
    """For finish.lua, if the result can't be kept. reason: why, a sentence without control characters."""
    return EndRecord(job_id, token, f"{FIELD}t{type_name}{FIELD}{reason}")


def fail_record(
    job_id: str,
    token: int,
    error: dict[str, Any],
    delay_s: float | None,
    *,
    holds_group: bool = False,
    strike: str | None = None,
) -> EndRecord:
    """For fail.lua: the job is tried again after delay_s seconds; None makes it dead. holds_group: until it is tried
    again, no job of its group begins. strike: what went wrong, where that is a strike against the job's group, as in
    "LinkLost: api.example.com:443 …"; the first STRIKE_CHARS are kept."""
    option = "" if delay_s is None else f"{max(0, round(delay_s * 1000))}{'h' if holds_group else ''}"
    if strike is not None:
        option += f"s{_one_line(strike[:STRIKE_CHARS])}"
    return EndRecord(job_id, token, f"{FIELD}{option}{FIELD}{to_json(error)}")


def snooze_record(
    job_id: str,
    token: int,
    reason: dict[str, Any],
    delay_s: float,
    *,
    is_unknown: bool = False,
    holds_group: bool = False,
) -> EndRecord:
    """For snooze.lua: the job is put off by delay_s seconds, and the attempt does not count. is_unknown: because this
    runner has no handler for the job's type. holds_group: as in fail_record."""
    option = "u" if is_unknown else "h" if holds_group else ""
    return EndRecord(job_id, token, f"{FIELD}{max(0, round(delay_s * 1000))}{option}{FIELD}{to_json(reason)}")


def release_record(job_id: str, token: int, *, is_begun: bool = True) -> EndRecord:
    """For release.lua: the job goes back to the front of its list. An attempt that had not begun leaves no history."""
    return EndRecord(job_id, token, f"{FIELD}{'' if is_begun else 'n'}{FIELD}")


def hand_over_record(job_id: str, token: int, within_s: float, *, is_last: bool) -> EndRecord:
    """For hand_over.lua: a service has taken the work, and calls back within within_s. is_last: no attempt is left
    where it does not."""
    return EndRecord(job_id, token, f"{FIELD}{max(0, round(within_s * 1000))}{'l' if is_last else ''}{FIELD}")


def note_record(job_id: str, token: int, notes: str) -> EndRecord:
    """For note.lua, whose records have the same form: what a job that still runs has noted (Notes.unsent)."""
    return EndRecord(job_id, token, f"{FIELD}{FIELD}{notes}")


def _one_line(text: str) -> str:
    """The text with a blank for each character that can't be printed: FIELD and RECORD are such."""
    return "".join(char if char.isprintable() else " " for char in text)


def records_text(records: Sequence[EndRecord]) -> bytes:
    """Many records in one argument of a script.

    WHY "replace": a lone surrogate in one handler's words must not keep the ends of other jobs from Redis.
    """
    text = RECORD.join([f"{job_id}{FIELD}{token}{rest}" for job_id, token, rest in records])
    return f"{text}{RECORD}".encode("utf-8", "replace")


def are_ours(letters: bytes) -> list[bool]:
    """What the scripts answer, a letter for each record: b"10" -> [True, False]. False: the job is another runner's."""
    return [letter == 0x31 for letter in letters]
