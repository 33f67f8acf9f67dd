"""Every problem that a caller can meet, explained: what happened, why, what to do, and a request that works. Pure.

There is one row for each slug of lib/errors.py, in the order of that file; a test holds both equal, and another one
runs every command against a server. `{base}` stands for the address that the reader used, JOB_ID for a job of theirs.
The problem's title and status are those of the error class.
"""

from typing import NamedTuple


class ProblemText(NamedTuple):
    """what: what happened. why: the usual causes. do: what the caller can do now. curl: a command that works. near: the
    slugs of related problems."""

    what: str
    why: str
    do: str
    curl: str
    near: tuple[str, ...]


_JSON = "-H 'Content-Type: application/json'"
_MAIL = """-d '{"type": "email", "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}}'"""
_POST = f"curl -i {{base}}/api/jobs {_JSON} \\\n     {_MAIL}"
_NEW_KEY = "ORDER=order-4711-$(date +%s)"
# An ORDER that is set stays as it is, so that the command sends the same key when it is pasted once more.
_SAME_KEY = "ORDER=${ORDER:-order-4711-$(date +%s)}"
_POST_KEYED = (
    f'{_SAME_KEY}\ncurl -i --retry 5 {{base}}/api/jobs {_JSON} \\\n     -H "Idempotency-Key: $ORDER" \\\n     {_MAIL}'
)
_AS_HOLDER = 'curl -i {base}/api/jobs -H "Authorization: Bearer $KEY"'

