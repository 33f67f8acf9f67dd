"""GET /api/requests/{request_id}: what became of one request, over all queues, as spans (lib/jobs/request_trace.py).

    find the request's jobs, newest first, up to 1,000 and for up to a second
    read them
    show them oldest first, with their spans, in a thread: 1,000 jobs may have 50,000 spans

Nothing is kept for it: it is made of the jobs' records. `complete` says that no job is missing but those whose records
are gone.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from lib.api.cursor import PagePlace, cursor_of, cursor_text
from lib.api.job_search import JobSearch
from lib.errors import RequestNotFound
from lib.http1.message import Response
from lib.ids import is_request_id
from lib.jobs.job import JobRecord
from lib.jobs.request_trace import Link, Span, links_of, rooted, spans_of
from lib.jobs.state import FINISHED
from lib.jobs.timestamps import timestamp
from lib.json_text import to_json
from lib.queue.listing import Wanted
from lib.queue.queue_store import QueueStore
from lib.web import query
from lib.web.json_answer import answer_text
from lib.web.router import Call

MOST_JOBS = 1000
SEARCH_S = 1.0


class RequestOperations:
    """The operation on requests."""

    def __init__(self, search: JobSearch, queues: QueueStore) -> None:
        self._search = search
        self._queues = queues

    async def read(self, call: Call) -> Response:
        request_id = call.path["request_id"]
        limit = query.whole(call.parameters, "limit", 1, MOST_JOBS, MOST_JOBS)
        filters = {"request_id": request_id, **call.parameters}
        place = cursor_of(filters)
        after = place.cursor if place else None
        wanted = Wanted(request_id=request_id)
        if not is_request_id(request_id):
            raise RequestNotFound("a request id has 1 to 128 letters, digits and . _ -")
        # One more than are shown tells whether there are more.
        found = await self._search.find(await self._queues.names(), wanted, after, limit + 1, SEARCH_S)
        page = found
        if len(found.jobs) > limit:
            page = found._replace(jobs=found.jobs[:limit], end=found.jobs[limit - 1])
        records, end = await self._search.read(page, wanted)
        is_complete = end is None and not page.unreadable
        if not records and is_complete and after is None:
            raise RequestNotFound(f"no job has the request id {request_id}")
        about = {
            "request_id": request_id,
            "complete": is_complete,
            "truncated": end is not None and end != found.end,
            "next_cursor": cursor_text(PagePlace(end), filters) if end else None,
            "warnings": [unreadable.warning for unreadable in page.unreadable],
        }
        is_whole = is_complete and after is None
        return answer_text(200, await asyncio.to_thread(_text, about, records[::-1], is_whole=is_whole))


def _text(about: dict[str, Any], records: Sequence[JobRecord], *, is_whole: bool) -> str:
    """The answer's body. records: oldest first. is_whole: they are all of the request's jobs."""
    spans = spans_of(records)
    if is_whole:
        spans = rooted(spans)
    first = next((record.spec for record in records if record.spec is not None), None)
    is_open = any(record.state not in FINISHED for record in records)
    ends = [span.end_ms for span in spans if span.end_ms is not None]
    return to_json(
        {
            **about,
            "trace_id": first.trace.trace_id if first else None,
            "state": "open" if is_open else "ended" if is_whole else None,
            "started_at": timestamp(spans[0].start_ms) if spans else None,
            "ended_at": timestamp(max(ends)) if ends and is_whole and not is_open else None,
            "jobs": [_job(record) for record in records],
            "spans": [_span(span) for span in spans],
            "links": [_link(link) for link in links_of(records)],
        }
    )


def _job(record: JobRecord) -> dict[str, Any]:
    type_name = record.spec.type if record.spec else None
    return {"id": record.job_id, "type": type_name, "queue": record.queue, "state": record.state or None}


def _span(span: Span) -> dict[str, Any]:
    return {
        "id": span.span_id,
        "parent": span.parent_id or None,
        "kind": span.kind,
        "name": span.name,
        "job_id": span.job_id or None,
        "start": timestamp(span.start_ms),
        "end": None if span.end_ms is None else timestamp(span.end_ms),
        "outcome": span.outcome or None,
        "attributes": span.attributes or {},
    }


def _link(link: Link) -> dict[str, str]:
    return {"from": link.from_id, "to": link.to_id, "on": link.on}
