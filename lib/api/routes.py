"""THE TABLE: every operation of the API, in openapi.yaml's order. A test holds the two equal.

A row: method, path, operationId, the Python method that answers, the query parameters, and the scope that the caller's
key needs (read, write or admin; None: no key).
"""

from typing import NamedTuple

from lib.api import dashboard, manual
from lib.api.actions.operations import ActionOperations
from lib.api.bulk.batch import BODIES, BatchOperations
from lib.api.callbacks import CallbackOperations
from lib.api.caller import read_caller
from lib.api.dashboard import DashboardOperations
from lib.api.events import EventOperations
from lib.api.explain import ExplainOperations
from lib.api.groups import GroupOperations
from lib.api.hosts import HostOperations
from lib.api.job_filters import FILTERS
from lib.api.job_list import JobList
from lib.api.job_types import TypeOperations
from lib.api.jobs import JobOperations
from lib.api.manual import ManualOperations
from lib.api.metrics import MetricsOperations
from lib.api.queue_pages import QueuePages
from lib.api.queues import QueueOperations
from lib.api.requests import RequestOperations
from lib.api.schedule_pages import SchedulePages
from lib.api.schedules import ScheduleOperations
from lib.api.stats import StatsOperations
from lib.api.system import SystemOperations
from lib.api.workers import WorkerOperations
from lib.api.workflows import WorkflowOperations
from lib.prometheus import CONTENT_TYPE
from lib.web.router import JSON, CallbackOperation, Route

# RFC 7396: a PATCH of a job or a queue does with each of its fields as a merge patch does.
_PATCHES = {JSON: None, "application/merge-patch+json": None}
_SCHEDULES = frozenset({"queue", "owner", "name", "sort", "day", "limit", "cursor"})
_LISTING = frozenset({"queue", "state", *FILTERS, "q", "id", "order", "fields", "limit", "cursor"})
_EVENTS = frozenset({"queue", "job", "request_id", "digest_s", "for_s"})
_QUEUES = frozenset({"sort", "name", "lately", "limit", "cursor"})
_PAGE = frozenset({"limit", "cursor"})
_HOSTS = frozenset({"queue", "limit", "cursor"})
_ERRORS = frozenset({"window", "queue", "merged", "limit"})
_WAIT = frozenset({"wait"})


class AllOperations(NamedTuple):
    """The objects whose methods answer requests, one for each resource. service.py makes them."""

    jobs: JobOperations
    job_list: JobList
    batches: BatchOperations
    actions: ActionOperations
    types: TypeOperations
    queues: QueueOperations
    queue_pages: QueuePages
    workers: WorkerOperations
    groups: GroupOperations
    schedules: ScheduleOperations
    schedule_pages: SchedulePages
    events: EventOperations
    system: SystemOperations
    metrics: MetricsOperations
    manual: ManualOperations
    explain: ExplainOperations
    workflows: WorkflowOperations
    callbacks: CallbackOperations
    hosts: HostOperations
    requests: RequestOperations
    stats: StatsOperations
    dashboard: DashboardOperations


def routes(operations: AllOperations) -> tuple[Route, ...]:
    return (
        *_job_routes(operations.jobs, operations.job_list, operations.batches, operations.actions),
        Route("GET", "/api/jobs/{job_id}/explain", "explainJob", operations.explain.explain, scope="read"),
        Route("GET", "/api/requests/{request_id}", "readRequest", operations.requests.read, _PAGE, scope="read"),
        Route("GET", "/api/types", "listTypes", operations.types.list_all, scope="read"),
        *_queue_routes(operations.queues, operations.queue_pages, operations.actions),
        *_group_routes(operations.groups),
        Route("GET", "/api/hosts", "listHosts", operations.hosts.list_page, _HOSTS, scope="read"),
        Route("GET", "/api/stats", "readStats", operations.stats.stats, frozenset({"window", "queue"}), scope="read"),
        Route("GET", "/api/errors", "listErrors", operations.stats.errors, _ERRORS, scope="read"),
        Route("GET", "/api/workers", "listWorkers", operations.workers.list_all, scope="read"),
        *_schedule_routes(operations.schedules, operations.schedule_pages),
        *_workflow_routes(operations.workflows),
        *_callback_routes(operations.callbacks),
        *_service_routes(operations.events, operations.system, operations.metrics),
        *_page_routes(operations.manual),
        *_dashboard_routes(operations.dashboard),
    )


