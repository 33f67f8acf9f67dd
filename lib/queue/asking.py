"""One round of questions: what blocked jobs of a queue wait for, asked of the parents' own queues.

Called by notices.py. asking.lua names the jobs that are due to ask, and puts off the next time in the same step. A
question goes to the parent's queue (attach.lua), which answers what became of the parent, or notes once more who waits
for it. A workflow that was cancelled or run again gives orders as well, and repeats them until each member has obeyed:
to be cancelled (cancel.lua), or to run again (retry.lua).
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lib.errors import RedisUnavailable
from lib.queue.keys import RedisKeys
from lib.queue.notice_text import Asked, Word, answers_of, asked_from, attach_text, queue_of_raw
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms
from lib.redis_link.resp import Argument

JOBS_AT_ONCE = 20
"""A workflow has up to 1,000 members to ask for."""
ATTACHED_AT_ONCE = 100  # An answer may bring 64 KiB for each.
ORDERED_AT_ONCE = 200
AGAIN_MS = 3_600_000
AGAIN_WITH_ORDER_MS = 5_000
AWAY_AGAIN_MS = 15_000
OF_MEMBER = b"m"
"""The rule under which a member that was given an order is asked. Its workflow may hold n of it: the answer is the
same."""
HURRIED_AT_ONCE, MOST_BITES = 500, 2000


class AskedRound(NamedTuple):
    """What came of one round. words: for the jobs that asked. changed: queues of members that were given orders.
    is_more: other jobs of the queue are due to ask."""

    words: list[Word]
    changed: set[str]
    is_more: bool


class Asking:
    """The questions of all queues. on_fault: as that of Notices."""

    def __init__(self, link: RedisLink, keys: RedisKeys, on_fault: Callable[[str, Exception | None], None]) -> None:
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._on_fault = on_fault

    async def ask(self, queue: str) -> AskedRound:
        """Raises RedisUnavailable and RedisKeysBroken for this queue; a parent's queue that does not answer is asked
        again after AWAY_AGAIN_MS."""
        base = self._keys.base(queue)
        flat = await self._scripts.call("asking", base, JOBS_AT_ONCE, AGAIN_MS, AGAIN_WITH_ORDER_MS)
        with understood(queue):
            asked = asked_from(flat)
        orders = sorted((one for one in asked if one.is_order), key=_turn)
        given = await self._give(orders)
        changed = {queue_of_raw(one.parent) for one in given}
        # WHY who was given an order is asked as well: the member may be gone, or have ended without a word.
        questions = [one for one in asked if not one.is_order] + [one._replace(rule=OF_MEMBER) for one in given]
        words, unanswered = await self.questions(questions)
        if unanswered:
            soon_ms = await now_ms(self._link) + AWAY_AGAIN_MS
            await self._put_forward(queue, {one.follower for one in unanswered}, soon_ms)
        words = [word._replace(ms=flat[0]) for word in words]
        return AskedRound(words, changed, len({one.follower for one in asked}) >= JOBS_AT_ONCE)

    async def hurry(self, queue: str) -> bool:
        """Have all blocked jobs of the queue ask now that would ask later, some a call. Returns whether there are
        any."""
        unsure, at_ms = self._keys.unsure(queue), await now_ms(self._link)
        later = ("ZRANGEBYSCORE", unsure, f"({at_ms}", "+inf", "LIMIT", 0, HURRIED_AT_ONCE)
        has_any = False
        for _ in range(MOST_BITES):  # Others may have asked meanwhile, and ask later again.
            job_ids = await self._link.call(*later)
            if not job_ids:
                break
            has_any = True
            await self._put_forward(queue, job_ids, at_ms)
        return has_any

    async def _put_forward(self, queue: str, job_ids: Iterable[bytes], at_ms: int) -> None:
        """Those jobs of these that would ask later ask at `at_ms`."""
        scores: list[Argument] = [item for job_id in job_ids for item in (at_ms, job_id)]
        await self._link.call("ZADD", self._keys.unsure(queue), "XX", "LT", *scores)

    async def _give(self, orders: Sequence[Asked]) -> list[Asked]:
        """Give orders, a parent's before those of its followers: a job that runs again must find its parents open.
        Returns those that were taken."""
        given: list[Asked] = []
        for (queue, is_to_cancel), some in itertools.groupby(orders, _queue_and_kind):
            of_one_queue = list(some)
            if not queue or not await self._order(queue, of_one_queue, is_to_cancel=is_to_cancel):
                continue  # Whoever gives orders asks again in AGAIN_WITH_ORDER_MS.
            given += of_one_queue
        return given

    async def _order(self, queue: str, orders: Sequence[Asked], *, is_to_cancel: bool) -> bool:
        """Whether the queue took them."""
        script, fields = ("cancel", _cancel_fields) if is_to_cancel else ("retry", _retry_fields)
        try:
            for at in range(0, len(orders), ORDERED_AT_ONCE):
                some = orders[at : at + ORDERED_AT_ONCE]
                arguments = [argument for one in some for argument in fields(one)]
                await self._scripts.call(script, self._keys.base(queue), *arguments)
        except RedisUnavailable:
            return False
        except Exception as fault:  # noqa: BLE001  The members in other queues are to have their orders.
            self._on_fault(queue, fault)
            return False
        return True

    async def questions(self, asked: Sequence[Asked]) -> tuple[list[Word], list[Asked]]:
        """What the parents' queues answer; and what was asked in vain, for a queue did not answer."""
        by_queue: dict[str, list[Asked]] = {}
        for one in asked:
            by_queue.setdefault(queue_of_raw(one.parent), []).append(one)
        words: list[Word] = []
        unanswered: list[Asked] = []
        for queue, questions in by_queue.items():
            answers = await self.attach(queue, questions) if queue else None
            if answers is None:
                unanswered += questions
            else:
                words += answers
        return words, unanswered

    async def attach(self, queue: str, asked: Sequence[Asked]) -> list[Word] | None:
        """What the jobs of `queue` answer their followers, those that have ended; the others will tell by themselves.
        None where the queue does not answer."""
        words: list[Word] = []
        try:
            for at in range(0, len(asked), ATTACHED_AT_ONCE):
                some = asked[at : at + ATTACHED_AT_ONCE]
                reply = await self._scripts.call("attach", self._keys.base(queue), attach_text(some))
                with understood(queue):
                    words += answers_of(some, reply)
        except RedisUnavailable:
            return None
        except Exception as fault:  # noqa: BLE001  The parents in other queues are to be asked all the same.
            self._on_fault(queue, fault)
            return None
        return words


def _turn(order: Asked) -> tuple[int, str]:
    """What orders are sorted by: those to cancel come queue by queue, those to run again parents first."""
    return (-1, queue_of_raw(order.parent)) if order.is_to_cancel else (order.place, "")


def _queue_and_kind(order: Asked) -> tuple[str, bool]:
    return queue_of_raw(order.parent), order.is_to_cancel


def _cancel_fields(order: Asked) -> tuple[Argument, ...]:
    """As cancel.lua takes a job: without force, an idempotency key or the state that was seen."""
    return order.parent, "", "", "", ""


def _retry_fields(order: Asked) -> tuple[Argument, ...]:
    """As retry.lua takes a job. A member of a workflow has no unique key."""
    return order.parent, "", "", "", "", "", order.order
