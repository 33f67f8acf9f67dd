"""As generated.SEEN says, with the client of openapi-generator's `python`. Takes the URLs of Waybill and a stranger."""

import json
import sys
from typing import Any

from openapi_client import ApiClient, BatchAnswer, BatchJob, Configuration, Job, JobsApi, NewJob, Problem, UniqueWish
from openapi_client.exceptions import ApiException

waybill, stranger = (JobsApi(ApiClient(Configuration(host=url))) for url in sys.argv[1:3])


def mail(**fields: str) -> NewJob:
    return NewJob(type="email", payload=fields)


def waited(job_id: str) -> Job:
    return waybill.read_job(job_id, wait=30)


def told(fault: ApiException) -> Problem:
    assert isinstance(fault.data, Problem), fault
    return fault.data


def first_pointer(problem: Problem | None) -> str:
    assert problem and problem.errors, problem
    return problem.errors[0].pointer


def batch() -> BatchAnswer:
    texts = {"to": "ada@example.com", "subject": "Hi", "text": "Hello"}
    return waybill.create_jobs(
        [
            BatchJob(type="email", payload=texts, idempotency_key="b-1"),
            BatchJob(type="ship", payload={"number": 0, "lines": []}, idempotency_key="b-2"),
            BatchJob(type="ship", payload={"lines": []}, idempotency_key="b-3"),
        ]
    )


def pages() -> int:
    cursor, jobs = None, 0
    while True:
        page = waybill.list_jobs(queue="orders", limit=1, cursor=cursor)
        jobs += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return jobs


def refused(call: Any) -> Problem:
    try:
        call()
    except ApiException as fault:
        return told(fault)
    raise AssertionError("it was not refused")


def main() -> None:
    seen: dict[str, Any] = {}
    sent = waybill.create_job(mail(to="ada@example.com", subject="Hi", text="Hello"), idempotency_key="m-1")
    seen["mail"] = waited(sent.id).state

    payload = {"number": 4711, "lines": [{"sku": "a", "pieces": 2}]}
    order = NewJob(type="ship", payload=payload, delay_s=1.5, unique=UniqueWish(key="order-4711"))
    own, twin = waybill.create_job(order), waybill.create_job(order)
    done = waited(own.id)
    same = "the same job" if own.id == twin.id else "another"
    assert isinstance(done.result, dict)
    seen["own"] = [own.outcome, twin.outcome, same, done.state, done.result["shipped"]]

    answer, again = batch(), batch()
    seen["batch"] = [*(item.status for item in answer.items), first_pointer(answer.items[2].problem)]
    same = "the same job" if answer.items[1].id == again.items[1].id else "another"
    seen["again"] = [again.items[1].outcome, same]

    dead = waited(str(answer.items[1].id))
    assert dead.error and dead.error.cause
    seen["dead"] = [dead.state, dead.error.type, dead.error.cause.type]
    seen["pages"] = pages()

    problem = refused(lambda: waybill.create_job(mail(to="ada@example.com", text="Hello")))
    seen["problem"] = [problem.status, problem.type, first_pointer(problem)]
    unknown = refused(lambda: stranger.read_job(own.id))
    seen["unknown"] = [unknown.status, unknown.type]
    print(json.dumps(seen))


main()
