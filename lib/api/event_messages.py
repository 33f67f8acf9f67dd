"""The messages of a stream of Server-Sent Events, as bytes. Pure.

    retry: 2000
    id: 1795438188123
    event: queues
    data: {"at":"2026-11-23T12:49:48.123Z","start":true,…}

(https://html.spec.whatwg.org/multipage/server-sent-events.html) Every message has an id and data in one block. (Half of
the clients forget an id that stands in a block without data, and the others hand on a message without data.) A
heartbeat, and what is meant for a person who looks, is a comment, a line that begins with a colon.
"""

import contextlib
from collections.abc import AsyncGenerator

HEARTBEAT_S = 15.0
HEARTBEAT = b":\n"
AWAY = b": Redis is away\n"
AWAY_PAUSE_S = 1.0
RETRY_MS = 2000


def message(last_id: str, data: str, event: str = "") -> bytes:
    """One message. data: one line of JSON. event: its type; "" is the type `message`."""
    kind = f"event: {event}\n" if event else ""
    return f"id: {last_id}\n{kind}data: {data}\n\n".encode()


async def with_retry(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same stream; its first message also says after how many ms a reader that is cut off should come back."""
    has_retry = False
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if has_retry or not piece or piece.startswith(b":"):
                yield piece
            else:
                has_retry = True
                yield f"retry: {RETRY_MS}\n".encode() + piece
