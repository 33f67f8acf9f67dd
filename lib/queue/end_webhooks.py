"""Queues the webhooks that tell the ends of jobs to their `callback_url`s, for notices.py.

    told = await end_webhooks.plant([JobEnd("email-01…", "1764410000123-0", "completed", …)], next_mark)

A notice that has `!callback` among its followers becomes a job in the queue `webhook`: always the same id, so it may be
told twice, by any number of processes (plant.lua leaves a job alone that is there already). The webhook's body is made
here, of the job's record and of what the notice says of the end. No max_depth refuses it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import inf
from typing import Final, NamedTuple

from lib.errors import RedisKeysBroken
from lib.ids import queue_of
from lib.jobs.end_webhook import JobEnd, webhook_of
from lib.jobs.job import JobRecord, NewJob
from lib.jobs.queue_settings import stored
from lib.jobs.spec import JobSpec
from lib.jobs.webhook_defaults import GROUP_CONCURRENCY, WEBHOOK_QUEUE
from lib.queue.enqueue_text import BEGUN, new_jobs_text
from lib.queue.job_record import record_from
from lib.queue.keys import RedisKeys
from lib.queue.queue_beginnings import QueueBeginnings
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

NAMED_S: Final = 30.0
"""The queue's name is written into `wb:queues` again after so long: somebody may have removed it."""
ASK_MS: Final = 0  # Of jobs that wait for others. A webhook waits for none.
MOST_BYTES: Final = 1 << 20
BEGINS_WITH: Final = {WEBHOOK_QUEUE: stored({"groups": {"concurrency": GROUP_CONCURRENCY}})}
"""As where the type's own module is known: this is the first job of the queue where only ends are told."""


class EndTold(NamedTuple):
    """What became of an end that is to be told. webhook: the job that tells it; None where it can't be told, for the
    reason `why`. is_new: this process has queued it."""

    end: JobEnd
    webhook: NewJob | None
    spec: JobSpec | None
    is_new: bool
    why: str = ""


class EndWebhooks:
    """The webhooks of one process. scripts: over the link by which new jobs go."""

    def __init__(
        self, link: RedisLink, keys: RedisKeys, scripts: Scripts, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._scripts = scripts
        self._beginnings = QueueBeginnings(link, keys, BEGINS_WITH)
        self._read_scripts = Scripts(link)
        self._clock = clock
        self._named_s = -inf

    async def plant(self, ends: Sequence[JobEnd], next_mark: Callable[[], str]) -> list[EndTold]:
        """Queue a webhook for each end. next_mark: the mark of a call of plant.lua, or "".

        Raises RedisUnavailable, or RedisKeysBroken for the queue of webhooks: then some may not be queued."""
        records = await self._records(ends)
        told = []
        for end in ends:
            told.append(_told(end, records.get(end.job_id)))
            await asyncio.sleep(0)  # A job may have a MiB, and the process has other work.
        await self._name()
        letters: list[int] = []
        webhooks = [one.webhook for one in told if one.webhook is not None]
        for jobs in _chunks(webhooks):
            base = self._keys.base(WEBHOOK_QUEUE)
            reply: bytes = await self._scripts.call("plant", base, ASK_MS, new_jobs_text(jobs), next_mark())
            if reply.startswith(BEGUN):
                await self._beginnings.begun(WEBHOOK_QUEUE)
            letters += reply[-len(jobs) :]
        planted = iter(letters)
        return [one if one.webhook is None else one._replace(is_new=next(planted) == ord("1")) for one in told]

    async def _records(self, ends: Sequence[JobEnd]) -> dict[str, JobRecord]:
        """The jobs that have ended, as they are now; without those whose records are gone.

        WHY one by one: each may have some MiB, and Redis does nothing else while it answers a call."""
        ids = list({end.job_id for end in ends if queue_of(end.job_id)})
        texts = await asyncio.gather(*map(self._text_of, ids))
        return {job_id: record_from(job_id, text) for job_id, text in zip(ids, texts, strict=True) if text}

    async def _text_of(self, job_id: str) -> bytes:
        """What record_text.lua gives of the job; b"" where its record is gone."""
        text: bytes
        (text,) = await self._read_scripts.call("read", self._keys.base(queue_of(job_id) or ""), job_id)
        return text

    async def _name(self) -> None:
        """Write the queue's name into `wb:queues`, before its first job."""
        if self._clock() - self._named_s < NAMED_S:
            return
        with suppress(RedisKeysBroken):  # A broken set of names stops no webhook.
            await self._scripts.call("name", self._keys.queues, self._keys.moved, WEBHOOK_QUEUE)
            self._named_s = self._clock()


def _told(end: JobEnd, record: JobRecord | None) -> EndTold:
    try:
        webhook, spec = webhook_of(end, record)
    except Exception as fault:  # noqa: BLE001  Whatever is wrong with one job, the ends of the others are told.
        return EndTold(end, None, None, is_new=False, why=str(fault))
    return EndTold(end, webhook, spec, is_new=False)


def _chunks(jobs: Sequence[NewJob]) -> Iterator[list[NewJob]]:
    """The jobs in calls of MOST_BYTES at most, but always one."""
    chunk: list[NewJob] = []
    size = 0
    for job in jobs:
        size += len(job.spec_text)
        if chunk and size > MOST_BYTES:
            yield chunk
            chunk, size = [], len(job.spec_text)
        chunk.append(job)
    if chunk:
        yield chunk