def _job_routes(
    jobs: JobOperations, job_list: JobList, batches: BatchOperations, actions: ActionOperations
) -> tuple[Route, ...]:
    batch_types = tuple(BODIES)
    return (
        Route("POST", "/api/jobs", "createJob", CallbackOperation(jobs.create), _WAIT, takes_body=True, scope="write"),
        Route("GET", "/api/jobs", "listJobs", job_list.read, _LISTING, scope="read"),
        Route(
            "POST",
            "/api/jobs/batch",
            "createJobs",
            batches.create,
            takes_body=True,
            streams_body=True,
            bodies=BODIES,
            produces=batch_types,
            scope="write",
        ),
        Route("POST", "/api/jobs/actions", "actOnJobs", actions.act, takes_body=True, scope="write"),
        Route("GET", "/api/jobs/{job_id}", "readJob", jobs.read, _WAIT, scope="read"),
        Route("PATCH", "/api/jobs/{job_id}", "changeJob", jobs.change, takes_body=True, bodies=_PATCHES, scope="write"),
        Route("DELETE", "/api/jobs/{job_id}", "deleteJob", jobs.delete, scope="write", produces=()),
        Route("POST", "/api/jobs/{job_id}/cancel", "cancelJob", jobs.cancel, frozenset({"force"}), scope="write"),
        Route("POST", "/api/jobs/{job_id}/retry", "retryJob", jobs.retry, frozenset({"from_start"}), scope="write"),
        Route("GET", "/api/jobs/{job_id}/logs", "readJobLogs", jobs.logs, frozenset({"after"}), scope="read"),
    )


def _queue_routes(queues: QueueOperations, pages: QueuePages, actions: ActionOperations) -> tuple[Route, ...]:
    return (
        Route("GET", "/api/queues", "listQueues", pages.list_page, _QUEUES, scope="read"),
        Route("GET", "/api/queues/{queue}", "readQueue", queues.read, scope="read"),
        Route(
            "PATCH",
            "/api/queues/{queue}",
            "changeQueue",
            queues.change,
            takes_body=True,
            bodies=_PATCHES,
            scope="admin",
        ),
        Route("DELETE", "/api/queues/{queue}", "deleteQueue", queues.remove, scope="admin", produces=()),
        Route("POST", "/api/queues/{queue}/pause", "pauseQueue", queues.pause, scope="admin"),
        Route("POST", "/api/queues/{queue}/resume", "resumeQueue", queues.resume, scope="admin"),
        Route("POST", "/api/queues/{queue}/redrive", "redriveJobs", actions.redrive, takes_body=True, scope="admin"),
        Route("POST", "/api/queues/{queue}/purge", "purgeJobs", actions.purge, takes_body=True, scope="admin"),
    )


def _group_routes(groups: GroupOperations) -> tuple[Route, ...]:
    one = "/api/queues/{queue}/groups/{group}"
    return (
        Route("GET", "/api/queues/{queue}/groups", "listGroups", groups.list_page, _PAGE, scope="read"),
        Route("GET", one, "readGroup", groups.read, scope="read"),
        Route("PATCH", one, "changeGroup", groups.change, takes_body=True, bodies=_PATCHES, scope="admin"),
        Route("DELETE", one, "resetGroup", groups.remove, scope="admin", produces=()),
        Route("POST", f"{one}/release", "releaseGroup", groups.release, scope="admin"),
    )


