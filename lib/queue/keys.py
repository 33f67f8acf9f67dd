"""The names of everything in Redis. With KEY_PREFIX `wb`, and `wb:{q}:` as the base of the queue `q`:

wb:queues                     SET     the queues' names; a queue is added before its first enqueue
wb:{wb:queues}:moved          ZSET    queue -> ms at which somebody last began to use it (lua/queues/name.lua)
wb:fleet                      ZSET    "server 0.2.0 web1.4711.9f3a01c2" -> ms until which that program counts (fleet.py)
wb:runners                    ZSET    runner -> ms until which it counts as living; only its size is read
wb:schedules                  HASH    schedule -> the queue in whose slot it lies: where to look for it. Never the truth
wb:declared                   ZSET    "<schedule> <digest>" of what workers' code declares -> ms until which that counts
wb:replacements               HASH    reason -> how many runners were replaced for it (RUNNER_MAX_JOBS, RUNNER_MAX_MB)
wb:spans                      HASH    exported, dropped -> how many spans went to a collector, and how many did not
wb:warnings                   ZSET    "<text> [<code> since <time>]" -> ms until which it holds; what runners find wrong
wb:{q}:job:<id>               HASH    a job's record: every field stands in job_fields.py
wb:{q}:ready:high|normal|low  LIST    ids of ready jobs; they enter at the left end, and the right end is next
wb:{q}:line:<priority>:<group>  LIST  ids of ready jobs of a group, as in ready:*; see lua/parts/lines.lua
wb:{q}:turns:high|normal|low  ZSET    group whose line has jobs that may start -> jobs that run * 2^43 + its last turn;
                                      '' stands for ready:*
wb:{q}:running:<group>        SET     ids of the group's jobs that run; of jobs of no group in `running:`
wb:{q}:full                   SET     groups with waiting jobs that wait for one of their jobs to end, or are paused
wb:{q}:resting                ZSET    group -> ms at which it may run again: its rate, or a hold
wb:{q}:held                   HASH    group -> "<ms until which it rests> <id of the job that said so>"
wb:{q}:strikes                HASH    group -> "<how many> <ms of the last> <ms until which it rests> <what went wrong>"
                                      of groups whose last jobs got no answer (lua/parts/strikes.lua)
wb:{q}:rate:<group>           LIST    "<bucket>:<starts until then>" (lua/parts/rate.lua); the queue's own in `rate:`
wb:{q}:limits                 HASH    group -> limits of its own, "<concurrency>|<starts>/<ms>|<1 if paused>"
wb:{q}:groups                 ZSET    every group that has or lately had jobs -> 0
wb:{q}:stale                  HASH    line of a group, as "line:high:tenant-42" -> how many stale ids stand in it
wb:{q}:bells                  LIST    where idle runners block in a queue with a concurrency or a rate of its own
wb:{q}:broken                 any     what somebody wrote where a line or an index of groups must be
wb:{q}:suspects               LIST    ids of ready jobs that were aboard two runners that crashed; each runs alone
wb:{q}:active:<runner>        LIST    ids of the jobs that a runner holds: its active list; the newest is at the left
wb:{q}:delayed                ZSET    id -> ms at which the job is due
wb:{q}:blocked                ZSET    id -> ms since which the job is blocked: it waits for other jobs,
                                      or for a callback
wb:{q}:unsure                 ZSET    id of a blocked job with an open edge -> ms at which it asks its parents (again)
wb:{q}:outside                ZSET    id of a blocked job that waits for a callback -> ms by which that must have come
wb:{q}:parents:<id>           HASH    parent's id -> "<rule><mark><name>", and counts of these edges:
                                      lua/parts/edges.lua. As long as the job's record
wb:{q}:said:<id>              HASH    parent's id -> its result or its error (JSON), "!" for too much to keep. As long
                                      as the job's record
wb:{q}:followers              HASH    id of a job that lives -> the ids that wait for its end, parted by commas, and
                                      "!callback" among them where it is told to a callback_url
wb:{q}:notices                STREAM  ends that followers are to be told of: lua/parts/notices.lua. Empty but for ms
wb:{q}:completed dead cancelled   ZSET    id -> ms at which the job ended
wb:{q}:fading                 ZSET    id of a job that has ended and has a `retain` -> ms at which its record goes
wb:{q}:all                    ZSET    id -> ms at which the job was created
wb:{q}:workers                HASH    runner -> about it, JSON: {"host":"a","pid":7,"concurrency":10,"lease_s":30,…}
wb:{q}:beats                  HASH    runner -> "<counter>:<ms of the last beat>"
wb:{q}:vitals                 HASH    runner -> what it told with its last beat: "<bytes of memory> running|draining"
wb:{q}:graves                 ZSET    runner that was reaped -> ms at which that was
wb:{q}:epitaphs               HASH    runner that was reaped -> "<how> <jobs taken back> <about it, JSON>", as long
                                      as its grave (lua/parts/epitaph.lua)
wb:{q}:cancels:<runner>       SET     ids of running jobs whose cancellation was requested; "!<id>" beside the id where
                                      the handler gets no time to stop; expires
wb:{q}:expiring               ZSET    id -> ms at which the job is dead if its handler never started
wb:{q}:keeper deputy          STRING  "<ms> <runner>": who asks when the next time has come, and who does if that one is
                                      gone (lua/parts/keeper.lua); they expire
wb:{q}:epoch                  STRING  a random word, written once: where it is another one or gone, Redis was emptied
wb:{q}:unique:<key>           STRING  the id of the job under that unique key; expires (lua/parts/unique_key.lua has
                              its other forms, for a second type and for throttle)
wb:{q}:idem:<caller> <key>    STRING  "<id or queue> <fingerprint of the request> <answer>"; expires after a day
wb:{q}:commit:<process>       STRING  the number and the answer of a process' last commit; expires
wb:{q}:gone                   HASH    id of a deleted job -> in how many lists it still stands; claim drops it there
wb:{q}:quarantine             LIST    entries of lists that were no jobs, the last 1,000
wb:{q}:log:<id>               LIST    what the job's handler logged, the last 200 lines
wb:{q}:tag:<tag>              ZSET    id of a job that has the tag -> ms at which the job was created
wb:{q}:totals                 HASH    "<event> <type>" -> count since the queue began; beyond 500 "<event> other"
wb:{q}:timings                HASH    "wait|duration <bound in s> <type>" -> count, "… sum <type>" -> microseconds
wb:{q}:observed:<runner>      STRING  the number of the last counts that a runner added to timings; expires
wb:{q}:minute:<n>             HASH    event -> count in the n-th minute since 1970; expires
wb:{q}:times:<period>         HASH    "wait|run <power>" -> how many jobs waited or ran up to 2^power ms in this period
                                      of five minutes; expires
wb:{q}:rollups                ZSET    period that has such hashes -> ms at which they become an entry of `stats`
wb:{q}:stats                  STREAM  a period an entry, of the last day (lua/parts/period_numbers.lua); expires
wb:{q}:errors:<hour>          HASH    kind of error -> the last one, and how many in each five minutes of this hour
                                      since 1970 (lua/parts/note_error.lua); expires
wb:{q}:meta                   HASH    the queue's settings, those of jobs/queue_settings.py that are set; and of its
                                      scripts: `rationed` where runners call ration.lua, `turn` the number of its newest
                                      claim, `mended` the group that mend.lua has looked at last, `schedule_version` the
                                      last version that one of its schedules got
wb:{q}:slots                  ZSET    schedule -> ms at which its next slot is due; +inf while it is paused or has ended
wb:{q}:slot_counts            HASH    fired, skipped, missed -> how many slots of the queue's schedules since the first
                                      one; and how late they fired (lua/parts/slot_counts.lua)
wb:{q}:schedule:<name>        HASH    a schedule: text (JSON, jobs/schedule.py), version, anchor (what every_s counts
                                      from), slot and wall of the next slot, created, changed, last (job), reason (why
                                      the slot is still due), outcomes (the last ten), runs (the last ten jobs), counts
                                      fired skipped missed, code (digests of what job modules have declared, the last
                                      written first), lined_up (with overlap queue: ids of its jobs that lived at the
                                      last slot, by commas)
wb:{q}:events                 STREAM  an entry for each call of a script that ended jobs (lua/parts/events.lua); while
                                      `listened` exists, for every change of state, and one of no job where the census
                                      has changed without one (lua/parts/numbers.lua)
wb:{q}:listened               STRING  exists while somebody reads the whole stream; expires
wb:removed:<marker>           STRING  a queue with this `epoch` was removed on purpose; expires after a day
wb:calls:<caller>             STRING  microseconds at which all of a caller's requests (RATE_LIMIT) are free again;
                                      expires then

`{q}` puts all keys of one queue into one Cluster slot. Every script gets the queue's base as its only key. `worker` in
these names is what the code calls a runner: names in Redis stay as older versions know them.
"""

