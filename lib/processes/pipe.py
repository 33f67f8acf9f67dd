"""The line between a parent and a child of ours: a JSON object a line, both ways, over a socket pair.

To a runner: {"do": "drain"} claim no more and leave when all has ended; {"do": "release"} leave now;
{"do": "use", "slots": {queue: n}, "time": t} run so many jobs of each queue at a time; {"do": "look", "queue": queue}
run one suspect of it, where it is an isolation runner. To its supervisor:
{"is": "tick", "workers": {queue: worker id}, "running": n, "silent_s": s} every second;
{"is": "using", "slots": {queue: n}, "time": t} so many may be in use, t times was heard how many there are;
{"is": "retiring", "why": "…", "slots": {queue: n}} start another in my place, but so many slots are in use here;
{"is": "looked", "queue": queue, "found": bool} its suspect was run, or there was none;
{"is": "blocked", "job": id} this job keeps my loop from turning, until the next tick.
To a server process: {"do": "drain"}; {"do": "reread"} the keys. To its parent: {"is": "ready", "url": "…"}; then
{"is": "tick"} every second; {"is": "leaving", "cut_off": n}.

When it closes, the other one is gone: a runner then beats for itself and drains, a server process drains.
"""

import asyncio
import contextlib
import json
import os
import socket
from typing import Any

LINE_BYTES = 4 << 20  # A tick names every queue, and WORKER_QUEUES may name thousands.


class Pipe:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Pipe":
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LINE_BYTES))

    def send(self, **message: Any) -> None:
        """Never waits: what is said is little, and a peer that does not read is a peer that will be replaced."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def send_beside_the_loop(self, **message: Any) -> None:
        """The same from another thread, for when the loop that would send it is stuck."""
        with contextlib.suppress(OSError):
            os.write(self._writer.get_extra_info("socket").fileno(), json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other end is gone."""
        try:
            line = await self._reader.readline()
            return json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        self._writer.close()
