"""As generated.SEEN says, with the models of datamodel-code-generator. Takes the URLs of Waybill and a stranger."""

import json
import sys
import urllib.error
import urllib.request
from typing import Any

from client import BatchAnswer, BatchJob, Job, JobPage, NewJob, Problem, UniqueWish
from pydantic import BaseModel

waybill, stranger = sys.argv[1:3]
TEXTS = {"to": "ada@example.com", "subject": "Hi", "text": "Hello"}


def asked(url: str, body: list[dict[str, Any]] | dict[str, Any] | None = None, **headers: str) -> Any:
    raw = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, raw, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return Problem.model_validate(json.load(refused))


def sent(model: BaseModel) -> dict[str, Any]:
    """As pydantic has it by default: with null for what was left out."""
    return model.model_dump(mode="json")


def queued(job: NewJob, **headers: str) -> Job:
    return Job.model_validate(asked(f"{waybill}/api/jobs", sent(job), **headers))


def waited(job_id: str) -> Job:
    return Job.model_validate(asked(f"{waybill}/api/jobs/{job_id}?wait=30"))


def stated(job: Job) -> str | None:
    return job.state.value if job.state else None


def batch() -> BatchAnswer:
    jobs = [
        BatchJob(type="email", payload=TEXTS, idempotency_key="b-1"),
        BatchJob(type="ship", payload={"number": 0, "lines": []}, idempotency_key="b-2"),
        BatchJob(type="ship", payload={"lines": []}, idempotency_key="b-3"),
    ]
    return BatchAnswer.model_validate(asked(f"{waybill}/api/jobs/batch", [sent(job) for job in jobs]))


def pages() -> int:
    cursor, jobs = "", 0
    while True:
        page = JobPage.model_validate(asked(f"{waybill}/api/jobs?queue=orders&limit=1&cursor={cursor}"))
        jobs += len(page.items)
        if page.next_cursor is None:
            return jobs
        cursor = page.next_cursor


def first_pointer(problem: Problem | None) -> str:
    assert problem and problem.errors, problem
    return problem.errors[0].pointer


def main() -> None:
    seen: dict[str, Any] = {}
    mail = queued(NewJob(type="email", payload=TEXTS), **{"Idempotency-Key": "m-1"})
    seen["mail"] = stated(waited(mail.id.root))

    payload = {"number": 4711, "lines": [{"sku": "a", "pieces": 2}]}
    order = NewJob(type="ship", payload=payload, delay_s=1.5, unique=UniqueWish(key="order-4711"))
    own, twin = queued(order), queued(order)
    done = waited(own.id.root)
    outcomes = [one.outcome.root if one.outcome else None for one in (own, twin)]
    same = "the same job" if own.id == twin.id else "another"
    assert isinstance(done.result, dict)
    seen["own"] = [*outcomes, same, stated(done), done.result["shipped"]]

    answer, again = batch(), batch()
    seen["batch"] = [*(item.status for item in answer.items), first_pointer(answer.items[2].problem)]
    (_, first, _), (_, second, _) = answer.items, again.items
    assert first.id and second.outcome
    seen["again"] = [second.outcome.root, "the same job" if first.id == second.id else "another"]

    dead = waited(first.id.root)
    assert dead.error and dead.error.cause
    seen["dead"] = [stated(dead), dead.error.type, dead.error.cause.type]
    seen["pages"] = pages()

    refused = asked(f"{waybill}/api/jobs", sent(NewJob(type="email", payload={"to": "ada@example.com", "text": "Hi"})))
    seen["problem"] = [refused.status, refused.type, first_pointer(refused)]
    unknown = asked(f"{stranger}/api/jobs/{own.id.root}")
    seen["unknown"] = [unknown.status, unknown.type]
    print(json.dumps(seen))


main()
