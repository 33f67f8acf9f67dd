"""A mail as bytes: a checked payload in, the message of RFC 5322 out, with CRLF throughout, and in ASCII unless an
address has letters beyond ASCII (RFC 6532).

    payload  --letter_head.py-->  From: Shop <shop@example.com> … Auto-Submitted: auto-generated
             --letter_body.py-->  Content-Type: text/plain; charset="utf-8" … Thank you.

Called by the email job before each attempt; mailer.py carries the letter as it is. Pure. Nothing here refuses anything:
email_payload.py has checked the payload.

WHY NOT email.message: composing a mail of two lines with it takes 1.4 ms, three times what sending the mail takes (see
header_fields.py as well). The tests read every letter back with the standard library's parser.
"""

from dataclasses import dataclass, field

from lib.handlers.email.email_payload import Email
from lib.handlers.email.letter_body import body_of
from lib.handlers.email.letter_head import letter_head
from lib.handlers.email.mailbox import Mailbox


@dataclass(slots=True)
class Letter:
    """A mail ready to go.

    name: the job's id. sender, recipients: the envelope's addresses, those of bcc among them. content: the message.
    """

    name: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    needs_utf8: bool = False
    """An address, in the envelope or in a header, has letters beyond ASCII (RFC 6531)."""


def compose(payload: Email, *, sender: Mailbox, job_id: str, request_id: str, now_s: float) -> Letter:
    """The letter that the payload asks for; now_s (since 1970) is its Date.

    The Message-ID is made from the job's id, the same over all attempts: a receiver who got the mail twice can tell.
    """
    message_id = f"<{job_id}@{sender.domain}>"
    head = letter_head(payload, sender=sender, message_id=message_id, request_id=request_id, now_s=now_s)
    body = body_of(payload.text, payload.html, payload.attachments, boundary=job_id[-32:])
    content = "\r\n".join([*head, "MIME-Version: 1.0", ""]).encode() + body
    # The content holds every address but those of bcc.
    needs_utf8 = not content.isascii() or ("bcc" in payload.boxes and not "".join(payload.recipients).isascii())
    return Letter(job_id, message_id, sender.address, payload.recipients, content, needs_utf8)
