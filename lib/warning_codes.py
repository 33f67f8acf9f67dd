"""THE TABLE of what /api/health may warn of: a word for each kind of trouble, how bad it is, and what to do. Pure.

    HealthWarning("queue_unserved", "12 jobs wait in the queue reports, which no worker serves", "reports", since_ms=…)

A program may act on the words, so they do not change. openapi.yaml and the notes list them all; tests/unit holds the
lists equal. Whoever finds the trouble makes the HealthWarning; lib/api/system.py shows them.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Severity = Literal["error", "warning"]


class WarningKind(NamedTuple):
    """severity: `error` where jobs are lost, wait or are refused now; `warning` for what may lead to that. what_to_do:
    the advice, where whoever finds the trouble has no better one."""

    severity: Severity
    what_to_do: str


KINDS: Final[Mapping[str, WarningKind]] = {
    "redis_away": WarningKind("error", "start Redis, or look at REDIS_URL; all goes on by itself when it answers"),
    "redis_emptied": WarningKind(
        "error", "have the jobs sent again, and let nobody flush this Redis (prod/redis.conf)"
    ),
    "redis_write_failed": WarningKind("error", "look at the disk of Redis"),
    "redis_evicts": WarningKind("error", "set maxmemory-policy noeviction (prod/redis.conf)"),
    "redis_not_durable": WarningKind("warning", "set appendonly yes (prod/redis.conf)"),
    "redis_too_old": WarningKind("error", "install Redis 7.0 or newer, or Valkey"),
    "no_worker": WarningKind("error", "start one with python worker.py"),
    "workers_unknown": WarningKind("warning", "delete the key that ends in :runners; the workers write it anew"),
    "queue_unserved": WarningKind("error", "name it in WORKER_QUEUES"),
    "versions_mixed": WarningKind("warning", "upgrade the older ones, workers first"),
    "schedule_overdue": WarningKind("error", "look for schedule.failed in logs/worker.log"),
    "schedule_not_written": WarningKind("warning", "mend what is in the way; the worker tries again by itself"),
    "notices_untold": WarningKind(
        "error",
        "start a worker (python worker.py) if none runs; else look for telling.failed in logs/worker.log, and mend the"
        " keys of the queue that it names",
    ),
    "mail_blocked": WarningKind("error", "mend SMTP_URL, MAIL_FROM or the mail server; what waits goes out by itself"),
    "webhooks_unsigned": WarningKind("warning", "set WEBHOOK_SECRET, and restart the worker"),
    "worker": WarningKind("warning", "look for warning.raised in logs/worker.log"),
}
"""Code -> its kind. `worker` is what a worker's job module has found, and all that workers of 0.2.0 find."""


class HealthWarning(NamedTuple):
    """code: a word of KINDS. text: what is wrong, without a full stop. queue: the one that it is about; "" for none.
    since_ms: since when it has been so, by Redis' clock; None where nobody knows. advice: what to do about just this
    one; "" for what its kind says."""

    code: str
    text: str
    queue: str = ""
    since_ms: int | None = None
    advice: str = ""

    @property
    def severity(self) -> Severity:
        return KINDS[self.code].severity

    @property
    def what_to_do(self) -> str:
        return self.advice or KINDS[self.code].what_to_do

    @property
    def sentence(self) -> str:
        """Both in one, for a log and for the doctor: "appendonly is off: …; set appendonly yes (prod/redis.conf)"."""
        return f"{self.text}; {self.what_to_do}"
