"""The map of Waybill: the walk of a request, and what each room is for. Read it once; then open the file you need.

A POST /api/jobs comes in at `http1/listener.py`, which accepts the socket and gives it a `http1/connection.py`; that
feeds what it reads to `http1/parser.py` until a request is whole. `api/middleware.py` gives it its id and its first
log line and asks `api/auth.py` who calls, `api/router.py` finds the operation in the table of `api/routes.py`, and
`api/jobs.py` reads the body (`jobs/submission.py`, `jobs/payload.py`). `queue/queue.py` takes the job in:
`queue/committer.py` lets it travel with its neighbours, and `queue/lua/jobs/enqueue.lua` writes it. The 202 goes out
when Redis has it, and not before.

In a runner, `work/consumer.py` claims it (`queue/lease.py`, `queue/lua/jobs/claim.lua`), a lane of `work/lanes.py` runs
its handler (`work/attempt.py`; `handlers/email.py`, or one of yours), and how it ended goes back through
`queue/lua/jobs/finish.lua` or `fail.lua`. The request's id is in each of these log lines, and on the mail.

    server.py worker.py         the two programs: settings, logs, Redis, and then the room that does the work
    api/                        HTTP operations: parse, one call, reply
    work/                       supervisor, runners, consumers, upkeep: everything that happens to a job after the 202
    handlers/                   the jobs that ship with it
    queue/                      the only room that knows Redis; lua/ holds one transition of a job's life a file
    manual/                     what is made to be read: problems explained, openapi.yaml as a page
    http1/                      HTTP/1.1 and nothing else: knows no jobs, no Redis
    processes/                  children of the two programs: spawned, listened to, started again; loop, signals, exit
    testing/                    for who tests a handler: a context without Redis; nothing that runs imports it
    jobs/                       what a job is, as pure values: spec, states, backoff, payloads, results, errors, types
    needs                       which Python this takes; looked at before anything else is imported
    config setting_kinds        the settings; what the value of one may be
    api_keys                    what API_KEYS holds, and how a key is made
    errors ids tracing          every expected failure; the ids; W3C trace context
    tls                         a TLS link that breaks, kept from breaking the others
    metrics                     histograms, and the text that Prometheus reads
    logs log_lines log_file     the log: what is said, how a line is written, where it goes

Imports run downward in this order, and a test holds it: `server.py worker.py`, then `api work handlers` (none imports
another), then `queue http1 manual processes testing` (nor do these), then `jobs`, then the files of the last seven
lines.
"""

import os
import sys

__version__ = "0.1.0"


def _libs_beside() -> "list[str]":
    """The folders `lib` of the other entries of the path. An application whose job modules run here may have a package
    `lib` of its own: what Waybill's lacks is looked for there. A name that both have is Waybill's."""
    found = [os.path.join(os.path.abspath(entry), "lib") for entry in sys.path]  # noqa: PTH100, PTH118
    return [folder for folder in found if os.path.isdir(folder) and not os.path.samefile(folder, __path__[0])]  # noqa: PTH112, PTH121


__path__.extend(_libs_beside())
