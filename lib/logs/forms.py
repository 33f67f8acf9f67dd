"""The five lines that every request and every job writes: each of them one f-string, the cheapest way to a line.

A request's life in app.log and a job's in worker.log, shortened, as these functions make it:

    {"ts":"…","level":"INFO","event":"request.started","msg":"Request Started → ID: r-1 | POST /api/jobs",…}
    {"ts":"…","level":"INFO","event":"job.enqueued","msg":"Email job added to queue","request_id":"r-1",…}
    {"ts":"…","level":"INFO","event":"request.ended","msg":"Request Ended → ID: r-1 | Status: 202 | 1.4 ms",…}
    {"ts":"…","level":"INFO","event":"job.started","msg":"Job started: email-7","request_id":"r-1",…}
    {"ts":"…","level":"INFO","event":"job.finished","msg":"Job finished: email-7",…,"duration_ms":21.0}

Log.info makes the same lines of the same fields (a test compares them); these take half of its time. Every value
is put in as it is, so every value must be plain: nothing in it that JSON or a terminal would have escaped. Checked ids,
methods, paths and names of job types and queues are plain; what else a caller sends is not. Pure.
"""

from collections.abc import Callable

from lib.logs.log_lines import INFO


class Form:
    """One kind of line: `log.write(form, about, *values)` writes it.

    json: (ts, more, *values) -> the line for the file; more: further fields in JSON, `,"caller":"shop"`, or "".
    text: (ts, *values) -> the line for the console, with the ids of the request and the job.
    """

    def __init__(self, level: int, json: Callable[..., str], text: Callable[..., str]) -> None:
        self.level = level
        self.json = json
        self.text = text


# "\x1a" in a message is log_lines.ARROW_STAND_IN: it is written as an arrow.
REQUEST_STARTED = Form(
    INFO,
    lambda ts, more, request_id, method, path: (
        f'{{"ts":"{ts}","level":"INFO","event":"request.started",'
        f'"msg":"Request Started \x1a ID: {request_id} | {method} {path}",'
        f'"request_id":"{request_id}","method":"{method}","path":"{path}"{more}}}\n'
    ),
    lambda ts, request_id, method, path: f"{ts} INFO Request Started \x1a ID: {request_id} | {method} {path}\n",
)
REQUEST_ENDED = Form(
    INFO,
    lambda ts, more, request_id, trace_id, status, duration_ms: (
        f'{{"ts":"{ts}","level":"INFO","event":"request.ended",'
        f'"msg":"Request Ended \x1a ID: {request_id} | Status: {status} | {duration_ms} ms",'
        f'"request_id":"{request_id}","trace_id":"{trace_id}","status":{status},"duration_ms":{duration_ms}{more}}}\n'
    ),
    lambda ts, request_id, trace_id, status, duration_ms: (
        f"{ts} INFO Request Ended \x1a ID: {request_id} | Status: {status} | {duration_ms} ms\n"
    ),
)
JOB_ENQUEUED = Form(
    INFO,
    lambda ts, more, request_id, trace_id, job_id, queue, type_name, kind: (
        f'{{"ts":"{ts}","level":"INFO","event":"job.enqueued","msg":"{kind} job added to queue",'
        f'"request_id":"{request_id}","trace_id":"{trace_id}","job_id":"{job_id}",'
        f'"queue":"{queue}","type":"{type_name}"{more}}}\n'
    ),
    lambda ts, request_id, trace_id, job_id, queue, type_name, kind: (
        f"{ts} INFO {kind} job added to queue request_id={request_id} job_id={job_id}\n"
    ),
)
JOB_STARTED = Form(
    INFO,
    lambda ts, more, request_id, trace_id, job_id, queue, type_name, attempt: (
        f'{{"ts":"{ts}","level":"INFO","event":"job.started","msg":"Job started: {job_id}",'
        f'"request_id":"{request_id}","trace_id":"{trace_id}","job_id":"{job_id}",'
        f'"queue":"{queue}","type":"{type_name}","attempt":{attempt}{more}}}\n'
    ),
    lambda ts, request_id, trace_id, job_id, queue, type_name, attempt: (
        f"{ts} INFO Job started: {job_id} request_id={request_id}\n"
    ),
)
JOB_FINISHED = Form(
    INFO,
    lambda ts, more, request_id, trace_id, job_id, queue, type_name, attempt, duration_ms: (
        f'{{"ts":"{ts}","level":"INFO","event":"job.finished","msg":"Job finished: {job_id}",'
        f'"request_id":"{request_id}","trace_id":"{trace_id}","job_id":"{job_id}",'
        f'"queue":"{queue}","type":"{type_name}","attempt":{attempt},"duration_ms":{duration_ms}{more}}}\n'
    ),
    lambda ts, request_id, trace_id, job_id, queue, type_name, attempt, duration_ms: (
        f"{ts} INFO Job finished: {job_id} request_id={request_id}\n"
    ),
)


def attempt_fields(request_id: str, trace_id: str, job_id: str, queue: str, type_name: str, attempt: str) -> str:
    """The fields of every line about one attempt, in JSON, as `Bound.tail` has them; see `Log.bind`."""
    return (
        f',"request_id":"{request_id}","trace_id":"{trace_id}","job_id":"{job_id}",'
        f'"queue":"{queue}","type":"{type_name}","attempt":{attempt}'
    )
