"""What a request that changes many jobs was answered, kept for a day under its idempotency key, in one of its queues.

    wb:{email}:idem:ops nightly-redrive     email 1f3a9c0e… begun:1795438188123
    wb:{email}:idem:ops nightly-redrive     email 1f3a9c0e… answer:eJyrVspNLClKTVGyMtVRSk…

The first text is written before the first job is changed, the second one when the request is done. A request that is
sent again finds the answer; or, where a server died in between, the ms at which the first one began: it goes on with
the same jobs. The form is that of the other records under idempotency keys (lua/parts/idempotency.lua), so that a key
that came with another request is known in any case.
"""

import base64
import contextlib
import zlib
from typing import NamedTuple

from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs.job import Keyed
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.replays import is_replay
from lib.redis_link import redis_info
from lib.redis_link.link import RedisLink

KEPT_S = 86_400
_BEGUN, _ANSWER = "begun:", "answer:"


class Begun(NamedTuple):
    """began_ms: when the request came first, by Redis' clock. is_again: it came before, and was not answered.
    answer: what it was answered before, "" for nothing."""

    began_ms: int
    is_again: bool = False
    answer: str = ""


class KeptAnswers:
    """The answers of all queues."""

    def __init__(self, link: RedisLink, keys: RedisKeys) -> None:
        self._link = link
        self._keys = keys

    async def begin(self, queue: str, keyed: Keyed) -> Begun:
        """To be called before the first change. Nothing is written for a request without a key.

        Raises IdempotencyKeyReused if the key came with another request."""
        now_ms = await redis_info.now_ms(self._link)
        if not keyed.key:
            return Begun(now_ms)
        name, text = self._keys.idempotency(queue, keyed.key), f"{queue} {keyed.fingerprint} {_BEGUN}{now_ms}"
        if await self._link.call("SET", name, text, "NX", "EX", KEPT_S):
            return Begun(now_ms)
        return _earlier(shown_text(await self._link.call("GET", name) or text.encode()), keyed)

    async def keep(self, queue: str, keyed: Keyed, answer: str) -> None:
        """The request is done, and `answer` goes out, whether it could be kept or not: without it the request, if it is
        sent again, finds the jobs as they are now, and changes none twice."""
        if not keyed.key:
            return
        with contextlib.suppress(RedisUnavailable, RedisKeysBroken):
            packed = base64.urlsafe_b64encode(zlib.compress(answer.encode())).decode()
            text = f"{queue} {keyed.fingerprint} {_ANSWER}{packed}"
            await self._link.call("SET", self._keys.idempotency(queue, keyed.key), text, "EX", KEPT_S)


def _earlier(text: str, keyed: Keyed) -> Begun:
    """What the record of an earlier request says."""
    _, fingerprint, said = (*text.split(" "), "", "", "")[:3]
    if fingerprint != keyed.fingerprint or not said.startswith((_BEGUN, _ANSWER)):
        is_replay("conflict")
    if said.startswith(_ANSWER):
        return Begun(0, True, zlib.decompress(base64.urlsafe_b64decode(said.removeprefix(_ANSWER))).decode())
    return Begun(int(said.removeprefix(_BEGUN)), is_again=True)
