"""The job `webhook`: a payload in, an HTTP request out, the receiver's answer kept as the job's result.

What JOB_MODULES=lib.handlers.webhook finds is here.

1. At POST `Webhook` (webhook_payload.py) checks URL, headers, body and secret, and `admits`
   (webhook_sender.py) refuses an address that WEBHOOK_ALLOW_PRIVATE does not name. A payload that fails is a 422 with a
   pointer to each fault. The job's group is the host of its URL (`host_of`).
2. A runner awaits `send_webhook` on its loop. webhook_sender.py signs the request (signature.py) and sends it by
   lib/http1/client, whose guard vets every address that it dials.
3. webhook_verdicts.py says what the answer means. A job is tried again until it is answered with a 2xx, for most of a
   day, always under the same `webhook-id`: if a runner dies between the answer and the job's end, the receiver gets the
   webhook twice, and can tell. It is worse to lose a webhook than to send it twice.
4. With `completion: "callback"` a 202 hands the job over (jobs/handler.py, HandOver): the receiver works on, and posts
   the outcome to the URL that the request had in the field Waybill-Callback (api/callbacks.py).
"""

from typing import Any

from lib.handlers.webhook.webhook_payload import Webhook as Webhook
from lib.handlers.webhook.webhook_payload import host_of
from lib.handlers.webhook.webhook_sender import WebhookSender, admits, settings_in_words
from lib.handlers.webhook.webhook_sender import check_settings as check_settings
from lib.handlers.webhook.webhook_verdicts import AddressNotAllowed, HTTPStatusFinal, NoSecret, result_of, verdict
from lib.http1.client.faults import HttpClientFault
from lib.ids import queue_of
from lib.jobs.registry import HandOver, JobContext, job
from lib.jobs.webhook_defaults import (
    BACKOFF,
    GROUP_CONCURRENCY,
    MAX_ATTEMPTS,
    TIMEOUT_S,
    WEBHOOK_QUEUE,
    WEBHOOK_TYPE,
)
from lib.settings.config import Settings

ACCEPTED = 202


@job(
    WEBHOOK_TYPE,
    queue=WEBHOOK_QUEUE,
    max_attempts=MAX_ATTEMPTS,
    timeout_s=TIMEOUT_S,
    backoff=BACKOFF,
    check=admits,
    group=lambda _settings: host_of,
    group_concurrency=GROUP_CONCURRENCY,
)
async def send_webhook(ctx: JobContext, payload: Webhook) -> dict[str, Any]:
    """Send one HTTP request. The result: `{status, headers, body, address, duration_ms, attempt, …}`."""
    sender = ctx.resource(WebhookSender)
    host, queue = payload.target.origin, queue_of(ctx.job_id) or WEBHOOK_QUEUE
    try:
        answer = await sender.send(ctx, payload)
    except (HttpClientFault, AddressNotAllowed, NoSecret) as fault:
        if type(fault) is not NoSecret:
            sender.outcomes.note(queue, "not_allowed" if type(fault) is AddressNotAllowed else "no_answer")
        # No line holds the URL's path and query, which may be secret.
        ctx.tell("webhook.failed", f"Webhook not sent to {host}: {fault}", host=host)
        raise
    about: dict[str, object] = {"host": host, "status": answer.status, "duration_ms": round(answer.duration_ms, 1)}
    if refusal := verdict(payload, answer, ctx.attempt, sender.clock()):
        sender.outcomes.note(queue, "refused_for_good" if isinstance(refusal, HTTPStatusFinal) else "refused")
        ctx.tell("webhook.failed", f"Webhook not taken by {host}: {answer.status}", **about)
        raise refusal
    sender.outcomes.note(queue, "taken")
    ctx.tell("webhook.sent", f"Webhook sent to {host}: {answer.status} in {answer.duration_ms:.0f} ms", **about)
    if answer.status == ACCEPTED and payload.complete_within_s is not None:
        raise HandOver(within_s=payload.complete_within_s)
    return result_of(answer, ctx.attempt)


# A hook of a job module, which lib/jobs/registry.py finds by its name, as `check_settings` above.


def doctor(settings: Settings) -> str:
    """For `worker.py --doctor`: a line that says how webhooks are signed, and where they may go."""
    return settings_in_words(settings)
