"""GET /api/jobs: a page of the jobs that fit the filters, in an order, in full or as rows of a table."""

from collections.abc import Callable, Mapping
from typing import Final

from lib.api.cursor import PagePlace, cursor_of, cursor_text
from lib.api.job_filters import order_of_query, usual_order, wanted_of_query
from lib.api.job_pages import JobPages, OrderUnknownError, Page
from lib.errors import RedisKeysBroken
from lib.http1.message import Response
from lib.ids import QUEUE_NAME
from lib.jobs.job import JobRecord
from lib.jobs.shown import job_text
from lib.jobs.summary import summary_text
from lib.json_text import to_json
from lib.queue.queue_store import QueueStore
from lib.web import query
from lib.web.json_answer import answer_text
from lib.web.router import Call

_SHOWN: Final[Mapping[str, Callable[[JobRecord], str]]] = {"all": job_text, "summary": summary_text}


class JobList:
    """The operation on the list of jobs."""

    def __init__(self, pages: JobPages, queues: QueueStore) -> None:
        self._pages = pages
        self._queues = queues

    async def read(self, call: Call) -> Response:
        found = call.parameters
        limit = query.whole(found, "limit", 1, 200, 50)
        wanted = wanted_of_query(found)
        order = order_of_query(found, wanted)
        place = cursor_of(found)
        show = _SHOWN.get(found.get("fields", "all"))
        if show is None:
            raise query.parameter_error("fields", f"must be one of {', '.join(_SHOWN)}")
        queue = found.get("queue")
        if queue is not None and not QUEUE_NAME.fullmatch(queue):
            raise query.parameter_error("queue", "is not a queue's name")
        queues = [queue] if queue is not None else await self._queues.names()
        usual = order or usual_order(wanted)
        try:
            page = await self._pages.read(queues, wanted, place, usual, limit, show)
        except OrderUnknownError:
            if order is not None or place is not None:
                detail = "can't be told where so many groups wait or jobs run; begin anew with newest or oldest"
                raise query.parameter_error("order", detail) from None
            page = await self._pages.read(queues, wanted, None, "newest", limit, show)
        if queue is not None and page.unreadable:
            raise RedisKeysBroken(page.unreadable[0].reason)
        return answer_text(200, _page_text(page, found))


def _page_text(page: Page, found: dict[str, str]) -> str:
    warnings = to_json([unreadable.warning for unreadable in page.unreadable])
    return (
        f'{{"items":[{",".join(page.items)}],"next_cursor":{_cursor(page.next, found)},'
        f'"back_to":{_cursor(page.back, found)},"order":"{page.order}",'
        f'"looked_at":{page.looked_at},"of":{page.of},"warnings":{warnings}}}'
    )


def _cursor(place: PagePlace | None, found: dict[str, str]) -> str:
    return to_json(cursor_text(place, found)) if place else "null"
