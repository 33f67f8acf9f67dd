"""The job `email`: a payload in, a mail out, by SMTP or as a file. What JOB_MODULES=lib.handlers.email finds is here.

1. At POST `Email` (email_payload.py) checks addresses, headers, files and limits, and `senders_allowed` (senders.py)
   whether MAIL_FROM_ALLOWED names the payload's `from`. A payload that fails is a 422 with a pointer to each fault.
2. A runner awaits `send_email` on its loop. letter.py composes the letter anew for each attempt, always with the same
   Message-ID, made from the job's id: a receiver who got the mail twice can tell.
3. delivery_rounds.py hands the letter to mailer.py, which sends it over SMTP (smtp/) or writes it into OUTBOX_DIR. An
   error that comes back is the verdict on the mail: MailRefused makes the job dead, any other is tried again.
4. A delivery may stay uncertain: the link broke, or the job was timed out, cancelled or released, between the mail's
   last byte and the server's answer. Such a mail is tried again too, unless the payload says `"on_uncertain": "stop"`:
   it is worse to lose a mail than to send it twice. How long the answer is waited for, smtp/session.py says. A job that
   is stopped before the last byte has sent no mail.
5. A server may accept a mail for some of its recipients only. mail_progress.py keeps who has it, who is refused and who
   is to be asked again, from attempt to attempt. The job is completed when nobody is left to ask and somebody has the
   mail; it is dead if nobody has it.
"""

import time
from collections.abc import Callable
from typing import Any

from lib.handlers.email.delivery_rounds import deliver
from lib.handlers.email.email_payload import Email as Email
from lib.handlers.email.letter import compose
from lib.handlers.email.mail_progress import MailProgress
from lib.handlers.email.mailbox import Mailbox
from lib.handlers.email.mailer import Mailer, smtp_server
from lib.handlers.email.mailer import check_settings as check_settings
from lib.handlers.email.senders import SenderNotAllowed, Senders, senders_allowed
from lib.handlers.email.smtp.verdicts import DeliveryLeftUncertain as DeliveryLeftUncertain
from lib.handlers.email.smtp.verdicts import DeliveryUncertain, SMTPServerAskedToWait
from lib.jobs.registry import Discard, JobContext, job
from lib.settings.config import Settings

# A mail is tried for about three days (RFC 5321, 4.5.4.1), first after seconds and later about twice an hour; a test
# adds the pauses up. A mail that the server itself asks to wait has no attempt counted, and ends with GIVE_UP_AFTER_S.
BACKOFF = (30, 3600)
MAX_ATTEMPTS = 150
GIVE_UP_AFTER_S = 3 * 86_400
MOST_UNCERTAIN = 5
"""Attempts whose outcome is uncertain, before a mail is given up: each of them may have delivered one more copy."""


@job(
    "email",
    queue="email",
    max_attempts=MAX_ATTEMPTS,
    timeout_s=60,
    backoff=BACKOFF,
    give_up_after_s=GIVE_UP_AFTER_S,
    check=senders_allowed,
    group=smtp_server,
)
async def send_email(ctx: JobContext, payload: Email) -> dict[str, Any]:
    """Send one mail. The result: `{message_id, accepted, deferred, refused, response}`, `file` where it was filed."""
    if ctx.cancelled:
        raise Discard("cancelled before it was sent")
    mailer = ctx.resource(Mailer)
    sender = mailer.sender if payload.sender is None else _allowed(ctx, payload.sender)
    letter = compose(payload, sender=sender, job_id=ctx.job_id, request_id=ctx.request_id, now_s=time.time())
    progress = MailProgress.after(ctx.last_checkpoint, payload.recipients)
    try:
        await deliver(ctx, payload, letter, progress, mailer)
    except SMTPServerAskedToWait as exc:
        progress.waits += 1
        exc.hold = exc.hold and mailer.has_group
        own_s = exc.patience.pause_s(progress.waits, mailer.rng)
        exc.after_s = mailer.rest.pause_s(exc.patience) if exc.hold else own_s
        ctx.checkpoint(progress.checkpoint())
        raise
    except DeliveryUncertain as exc:
        progress.uncertain += 1
        ctx.checkpoint(progress.checkpoint())
        if ctx.cancelled:
            ctx.log(str(exc))  # The record of a cancelled job gives the cancellation as its end, and no other reason.
        _stop_if_left_uncertain(payload, progress, exc)
        raise
    return {"message_id": letter.message_id, **progress.result()}


def _allowed(ctx: JobContext, sender: Mailbox) -> Mailbox:
    """`sender`, if this worker's settings allow mails from it: they may have changed since the POST."""
    try:
        ctx.resource(Senders).check(sender)
    except ValueError as fault:
        raise SenderNotAllowed(f"from {fault}") from None
    return sender


def _stop_if_left_uncertain(payload: Email, progress: MailProgress, exc: DeliveryUncertain) -> None:
    """Raises DeliveryLeftUncertain, which makes the job dead, if the mail must not be sent once more."""
    if payload.on_uncertain == "stop":
        raise DeliveryLeftUncertain(f"{exc}; not sent again, as on_uncertain says") from exc
    if progress.uncertain >= MOST_UNCERTAIN:
        raise DeliveryLeftUncertain(f"{exc}; so it was {MOST_UNCERTAIN} times, and is not sent again") from exc


# Hooks of a job module, which lib/jobs/registry.py finds by their names; `check_settings` above is the third.


async def probe_at_start(resource: Callable[[Callable[[Any], Mailer]], Mailer]) -> None:
    """For a runner that has started: would the mail server take our mails? The Mailer's `warning` is the answer."""
    await resource(Mailer).try_out()


def doctor(settings: Settings) -> str:
    """For `worker.py --doctor`: log in to the mail server, and return a line that names it. Raises what is wrong."""
    mailer = Mailer(settings)
    try:
        return mailer.probe()
    finally:
        mailer.close()
