"""Callbacks: a service that has taken a job's work says later what became of it.

    key = await callbacks.expect("webhook-01a2…", token=3)       in the runner, before the request leaves
    end = await callbacks.complete(key, '{"rows":5}')             in the server, when the service calls back

Between the two, the attempt is handed over (hand_over.lua): the job is blocked, and no runner holds it. What comes late
or twice is told apart by the scripts, so that a service may send a callback again whose answer it did not get.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lib.errors import CallbackGone, CallbackUnknown
from lib.ids import queue_of
from lib.jobs.callback_key import CallbackKey, new_callback_key
from lib.queue.keys import RedisKeys
from lib.queue.notices import MORE, Notices
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument

UNKNOWN = "no job waits for this callback: the URL is not one that Waybill has sent, or its job was deleted"


class AttemptOver(Exception):
    """The attempt that was to be handed over has ended: its runner was believed dead, say."""


class CallbackTaken(NamedTuple):
    """state: the job's by now. is_again: the same callback came before, and nothing was changed."""

    state: str
    is_again: bool


class Callbacks:
    """The callbacks of every queue."""

    def __init__(
        self,
        link: RedisLink,
        keys: RedisKeys,
        notices: Notices,
        *,
        choose: Callable[[Sequence[str]], str] = secrets.choice,
    ) -> None:
        self._link = link
        self._scripts = Scripts(link)
        self._keys = keys
        self._notices = notices
        self._choose = choose

    async def expect(self, job_id: str, token: int) -> CallbackKey:
        """The key with which a service may end this attempt from now on. Raises AttemptOver or RedisUnavailable."""
        key = new_callback_key(job_id, token, self._choose)
        base = self._keys.base(queue_of(job_id) or "")
        if not await self._scripts.call("expect_callback", base, job_id, token, key.sha256):
            raise AttemptOver(f"the attempt {token} of {job_id} has ended meanwhile")
        return key

    async def check(self, key: CallbackKey) -> None:
        """Raises CallbackUnknown where no service was sent this key; and RedisUnavailable.

        WHY before anything else is done for a callback: no API key is needed, and a job's record may have some MiB."""
        job = f"{self._keys.base(queue_of(key.job_id) or '')}job:{key.job_id}"
        fields: list[bytes | None] = await self._link.call("HMGET", job, "callback_token", "callback_before")
        if key.sha256.encode() not in b" ".join(text or b"" for text in fields).split():
            raise CallbackUnknown(UNKNOWN)

    async def complete(self, key: CallbackKey, result: str) -> CallbackTaken:
        """result: JSON, "" for none. Raises CallbackGone, CallbackUnknown or RedisUnavailable, as the next two do."""
        return await self._settle(key, "completed", result, "")

    async def fail(self, key: CallbackKey, error: str, delay_s: float | None) -> CallbackTaken:
        """error: JSON. delay_s: until the next attempt; None: there is none, and the job is dead."""
        return await self._settle(key, "failed", error, "" if delay_s is None else round(delay_s * 1000))

    async def extend(self, key: CallbackKey, by_s: float, progress: str) -> CallbackTaken:
        """Put the deadline off: it is by_s from now at least. progress: JSON, "" to leave it."""
        return await self._settle(key, "extend", progress, round(by_s * 1000))

    async def _settle(self, key: CallbackKey, verb: str, text: str, ms: Argument) -> CallbackTaken:
        queue = queue_of(key.job_id) or ""
        arguments = (key.job_id, key.token, key.sha256, verb, text, ms)
        reply = await self._scripts.call("callback", self._keys.base(queue), *arguments)
        with understood(queue):
            word, state, more = reply
            taken = CallbackTaken(state.decode(), word == b"again")
        if more == MORE:
            self._notices.poke(queue)
        if word == b"unknown":
            raise CallbackUnknown(UNKNOWN)
        if word == b"gone":
            raise CallbackGone(
                f"the job {key.job_id} is {taken.state}, and waits for this callback no more: its time was over, "
                "another attempt has begun, or the job has ended"
            )
        return taken
