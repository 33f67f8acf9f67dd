"""Queues whose keys somebody broke by hand: what Redis holds of them makes no sense, and no other queue suffers by it.

`understood` turns a reply that can't be read into RedisKeysBroken; `each_readable` asks many queues at once and returns
an `Unreadable` in the place of each that is broken, so that a listing of a hundred queues lacks one row.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from lib.errors import RedisKeysBroken, RedisUnavailable

Answer = TypeVar("Answer")


class Unreadable(NamedTuple):
    """A queue that could not be read, and why."""

    queue: str
    reason: str

    @property
    def warning(self) -> str:
        return f"{self.queue} can't be read: {self.reason}"


@contextlib.contextmanager
def understood(queue: str) -> Iterator[None]:
    """Put around the reading of a reply: raises RedisKeysBroken if the reply holds what no script of Waybill wrote."""
    try:
        yield
    except (ValueError, OverflowError) as fault:
        raise RedisKeysBroken(f"what Redis holds of the queue {queue} makes no sense: {fault}") from fault


async def each_readable(queues: Sequence[str], ask: Callable[[str], Awaitable[Answer]]) -> list[Answer | Unreadable]:
    """`ask(queue)` of each queue, all at once; an Unreadable for each that raised. Raises RedisUnavailable."""
    answers: list[Answer | Unreadable] = []
    for queue, answer in zip(queues, await asyncio.gather(*map(ask, queues), return_exceptions=True), strict=True):
        if isinstance(answer, BaseException):
            if isinstance(answer, RedisUnavailable) or not isinstance(answer, Exception):
                raise answer
            answers.append(Unreadable(queue, str(answer)))
        else:
            answers.append(answer)
    return answers
