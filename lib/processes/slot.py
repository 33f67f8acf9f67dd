"""Where a server process stands: alone, or in one of several places under a parent. Who says stop, who is told what.

server.py serves in the same way wherever it stands.
"""

import asyncio
import mmap
import os
import socket
from collections.abc import Callable
from typing import Protocol

from lib.logs.log import Log
from lib.processes import signals
from lib.processes.pipe import Pipe


class Slot(Protocol):
    """number: from 0 on; the first place speaks for all, where each could say the same."""

    number: int
    memory: mmap.mmap

    def ready(self, url: str) -> None:
        """Requests are answered."""

    def tick(self) -> None:
        """The loop turns. To be said every second from `ready` on."""

    async def told_to_stop(self, reread: Callable[[], object]) -> None:
        """Returns when it is time to drain. reread: called whenever the keys are to be read anew."""

    def leaving(self, cut_off: int) -> None:
        """Drained."""


class Alone:
    """The only process: it obeys signals, and tells the log. place_bytes: the memory it counts in."""

    def __init__(self, log: Log, place_bytes: int) -> None:
        self._log = log
        self.number = 0
        self.memory = mmap.mmap(-1, place_bytes)

    def ready(self, url: str) -> None:
        self._log.info("server.started", f"Server started: {url}", pid=os.getpid())

    def tick(self) -> None:
        pass

    async def told_to_stop(self, reread: Callable[[], object]) -> None:
        stop = asyncio.Event()
        signals.obey(asyncio.get_running_loop(), stop.set, self._log, reread=reread)
        await stop.wait()
        self._log.info("server.draining", "Server draining: requests in flight are finished, new ones refused")

    def leaving(self, cut_off: int) -> None:
        self._log.info("server.stopped", f"Server stopped: {cut_off} connections cut off", cut_off=cut_off)
        # The loop takes its handlers away when it closes: a second signal that comes then would be the exit code.
        signals.hold()


class OneOfSeveral:
    """A child: it obeys its parent's pipe, and tells the parent. memory: the descriptor of what all count in."""

    def __init__(self, number: int, memory: int, pipe: Pipe, log: Log) -> None:
        self.number = number
        self.memory = mmap.mmap(memory, 0)
        self._pipe = pipe
        self._log = log

    @classmethod
    async def under(cls, number: int, memory: int, pipe: int, log: Log) -> "OneOfSeveral":
        """memory, pipe: descriptors."""
        return cls(number, memory, await Pipe.over(socket.socket(fileno=pipe)), log)

    def ready(self, url: str) -> None:
        self._pipe.send(**{"is": "ready", "url": url})

    def tick(self) -> None:
        self._pipe.send(**{"is": "tick"})

    async def told_to_stop(self, reread: Callable[[], object]) -> None:
        while (message := await self._pipe.receive()) is not None and message.get("do") == "reread":
            reread()
        if message is None:
            self._log.warning("parent.lost", "The server's main process is gone; this one drains and leaves")

    def leaving(self, cut_off: int) -> None:
        self._pipe.send(**{"is": "leaving", "cut_off": cut_off})
        # An interpreter that ends gives up its handlers: a signal that comes then would be the exit code.
        signals.hold()