BELL = b"bell"
"""The entry of ready:normal that wakes a runner which blocks there. No job's id looks like it."""

INDEXED = ("delayed", "blocked", "completed", "dead", "cancelled")
"""The states whose jobs stand in a sorted set of that name."""

TYPES = {
    **dict.fromkeys(("ready:high", "ready:normal", "ready:low", "suspects", "quarantine", "bells", "rate:"), "list"),
    **dict.fromkeys((*INDEXED, "all", "graves", "expiring", "fading", "slots", "unsure", "outside", "rollups"), "zset"),
    **dict.fromkeys(("turns:high", "turns:normal", "turns:low", "resting", "groups"), "zset"),
    **dict.fromkeys(("workers", "beats", "gone", "totals", "timings", "meta", "held", "limits", "stale"), "hash"),
    **dict.fromkeys(("slot_counts", "followers", "strikes", "vitals", "epitaphs"), "hash"),
    **dict.fromkeys(("full", "running:"), "set"),
    **dict.fromkeys(("epoch", "keeper", "deputy"), "string"),
    **dict.fromkeys(("events", "notices", "stats"), "stream"),
}
"""The type of each of a queue's keys that exists once in a queue: for a key that is there, what Redis' TYPE answers."""


class RedisKeys:
    """Key names under one prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.queues = f"{prefix}:queues"
        self.runners = f"{prefix}:runners"
        self.fleet = f"{prefix}:fleet"
        self.schedules = f"{prefix}:schedules"
        self.declared = f"{prefix}:declared"
        self.warnings = f"{prefix}:warnings"
        self.replacements = f"{prefix}:replacements"
        self.spans = f"{prefix}:spans"
        # WHY the braces: name.lua writes this key and `queues`, so both must be in one Cluster slot.
        self.moved = f"{prefix}:{{{self.queues}}}:moved"

    def base(self, queue: str) -> str:
        """What all keys of `queue` begin with, and the one key that its scripts get: `wb:{emails}:`."""
        return f"{self._prefix}:{{{queue}}}:"

    def calls(self, caller: str) -> str:
        """Where a caller's requests are counted. The key belongs to no queue, and has a Cluster slot of its own."""
        return f"{self._prefix}:calls:{caller}"

    def waiting(self, queue: str) -> str:
        """The list on which an idle runner blocks."""
        return self.base(queue) + "ready:normal"

    def bells(self, queue: str) -> str:
        """The list on which an idle runner blocks where the queue has a concurrency or a rate of its own."""
        return self.base(queue) + "bells"

    def removed(self, marker: str) -> str:
        """Where it is noted that the queue with this marker was removed on purpose; it has a slot of its own."""
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

    def totals(self, queue: str) -> str:
        """What is counted of the queue's jobs: it is there as soon as the queue has had one."""
        return self.base(queue) + "totals"

    def limits(self, queue: str) -> str:
        return self.base(queue) + "limits"

    def slots(self, queue: str) -> str:
        return f"{self.base(queue)}slots"

    def schedule(self, queue: str, name: str) -> str:
        return f"{self.base(queue)}schedule:{name}"

    def epoch(self, queue: str) -> str:
        return self.base(queue) + "epoch"

    def quarantine(self, queue: str) -> str:
        return self.base(queue) + "quarantine"

    def tag(self, queue: str, tag: str) -> str:
        """The index of the jobs that have this tag."""
        return f"{self.base(queue)}tag:{tag}"

    def idempotency(self, queue: str, key: str) -> str:
        """key: the caller's name, a space and the Idempotency-Key that the caller sent."""
        return f"{self.base(queue)}idem:{key}"

    def notices(self, queue: str) -> str:
        return self.base(queue) + "notices"

    def unsure(self, queue: str) -> str:
        return self.base(queue) + "unsure"

    def parents(self, queue: str, job_id: str) -> str:
        """The jobs that this job waits for, and what has become of them."""
        return f"{self.base(queue)}parents:{job_id}"

    def said(self, queue: str, job_id: str) -> str:
        """What the jobs that this job has waited for have said."""
        return f"{self.base(queue)}said:{job_id}"

    def log(self, queue: str, job_id: str) -> str:
        return f"{self.base(queue)}log:{job_id}"
