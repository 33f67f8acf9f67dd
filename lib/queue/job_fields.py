"""A job's record: every field of the hash `wb:{q}:job:<id>`, what it holds, and which Lua files write and clear it.

The names in `written_by` and `cleared_by` are files of lua/ (`fail` is lua/jobs/fail.lua, `conclude` is
lua/parts/conclude.lua). tests/unit/queue/test_job_fields.py reads the Lua and holds the table to it. Whoever adds a
field adds a row here; a new transition clears the fields that the rows name.

A record begins with `spec` and `state` alone; a field that says nothing is left out. Every value is text: ms are since
1970, by Redis' clock, unless a row says otherwise. `lib/queue/job_record.py` reads the record back.
"""

from typing import Final, NamedTuple


class JobField(NamedTuple):
    """One field of the hash."""

    holds: str
    example: str
    written_by: str
    """Lua files, parted by spaces; "" for a field that only later versions write."""
    cleared_by: str
    """Lua files, parted by spaces; "" for a field that stays as long as the record."""
    absent: str
    """What it means that the field is not there."""


JOB_FIELDS: Final[dict[str, JobField]] = {
    # What was asked for.
    "spec": JobField(
        "the job as lib/jobs/spec.py writes it, JSON; `v` and `type` come first, `payload` last",
        '{"v":1,"type":"email",…,"payload":{"to":"ann@example.com"}}',
        "take_in patch",
        "",
        "never; where somebody deleted it, claim makes the job dead as unreadable",
    ),
    "priority": JobField("high, normal or low", "high", "take_in patch", "change_in_place", "normal"),
    "group": JobField(
        "whose line the job waits in, and by whose limits it runs; '' for a job of no group that ration.lua handed out",
        "tenant-42",
        "take_in hand_out",
        "",
        "the job has no group, and was not handed out by ration.lua",
    ),
    "tags": JobField(
        "the tags in whose indexes the job stands, parted by commas",
        "eu,order-17",
        "take_in patch",
        "patch change_in_place",
        "none",
    ),
    "expires": JobField(
        "ms at which the job is dead if its handler never started",
        "1795955797333",
        "take_in",
        "revive change_in_place",
        "the job does not expire",
    ),
    "unique_ttl": JobField(
        "for how many ms the job holds its unique key, counted from its due time",
        "3600000",
        "take_in",
        "change_in_place",
        "no unique key, or a day",
    ),
    "unique_mode": JobField(
        "throttle: nobody takes the unique key from the job for that long, whether the job has ended or not; "
        "replace, debounce: it took the key from whoever had it",
        "throttle",
        "take_in",
        "change_in_place",
        "no unique key, or one of the mode keep: it is free when the job has ended",
    ),
    "due_by": JobField(
        "of the mode debounce: ms after which a further request does not put the job off",
        "1796038597333",
        "take_in",
        "change_in_place",
        "the job is not of the mode debounce",
    ),
    "retain": JobField(
        "for how many ms the record is kept when the job has ended",
        "3600000",
        "take_in",
        "change_in_place",
        "as long as the queue's retention keeps it",
    ),
    "patience": JobField(
        "for how many ms after its due time the job is tried",
        "259200000",
        "take_in",
        "change_in_place",
        "the job is never given up",
    ),
    "gives_up": JobField(
        "ms at which the job is given up: the due time and `patience`",
        "1796211397333",
        "take_in patch revive set_free",
        "change_in_place",
        "the job is never given up",
    ),
    # Where it stands.
    "state": JobField(
        "ready, delayed, blocked, active, completed, dead or cancelled",
        "delayed",
        "take_in make_ready give_back delay block hand_out conclude",
        "",
        "never",
    ),
    "since": JobField(
        "ms since which the job is ready, after it was delayed, given back or retried",
        "1795952257334",
        "promote_due release reap revive patch set_free change_in_place overdue",
        "",
        "ready since it was created (the score in `all`)",
    ),
    "listed": JobField(
        "the lists in which the id is stale, a letter each: lua/parts/stale_ids.lua",
        "nh",
        "mark_stale stale_ids",
        "stale_ids",
        "no list holds a stale id of the job",
    ),
    "waits": JobField(
        "1: the job waits, or has waited, for other jobs: its edges stand in parents:<id>",
        "1",
        "take_in",
        "",
        "the job never waited for others",
    ),
    "by_parents": JobField(
        "the mark with which the job was ended by what became of others: lua/parts/edges.lua",
        "x",
        "verdict",
        "verdict revive",
        "the job lives, or was not ended by others",
    ),
    "free_delay": JobField(
        "for how many ms a blocked job is delayed once it is free",
        "60000",
        "take_in",
        "patch change_in_place",
        "not at all",
    ),
    "free_due": JobField(
        "ms before which a blocked job is not ready once it is free",
        "1795955797333",
        "take_in patch",
        "change_in_place",
        "it is ready at once",
    ),
    "joins": JobField("of a workflow: how many jobs it has", "3", "take_in adopt", "", "the job is no workflow"),
    "opened": JobField(
        "1: the workflow's jobs were told that it is open", "1", "place_in_graph verdict", "", "they were not"
    ),
    "reopened": JobField(
        "when the job last began to wait again for jobs that it had heard of (ms): an older word of them is void",
        "1764410000123",
        "reopen",
        "",
        "never",
    ),
    "round": JobField(
        "of a workflow: ms at which it was run again last, and with it those of its jobs that did not complete",
        "1795955797333",
        "retry",
        "",
        "never",
    ),
    "order": JobField(
        "the last order of its workflow to run again that the job obeyed: the workflow and its `round`",
        "default-01a22717becb700088baee274164865e r1795955797333",
        "retry",
        "",
        "it was given none",
    ),
    "followed": JobField(
        "the ids of the jobs that were told of its last end, parted by commas; !callback for a callback_url",
        "emails-01a22717becb700088baee274164865e",
        "notices attach",
        "",
        "nobody has waited for its end",
    ),
    "superseded": JobField(
        "ms at which a later job took this one's unique key, and that job: no further attempt is made",
        "1795955797333 emails-01a22717becb700088baee274164865e",
        "replace",
        "revive",
        "none has",
    ),
    "suspect": JobField(
        "1: the job was aboard two runners that crashed, and waits in `suspects`",
        "1",
        "release reap",
        "claiming take_out patch revive",
        "the job is no suspect, or runs",
    ),
    # Its attempts.
    "claims": JobField(
        "how often the job was claimed; the newest number is the token of the attempt that runs",
        "1",
        "hand_out",
        "",
        "the job was never claimed",
    ),
    "attempts": JobField(
        "how many attempts count; an attempt that is snoozed or given back does not",
        "1",
        "hand_out snooze release reap",
        "revive",
        "the job was not claimed since it was created or retried",
    ),
    "crashes": JobField(
        "how many runners crashed with the job aboard, less those of a suspect that got on: reap.lua",
        "2",
        "reap",
        "revive",
        "none since it was created or retried",
    ),
    "worker": JobField(
        "the id of the runner that claimed the job last",
        "mail-1.4711.a",
        "hand_out",
        "revive",
        "the job was not claimed since it was created or retried",
    ),
    "started": JobField(
        "ms at which the job was claimed last", "1795952197334", "hand_out", "revive", "as with `worker`"
    ),
    "ended": JobField(
        "the token of the attempt that was ended last, unless that was by complete: lua/parts/fence.lua",
        "1",
        "fail snooze release revive hand_over callback overdue",
        "",
        "no attempt was ended by these; complete writes none",
    ),
    "callback_token": JobField(
        "the attempt that a callback may end, the hash of the secret in the callback's URL, and what has come: "
        "lua/parts/callback_token.lua",
        "3 6e0c1f… -",
        "callback_token",
        "",
        "no attempt asked for a callback",
    ),
    "callback_before": JobField(
        "the hashes of the secrets that `callback_token` held before, the newest first, the last 20",
        "6e0c1f… 8a11b0…",
        "callback_token",
        "",
        "no attempt but the newest asked for a callback",
    ),
    "unbegun": JobField(
        "the newest of the claims that were given back before the handler started: lua/parts/unbegun.lua",
        "1",
        "unbegun gate",
        "revive",
        "the job does not expire, or its first claim started the handler",
    ),
    "unknown_since": JobField(
        "ms since which runners claim the job and know no handler for its type",
        "1795952197335",
        "snooze",
        "snooze fail release reap patch revive change_in_place hand_over callback",
        "its type was known to the last runner",
    ),
    "cancel_requested": JobField(
        "ms at which the cancellation of the running job was first requested",
        "1795952198000",
        "cancel",
        "revive verdict",
        "nobody has requested that",
    ),
    "history": JobField(
        "a line for each attempt that is over, the last 20: lua/parts/history.lua",
        r"1\x1d1795952197334\x1d1795952197335\x1dmail-1.4711.a\x1dretried\x1d{…}\x1d1795952199335\x1c",
        "history",
        "",
        "no attempt is over, or only the one that ended the job",
    ),
    # What its handler said.
    "progress": JobField(
        "what the handler reported last, JSON",
        '{"done":40}',
        "notes callback",
        "revive",
        "the handler reported nothing",
    ),
    "checkpoint": JobField(
        "what the next attempt begins with, JSON", '{"row":5000}', "notes", "notes revive", "there is none"
    ),
    "checkpointed": JobField(
        "ms at which `checkpoint` got the text that it has",
        "1795952197400",
        "notes",
        "notes revive",
        "there is no checkpoint",
    ),
    "noted": JobField(
        "token and number of the last log line that was kept: lua/parts/notes.lua",
        "1:17",
        "notes",
        "",
        "the handler logged nothing",
    ),
    "once:<name>": JobField(
        "the id of the job enqueued under this name; with a + before it when it was taken in: named_jobs.py",
        "+emails-01a22717becb84c188baee274164865e",
        "once made",
        "",
        "the handler enqueued nothing under this name",
    ),
    "onces": JobField("how many such names there are", "1", "once", "", "none"),
    # How it ended.
    "finished": JobField("ms at which the job ended", "1795952197335", "conclude", "revive verdict", "the job lives"),
    "result": JobField(
        "what the handler returned, JSON",
        '{"message_id":"<1@example.com>"}',
        "finish callback",
        "revive",
        "the job is not completed, returned nothing, or its result could not be kept",
    ),
    "result_truncated": JobField(
        "1: the result could not be kept", "1", "finish", "revive", "it was kept, or there is none"
    ),
    "result_error": JobField(
        "why the result could not be kept", "it was over 64 KiB", "finish", "revive", "it was kept, or there is none"
    ),
    "error": JobField(
        "what the last failed attempt raised, or why the job is dead, JSON",
        '{"type":"SMTPError","message":"421 try later"}',
        "fail kill reap cancel_request replace callback overdue",
        "revive verdict",
        "no attempt has failed since the job was created or retried",
    ),
}

FAILED_ONCE: Final[dict[str, str]] = {
    "spec": '{"v":1,"type":"email","request_id":"order-1042",'
    '"trace":"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","max_attempts":5,"timeout_s":60,"backoff":[2,3600],"priority":"high","payload":{"to":"ann@example.com"}}',
    "priority": "high",
    "state": "delayed",
    "claims": "1",
    "attempts": "1",
    "worker": "mail-1.4711.a",
    "started": "1795952197334",
    "ended": "1",
    "history": "1\x1d1795952197334\x1d1795952197335\x1dmail-1.4711.a\x1dretried"
    '\x1d{"type":"SMTPError","message":"421 try later"}\x1d1795952199335\x1c',
    "error": '{"type":"SMTPError","message":"421 try later"}',
}
"""The whole hash of a job of priority high whose first attempt failed, and that waits for its second one."""


def is_job_field(name: str) -> bool:
    """Whether a job's hash may have a field of this name: `once:<name>` stands for every name."""
    return name in JOB_FIELDS or name.startswith("once:")
