"""server.py and worker.py as real processes, each with settings, logs and an outbox of its own.

    with Worker(redis.url, WORKER_QUEUES="default=4") as worker, Server(redis.url) as server:
        server.request("POST", "/api/jobs", {"type": "noop", "payload": {}})
        worker.wait_for("job.finished")
        (runner_pid,) = worker.runner_pids()

A setting that the test does not name has its default, whatever the developer's environment and .env say. The output of
a process goes to a file, and a wait that fails shows its end.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lib.settings.settings_table import SETTINGS
from tests.private_redis import wait_until

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 20.0
JOB_MODULES = "tests.jobs_for_tests"


@contextlib.contextmanager
def hang_up_obeyed() -> Iterator[None]:
    """Programs that are started meanwhile obey SIGHUP, though the tests may run under nohup, which ignores it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class Program:
    """server.py or worker.py. `start` starts it, and `close` ends it, whatever state it is in.

    settings: by their names, as WORKER_QUEUES="default=4"."""

    script = ""
    log_name = ""
    root = ROOT
    """The folder of the release that is run."""

    def __init__(self, redis_url: str, **settings: object) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wb-program-")
        self.folder = Path(self._folder.name)
        self.outbox = self.folder / "outbox"
        defaults = {setting.name: setting.default for setting in SETTINGS}
        own = {"LOG_DIR": self.folder / "logs", "OUTBOX_DIR": self.outbox, "JOB_MODULES": JOB_MODULES}
        self.settings = {**defaults, **own, "REDIS_URL": redis_url, **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Any:
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()  # Python calls __exit__ only for a `with` that was entered.
            raise
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self.process is not None, "it was not started"
        return self.process.pid

    @property
    def environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if name not in self.settings}
        return {**others, **{name: str(value) for name, value in self.settings.items()}}

    def start(self) -> None:
        """Start the process, and wait for nothing."""
        self.spawn()

    def spawn(self, **options: Any) -> None:
        """options: of subprocess.Popen, beside those that every program needs."""
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(self.root / self.script)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                **options,
            )

    def wait_until_ready(self) -> None:
        raise NotImplementedError

    def wait_for(self, event: str, count: int = 1, *, within_s: float = LIMIT_S) -> list[dict[str, Any]]:
        """The log lines of `event`, as soon as there are `count` of them."""
        return list(
            self.until(lambda: len(lines := self.logged(event)) >= count and lines, f"{count} {event}", within_s)
        )

    def until(self, condition: Any, what: str, within_s: float = LIMIT_S) -> Any:
        """As wait_until; if it fails, the error shows the end of the process's output."""
        try:
            return wait_until(condition, what, within_s=within_s)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n--- {self.script} said:\n{self.said()[-6000:]}") from None

    def logged(self, event: str = "") -> list[dict[str, Any]]:
        """The log lines so far, of one event or all. With LOG_DIR="" they are read from the console, for which
        LOG_FORMAT must be "json"."""
        return [line for line in self._lines() if event in ("", line["event"])]

    def said(self) -> str:
        """The process's output so far."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, within_s: float = LIMIT_S) -> int:
        """The exit code, once the process has ended."""
        assert self.process is not None, "it was not started"
        code = self.until(lambda: self._code() is not None and [self._code()], f"{self.script} ends", within_s)
        return int(code[0])

    def stop(self, within_s: float = LIMIT_S) -> int:
        """Send SIGTERM and wait. Returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(within_s)

    def kill(self) -> None:
        """Send SIGKILL, to this process alone: the runners of a worker live on for a moment."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        self.kill()
        self._folder.cleanup()

    def _code(self) -> int | None:
        return self.process.poll() if self.process is not None else None

    def _lines(self) -> Iterator[dict[str, Any]]:
        path = Path(str(self.settings["LOG_DIR"])) / self.log_name if self.settings["LOG_DIR"] else self.folder / "said"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.split("\n")[:-1]:
            yield json.loads(line)


class Worker(Program):
    """worker.py: the supervisor and its runners. Ready when every runner serves every queue."""

    script = "worker.py"
    log_name = "worker.log"

    def wait_until_ready(self) -> None:
        queues = len(str(self.settings["WORKER_QUEUES"]).split(","))
        runners = int(str(self.settings["WORKER_PROCESSES"]))
        self.wait_for("worker.registered", queues * runners)
        # Runners start while their supervisor goes on: a runner may be at work before runner.started is logged.
        self.wait_for("runner.started", runners)

    def examined(self, *arguments: str) -> tuple[int, str]:
        """Run `worker.py --doctor`. Returns the exit code and the output."""
        command = [sys.executable, str(self.root / self.script), "--doctor", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        return done.returncode, done.stdout

    def runner_pids(self) -> list[int]:
        """The process ids of the runners that are alive, oldest first."""
        return [pid for pid in self._all_pids() if is_alive(pid)]

    def close(self) -> None:
        """Kill the supervisor, and every runner that is still alive, also a stopped one."""
        self.kill()
        for pid in self.runner_pids():
            with contextlib.suppress(ProcessLookupError):  # The runner has just ended by itself.
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.runner_pids(), "the runners have ended")
        self._folder.cleanup()

    def _all_pids(self) -> list[int]:
        return [int(line["pid"]) for line in self.logged("runner.started")]


class Server(Program):
    """server.py on a free port. Ready when /readyz says so."""

    script = "server.py"
    log_name = "app.log"

    def __init__(self, redis_url: str, **settings: object) -> None:
        super().__init__(redis_url, **{"PORT": 0, **settings})

    @property
    def url(self) -> str:
        """The address at which the server listens, as "http://127.0.0.1:40123"; waits until it listens."""
        (line, *_) = self.wait_for("server.started")
        return str(line["msg"]).split()[-1]

    def wait_until_ready(self) -> None:
        self.until(lambda: self.request("GET", "/readyz")[0] == 200, "/readyz is 200")

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """One request on a connection of its own. Returns the status, the body (parsed if it is JSON, else bytes), and
        the header fields by their names in small letters.

        body: bytes are sent as they are, anything else as JSON. headers: `x_request_id="a"` is sent as x-request-id.
        """
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if raw is not None:
            fields.setdefault("content-type", "application/json")
        parts = urlsplit(self.url)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
        try:
            link.request(method, path, raw, fields)
            reply = link.getresponse()
            return reply.status, _json(reply.read()), {name.lower(): value for name, value in reply.getheaders()}
        finally:
            link.close()


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs. A process that has ended, and for which its parent has not waited yet, does
    not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()  # Without /proc (macOS) the signal above has decided.


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw
