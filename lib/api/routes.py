"""THE TABLE: every operation of the API, in openapi.yaml's order. A test holds the two equal."""

from lib.api.jobs import Jobs
from lib.api.queues import QueueViews
from lib.api.router import Route
from lib.api.system import System

_PAGE = frozenset({"queue", "state", "type", "request_id", "limit", "cursor"})


def routes(jobs: Jobs, queues: QueueViews, system: System) -> tuple[Route, ...]:
    return (
        Route("POST", "/api/jobs", "createJob", jobs.create, takes_body=True),
        Route("GET", "/api/jobs", "listJobs", jobs.list_page, _PAGE),
        Route("GET", "/api/jobs/{job_id}", "readJob", jobs.read, frozenset({"wait"})),
        Route("DELETE", "/api/jobs/{job_id}", "deleteJob", jobs.delete),
        Route("POST", "/api/jobs/{job_id}/cancel", "cancelJob", jobs.cancel),
        Route("POST", "/api/jobs/{job_id}/retry", "retryJob", jobs.retry),
        Route("GET", "/api/jobs/{job_id}/logs", "readJobLogs", jobs.logs),
        Route("GET", "/api/queues", "listQueues", queues.list_all),
        Route("GET", "/api/queues/{queue}", "readQueue", queues.read),
        Route("GET", "/api/workers", "listWorkers", queues.workers),
        Route("GET", "/api/health", "readHealth", system.health),
        Route("GET", "/livez", "isAlive", system.livez),
        Route("GET", "/readyz", "isReady", system.readyz),
        Route("GET", "/openapi.yaml", "readContract", system.contract),
    )
