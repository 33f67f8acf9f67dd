"""What a Redis spends: CPU and script calls since a moment, and the rate at which a worker empties it."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.private_redis import PrivateRedis

LOOK_S = 0.01
# Added up there: to read a hundred queues' counters here, a hundred times a second, takes half of a core from those who
# are measured.
_COMPLETED = """
local completed = 0
for _, key in ipairs(KEYS) do
  local totals = redis.call('HGETALL', key)
  for i = 1, #totals, 2 do
    if string.sub(totals[i], 1, 10) == 'completed ' then completed = completed + totals[i + 1] end
  end
end
return completed
"""
LIMIT_S = 120.0


class Spent:
    """From its making on."""

    def __init__(self, redis: PrivateRedis) -> None:
        self._redis = redis
        self._cpu_us, self._calls = _cpu_us(redis), script_calls(redis)
        self._began_s = time.perf_counter()

    @property
    def cpu_us(self) -> float:
        return _cpu_us(self._redis) - self._cpu_us

    @property
    def core_percent(self) -> float:
        return self.cpu_us / 1e4 / (time.perf_counter() - self._began_s)

    @property
    def calls(self) -> float:
        return script_calls(self._redis) - self._calls


class Drained(NamedTuple):
    """What it was like to empty a queue, from the first jobs that ended to the last."""

    per_s: float
    redis_us_per_job: float
    redis_core_percent: float
    jobs_per_call: float


def drain(redis: PrivateRedis, jobs: int, *, queues: Sequence[str] = ("default",), already: int = 0) -> Drained:
    """Watch a worker that has been started until so many jobs are completed, beside those that already were."""
    deadline_s = time.monotonic() + LIMIT_S
    while (first := completed(redis, queues)) <= already:
        _pause(deadline_s)
    spent, began_s = Spent(redis), time.perf_counter()
    while (done := completed(redis, queues)) < already + jobs:
        _pause(deadline_s)
    took_s, ended = time.perf_counter() - began_s, max(1, done - first)
    return Drained(ended / took_s, spent.cpu_us / ended, spent.core_percent, ended / max(1.0, spent.calls))


def completed(redis: PrivateRedis, queues: Sequence[str] = ("default",)) -> int:
    """Jobs of all types, as the scripts count them."""
    return int(redis.client.eval(_COMPLETED, len(queues), *[f"wb:{{{queue}}}:totals" for queue in queues]))


def script_calls(redis: PrivateRedis) -> float:
    stats: Any = redis.client.info("commandstats")
    return float(stats.get("cmdstat_evalsha", {}).get("calls", 0))


def _cpu_us(redis: PrivateRedis) -> float:
    cpu: Any = redis.client.info("cpu")
    # The main thread's: what bounds a queue. The rewrite of the append-only file is a process of its own.
    return float(cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"]) * 1e6


def _pause(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise AssertionError(f"not within {LIMIT_S:g} s: the jobs are completed")
    time.sleep(LOOK_S)
