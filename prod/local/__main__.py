"""The commands: a word from the Makefile in, an exit status out."""

import os
import subprocess
import sys
from collections.abc import Callable

from prod.local import ROOT, LocalError, chromium, demo, environments, redis_server, run

CHECKED = ("server.py", "worker.py", "lib", "tests", "prod/local", "prod/clients")
LINTERS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    # prod is a folder of files, not a package: without this mypy would know prod/local by two names.
    ("mypy", "--strict", "--explicit-package-bases", *CHECKED),
)


def test(arguments: list[str]) -> int:
    """Every test, or the named ones: see tests/__main__.py."""
    return _module("tests", arguments)


def bench(arguments: list[str]) -> int:
    return _module("tests.bench", arguments)


def faults(arguments: list[str]) -> int:
    """Kill, stop, cut and fill the real thing: see tests/faults/__main__.py."""
    return _module("tests.faults", arguments)


def fuzz(arguments: list[str]) -> int:
    """Mutated requests at a real server: see tests/fuzz/__main__.py."""
    return _module("tests.fuzz", arguments)


def machines(arguments: list[str]) -> int:
    """The tests on Debian 12 and 13, Redis and Valkey: see tests/machines/__main__.py."""
    return _module("tests.machines", arguments)


def clients(arguments: list[str]) -> int:
    """Clients of others against a real server: see tests/clients/__main__.py."""
    return _module("tests.clients", arguments)


def pictures(arguments: list[str]) -> int:
    """Pictures of a live Waybill: see tests/pictures/__init__.py."""
    chromium.main([])
    return _module("tests.pictures", arguments)


def _module(name: str, arguments: list[str]) -> int:
    python = environments.for_running()
    redis_server.binary_or_install()
    return subprocess.run([python, "-m", name, *arguments], cwd=ROOT).returncode


def lint(_arguments: list[str]) -> int:
    """Every linter is heard, also when the first has found something."""
    python = environments.for_linting()
    failed = 0
    for words in LINTERS:
        print(f"== {' '.join(words)}")
        failed += bool(subprocess.run([python, "-m", *words], cwd=ROOT).returncode)
    return 1 if failed else 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": run.main,
    "demo": demo.main,
    "test": test,
    "bench": bench,
    "faults": faults,
    "fuzz": fuzz,
    "machines": machines,
    "clients": clients,
    "pictures": pictures,
    "lint": lint,
    "browser": chromium.main,
}


def main(arguments: list[str]) -> int:
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        raise LocalError(f"usage: python -m prod.local {'|'.join(COMMANDS)}", 2)
    return command(arguments[1:])


if __name__ == "__main__":
    # Our lines stay in order with those of the processes that write to the same terminal or file.
    # What the terminal has no letter for (an arrow where the locale is ISO-8859-1) is shown as an escape.
    sys.stdout = os.fdopen(
        sys.stdout.fileno(), "w", 1, encoding=sys.stdout.encoding, errors="backslashreplace", closefd=False
    )
    try:
        sys.exit(main(sys.argv[1:]))
    except LocalError as error:
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(130)
