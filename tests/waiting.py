"""Waiting for what another process does: until a condition is true, or until a process has printed some words.

    wait_until(lambda: outbox.exists(), "the mail is written")
    printed_until(process, "Ctrl-C stops it")

Both end in an AssertionError that says what did not happen. No test waits by `sleep` alone.
"""

import subprocess
import time
from collections.abc import Callable
from typing import Any

CHECK_EVERY_S = 0.01


def wait_until(
    condition: Callable[[], object], what: str, *, within_s: float = 20.0, every_s: float = CHECK_EVERY_S
) -> Any:
    """The value of `condition`, once it is true. Raises AssertionError with `what` after `within_s`."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(every_s)
    return value


def printed_until(process: "subprocess.Popen[str]", words: str) -> str:
    """Everything that the process prints up to the end of a line that holds `words`. Raises AssertionError if the
    process closes its output before."""
    assert process.stdout is not None, "its output does not go to a pipe"
    printed = ""
    while words not in printed:
        line = process.stdout.readline()
        assert line, f"it ended before it printed {words!r}:\n{printed}"
        printed += line
    return printed
