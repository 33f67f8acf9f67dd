"""A thread that finds the job by which the loop is blocked.

A coroutine that calls `time.sleep(60)` keeps every other job of its runner waiting, and their timeouts too. From
outside the process nobody can tell which job is to blame. A thread beside the loop can: it asks asyncio for the loop's
current task, and looks up the job of that task. The supervisor is told the job's id, and fails that job alone. Code
that holds the GIL stops this thread as well; then the supervisor sees a stuck runner, and nothing of its jobs.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable

from lib.logs.log import Log
from lib.processes.pipe import Pipe
from lib.work.runner.active_jobs import ActiveJobs
from lib.work.runner.runner_exit import kill_group

CHECK_EVERY_S = 0.5
BLOCKED_S = 2.0
"""A loop that has not called `tick` for as long is blocked. (It calls once a second, and may be a second late.)"""


class Watchdog:
    """jobs: called at each check, for the jobs of every queue of this runner."""

    def __init__(self, jobs: Callable[[], Iterable[ActiveJobs]], pipe: Pipe, log: Log, lease_s: float) -> None:
        self._lease_s = lease_s
        self._supervisor_pid = os.getppid()
        self._jobs = jobs
        self._pipe = pipe
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._ticked_s = time.monotonic()
        self._reported: str | None = None
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def tick(self) -> None:
        """To be called on the loop once a second."""
        self._ticked_s = time.monotonic()
        self._reported = None

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_EVERY_S)
            silent_s = time.monotonic() - self._ticked_s
            if silent_s > BLOCKED_S:
                self._report_blocking_job(silent_s)
            if silent_s > self._lease_s and os.getppid() != self._supervisor_pid:
                # The lease ran out, so other runners have its jobs; and the supervisor that would kill it is gone.
                self._log.error(
                    "runner.killed", f"Supervisor gone, and the loop is stuck for {silent_s:.0f} s: this ends"
                )
                self._log.close()
                kill_group()

    def _report_blocking_job(self, silent_s: float) -> None:
        task = asyncio.current_task(self._loop)
        job_ids = (jobs.job_in(task) for jobs in self._jobs()) if task is not None else iter(())
        job_id = next(filter(None, job_ids), None)
        if job_id is None or job_id == self._reported:
            return
        self._reported = job_id
        self._pipe.send_beside_the_loop(**{"is": "blocked", "job": job_id})
        msg = f"Job blocks its runner: {job_id} | the others wait, for {silent_s:.1f} s so far, in {self._where()}"
        self._log.warning("runner.blocked", msg, job_id=job_id)

    def _where(self) -> str:
        """The file and line that the loop's thread executes."""
        frame = sys._current_frames().get(self._loop_thread)
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"
