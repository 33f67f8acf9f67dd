"""A Redis that may lose jobs by its very settings: said at the server's start, in /api/health and by --doctor.

"Too old" is a real Redis whose version a proxy tells as an older one.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tests.faults.row import Row
from tests.faults.site import JOB_MODULES, Site
from tests.processes import ROOT, Server
from tests.proxy import Proxy

LIMIT_S = 30


class Case(NamedTuple):
    """says: the words that each of the three warnings has to hold; none where nothing is wrong."""

    title: str
    options: tuple[str, ...]
    aof: bool
    is_old: bool
    says: tuple[str, ...]


CASES = (
    Case("as it should be", (), True, False, ()),
    Case(
        "maxmemory-policy allkeys-lru",
        ("--maxmemory-policy", "allkeys-lru"),
        True,
        False,
        ("allkeys-lru", "noeviction"),
    ),
    Case("appendonly no", (), False, False, ("append", "appendonly yes")),
    Case("Redis 6.2", (), True, True, ("6.2", "7.0")),
)


def run(*, is_quick: bool) -> Iterator[Row]:
    for case in CASES:
        row = Row(f"settings of Redis: {case.title}", runs=3)
        with Site(aof="always" if case.aof else "no", options=case.options) as site, Proxy(site.url) as proxy:
            if case.is_old:
                proxy.rewrite = _aged
            _look(row, site, proxy.url, case)
        yield row


def _aged(reply: bytes) -> bytes:
    """INFO as an old server would give it: 6.2 for every version in it. (Valkey tells its own, and that of the Redis
    that it stands for.)"""
    return re.sub(rb"(?m)^((?:redis|valkey)_version:)([0-9.]+)", lambda said: said[1] + _older(said[2]), reply)


def _older(version: bytes) -> bytes:
    """As many bytes as before: the reply tells its length in front."""
    return (b"6.2" + version[3:])[: len(version)].ljust(len(version), b"0")


def _look(row: Row, site: Site, url: str, case: Case) -> None:
    server = site.server(url=url)
    worker = site.worker(url=url, LOG_LEVEL="INFO")
    worker.wait_for("redis.found")
    at_start, at_workers = ([str(line["msg"]) for line in one.logged("redis.warned")] for one in (server, worker))
    warnings = server.request("GET", "/api/health")[1]["warnings"]
    health = [f"{one['text']}; {one['what_to_do']}" for one in warnings]
    code, printed = _doctor(url, server)
    wrong = [line for line in printed if line.startswith("WRONG") and "Redis" in line]
    places = (
        ("at the start", at_start),
        ("at the worker's start", at_workers),
        ("/api/health", health),
        ("--doctor", wrong),
    )
    for place, lines in places:
        found = [line for line in lines if all(word in line for word in case.says)]
        if case.says:
            row.demand(found, f"{place} says nothing of it: {lines}")
        else:
            row.demand(not lines, f"{place} warns of what is well: {lines}")
    row.demand(code == 1 or not case.says, f"--doctor ended with {code}")
    site.put(10, "work")
    site.until_completed(site.accepted)
    site.judge(row)
    row.demand(not worker.logged("consumer.failed"), "a consumer fell over")
    row.note = f"{len(at_start)} + {len(health)} + {len(wrong)} warnings"


def _doctor(url: str, server: Server) -> tuple[int, list[str]]:
    settings = {name: str(value) for name, value in server.settings.items()}
    ended = subprocess.run(
        [sys.executable, str(ROOT / "worker.py"), "--doctor"],
        env={**os.environ, **settings, "REDIS_URL": url, "JOB_MODULES": JOB_MODULES},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return ended.returncode, ended.stdout.splitlines()
