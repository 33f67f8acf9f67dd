"""python worker.py: run jobs. The supervisor, and (with --runner, which it alone uses) each of its runners.

Each of the things that this can be imports what it needs in its own function, and no more: a runner is started anew
whenever one has died, and jobs wait for it.
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
    """The exit code: 0 after a signal, 78 for settings that can't be used."""
    is_runner = sys.argv[1:2] == ["--runner"]
    # Most starts have no arguments, or those that spawn.py gives: they do without a parser for a person's.
    arguments = None if is_runner or not sys.argv[1:] else _arguments()
    try:
        settings = from_environment(ROOT, listens=False)
        if is_runner:
            _, runner_id, *_, pipe = sys.argv[1:]
            _run(settings, runner_id, int(pipe), is_waiting=WAITING in sys.argv)
        if arguments and arguments.doctor:
            return _examine(settings, is_thorough=arguments.check)
    except ConfigError as fault:
        sys.stderr.write(describe(fault.faults))
        return EXIT_CONFIG
    return _supervise(settings)


def _supervise(settings: Settings) -> int:
    # The runners may be at work before this can obey: a signal waits until it can, else it would leave them orphans.
    signals.hold()
    spawned = [spawn_runner(SCRIPT) for _ in range(settings.worker_processes)]
    # Not at the top: the runners start while this is imported, not behind it.
    from lib.processes import loops
    from lib.work.supervisor.supervisor import Supervisor

    log = _log(settings)
    log.info("environment.loaded", f"Environment file loaded: {', '.join(settings.env_files) or 'none'}")
    for doubt in settings.env_doubts:
        log.warning("environment.doubted", doubt)
    # Without the job modules: what they do when imported is not to happen to the supervisor.
    supervisor = Supervisor(settings, log, SCRIPT, spawned)
    loops.run(supervisor.run())
    log.close()
    return supervisor.exit_code


def _run(settings: Settings, runner_id: str, pipe: int, *, is_waiting: bool) -> NoReturn:
    """A runner; see spawn_runner.py for one that is waiting. Raises ConfigError."""
    # All of it before the job modules are imported: that may take a while, and they may print, fork and start programs.
    signals.obey_the_pipe_alone()
    from lib.jobs import registry
    from lib.processes import guard
    from lib.work.runner import leaving, programs, runner
    from lib.work.runner.context import about_current_job, note_program
    from lib.work.runner.forks import Forks

    leaving.print_by_lines()
    Forks.watch()
    programs.watch(note_program)

    with guard.around_imports(pipe):
        types = registry.load(settings.job_modules, settings)
    runner.main(settings, types, _log(settings, about_current_job), runner_id, pipe, is_waiting=is_waiting)


def _examine(settings: Settings, *, is_thorough: bool) -> int:
    """Print what is found; 1 where anything is not as it should be. Raises ConfigError."""
    from lib.commands import doctor
    from lib.jobs import registry
    from lib.processes import guard, loops

    async def tell() -> bool:
        is_well = True
        _print(doctor.Finding(True, f"Settings: {sources(settings)}"))
        async for finding in doctor.examine(settings, ROOT, is_thorough=is_thorough):
            is_well = is_well and finding.is_well
            _print(finding)
        return is_well

    with guard.around_imports():
        registry.load(settings.job_modules, settings)
    return 0 if loops.run(tell()) else 1


def _print(finding: "Finding") -> None:
    line = f"{'ok   ' if finding.is_well else 'WRONG'}  {finding.text}\n"
    encoding = sys.stdout.encoding or "utf-8"
    try:
        # What the terminal has no letter for is shown as an escape.
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it (`| head`) has seen enough; the exit code is still to be right.
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


def _log(settings: Settings, context: "Callable[[], Bound] | None" = None) -> "Log":
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
