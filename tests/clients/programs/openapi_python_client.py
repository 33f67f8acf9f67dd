"""As generated.SEEN says, with the client of openapi-python-client. Takes the URLs of Waybill and a stranger."""

import json
import sys

from client import AuthenticatedClient
from client.api.jobs import create_job, create_jobs, list_jobs, read_job
from client.models import (
    BatchAnswer,
    BatchJob,
    BatchJobPayload,
    Job,
    JobError,
    JobPage,
    NewJob,
    NewJobPayload,
    Problem,
    UniqueWish,
)
from client.types import UNSET, Unset

waybill, stranger = (AuthenticatedClient(base_url=url, token="none is asked for") for url in sys.argv[1:3])


def mail(**fields: str) -> NewJob:
    return NewJob(type_="email", payload=NewJobPayload.from_dict(fields))


def queued(job: NewJob, key: str | Unset = UNSET) -> Job:
    answer = create_job.sync(client=waybill, body=job, idempotency_key=key)
    assert isinstance(answer, Job), answer
    return answer


def waited(job_id: str) -> Job:
    answer = read_job.sync(job_id, client=waybill, wait=30)
    assert isinstance(answer, Job), answer
    return answer


def first_pointer(problem: object) -> str:
    assert isinstance(problem, Problem) and problem.errors, problem
    return problem.errors[0].pointer


def batch() -> BatchAnswer:
    texts = {"to": "ada@example.com", "subject": "Hi", "text": "Hello"}
    answer = create_jobs.sync(
        client=waybill,
        body=[
            BatchJob(type_="email", payload=BatchJobPayload.from_dict(texts), idempotency_key="b-1"),
            BatchJob(
                type_="ship", payload=BatchJobPayload.from_dict({"number": 0, "lines": []}), idempotency_key="b-2"
            ),
            BatchJob(type_="ship", payload=BatchJobPayload.from_dict({"lines": []}), idempotency_key="b-3"),
        ],
    )
    assert isinstance(answer, BatchAnswer), answer
    return answer


def pages() -> int:
    cursor: str | Unset = UNSET
    jobs = 0
    while True:
        page = list_jobs.sync(client=waybill, queue="orders", limit=1, cursor=cursor)
        assert isinstance(page, JobPage), page
        jobs += len(page.items)
        if page.next_cursor is None:
            return jobs
        cursor = page.next_cursor


def main() -> None:
    seen: dict[str, object] = {}
    sent = queued(mail(to="ada@example.com", subject="Hi", text="Hello"), "m-1")
    seen["mail"] = waited(sent.id).state

    payload = NewJobPayload.from_dict({"number": 4711, "lines": [{"sku": "a", "pieces": 2}]})
    order = NewJob(type_="ship", payload=payload, delay_s=1.5, unique=UniqueWish(key="order-4711"))
    own, twin = queued(order), queued(order)
    done = waited(own.id)
    same = "the same job" if own.id == twin.id else "another"
    seen["own"] = [own.outcome, twin.outcome, same, done.state, done.result["shipped"]]

    answer, again = batch(), batch()
    seen["batch"] = [*(item.status for item in answer.items), first_pointer(answer.items[2].problem)]
    same = "the same job" if answer.items[1].id == again.items[1].id else "another"
    seen["again"] = [again.items[1].outcome, same]

    dead = waited(str(answer.items[1].id))
    assert isinstance(dead.error, JobError) and isinstance(dead.error.cause, JobError)
    seen["dead"] = [dead.state, dead.error.type_, dead.error.cause.type_]
    seen["pages"] = pages()

    refused = create_job.sync(client=waybill, body=mail(to="ada@example.com", text="Hello"))
    assert isinstance(refused, Problem)
    seen["problem"] = [refused.status, refused.type_, first_pointer(refused)]
    unknown = read_job.sync(own.id, client=stranger)
    assert isinstance(unknown, Problem)
    seen["unknown"] = [unknown.status, unknown.type_]
    print(json.dumps(seen))


main()
