"""One attempt to deliver a mail: rounds of "send it to all recipients that are open", until no one can be asked now.

    a mail to 60 recipients, and a server that takes 50 in one mail:
    round 1   49 accepted, 1 refused for good, 10 too many for this mail                     -> a checkpoint
    round 2   the 10 are sent a mail of their own at once: 8 accepted, 2 put off (450)       -> a checkpoint
    end       put_off_verdict(…) is raised, and the next attempt asks those 2 alone, under the same Message-ID

Called by the email job. Knows the job's context (checkpoint, log lines) and the Mailer; what an answer means is
verdicts.py's subject.
"""

from dataclasses import replace

from lib.handlers.email.email_payload import Email
from lib.handlers.email.letter import Letter
from lib.handlers.email.letter_body import missing_cids
from lib.handlers.email.mail_progress import MailProgress
from lib.handlers.email.mailer import Mailer
from lib.handlers.email.smtp.session import Receipt
from lib.handlers.email.smtp.verdicts import MailRefused, put_off_verdict, reply_text
from lib.jobs.registry import JobContext


async def deliver(ctx: JobContext, payload: Email, letter: Letter, progress: MailProgress, mailer: Mailer) -> None:
    """Send the letter to every open recipient; `progress` and the job's checkpoint say how far it got.

    Raises the verdict if a recipient is to be asked again, or if the server refuses the mail and nobody has it.
    """
    while progress.open:
        letter = letter if progress.open == letter.recipients else replace(letter, recipients=progress.open)
        try:
            receipt = await mailer.send(letter)
        except MailRefused as exc:
            if not progress.accepted:
                raise
            receipt = Receipt("", (), {to: _refusal_of(to, exc) for to in progress.open})
        progress.note(receipt)
        _log_receipt(ctx, payload, letter, receipt)
        if progress.later or progress.open:
            ctx.checkpoint(progress.checkpoint())
    if progress.later:
        raise put_off_verdict(progress.later, have_it=len(progress.accepted))


def _refusal_of(to: str, exc: MailRefused) -> str:
    return reply_text(*exc.answers[to]) if to in exc.answers else str(exc)


def _log_receipt(ctx: JobContext, payload: Email, letter: Letter, receipt: Receipt) -> None:
    """In the job's own log: recipients refused or put off. In the worker's log: `email.sent`, to whom."""
    for address, answer in receipt.refused.items():
        ctx.log(f"Refused for {address}: {answer}")
    if payload.attachments and payload.html:
        for cid in missing_cids(payload.html, payload.attachments):
            ctx.log(f"The html shows cid:{cid}, and no attachment has that cid")
    for address, reply in receipt.later.items():
        ctx.log(f"Put off for {address}: {reply_text(*reply)}")
    if not receipt.accepted:
        return
    accepted = set(receipt.accepted)
    named = [address for _, address in payload.boxes.get("to", ()) if address in accepted]
    # The log names the recipients in `to` alone: an address in bcc is nobody else's business.
    whom = ", ".join(dict.fromkeys(named)) or f"{len(receipt.accepted)} in cc and bcc"
    ctx.tell("email.sent", f"Email sent to {whom}", message_id=letter.message_id)
