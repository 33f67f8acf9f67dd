"""Log lines for what words of other jobs bring about: a job is free, a job or a workflow has ended.

DEBUG job.freed       Job free: email-01a2… | default-01a2… has begun
DEBUG job.freed       Job free: sms-01a2… | email-01a2… was the last for which it waited
INFO  callback_url.queued Callback queued: webhook-01a2… | email-01a2… is completed
ERROR callback_url.lost   Callback not queued: email-01a2… | the spec can't be read: …
WARN  job.cancelled   Job cancelled: sms-01a2… | parent_failed: email-01a2…, for which it waited, did not complete
INFO  workflow.ended  Workflow completed: default-01a2…

WHY DEBUG for the first: that line has no request_id, which would cost a read of each job's spec. `Job started`, which
has one, follows within milliseconds.
"""

import functools
from collections.abc import Sequence

from lib.jobs.webhook_defaults import WEBHOOK_QUEUE
from lib.logs.log import Log
from lib.queue.bulkheads import Bulkheads
from lib.queue.end_webhooks import EndTold
from lib.queue.framing import shown_text
from lib.queue.keys import RedisKeys
from lib.queue.notices import Notices, ToldWords
from lib.queue.outcome_log import OutcomeLog
from lib.redis_link.link import RedisLink

FREED, ENDED = ord("f"), ord("e")  # As in resolve.lua.


class ToldLog:
    """For Notices, as `on_told`."""

    def __init__(self, log: Log, outcomes: OutcomeLog) -> None:
        self._log = log
        self._outcomes = outcomes

    def __call__(self, told: ToldWords) -> None:
        ended = []
        for word, letter in zip(told.words, told.letters, strict=False):
            if letter == FREED:
                job_id, parent_id = shown_text(word.follower), shown_text(word.parent)
                why = "has begun" if word.outcome == b"o" else "was the last for which it waited"
                msg = f"Job free: {job_id} | {parent_id} {why}"
                self._log.debug("job.freed", msg, job_id=job_id, queue=told.queue, parent_id=parent_id)
            elif letter == ENDED:
                ended.append(shown_text(word.follower))
        if ended:
            self._outcomes.log_soon(ended)


def log_ends(log: Log, told: Sequence[EndTold]) -> None:
    """A line for each end of a job that is now on its way to the job's callback_url, or can't be told."""
    for end, webhook, spec, is_new, why in told:
        about: dict[str, object] = {"parent_id": end.job_id, "queue": WEBHOOK_QUEUE}
        if webhook is None or spec is None:
            log.error("callback_url.lost", f"Callback not queued: {end.job_id} | {why}", **about)
        elif is_new:
            msg = f"Callback queued: {webhook.job_id} | {end.job_id} is {end.state}"
            about |= {"request_id": spec.request_id, "trace_id": spec.trace.trace_id, "job_id": webhook.job_id}
            log.info("callback_url.queued", msg, **about)


def logged_notices(
    link: RedisLink,
    keys: RedisKeys,
    log: Log,
    outcomes: OutcomeLog,
    bulkheads: Bulkheads,
    *,
    ack_replicas: int,
    commit_link: RedisLink | None = None,
) -> Notices:
    """The Notices of one process: what they bring about is logged, and `telling.failed` for a queue whose keys are
    broken."""
    return Notices(
        link,
        keys,
        commit_link=commit_link,
        ack_replicas=ack_replicas,
        on_fault=bulkheads.teller("telling"),
        on_told=ToldLog(log, outcomes),
        on_ends_told=functools.partial(log_ends, log),
    )
