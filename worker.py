"""python worker.py: run jobs. The supervisor, and (with --runner, which it alone uses) each of its runners."""

import argparse
import asyncio
import sys
from pathlib import Path

from lib.config import EXIT_CONFIG, Settings, describe, from_environment
from lib.errors import ConfigError
from lib.jobs import registry
from lib.logs import Log, open_logs
from lib.work import doctor, runner
from lib.work.context import about_current_job
from lib.work.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """The exit code: 0 after a signal, 78 for settings that can't be used."""
    arguments = _arguments()
    try:
        settings = from_environment(ROOT)
        if arguments.doctor:
            registry.load(settings.job_modules)
            return asyncio.run(_doctor(settings, is_thorough=arguments.check))
        # The supervisor does without the job modules: what they do when imported is not to happen to it.
        types = registry.load(settings.job_modules) if arguments.runner else None
    except ConfigError as fault:
        sys.stderr.write(describe(fault.faults))
        return EXIT_CONFIG
    log = _log(settings)
    if types is not None:
        runner.main(settings, types, log, arguments.runner, arguments.pipe)
    log.info("environment.loaded", f"Environment file loaded: {', '.join(settings.env_files) or 'none'}")
    supervisor = Supervisor(settings, log, ROOT / "worker.py")
    asyncio.run(supervisor.run())
    log.close()
    return supervisor.exit_code


async def _doctor(settings: Settings, *, is_thorough: bool) -> int:
    """Print what is found; 1 where anything is not as it should be."""
    is_well = True
    async for finding in doctor.examine(settings, ROOT, is_thorough=is_thorough):
        is_well = is_well and finding.is_well
        sys.stdout.write(f"{'ok   ' if finding.is_well else 'WRONG'}  {finding.text}\n")
    return 0 if is_well else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs Waybill's jobs. Settings: prod/.env.example.")
    parser.add_argument(
        "--doctor", action="store_true", help="say whether Redis, mail, logs and prod/ are as they should"
    )
    parser.add_argument("--check", action="store_true", help="with --doctor: read every job, too")
    parser.add_argument("--runner", metavar="ID", help=argparse.SUPPRESS)
    parser.add_argument("--pipe", metavar="FD", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.check and not arguments.doctor:
        parser.error("--check goes with --doctor")
    return arguments


def _log(settings: Settings) -> Log:
    return open_logs(
        settings.log_dir / "worker.log",
        level=settings.log_level,
        console_format=settings.log_format,
        max_bytes=settings.log_max_bytes,
        backups=settings.log_backups,
        context=about_current_job,
    )


if __name__ == "__main__":
    sys.exit(main())
