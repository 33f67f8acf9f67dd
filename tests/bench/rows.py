"""The table: what is compared with what, what is to be reached, and whether it was.

A row is there where its figures are: a run of some measures, or without peers, has fewer. A ratio is taken in each
round, between what was measured in turns there, and the middle one counts: so it need not be that of the two figures
shown, each of which is the middle one of its own rounds.
"""

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.bench.figure import Measured, rounded

TITLES = ("what", "Waybill", "beside it in the same run", "ratio", "goal", "reached")


class Goal(NamedTuple):
    """limit of the ratio, or of the value itself (then `unit` is shown with it)."""

    sign: str
    limit: float
    is_ratio: bool = True

    def is_reached(self, value: float) -> bool:
        return {"≥": value >= self.limit, "≤": value <= self.limit, "<": value < self.limit}[self.sign]


class Row(NamedTuple):
    """key: a figure's, or two with ` + ` between them, to be added up. other: how what stands beside it is called, and
    other_key its figure. note: what has to be known of it; a figure's key in braces is that figure."""

    what: str
    key: str
    other: str = ""
    other_key: str = ""
    goal: Goal | None = None
    note: str = ""


_POST = "POST /api/jobs, 64 connections"
_JOBS = "jobs that do nothing, 100 at a time"
_BULK_NOTE = "The peers' bulk calls are in process; Waybill's figure has HTTP, reading and checking in it."
_AHEAD_NOTE = (
    "Waybill claims ahead also where one job runs at a time, {work.jobs_per_call_c1} jobs a call to Redis; "
    "BullMQ makes a round trip for each."
)
_REDIS_NOTE = (
    "{post.redis_us} µs to enqueue, by POSTs of 64 connections, {post.jobs_per_call} jobs a commit; "
    "{work.redis_us_c100} µs to claim, finish and trim, 100 at a time."
)
_PICKUP_NOTE = "A job that a job puts in, as BullMQ's is measured: no HTTP, and one process has both ends."
_MAILS_NOTE = (
    "smtplib in 20 threads: its most, with one letter that was composed beforehand; and with email.message, which "
    "composes each mail, as Waybill does."
)
_MEMORY_NOTE = "A mail with a text of 450 bytes, 500 in all; indexes, history and the rest with it."
_REST_NOTE = "Server and worker, all processes. PSS counts a page that processes share only once, RSS in each."
_GROUPS_NOTE = (
    "Enqueue, claim and finish, 30 a call; {limits.plain.commands} commands a job without limits, "
    "{limits.groups_10.commands} with 10 groups, {limits.groups_1000.commands} with 1,000."
)
_ORDERED_NOTE = (
    "One job of a group at a time, 4 processes of 5 slots, from the first end to the last. BullMQ has no groups: they "
    "are in BullMQ Pro."
)
_RATE_NOTE = (
    "By the start in each job's record. BullMQ counts in windows that begin with a start: where two of them meet, more "
    "may start. groupmq has neither a rate nor a concurrency of a queue."
)
_WEBHOOKS_NOTE = (
    "20 at a time over kept links, {webhooks.runners_1.links} links in one runner; http.client in 20 threads has no "
    "queue, no log and no signature. CPU of a webhook: {webhooks.runners_1.sender_us} µs in the worker, "
    "{webhooks.runners_1.redis_us} µs in Redis, {webhooks.runners_1.receiver_us} µs in the receiver; http.client "
    "{webhooks.http_client.sender_us} µs and {webhooks.http_client.receiver_us} µs."
)
_TENANTS_NOTE = (
    "One of nine has 1,500 jobs of 0.2 s. Of 20 slots Waybill's tenants may have 10 each, groupmq's one each; BullMQ's "
    "stand in one queue."
)


def _posts() -> Iterator[Row]:
    peers = {"Express + BullMQ": "express", "Fastify + BullMQ": "fastify", "FastAPI + arq": "fastapi"}
    goals = {"fastify": Goal("≥", 1.2)}
    for other, peer in peers.items():
        yield Row(_POST, "post.rate", other, f"{peer}.http_jobs_c64.rate", goals.get(peer))
    yield Row("POST /api/jobs: p99", "post.p99", "Fastify + BullMQ", "fastify.http_jobs_c64.p99")


