"""The slot that a server process fills: it is the only one, or one of several children of a server_parent.py.

The server serves in the same way in both. The slot hides the difference: a lone server is stopped by a signal and logs
its start and its end; a child is stopped over its parent's pipe, and sends its parent ready, tick and leaving
(pipe.py).
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
    """number: 0 to SERVER_PROCESSES - 1. Slot 0 logs what every slot could log. memory: where requests are counted."""

    number: int
    memory: mmap.mmap

    def ready(self, url: str) -> None:
        """To be called once requests are answered, at this URL."""

    def tick(self) -> None:
        """To be called every TICK_S from `ready` on: it shows that the loop turns."""

    async def wait_for_stop(self, reread: Callable[[], object]) -> None:
        """Returns when it is time to drain. reread: called whenever the API keys are to be read anew."""

    def leaving(self, cut_off: int) -> None:
        """To be called when the drain is over. cut_off: connections that had to be cut off."""


class Alone:
    """The slot of the only server process: it obeys signals, and logs. slot_bytes: the memory that it counts in."""

    def __init__(self, log: Log, slot_bytes: int) -> None:
        self._log = log
        self.number = 0
        self.memory = mmap.mmap(-1, slot_bytes)

    def ready(self, url: str) -> None:
        self._log.info("server.started", f"Server started: {url}", pid=os.getpid())

    def tick(self) -> None:
        pass

    async def wait_for_stop(self, reread: Callable[[], object]) -> None:
        stop = asyncio.Event()
        signals.obey(asyncio.get_running_loop(), stop.set, self._log, reread=reread)
        await stop.wait()
        self._log.info("server.draining", "Server draining: requests in flight are finished, new ones refused")

    def leaving(self, cut_off: int) -> None:
        self._log.info("server.stopped", f"Server stopped: {cut_off} connections cut off", cut_off=cut_off)
        signals.hold()


class OneOfSeveral:
    """The slot of a child: it obeys its parent's pipe, and tells the parent. memory: the descriptor of the memory that
    all slots count in."""

    def __init__(self, number: int, memory: int, pipe: Pipe, log: Log) -> None:
        self.number = number
        self.memory = mmap.mmap(memory, 0)
        self._pipe = pipe
        self._log = log

    @classmethod
    async def under(cls, number: int, memory: int, pipe: int, log: Log) -> "OneOfSeveral":
        """A child's slot. memory, pipe: the descriptors that its parent handed it."""
        return cls(number, memory, await Pipe.over(socket.socket(fileno=pipe)), log)

    def ready(self, url: str) -> None:
        self._pipe.send(**{"is": "ready", "url": url})

    def tick(self) -> None:
        self._pipe.send(**{"is": "tick"})

    async def wait_for_stop(self, reread: Callable[[], object]) -> None:
        while (message := await self._pipe.receive()) is not None and message.get("do") == "reread":
            reread()
        if message is None:
            self._log.warning("parent.lost", "The server's main process is gone; this one drains and leaves")

    def leaving(self, cut_off: int) -> None:
        self._pipe.send(**{"is": "leaving", "cut_off": cut_off})
        signals.hold()
