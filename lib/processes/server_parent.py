"""The parent of several server processes (SERVER_PROCESSES=N): one socket, N slots, a child process in each slot.

The parent holds the socket that all children listen on, and the memory in which each counts its requests. It serves
no request itself, so nothing that a request does can stop it.
1. A child ends: what it had accepted is in Redis, and clients that wait in the socket's queue are served by the other
   children. A new child takes the slot, and counts on from where the old one stopped.
2. A child hangs: it sends no message for HUNG_S, or no first message for FIRST_MESSAGE_S. It is killed; then as in 1.
3. SIGHUP: the parent reads the API keys anew. If they are well, each child is told to read them anew as well.
4. A signal to stop: all children drain at once, for SHUTDOWN_GRACE_S. Further signals change nothing.
5. The parent ends, however that happens: each child finds its pipe closed, and drains.
"""

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lib.logs.log import Log
from lib.processes import signals
from lib.processes.child_process import FIRST_MESSAGE_S, ChildProcess, describe_end, start
from lib.processes.pipe import Pipe
from lib.processes.restarts import keep_trying, pause, pause_before_restart_s
from lib.processes.silence import Silence
from lib.processes.spawn import EXIT_FAULT
from lib.settings.config import EXIT_CONFIG, Settings

CHILD_EXIT_S = 5.0  # What a child may take beyond SHUTDOWN_GRACE_S, before it is killed.
SILENCE_CHECK_S = 1.0
HUNG_S = 10.0


class ServerParent:
    """script: the server.py to start children with. slot_bytes: the memory that each child counts in. reread: reads the
    API keys anew, and returns whether they are well."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        script: Path,
        listening: socket.socket,
        slot_bytes: int,
        reread: Callable[[], bool],
    ) -> None:
        self._reread = reread
        self._settings = settings
        self._log = log
        self._script = script
        self._listening = listening
        self._memory = _memory(settings.server_processes * slot_bytes)
        self._children: dict[int, tuple[ChildProcess, Pipe]] = {}
        """slot's number -> the child that is in it."""
        self._stop = asyncio.Event()
        self._is_started = False
        """Whether a child has been ready: from then on requests are answered."""
        self._cut_off = 0
        self.exit_code = 0

    async def run(self) -> None:
        """Serve until a signal to stop; returns when every child has left."""
        loop = asyncio.get_running_loop()
        signals.obey(loop, self._stop.set, self._log, reread=self._reread_keys)
        slots = [loop.create_task(self._keep(slot)) for slot in range(self._settings.server_processes)]
        for task in slots:
            # A slot's task ends by itself only through a bug; the other slots must not serve on as if all were well.
            task.add_done_callback(lambda _: self._stop.set())
        await self._stop.wait()
        await self._drain(slots)
        self._log.info("server.stopped", f"Server stopped: {self._cut_off} connections cut off", cut_off=self._cut_off)
        signals.hold()

    def _reread_keys(self) -> None:
        if self._reread():
            for _, pipe in self._children.values():
                pipe.send(do="reread")

    async def _drain(self, slots: "list[asyncio.Task[None]]") -> None:
        self._log.info("server.draining", "Server draining: requests in flight are finished, new ones refused")
        # Now, not at the end: a client that connects from here on must be refused, and not wait in the socket's queue.
        self._listening.close()
        for _, pipe in self._children.values():
            pipe.send(do="drain")
        await asyncio.wait(slots, timeout=self._settings.shutdown_grace_s + CHILD_EXIT_S)
        for process, _ in list(self._children.values()):
            self._log.warning("process.killed", f"Server process {process.pid} did not leave and is killed")
            process.kill()
        for fault in await asyncio.gather(*slots, return_exceptions=True):
            if isinstance(fault, BaseException):
                self._log.exception("server.failed", "A part of the server's parent ended by a fault of its own", fault)
                self.exit_code = EXIT_FAULT

    async def _keep(self, slot: int) -> None:
        """Have a child in this slot until the stop: start one, wait for its end, start the next."""
        pause_s = 0.0
        while not self._stop.is_set():
            started_s = time.monotonic()
            started = await keep_trying(lambda: self._start(slot), self._stop, self._log)
            if started is None:
                return
            process, pipe = started
            self._children[slot] = process, pipe
            if self._stop.is_set():
                pipe.send(do="drain")
            self._log.info("process.started", f"Server process {process.pid} started", place=slot, child=process.pid)
            silence = Silence(time.monotonic())
            watch = asyncio.create_task(self._watch(process, silence, slot))
            await self._read_messages(pipe, silence)
            watch.cancel()
            code = await process.wait()
            pipe.close()
            del self._children[slot]
            self._log_end(process.pid, slot, code)
            pause_s = pause_before_restart_s(time.monotonic() - started_s, pause_s)
            await pause(self._stop, pause_s)

    async def _start(self, slot: int) -> tuple[ChildProcess, Pipe]:
        return await start(
            self._script,
            *("--place", str(slot)),
            *("--listening", str(self._listening.fileno())),
            *("--memory", str(self._memory)),
            fds=(self._listening.fileno(), self._memory),
        )

    async def _watch(self, process: ChildProcess, silence: Silence, slot: int) -> None:
        """Kill a child that hangs: clients whose connections it has accepted would wait for nothing."""
        while True:
            await asyncio.sleep(SILENCE_CHECK_S)
            most_s = most_silence_s(silence)
            if silence.lasted_s(time.monotonic()) > most_s:
                msg = f"Server process {process.pid} has said nothing for {most_s:g} s and is killed"
                self._log.error("process.killed", msg, place=slot, child=process.pid)
                process.kill()
                return

    async def _read_messages(self, pipe: Pipe, silence: Silence) -> None:
        """Read what a child sends (see pipe.py) until it ends."""
        while (message := await pipe.receive()) is not None:
            silence.end()
            if message.get("is") == "ready" and not self._is_started:
                self._is_started = True
                self._log.info("server.started", f"Server started: {message['url']}", pid=os.getpid())
            elif message.get("is") == "leaving":
                self._cut_off += int(message["cut_off"])

    def _log_end(self, pid: int, slot: int, code: int) -> None:
        """Log a child's end, if it is no drain's; stop the server if the settings can't be used from the start."""
        if code == 0 and self._stop.is_set():
            return
        self._log.error("process.died", f"Server process {pid} ended: {describe_end(code)}", place=slot, child=pid)
        # The child has logged what is wrong with the settings; the next one would log the same. Once a child has been
        # ready, somebody has changed the settings meanwhile: the other children serve on by the old ones, and this slot
        # is tried again until the settings are mended.
        if code == EXIT_CONFIG and not self._is_started:
            self.exit_code = EXIT_CONFIG
            self._stop.set()


def most_silence_s(silence: Silence) -> float:
    """For how long a child may be silent before it counts as hung."""
    return HUNG_S if silence.was_broken else FIRST_MESSAGE_S


def _memory(size_bytes: int) -> int:
    """The descriptor of a nameless file of zeros, which lies in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("waybill-counts")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size_bytes)
    return descriptor
