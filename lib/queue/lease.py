"""One runner in one queue: the jobs that the runner claims, holds and ends.

    lease = Lease(link, pop_link, keys, "email", "host-1.4711-9f2c", Random())
    await lease.register({"pid": 4711})
    claim = await lease.claim(10)
    lease.send_end("finish", complete_record(job.job_id, job.token, "email", '{"sent":1}'), on_answer)

Each consumer of work/runner has a Lease. The ids of the jobs that a runner holds stand in its active list,
`wb:{email}:active:<runner>`. Every call about a job carries the token that the claim gave. If a runner was believed
dead and reaped, its next claim raises NotRegistered, and an end that it still sends for an old job changes nothing.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.json_text import to_json
from lib.queue.claim_reply import Claim, claim_from
from lib.queue.committer import Committer
from lib.queue.end_record import EndRecord, are_ours, note_record, records_text
from lib.queue.framing import exact_text, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.notes import Mark, Notes
from lib.queue.notices import MORE
from lib.queue.scripts import Scripts
from lib.queue.upkeep_steps import PROMOTED_AT_ONCE
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_wire import MissingScript

CLAIMING = {b"rationed": "ration", b"plain": "claim"}
"""What a claim answers where it is for another script to claim in this queue, and that script."""
FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 2.0
NOTE_AGAIN_S = 1.0


class NotRegistered(Exception):
    """This runner must register again, under a new id.

    It was reaped, and its jobs are others' now; or, if is_forgotten, Redis was emptied and knows nothing of it.
    """

    def __init__(self, runner_id: str, *, is_forgotten: bool) -> None:
        super().__init__(runner_id)
        self.is_forgotten = is_forgotten


class Lease:
    """A runner's registration in one queue, under one runner id."""

    def __init__(
        self,
        link: RedisLink,
        pop_link: RedisLink,
        keys: RedisKeys,
        queue: str,
        runner_id: str,
        rng: Random,
        on_fault: Callable[[Exception | None], None] = lambda fault: None,
        on_notices: Callable[[str], None] = lambda queue: None,
    ) -> None:
        """pop_link: for `pop`, which blocks. on_fault: called with the fault for which ends of attempts wait here until
        somebody mends the keys of the queue, and with None when Redis has taken them. on_notices: called with the
        queue when jobs have ended there that others wait for (notices.py)."""
        self.queue = queue
        self._on_fault = on_fault
        self._on_notices = on_notices
        self._rng = rng
        self.runner_id = runner_id
        self._link = link
        self._pop_link = pop_link
        self._keys = keys
        self._scripts = Scripts(link)
        self._base = keys.base(queue)
        self._active_list = keys.active(queue, runner_id)
        self._claiming = "claim"
        """The script by which this runner claims: `ration` where the queue has limits or groups."""
        self._committers: dict[str, Committer[EndRecord, bool]] = {
            script: Committer(functools.partial(self._send_ends, script), _size_bytes, in_flight=2)
            for script in ("finish", "fail", "snooze", "release", "hand_over")
        }
        self._notes: Committer[Notes, Mark] = Committer(self._send_notes, _note_chars)

    async def register(self, about: dict[str, Any]) -> None:
        """Register this runner with the queue; from now on somebody must beat for it. about: {"pid": 4711, …}"""
        with contextlib.suppress(RedisKeysBroken):
            # A broken set of names stops no queue. Upkeep logs the fault, and adds the name once somebody has mended
            # the set.
            await self._scripts.call("name", self._keys.queues, self._keys.moved, self.queue)
        await self._scripts.call("register", self._base, self.runner_id, to_json(about))

    # Claiming.

    @property
    def is_rationed(self) -> bool:
        """Whether the last claim said that the queue has limits or groups. A job that is claimed there and given back
        has used up a start of the queue's rate: so claim no more than can begin at once."""
        return self._claiming == "ration"

    async def claim(self, limit: int, strays: Sequence[str] = (), source: str = "ready") -> Claim:
        """Claim up to `limit` jobs, and the `strays`: ids of the active list that no handler of this runner has.

        source: "ready", or "suspects" for a runner that runs one suspect at a time. Raises NotRegistered. Never call
        it again because its reply was lost: what it claimed stands in the active list, see `active_ids`.
        Where `is_rationed` changes by it, the claim brings nothing and is_more: call it again.
        """
        reply = await self._scripts.call(self._claiming, self._base, self.runner_id, limit, source, *strays)
        return self._claim_from(reply)

    async def pop(
        self, block_s: float, on_claim: Callable[[Claim], object] = lambda claim: None, *, is_limited: bool = False
    ) -> Claim:
        """Wait for an id in ready:normal, move it to the active list and claim that job. Raises NotRegistered.

        is_limited: as a claim has said; wait for a bell instead, and claim a job that may start then.

        The claim leaves in one packet with the BRPOPLPUSH: Redis runs it as soon as an id was moved, and an idle runner
        begins a job a round trip sooner. It claims that one job alone: if this host has been cut off and Redis does not
        know yet, no other job goes astray. `on_claim` is called in the turn of the loop in which the reply comes; if it
        is not called, a job may stand in the active list that nobody runs. Never cancel this; see `end_pop`.
        """
        waits_at = self._keys.bells(self.queue) if is_limited else self._keys.waiting(self.queue)
        pop = ("BRPOPLPUSH", waits_at, self._active_list, block_s)
        claim = self._scripts.command(self._claiming, self._base, self.runner_id, 1, "popped")

        def read(reply: bytes | list[bytes]) -> Claim:
            found = self._claim_from(reply)
            if not isinstance(reply, bytes):
                on_claim(found)
            return found

        try:
            found: Claim = await self._pop_link.block(block_s, pop, claim, read=read)
        except MissingScript:
            return Claim([], True, None)
        return found

    def _claim_from(self, reply: bytes | list[bytes]) -> Claim:
        if not isinstance(reply, bytes):
            return claim_from(reply)
        if reply not in CLAIMING:
            raise NotRegistered(self.runner_id, is_forgotten=reply == b"forgotten")
        self._claiming = CLAIMING[reply]
        return Claim([], True, None)

    async def end_pop(self) -> None:
        """Make a `pop` that waits return at once."""
        await self._pop_link.end_block()

    async def active_ids(self) -> list[str]:
        """The ids in this runner's active list."""
        ids = await self._link.call("LRANGE", self._active_list, 0, -1)
        return [exact_text(job_id) for job_id in ids]

    async def cancel_requests(self) -> set[str]:
        """Ids of jobs that somebody asked this runner to stop; if that was forced, `!<id>` as well as `<id>`."""
        ids = await self._link.call("SMEMBERS", self._keys.cancels(self.queue, self.runner_id))
        return {shown_text(job_id) for job_id in ids}

    async def promote(self) -> float | None:
        """Make ready the delayed jobs that are due. Returns after how many seconds this runner is to do so again, None
        where others will."""
        wait_ms, _ = await self._scripts.call("promote", self._base, PROMOTED_AT_ONCE, self.runner_id)
        return float(wait_ms) / 1000 if wait_ms else None

    # Ending.

    def send_end(self, script: str, end: EndRecord, on_answer: Callable[[bool | Exception], None]) -> None:
        """End an attempt by the script `finish`, `fail`, `snooze`, `release` or `hand_over`, with the next commit.

        `on_answer` is called when Redis has the end, however long Redis is away: True, or False if the job was no
        longer this runner's.
        """
        self._committers[script].post(end, on_answer)

    async def end_and_wait(self, script: str, end: EndRecord) -> bool:
        """`send_end`, and the answer awaited."""
        return await self._committers[script].submit(end)

    def note(self, notes: Notes) -> None:
        """Send what a running job noted. If Redis is away, it is sent again: with the job's next note, after
        NOTE_AGAIN_S, or with the job's end."""
        if not notes.is_on_its_way:
            notes.is_on_its_way = True
            self._notes.post(notes, functools.partial(self._on_noted, notes))

    async def wait_until_idle(self) -> None:
        """Wait until Redis has every end and every note that was handed in."""
        for committer in self._committers.values():
            await committer.wait_until_idle()
        await self._notes.wait_until_idle()

    def _send_ends(self, script: str, ends: list[EndRecord], on_outcome: Callable[..., None]) -> None:
        on_reply = functools.partial(on_outcome, self._read_answer, script, ends)
        self._scripts.send(on_reply, script, self._base, self.runner_id, records_text(ends))

    def _read_answer(self, script: str, ends: list[EndRecord], reply: bytes | Exception) -> Any:
        """True or False for each end; if the call failed, a coroutine that sends the ends again and returns that."""
        if isinstance(reply, RedisUnavailable | RedisKeysBroken):
            return self._send_until_taken(script, ends, reply)
        if isinstance(reply, Exception):
            raise reply
        return self._are_ours(reply)

    async def _send_until_taken(
        self, script: str, ends: list[EndRecord], fault: RedisUnavailable | RedisKeysBroken
    ) -> list[bool]:
        """Send the ends again until Redis has taken them, however long that is.

        Safe to repeat: for an attempt whose end was taken before, and its reply lost, the script answers True again.
        """
        pause_s = FIRST_PAUSE_S
        is_broken = False
        while True:
            if isinstance(fault, RedisKeysBroken):
                is_broken = True
                self._on_fault(fault)
            # Jitter, so that a fleet of runners does not come back in step.
            await asyncio.sleep(self._rng.uniform(pause_s / 2, pause_s))
            pause_s = min(LAST_PAUSE_S, pause_s * 2)
            try:
                letters: bytes = await self._scripts.call(script, self._base, self.runner_id, records_text(ends))
            except (RedisUnavailable, RedisKeysBroken) as again:
                fault = again
                continue
            if is_broken:
                self._on_fault(None)
            return self._are_ours(letters)

    def _are_ours(self, letters: bytes) -> list[bool]:
        """True or False for each end."""
        if letters.endswith(MORE):
            self._on_notices(self.queue)
            letters = letters[:-1]
        return are_ours(letters)

    def _send_notes(self, batch: list[Notes], on_outcome: Callable[..., None]) -> None:
        unsent = [notes.unsent() for notes in batch]
        marks = [mark for _, mark in unsent]
        # An attempt that has ended meanwhile has nothing unsent: its notes went with its end.
        records = [
            note_record(notes.job_id, notes.token, text) for notes, (text, _) in zip(batch, unsent, strict=True) if text
        ]
        if not records:
            on_outcome(_marks_or_raise, marks, b"")
            return
        on_reply = functools.partial(on_outcome, _marks_or_raise, marks)
        self._scripts.send(on_reply, "note", self._base, self.runner_id, records_text(records))

    def _on_noted(self, notes: Notes, answer: Mark | Exception) -> None:
        notes.is_on_its_way = False
        if isinstance(answer, Exception):
            # WHY: the next note of a long step may be an hour away, and a crash before it would cost the checkpoint.
            asyncio.get_running_loop().call_later(NOTE_AGAIN_S, self.note, notes)
        elif notes.sent(answer):
            self.note(notes)


def _marks_or_raise(marks: list[Mark], reply: bytes | Exception) -> list[Mark]:
    if isinstance(reply, Exception):
        raise reply
    return marks


def _size_bytes(end: EndRecord) -> int:
    return len(end.rest)


def _note_chars(notes: Notes) -> int:
    return notes.size_chars
