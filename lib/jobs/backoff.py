"""How long a job whose attempt failed waits before its next attempt. Pure; called by `work/runner/attempt.py`."""

from random import Random
from typing import NamedTuple


class Backoff(NamedTuple):
    """Exponential backoff: about `base_s` after the first failure, doubled after each, never over `cap_s`."""

    base_s: float = 2
    cap_s: float = 3600


DEFAULT_BACKOFF = Backoff()


def delay_s(attempt: int, *, base_s: float, cap_s: float, rng: Random) -> float:
    """Seconds to wait before the retry that follows failed attempt number `attempt` (1 = the first).

    Full jitter, so that jobs which failed together do not come back together, and at least base_s / 2, so that none
    comes back at once. Raises ValueError if attempt < 1.
    Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    if attempt < 1:
        raise ValueError(f"attempt is counted from 1, not {attempt}")
    ceiling_s = longest_delay_s(attempt, base_s, cap_s)
    return min(cap_s, max(base_s / 2, rng.uniform(0.0, ceiling_s)))


def longest_delay_s(attempt: int, base_s: float, cap_s: float) -> float:
    """The most that `delay_s` gives for the attempt: with a base of 2 s it is 2, 4, 8, … up to the cap."""
    # 2.0 ** 1024 overflows a float; any cap is reached long before 2 ** 64.
    return min(cap_s, base_s * 2.0 ** min(attempt - 1, 64))
