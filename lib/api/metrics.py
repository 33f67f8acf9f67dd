"""GET /metrics: all counters and gauges, in Prometheus' text form, for all server processes and workers together.

    waybill_jobs_completed_total{queue="email",type="email"} 1217

The numbers of requests come from the memory that the server's processes share. All others come from Redis, a few queues
at a time, so that neither Redis nor this process is held up. With Redis away the answer has the rest, and
waybill_redis_up 0: operators look at metrics above all then. No id, key or path is ever a label.
"""

import asyncio
import contextlib
import platform
from collections import Counter
from collections.abc import Iterable, Mapping

from lib import __version__
from lib.errors import RedisKeysBroken, RedisUnavailable
from lib.http1.message import Response
from lib.jobs.registry import Registry
from lib.jobs.webhook_defaults import WEBHOOK_TYPE
from lib.jobs.webhook_outcomes import OUTCOMES
from lib.prometheus import CONTENT_TYPE, Family, exposition
from lib.queue.census import Census
from lib.queue.fleet import Fleet, Program, version_text
from lib.queue.meters import SPAN_OUTCOMES, Counters, Meters, SlotCounts
from lib.queue.queue_names import in_batches
from lib.queue.queue_store import QueueStore
from lib.queue.unreadable import Unreadable, each_readable
from lib.web.request_counts import RequestCounts
from lib.web.router import Call

REPLACED_FOR = ("jobs", "memory")  # As in lib/work/supervisor/wear.py, for a counter that is shown from 0 on.
EVENTS = ("enqueued", "completed", "retried", "dead", "cancelled")
SKIPPED_FOR = {"skipped": "overlap", "missed": "missed"}
"""Why a slot of a schedule got no job: what slot_counts.lua counts -> the label `reason`."""


class MetricsOperations:
    """The operation. counts: the numbers of requests. registry: the types whose counters are shown before their first
    job."""

    def __init__(
        self, queues: QueueStore, meters: Meters, fleet: Fleet, counts: RequestCounts, registry: Registry
    ) -> None:
        self._queues = queues
        self._meters = meters
        self._fleet = fleet
        self._counts = counts
        self._types_of = registry.queues

    async def scrape(self, call: Call) -> Response:
        of_queues = _OfQueues()
        try:
            await self._ask_redis(of_queues)
            is_up = True
        except RedisUnavailable:
            # All queues or none: with half of them shown, the other queues would look as if they were gone.
            of_queues, is_up = _OfQueues(), False
        except RedisKeysBroken:
            # The set of queue names itself is broken: at least one queue is left out, nobody knows how many.
            of_queues, is_up = _OfQueues(), True
            of_queues.unreadable = 1
        families = [*self._of_server(is_up), *of_queues.families, *self._of_requests()]
        parts = []
        for family in families:
            parts.append(exposition([family]))
            # Other requests get a turn: the histogram of a thousand queues is a MiB of text.
            await asyncio.sleep(0)
        return Response(200, b"".join(parts), content_type=CONTENT_TYPE)

    async def _ask_redis(self, found: "_OfQueues") -> None:
        names = await self._queues.names()
        with contextlib.suppress(RedisKeysBroken):
            found.workers.add(await self._queues.runners.count_alive())
            found.warnings.add(len(await self._queues.warnings.all()))
        with contextlib.suppress(RedisKeysBroken):
            found.add_programs(await self._fleet.programs())
        with contextlib.suppress(RedisKeysBroken):
            found.add_replacements(await self._queues.runners.replacements())
        with contextlib.suppress(RedisKeysBroken):
            found.add_spans(await self._meters.spans())
        for some in in_batches(names):
            reading = each_readable(some, self._meters.read)
            censuses, counted = await asyncio.gather(self._queues.census_of(some), reading)
            for census, counters in zip(censuses, counted, strict=True):
                if isinstance(census, Unreadable) or isinstance(counters, Unreadable):
                    found.unreadable += 1
                    continue
                found.add_census(census)
                found.add_counters(census.queue, counters, self._types_of.get(census.queue, ()))
                # Other requests get a turn: a queue has ten lines for each type, and may have hundreds of types.
                await asyncio.sleep(0)
        for queue in self._types_of.keys() - names:
            found.add_types(queue, self._types_of[queue])

    def _of_server(self, is_up: bool) -> list[Family]:
        build = Family("waybill_build_info", "gauge", "Always 1; its labels say which Waybill this is.")
        build.add(1, version=__version__, python=platform.python_version())
        redis = Family("waybill_redis_up", "gauge", "Whether Redis answered this scrape: 1 or 0.")
        redis.add(1 if is_up else 0)
        dropped = Family(
            "waybill_log_lines_dropped_total",
            "counter",
            "Log lines of the server that were lost (a full disk; without files, a stuck console).",
        )
        dropped.add(self._counts.lines_dropped)
        return [build, redis, dropped]

    def _of_requests(self) -> list[Family]:
        connections = Family("waybill_http_connections", "gauge", "Open HTTP connections, as of the last second.")
        connections.add(self._counts.open_connections)
        requests = Family(
            "waybill_http_requests_total", "counter", "Requests answered, by route as openapi.yaml has it."
        )
        for method, route, status, count in self._counts.answered():
            requests.add(count, method=method, route=route, status=str(status))
        durations = Family(
            "waybill_http_request_duration_seconds", "histogram", "From a request's first byte to its answer."
        )
        for route, histogram in self._counts.durations():
            durations.add_histogram(histogram, route=route)
        return [connections, requests, durations]


