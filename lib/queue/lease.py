"""One runner's place in one queue: what it claims, holds, and ends.

A consumer has one of these. Every word about a job carries the token that its claim gave; a runner that was taken for
dead meanwhile is told so by `NotRegistered`, and nothing it still says about its old jobs changes anything.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.job import ClaimedJob
from lib.json_text import to_json
from lib.queue.committer import Committer
from lib.queue.keys import RedisKeys
from lib.queue.notes import Mark, Notes
from lib.queue.queue_store import PROMOTED_AT_ONCE
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_wire import MissingScript

FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 2.0
# Half of what a named tuple's own constructor takes, where one is made for every job.
_new = tuple.__new__


class NotRegistered(Exception):
    """This runner must come back under a new id. It was reaped, and its jobs are somebody else's; or it is_forgotten:
    Redis was emptied, and knows nothing of it any more."""

    def __init__(self, runner_id: str, *, is_forgotten: bool) -> None:
        super().__init__(runner_id)
        self.is_forgotten = is_forgotten


class Claim(NamedTuple):
    """What a claim brought. `is_more`: claim again at once; next_due_s: until a delayed job is due, None if none is.

    is_paused: somebody paused the queue; ask again in a moment. is_empty: said behind a pop, no other job is ready.
    buried: jobs that it ended, for they can't be begun any more.
    """

    jobs: list[ClaimedJob]
    is_more: bool
    next_due_s: float | None
    is_paused: bool = False
    is_empty: bool = False
    buried: tuple[str, ...] = ()


class Ended(NamedTuple):
    """One attempt's end on its way to Redis: the text behind `id, token` as the script asks for it."""

    job_id: str
    token: int
    rest: str

    def saying(self, last_words: str) -> "Ended":
        """The same with what the attempt said and Redis is not known to have; see Notes.end."""
        return self._replace(rest=f"{self.rest}\x1d{last_words}") if last_words else self