TEXTS: dict[str, ProblemText] = {
    "internal-error": ProblemText(
        "Waybill failed at something that it should have been able to do. The fault is ours, not your request's.",
        "A bug, or keys in Redis that something other than Waybill has written to.",
        "Look into `logs/app.log` for the `request_id` of the answer: the line `request.failed` holds the cause. A "
        "request that changes something may have been carried out; see whether it was before you send it again.",
        "curl -i '{base}/api/jobs?request_id=REQUEST_ID'",
        ("outcome-unknown", "redis-unavailable"),
    ),
    "bad-request": ProblemText(
        "The bytes that arrived are no HTTP/1.1 request, or could be read in two ways. Nothing was done, and the "
        "connection was closed.",
        "A request written by hand or by a home-made client: a `Host` missing or twice, `Content-Length` beside "
        "`Transfer-Encoding`, white space before a colon, a bare line feed, a header twice that may stand once.",
        "Let an HTTP library write the request. The `detail` says which rule was broken.",
        "curl -i {base}/livez",
        ("bad-json", "version-not-supported", "method-unknown"),
    ),
    "bad-json": ProblemText(
        "The body is not JSON as RFC 8259 has it. Nothing was queued.",
        "Single quotes, a comma too many, a comment, `NaN`, a byte order mark, text that is not UTF-8, a name that "
        "stands twice in one object, half of a surrogate pair, over 100 levels, or a shell that ate the quotes.",
        "The `detail` names the line and column. Let a library write the JSON; in a shell, put the body in single "
        "quotes, or into a file: `-d @job.json`.",
        _POST,
        ("invalid-fields", "unsupported-media-type"),
    ),
    "not-found": ProblemText(
        "There is nothing at that path.",
        "A typing error, a slash at the end, a percent-encoded letter: paths are compared exactly as they were sent.",
        "See the API, `/docs`, for the paths that there are.",
        "curl -i {base}/api/jobs",
        ("job-not-found", "queue-not-found", "method-not-allowed"),
    ),
    "method-not-allowed": ProblemText(
        "The path is right, but it does not take that method.",
        "A PUT where there is only POST, say; or a POST that a redirect or a proxy turned into a GET.",
        "The header `Allow` of the answer lists the methods that the path takes. OPTIONS asks for them.",
        "curl -i -X OPTIONS {base}/api/jobs",
        ("not-found", "method-unknown"),
    ),
    "not-acceptable": ProblemText(
        "The request's `Accept` excludes every media type that this path can answer with.",
        "A client that asks for HTML or XML where there is JSON; a `q=0`; a parameter that the type does not have.",
        "Send no `Accept`, or one that allows the types that the `detail` lists.",
        "curl -i {base}/api/jobs -H 'Accept: application/json'",
        ("unsupported-media-type",),
    ),
    "request-timeout": ProblemText(
        "The request took too long to arrive, and the connection was closed. Nothing was done.",
        "A slow or broken link, a client that opened a connection and sent nothing, or a `Content-Length` that is "
        "larger than the body.",
        "Send it again. A head must be here within 10 seconds, a body within 30.",
        _POST,
        ("payload-too-large", "too-many-connections"),
    ),
    "precondition-failed": ProblemText(
        "The request's `If-Match` names a version, and what the path changes has none. Nothing was changed.",
        "A client that sends an `If-Match` with every change.",
        "Send no `If-Match`. What was changed meanwhile is told all the same: a job that has begun or finished is 409 "
        "`wrong-state`, and two changes of different fields both count.",
        _POST,
        ("wrong-state",),
    ),
    "payload-too-large": ProblemText(
        "The body is over 1 MiB, and was not read.",
        "A file or a large document inside of a job's payload.",
        "Keep large content elsewhere (a bucket, a disk, a database) and put its address into the payload.",
        _POST.replace('"Hello"', '"The report: https://example.com/reports/4711"'),
        ("headers-too-large", "uri-too-long"),
    ),
    "uri-too-long": ProblemText(
        "The request line is over 8 KiB.",
        "What belongs into a body was sent as query parameters, or a link that went round in circles.",
        "Filters of a list are short; what a job needs goes into the body of its POST.",
        "curl -i -G {base}/api/jobs -d state=dead -d limit=20",
        ("headers-too-large", "payload-too-large"),
    ),
    "unsupported-media-type": ProblemText(
        "The body is of a media type, or in a coding, that this path does not take.",
        "The `Content-Type` is missing or another one (curl's `-d` sends a form's unless told otherwise), the charset "
        "is not UTF-8, or the body is compressed.",
        "Send `Content-Type: application/json`, UTF-8, without a `Content-Encoding`.",
        _POST,
        ("bad-json", "not-acceptable"),
    ),
    "expectation-failed": ProblemText(
        "The request has an `Expect` that is not `100-continue`.",
        "A client or a proxy that adds one of its own.",
        "Leave `Expect` out.",
        f"curl -i {{base}}/api/jobs -H 'Expect:' {_JSON} \\\n     {_MAIL}",
        ("bad-request",),
    ),
    "misdirected-request": ProblemText(
        "The request is for a host that this server does not answer for. Nothing was done.",
        "The server is reached by a name that it was not told of: through a proxy, a container's name, an entry of "
        "DNS. It refuses these so that a page in a browser can't reach it under a name of its own (DNS rebinding).",
        "Add the name to the setting `ALLOWED_HOSTS` and start the server again; or use a name that it knows.",
        "curl -i {base}/livez",
        ("not-found", "bad-request"),
    ),
    "headers-too-large": ProblemText(
        "The header fields are over 16 KiB together, or more than 64.",
        "Mostly cookies, which Waybill does not use, or a proxy that adds to a field at each turn of a loop.",
        "Send fewer and shorter fields.",
        "curl -i {base}/api/health",
        ("uri-too-long", "payload-too-large"),
    ),
    "method-unknown": ProblemText(
        "The request's first word is no method of HTTP.",
        "A typing error (methods are written in capitals), or bytes that are no HTTP: a TLS handshake sent to a port "
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
        "As many connections are open as the server takes, and this one was turned away. Nothing was done.",
        "Clients that open a connection for each request and leave it open, a crowd, or an attack.",
        "Try again after `Retry-After`. Keep connections and use them again. The operator may raise "
        "`MAX_CONNECTIONS`, and the limit of open files with it.",
        "curl -i --retry 5 {base}/livez",
        ("request-timeout", "draining"),
    ),
    "version-not-supported": ProblemText(
        "The request was made in a version of HTTP that is not spoken here.",
        "HTTP/2 without a negotiation, or HTTP/0.9.",
        "Speak HTTP/1.1. A proxy in front may speak HTTP/2 to its clients.",
        "curl -i --http1.1 {base}/livez",
        ("bad-request",),
    ),
    "invalid-fields": ProblemText(
        "The request is well-formed, but some fields or query parameters are not what they must be. Nothing was done.",
        "A field that is missing, misspelt, of another type or out of its range; a payload that is not what the job's "
        "type takes; a query parameter that this path does not know.",
        "`errors` names each by a JSON Pointer (`/payload/to`), a parameter by `?name`, a header by its name, and says "
        "what it must be. The API, `/docs`, has all of them.",
        _POST,
        ("bad-json", "idempotency-key-reused"),
    ),
    "job-not-found": ProblemText(
        "There is no job with that id.",
        "It was deleted or, finished long enough ago, has gone by itself (`RETAIN_COMPLETED`, `RETAIN_COMPLETED_S`, "
        "`RETAIN_DEAD_S`); or the id is not one that Waybill gave: a queue's name, `-`, and 32 hexadecimal digits.",
        "List the jobs that there are, by queue, state, type or `request_id`.",
        "curl -i '{base}/api/jobs?limit=20'",
        ("queue-not-found", "not-found"),
    ),
    "queue-not-found": ProblemText(
        "There is no queue of that name.",
        "A typing error, or nothing has been queued there yet: a queue begins with its first job or first worker.",
        "List the queues that there are.",
        "curl -i {base}/api/queues",
        ("job-not-found", "not-found"),
    ),
    "queue-in-use": ProblemText(
        "The queue can't be removed: it holds jobs, or a worker serves it; the `detail` says which. It is as it was.",
        "A queue is removed only when nothing is lost by it: no job that waits, and no record of one that has ended.",
        "Cancel the jobs that wait and delete those that have ended, or let these go by themselves after a time. Where "
        "workers serve it, take it out of their `WORKER_QUEUES` and restart them. Then remove it.",
        "curl -i '{base}/api/jobs?limit=20'",
        ("queue-not-found", "wrong-state"),
    ),
    "idempotency-key-reused": ProblemText(
        "That `Idempotency-Key` came within the last 24 hours with another request. Nothing was done.",
        "A key that is not made anew for each job: a constant, a counter that began again; or a request that was "
        "changed before it was sent again.",
        "Send the first body again to be told what became of it, or take a new key for a new job, as here.",
        _POST_KEYED.replace(_SAME_KEY, _NEW_KEY),
        ("invalid-fields", "outcome-unknown"),
    ),
    "queue-full": ProblemText(
        "As many jobs wait in that queue as its `max_depth` allows. This one was not taken in.",
        "Jobs come faster than they are worked off, the workers are away, or the queue is paused.",
        "Try again after `Retry-After`, which goes by how many jobs were completed in the last minute, with the same "
        "`Idempotency-Key` each time. The operator may start more workers, resume the queue, or raise its `max_depth`.",
        _POST_KEYED,
        ("redis-unavailable", "too-many-connections"),
    ),
    "wrong-state": ProblemText(
        "The job is in a state in which this can't be done to it; the `detail` says which. Nothing was changed.",
        "Only finished jobs can be deleted or run again, and only unfinished ones cancelled. Somebody, or a worker, "
        "may have been quicker. Nor is a job run again while another one waits or runs under its `unique` key.",
        "Look at the job. To delete one that waits or runs, cancel it first.",
        "curl -i {base}/api/jobs/JOB_ID",
        ("job-not-found",),
    ),
    "job-failed": ProblemText(
        "Whoever sent the job waited for its end with `Prefer: wait` or `?wait=`. It was taken in, and is dead or "
        "cancelled now. `job` in the answer is the job as it ended.",
        "Its last attempt failed, it could not begin in time (`expires_in_s`), or somebody cancelled it.",
        "Read `job.error`, mend what it says, then send `POST /api/jobs/JOB_ID/retry`. The first request sent again is "
        "answered with this job, where it bears its `Idempotency-Key`; without a key it makes another job.",
        "curl -i {base}/api/jobs/JOB_ID",
        ("wrong-state", "job-not-found"),
    ),
    "key-missing": ProblemText(
        "This server takes requests from holders of a key alone, and yours came without one.",
        "No `Authorization` field, one of another scheme than `Bearer`, or a proxy that takes it away.",
        "Send your key as `Authorization: Bearer wb_…`. Whoever runs the server makes one with "
        "`.venv/bin/python server.py --new-key NAME --scope read`.",
        _AS_HOLDER,
        ("key-invalid", "scope-missing"),
    ),
    "key-invalid": ProblemText(
        "The key that came is none that is good here. What else the request asks for was not looked at.",
        "The key has expired (`detail` says so), was taken out of `API_KEYS`, is of another server, or was cut when it "
        "was copied: 60 characters, `wb_`, letters and digits, and one more `_`. Or its entry is in the settings, and "
        "the server was not started again since.",
        "Send the whole key, or have a new one made. For a while both the old and the new one may be good.",
        _AS_HOLDER,
        ("key-missing", "too-many-tries"),
    ),
    "scope-missing": ProblemText(
        "The key is good, and its scope does not reach as far as this operation. Nothing was done.",
        "A key of scope `read` can look at everything; `write` creates and changes jobs as well; `admin` also changes "
        "queues.",
        "Use a key of the scope that `detail` names. The API, `/docs`, says which one each operation takes.",
        _AS_HOLDER,
        ("key-missing", "key-invalid"),
    ),
    "cross-site": ProblemText(
        "A browser sent this for a page that is not of this server, as its `Sec-Fetch-Site` or `Origin` says. Nothing "
        "was done.",
        "A page of another site tries to use what its visitor may do here; or a page of yours on another port or name "
        "does; or a proxy passes on another `Host` than it was given, so that the page looks foreign.",
        "Ask from a page of this server, or from a program, which sends neither field. Behind nginx: "
        "`proxy_set_header Host $http_host;`.",
        _POST,
        ("misdirected-request",),
    ),
    "too-many-tries": ProblemText(
        "Too many wrong keys came from your address. A good key is taken all the same.",
        "A program with a wrong or expired key that tries again and again, maybe another one behind the same proxy.",
        "Stop it, or give it a good key. `Retry-After` says when a wrong key is told again what is wrong with it.",
        _AS_HOLDER,
        ("key-invalid", "key-missing"),
    ),
    "rate-limited": ProblemText(
        "You have sent more requests than `RATE_LIMIT` allows. This one was not looked at.",
        "A loop without a pause, or several programs with one key: all keys of one name count together, on all "
        "servers. Where no keys are set it is counted by address.",
        "Wait for the seconds of `Retry-After`. `RateLimit` on each answer says how many requests are left (`r`) and "
        "in how many seconds all are back (`t`). To follow a job, `?wait=` takes fewer requests than asking again.",
        _AS_HOLDER,
        ("too-many-tries",),
    ),
    "redis-unavailable": ProblemText(
        "Redis is away or refuses writes, and **nothing was accepted**.",
        "It is down, starting, unreachable, full (`maxmemory`), or can't write to its disk.",
        "Try again after `Retry-After`, with an `Idempotency-Key` that stays the same: nothing was done this time, and "
        "of a later try the answer may be lost. The operator finds the cause in `/api/health` and in the log.",
        _POST_KEYED,
        ("outcome-unknown", "not-replicated", "draining"),
    ),
    "outcome-unknown": ProblemText(
        "The request was sent to Redis and no answer came back: it **may have been carried out**, or not.",
        "The link broke, or Redis stopped answering, between the request and its answer.",
        "Send it again with the same `Idempotency-Key`, made once for the job and not for each try: it is then done "
        "once, whatever became of the first. Without one, look whether the job is there, by the `request_id` of the "
        "answer.",
        _POST_KEYED,
        ("redis-unavailable", "not-replicated", "idempotency-key-reused"),
    ),
    "not-replicated": ProblemText(
        "The job is in Redis and will be run, but fewer replicas than `ACK_REPLICAS` have confirmed it in time. A "
        "failover now could lose it.",
        "A replica is away or lags behind.",
        "Send it again with the same `Idempotency-Key` to be told when it is safe; the job is not queued twice.",
        _POST_KEYED,
        ("outcome-unknown", "redis-unavailable"),
    ),
    "keys-broken": ProblemText(
        "A key of this queue in Redis holds what Waybill did not write there, so that the queue can't be read or "
        "written. Of a change **nothing or a part** was made. Other queues go on.",
        "Somebody or another program wrote to Redis by hand, under Waybill's `KEY_PREFIX`.",
        "Wait for the operator: `.venv/bin/python worker.py --doctor --check` names the key. Once it is mended or "
        "deleted the queue goes on by itself; send what was refused again, with the same `Idempotency-Key`.",
        _POST_KEYED,
        ("redis-unavailable", "outcome-unknown"),
    ),
    "draining": ProblemText(
        "This server is shutting down: it finishes what it has begun and takes nothing new.",
        "A restart or a deployment.",
        "Try again after `Retry-After`; a proxy that asks `/readyz` sends you to another server.",
        "curl -i --retry 5 {base}/readyz",
        ("redis-unavailable", "too-many-connections"),
    ),
}
