"""Notices as the scripts write them, and words as resolve.lua and attach.lua take and give them. Pure.

A notice is an entry of the stream `wb:{email}:notices`: the parent has ended (or is an anchor that is open), and these
followers are to be told. A word is that notice for one follower:

    parent email-…1  outcome c  followers email-…2,sms-…3  said {"sent":1}

    Word(b"email-…2", b"email-…1", b"c", b'{"sent":1}', b"1764410000123")     goes to the queue email
    Word(b"sms-…3", b"email-…1", b"c", b'{"sent":1}', b"1764410000123")       goes to the queue sms

All of it stays bytes: an id that somebody wrote by hand goes back to Redis as it came.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lib.ids import queue_of
from lib.jobs.edges import CALLBACK
from lib.jobs.end_webhook import JobEnd
from lib.jobs.webhook_defaults import WEBHOOK_QUEUE
from lib.queue.framing import FIELD_BYTE, RECORD_BYTE, exact_text, shown_text

WORDS_AT_ONCE = 100
"""WHY not 200, which resolve.lua takes: to free 200 jobs takes Redis 5 ms, in which nothing else runs."""
WORDS_BYTES = 1 << 20
_CALLBACK = CALLBACK.encode()
_ORDER_TO_CANCEL, _ORDER_TO_RETRY = b"k", b"r"


class Word(NamedTuple):
    """What a follower is told of a parent. outcome: a mark, `c` for completed say. said: JSON, `` or `!`. ms: when it
    was so, by Redis' clock; b"" where that does not matter. end: where the follower is CALLBACK, the end of which a
    webhook is to tell."""

    follower: bytes
    parent: bytes
    outcome: bytes
    said: bytes
    ms: bytes = b""
    end: JobEnd | None = None


class Asked(NamedTuple):
    """A line of asking.lua's answer: what a blocked job is to learn of a parent, or an order that it gives a member.

    place: of an order, the member's number in its workflow, from 0: a parent has a lower one than its followers.
    """

    follower: bytes
    parent: bytes
    name: bytes
    rule: bytes

    @property
    def is_order(self) -> bool:
        return self.rule[:1] in (_ORDER_TO_CANCEL, _ORDER_TO_RETRY)

    @property
    def is_to_cancel(self) -> bool:
        return self.rule == _ORDER_TO_CANCEL

    @property
    def place(self) -> int:
        digits = self.name.partition(b"/")[0]
        return int(digits) if digits.isdigit() else 0

    @property
    def order(self) -> bytes:
        """As retry.lua takes it: the workflow and its round, `default-01… r1795955797333`."""
        return self.follower + b" " + self.rule


def words_of(fields: Sequence[bytes], entry_id: bytes = b"") -> list[Word]:
    """The words of one notice. None for an entry that no script wrote: who would have been told asks by itself.

    entry_id: as `1764410000123-0`; it begins with the ms at which the notice was given."""
    entry = dict(zip(fields[::2], fields[1::2], strict=False))
    parent, outcome, said = (entry.get(name, b"") for name in (b"parent", b"outcome", b"said"))
    ms = entry_id.partition(b"-")[0]
    ids = [one for one in entry.get(b"followers", b"").split(b",") if one]
    words = [Word(one, parent, outcome, said, ms) for one in ids if one != _CALLBACK]
    return [*words, Word(_CALLBACK, parent, outcome, b"", ms, _end_of(entry, entry_id))] if _CALLBACK in ids else words


def _end_of(entry: Mapping[bytes, bytes], entry_id: bytes) -> JobEnd:
    parent, state, finished, said = (
        shown_text(entry.get(name, b"")) for name in (b"parent", b"state", b"finished", b"said")
    )
    return JobEnd(parent, shown_text(entry_id), state, finished, said, entry.get(b"head", b""))


def queue_of_raw(job_id: bytes) -> str:
    """The queue that a job's id names; "" for what is no id."""
    return queue_of(exact_text(job_id)) or ""


def by_queue(words: Iterable[Word]) -> dict[str, list[Word]]:
    """Words by the queue of the follower, in the order in which they came; those for what is no job's id are left
    out. The follower of an end that a webhook tells is that webhook."""
    found: dict[str, list[Word]] = {}
    for word in words:
        if queue := WEBHOOK_QUEUE if word.end else queue_of_raw(word.follower):
            found.setdefault(queue, []).append(word)
    return found


def chunks_of(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The words in calls: WORDS_AT_ONCE and WORDS_BYTES at most, but always one."""
    chunk: list[Word] = []
    size = 0
    for word in words:
        size += sum(map(len, word[:5]))
        if chunk and (len(chunk) == WORDS_AT_ONCE or size > WORDS_BYTES):
            yield chunk
            chunk, size = [], sum(map(len, word[:5]))
        chunk.append(word)
    if chunk:
        yield chunk


def words_text(words: Iterable[Word]) -> bytes:
    """The records of resolve.lua."""
    return b"".join(
        FIELD_BYTE.join((word.follower, word.parent, word.outcome + word.ms, word.said)) + RECORD_BYTE for word in words
    )


def asked_from(flat: Sequence[bytes]) -> list[Asked]:
    """What asking.lua answers, behind the ms at which the jobs asked. Raises ValueError for what that script did not
    write."""
    return [Asked(*line) for line in zip(flat[1::4], flat[2::4], flat[3::4], flat[4::4], strict=True)]


def attach_text(asked: Iterable[Asked]) -> bytes:
    """The records of attach.lua."""
    return b"".join(FIELD_BYTE.join((one.parent, one.follower, one.rule, b"")) + RECORD_BYTE for one in asked)


def answers_of(asked: Sequence[Asked], reply: bytes) -> list[Word]:
    """The words in attach.lua's answer: none of a parent that has not ended, which will tell by itself. Raises
    ValueError for what that script did not write."""
    answers: list[Any] = [one.split(FIELD_BYTE, 1) for one in reply.split(RECORD_BYTE)[1:]]
    return [
        Word(one.follower, one.parent, outcome, said)
        for one, (outcome, said) in zip(asked, answers, strict=True)
        if outcome
    ]
