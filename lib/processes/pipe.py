"""The pipe between a parent and its child: a JSON object a line, both ways, over a socket pair.

A supervisor sends a runner:

    {"do": "use", "slots": {"email": 3}, "time": 2}     run so many jobs of each queue at a time; the message's number
    {"do": "look", "queue": "email"}                    run one suspect of this queue (an isolation runner)
    {"do": "drain"}                                     claim no more, and leave when all that runs has ended
    {"do": "retire"}                                    the same, and say "retiring": the successor has started
    {"do": "release"}                                   give back what runs, and leave now

A runner sends its supervisor:

    {"is": "tick", "workers": {"email": "host.812.6f3a91c2"}, "running": 2, "silent_s": 0.4, "ended": 812,
     "rss_bytes": 41943040}                             every TICK_S: its loop turns. Its id in each queue, how many
                                                        jobs run, how long Redis has answered no claim, how many
                                                        attempts it has ended, and its memory
    {"is": "using", "slots": {"email": 4}, "time": 2}   it may be using so many slots; the last "use" that it has read
    {"is": "retiring", "why": "…", "slots": {"email": 1}}   it claims no more, but uses so many slots until it ends
    {"is": "looked", "queue": "email", "found": true}   its suspect has run; false: there was none
    {"is": "blocked", "job": "email-7"}                 this job keeps its loop from turning, until the next tick

A server's parent sends its child {"do": "reread"}, the API keys, and {"do": "drain"}. The child sends
{"is": "ready", "url": "http://127.0.0.1:3000"} once, {"is": "tick"} every TICK_S from then on, and at its end
{"is": "leaving", "cut_off": 0}, the number of connections that it had to cut off.

A pipe that closes means that the other process is gone. A runner without its supervisor beats for itself and drains; a
server process without its parent drains.

A program whose files are replaced while it runs starts children of the new version: messages keep their form.
"""

import asyncio
import contextlib
import json
import os
import socket
from typing import Any

LINE_BYTES = 4 << 20  # A tick names every queue, and WORKER_QUEUES may name thousands.
TICK_S = 1.0


class Pipe:
    """One process' end of a pipe."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Pipe":
        """A Pipe on one socket of a pair, read by the running loop. Raises OSError."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LINE_BYTES))

    def send(self, **message: Any) -> None:
        """Send a message, without waiting for room: messages are small, and a process that does not read its pipe is
        silent on it as well, and is replaced."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def send_beside_the_loop(self, **message: Any) -> None:
        """Send a message from another thread than the loop's, while the loop is stuck. Raises nothing."""
        with contextlib.suppress(OSError):
            os.write(self._writer.get_extra_info("socket").fileno(), json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other process has closed its end, or is gone."""
        try:
            line = await self._reader.readline()
            return json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        self._writer.close()
