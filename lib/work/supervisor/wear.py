"""Whether a runner has worked long enough to be replaced: RUNNER_MAX_JOBS and RUNNER_MAX_MB. Pure.

Job modules leak: a cache without bounds, a C library. A new process has none of that. replacements.py asks this module
at every tick of a runner, and has the runner replaced.
"""

from typing import NamedTuple

from lib.memory import MIB

MIN_LIFE_S = 2.0
"""A runner lives so long at least. WHY: where RUNNER_MAX_MB is less than what the first job takes, every runner would
be replaced behind its first job, and the host would do little but start interpreters."""
JOBS, MEMORY = REASONS = ("jobs", "memory")


class Usage(NamedTuple):
    """What a runner has told in its ticks. first_rss_bytes: of its first tick, when it had run nothing."""

    jobs: int = 0
    rss_bytes: int = 0
    first_rss_bytes: int = 0

    @property
    def mb(self) -> int:
        return self.rss_bytes // MIB


class WearLimits(NamedTuple):
    """max_jobs: RUNNER_MAX_JOBS. max_mb: RUNNER_MAX_MB. 0: no limit."""

    max_jobs: int
    max_mb: int

    def reason(self, usage: Usage, lived_s: float) -> str | None:
        """Why a runner is to be replaced, one of REASONS; None where it is not. lived_s: since it was started."""
        if lived_s < MIN_LIFE_S:
            return None
        if self.max_mb and usage.rss_bytes >= self.max_mb * MIB and not self.is_too_low(usage):
            return MEMORY
        return JOBS if 0 < self.max_jobs <= usage.jobs else None

    def is_too_low(self, usage: Usage) -> bool:
        """Whether a runner that has run nothing is over RUNNER_MAX_MB. Then no runner is replaced for its memory: the
        next one would be over it as well."""
        return 0 < self.max_mb * MIB <= usage.first_rss_bytes
