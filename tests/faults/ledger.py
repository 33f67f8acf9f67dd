"""What truly ran, as the handlers themselves wrote it into a file outside Redis, and what of Redis' word it belies."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Execution(NamedTuple):
    """One run of a handler as the ledger tells it; ended_ns is None where it did not come to its end."""

    job_id: str
    attempt: int
    pid: int
    began_ns: int
    ended_ns: int | None


def executions(ledger: Path) -> list[Execution]:
    """All of them, in the order in which they began."""
    text = ledger.read_text(encoding="utf-8") if ledger.exists() else ""
    runs: dict[tuple[str, str, str], list[list[Any]]] = defaultdict(list)
    ordered: list[list[Any]] = []
    for line in text.split("\n")[:-1]:
        word, job_id, attempt, pid, ns = line.split()
        if word == "began":
            run = [job_id, int(attempt), int(pid), int(ns), None]
            runs[job_id, attempt, pid].append(run)
            ordered.append(run)
        else:
            runs[job_id, attempt, pid][-1][4] = int(ns)
    return [Execution(*run) for run in ordered]


def stale_results(records: dict[str, dict[str, str]], runs: list[Execution]) -> list[str]:
    """Completed jobs whose result is not that of the attempt, and of the runner, that had them last."""
    last = {run.job_id: run for run in runs}
    found = []
    for job_id, record in records.items():
        if record.get("state") == "completed" and record.get("result") and job_id in last:
            pid, attempt = json.loads(record["result"])
            if (pid, attempt) != (last[job_id].pid, int(record["attempts"])):
                found.append(job_id)
    return found


def most_at_once(runs: Iterable[Execution], deaths: Mapping[int, int]) -> int:
    """How many ran at the same time at most. deaths: pid -> when a runner was killed, and what it ran ended."""
    runs = list(runs)
    ends = [(run.ended_ns or deaths.get(run.pid, run.began_ns), -1) for run in runs]
    most = now = 0
    for _, step in sorted([*ends, *((run.began_ns, 1) for run in runs)]):
        now += step
        most = max(most, now)
    return most
