"""`python worker.py --doctor`: checks everything that Waybill depends on, a line for each finding.

    ok     Redis 7.0.15 answers at redis://127.0.0.1:6379/0
    WRONG  Redis: appendonly is off: a restart of Redis loses jobs; set appendonly yes (prod/redis.conf)

With `--check` every job is read as well, and must be in exactly one place (audit.py). Nothing is changed.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from inspect import isawaitable
from pathlib import Path
from typing import Any, NamedTuple

from lib.commands import audit, orphans
from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.jobs import registry, zones
from lib.jobs.failure import summary
from lib.jobs.module import unreachable
from lib.memory import MIB, rss_bytes
from lib.queue.fleet import Fleet, mixed_warning, version_text, versions_of
from lib.queue.keys import RedisKeys
from lib.queue.late_schedules import LateSchedules
from lib.queue.queue_names import all_names, in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.schedule_store import ScheduleStore
from lib.redis_link import redis_info
from lib.redis_link.link import CALL_TIMEOUT_S, RedisLink, open_link
from lib.settings import api_keys, otel
from lib.settings.config import Settings
from lib.settings.kinds import is_loopback, without_password

SLOW_MS = 5.0
CLOCKS_APART_MS = 1000
_KILL_TIMEOUT = re.compile(r"KILL_TIMEOUT_MS = ([0-9_]+)")
_STOP_SEC = re.compile(r"^TimeoutStopSec=([0-9]+)s?$", re.MULTILINE)


class Finding(NamedTuple):
    """One line of the doctor's. text: what was checked, and if `is_well` is False what to do about it."""

    is_well: bool
    text: str


async def examine(settings: Settings, root: Path, *, is_thorough: bool) -> AsyncIterator[Finding]:
    """Every finding, as soon as it is known. is_thorough: read every job, too."""
    link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
    try:
        async for finding in _check_redis(link, settings):
            yield finding
        yield await _check_versions(link, settings)
        async for finding in _check_served(link, settings):
            yield finding
        async for finding in _check_schedules(link, settings):
            yield finding
        async for finding in _check_orphans(link, settings):
            yield finding
        if is_thorough:
            async for finding in _check_jobs(link, settings):
                yield finding
    except RedisUnavailable as fault:
        yield Finding(False, f"Redis: {without_password(settings.redis_url)}: {fault.detail}; see REDIS_URL")
    finally:
        await link.close()
    if found := await _check_collector(settings):
        yield found
    yield _check_log_folder(settings.log_dir)
    for finding in _check_keys(settings):
        yield finding
    for finding in (*_check_stop_times(settings, root), *_check_hidden()):
        yield finding
    async for finding in _check_modules(settings):
        yield finding
    yield _check_runner_limits(settings)


