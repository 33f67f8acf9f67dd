"""Every problem that a caller can meet, explained: what happened, why, what to do, and the request that works.

`problem_page.py` makes the page /problems/<slug> of each row. There is one row for each slug of lib/errors.py, in the
same order: a test compares the two, and another test runs every command against a server. In a command `{base}` stands
for the server's address as the reader wrote it, and JOB_ID for the id of one of the reader's jobs. The page takes title
and status from the error's class.
"""

from typing import NamedTuple


class ProblemText(NamedTuple):
    """The parts of a problem's page. what: what happened. why: the usual causes. do: what the caller should do now.

    curl: a command that works. near: the slugs of related problems. `code` and **strong** are marked as in Markdown.
    """

    what: str
    why: str
    do: str
    curl: str
    near: tuple[str, ...]


_JSON = "-H 'Content-Type: application/json'"
_MAIL = """-d '{"type": "email", "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}}'"""
_POST = f"curl -i {{base}}/api/jobs {_JSON} \\\n     {_MAIL}"
_NEW_KEY = "ORDER=order-4711-$(date +%s)"
# $ORDER keeps its value if it is set: a command that is pasted a second time sends the same Idempotency-Key.
_SAME_KEY = "ORDER=${ORDER:-order-4711-$(date +%s)}"
_POST_KEYED = (
    f'{_SAME_KEY}\ncurl -i --retry 5 {{base}}/api/jobs {_JSON} \\\n     -H "Idempotency-Key: $ORDER" \\\n     {_MAIL}'
)
_POST_AFTER = _POST.replace("}}'", """}, "after": ["JOB_ID"]}'""")
_AS_HOLDER = 'curl -i {base}/api/jobs -H "Authorization: Bearer $KEY"'

