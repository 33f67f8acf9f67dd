"""The table: what is compared with what, what is to be reached, and whether it was.

A row is there where its figures are: a run of some measures, or without peers, has fewer.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.bench.figure import Figure, rounded

TITLES = ("what", "Waybill", "beside it in the same run", "ratio", "goal", "reached")


class Goal(NamedTuple):
    """limit of the ratio, or of the value itself (then `unit` is shown with it)."""

    sign: str
    limit: float
    is_ratio: bool = True

    def is_reached(self, value: float) -> bool:
        return {"≥": value >= self.limit, "≤": value <= self.limit, "<": value < self.limit}[self.sign]


class Row(NamedTuple):
    """other: how what stands beside it is called, and other_key its figure."""

    what: str
    key: str
    other: str = ""
    other_key: str = ""
    goal: Goal | None = None


_SMTPLIB = {"": "smtplib, one letter composed once", "_composing": "smtplib, each composed by email.message"}
_MAIL_ROWS = tuple(
    Row(f"e-mails to {server}, 20 at a time", f"mails.{key}rate", other, f"mails.{key}smtplib{how}", Goal("≥", 0.9))
    for server, key in (("a bare server", ""), ("Postfix", "postfix_"))
    for how, other in _SMTPLIB.items()
)
ROWS = (
    Row("POST /api/jobs, 64 connections", "post.rate", "Express + BullMQ", "express.http_jobs_c64.rate"),
    Row(
        "POST /api/jobs, 64 connections",
        "post.rate",
        "Fastify + BullMQ",
        "fastify.http_jobs_c64.rate",
        Goal("≥", 1.2),
    ),
    Row("POST /api/jobs, 64 connections: p99", "post.p99", "Fastify + BullMQ", "fastify.http_jobs_c64.p99"),
    Row("NDJSON to POST /api/jobs/batch", "batch.rate", "BullMQ addBulk", "bullmq.enqueue_bulk.rate", Goal("≥", 1.5)),
    Row("jobs that do nothing, 100 at a time", "work.c100", "BullMQ", "bullmq.process_c100.rate", Goal("≥", 2.5)),
    Row("jobs that do nothing, 100 at a time", "work.c100", "bee-queue", "bee-queue.process_c100.rate", Goal("≥", 1.2)),
    Row("jobs that do nothing, 10 at a time", "work.c10"),
    Row("jobs that do nothing, one at a time", "work.c1", "BullMQ", "bullmq.process_c1.rate", Goal("≥", 1.2)),
    Row("Redis time per job: claim, finish and trim", "work.redis_us_c100", goal=Goal("≤", 28, is_ratio=False)),
    Row(
        "an idle worker begins a job of a job: p50", "idle.chained.p50", "BullMQ", "bullmq.pickup_ms.p50", Goal("≤", 1)
    ),
    Row(
        "an idle worker begins a job of a job: p99", "idle.chained.p99", "BullMQ", "bullmq.pickup_ms.p99", Goal("≤", 1)
    ),
    Row("… that comes by HTTP: p50", "idle.p50", "BullMQ (no HTTP)", "bullmq.pickup_ms.p50", Goal("≤", 1)),
    Row("… that comes by HTTP: p99", "idle.p99", "BullMQ (no HTTP)", "bullmq.pickup_ms.p99", Goal("≤", 1)),
    *_MAIL_ROWS,
    Row("Redis memory per waiting job (500 bytes)", "memory.per_job", goal=Goal("≤", 1515, is_ratio=False)),
    Row("server: start until it is ready", "start.server", goal=Goal("<", 400, is_ratio=False)),
    Row("worker: start until a job is begun", "start.worker", goal=Goal("<", 700, is_ratio=False)),
    Row(
        "at rest, server and worker: CPU",
        "resting.cpu",
        "Express + BullMQ",
        "express_and_worker.cpu",
        Goal("<", 0.8, is_ratio=False),
    ),
    Row(
        "at rest, server and worker: memory (PSS)",
        "resting.pss",
        "Express + BullMQ",
        "express_and_worker.pss",
        Goal("<", 118, is_ratio=False),
    ),
    Row("at rest, server and worker: memory (RSS)", "resting.rss", "Express + BullMQ", "express_and_worker.rss"),
)


def _scaling_rows() -> Iterator[Row]:
    """What a second process brings; no goal, for it depends on the cores that are left."""
    for key, at_once, what in (
        ("posts", 64, "POST /api/jobs, 64 connections: 2 server processes"),
        ("jobs", 100, "jobs that do nothing, 100 at a time: 2 runners"),
    ):
        yield Row(what, f"scaling.{key}_p2_c{at_once}", "1 process", f"scaling.{key}_p1_c{at_once}")
        yield Row(f"{what.partition(',')[0]}: Redis would be the limit at", f"scaling.{key}_limit")


def _depth_rows() -> Iterator[Row]:
    """Each kind of depth against a queue of 1,000 jobs: within 20 %."""
    whats = {"waiting": "1,000,000 waiting", "delayed": "1,000,000 delayed", "queues": "100 queues of 1,000"}
    costs = {"enqueue": "Redis time to enqueue a job", "claim_finish": "Redis time to claim and finish a job"}
    rates = {"posts": "POST /api/jobs", "jobs": "jobs that do nothing"}
    for kind, what in whats.items():
        for key, words in {**costs, **rates}.items():
            goal = Goal("≤", 1.2) if key in costs else Goal("≥", 0.8)
            beside = f"depth.{kind}_beside.{key}"
            yield Row(f"{what}: {words}", f"depth.{kind}.{key}", "1,000 in one queue", beside, goal)


CEILING_ROWS = (
    Row("POST /api/jobs against what Redis can do", "post.rate", "its script alone", "ceiling.enqueue"),
    Row("jobs, 100 at a time, against what Redis can do", "work.c100", "its scripts alone", "ceiling.claim_finish"),
)


def compared(figures: Mapping[str, Figure]) -> list[dict[str, Any]]:
    """The rows of a run, as results.json keeps them."""
    rows = (*ROWS, *_depth_rows(), *_scaling_rows(), *CEILING_ROWS)
    return [_compared(row, figures) for row in rows if row.key in figures and _is_told(row, figures)]


def _is_told(row: Row, figures: Mapping[str, Figure]) -> bool:
    """A second row about the same figure says nothing without its peer."""
    first = next((one for one in ROWS if one.key == row.key), row)
    return row is first or row.other_key in figures


def _compared(row: Row, figures: Mapping[str, Figure]) -> dict[str, Any]:
    own, other = figures[row.key], figures.get(row.other_key)
    ratio = rounded(own.value / other.value) if other and other.value else None
    said: dict[str, Any] = {"what": row.what, "key": row.key, "value": own.value, "unit": own.unit}
    if other:
        said |= {"other": row.other, "other_key": row.other_key, "other_value": other.value, "ratio": ratio}
    if row.goal:
        judged = ratio if row.goal.is_ratio else own.value
        said["goal"] = f"{row.goal.sign} {row.goal.limit:g}{'' if row.goal.is_ratio else f' {own.unit}'}"
        said["is_reached"] = None if judged is None else row.goal.is_reached(judged)
    return said


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


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    other = f"{row['other']}: {number(row['other_value'])}" if "other" in row else ""
    ratio = f"{row['ratio']:.2f}" if row.get("ratio") is not None else ""
    reached = {True: "yes", False: "NO", None: ""}[row.get("is_reached")]
    return (row["what"], f"{number(row['value'])} {row['unit']}", other, ratio, row.get("goal", ""), reached)


def number(value: float) -> str:
    """`14,900`, `63.2`, `0.63`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
