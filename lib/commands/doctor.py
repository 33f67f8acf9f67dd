"""`python worker.py --doctor`: is everything that Waybill leans on as it should be? A line each, and what to do.

`--check` reads every job as well and says whether each is in exactly one place. Nothing is changed.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from inspect import isawaitable
from pathlib import Path
from typing import Any, NamedTuple

from lib.commands import audit
from lib.errors import RedisUnavailable
from lib.jobs import registry
from lib.jobs.failure import summary
from lib.jobs.module import unreachable
from lib.queue.keys import RedisKeys
from lib.queue.queue_store import QueueStore
from lib.redis_link import redis_info
from lib.redis_link.link import CALL_TIMEOUT_S, RedisLink, open_link
from lib.settings import api_keys
from lib.settings.config import Settings
from lib.settings.kinds import is_loopback, without_password

SLOW_MS = 5.0
CLOCKS_APART_MS = 1000
_KILL_TIMEOUT = re.compile(r"KILL_TIMEOUT_MS = ([0-9_]+)")
_STOP_SEC = re.compile(r"^TimeoutStopSec=([0-9]+)s?$", re.MULTILINE)


class Finding(NamedTuple):
    """One line: is it as it should be, what was looked at, and what to do where it is not."""

    is_well: bool
    text: str


async def examine(settings: Settings, root: Path, *, is_thorough: bool) -> AsyncIterator[Finding]:
    """Every finding, as it is made. is_thorough: look at every job, too."""
    link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
    try:
        async for finding in _redis(link, settings):
            yield finding
        async for finding in _served(link, settings):
            yield finding
        if is_thorough:
            async for finding in _jobs(link, settings):
                yield finding
    except RedisUnavailable as fault:
        yield Finding(False, f"Redis: {without_password(settings.redis_url)}: {fault.detail}; see REDIS_URL")
    finally:
        await link.close()
    yield _log_folder(settings.log_dir)
    for finding in _keys(settings):
        yield finding
    for finding in (*_stop_times(settings, root), *_hidden()):
        yield finding
    async for finding in _modules(settings):
        yield finding


async def _redis(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    state = await redis_info.inspect(link)
    yield Finding(True, f"{state.name} {state.version} answers at {without_password(settings.redis_url)}")
    for warning in state.warnings:
        yield Finding(False, f"Redis: {warning}")
    is_slow = state.latency_ms > SLOW_MS
    advice = "; put it nearer, or look at its SLOWLOG" if is_slow else ""
    yield Finding(not is_slow, f"Redis: a round trip takes {state.latency_ms} ms{advice}")
    apart_ms = abs(await QueueStore(link, RedisKeys(settings.key_prefix)).now_ms() - time.time_ns() // 1_000_000)
    are_apart = apart_ms > CLOCKS_APART_MS
    advice = "; run NTP on both hosts, or run_at will seem to be off" if are_apart else ""
    yield Finding(not are_apart, f"Clocks: this host and Redis are {apart_ms} ms apart{advice}")


async def _served(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    """Whether somebody runs what waits."""
    types = registry.load(settings.job_modules, settings)
    queues = QueueStore(link, RedisKeys(settings.key_prefix), lease_s=settings.lease_s)
    unserved = await queues.unserved(types.queues)
    for sentence in unserved:
        yield Finding(False, f"Queues: {sentence}")
    if not unserved:
        yield Finding(True, "Queues: what waits has a worker")


async def _jobs(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    faults = await audit.faults(link, RedisKeys(settings.key_prefix), settings.worker_queues)
    for fault in faults:
        yield Finding(False, f"Jobs: {fault}")
    if not faults:
        yield Finding(True, "Jobs: each is in exactly one place")


def _keys(settings: Settings) -> Iterable[Finding]:
    faults = api_keys.ageing(settings.api_keys, time.time())
    for fault in faults:
        yield Finding(False, f"Keys: {fault}")
    if not faults:
        count = len(settings.api_keys)
        anyone = (
            "anyone on this host" if is_loopback(settings.host) else f"a server takes some to listen on {settings.host}"
        )
        yield Finding(True, f"Keys: {count}, none of which ends soon" if count else f"Keys: none; {anyone}")


def _log_folder(folder: Path | None) -> Finding:
    if folder is None:
        return Finding(True, "Logs: LOG_DIR is empty, so they go to the console alone")
    probe = folder / ".doctor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as fault:
        return Finding(False, f"Logs: {folder} can't be written: {fault.strerror}; see LOG_DIR and whose it is")
    return Finding(True, f"Logs: {folder} can be written")


def _stop_times(settings: Settings, root: Path) -> Iterable[Finding]:
    """PM2 and systemd must not kill what SHUTDOWN_GRACE_S and UNWIND_S still let run."""
    needed_s = settings.shutdown_grace_s + settings.unwind_s
    pm2 = root / "prod" / "ecosystem.config.js"
    for path, pattern, unit_s in (
        (pm2, _KILL_TIMEOUT, 0.001),
        (root / "prod" / "systemd" / "waybill-server.service", _STOP_SEC, 1.0),
        (root / "prod" / "systemd" / "waybill-worker.service", _STOP_SEC, 1.0),
    ):
        if not path.is_file():
            continue
        for text in pattern.findall(path.read_text(encoding="utf-8")):
            stop_s = int(text.replace("_", "")) * unit_s
            is_well = stop_s > needed_s
            advice = "" if is_well else "; make it longer, or jobs are killed before they have had their time"
            yield Finding(
                is_well,
                f"{path.name}: stops after {stop_s:g} s, SHUTDOWN_GRACE_S and UNWIND_S are {needed_s:g}{advice}",
            )


def _hidden() -> Iterable[Finding]:
    for sentence in unreachable():
        yield Finding(False, f"Modules: {sentence}")


async def _modules(settings: Settings) -> AsyncIterator[Finding]:
    """What the job modules say of themselves: a module may have a `doctor(settings)`, see registry.checks_of."""
    for name, check in registry.checks_of(settings.job_modules):
        yield await _asked(name, check, settings)


async def _asked(name: str, check: Callable[[Settings], Any], settings: Settings) -> Finding:
    try:
        said = check(settings)
        return Finding(True, str(await said if isawaitable(said) else said))
    except BaseException as fault:  # noqa: BLE001  A module's own check may end in any way, and that is the finding.
        return Finding(False, f"{name}: {summary(fault)}")
