"""Celery for flow_contenders.py; its Python has celery[redis], and needs nothing else of this folder.

celery -A tests.bench.workflows_celery worker      runs tasks; says `started` when it does
python -m tests.bench.workflows_celery             takes commands from its input, `fan 1000 PATH` or `chain 1000 PATH`,
                                                   and answers each with `done` when the broker has it

A part returns its number. The last task appends the time and the sum of what it was given to the file PATH.
WHY acks_late: without it a task that is running when its worker is killed is lost; the others run it again.
"""

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

# WHY not `import celery`: it is not there where the code is checked.
celery: Any = importlib.import_module("celery")
WHERE = f"redis+socket://{os.environ['REDIS_SOCKET']}"
app = celery.Celery("bench", broker=WHERE, backend=WHERE)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, broker_connection_retry_on_startup=True)


def _part(number: int) -> int:
    if number < 0:
        raise ValueError("this part fails")
    return number


def _total(numbers: Any, path: str) -> int:
    found = sum(numbers) if isinstance(numbers, list) else int(numbers)
    with Path(path).open("a", encoding="utf-8") as lines:
        lines.write(f"{time.time()} {found}\n")
    return found


part = app.task(name="part")(_part)
total = app.task(name="total")(_total)


def _on_ready(**_: object) -> None:
    os.write(1, b"started\n")  # Celery has taken sys.stdout for its log.


celery.signals.worker_ready.connect(_on_ready, weak=False)


def fan(jobs: int, path: str) -> None:
    celery.chord([part.si(number) for number in range(jobs - 1)])(total.s(path))


def chain(jobs: int, path: str) -> None:
    celery.chain(*[part.si(number) for number in range(jobs - 1)], total.s(path)).delay()


if __name__ == "__main__":
    sys.setrecursionlimit(100_000)
    for line in sys.stdin:
        name, jobs, path = line.split()
        {"fan": fan, "chain": chain}[name](int(jobs), path)
        print("done", flush=True)
