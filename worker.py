"""python worker.py: run jobs. `--doctor` examines the set-up instead, and runs none.

    main           reads the arguments and the settings
    _supervise     the parent: starts the runners and looks after them    lib/work/supervisor/supervisor.py
    _run_runner    with --runner: one of its children, runs handlers      lib/work/runner/runner_process.py
    _examine       with --doctor                                          lib/commands/doctor.py

Each of them imports what it needs by itself, and no more: whenever a runner has died another is started, and jobs wait
until it has imported.
"""

import sys

from lib.settings import needs

if not needs.are_met():  # Before the other imports: they would end in a traceback.
    sys.exit(needs.EXIT_CONFIG)

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lib.errors import ConfigError
from lib.processes import exits, signals
from lib.settings.config import EXIT_CONFIG, Settings, describe, from_environment, sources
from lib.work.supervisor.spawn_runner import WAITING, spawn_runner

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from lib.commands.doctor import Finding
    from lib.logs.log import Bound, Log

ROOT = Path(__file__).resolve().parent
SCRIPT = ROOT / "worker.py"


def main() -> int:
    """The exit code: 0 after a signal, 78 for settings that can't be used; of --doctor 1 if something is wrong."""
    is_runner = sys.argv[1:2] == ["--runner"]
    # Most starts have no arguments, or those of spawn_runner.py: they do without the import of argparse.
    arguments = None if is_runner or not sys.argv[1:] else _arguments()
    try:
        settings = from_environment(ROOT, listens=False)
        if is_runner:
            _, runner_id, *_, pipe_fd = sys.argv[1:]
            _run_runner(settings, runner_id, int(pipe_fd), is_waiting=WAITING in sys.argv)
        if arguments and arguments.doctor:
            return _examine(settings, is_thorough=arguments.check)
    except ConfigError as fault:
        sys.stderr.write(describe(fault.faults))
        return EXIT_CONFIG
    return _supervise(settings)


def _supervise(settings: Settings) -> int:
    """Be the supervisor until a signal; gives the exit code."""
    # The runners may be at work before this process can obey a signal. A signal waits until then: it would end this
    # process alone, and leave the runners orphans.
    signals.hold()
    newborns = [spawn_runner(SCRIPT) for _ in range(settings.worker_processes)]
    # Imported here: the runners start meanwhile, and not after it.
    from lib.jobs import zones
    from lib.processes import loops
    from lib.settings import otel
    from lib.work.supervisor.supervisor import Supervisor

    log = _open_log(settings)
    log.info("environment.loaded", f"Environment file loaded: {', '.join(settings.env_files) or 'none'}")
    for doubt in settings.env_doubts:
        log.warning("environment.doubted", doubt)
    if notice := otel.export_notice(settings):
        (log.warning if notice.is_fault else log.info)("spans.announced", notice.msg)
    if warning := zones.tzdata_warning():
        log.warning("zones.missing", warning)
    # The supervisor imports no job modules: what they do when imported must not happen to it.
    supervisor = Supervisor(settings, log, SCRIPT, newborns)
    loops.run(supervisor.run())
    log.close()
    return supervisor.exit_code


def _run_runner(settings: Settings, runner_id: str, pipe_fd: int, *, is_waiting: bool) -> NoReturn:
    """Be one runner, until it exits. Raises ConfigError."""
    # Before all imports: Ctrl-C signals the whole process tree, and a runner is to mind its supervisor alone.
    signals.obey_the_pipe_alone()
    from lib.work.runner import runner_process

    runner_process.run(settings, runner_id, pipe_fd, _open_log, is_waiting=is_waiting)


def _examine(settings: Settings, *, is_thorough: bool) -> int:
    """Print the doctor's findings; 1 if something is wrong, else 0. Raises ConfigError."""
    from lib.commands import doctor
    from lib.jobs import registry
    from lib.processes import guard, loops

    async def print_all() -> bool:
        is_well = True
        _print(doctor.Finding(True, f"Settings: {sources(settings)}"))
        async for finding in doctor.examine(settings, ROOT, is_thorough=is_thorough):
            is_well = is_well and finding.is_well
            _print(finding)
        return is_well

    with guard.around_imports():
        registry.load(settings.job_modules, settings)
    return 0 if loops.run(print_all()) else 1


def _print(finding: "Finding") -> None:
    """`ok     Redis: …` or `WRONG  Redis: …`, on stdout."""
    line = f"{'ok   ' if finding.is_well else 'WRONG'}  {finding.text}\n"
    encoding = sys.stdout.encoding or "utf-8"
    try:
        # A letter that the terminal does not have is shown as an escape.
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) is gone. The findings go on, because the exit code is still to be right.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _arguments() -> "Namespace":
    import argparse

    parser = argparse.ArgumentParser(description="Runs Waybill's jobs. Settings: prod/.env.example.")
    parser.add_argument(
        "--doctor", action="store_true", help="say whether Redis, mail, logs and prod/ are as they should"
    )
    parser.add_argument("--check", action="store_true", help="with --doctor: read every job, too")
    arguments = parser.parse_args()
    if arguments.check and not arguments.doctor:
        parser.error("--check goes with --doctor")
    return arguments


def _open_log(settings: Settings, context: "Callable[[], Bound] | None" = None) -> "Log":
    from lib.logs.log import open_logs

    return open_logs(
        settings.log_dir and settings.log_dir / "worker.log",
        level=settings.log_level,
        console_format=settings.log_format,
        max_bytes=settings.log_max_bytes,
        backups=settings.log_backups,
        context=context,
    )


if __name__ == "__main__":
    exits.end_with(main)
