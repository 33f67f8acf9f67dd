"""Clients that generators make from openapi.yaml, each used as its users would use it.

Each generator writes a client into a folder of its own; what checks types or compiles is run over it, and over a
program that lies in programs/ and is written in that client's words. The program does the same in every language, at a
real server and worker, and prints what it saw as one JSON object, which must be `SEEN`.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests import contract
from tests.clients import install
from tests.private_redis import PrivateRedis
from tests.processes import ROOT, Server, Worker

CONTRACT = ROOT / "openapi.yaml"
PROGRAMS = Path(__file__).resolve().parent / "programs"
CLIENTS = install.INSTALLED / "generated"
LIMIT_S = 600.0
NODE_PACKAGES = (
    "typescript@5",
    "@types/node@20",
    "openapi-typescript@7",
    "openapi-fetch@0.17",
    "orval@7.13",
    "axios@1.12",
    "@hey-api/openapi-ts@0.95",
)
TSC = (
    *("--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--types", "node"),
    *("--module", "commonjs", "--moduleResolution", "node10", "--outDir", "built"),
)
JOBS = "lib.handlers.email,tests.clients.jobs"

OF_TOMORROW = {
    "type": "/problems/of-tomorrow",
    "title": "A problem that this contract does not have",
    "status": 409,
    "detail": "It came with a later version.",
    "request_id": "r-1",
    "of_tomorrow": {"as": "well"},
}
SEEN = {
    "mail": "completed",
    "own": ["created", "duplicate", "the same job", "completed", 4711],
    "batch": [202, 202, 422, "/payload/number"],
    "again": ["replayed", "the same job"],
    "dead": ["dead", "ValueError", "KeyError"],
    "pages": 2,
    "problem": [422, "/problems/invalid-fields", "/payload/subject"],
    "unknown": [409, "/problems/of-tomorrow"],
}
"""What each program prints. It

mail     queues a mail with an Idempotency-Key and waits for it (?wait=): its state;
own      queues a `ship` with delay_s and unique, twice: both outcomes, whether the second is the first, its state and
         the number in its result when that was waited for;
batch    queues a mail, a ship of no order and a ship without a number, each with an idempotency_key: each one's status,
         and the pointer of the first error of the last;
again    queues the same batch again: the outcome of its second, and whether it is the same job;
dead     waits for the ship of no order: its state, its error and what that came from;
pages    pages through the queue `orders` with limit=1: how many jobs there are;
problem  queues a mail without a subject: status, type and the first pointer of the problem;
unknown  reads a job from a server that answers with OF_TOMORROW: status and type of that problem.
"""


class Unfit(Exception):
    """A client that can't be made, compiled or used. Its text is the end of what was said."""


def run() -> list[str]:
    """Every generator, one after the other, a line for each."""
    return [fault for check in GENERATORS.values() for fault in check()]


def openapi_python_client() -> list[str]:
    def use() -> dict[str, Any]:
        python = install.python_with("openapi-python-client==0.29.1", "mypy")
        folder = _fresh("openapi_python_client", "openapi_python_client.py")
        # It formats what it has written with the ruff that it finds in PATH.
        path = f"{python.parent}:{os.environ['PATH']}"
        words = ("generate", "--path", CONTRACT, "--output-path", "client", "--meta", "none")
        said = _said(python.parent / "openapi-python-client", *words, cwd=folder, PATH=path)
        if "Warning" in said and re.findall(
            r"ERROR|Unable to|nsupported content.type (?!application/(?:x-ndjson|yaml))", said
        ):
            raise Unfit(f"it leaves out more than NDJSON and the contract itself: {said}")
        return _python_program(python, folder)

    return _judged("openapi-python-client", use)


def openapi_generator_python() -> list[str]:
    def use() -> dict[str, Any]:
        python = _openapi_generator()
        folder = _fresh("openapi_generator", "openapi_generator.py")
        _generate(python, "python", folder)
        return _python_program(python, folder)

    return _judged("openapi-generator python", use)