def _schedule_routes(schedules: ScheduleOperations, pages: SchedulePages) -> tuple[Route, ...]:
    one = "/api/schedules/{schedule}"
    return (
        Route("GET", "/api/schedules", "listSchedules", pages.list_page, _SCHEDULES, scope="read"),
        Route("POST", "/api/schedules/preview", "previewSchedule", schedules.preview, takes_body=True, scope="read"),
        Route("GET", one, "readSchedule", schedules.read, scope="read"),
        Route("PUT", one, "putSchedule", schedules.put, takes_body=True, scope="write", has_version=True),
        Route("DELETE", one, "deleteSchedule", schedules.delete, scope="write", produces=(), has_version=True),
        Route("POST", f"{one}/pause", "pauseSchedule", schedules.pause, scope="write", has_version=True),
        Route("POST", f"{one}/resume", "resumeSchedule", schedules.resume, scope="write", has_version=True),
        Route("POST", f"{one}/run", "runSchedule", schedules.run, scope="write"),
    )


def _workflow_routes(workflows: WorkflowOperations) -> tuple[Route, ...]:
    one = "/api/workflows/{workflow_id}"
    return (
        Route("POST", "/api/workflows", "createWorkflow", workflows.create, _WAIT, takes_body=True, scope="write"),
        Route("GET", one, "readWorkflow", workflows.read, _WAIT, scope="read"),
        Route("POST", f"{one}/cancel", "cancelWorkflow", workflows.cancel, scope="write"),
        Route("POST", f"{one}/retry", "retryWorkflow", workflows.retry, scope="write"),
    )


def _callback_routes(callbacks: CallbackOperations) -> tuple[Route, ...]:
    one = "/api/callbacks/{key}"
    return (
        Route("POST", one, "endJob", callbacks.settle, takes_body=True, scope=None),
        Route("POST", f"{one}/extend", "extendJob", callbacks.extend, takes_body=True, scope=None),
    )


def _service_routes(events: EventOperations, system: SystemOperations, metrics: MetricsOperations) -> tuple[Route, ...]:
    stream = ("text/event-stream",)
    return (
        Route("GET", "/api/events", "readEvents", events.stream, _EVENTS, scope="read", produces=stream),
        Route("GET", "/api/caller", "readCaller", read_caller, scope="read"),
        Route("GET", "/api/health", "readHealth", system.health, scope="read"),
        Route("GET", "/livez", "isAlive", system.livez, scope=None),
        Route("GET", "/readyz", "isReady", system.readyz, scope=None),
        Route("GET", "/metrics", "readMetrics", metrics.scrape, scope="read", produces=(CONTENT_TYPE,)),
        Route("GET", "/openapi.yaml", "readContract", system.contract, scope=None, produces=("application/yaml",)),
    )


def _page_routes(pages: ManualOperations) -> tuple[Route, ...]:
    return (
        Route("GET", "/docs", "readDocs", pages.docs, scope=None, produces=(manual.HTML,)),
        Route("GET", "/problems", "listProblems", pages.problems, scope=None, produces=manual.PROBLEM_TYPES),
        Route("GET", "/problems/{slug}", "readProblem", pages.problem, scope=None, produces=manual.PROBLEM_TYPES),
        Route("GET", "/manual.css", "readStyle", pages.style, scope=None, produces=(manual.CSS,)),
    )


def _dashboard_routes(files: DashboardOperations) -> tuple[Route, ...]:
    kinds = tuple(dashboard.KINDS.values())
    return (
        Route("GET", "/", "readDashboard", files.page, scope=None, produces=(dashboard.HTML,)),
        Route("GET", "/favicon.svg", "readIcon", files.icon, scope=None, produces=(dashboard.SVG,)),
        Route("GET", "/dashboard/{file}", "readDashboardFile", files.file, scope=None, produces=kinds),
        Route(
            "GET", "/dashboard/pages/{file}", "readDashboardPage", files.page_file, scope=None, produces=(dashboard.JS,)
        ),
    )
