"""What `make` does on a developer's machine: set up, run, show, test, lint. Production uses nothing of this.

Called as `python -m prod.local <command>` in the project's folder, by any Python from 3.11 on; standard library alone.
It starts server.py and worker.py as anyone would, by their settings, and knows nothing of how they work inside.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class LocalError(Exception):
    """What can't be done here, in one line that says what to do about it. `status` is the exit status."""

    def __init__(self, line: str, status: int = 1) -> None:
        super().__init__(line)
        self.status = status
