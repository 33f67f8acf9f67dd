"""What of the peers peers.py does not measure: its Node programs, measured in the way in which Waybill is.

They lie where peers.py installed them: in ~/.cache/waybill-peers, or the folder that PEERS_CACHE names.
"""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import memory, resting, start
from tests.bench.figure import Figure
from tests.bench.peers import PeerFailed
from tests.private_redis import PrivateRedis, wait_until

NEVER = 10**9  # more jobs than come: the worker waits for ever
ADD = Path(__file__).resolve().with_name("bull_add.js")


def start_up(_folder: Path) -> Iterator[Figure]:
    """Express + BullMQ, until /api/health is 200."""
    with _redis() as (_, port):
        starts = [_start_ms(port) for _ in range(start.STARTS)]
    yield Figure("express.start", statistics.median(starts), "ms")


def waiting(_folder: Path) -> Iterator[Figure]:
    """BullMQ's memory for a waiting job with the payload that Waybill's have."""
    with _redis() as (redis, port):
        before = memory.used(redis)
        command = ["node", str(ADD), str(memory.WAITING), json.dumps(memory.PAYLOAD)]
        subprocess.run(command, cwd=cache(), env=_environment(port), check=True, timeout=60)
        yield Figure("bullmq.memory", (memory.used(redis) - before) / memory.WAITING, "bytes")


def at_rest(_folder: Path) -> Iterator[Figure]:
    """An Express + BullMQ server, and an idle BullMQ worker."""
    with _redis() as (redis, port), ExitStack() as stack:
        server = ["express_bull.js", str(http_port := start.free_port()), str(redis.path.with_name("access.log"))]
        programs = [stack.enter_context(_node(port, *words)) for words in (server, ["bull_work.js", str(NEVER), "20"])]
        wait_until(lambda: start.answers(http_port, "/api/health"), "Express answers")
        wait_until(lambda: "bzpopmin" in [one["cmd"] for one in redis.client.client_list()], "BullMQ waits for a job")
        time.sleep(resting.SETTLE_S)
        yield from resting.costs("express_and_worker", [program.pid for program in programs], resting.REST_S)
        if any(program.poll() is not None for program in programs):
            raise PeerFailed("Express + BullMQ ended while it was looked at")


def cache() -> Path:
    return Path(os.environ.get("PEERS_CACHE", Path.home() / ".cache" / "waybill-peers"))


def _start_ms(redis_port: int) -> float:
    port, began_s = start.free_port(), time.perf_counter()
    with _node(redis_port, "express_bull.js", str(port), os.devnull):
        wait_until(lambda: start.answers(port, "/api/health"), "Express answers", every_s=start.LOOK_S)
        return (time.perf_counter() - began_s) * 1000


@contextmanager
def _redis() -> Iterator[tuple[PrivateRedis, int]]:
    """As Waybill's, and its TCP port: the programs know no other way. Raises PeerFailed where they are not here."""
    if not (cache() / "node_modules" / "bullmq").exists():
        raise PeerFailed(f"BullMQ is not in {cache()}: peers.py installs it, as the measure `post` runs it")
    options = ["--port", str(port := start.free_port()), "--bind", "127.0.0.1"]
    with PrivateRedis(aof="everysec", options=options) as redis:
        yield redis, port


@contextmanager
def _node(redis_port: int, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    quiet = subprocess.DEVNULL
    program = subprocess.Popen(["node", *words], cwd=cache(), env=_environment(redis_port), stdout=quiet, stderr=quiet)
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def _environment(redis_port: int) -> dict[str, str]:
    # NODE_PATH: bull_add.js lies here, and what it needs there.
    return {**os.environ, "RPORT": str(redis_port), "NODE_PATH": str(cache() / "node_modules")}