def _pickups() -> Iterator[Row]:
    ways = {"idle.chained": ("an idle worker picks up", "BullMQ"), "idle": ("… what comes by HTTP", "BullMQ, no HTTP")}
    for key, (what, other) in ways.items():
        note = _PICKUP_NOTE if key == "idle.chained" else ""
        for part in ("p50", "p99"):
            yield Row(f"{what}: {part}", f"{key}.{part}", other, f"bullmq.pickup_ms.{part}", Goal("<", 1), note)


def _mails() -> Iterator[Row]:
    hows = {"": "smtplib, one letter", "_composing": "smtplib, email.message"}
    for server, key in (("bare server", ""), ("Postfix", "postfix_")):
        for how, other in hows.items():
            what = f"e-mails, 20 at a time, {server}"
            yield Row(what, f"mails.{key}rate", other, f"mails.{key}smtplib{how}", Goal("≥", 0.9), _MAILS_NOTE)


def _rest() -> Iterator[Row]:
    """Held against the peer's figures of the same run."""
    goals = {"cpu": ("CPU", Goal("<", 1)), "rss": ("memory, RSS", Goal("<", 1)), "pss": ("memory, PSS", None)}
    for key, (what, goal) in goals.items():
        other_key = f"express_and_worker.{key}"
        yield Row(f"at rest: {what}", f"resting.{key}", "Express + BullMQ", other_key, goal, _REST_NOTE)


def _depth() -> Iterator[Row]:
    """Each kind of depth against a queue of 1,000 jobs: within 20 %."""
    whats = {"waiting": "1,000,000 waiting", "delayed": "1,000,000 delayed", "queues": "100 queues of 1,000"}
    costs = {"enqueue": "to enqueue, in Redis", "claim_finish": "claim, finish, in Redis"}
    rates = {"posts": "POST /api/jobs", "jobs": "jobs that do nothing"}
    for kind, what in whats.items():
        for key, words in {**costs, **rates}.items():
            goal = Goal("≤", 1.2) if key in costs else Goal("≥", 0.8)
            beside = f"depth.{kind}_beside.{key}"
            yield Row(f"{what}: {words}", f"depth.{kind}.{key}", "1,000 in one queue", beside, goal)


def _limits() -> Iterator[Row]:
    """Redis time a job, against a queue without limits; and a claim beside many jobs, against 1,000 in one group."""
    kinds = {
        "queue": ("concurrency and rate", Goal("≤", 1.2)),
        "groups_10": ("10 groups", Goal("≤", 1.5)),
        "groups_1000": ("1,000 groups", Goal("≤", 1.8)),
        "capped_10": ("10 capped groups", None),
    }
    for kind, (what, goal) in kinds.items():
        key, other_key = f"limits.{kind}.us", "limits.plain.us"
        yield Row(f"Redis a job: {what}", key, "no limits", other_key, goal, _GROUPS_NOTE)
    depths = {
        "one_group": "1,000,000 in a group",
        "many_groups": "100,000 groups of one",
        "full": "50,000 of one full",
    }
    for depth, beside in depths.items():
        key, other_key = f"limits.{depth}.claim_finish", "limits.shallow.claim_finish"
        yield Row(f"claim, finish: {beside}", key, "1,000 in one group", other_key, Goal("≤", 1.2))


def _wakeups() -> Iterator[Row]:
    yield Row("40 idle runners, a start each 20 ms: claims", "wakeups.idle_40.claims", goal=Goal("<", 8, False))
    yield Row("… of the rate is used", "wakeups.idle_40.used")
    yield Row("100 idle runners, a start each second: claims", "wakeups.idle_100.claims", goal=Goal("<", 10, False))
    for kind in ("queue", "group"):
        yield Row(f"a freed slot of a {kind} is taken: p50", f"wakeups.{kind}.p50")
        yield Row(f"a freed slot of a {kind} is taken: p99", f"wakeups.{kind}.p99", goal=Goal("<", 30, False))


