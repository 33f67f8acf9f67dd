"""The names of everything in Redis. With KEY_PREFIX `wb` and a queue `q`:

wb:queues                     SET     the queues' names; SADD before a queue's first enqueue
wb:{wb:queues}:moved          ZSET    queue -> ms at which somebody last began to use it; see lua/name.lua
wb:runners                    ZSET    worker -> ms until which it counts as alive; for the count alone
wb:fleet                      ZSET    "server 0.2.0 web1.4711.9f3a01c2" -> ms until which it counts; see fleet.py
wb:warnings                   ZSET    sentence -> ms until which it holds; what runners find wrong, for /api/health
wb:{q}:job:<id>               HASH    spec, state, and from the first claim on: claims attempts crashes started finished
                                      worker ended result error history …; unbegun: see lua/_unbegun.lua;
                                      noted checkpoint checkpointed: lua/_notes.lua; once:<name> onces: see children.py;
                                      unknown_since: ms since which no runner could run it; gone once an attempt begins;
                                      retain: ms for which its record is kept when it has ended;
                                      patience: ms after its time at which it is given up; gives_up: when that is
wb:{q}:ready:high|normal|low  LIST    ids; LPUSH in, the right end is next
wb:{q}:suspects               LIST    ids of jobs that were aboard two crashed runners; each runs alone
wb:{q}:active:<worker>        LIST    ids that a runner holds
wb:{q}:delayed                ZSET    id -> due ms
wb:{q}:completed dead cancelled   ZSET    id -> finished ms
wb:{q}:fading                 ZSET    id -> ms at which the record of a job goes that has ended and has a `retain`
wb:{q}:all                    ZSET    id -> created ms
wb:{q}:workers beats          HASH    worker -> about it (JSON) | worker -> "<counter>:<ms of the last beat>"
wb:{q}:graves                 ZSET    worker -> died ms
wb:{q}:cancels:<worker>       SET     ids whose running was asked to stop, with ! before one that
                                      was forced as well; expires
wb:{q}:expiring               ZSET    id -> ms at which it is dead if it has not begun
wb:{q}:epoch                  STRING  a random word, written once: where it is another one or gone, Redis was emptied
wb:{q}:unique:<key>           STRING  the id of the job under that key; expires. See lua/_unique.lua
wb:{q}:idem:<caller> <key>    STRING  the id of the job and the fingerprint of its request; expires after a day
wb:{q}:commit:<process>       STRING  the last commit's number and answer; expires
wb:{q}:gone                   HASH    id deleted while still in lists -> in how many; claim drops them and forgets
wb:{q}:quarantine             LIST    what was found in a list and is no job (the last 1,000)
wb:{q}:log:<id>               LIST    what the job's handler logged (the last 200)
wb:{q}:totals                 HASH    "<event> <type>" -> count since the queue began; beyond 500 `<event> other`
wb:{q}:timings                HASH    "wait|duration <bound in s> <type>" -> count, "… sum <type>" -> microseconds
wb:{q}:observed:<worker>      STRING  the number of what a runner last added to timings; expires
wb:{q}:minute:<n>             HASH    event -> count in one minute; expires
wb:{q}:meta                   HASH    what was set for the queue: max_depth, paused
wb:{q}:events                 STREAM  ids that ended, and while `listened` is there all transitions; an entry a call
wb:{q}:listened               STRING  there while somebody reads all of the stream; expires
wb:removed:<marker>           STRING  a queue with this marker (`epoch`) was removed on purpose; expires after a day
wb:calls:<caller>             STRING  µs at which all of a caller's requests (RATE_LIMIT) are free again; expires then

`{q}` puts all keys of one queue into one Cluster slot; every script gets the queue's base, `wb:{q}:`, as its only key.
"""

BELL = b"bell"
"""Stands in ready:normal to wake a runner that blocks there; no job's id looks like it."""


INDEXED = ("delayed", "completed", "dead", "cancelled")
"""The states whose jobs stand in a sorted set of that name."""

TYPES = {
    **dict.fromkeys(("ready:high", "ready:normal", "ready:low", "suspects", "quarantine"), "list"),
    **dict.fromkeys((*INDEXED, "all", "graves", "expiring", "fading"), "zset"),
    **dict.fromkeys(("workers", "beats", "gone", "totals", "timings", "meta"), "hash"),
    "epoch": "string",
    "events": "stream",
}
"""Of those of a queue's keys that have one name: what is there, if anything is."""


class RedisKeys:
    """Key names under one prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.queues = f"{prefix}:queues"
        self.runners = f"{prefix}:runners"
        self.fleet = f"{prefix}:fleet"
        self.warnings = f"{prefix}:warnings"
        # In the slot of `queues`, for one script writes both.
        self.moved = f"{prefix}:{{{self.queues}}}:moved"

    def base(self, queue: str) -> str:
        """What all keys of `queue` begin with, and the one key that its scripts are given."""
        return f"{self._prefix}:{{{queue}}}:"

    def calls(self, caller: str) -> str:
        """Where a caller's requests are counted; no queue's, and in a slot of its own."""
        return f"{self._prefix}:calls:{caller}"

    def waiting(self, queue: str) -> str:
        """The list on which an idle runner blocks."""
        return self.base(queue) + "ready:normal"

    def removed(self, marker: str) -> str:
        """Where it is noted that a marker is gone with its queue, on purpose; in a slot of its own."""
        return f"{self._prefix}:removed:{marker}"

    def active(self, queue: str, runner_id: str) -> str:
        return f"{self.base(queue)}active:{runner_id}"

    def cancels(self, queue: str, runner_id: str) -> str:
        return f"{self.base(queue)}cancels:{runner_id}"

    def commit(self, queue: str, process_id: str) -> str:
        return f"{self.base(queue)}commit:{process_id}"

    def events(self, queue: str) -> str:
        return self.base(queue) + "events"

    def suspects(self, queue: str) -> str:
        return self.base(queue) + "suspects"

    def meta(self, queue: str) -> str:
        return self.base(queue) + "meta"

    def epoch(self, queue: str) -> str:
        return self.base(queue) + "epoch"

    def quarantine(self, queue: str) -> str:
        return self.base(queue) + "quarantine"

    def idempotency(self, queue: str, key: str) -> str:
        """key: the caller's name, a space and what the caller sent."""
        return f"{self.base(queue)}idem:{key}"

    def log(self, queue: str, job_id: str) -> str:
        return f"{self.base(queue)}log:{job_id}"
