"""`make demo`: one mail's way, shown. A whole Waybill in a folder of its own, on free ports, gone at the end.

Every setting is at its default but the few below: no env file and no variable of the caller's may turn the demo's
mail into a real one.
"""

import http.client
import json
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from lib.settings import config, settings_table
from prod.local import LocalError, environments, redis_server
from prod.local.processes import Crew, free_port
from prod.local.run import READY_S, start_service, wait_ready

GRACE_S = 10
JOB = {"type": "email", "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}}
STARTED = re.compile(r'Server started: (http://[^\s"\\]+)')
TITLE = "\n=== {}\n"


def main(_arguments: list[str]) -> int:
    """Returns 0 when the mail was written and every log carries its request id. Raises LocalError otherwise."""
    python = environments.for_running()
    program = redis_server.binary_or_install()
    with tempfile.TemporaryDirectory(prefix="waybill-demo-") as name:
        folder = Path(name)
        try:
            _show(python, program, folder)
        except LocalError as error:
            raise LocalError(f"{_console(folder)}The demo failed: {error}", error.status) from None
    print("\nThe demo is over: all stopped, nothing left behind. `make run` starts Waybill to stay.")
    return 0


def _show(python: Path, program: str, folder: Path) -> None:
    request_id = f"demo-{secrets.token_hex(8)}"
    with Crew(GRACE_S) as crew:
        redis_url = redis_server.start(crew, program, folder / "redis", free_port(), lambda _line: None)
        start_service(crew, python, _environment(folder, redis_url), folder / "console.txt")
        url = _server_url(crew, folder, redis_url)
        print(f"Server, worker and Redis run in {folder}")
        job = _job_done(crew, url, request_id)
    _title("The mail")
    print(_mail(folder, request_id))
    _title(f"The log lines of {request_id}, job {job['id']}")
    # After the stop: by then every line has been written.
    for name in ("app", "worker"):
        _log_lines(folder / "logs" / f"{name}.log", request_id)


def _environment(folder: Path, redis_url: str) -> dict[str, str]:
    return {
        **config.child_environment(),
        **{setting.name: setting.default for setting in settings_table.SETTINGS},
        "REDIS_URL": redis_url,
        "PORT": "0",
        "LOG_DIR": str(folder / "logs"),
        "OUTBOX_DIR": str(folder / "outbox"),
        "SHUTDOWN_GRACE_S": str(GRACE_S),
    }


def _server_url(crew: Crew, folder: Path, redis_url: str) -> str:
    """The port that the server was given stands in its log."""
    found: list[str] = []

    def is_started() -> bool:
        found.extend(STARTED.findall(_text(folder / "logs" / "app.log")))
        return bool(found)

    crew.until(is_started, READY_S, "the server did not start")
    parts = urlsplit(found[0])
    wait_ready(crew, parts.hostname or "", parts.port or 80, redis_url)
    return found[0]


def _job_done(crew: Crew, url: str, request_id: str) -> dict[str, str]:
    _title("POST /api/jobs")
    accepted = _ask(crew, f"{url}/api/jobs", {"X-Request-ID": request_id, "Content-Type": "application/json"}, JOB)
    if "id" not in accepted:
        raise LocalError(f"the job was not accepted: {json.dumps(accepted)}")
    _title("GET /api/jobs/{id}?wait=30")
    job = _ask(crew, f"{url}/api/jobs/{accepted['id']}?wait=30", {})
    print(json.dumps(job, indent=2))
    if job.get("state") != "completed":
        raise LocalError(f"the job is {job.get('state')}, not completed")
    return job


def _ask(crew: Crew, url: str, headers: dict[str, str], body: object = None) -> dict[str, str]:
    """The JSON answer of one request, made by curl; where there is none, Python's http.client makes the same one."""
    text = None if body is None else json.dumps(body)
    words = ["curl", "-sS", url, *(word for header in headers.items() for word in ("-H", ": ".join(header)))]
    if text is not None:
        words += ["-d", text]
    has_curl = shutil.which("curl") is not None
    print(shlex.join(words) if has_curl else f"(No curl is installed here, so Python asks.) {shlex.join(words)}")
    answer = _curl(crew, words) if has_curl else _python(url, headers, text)
    try:
        read = json.loads(answer)
    except ValueError:
        raise LocalError(f"{url} answered what is not JSON: {answer[:200]!r}") from None
    return read if isinstance(read, dict) else {}


def _curl(crew: Crew, words: list[str]) -> str:
    with tempfile.TemporaryFile() as output:
        # The caller's proxy and .curlrc have no say in a request to this machine.
        command = [words[0], "-q", "--noproxy", "*", "--max-time", "60", *words[1:]]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output) as process:
            try:
                crew.until(lambda: process.poll() is not None, 70, "curl did not end")
            finally:
                process.kill()
        output.seek(0)
        return output.read().decode(errors="replace")


def _python(url: str, headers: dict[str, str], text: str | None) -> str:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        link.request("GET" if text is None else "POST", f"{parts.path}?{parts.query}".rstrip("?"), text, headers)
        return link.getresponse().read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as fault:
        raise LocalError(f"{url} can't be asked: {fault}") from None
    finally:
        link.close()


def _mail(folder: Path, request_id: str) -> str:
    for path in sorted((folder / "outbox").rglob("*.eml")):
        text = _text(path)
        if f"X-Request-ID: {request_id}" in text:
            return text.replace("\r\n", "\n").rstrip()
    raise LocalError("no mail in the outbox carries the request id")


def _log_lines(path: Path, request_id: str) -> None:
    lines = [line for line in _text(path).split("\n") if request_id in line]
    if not lines:
        raise LocalError(f"no line of {path.name} carries the request id")
    print(f"--- {path.name}", *lines, sep="\n")


def _text(path: Path) -> str:
    """What stands in the file, line ends as they are; nothing where there is none yet."""
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""


def _console(folder: Path) -> str:
    text = _text(folder / "console.txt").rstrip()
    return f"\nWhat server and worker said:\n{text}\n\n" if text else ""


def _title(text: str) -> None:
    print(TITLE.format(text))
