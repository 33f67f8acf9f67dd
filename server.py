"""python server.py: take jobs over HTTP. Settings, listening socket, log, service, in this order; drains on SIGTERM.

python server.py --new-key NAME --scope read|write|admin: make an API key, and do nothing else.

With SERVER_PROCESSES=4 this process is the parent of four, and serves nothing itself. Each child is this file again,
started with what the parent hands it: `--place 2 --listening 5 --memory 6 --pipe 7`.
"""

import sys

from lib.settings import needs

if not needs.are_met():  # Before the other imports: they would end in a traceback.
    sys.exit(needs.EXIT_CONFIG)

import errno
import socket
import time
from pathlib import Path
from typing import NamedTuple

from lib.api import service
from lib.errors import ConfigError
from lib.http1.server.listener import bind
from lib.jobs import registry, zones
from lib.jobs.registry import Registry
from lib.logs.log import Log, open_logs
from lib.processes import exits, guard, loops
from lib.processes.signals import live_through_hang_ups, obey_the_pipe_alone
from lib.processes.slot import Alone, OneOfSeveral
from lib.settings import api_keys, otel
from lib.settings.config import EXIT_CONFIG, Settings, describe, from_environment
from lib.web.key_ring import KeyRing
from lib.web.request_counts import SLOT_BYTES

ROOT = Path(__file__).resolve().parent
EXIT_CANT_LISTEN = 1


class Handed(NamedTuple):
    """What a parent hands its child in argv. listening, memory and pipe are file descriptors."""

    place: int
    listening: int
    memory: int
    pipe: int


def main() -> int:
    """The exit code: 0 after a signal, 78 for settings that can't be used, 1 where the port can't be had."""
    handed = _handed()
    if sys.argv[1:] and not handed:
        from lib.commands import new_key  # Here, for no other start needs it and the parser of arguments.

        return new_key.run(sys.argv[1:])
    if handed:
        obey_the_pipe_alone()
    else:
        live_through_hang_ups()
    try:
        settings = from_environment(ROOT)
        is_parent = settings.server_processes > 1 and not handed
        # A parent does without the job modules: what they do when imported is not to happen to it.
        types = None if is_parent else _job_types(settings, handed)
    except ConfigError as fault:
        sys.stderr.write(describe(fault.faults))
        return EXIT_CONFIG
    try:
        listening = socket.socket(fileno=handed.listening) if handed else bind(settings.host, settings.port)
    except OSError as fault:
        sys.stderr.write(_why_not(settings, fault))
        return EXIT_CANT_LISTEN
    log = _open_log(settings)
    if not handed:
        _log_settings(settings, log)
    if types is None:
        exit_code = _be_parent(settings, log, listening)
    else:
        loops.run(_serve(settings, types, log, listening, handed))
        exit_code = 0
    log.close()
    return exit_code


def _handed() -> Handed | None:
    """None where this process is no child."""
    if "--place" not in sys.argv:
        return None
    names = [name.removeprefix("--") for name in sys.argv[1::2]]
    return Handed(**dict(zip(names, map(int, sys.argv[2::2]), strict=True)))


def _job_types(settings: Settings, handed: Handed | None) -> Registry:
    """The job types of JOB_MODULES. Raises ConfigError."""
    with guard.around_imports(*(handed[1:] if handed else ())):
        return registry.load(settings.job_modules, settings)


def _open_log(settings: Settings) -> Log:
    return open_logs(
        settings.log_dir and settings.log_dir / "app.log",
        level=settings.log_level,
        console_format=settings.log_format,
        max_bytes=settings.log_max_bytes,
        backups=settings.log_backups,
    )


def _log_settings(settings: Settings, log: Log) -> None:
    log.info("environment.loaded", f"Environment file loaded: {', '.join(settings.env_files) or 'none'}")
    for doubt in settings.env_doubts:
        log.warning("environment.doubted", doubt)
    if notice := otel.export_notice(settings):
        (log.warning if notice.is_fault else log.info)("spans.announced", notice.msg)
    if warning := zones.tzdata_warning():
        log.warning("zones.missing", warning)
    for ending in api_keys.ageing(settings.api_keys, time.time()):
        log.warning("key.ending", f"API_KEYS: {ending}")


def _be_parent(settings: Settings, log: Log, listening: socket.socket) -> int:
    """Keep SERVER_PROCESSES children until a signal; gives the exit code."""
    from lib.processes.server_parent import ServerParent  # Here, for no other process starts processes.

    keys = KeyRing(settings.api_keys, _read_keys, log)
    parent = ServerParent(settings, log, ROOT / "server.py", listening, SLOT_BYTES, keys.reread)
    loops.run(parent.run())
    return parent.exit_code


async def _serve(
    settings: Settings, types: Registry, log: Log, listening: socket.socket, handed: Handed | None
) -> None:
    """Serve requests, alone or as a child of a parent."""
    if handed is None:
        slot: Alone | OneOfSeveral = Alone(log, SLOT_BYTES)
    else:
        slot = await OneOfSeveral.under(handed.place, handed.memory, handed.pipe, log)
    contract = ROOT / "openapi.yaml"
    await service.serve(settings, types, log, listening, slot, contract=contract, read_keys=_read_keys)


def _read_keys() -> tuple[api_keys.ApiKey, ...]:
    """API_KEYS as the settings have them now. Raises ConfigError."""
    return from_environment(ROOT).api_keys


def _why_not(settings: Settings, fault: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if fault.errno == errno.EADDRINUSE:
        return f"Waybill can't listen on {where}: another process does. Stop it, or set PORT to a free one.\n"
    return f"Waybill can't listen on {where}: {fault.strerror or fault}. Set HOST and PORT.\n"


if __name__ == "__main__":
    exits.end_with(main)