async def _check_redis(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    state = await redis_info.inspect(link)
    yield Finding(True, f"{state.name} {state.version} answers at {without_password(settings.redis_url)}")
    for warning in state.warnings:
        yield Finding(False, f"Redis: {warning.sentence}")
    is_slow = state.latency_ms > SLOW_MS
    advice = "; put it nearer, or look at its SLOWLOG" if is_slow else ""
    yield Finding(not is_slow, f"Redis: a round trip takes {state.latency_ms} ms{advice}")
    apart_ms = abs(await redis_info.now_ms(link) - time.time_ns() // 1_000_000)
    are_apart = apart_ms > CLOCKS_APART_MS
    advice = "; run NTP on both hosts, or run_at will seem to be off" if are_apart else ""
    yield Finding(not are_apart, f"Clocks: this host and Redis are {apart_ms} ms apart{advice}")


async def _check_versions(link: RedisLink, settings: Settings) -> Finding:
    """Are all programs that use this Redis of one version?"""
    try:
        versions = versions_of(await Fleet(link, RedisKeys(settings.key_prefix)).programs())
    except RedisKeysBroken as fault:
        return Finding(False, f"Versions: {fault.detail}")
    if warning := mixed_warning(versions):
        return Finding(False, f"Versions: {warning.sentence}")
    return Finding(True, f"Versions: {version_text(versions[0].version)} alone" if versions else "Versions: none runs")


async def _check_served(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    """Is there a runner for every queue in which jobs wait?"""
    types = registry.load(settings.job_modules, settings)
    queues = QueueStore(link, RedisKeys(settings.key_prefix), lease_s=settings.lease_s)
    unserved = await queues.unserved(types.queues)
    for warning in unserved:
        yield Finding(False, f"Queues: {warning.sentence}")
    if not unserved:
        yield Finding(True, "Queues: what waits has a worker")


async def _check_orphans(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    """Does code still declare each schedule that code has written, and define the types of all their jobs?"""
    types, keys = registry.load(settings.job_modules, settings), RedisKeys(settings.key_prefix)
    declared = {one.name for one in types.schedules}
    try:
        found = await orphans.find_orphans(link, keys, declared)
        unknown = await orphans.find_unknown_types(link, keys, types.names)
    except RedisKeysBroken as fault:
        yield Finding(False, f"Schedules: {fault.detail}")
        return
    for sentence in (*found, *unknown):
        yield Finding(False, f"Schedules: {sentence}")
    if not found:
        yield Finding(True, "Schedules: none is orphaned")


async def _check_schedules(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    """Which time zones this host knows, how many schedules there are, and which runs of theirs are overdue."""
    keys = RedisKeys(settings.key_prefix)
    try:
        index, programs = await ScheduleStore(link, keys).index(), await Fleet(link, keys).programs()
        names = await all_names(link, keys)
    except RedisKeysBroken as fault:
        yield Finding(False, f"Schedules: {fault.detail}")
        return
    warning = zones.tzdata_warning()
    # Where there is no schedule, nobody misses a zone.
    yield Finding(not (warning and index), f"Time zones: {warning or zones.tzdata_text()}")
    late = [found for some in in_batches(names) for found in await LateSchedules(link, keys).warnings(some, programs)]
    for one in late:
        yield Finding(False, f"Schedules: {one.sentence}")
    if not late:
        yield Finding(True, f"Schedules: {len(index)}, none of which is overdue" if index else "Schedules: none")


async def _check_jobs(link: RedisLink, settings: Settings) -> AsyncIterator[Finding]:
    faults = await audit.find_faults(link, RedisKeys(settings.key_prefix), settings.worker_queues)
    for fault in faults:
        yield Finding(False, f"Jobs: {fault}")
    if not faults:
        yield Finding(True, "Jobs: each is in exactly one place")


def _check_keys(settings: Settings) -> Iterable[Finding]:
    faults = api_keys.ageing(settings.api_keys, time.time())
    for fault in faults:
        yield Finding(False, f"Keys: {fault}")
    if not faults:
        count = len(settings.api_keys)
        anyone = (
            "anyone on this host" if is_loopback(settings.host) else f"a server takes some to listen on {settings.host}"
        )
        yield Finding(True, f"Keys: {count}, none of which ends soon" if count else f"Keys: none; {anyone}")


async def _check_collector(settings: Settings) -> Finding | None:
    """Does the OpenTelemetry collector take an empty list of spans? None where no collector is set."""
    notice = otel.export_notice(settings)
    if notice is None:
        return None
    collector = otel.collector_of(settings, "waybill-doctor")
    if collector is None:
        return Finding(False, f"Spans: {notice.msg}")
    from lib.otlp_post import CollectorLink  # Here: most deployments set no collector.

    outcome = await asyncio.to_thread(CollectorLink(collector).post, b'{"resourceSpans":[]}')
    if outcome.verdict == "taken":
        return Finding(True, f"Spans: the collector answers at {collector.shown}")
    return Finding(False, f"Spans: {collector.shown}: {outcome.words}; see OTEL_EXPORTER_OTLP_ENDPOINT")


def _check_log_folder(folder: Path | None) -> Finding:
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


def _check_stop_times(settings: Settings, root: Path) -> Iterable[Finding]:
    """PM2 and systemd must not kill a program before the jobs have had SHUTDOWN_GRACE_S and UNWIND_S to end."""
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


def _check_hidden() -> Iterable[Finding]:
    """Modules of the application that nobody can import: Python has a module of the same name (jobs/module.py)."""
    for sentence in unreachable():
        yield Finding(False, f"Modules: {sentence}")


def _check_runner_limits(settings: Settings) -> Finding:
    """RUNNER_MAX_JOBS and RUNNER_MAX_MB. This process has imported what a runner imports."""
    jobs, most_mb, own_mb = settings.runner_max_jobs, settings.runner_max_mb, rss_bytes() // MIB
    if 0 < most_mb <= own_mb:
        return Finding(
            False,
            f"Runners: RUNNER_MAX_MB is {most_mb}, and a process with the job modules takes {own_mb} MB before its "
            "first job: no runner is replaced for its memory; raise it",
        )
    limits = [f"after {jobs} jobs"] * (jobs > 0) + [f"at {most_mb} MB (without a job {own_mb})"] * (most_mb > 0)
    return Finding(True, f"Runners: each is replaced {' or '.join(limits)}" if limits else "Runners: none is replaced")


async def _check_modules(settings: Settings) -> AsyncIterator[Finding]:
    """The job modules' own checks: a module may have a function `doctor(settings)`, see registry.checks_of."""
    for name, check in registry.checks_of(settings.job_modules):
        yield await _own_check(name, check, settings)


async def _own_check(name: str, check: Callable[[Settings], Any], settings: Settings) -> Finding:
    """Well if `check` returns, or comes to, a text; not well if it raises."""
    try:
        result = check(settings)
        return Finding(True, str(await result if isawaitable(result) else result))
    except BaseException as fault:  # noqa: BLE001  A module's own check may end in any way, and that is the finding.
        return Finding(False, f"{name}: {summary(fault)}")
