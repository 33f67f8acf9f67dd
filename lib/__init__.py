"""The map of Waybill: the walk of a request, and what each room is for. Read it once; then open the file you need.

A POST /api/jobs comes in at `http1/server/listener.py`, which accepts the socket and gives it to a `connection.py`. The
connection feeds what it reads to `parser.py` until a request is whole. `web/middleware.py` gives the request its id and
its first log line; `web/auth.py` says who calls, `web/router.py` finds the operation in the table of `api/routes.py`,
and `api/jobs.py` reads the body (`jobs/submission.py`, `jobs/payload.py`). `queue/enqueuer.py` takes the job in:
`queue/committer.py` lets the job travel with its neighbours, and `queue/lua/jobs/enqueue.lua` writes it. The 202 goes
out when Redis has the job, and not before.

In a runner, `work/runner/consumer.py` claims the job (`queue/lease.py`, `queue/lua/jobs/claim.lua`; `ration.lua` where
the queue has limits or groups), a lane of `lanes.py` runs its handler (`attempt.py`; the handler is `handlers/email/`,
`handlers/webhook/` or one of yours), and how the attempt ended goes back through `finish.lua` or `fail.lua`. The
request's id is in each of these log lines, and on the mail or webhook.

Jobs that wait for jobs lie in many queues. `queue/workflow_store.py` writes such a graph, its anchor last
(`plant.lua`). The script that ends a job leaves a notice in the job's queue if others wait for that job;
`queue/notices.py`, in the runner at once or in upkeep a second later, tells them (`resolve.lua`). The end of a job that
has a `callback_url` is told by a webhook, which `queue/end_webhooks.py` queues.

A webhook's receiver may take the work and do it later (`jobs/handler.py`, HandOver). No runner holds the job until the
receiver calls back: `api/callbacks.py`, `queue/callback_store.py`, `callback.lua`.

The rooms, from the top floor down. Each may import the rooms below it that `tests/unit/test_layers.py` names, and never
one above:

    server.py worker.py    the two programs: settings, log, Redis, and then the room that does the work
    commands/              what a person types: --new-key, --doctor
    api/                   one file a resource: parse, one call, reply; routes.py is the table, bulk/ takes batches,
                           actions/ changes many jobs, and service.py puts a server process together
    work/                  everything that happens to a job after the 202
      supervisor/          starts runners, beats for them, takes back what a dead one held; upkeep of every queue; the
                           clock of schedules
      runner/              the process in which handlers run; prefetch/ claims short jobs ahead of a free slot
    handlers/email/        a job that ships with Waybill: a letter made and sent; smtp/ is the dialogue
    handlers/webhook/      the other one: an HTTP request signed and sent, and what its answer means
    web/                   HTTP for an application, whatever it is: middleware, router, keys, problems; knows no job
    queue/                 what is done to jobs, queues, groups and schedules in Redis
      lua/                 the scripts: jobs/ has one transition of a job's life a file; queues/ groups/ schedules/
                           runners/ callers/ have what is done to these; parts/ the fragments that scripts share
    manual/                what is made to be read: problems explained, openapi.yaml as a page
    dashboard/             the page at /: HTML, styles and scripts that the browser runs; no Python
    processes/             children of the two programs: spawned, listened to, started again; loop, signals, exit
    testing/               for who tests a handler: a context without Redis; nothing that runs imports it
    redis_link/            links to a Redis, a Sentinel's master or a Cluster; the only room that imports redis
    jobs/                  what a job is, as pure values: spec, states, backoff, payloads, results, errors, types
    http1/                 HTTP/1.1 and nothing else: Request and Response; server/ speaks it over sockets, client/ to
                           the receivers of webhooks, whose addresses it vets
    settings/              config, the kinds of values, API keys, and which Python this takes
    logs/                  what is logged, how a line is written, where it goes

and on the ground, for all: `errors` (every expected failure), `ids`, `tracing` (W3C trace context), `json_text`,
`prometheus` (histograms and their text), `otlp` (spans to an OpenTelemetry collector), `tls`, `memory` (of this
process), `warning_codes` (what /api/health may warn of). How to add a field, an endpoint, a transition or a setting:
CONTRIBUTING.md.
"""

import os
import sys

__version__ = "0.3.0"


def _libs_beside() -> "list[str]":
    """The folders `lib` of the other entries of the path. An application whose job modules run here may have a package
    `lib` of its own: what Waybill's lacks is looked for there. A name that both have is Waybill's."""
    found = [os.path.join(os.path.abspath(entry), "lib") for entry in sys.path]  # noqa: PTH100, PTH118
    return [folder for folder in found if os.path.isdir(folder) and not os.path.samefile(folder, __path__[0])]  # noqa: PTH112, PTH121


__path__.extend(_libs_beside())
