"""A worker.py whose runners are found in /proc and in Redis, as a test that kills them needs it."""

import contextlib
import json
import os
import signal
from typing import Any

import redis

from tests.processes import Worker, is_alive


class Runners(Worker):
    """Its log is not read for what it does: under load the log is long."""

    client: redis.Redis

    def wait_until_ready(self) -> None:
        self.until(self.is_ready, "every runner serves every queue")

    def is_ready(self) -> bool:
        """Every one of its runners serves its queues."""
        queues = [part.partition("=")[0] for part in str(self.settings["WORKER_QUEUES"]).split(",")]
        count = int(str(self.settings["WORKER_PROCESSES"]))
        pids = {str(pid) for pid in self.runner_pids()}
        return len(pids) >= count and all(pids <= self._pids_serving(queue) for queue in queues)

    def runner_pids(self) -> list[int]:
        """The runners that live, also those that a dead supervisor left."""
        return [pid for pid in processes_with(f"OUTBOX_DIR={self.settings['OUTBOX_DIR']}") if pid != self.pid]

    def kill_all(self) -> None:
        """The supervisor first, so that it sees nothing of its runners' end: the host is gone."""
        os.kill(self.pid, signal.SIGKILL)
        for pid in self.runner_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        if self.process is not None:
            self.kill()
            for pid in self.runner_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._folder.cleanup()

    def _pids_serving(self, queue: str) -> set[str]:
        workers: Any = self.client.hvals(f"wb:{{{queue}}}:workers")
        return {str(json.loads(about)["pid"]) for about in workers}


def processes_with(variable: str) -> list[int]:
    """Processes that were started with that NAME=value, and live."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  a Path for each process costs more than the look itself
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
                environment = file.read().split(b"\0")
        except OSError:
            continue
        if variable.encode() in environment and is_alive(int(name)):
            found.append(int(name))
    return sorted(found)