class _OfQueues:
    """The families whose numbers come from Redis, filled queue by queue."""

    def __init__(self) -> None:
        self.unreadable = 0
        self.workers = Family("waybill_workers", "gauge", "Runners that are alive, on all hosts.")
        self.warnings = Family(
            "waybill_worker_warnings",
            "gauge",
            "Sentences in the warnings of /api/health that workers tell: a login refused by the mail server, say.",
        )
        self._programs = Family(
            "waybill_programs",
            "gauge",
            "Programs of Waybill that use this Redis, by kind (server, supervisor, runner) and version.",
        )
        self._replacements = Family(
            "waybill_runner_replacements_total",
            "counter",
            "Runners that were replaced, by reason: jobs (RUNNER_MAX_JOBS) or memory (RUNNER_MAX_MB).",
        )
        self._spans = {
            outcome: Family(f"waybill_spans_{outcome}_total", "counter", f"Spans that {about}, by all programs.")
            for outcome, about in zip(
                SPAN_OUTCOMES,
                ("a collector has taken", "no collector will get (OTEL_EXPORTER_OTLP_ENDPOINT)"),
                strict=True,
            )
        }
        self._jobs = Family("waybill_jobs", "gauge", "Jobs that Redis holds now, by state.")
        self._latency = Family(
            "waybill_queue_latency_seconds",
            "gauge",
            "For how long the oldest ready job of a queue has waited; 0: none.",
        )
        self._events = {
            event: Family(f"waybill_jobs_{event}_total", "counter", f"Jobs {about}, since the queue began.")
            for event, about in zip(
                EVENTS,
                ("taken in", "completed", "that failed and are tried again", "that are dead", "cancelled"),
                strict=True,
            )
        }
        self._timings = {
            "wait": Family(
                "waybill_job_wait_seconds",
                "histogram",
                "From when a job was ready until a runner took it, each attempt.",
            ),
            "duration": Family("waybill_job_duration_seconds", "histogram", "How long a handler ran, each attempt."),
        }
        self._notices = Family(
            "waybill_notices_waiting",
            "gauge",
            "Ends of jobs of a queue that are still to be told to jobs that wait for them.",
        )
        self._untold = Family(
            "waybill_notices_oldest_seconds", "gauge", "For how long the oldest of these has waited; 0: none."
        )
        self._webhooks = Family(
            "waybill_webhooks_total",
            "counter",
            "Requests of webhooks, by outcome: taken, refused, refused_for_good, no_answer or not_allowed.",
        )
        self._limits = _OfLimits()
        self._slots = _OfSchedules()

    @property
    def families(self) -> list[Family]:
        unreadable = Family(
            "waybill_queues_unreadable", "gauge", "Queues left out here: keys of theirs are not what Waybill wrote."
        )
        unreadable.add(self.unreadable)
        gauges = [self.workers, self.warnings, self._programs, self._replacements, *self._spans.values(), unreadable]
        jobs = [self._jobs, self._latency]
        counted = [*self._events.values(), *self._timings.values(), self._webhooks]
        notices = [self._notices, self._untold]
        return [*gauges, *jobs, *self._limits.families, *counted, *self._slots.families, *notices]

    def add_programs(self, programs: Iterable[Program]) -> None:
        for (kind, version), count in Counter((one.kind, version_text(one.version)) for one in programs).items():
            self._programs.add(count, kind=kind, version=version)

    def add_replacements(self, counts: Mapping[str, int]) -> None:
        for reason in sorted({*REPLACED_FOR, *counts}):
            self._replacements.add(counts.get(reason, 0), reason=reason)

    def add_spans(self, counts: Mapping[str, int]) -> None:
        for outcome, family in self._spans.items():
            family.add(counts[outcome])

    def add_census(self, census: Census) -> None:
        for state, count in census.counts.items():
            self._jobs.add(count, queue=census.queue, state=state)
        self._latency.add(census.oldest_ready_age_s or 0, queue=census.queue)
        self._limits.add(census)

    def add_counters(self, queue: str, counters: Counters, types: Iterable[str]) -> None:
        """Add the counters of a queue. types: the names of the types that enqueue to it by default."""
        for type_name in sorted({*types, *(type_name for _, type_name in counters.totals)}):
            for event, family in self._events.items():
                family.add(counters.totals.get((event, type_name), 0), queue=queue, type=type_name)
        for (metric, type_name), histogram in counters.timings.items():
            if metric in self._timings:
                self._timings[metric].add_histogram(histogram, queue=queue, type=type_name)
        if counters.webhooks or WEBHOOK_TYPE in types:
            for outcome in sorted({*OUTCOMES, *counters.webhooks}):
                self._webhooks.add(counters.webhooks.get(outcome, 0), queue=queue, outcome=outcome)
        if counters.slots:
            self._slots.add(queue, counters.slots)
        self._notices.add(counters.notices, queue=queue)
        self._untold.add(counters.untold_s, queue=queue)

    def add_types(self, queue: str, types: Iterable[str]) -> None:
        """Add the counters, all 0, of a queue that had no job yet.

        WHY: Prometheus sees no increase in a counter that begins at 5, so that the first five dead jobs raise no alert.
        """
        self.add_counters(queue, Counters({}, {}), types)


