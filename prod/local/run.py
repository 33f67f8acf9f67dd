"""`make run`: Waybill on this machine until Ctrl-C, with the settings of the environment and the env files.

With RELOAD=1 server and worker are started again whenever code was edited: see reload.py.
"""

import http.client
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from lib.errors import ConfigError
from lib.settings import config, settings_table
from lib.settings.kinds import without_password
from prod.local import ROOT, LocalError, environments, redis_server
from prod.local.processes import Crew, Late, Stopped, free_port
from prod.local.reload import Reload

READY_S = 30.0
REDIS_S = 10.0
ASK_AGAIN_S = 1.0
DEFAULT_REDIS_URL = next(setting.default for setting in settings_table.SETTINGS if setting.name == "REDIS_URL")

CURL = """\
curl -sS {url}/api/jobs -H 'Content-Type: application/json' \\
    -d '{{"type": "email", "payload": {{"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}}}}'"""
WELCOME = """
Waybill runs: {url}   Ctrl-C stops it.
Send a mail ({mail}):

  {curl}
"""


def main(arguments: list[str]) -> int:
    """Sets up, starts all, and returns 0 after Ctrl-C or SIGTERM. Raises LocalError when something ended by itself."""
    python = environments.for_running()
    settings = _settings()
    try:
        with Crew(settings.shutdown_grace_s) as crew:
            _run(crew, python, settings, reloads="--reload" in arguments)
    except Stopped:
        print("Stopped: worker and server first, then what they need.")
    return 0


def _settings() -> config.Settings:
    try:
        return config.from_environment(ROOT)
    except ConfigError as error:
        raise LocalError(config.describe(error.faults).rstrip(), config.EXIT_CONFIG) from None


def _run(crew: Crew, python: Path, settings: config.Settings, *, reloads: bool) -> None:
    port = settings.port or free_port()
    _have_port(settings.host, port)
    redis_url = settings.redis_url
    # The default, written down or not, means: any Redis will do.
    if redis_url == DEFAULT_REDIS_URL:
        redis_url = redis_server.find_or_start(crew, ROOT / "var" / "redis")
    environment = {**config.child_environment(), "REDIS_URL": redis_url, "PORT": str(port)}

    def start() -> None:
        start_service(crew, python, environment)
        wait_ready(crew, settings.host, port, redis_url)

    reload = Reload(crew, start, environment.get("PYTHONPATH", "")) if reloads else None
    if reload is None:
        start()
    else:
        reload.start()
    mail = "it goes out by SMTP_URL" if settings.smtp_url else f"it lands in {settings.outbox_dir}"
    url = base_url(settings.host, port)
    print(WELCOME.format(url=url, mail=mail, curl=CURL.format(url=url)))
    if reload is None:
        crew.watch()
    else:
        reload.watch()


def start_service(crew: Crew, python: Path, environment: Mapping[str, str], console: Path | None = None) -> None:
    """server.py and one worker.py. `console`: a file for what they print, else they print here."""
    for name in ("server", "worker"):
        command = [str(python), f"{name}.py"]
        if console is None:
            crew.start(name, command, environment=environment, folder=ROOT)
            continue
        with console.open("ab") as file:
            crew.start(name, command, environment=environment, folder=ROOT, console=file)


def wait_ready(crew: Crew, host: str, port: int, redis_url: str) -> None:
    """Until the server has Redis and says so. Raises LocalError with what it lacks."""
    readiness = Readiness(host, port, redis_url)
    try:
        crew.until(readiness.is_there, READY_S, "")
    except Late:
        raise LocalError(readiness.complaint()) from None


class Readiness:
    """What /readyz says: asked at each look until somebody listens, then once a second, for each answer is logged."""

    def __init__(self, host: str, port: int, redis_url: str) -> None:
        self._host = host
        self._port = port
        self._redis = without_password(redis_url)
        self._ask_at_s = 0.0
        self._give_up_at_s = 0.0
        self._lacks = ""

    def is_there(self) -> bool:
        """Raises Late where Redis lets wait for it and does not even say that it is loading its files."""
        if time.monotonic() < self._ask_at_s:
            return False
        status, body = _answer(self._host, self._port, "/readyz")
        if status in (0, 200):
            return status == 200
        self._ask_at_s = time.monotonic() + ASK_AGAIN_S
        if not self._lacks:
            self._give_up_at_s = time.monotonic() + REDIS_S
            print(f"Waiting for Redis at {self._redis}; Ctrl-C ends it.")
        self._lacks = _detail(body) or f"/readyz is answered {status}"
        if time.monotonic() > self._give_up_at_s and "loading" not in self._lacks.lower():
            raise Late(self._lacks)
        return False

    def complaint(self) -> str:
        if self._lacks:
            return (
                f"Redis does not answer at {self._redis}: start it, or correct or unset REDIS_URL. "
                f"The server's words: {self._lacks}"
            )
        return f"The server did not listen at {base_url(self._host, self._port)} within {READY_S:g} s; see its log."


def _answer(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Status and body; 0 where nobody answers."""
    link = http.client.HTTPConnection(host, port, timeout=5)
    try:
        link.request("GET", path)
        response = link.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        link.close()


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, LookupError, TypeError):
        return ""


def base_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _have_port(host: str, port: int) -> None:
    """Asked before the start: else another Waybill on that port would answer /readyz in place of ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as fault:
        why = str(fault.strerror).partition(" (")[0]
        raise LocalError(f"Port {port} of {host} can't be listened on: {why}. Set PORT to another.") from None
