"""Other job queues on the same machine, in between: what the folder given with --peers can run.

Its `peers.py NAME…` installs what it needs and prints a JSON object a line: {"peer", "what", "rate" or "value" …}.
Their Node programs then lie in the folder that PEERS_CACHE names, where `resting` finds those that it looks at.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure
from tests.bench.start import free_port
from tests.private_redis import PrivateRedis

NAMES = {
    "post": ["express", "fastify"],
    "work": ["bullmq", "bee"],
    "idle": ["bullmq_latency"],
}
UNITS = {"rate": "/s", "p50": "ms", "p99": "ms", "value": "bytes"}
STACK = ("express_bull.js", "bull_work.js")
NEVER = 10**9  # more jobs than come: the worker waits for ever


def run(folder: Path, names: Sequence[str]) -> Iterator[Figure]:
    """Keys are `<peer>.<what>.<rate|p50|p99|value>`."""
    command = [sys.executable, "peers.py", *names]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout
    for line in said.splitlines():
        if line.startswith("{"):
            yield from figures_in(json.loads(line))


def figures_in(said: dict[str, Any]) -> Iterator[Figure]:
    """One line of peers.py. `non2xx` stands there where a peer did not do what it was asked: then it has no figures."""
    if said.get("non2xx"):
        return
    for name, unit in UNITS.items():
        if (value := _number(str(said.get(name)))) is not None:
            yield Figure(f"{said['peer']}.{said['what']}.{name}", value, unit)


@contextmanager
def idle_stack() -> Iterator[list[int]]:
    """The pids of an Express + BullMQ server and of an idle BullMQ worker; none where they are not installed."""
    cache = Path(os.environ.get("PEERS_CACHE", Path.home() / ".cache" / "waybill-peers"))
    port = free_port()
    with ExitStack() as stack:
        if not (cache / "node_modules" / "bullmq").exists():
            yield []
            return
        options = ["--port", str(port), "--bind", "127.0.0.1"]
        redis = stack.enter_context(PrivateRedis(aof="everysec", options=options))
        environment = {**os.environ, "RPORT": str(port)}
        arguments = ([str(free_port()), str(redis.path.with_name("access.log"))], [str(NEVER), "20"])
        programs = [
            stack.enter_context(_node([name, *words], cache, environment))
            for name, words in zip(STACK, arguments, strict=True)
        ]
        yield [program.pid for program in programs]


@contextmanager
def _node(words: list[str], folder: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    quiet = subprocess.DEVNULL
    program = subprocess.Popen(["node", *words], cwd=folder, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def _number(text: str) -> float | None:
    """`5.24ms`, `640us`, `1.2s` in ms; a plain number as it is; None for what is no number."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|)", text)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "": 1.0}[found[2]] if found else None
