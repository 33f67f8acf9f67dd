"""A bug in a part of the runner. JOB_MODULES=tests.jobs_that_break_a_runner, and BREAK_WHEN, the path of a file.

When the file is there, the next write of jobs' durations to Redis deletes the file and raises LookupError.
"""

import os
from pathlib import Path

from lib.work.runner.timings import Timings
from tests.jobs_for_tests import noop as noop
from tests.jobs_for_tests import sleep as sleep

FLAG = "BREAK_WHEN"
_flush = Timings.flush


async def flush(self: Timings) -> None:
    flag = Path(os.environ[FLAG])
    if flag.exists():
        flag.unlink()
        raise LookupError("a bug")
    await _flush(self)


Timings.flush = flush  # type: ignore[method-assign]