class Lease:
    """A runner's registration in one queue, under one worker id."""

    def __init__(
        self,
        link: RedisLink,
        pop_link: RedisLink,
        keys: RedisKeys,
        queue: str,
        runner_id: str,
        rng: Random,
        tell: Callable[[Exception | None], None] = lambda fault: None,
    ) -> None:
        """tell: called with the fault for which ends of attempts wait here until somebody mends the keys of the queue,
        and with None when they have gone through."""
        self.queue = queue
        self._tell = tell
        self._rng = rng
        self.runner_id = runner_id
        self._link = link
        self._pop_link = pop_link
        self._keys = keys
        self._scripts = Scripts(link)
        self._base = keys.base(queue)
        self._own_list = keys.active(queue, runner_id)
        self._committers: dict[str, Committer[Ended, bool]] = {
            script: Committer(functools.partial(self._send, script), _size_bytes, in_flight=2)
            for script in ("finish", "fail", "snooze", "release")
        }
        self._notes: Committer[Notes, Mark] = Committer(self._send_notes, _note_chars)

    async def register(self, about: dict[str, Any]) -> None:
        """Say that this runner serves the queue; from now on somebody must beat for it."""
        with contextlib.suppress(RedisKeysBroken):
            # A broken set of names stops no queue; upkeep says so, and names this one as soon as it can.
            await self._scripts.call("name", self._keys.queues, self._keys.moved, self.queue)
        await self._scripts.call("register", self._base, self.runner_id, to_json(about))

    async def claim(self, limit: int, found: Sequence[str] = (), source: str = "ready") -> Claim:
        """Up to `limit` jobs, and what is `found` in the own list and held by nobody. Raises NotRegistered.

        Not to be repeated where its reply is lost: what it claimed lies in the own list, see `held`.
        """
        return self._claim_from(await self._scripts.call("claim", self._base, self.runner_id, limit, source, *found))

    async def pop(self, block_s: float, take: Callable[[Claim], object] = lambda claim: None) -> Claim:
        """Wait for an id in ready:normal, move it to the own list and claim that job. Raises NotRegistered.

        Never to be cancelled; see `end_pop`. The claim leaves in one packet with the pop: Redis runs it as soon as the
        pop is through, and an idle runner begins a job a round trip sooner. Of that one job alone: should this host be
        cut off by then, and Redis not know it yet, no other goes astray. `take` is called with the claim in the turn of
        the loop in which it comes; where it is not called, nobody knows what lies in the own list.
        """
        pop = ("BRPOPLPUSH", self._keys.waiting(self.queue), self._own_list, block_s)
        claim = self._scripts.command("claim", self._base, self.runner_id, 1, "popped")

        def read(reply: bytes | list[bytes]) -> Claim:
            found = self._claim_from(reply)
            take(found)
            return found

        try:
            found: Claim = await self._pop_link.block(block_s, pop, claim, read=read)
        except MissingScript:
            return Claim([], True, None)
        return found

    def _claim_from(self, reply: bytes | list[bytes]) -> Claim:
        if isinstance(reply, bytes):
            raise NotRegistered(self.runner_id, is_forgotten=reply == b"forgotten")
        words, *specs = reply
        head, *records = words.split(b"\x1e")
        state, now_ms, wait_ms, since, buried = head.split(b"\x1f")
        claimed_ms = int(now_ms)
        rows = zip(records, since.split(b","), specs, strict=False)
        jobs = [_claimed(record, claimed_ms, ms, spec) for record, ms, spec in rows]
        next_due_s = int(wait_ms) / 1000 if wait_ms else None
        ids = tuple(buried.decode().split(",")) if buried else ()
        return Claim(jobs, state == b"more", next_due_s, state == b"paused", state == b"empty", ids)

    async def end_pop(self) -> None:
        """Have a `pop` that blocks return at once."""
        await self._pop_link.end_block()

    async def held(self) -> list[str]:
        """The ids in the own list."""
        ids = await self._link.call("LRANGE", self._own_list, 0, -1)
        return [job_id.decode("utf-8", "surrogateescape") for job_id in ids]

    async def cancels(self) -> set[str]:
        """Ids of the jobs that were asked to stop while this runner had them; where that was forced `!<id>` as well."""
        ids = await self._link.call("SMEMBERS", self._keys.cancels(self.queue, self.runner_id))
        return {job_id.decode("utf-8", "replace") for job_id in ids}

    async def promote(self) -> float | None:
        """Make ready what is due. Gives the seconds until the next delayed job is."""
        wait_ms, _ = await self._scripts.call("promote", self._base, PROMOTED_AT_ONCE)
        return int(wait_ms) / 1000 if wait_ms else None

    def end(self, script: str, ended: Ended, hear: Callable[[bool | Exception], None]) -> None:
        """End an attempt by `finish`, `fail`, `snooze` or `release`; it goes with the next commit.

        `hear` is called when Redis has it, however long Redis is away. False: the job was no longer this runner's.
        """
        self._committers[script].post(ended, hear)

    async def ended(self, script: str, ended: Ended) -> bool:
        """The same, to be awaited."""
        return await self._committers[script].submit(ended)

    def note(self, notes: Notes) -> None:
        """Keep what a running job has said. With Redis away it goes with what the job says next, or with its end."""
        if not notes.is_on_its_way:
            notes.is_on_its_way = True
            self._notes.post(notes, functools.partial(self._has_noted, notes))

    async def settled(self) -> None:
        """Wait until Redis has everything that was said."""
        for committer in self._committers.values():
            await committer.settled()
        await self._notes.settled()

    def _send(self, script: str, ended: list[Ended], hear: Callable[..., None]) -> None:
        heard = functools.partial(hear, self._read, script, ended)
        self._scripts.send(heard, script, self._base, self.runner_id, _records(ended))

    def _read(self, script: str, ended: list[Ended], reply: bytes | Exception) -> Any:
        """The answers, or what comes to them."""
        if isinstance(reply, RedisUnavailable | RedisKeysBroken):
            return self._insist(script, ended, reply)
        return _are_ours(reply)

    async def _insist(self, script: str, ended: list[Ended], fault: RedisUnavailable | RedisKeysBroken) -> list[bool]:
        """Say it again, for as long as it takes. Safe to repeat: an attempt that was ended before, and its reply lost,
        is answered True again."""
        pause_s = FIRST_PAUSE_S
        is_broken = False
        while True:
            if isinstance(fault, RedisKeysBroken):
                is_broken = True
                self._tell(fault)
            # Jitter, so that a fleet does not come back in step.
            await asyncio.sleep(self._rng.uniform(pause_s / 2, pause_s))
            pause_s = min(LAST_PAUSE_S, pause_s * 2)
            try:
                letters: bytes = await self._scripts.call(script, self._base, self.runner_id, _records(ended))
            except (RedisUnavailable, RedisKeysBroken) as again:
                fault = again
                continue
            if is_broken:
                self._tell(None)
            return _are_ours(letters)

    def _send_notes(self, notes: list[Notes], hear: Callable[..., None]) -> None:
        untold = [one.untold() for one in notes]
        marks = [mark for _, mark in untold]
        # Of an attempt that has ended meanwhile there is nothing left to be told.
        words = [note_of(one, text) for one, (text, _) in zip(notes, untold, strict=True) if text]
        if not words:
            hear(_noted, marks, b"")
            return
        self._scripts.send(functools.partial(hear, _noted, marks), "note", self._base, self.runner_id, _records(words))

    def _has_noted(self, notes: Notes, heard: Mark | Exception) -> None:
        notes.is_on_its_way = False
        if not isinstance(heard, Exception) and notes.told(heard):
            self.note(notes)


