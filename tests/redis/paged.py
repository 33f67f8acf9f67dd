"""For the tests of pages of jobs: a page, or all of them one after the other, as GET /api/jobs has them.

ids = await self.all_of(Wanted("ready"), "next", limit=7)
"""

from typing import Any

from lib.api.cursor import PagePlace
from lib.api.job_pages import JobPages, Page
from lib.api.job_search import JobSearch
from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.queue.listing import Order, Wanted
from tests.redis.case import TRACE, RedisCase

OTHER_QUEUE = "r"


class PageCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.pages = JobPages(self.job_store, JobSearch(self.job_store))
        self.queue_names = ["q"]
        self.pages_read = 0

    async def page(self, wanted: Wanted, place: PagePlace | None, order: Order, limit: int) -> Page:
        self.pages_read += 1
        self.assertLess(self.pages_read, 3000, "the pages do not end")
        return await self.pages.read(self.queue_names, wanted, place, order, limit, lambda record: record.job_id)

    async def all_of(self, wanted: Wanted, order: Order, limit: int = 7) -> list[str]:
        pages = [await self.page(wanted, None, order, limit)]
        while (place := pages[-1].next) is not None:
            pages.append(await self.page(wanted, place, order, limit))
        return [job_id for page in pages for job_id in page.items]

    def a_job(self, group: str = "", priority: str = "normal", queue: str = "q", **times: Any) -> NewJob:
        spec = JobSpec("noop", {}, "r", TRACE, 5, 60.0, Backoff(), priority, group=group)
        return NewJob(self.ids.new(queue, "r"), priority, spec.to_text(), group=group, **times)
