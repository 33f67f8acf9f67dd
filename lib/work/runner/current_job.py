"""The job that the running task or thread works for, and the context variables that each job starts with.

A lane's task runs one job after another, and so does a thread of the pool. CURRENT_JOB tells whose job it is at the
moment: a line that a library logs with `logging`, or a program that it starts, is then known to be that job's.
"""

import contextvars
import subprocess
from typing import TYPE_CHECKING, Any

from lib.logs.log import NOTHING, Bound

if TYPE_CHECKING:
    from lib.work.runner.context import Context

CURRENT_JOB: contextvars.ContextVar["Context | None"] = contextvars.ContextVar("job", default=None)


def about_current_job() -> Bound:
    """The log fields of the current job, for what a handler or a library logs through the standard library."""
    context = CURRENT_JOB.get()
    return context.about if context else NOTHING


def note_program(program: "subprocess.Popen[Any]") -> None:
    """A program was started: note it in the context of the current job, if there is one."""
    context = CURRENT_JOB.get()
    if context is not None:
        context.note_program(program)


class BlankContext:
    """The context variables as they are when this object is made, at the runner's start, before any job.

    Lanes and threads begin with a copy. A variable set by a job (a tenant, a tracing span, the decimal precision) is
    for that job alone: a lane whose job has changed its copy ends, and the next job gets a new lane.
    """

    def __init__(self) -> None:
        CURRENT_JOB.set(None)
        self._context = contextvars.copy_context()
        self._others = [(variable, value) for variable, value in self._context.items() if variable is not CURRENT_JOB]

    def copy(self) -> contextvars.Context:
        return self._context.copy()

    def is_unchanged(self, context: contextvars.Context) -> bool:
        """True if the last job left no context variable changed: `context`, a copy of this one, still equals it, apart
        from CURRENT_JOB.

        WHY lanes keep their copy: to copy for each job would cost a small job a tenth more.
        """
        if len(context) != len(self._context):
            return False
        return not self._others or all(context.get(variable) is value for variable, value in self._others)
