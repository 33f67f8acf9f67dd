"""The parent of several server processes (SERVER_PROCESSES=N): one socket, N places, a process in each.

It holds the socket that all of them listen on and the memory in which they count, and serves nothing itself, so that
nothing a request does can stop it. In its own words:
1. A child ends: what it had accepted is in Redis, the clients that wait in the socket's queue are the others', and
   another child takes its place and counts on where it stopped.
2. A child hangs: it is killed after HUNG_S without a tick, or BORN_S without a word at its start, and then as above.
3. SIGHUP: the keys are read anew, here first; where they are well, by each child.
4. A signal to stop: the children drain, all at once, for SHUTDOWN_GRACE_S; further signals change nothing.
5. This process ends, however: each child finds its pipe closed, and drains.
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
from lib.processes.pipe import Pipe
from lib.processes.spawn import EXIT_FAULT
from lib.processes.start import BORN_S, Process, describe_end, keep_trying, pause, pause_before_restart_s, start
from lib.settings.config import EXIT_CONFIG, Settings

LEAVE_S = 5.0  # What a child may take, over the grace, before it is killed.
LOOK_EVERY_S = 1.0
HUNG_S = 10.0


class Silence:
    """For how long a child has said nothing, and for how long it may.

    It counts while this process was there to hear it: where it stood still itself, a look counts for two intervals.
    """

    def __init__(self) -> None:
        self._lasted_s = 0.0
        self.most_s = BORN_S

    def end(self) -> None:
        self._lasted_s = 0.0
        self.most_s = HUNG_S

    def go_on(self, gap_s: float) -> bool:
        """Another look, gap_s after the last one. True where the child hangs."""
        self._lasted_s += min(gap_s, 2 * LOOK_EVERY_S)
        return self._lasted_s > self.most_s


class Parent:
    """script: the server.py to start children with. place_bytes: the memory that each counts in. reread: look at the
    keys anew, and say whether they are well."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        script: Path,
        listening: socket.socket,
        place_bytes: int,
        reread: Callable[[], bool],
    ) -> None:
        self._reread = reread
        self._settings = settings
        self._log = log
        self._script = script
        self._listening = listening
        self._memory = _memory(settings.server_processes * place_bytes)
        self._children: dict[int, tuple[Process, Pipe]] = {}
        self._stop = asyncio.Event()
        self._is_started = False
        self._cut_off = 0
        self.exit_code = 0

    async def run(self) -> None:
        """Until a signal; returns when every child has left."""
        loop = asyncio.get_running_loop()
        signals.obey(loop, self._stop.set, self._log, reread=self._have_reread)
        places = [loop.create_task(self._keep(place)) for place in range(self._settings.server_processes)]
        for task in places:
            # A place ends by itself only through a bug; the others must not serve on as if all were well.
            task.add_done_callback(lambda _: self._stop.set())
        await self._stop.wait()
        await self._drain(places)
        self._log.info("server.stopped", f"Server stopped: {self._cut_off} connections cut off", cut_off=self._cut_off)
        # The loop takes its handlers away when it closes: a second signal that comes then would be the exit code.
        signals.hold()

    def _have_reread(self) -> None:
        if self._reread():
            for _, pipe in self._children.values():
                pipe.send(do="reread")

    async def _drain(self, places: "list[asyncio.Task[None]]") -> None:
        self._log.info("server.draining", "Server draining: requests in flight are finished, new ones refused")
        # Now, not at the end: whoever connects from here on shall be refused, and not wait for nobody.
        self._listening.close()
        for _, pipe in self._children.values():
            pipe.send(do="drain")
        await asyncio.wait(places, timeout=self._settings.shutdown_grace_s + LEAVE_S)
        for process, _ in list(self._children.values()):
            self._log.warning("process.killed", f"Server process {process.pid} did not leave and is killed")
            process.kill()
        for fault in await asyncio.gather(*places, return_exceptions=True):
            if isinstance(fault, BaseException):
                self._log.exception("server.failed", "A part of the server's parent ended by a fault of its own", fault)
                self.exit_code = EXIT_FAULT

    async def _keep(self, place: int) -> None:
        """Have a process in this place until the end: start one, wait for its end, again."""
        pause_s = 0.0
        while not self._stop.is_set():
            started_s = time.monotonic()
            started = await keep_trying(lambda: self._start(place), self._stop, self._log)
            if started is None:
                return
            process, pipe = started
            self._children[place] = process, pipe
            if self._stop.is_set():
                pipe.send(do="drain")
            self._log.info("process.started", f"Server process {process.pid} started", place=place, child=process.pid)
            silence = Silence()
            watch = asyncio.create_task(self._watch(process, silence, place))
            await self._hear_out(pipe, silence)
            watch.cancel()
            code = await process.wait()
            pipe.close()
            del self._children[place]
            self._note_end(process.pid, place, code)
            pause_s = pause_before_restart_s(time.monotonic() - started_s, pause_s)
            await pause(self._stop, pause_s)

    async def _start(self, place: int) -> tuple[Process, Pipe]:
        return await start(
            self._script,
            *("--place", str(place)),
            *("--listening", str(self._listening.fileno())),
            *("--memory", str(self._memory)),
            fds=(self._listening.fileno(), self._memory),
        )

    async def _watch(self, process: Process, silence: Silence, place: int) -> None:
        """Kill a child that hangs: its clients wait for nothing, and those in the socket's queue for a turn of its."""
        looked_at_s = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s = time.monotonic()
            if silence.go_on(now_s - looked_at_s):
                msg = f"Server process {process.pid} has said nothing for {silence.most_s:g} s and is killed"
                self._log.error("process.killed", msg, place=place, child=process.pid)
                process.kill()
                return
            looked_at_s = now_s

    async def _hear_out(self, pipe: Pipe, silence: Silence) -> None:
        """What a child says until it ends: that it is ready, that it lives, how many connections it cut off."""
        while (message := await pipe.receive()) is not None:
            silence.end()
            if message.get("is") == "ready" and not self._is_started:
                self._is_started = True
                self._log.info("server.started", f"Server started: {message['url']}", pid=os.getpid())
            elif message.get("is") == "leaving":
                self._cut_off += int(message["cut_off"])

    def _note_end(self, pid: int, place: int, code: int) -> None:
        if code == 0 and self._stop.is_set():
            return
        self._log.error("process.died", f"Server process {pid} ended: {describe_end(code)}", place=place, child=pid)
        # It has said why; the next one would say the same. Once all is served, the settings were changed meanwhile: the
        # other children serve on by the old ones, and this place is tried again until somebody has mended them.
        if code == EXIT_CONFIG and not self._is_started:
            self.exit_code = EXIT_CONFIG
            self._stop.set()


def _memory(size_bytes: int) -> int:
    """A file of zeros that has no name, and lies in memory where the system can do that: its descriptor."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("waybill-counts")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size_bytes)
    return descriptor
