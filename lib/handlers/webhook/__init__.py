"""The job `webhook`: a payload in, an HTTP request out, the receiver's answer kept as the job's result.

What JOB_MODULES=lib.handlers.webhook finds is here.

1. At POST `Webhook` (webhook_payload.py) checks URL, headers, body and secret, and `targets_allowed`
   (webhook_sender.py) refuses an address that WEBHOOK_ALLOW_PRIVATE does not name. A payload that fails is a 422 with a
   pointer to each fault. The job's group is the host of its URL (`host_of`).
2. A runner awaits `send_webhook` on its loop. webhook_sender.py signs the request (signature.py) and sends it by
   lib/http1/client, whose guard vets every address that it dials.
3. webhook_verdicts.py says what the answer means. A job is tried again until it is answered with a 2xx, for most of a
   day, always under the same `webhook-id`: if a runner dies between the answer and the job's end, the receiver gets the
   webhook twice, and can tell. It is worse to lose a webhook than to send it twice.
"""

from typing import Any

from lib.handlers.webhook.webhook_payload import Webhook as Webhook
from lib.handlers.webhook.webhook_payload import host_of
from lib.handlers.webhook.webhook_sender import WebhookSender, settings_in_words, targets_allowed
from lib.handlers.webhook.webhook_sender import check_settings as check_settings
from lib.handlers.webhook.webhook_verdicts import AddressNotAllowed, NoSecret, result_of, verdict
from lib.http1.client.faults import HttpClientFault
from lib.jobs.registry import JobContext, job
from lib.jobs.webhook_defaults import BACKOFF, MAX_ATTEMPTS, TIMEOUT_S, WEBHOOK_QUEUE, WEBHOOK_TYPE
from lib.settings.config import Settings


@job(
    WEBHOOK_TYPE,
    queue=WEBHOOK_QUEUE,
    max_attempts=MAX_ATTEMPTS,
    timeout_s=TIMEOUT_S,
    backoff=BACKOFF,
    check=targets_allowed,
    group=lambda _settings: host_of,
)
async def send_webhook(ctx: JobContext, payload: Webhook) -> dict[str, Any]:
    """Send one HTTP request. The result: `{status, headers, body, address, duration_ms, attempt, …}`."""
    sender = ctx.resource(WebhookSender)
    host = payload.target.origin
    try:
        answer = await sender.send(ctx, payload)
    except (HttpClientFault, AddressNotAllowed, NoSecret) as fault:
        # No line holds the URL's path and query, which may be secret.
        ctx.tell("webhook.failed", f"Webhook not sent to {host}: {fault}", host=host)
        raise
    about: dict[str, object] = {"host": host, "status": answer.status, "duration_ms": round(answer.duration_ms, 1)}
    if refusal := verdict(payload, answer, ctx.attempt, sender.clock()):
        ctx.tell("webhook.failed", f"Webhook not taken by {host}: {answer.status}", **about)
        raise refusal
    ctx.tell("webhook.sent", f"Webhook sent to {host}: {answer.status} in {answer.duration_ms:.0f} ms", **about)
    return result_of(answer, ctx.attempt)


# A hook of a job module, which lib/jobs/registry.py finds by its name, as `check_settings` above.


def doctor(settings: Settings) -> str:
    """For `worker.py --doctor`: a line that says how webhooks are signed, and where they may go."""
    return settings_in_words(settings)