class _OfLimits:
    """The families about the limits of queues, and about groups."""

    def __init__(self) -> None:
        self._limits = {
            "concurrency": Family(
                "waybill_queue_concurrency_limit", "gauge", "How many jobs of a queue may run at once, where limited."
            ),
            "rate": Family(
                "waybill_queue_starts_per_second_limit",
                "gauge",
                "How many jobs of a queue may start in a second on average, where its rate is limited.",
            ),
        }
        self._limited = Family(
            "waybill_queue_limited",
            "gauge",
            "Whether jobs of a queue wait because of its own limit: 1 or 0, for each limit that is set.",
        )
        self._lines = Family(
            "waybill_queue_groups",
            "gauge",
            "Groups of a queue with ready jobs: they wait for their turn, for a job of theirs to end, or for a time. As"
            " struck those whose jobs got no answer, with ready jobs or without.",
        )

    @property
    def families(self) -> list[Family]:
        return [*self._limits.values(), self._limited, self._lines]

    def add(self, census: Census) -> None:
        """Add the queue's own limits, where any are set, and its groups, where it has any."""
        concurrency, rate = census.settings["concurrency"], census.settings["rate"]
        limits = {"concurrency": concurrency, "rate": rate and rate["limit"] / rate["per_s"]}
        for by, limit in limits.items():
            if limit:
                self._limits[by].add(limit, queue=census.queue)
                is_limiting = census.limited is not None and census.limited.by == by
                self._limited.add(1 if is_limiting else 0, queue=census.queue, by=by)
        for state, count in census.lines.items():
            self._lines.add(count, queue=census.queue, state=state)


class _OfSchedules:
    """The families about schedules, by queue: a name of a schedule is no label, for there may be ten thousand."""

    def __init__(self) -> None:
        self._schedules = Family("waybill_schedules", "gauge", "Schedules that queue their jobs in a queue.")
        self._overdue = Family(
            "waybill_schedule_overdue_seconds",
            "gauge",
            "For how long a run of a queue's schedules has been due, the longest; 0: none is.",
        )
        self._fired = Family("waybill_schedule_fired_total", "counter", "Runs of schedules for which a job was queued.")
        self._skipped = Family(
            "waybill_schedule_skipped_total",
            "counter",
            "Runs of schedules without a job, by reason: overlap (the job before had not ended) or missed (nothing ran"
            " when they were due).",
        )
        self._late = Family(
            "waybill_schedule_late_seconds", "histogram", "From when a run was due until its job was queued."
        )

    @property
    def families(self) -> list[Family]:
        return [self._schedules, self._overdue, self._fired, self._skipped, self._late]

    def add(self, queue: str, slots: SlotCounts) -> None:
        self._schedules.add(slots.schedules, queue=queue)
        self._overdue.add(slots.overdue_s, queue=queue)
        self._fired.add(slots.counts["fired"], queue=queue)
        for outcome, reason in SKIPPED_FOR.items():
            self._skipped.add(slots.counts[outcome], queue=queue, reason=reason)
        self._late.add_histogram(slots.late, queue=queue)
