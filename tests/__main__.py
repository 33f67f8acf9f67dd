"""`python -m tests [-j N] [name ...]`: runs the tests, a few files at a time, and counts them.

1. Every file runs in a process of its own, so that a hang, a crash or a stray thread in one file spoils no other. The
   output of a file is shown only if a test in it failed.
2. A name is `unit`, `unit.jobs`, `redis.test_claim`, `redis.test_claim.Claim.test_order`, or a pattern, `wire.test_p*`.
3. The last line is `N passed, N failed, N skipped` and nothing else. A run in which no test ran has failed.
"""

import argparse
import contextlib
import fnmatch
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests import ON_CLUSTER

TESTS = Path(__file__).resolve().parent
# The slowest folder first, and in a folder the largest file, so that no long file is left over for the end.
FOLDERS = ("browser", "system", "wire", "redis", "unit")
ALONE = "browser."
"""Of these files one runs at a time, beside others: a browser by itself keeps two cores busy."""
FILE_S = 240.0
AT_ONCE = min(4, 2 * (os.cpu_count() or 1))  # A file waits half of its time for some deadline of Waybill's.
SLOWEST = 10
LOOK_S = 0.02


class Plan(NamedTuple):
    """One file to run. module: below `tests`, as "unit.jobs.test_backoff". tests: the tests in it to run; (): all."""

    module: str
    tests: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """The results of one file, or of all: the ids of tests; skipped: id -> reason; seconds: id -> time taken."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, other: "Outcome") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped |= other.skipped
        self.seconds |= other.seconds


# In the parent: choose, start, collect, report.


def plans(names: Iterable[str]) -> list[Plan]:
    """The files to run, for the names on the command line. Raises ValueError for a name that no test has."""
    modules = [
        ".".join(path.relative_to(TESTS).with_suffix("").parts)
        for folder in FOLDERS
        for path in sorted((TESTS / folder).rglob("test_*.py"), key=lambda path: -path.stat().st_size)
    ]
    chosen: dict[str, tuple[str, ...]] = {}
    for name in names or FOLDERS:
        found = list(_matches(name.removeprefix("tests.").strip("."), modules))
        if not found and name not in FOLDERS:
            raise ValueError(f"no test is called {name!r}; names are as in: unit redis.test_claim 'wire.test_p*'")
        for module, test in found:
            # If one name asks for the whole file, names of tests in it do not matter.
            before = chosen.get(module, ("",))
            chosen[module] = () if not test or not before else (*filter(None, before), test)
    return [Plan(module, chosen[module]) for module in modules if module in chosen]


def _matches(name: str, modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    for module in modules:
        if name == module or module.startswith(f"{name}.") or fnmatch.fnmatchcase(module, name):
            yield module, ""
        elif name.startswith(f"{module}."):
            yield module, name.removeprefix(f"{module}.")


class Running:
    """The process of one test file. Its output goes to a file: a pipe would be held open by processes left behind."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.started = time.monotonic()
        self._is_killed = False
        self._result = tempfile.NamedTemporaryFile(prefix="waybill-tests-", suffix=".json")  # noqa: SIM115
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-m", "tests", "--file", self._result.name, plan.module, *plan.tests]
        self._process = subprocess.Popen(
            command,
            cwd=TESTS.parent,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def is_over(self) -> bool:
        if time.monotonic() - self.started > FILE_S:
            self._is_killed = True
            self.kill()
        return self._process.poll() is not None

    def kill(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def outcome(self) -> tuple[Outcome, str]:
        """The results and the output. A process that was killed, or ended with an error, counts as a failed test."""
        self._output.seek(0)
        output = self._output.read().decode(errors="replace").rstrip()
        text = Path(self._result.name).read_text(encoding="utf-8")
        self._output.close()
        self._result.close()
        outcome = Outcome(**json.loads(text)) if text else Outcome()
        if not text or self._process.returncode:
            why = f"was killed after {FILE_S:g} s" if self._is_killed else f"ended with {self._process.returncode}"
            output = f"{output}\n{self.plan.module} {why}, {'after' if text else 'without'} its result".lstrip()
            outcome.failed.append(self.plan.module)
        return outcome, output


def run(waiting: list[Plan], at_once: int) -> Outcome:
    """Run every file, and print a line for each as it ends."""
    total = Outcome()
    running: list[Running] = []
    try:
        while waiting or running:
            while len(running) < at_once and (plan := _next(waiting, running)):
                waiting.remove(plan)
                running.append(Running(plan))
            for one in [one for one in running if one.is_over()]:
                running.remove(one)
                total.add(_ended(one))
            time.sleep(LOOK_S)
    finally:
        for one in running:
            one.kill()
    return total


def _next(waiting: list[Plan], running: list[Running]) -> Plan | None:
    has_browser = any(one.plan.module.startswith(ALONE) for one in running)
    return next((plan for plan in waiting if not (has_browser and plan.module.startswith(ALONE))), None)


def _ended(one: Running) -> Outcome:
    outcome, output = one.outcome()
    word = "FAILED" if outcome.failed else "ok"
    counts = f"{len(outcome.passed)} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped"
    print(f"{word:<7} {one.plan.module:<40} {time.monotonic() - one.started:6.1f} s   {counts}", flush=True)
    if outcome.failed and output:
        print(f"\n{output}\n", flush=True)
    return outcome


def report(total: Outcome) -> int:
    """Print the slowest, skipped and failed tests, and the counts as the last line. Returns the exit status."""
    slowest = sorted(total.seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    for title, lines in (
        ("Slowest", [f"{seconds:6.2f} s  {name}" for name, seconds in slowest]),
        ("Skipped", [f"{name}: {reason}" for name, reason in total.skipped.items()]),
        ("Failed", total.failed),
    ):
        if lines:
            print(f"\n{title}:", *lines, sep="\n  ")
    if not total.passed and not total.failed:
        print("\nNo test ran.")
    print(f"\n{len(total.passed)} passed, {len(total.failed)} failed, {len(total.skipped)} skipped", flush=True)
    return 0 if total.passed and not total.failed else 1


# In the child: one file.


class Counting(unittest.TextTestResult):
    """Counts tests, not subtests: a test with three failed subtests is one failed test, and no passed one."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.succeeded: list[str] = []
        self.seconds: dict[str, float] = {}
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._began = time.monotonic()

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.seconds[test.id()] = round(time.monotonic() - self._began, 3)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.succeeded.append(test.id())

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.succeeded.append(test.id())

    def outcome(self) -> Outcome:
        bad = [test for test, _ in (*self.failures, *self.errors)] + self.unexpectedSuccesses
        failed = dict.fromkeys(_test_id(test) for test in bad)
        passed = [name for name in self.succeeded if name not in failed]
        done = {*failed, *passed}
        skipped = {_test_id(test): reason for test, reason in self.skipped if _test_id(test) not in done}
        return Outcome(passed, list(failed), skipped, self.seconds)


def _test_id(test: unittest.TestCase) -> str:
    # The id of a subtest names its parameters; counted is the test that the subtest belongs to.
    return getattr(test, "test_case", test).id()


def run_file(result: Path, module: str, tests: list[str]) -> int:
    """Run the tests of one file in this process, and write their outcome as JSON to `result`."""
    names = [f"tests.{module}.{test}" for test in tests] or [f"tests.{module}"]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(resultclass=Counting, verbosity=1)
    outcome = runner.run(suite)
    assert isinstance(outcome, Counting)
    result.write_text(
        json.dumps({name: getattr(outcome.outcome(), name) for name in Outcome.__slots__}), encoding="utf-8"
    )
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests")
    parser.add_argument("names", nargs="*", help="unit, redis.test_claim, redis.test_claim.Claim.test_order, 'wire.*'")
    parser.add_argument("-j", type=int, default=AT_ONCE, metavar="N", help="files at a time")
    parser.add_argument("--cluster", action="store_true", help="tests of `redis` run on a Cluster of three nodes")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.file:
        return run_file(given.file, given.names[0], given.names[1:])
    # With this variable each of the hundreds of servers and workers that the tests start would compile all of lib.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if given.cluster:
        os.environ[ON_CLUSTER] = "1"
    try:
        return report(run(plans(given.names), max(1, given.j)))
    except ValueError as fault:
        parser.error(str(fault))


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # A terminal may lack letters that a failed test shows.
    # SIGTERM ends the run as Ctrl-C does, and with it the processes of the test files.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
