"""The Redis server itself: clock, name and version, time of a round trip, and settings under which jobs can be lost."""

import time
from typing import NamedTuple

from lib.logs.log import Log
from lib.redis_link.link import RedisLink
from lib.settings.kinds import without_password
from lib.warning_codes import HealthWarning

OLDEST_VERSION = (7, 0)


class ServerState(NamedTuple):
    """`name` is "Redis" or "Valkey"; `warnings` tells of each setting under which jobs can be lost."""

    name: str
    version: str
    latency_ms: float
    warnings: list[HealthWarning]


def log_found(url: str, state: ServerState, log: Log) -> None:
    """Log `redis.found` once Redis answers, and `redis.warned` for each of `state.warnings`."""
    log.info(
        "redis.found",
        f"Database connected: {without_password(url)} ({state.name} {state.version}, {state.latency_ms} ms)",
    )
    for warning in state.warnings:
        log.warning("redis.warned", warning.sentence)


async def ping(link: RedisLink) -> None:
    """Raises RedisUnavailable."""
    await link.call("PING")


async def now_ms(link: RedisLink) -> int:
    """Redis' clock, in ms since 1970. All times in Waybill's keys are of that clock. Raises RedisUnavailable."""
    seconds, micros = await link.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


async def inspect(link: RedisLink) -> ServerState:
    """Ask the server about itself; `latency_ms` is the time of one round trip. Raises RedisUnavailable."""
    await link.call("PING")  # The first call may connect, which is no part of a round trip.
    began_s = time.perf_counter()
    await link.call("PING")
    latency_ms = (time.perf_counter() - began_s) * 1000
    info = fields_of(await link.call("INFO", "everything"))
    name, version = product(info)
    return ServerState(name, version, round(latency_ms, 2), _warnings(info, name, version))


def fields_of(text: bytes | str) -> dict[str, str]:
    """INFO's reply as a dict: `# Server CRLF redis_version:7.0.15 CRLF` -> {"redis_version": "7.0.15"}."""
    lines = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def is_cluster_node(info: dict[str, str]) -> bool:
    """True if the server whose INFO this is is a node of a Cluster."""
    return "cluster" in (
        info.get("redis_mode"),
        info.get("server_mode"),
    )  # server_mode: Valkey's name for it.


def product(info: dict[str, str]) -> tuple[str, str]:
    """Name and version: ("Redis", "7.0.15").

    WHY valkey_version first: Valkey gives as redis_version the version of Redis that it is compatible with.
    """
    if "valkey_version" in info:
        return "Valkey", info["valkey_version"]
    return "Redis", info.get("redis_version", "unknown")


def _warnings(info: dict[str, str], name: str, version: str) -> list[HealthWarning]:
    found = []
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if numbers and tuple(numbers) < OLDEST_VERSION:
        text = f"{name} {version} is older than 7.0, which Waybill's scripts ask for"
        found.append(HealthWarning("redis_too_old", text))
    if info.get("aof_enabled") == "0":
        found.append(HealthWarning("redis_not_durable", "appendonly is off: a restart of Redis loses jobs"))
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(HealthWarning("redis_evicts", f"maxmemory-policy is {policy}: Redis may throw jobs away"))
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("aof_last_bgrewrite_status", "ok") != "ok":
        found.append(HealthWarning("redis_write_failed", "the last write to the append-only file failed"))
    return found