def openapi_generator_typescript() -> list[str]:
    def use(folder: Path) -> None:
        _generate(_openapi_generator(), "typescript-fetch", folder / "client")

    return _typescript("openapi-generator typescript-fetch", "typescript_fetch", use)


def openapi_generator_java() -> list[str]:
    """Its Jackson is the one in the generator's own jar, so that no Maven repository is needed."""

    def use() -> dict[str, Any]:
        if not shutil.which("javac"):
            raise Unfit("there is no javac here")
        python = _openapi_generator()
        folder = _fresh("java", "Use.java", "Generated.java")
        _generate(python, "java", folder / "client", "--library", "native", "-p", "openApiNullable=false")
        (jar,) = python.parents[1].rglob("openapi-generator.jar")
        sources = [*(folder / "client" / "src" / "main" / "java").rglob("*.java"), *folder.glob("*.java")]
        _said("javac", "-nowarn", "-cp", jar, "-d", folder / "built", *sources, cwd=folder)
        return _seen("java", "-cp", f"{folder / 'built'}:{jar}", "Use", cwd=folder)

    return _judged("openapi-generator java", use)


def openapi_generator_go() -> list[str]:
    """Compiled where there is a Go compiler. The models are read: each field of what is sent and shown is there."""

    def use() -> dict[str, Any]:
        folder = _fresh("go")
        _generate(_openapi_generator(), "go", folder)
        if shutil.which("go"):
            _said("go", "build", "./...", cwd=folder)
        for name, schema in (("new_job", "NewJob"), ("batch_job", "BatchJob"), ("job", "Job"), ("problem", "Problem")):
            text = (folder / f"model_{name}.go").read_text(encoding="utf-8")
            wanted = sorted(contract.load().schema(schema)["properties"])
            if sorted(re.findall(r'^\t\w+ .*`json:"(\w+)', text, re.MULTILINE)) != wanted:
                raise Unfit(f"{schema} has not the fields {wanted}: {text[:2000]}")
        return SEEN

    return _judged("openapi-generator go" + ("" if shutil.which("go") else " (read)"), use)


def datamodel_code_generator() -> list[str]:
    def use() -> dict[str, Any]:
        python = install.python_with("datamodel-code-generator==0.89.0", "mypy")
        folder = _fresh("datamodel", "datamodel.py")
        kind = ("--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel", "--use-annotated")
        words = (*kind, "--formatters", "builtin", "--input", CONTRACT, "--output", "client.py")
        _said(python.parent / "datamodel-codegen", *words, cwd=folder)
        return _python_program(python, folder)

    return _judged("datamodel-code-generator", use)


def openapi_typescript() -> list[str]:
    def use(folder: Path) -> None:
        _said(*_bin(folder, "openapi-typescript"), CONTRACT, "-o", "client.d.ts", cwd=folder)

    return _typescript("openapi-typescript, openapi-fetch", "openapi_fetch", use)


def orval() -> list[str]:
    def use(folder: Path) -> None:
        _said(*_bin(folder, "orval"), "--input", CONTRACT, "--output", "client.ts", cwd=folder)

    return _typescript("orval", "orval", use)


def hey_api() -> list[str]:
    def use(folder: Path) -> None:
        _said(*_bin(folder, "openapi-ts"), "-i", CONTRACT, "-o", "client", cwd=folder)

    return _typescript("@hey-api/openapi-ts", "hey_api", use)


GENERATORS: dict[str, Callable[[], list[str]]] = {
    "openapi-python-client": openapi_python_client,
    "openapi-generator-python": openapi_generator_python,
    "openapi-generator-typescript-fetch": openapi_generator_typescript,
    "openapi-generator-java": openapi_generator_java,
    "openapi-generator-go": openapi_generator_go,
    "datamodel-code-generator": datamodel_code_generator,
    "openapi-typescript": openapi_typescript,
    "orval": orval,
    "hey-api": hey_api,
}


