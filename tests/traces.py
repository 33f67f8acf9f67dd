"""A trace of its own for a job that a test makes."""

import os

from lib.tracing import Trace, trace_of


def new_trace() -> Trace:
    """A trace that begins here, with random ids."""
    return trace_of(os.urandom(24).hex())