def _limits_peers() -> Iterator[Row]:
    """The same work by others. Who can't do it has no row."""
    for groups in ("10", "1000"):
        what, key = f"{int(groups):,} groups, one of each at once", f"groups_{groups}"
        yield Row(what, f"limits_peers.{key}.jobs", "groupmq", f"groupmq.limits.{key}.jobs", note=_ORDERED_NOTE)
        yield Row("… Redis' CPU", f"limits_peers.{key}.redis", "groupmq", f"groupmq.limits.{key}.redis")
    whats = {
        "rate.most": "50 starts/s: most in any second",
        "rate.commands": "… Redis commands for a start",
        "rate.starts": "… starts behind the first 50",
        "slots.most": "5 at once, 4 processes: at most",
        "slots.jobs": "… jobs of 0.1 s",
    }
    for key, what in whats.items():
        note = _RATE_NOTE if key == "rate.most" else ""
        yield Row(what, f"limits_peers.{key}", "BullMQ", f"bullmq.limits.{key}", note=note)
    for part in ("p50", "p99"):
        for peer in ("groupmq", "BullMQ"):
            key, other_key = f"limits_peers.tenants.{part}", f"{peer.lower()}.limits.tenants.{part}"
            yield Row(f"tenants beside a flood wait: {part}", key, peer, other_key, note=_TENANTS_NOTE)
    yield Row("… load of the machine meanwhile", "limits_peers.load")


def _workflows() -> Iterator[Row]:
    """Jobs that wait for jobs, against as many that wait for nothing; and how fast they follow one another."""
    for way, what in {"then": "a chain by `then`", "workflow": "a chain in a workflow", "after": "by `after`"}.items():
        goal = None if way == "after" else Goal("≤", 2.2)
        yield Row(f"Redis a job: {what}", f"workflows.{way}.redis", "plain jobs", "workflows.plain.redis", goal)
    yield Row("chain of 1,000: end to next start, p50", "workflows.chain.p50", goal=Goal("<", 3, False))
    yield Row("chain of 1,000: end to next start, p99", "workflows.chain.p99", goal=Goal("<", 15, False))
    yield Row("a workflow of 1,000: POST", "workflows.join.post")
    yield Row("… longest script", "workflows.join.longest_script", goal=Goal("≤", 10, False))
    yield Row("a job for which one waits", "workflows.memory.parent", "plain job", "workflows.memory.plain")
    yield Row("a job that waits for one", "workflows.memory.follower", "plain job", "workflows.memory.plain")
    yield Row("a workflow, for each member", "workflows.memory.workflow_per_member")


def _workflows_peers() -> Iterator[Row]:
    """The same flows by others."""
    for shape, what in {"fan": "999 jobs and a join", "chain": "a chain of 1,000"}.items():
        for peer in ("BullMQ", "Celery"):
            key, goal = f"workflows_peers.{shape}.jobs", Goal("≥", 1.5) if shape == "fan" else None
            yield Row(what, key, peer, f"{peer.lower()}.flows.{shape}.jobs", goal)
    yield Row("… load of the machine meanwhile", "workflows_peers.load")


def _webhooks() -> Iterator[Row]:
    others = {
        "http.client alone": "webhooks.http_client",
        "BullMQ, undici": "bullmq.webhooks",
        "Celery with threads": "celery.webhooks_threads",
        "Celery with processes": "celery.webhooks_prefork",
    }
    for runners, what in {1: "webhooks, one runner", 2: "webhooks, two runners"}.items():
        for other, key in others.items():
            goal = Goal("≥", 0.8 if other == "http.client alone" else 1)
            yield Row(what, f"webhooks.runners_{runners}.rate", other, f"{key}.rate", goal, _WEBHOOKS_NOTE)
    yield Row("… load of the machine meanwhile", "webhooks.load")