def _judged(name: str, use: Callable[[], dict[str, Any]]) -> list[str]:
    """What of SEEN the client did not see; a line is printed."""
    try:
        seen = use()
    except Unfit as fault:
        print(f"{name:40} no")
        return [f"{name}: {fault}"]
    faults = [
        f"{name}: {what} is {seen.get(what)}, not {wanted}" for what, wanted in SEEN.items() if seen.get(what) != wanted
    ]
    print(f"{name:40} {'no' if faults else 'yes'}")
    return faults


def _typescript(name: str, program: str, generate: Callable[[Path], None]) -> list[str]:
    def use() -> dict[str, Any]:
        node = install.node_folder("generators", *NODE_PACKAGES)
        if node is None:
            raise Unfit("there is no Node here")
        # Node and tsc look for packages beside a script, and upwards.
        folder = _fresh(program, f"{program}.ts", "story.ts", at=node)
        generate(folder)
        _said(*_bin(folder, "tsc"), *TSC, f"{program}.ts", cwd=folder)
        return _seen("node", f"built/{program}.js", cwd=folder)

    return _judged(name, use)


def _bin(folder: Path, name: str) -> tuple[str, Path]:
    return "node", (folder.parent / "node_modules" / ".bin" / name).resolve()


def _python_program(python: Path, folder: Path) -> dict[str, Any]:
    """The only program in the folder: its types judged, and run."""
    (name,) = (path.name for path in PROGRAMS.glob("*.py") if (folder / path.name).exists())
    _said(python, "-m", "mypy", "--strict", "--follow-imports=silent", name, cwd=folder)
    return _seen(python, name, cwd=folder)


def _openapi_generator() -> Path:
    needs = ("urllib3>=2.7", "python-dateutil", "pydantic>=2.11", "typing-extensions")
    return install.python_with("openapi-generator-cli==7.26.0", "mypy", *needs)


def _generate(python: Path, language: str, folder: Path, *words: str) -> None:
    _said(python.parent / "openapi-generator-cli", "generate", "-i", CONTRACT, "-g", language, "-o", folder, *words)


def _fresh(name: str, *programs: str, at: Path = CLIENTS) -> Path:
    """An empty folder of that name, with these of programs/ in it."""
    folder = at / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for program in programs:
        shutil.copy(PROGRAMS / program, folder)
    return folder


def _seen(*words: str | Path, cwd: Path) -> dict[str, Any]:
    """What a program prints that is run beside its own Waybill."""
    with _services() as urls:
        (line,) = (line for line in _said(*words, *urls, cwd=cwd).splitlines() if line.startswith("{"))
    return dict(json.loads(line))


def _said(*words: str | Path, cwd: Path = CLIENTS, **environment: str) -> str:
    """Raises Unfit where the program fails."""
    env = {**os.environ, **environment}
    done = subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    said = done.stdout + done.stderr
    if done.returncode:
        raise Unfit(f"{Path(words[0]).name} {words[1]}: exit {done.returncode}: {said[-3000:]}")
    return said


@contextlib.contextmanager
def _services() -> Iterator[tuple[str, str]]:
    """Where a Waybill listens that runs mails and the jobs of jobs.py, and where a server that answers OF_TOMORROW."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(PrivateRedis())
        server = stack.enter_context(Server(redis.url, JOB_MODULES=JOBS))
        stack.enter_context(Worker(redis.url, JOB_MODULES=JOBS, WORKER_QUEUES="email=2,orders=2"))
        yield server.url, stack.enter_context(_of_tomorrow())


@contextlib.contextmanager
def _of_tomorrow() -> Iterator[str]:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(OF_TOMORROW).encode()
            self.send_response(409)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nothing: the table alone is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.server_port}"
        finally:
            listener.shutdown()
