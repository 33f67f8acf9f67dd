"""A thread that says which job blocks the loop, while it does.

A handler that calls what is not async keeps all others of its runner waiting, their time-outs too. From outside nobody
can tell which one it is; a thread beside the loop can: it looks at the task that the loop is stepping. The supervisor,
which is told, fails that job alone. Code that holds the GIL all the time is seen by nobody here; then all are late.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable

from lib.logs.log import Log
from lib.processes.pipe import Pipe
from lib.work.runner.lanes import Lanes
from lib.work.runner.leaving import end_group

LOOP_CHECK_S = 0.5
BLOCKED_S = 2.0  # The loop ticks once a second, and may be a second late.


class Watchdog:
    """lanes: of all queues of this runner, asked for at each look. tick: to be called by the loop, once a second."""

    def __init__(self, lanes: Callable[[], Iterable[Lanes]], pipe: Pipe, log: Log, lease_s: float) -> None:
        self._lease_s = lease_s
        self._supervisor = os.getppid()
        self._lanes = lanes
        self._pipe = pipe
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._ticked_s = time.monotonic()
        self._told: str | None = None
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def tick(self) -> None:
        self._ticked_s = time.monotonic()
        self._told = None

    def _run(self) -> None:
        while True:
            time.sleep(LOOP_CHECK_S)
            silent_s = time.monotonic() - self._ticked_s
            if silent_s > BLOCKED_S:
                self._look(silent_s)
            if silent_s > self._lease_s and os.getppid() != self._supervisor:
                # Its jobs were taken back when the lease ran out, and nobody is left to end it.
                self._log.error(
                    "runner.killed", f"Supervisor gone, and the loop is stuck for {silent_s:.0f} s: this ends"
                )
                self._log.close()
                end_group()

    def _look(self, silent_s: float) -> None:
        task = asyncio.current_task(self._loop)
        job_ids = (lanes.job_in(task) for lanes in self._lanes()) if task is not None else iter(())
        job_id = next(filter(None, job_ids), None)
        if job_id is None or job_id == self._told:
            return
        self._told = job_id
        self._pipe.send_beside_the_loop(**{"is": "blocked", "job": job_id})
        msg = f"Job blocks its runner: {job_id} | the others wait, for {silent_s:.1f} s so far, in {self._where()}"
        self._log.warning("runner.blocked", msg, job_id=job_id)

    def _where(self) -> str:
        """The line that the loop's thread is at."""
        frame = sys._current_frames().get(self._loop_thread)
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"
