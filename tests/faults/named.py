"""Faults whose proof is tests of `make test`: each file, or part of one, is a line of the table.

The redis folder stands here as well, run whole on a Cluster of three nodes.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import ON_CLUSTER
from tests.faults.row import Row

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240.0
AT_ONCE = 3  # They wait most of the time.

# What went wrong, and the tests of it.
NAMED = {
    "handlers that hang, block, leave, speak garbage": "system.test_worker_handlers",
    "SIGTERM: idle, at work, twice, to the whole tree": "system.test_worker_stops",
    "garbage in the lists, keys of a wrong type": "system.test_worker_redis",
    "killed between pop and claim; a supervisor stopped": "system.test_worker_crashes",
    "a drain while a claim is on its way": "system.test_faults_drain",
    "the log: disk full, no folder, four processes": "system.test_log_rotation",
    "HTTP: no descriptors left, over the cap": "wire.test_listener",
    "HTTP: clients that are slow, or never read": "wire.test_deadlines",
    "limits: what somebody broke among the groups": "redis.test_mend",
    "what Redis refuses, and a lagging replica": "system.test_faults_refusals",
}
FOLDER = "redis"


def run(*, is_quick: bool) -> Iterator[Row]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda item: _row(f"{item[0]} (tests)", [item[1]], {}), NAMED.items())
    if not is_quick:
        modules = [f"{FOLDER}.{path.stem}" for path in sorted((ROOT / "tests" / FOLDER).glob("test_*.py"))]
        yield _row("Cluster: the whole redis folder (tests)", modules, {ON_CLUSTER: "1"})


def _row(fault: str, modules: list[str], environment: dict[str, str]) -> Row:
    """A test that was skipped is told in the note; one that failed is a violation."""
    row = Row(fault)
    skipped = 0
    for module in modules:
        outcome, said = _outcome(module, environment)
        row.runs += len(outcome.get("passed", ()))
        skipped += len(outcome.get("skipped", ()))
        row.violations += [f"{name} failed" for name in outcome.get("failed", ())]
        row.demand(outcome and outcome["passed"], f"no test of {module} passed: {said[-2000:]}")
    row.note = f"{skipped} skipped" if skipped else ""
    return row


def _outcome(module: str, environment: dict[str, str]) -> tuple[dict[str, list[str]], str]:
    """As `python -m tests` runs one file: what came of it, and what it said."""
    with tempfile.NamedTemporaryFile(prefix="wb-named-", suffix=".json") as result:
        command = [sys.executable, "-m", "tests", "--file", result.name, module]
        try:
            ended = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {}, f"not within {LIMIT_S:g} s"
        text = Path(result.name).read_text(encoding="utf-8")
        return (json.loads(text) if text else {}), ended.stdout.decode(errors="replace")