def finished(job_id: str, token: int, type_name: str, result: str) -> Ended:
    """For `finish`: the job's type, by which it is counted, and the result as JSON text, "" for none."""
    return _new(Ended, (job_id, token, f"\x1f-{type_name}\x1f{result}"))


def finished_without(job_id: str, token: int, type_name: str, reason: str) -> Ended:
    """For `finish`, where the result can't be kept; the reason holds no control character."""
    return Ended(job_id, token, f"\x1ft{type_name}\x1f{reason}")


def failed(job_id: str, token: int, error: dict[str, Any], delay_s: float | None) -> Ended:
    """For `fail`: back after delay_s, or dead where it is None."""
    delay_ms = "" if delay_s is None else str(max(0, round(delay_s * 1000)))
    return Ended(job_id, token, f"\x1f{delay_ms}\x1f{to_json(error)}")


def snoozed(job_id: str, token: int, reason: dict[str, Any], delay_s: float, *, is_unknown: bool = False) -> Ended:
    """For `snooze`: back after delay_s, nothing counted. is_unknown: no handler for it is known here."""
    delay_ms = max(0, round(delay_s * 1000))
    return Ended(job_id, token, f"\x1f{delay_ms}{'u' if is_unknown else ''}\x1f{to_json(reason)}")


def released(job_id: str, token: int, *, is_begun: bool = True) -> Ended:
    """For `release`. Of one that is not begun, history tells nothing."""
    return Ended(job_id, token, f"\x1f{'' if is_begun else 'n'}\x1f")


def note_of(notes: Notes, text: str) -> Ended:
    """For `note`: what Notes.untold gave."""
    return Ended(notes.job_id, notes.token, f"\x1f\x1f{text}")


def _are_ours(letters: bytes | Exception) -> list[bool]:
    if isinstance(letters, Exception):
        raise letters
    return [letter == 0x31 for letter in letters]


def _noted(marks: list[Mark], reply: bytes | Exception) -> list[Mark]:
    if isinstance(reply, Exception):
        raise reply
    return marks


def _records(ended: list[Ended]) -> bytes:
    # "replace": a lone surrogate in what a handler said must not stop the ends of the jobs beside it.
    return "".join([f"{job_id}\x1f{token}{rest}\x1e" for job_id, token, rest in ended]).encode("utf-8", "replace")


def _size_bytes(ended: Ended) -> int:
    return len(ended.rest)


def _note_chars(notes: Notes) -> int:
    return notes.size_chars


def _claimed(record: bytes, now_ms: int, since: bytes, spec: bytes) -> ClaimedJob:
    job_id, token, attempt, unknown_since, *rest = record.split(b"\x1f")
    unknown_since_ms = int(unknown_since) if unknown_since.isdigit() else None
    ready_ms = int(since) if since.isdigit() else now_ms
    checkpoint, gives_up = rest or (b"", b"")
    gives_up_ms = int(gives_up) if gives_up.isdigit() else None
    taken = (
        job_id.decode(),
        int(token),
        int(attempt),
        unknown_since_ms,
        now_ms,
        spec,
        ready_ms,
        checkpoint,
        gives_up_ms,
    )
    return _new(ClaimedJob, taken)