TEXTS: dict[str, ProblemText] = {
    "internal-error": ProblemText(
        "Waybill failed at something that it should be able to do. The fault is Waybill's, not your request's.",
        "A bug, or keys in Redis that something other than Waybill has written to.",
        "Look into `logs/app.log` for the `request_id` of the answer: the line `request.failed` holds the cause. A "
        "request that changes something may have been carried out: check that before you send it again.",
        "curl -i '{base}/api/jobs?request_id=REQUEST_ID'",
        ("outcome-unknown", "redis-unavailable"),
    ),
    "bad-request": ProblemText(
        "The bytes that arrived are not an HTTP/1.1 request, or can be read in two ways. Nothing was done, and the "
        "connection was closed.",
        "A request written by hand or by a home-made client: a `Host` missing or twice, `Content-Length` beside "
        "`Transfer-Encoding`, white space before a colon, a bare line feed, a header twice that is allowed once.",
        "Let an HTTP library write the request. The `detail` says which rule was broken.",
        "curl -i {base}/livez",
        ("bad-json", "version-not-supported", "method-unknown"),
    ),
    "bad-json": ProblemText(
        "The body is not JSON by RFC 8259. Nothing was queued.",
        "Single quotes, a comma too many, a comment, `NaN`, a byte order mark, text that is not UTF-8, a name given "
        "twice in one object, half of a surrogate pair, over 100 levels, or a shell that ate the quotes.",
        "The `detail` names the line and column. Let a library write the JSON; in a shell, put the body in single "
        "quotes, or into a file: `-d @job.json`.",
        _POST,
        ("invalid-fields", "unsupported-media-type"),
    ),
    "not-found": ProblemText(
        "No operation and no page has this path.",
        "A typing error, a slash at the end, a percent-encoded letter: paths are compared exactly as they were sent.",
        "The API, `/docs`, lists all paths.",
        "curl -i {base}/api/jobs",
        ("job-not-found", "queue-not-found", "method-not-allowed"),
    ),
    "method-not-allowed": ProblemText(
        "The path is right, but it does not take the request's method.",
        "A PUT on a path that takes only POST, say; or a POST that a redirect or a proxy turned into a GET.",
        "The header `Allow` of the answer lists the methods of the path. An OPTIONS request lists them too.",
        "curl -i -X OPTIONS {base}/api/jobs",
        ("not-found", "method-unknown"),
    ),
    "not-acceptable": ProblemText(
        "The request's `Accept` excludes every media type that this path can answer with.",
        "A client that asks for HTML or XML on a path that answers JSON; a `q=0`; a parameter that the type does not "
        "have.",
        "Send no `Accept`, or one that allows the types that the `detail` lists.",
        "curl -i {base}/api/jobs -H 'Accept: application/json'",
        ("unsupported-media-type",),
    ),
    "request-timeout": ProblemText(
        "The request took too long to arrive, and the connection was closed. Nothing was done.",
        "A slow or broken link, a client that opened a connection and sent nothing, or a `Content-Length` that is "
        "larger than the body.",
        "Send the request again. Its head must arrive within 10 seconds, its body within 30.",
        _POST,
        ("payload-too-large", "too-many-connections"),
    ),
    "precondition-failed": ProblemText(
        "The request's `If-Match` names a version that the schedule does not have, or `If-None-Match` forbids the one "
        "that is there; or the request changes a job or a queue, which have no versions. Nothing was changed.",
        "Somebody changed the schedule since you read it. Or a client that sends an `If-Match` with every change.",
        "Read the schedule again, and send the change with the `ETag` of that answer. For jobs and queues send no "
        "`If-Match`: a change of a job that has begun or finished is 409 `wrong-state`, and two changes of different "
        "fields both count.",
        _POST,
        ("wrong-state",),
    ),
    "payload-too-large": ProblemText(
        "The body is over 1 MiB, and was not read.",
        "A file or a large document inside a job's payload.",
        "Keep large content elsewhere (a bucket, a disk, a database), and put the address of the content into the "
        "payload.",
        _POST.replace('"Hello"', '"The report: https://example.com/reports/4711"'),
        ("headers-too-large", "uri-too-long"),
    ),
    "uri-too-long": ProblemText(
        "The request line is over 8 KiB.",
        "Data that belongs into a body was sent as query parameters; or a redirect went round in circles.",
        "Keep the filters of a list short, and send the fields of a job in the body of its POST.",
        "curl -i -G {base}/api/jobs -d state=dead -d limit=20",
        ("headers-too-large", "payload-too-large"),
    ),
    "unsupported-media-type": ProblemText(
        "The body is of a media type, or in a coding, that this path does not take.",
        "The `Content-Type` is missing or wrong (curl's `-d` sends that of a form unless told otherwise), the charset "
        "is not UTF-8, or the body is compressed.",
        "Send `Content-Type: application/json`, UTF-8, without a `Content-Encoding`.",
        _POST,
        ("bad-json", "not-acceptable"),
    ),
    "expectation-failed": ProblemText(
        "The request has an `Expect` that is not `100-continue`.",
        "A client or a proxy that adds an `Expect` of its own.",
        "Send the request without `Expect`.",
        f"curl -i {{base}}/api/jobs -H 'Expect:' {_JSON} \\\n     {_MAIL}",
        ("bad-request",),
    ),
    "misdirected-request": ProblemText(
        "The request's `Host` is a name that this server does not answer for. Nothing was done.",
        "The name in `Host` is not in `ALLOWED_HOSTS`: the name of a proxy, of a container, or an entry of DNS. The "
        "server refuses unknown names so that no page in a browser can reach it under the page's own name (DNS "
        "rebinding).",
        "Add the name to the setting `ALLOWED_HOSTS` and restart the server; or use a name that the setting holds.",
        "curl -i {base}/livez",
        ("not-found", "bad-request"),
    ),
    "headers-too-large": ProblemText(
        "The header fields are over 16 KiB together, or more than 64.",
        "Mostly cookies, which Waybill does not use, or a proxy that adds to a field at each turn of a loop.",
        "Send fewer and shorter header fields.",
        "curl -i {base}/api/health",
        ("uri-too-long", "payload-too-large"),
    ),
    "method-unknown": ProblemText(
        "The request's first word is not a method of HTTP.",
        "A typing error (methods are written in capitals), or bytes that are not HTTP: a TLS handshake sent to a port "
        "that speaks plain HTTP, say.",
        "Use one of the methods that the server takes; OPTIONS on `*` lists them.",
        "curl -i -X OPTIONS --request-target '*' {base}",
        ("method-not-allowed", "bad-request"),
    ),
    "coding-unknown": ProblemText(
        "The body came in a transfer coding other than `chunked`.",
        "`Transfer-Encoding: gzip` or the like, which hardly any server takes.",
        "Send a `Content-Length`, or `chunked` alone.",
        f"curl -i {{base}}/api/jobs -H 'Transfer-Encoding: chunked' {_JSON} \\\n     {_MAIL}",
        ("unsupported-media-type", "bad-request"),
    ),
    "too-many-connections": ProblemText(
        "The server has as many open connections as it takes, and refused this one. Nothing was done.",
        "Clients that open a connection for each request and leave it open, a crowd, or an attack.",
        "Try again after `Retry-After`. Keep connections open and use them again. The operator may raise "
        "`MAX_CONNECTIONS`, and the limit of open files with it.",
        "curl -i --retry 5 {base}/livez",
        ("request-timeout", "draining"),
    ),
    "version-not-supported": ProblemText(
        "The request was made in a version of HTTP that this server does not speak.",
        "HTTP/2 without a negotiation, or HTTP/0.9.",
        "Speak HTTP/1.1. A proxy in front may speak HTTP/2 to its clients.",
        "curl -i --http1.1 {base}/livez",
        ("bad-request",),
    ),
    "invalid-fields": ProblemText(
        "The request is well-formed, but some fields or query parameters are wrong. Nothing was done.",
        "A field that is missing, misspelt, of a wrong type or out of range; a payload that does not fit the job's "
        "type; a query parameter that this path does not know.",
        "`errors` lists each wrong field with what it must be: a field by a JSON Pointer (`/payload/to`), a parameter "
        "by `?name`, a header by its name. The API, `/docs`, describes every field.",
        _POST,
        ("bad-json", "idempotency-key-reused"),
    ),
    "job-not-found": ProblemText(
        "No job has this id.",
        "Somebody deleted the job; or it finished so long ago that its record has gone by itself (`retain_s`, "
        "`RETAIN_COMPLETED`, `RETAIN_COMPLETED_S`, `RETAIN_DEAD`, `RETAIN_DEAD_S`); or the id does not come from "
        "Waybill: a queue's name, `-`, and 32 hexadecimal digits.",
        "List the jobs by queue, state, type or `request_id`.",
        "curl -i '{base}/api/jobs?limit=20'",
        ("queue-not-found", "not-found"),
    ),
    "request-not-found": ProblemText(
        "No job has this request id, in any queue.",
        "A typing error; a request that queued no job, such as a GET or one that was refused; or its jobs were "
        "deleted, or ended so long ago that their records have gone by themselves (`retain_s`, `RETAIN_COMPLETED_S`…).",
        "Take the id from the header `X-Request-ID` of the answer, or from `request_id` of a job or a log line. "
        "`logs/app.log` tells of requests whose jobs are gone.",
        "curl -i '{base}/api/jobs?limit=20'",
        ("job-not-found", "not-found"),
    ),
    "queue-not-found": ProblemText(
        "No queue has this name.",
        "A typing error, or no job has been queued there yet: a queue begins with its first job or first worker.",
        "List the queues.",
        "curl -i {base}/api/queues",
        ("job-not-found", "not-found"),
    ),
    "group-not-found": ProblemText(
        "The group has no limits of its own that could be taken away, or no hold that could be ended; the `detail` "
        "says which.",
        "A typing error, or a `/` in the name that was not percent-encoded; somebody else was quicker; or the hold is "
        "over.",
        "List the groups of the queue: `own` says which have limits of their own, `limited_by` which are held.",
        "curl -i {base}/api/queues/email/groups",
        ("queue-not-found",),
    ),
    "queue-in-use": ProblemText(
        "The queue can't be removed: it holds jobs, or a worker serves it; the `detail` says which. Nothing was "
        "changed.",
        "A queue can be removed only if nothing is lost: it has no waiting job, and no record of a finished job.",
        "Cancel the waiting jobs and delete the finished ones, or let the finished ones go by themselves after a "
        "time. If workers serve the queue, take its name out of their `WORKER_QUEUES` and restart them. Then remove "
        "the queue.",
        "curl -i '{base}/api/jobs?limit=20'",
        ("queue-not-found", "wrong-state"),
    ),
    "schedule-not-found": ProblemText(
        "There is no schedule of this name.",
        "It was deleted, or the name is mistyped: a name has the characters a-z, 0-9, dot, _ and -.",
        "`GET /api/schedules` lists the schedules there are. A PUT makes one.",
        "curl -i {base}/api/schedules",
        ("not-found", "schedule-elsewhere"),
    ),
    "schedule-elsewhere": ProblemText(
        "A schedule of this name queues its jobs in another queue, where it stays. Nothing was changed.",
        "A PUT whose job goes to another queue than before, or two deployments that use one name.",
        "Delete the schedule first, then PUT it anew; or give the new one another name.",
        "curl -i {base}/api/schedules",
        ("schedule-not-found", "too-many-schedules"),
    ),
    "too-many-schedules": ProblemText(
        "The queue has 10,000 schedules, and takes no new one. Nothing was changed.",
        "A schedule for each customer, or a deployment that never deletes the schedules that its code no longer names.",
        "Delete what is no longer used: `GET /api/schedules?owner=…` lists the schedules of one owner. One schedule "
        "whose handler enqueues a job for each customer does the work of thousands.",
        "curl -i {base}/api/schedules",
        ("schedule-elsewhere",),
    ),
    "idempotency-key-reused": ProblemText(
        "The same `Idempotency-Key` came within the last 24 hours with another request. Nothing was done.",
        "A key that is not made anew for each job: a constant, a counter that began again; or a request that was "
        "changed before it was sent again.",
        "Send the first body again to learn what became of that job, or make a new key for a new job, as here.",
        _POST_KEYED.replace(_SAME_KEY, _NEW_KEY),
        ("invalid-fields", "outcome-unknown"),
    ),
    "queue-full": ProblemText(
        "As many jobs wait in the queue as its `max_depth` allows. This job was not taken in.",
        "Jobs come faster than the workers run them, the workers are away, or the queue is paused.",
        "Try again after `Retry-After` (reckoned from the jobs completed in the last minute), with the same "
        "`Idempotency-Key` each time. The operator may start more workers, resume the queue, or raise its "
        "`max_depth`.",
        _POST_KEYED,
        ("redis-unavailable", "too-many-connections"),
    ),
    "group-full": ProblemText(
        "As many jobs of the job's `group` are ready as `max_depth` in the queue's `groups` allows. This job was not "
        "taken in; jobs of other groups are.",
        "Jobs of this group come faster than they are run: the group's concurrency or rate holds them back, it is "
        "paused, or the workers are away.",
        "Try again after `Retry-After`, with the same `Idempotency-Key` each time. The operator may raise the group's "
        "limits (`PATCH /api/queues/QUEUE/groups/GROUP`) or `max_depth` in the queue's `groups`.",
        _POST_KEYED,
        ("queue-full",),
    ),
    "wrong-state": ProblemText(
        "The job's state does not allow this operation; the `detail` names the state. Nothing was changed.",
        "Only finished jobs can be deleted or run again, and only unfinished jobs cancelled. Another caller, or a "
        "worker, may have been quicker. Nor can a job run again while another job holds its `unique` key: it waits "
        "or runs, or its `mode` is `throttle` and its time is not over.",
        "Look at the job. To delete a job that waits or runs, cancel it first.",
        "curl -i {base}/api/jobs/JOB_ID",
        ("job-not-found",),
    ),
    "throttled": ProblemText(
        "Your job's `unique` has the mode `throttle`: at most one job of its type in `ttl_s`. There was one, `job_id`, "
        "and its record is gone. This job was not taken in.",
        "Somebody deleted that job, or it was trimmed (RETAIN_COMPLETED, `retain_s`). Were it there, the answer would "
        "be 200 with it.",
        "If you only want it done once in that time, it was: there is nothing to do. Else send the request again after "
        "`Retry-After`, when the key is free.",
        _POST_KEYED,
        ("wrong-state", "job-not-found"),
    ),
    "too-many-followers": ProblemText(
        "Your job was to wait for a job for whose end 1,000 others wait already. Nothing was queued.",
        "A loop that queues a job for each of many things, all with one `after`.",
        "Have them wait for a job that waits for that one: queue one such job, and name it in `after`. Or queue one "
        "job that does the work of many.",
        _POST_AFTER,
        ("invalid-fields", "wrong-state"),
    ),
    "callback-unknown": ProblemText(
        "A service called back, and no job waits for that: the key in the path is none that came with a webhook, or "
        "its job is no longer there.",
        "The URL was cut, changed or guessed; or the job was deleted, or its record was trimmed.",
        "Call exactly the URL that came in the webhook's field `Waybill-Callback`, before `complete_within_s` is over. "
        "An address that sends many wrong ones is answered 429.",
        "curl -i '{base}/api/jobs?type=webhook&state=blocked'",
        ("callback-gone", "job-not-found"),
    ),
    "callback-gone": ProblemText(
        "A service called back, and the job does not wait for it any more. Nothing was changed.",
        "`complete_within_s` was over, and the attempt has failed; another attempt has begun, with a URL of its own; "
        "the job was cancelled; or it has ended by another outcome already.",
        "Drop the work, or keep it until the webhook comes again under the same `webhook-id`. If this happens often, "
        "give the job a longer `complete_within_s`, or send `POST` to the same URL with `/extend` behind it now and "
        "then while you work.",
        "curl -i {base}/api/jobs/JOB_ID/explain",
        ("callback-unknown", "wrong-state"),
    ),
    "workflow-ended": ProblemText(
        "A job was to be added to a workflow that has ended by now, or that somebody has asked to stop. Nothing was "
        "queued. No request meets this; a handler does, whose `ctx.add` raises it.",
        "The job that adds others was cancelled with its workflow, and went on all the same.",
        "Nothing, if the workflow was to be stopped. Else run the workflow again: its jobs that did not complete run "
        "once more, and may add others.",
        "curl -i '{base}/api/jobs?type=workflow'",
        ("wrong-state", "job-not-found"),
    ),
    "member-gone": ProblemText(
        "The workflow can't be run again: a job of it did not complete, would have to run again, and its record is no "
        "more. Nothing was changed.",
        "The job was deleted or purged, or it was trimmed (RETAIN_DEAD, RETAIN_DEAD_S, `retain_s`) before somebody "
        "sent the retry.",
        "The `detail` names the job. Start the workflow anew with `POST /api/workflows`; work that must not be done "
        "twice the handlers have to know by a mark of their own, a row in your database for instance.",
        "curl -i '{base}/api/jobs?type=workflow&state=dead'",
        ("wrong-state", "job-not-found"),
    ),
    "job-failed": ProblemText(
        "You waited for the end of the job with `Prefer: wait` or `?wait=`. The job was taken in, and is now dead or "
        "cancelled. `job` in the answer is the job as it ended.",
        "Its last attempt failed, it could not begin in time (`expires_in_s`, `give_up_after_s`), or somebody "
        "cancelled the job.",
        "Read `job.error`, mend the cause, then send `POST /api/jobs/JOB_ID/retry`. If you send the first request "
        "again with its `Idempotency-Key`, the answer is this job; without a key the request makes another job.",
        "curl -i {base}/api/jobs/JOB_ID",
        ("wrong-state", "job-not-found"),
    ),
    "key-missing": ProblemText(
        "This server takes requests only from holders of a key, and your request came without a key.",
        "No `Authorization` field, a field of another scheme than `Bearer`, or a proxy that removes the field.",
        "Send your key as `Authorization: Bearer wb_…`. The operator makes a key with `.venv/bin/python server.py "
        "--new-key NAME --scope read`.",
        _AS_HOLDER,
        ("key-invalid", "scope-missing"),
    ),
    "key-invalid": ProblemText(
        "This server does not accept the key that came. The rest of the request was not looked at.",
        "The key has expired (`detail` says so), was taken out of `API_KEYS`, belongs to another server, or was cut "
        "when it was copied: a key has 60 characters, `wb_`, letters and digits, and one more `_`. Or the settings "
        "have the key, but the server has not read them since (a restart, or SIGHUP, reads them).",
        "Send the whole key, or have a new key made. For a while both the old and the new key may be valid.",
        _AS_HOLDER,
        ("key-missing", "too-many-tries"),
    ),
    "scope-missing": ProblemText(
        "The key is valid, but its scope does not include this operation. Nothing was done.",
        "A key of scope `read` can read everything; `write` creates and changes jobs as well; `admin` also changes "
        "queues.",
        "Use a key of the scope that `detail` names. The API, `/docs`, names the scope of each operation.",
        _AS_HOLDER,
        ("key-missing", "key-invalid"),
    ),
    "cross-site": ProblemText(
        "A browser sent this request for a page of another site, as its `Sec-Fetch-Site` or `Origin` says. Nothing "
        "was done.",
        "A page of another site tries to use the rights of its visitor; or a page of your own on another port or name "
        "sent the request; or a proxy changes `Host`, so that this server's own page looks foreign.",
        "Send the request from a page of this server, or from a program, which sends neither field. Behind nginx: "
        "`proxy_set_header Host $http_host;`.",
        _POST,
        ("misdirected-request",),
    ),
    "too-many-tries": ProblemText(
        "Too many wrong keys came from your address. A valid key is still accepted.",
        "A program with a wrong or expired key tries again and again, maybe the program of somebody else behind the "
        "same proxy.",
        "Stop the program, or give it a valid key. After `Retry-After` a wrong key is answered 401 again, with the "
        "reason.",
        _AS_HOLDER,
        ("key-invalid", "key-missing"),
    ),
    "rate-limited": ProblemText(
        "You have sent more requests than `RATE_LIMIT` allows. This request was not looked at.",
        "A loop without a pause, or several programs with one key: all keys of one name count together, on all "
        "servers. Without keys, all requests from one address count together.",
        "Wait for the seconds of `Retry-After`. `RateLimit` on each answer says how many requests are left (`r`) and "
        "after how many seconds you have all of them again (`t`). To follow a job, `?wait=` takes fewer requests than "
        "asking again and again.",
        _AS_HOLDER,
        ("too-many-tries",),
    ),
    "redis-unavailable": ProblemText(
        "Redis is away or refuses writes, and **nothing was accepted**.",
        "Redis is down, starting, unreachable, full (`maxmemory`), or can't write to its disk.",
        "Try again after `Retry-After`, with the same `Idempotency-Key` each time: nothing was done this time, but "
        "the answer to a later try may be lost. The operator finds the cause in `/api/health` and in the log.",
        _POST_KEYED,
        ("outcome-unknown", "not-replicated", "draining"),
    ),
    "outcome-unknown": ProblemText(
        "The request was sent to Redis and no answer came back: the request **may have been carried out**, or not.",
        "The link broke, or Redis stopped answering, between the request and its answer.",
        "Send the request again with the same `Idempotency-Key`, made once for the job and not for each try: the job "
        "is then queued once, whatever became of the first request. If the first request had no key, look for the job "
        "by the `request_id` of the answer.",
        _POST_KEYED,
        ("redis-unavailable", "not-replicated", "idempotency-key-reused"),
    ),
    "not-replicated": ProblemText(
        "The job is in Redis and will be run, but fewer replicas than `ACK_REPLICAS` have confirmed it in time. A "
        "failover now could lose it.",
        "A replica is away or lags behind.",
        "Send the request again with the same `Idempotency-Key` until the answer is 202: the job is then safe, and "
        "not queued twice.",
        _POST_KEYED,
        ("outcome-unknown", "redis-unavailable"),
    ),
    "keys-broken": ProblemText(
        "A key of this queue in Redis holds data that Waybill did not write, so the queue can't be read or written. "
        "Of a change **nothing or a part** was made. Other queues go on.",
        "Somebody wrote to Redis by hand under Waybill's `KEY_PREFIX`, or another program did.",
        "Wait for the operator: `.venv/bin/python worker.py --doctor --check` names the key. Once the key is mended "
        "or deleted, the queue goes on by itself; send the refused request again, with the same `Idempotency-Key`.",
        _POST_KEYED,
        ("redis-unavailable", "outcome-unknown"),
    ),
    "draining": ProblemText(
        "This server is shutting down: it finishes the requests that it has begun, and takes no new ones.",
        "A restart or a deployment.",
        "Try again after `Retry-After`; a proxy that checks `/readyz` sends you to another server.",
        "curl -i --retry 5 {base}/readyz",
        ("redis-unavailable", "too-many-connections"),
    ),
    "upgrade-needed": ProblemText(
        "The request asks for something that an older version of Waybill does not know, and a server or worker of such "
        "a version uses the same Redis. Nothing was done.",
        "A rolling upgrade that is under way, or a host that was forgotten in one.",
        "The `detail` names the programs that are older; `/api/health` counts all by version. Upgrade or stop them, "
        "then send the request again. A program that stopped counts for one more lease (`LEASE_S`, 15 s).",
        "curl -i {base}/api/health",
        ("draining",),
    ),
}