ROWS = (
    *_posts(),
    Row("NDJSON to /api/jobs/batch", "batch.rate", "BullMQ", "bullmq.enqueue_bulk.rate", Goal("≥", 1.5), _BULK_NOTE),
    Row("NDJSON to /api/jobs/batch", "batch.rate", "bee-queue", "bee-queue.enqueue_bulk.rate", note=_BULK_NOTE),
    Row(_JOBS, "work.c100", "bee-queue", "bee-queue.process_c100.rate", Goal("≥", 1.2)),
    Row(_JOBS, "work.c100", "BullMQ", "bullmq.process_c100.rate", Goal("≥", 2.5)),
    Row(_JOBS, "work.c100", "huey, 4 threads", "huey.process_c100.rate"),
    Row("jobs that do nothing, 10 at a time", "work.c10"),
    Row(
        "jobs that do nothing, one at a time",
        "work.c1",
        "BullMQ",
        "bullmq.process_c1.rate",
        Goal("≥", 1.2),
        _AHEAD_NOTE,
    ),
    *_pickups(),
    *_mails(),
    Row("Redis memory per waiting job", "memory.per_job", "BullMQ", "bullmq.memory", Goal("≤", 1.35), _MEMORY_NOTE),
    Row("server: start until ready", "start.server", "Express + BullMQ", "express.start", Goal("<", 400, False)),
    *_rest(),
    Row(
        "Redis time per job, enqueue to finish, trim included",
        "post.redis_us + work.redis_us_c100",
        goal=Goal("≤", 33, False),
        note=_REDIS_NOTE,
    ),
    Row("worker: start until a job is begun", "start.worker", goal=Goal("<", 700, False)),
    *_depth(),
    *_limits(),
    *_wakeups(),
    *_limits_peers(),
    *_workflows(),
    *_workflows_peers(),
    *_webhooks(),
    Row("POST: 2 server processes", "scaling.posts_p2_c64", "1 process", "scaling.posts_p1_c64"),
    Row("jobs that do nothing: 2 runners", "scaling.jobs_p2_c100", "1 runner", "scaling.jobs_p1_c100"),
    Row(_POST, "post.rate", "Redis alone", "ceiling.enqueue"),
    Row(_JOBS, "work.c100", "Redis alone", "ceiling.claim_finish"),
)


def compared(figures: Mapping[str, Measured]) -> list[dict[str, Any]]:
    """The rows of a run, as results.json keeps them."""
    found: list[dict[str, Any]] = []
    for row in ROWS:
        own, other = _measured(row.key, figures), _measured(row.other_key, figures)
        # A second row about the same figure says nothing without its peer.
        if own and (other or row.key not in {one["key"] for one in found}):
            found.append(_compared(row, own, other) | _noted(row.note, figures))
    return found


def _measured(key: str, figures: Mapping[str, Measured]) -> Measured | None:
    parts = [figures[part] for part in key.split(" + ") if part in figures]
    if not parts or len(parts) < len(key.split(" + ")):
        return None
    # Of runs of their own one may have more rounds: then there are so many sums as the other has.
    return Measured(parts[0].unit, tuple(map(sum, zip(*(part.rounds for part in parts), strict=False))))


def _compared(row: Row, own: Measured, other: Measured | None) -> dict[str, Any]:
    said: dict[str, Any] = {"what": row.what, "key": row.key, "value": own.value, "unit": own.unit}
    ratio = None
    if other:
        said |= {"other": row.other, "other_key": row.other_key, "other_value": other.value}
        ratios = [rounded(a / b) for a, b in zip(own.rounds, other.rounds, strict=True) if b]
        said["ratio"] = ratio = rounded(statistics.median(ratios)) if ratios else None
        said["ratios"] = ratios
    if row.goal:
        judged = ratio if row.goal.is_ratio else own.value
        said["goal"] = f"{row.goal.sign} {row.goal.limit:g}{'' if row.goal.is_ratio else f' {own.unit}'}"
        said["is_reached"] = None if judged is None else row.goal.is_reached(judged)
    return said


def _noted(note: str, figures: Mapping[str, Measured]) -> dict[str, str]:
    keys = re.findall(r"\{([^}]+)\}", note)
    if not note or not all(key in figures for key in keys):
        return {}
    return {"note": re.sub(r"\{([^}]+)\}", lambda found: number(figures[found[1]].value), note)}


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """For a terminal."""
    lines = [TITLES, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 2, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def notes(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each once, with the first row that it is about."""
    found: dict[str, str] = {}
    for row in rows:
        if "note" in row:
            found.setdefault(row["note"], f"{row['what']}: {row['note']}")
    return list(found.values())


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    other = f"{row['other']}: {number(row['other_value'])}" if "other" in row else ""
    ratio = f"{row['ratio']:.2f}" if row.get("ratio") is not None else ""
    reached = {True: "yes", False: "NO", None: ""}[row.get("is_reached")]
    return (row["what"], f"{number(row['value'])} {row['unit']}", other, ratio, row.get("goal", ""), reached)


def number(value: float) -> str:
    """`14,900`, `63.2`, `0.63`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
