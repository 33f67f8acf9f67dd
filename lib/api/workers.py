"""GET /api/workers: the runners that serve the queues, what each runs, and those that went within a day or are silent.

In paths and answers a runner is called a worker: {"id": "web-1.4711.1f3a9c0e", "host": "web-1", "active": 3, …}. Redis
knows runners by queue; a runner of several queues is shown once.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from lib.http1.message import Response
from lib.ids import is_alone
from lib.jobs.timestamps import LAST_MS, timestamp
from lib.queue.crews import MOST_JOBS, Crew, CrewMember, Crews, GoneRunner, RunningJob
from lib.web.json_answer import answer_json
from lib.web.router import Call

MOST_GONE_SHOWN = 100


class WorkerOperations:
    """The operation on workers."""

    def __init__(self, crews: Crews) -> None:
        self._crews = crews
        # WHY one at a time: each queue is asked, and a POST would wait behind the calls of every reader.
        self._reading = asyncio.Lock()

    async def list_all(self, call: Call) -> Response:
        async with self._reading:
            crews = [one async for one in self._crews.all()]
        living = _living(crews)
        return answer_json(200, {"items": living, "gone": _gone(crews, {one["id"] for one in living})})


def _living(crews: Iterable[tuple[str, Crew]]) -> list[dict[str, Any]]:
    """Every runner that lives, sorted by id, with the queues that it serves."""
    found: dict[str, dict[str, Any]] = {}
    for queue, crew in crews:
        for member in crew.living:
            _add(found.setdefault(member.runner_id, _shown(member)), queue, member)
    for runner in found.values():
        runner["jobs"] = [_job(*held) for held in sorted(runner["jobs"], key=_held_since)[:MOST_JOBS]]
    return [found[runner_id] for runner_id in sorted(found)]


def _add(runner: dict[str, Any], queue: str, member: CrewMember) -> None:
    """What one more queue knows of a runner. `jobs` is a list of (queue, RunningJob) until all are known."""
    concurrency = member.about.get("concurrency")
    runner["queues"].append({"queue": queue, "concurrency": concurrency, "active": member.active})
    runner["active"] += member.active
    ages = [age for age in (runner["last_beat_age_s"], member.beat_age_s) if age is not None]
    runner["last_beat_age_s"] = min(ages, default=None)
    runner["jobs"] += [(queue, job) for job in member.jobs]
    if member.vitals is not None:
        runner["state"] = "draining" if member.vitals.is_draining else "running"
        runner["rss_bytes"] = member.vitals.rss_bytes


def _held_since(held: tuple[str, RunningJob]) -> int:
    return held[1].started_ms or 0


def _job(queue: str, job: RunningJob) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "queue": queue,
        "type": job.type,
        "started_at": _time(job.started_ms),
        "timeout_s": job.timeout_s,
        "progress": job.progress,
    }


def _shown(member: CrewMember) -> dict[str, Any]:
    return {
        "id": member.runner_id,
        **_about(member.about),
        "state": None,
        "rss_bytes": None,
        "last_beat_age_s": None,
        "active": 0,
        "queues": [],
        "jobs": [],
    }


def _about(about: dict[str, Any]) -> dict[str, Any]:
    """What a runner registered with."""
    return {
        "host": about.get("host"),
        "pid": about.get("pid"),
        "version": about.get("version"),
        "started_at": _time(about.get("started_ms")),
    }


def _gone(crews: Iterable[tuple[str, Crew]], living: set[str]) -> list[dict[str, Any]]:
    """Every runner that went or is silent, the last one first. Where they are too many, those that left by themselves
    are dropped before those that did not. living: ids of runners that another queue knows still."""
    found: dict[str, dict[str, Any]] = {}
    for queue, crew in crews:
        for one in crew.gone:
            if one.runner_id not in living:
                _add_gone(found.setdefault(one.runner_id, _shown_gone(one)), queue, one)
    newest_first = sorted(found.values(), key=lambda one: one["ended_at"], reverse=True)
    kept = sorted(newest_first, key=lambda one: one["how"] == "left")[:MOST_GONE_SHOWN]
    return sorted(kept, key=lambda one: one["ended_at"], reverse=True)


def _add_gone(runner: dict[str, Any], queue: str, gone: GoneRunner) -> None:
    runner["queues"].append(queue)
    if gone.jobs_returned is not None:
        runner["jobs_returned"] = (runner["jobs_returned"] or 0) + gone.jobs_returned


def _shown_gone(gone: GoneRunner) -> dict[str, Any]:
    about = _about(gone.about)
    # <host>.<pid>.<8 digits>, and behind those perhaps `.alone`. A host may have dots.
    words = gone.runner_id.rsplit(".", 3 if is_alone(gone.runner_id) else 2)
    about["host"] = about["host"] or words[0]
    return {
        "id": gone.runner_id,
        **about,
        "ended_at": timestamp(min(max(0, gone.at_ms), LAST_MS)),
        "how": gone.how or None,
        "jobs_returned": None,
        "queues": [],
    }


def _time(ms: Any) -> str | None:
    return timestamp(ms) if type(ms) is int and 0 <= ms <= LAST_MS else None
