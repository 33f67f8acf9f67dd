"""For the tests of mails: a letter of some payload, and the letter as Python's parser reads it.

letter(subject="Grüße", cc="a@x.example").content  ->  b"From: Waybill <waybill@example.com>\\r\\nTo: …"
pointers(to="nobody")                              ->  ["/payload/to"]
"""

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import Any

from lib.handlers.email.email_payload import Email
from lib.handlers.email.letter import Letter, compose
from lib.handlers.email.mailbox import Mailbox
from lib.jobs.payload import Invalid, decoder_for

JOB_ID = "email-019a0000000070008000000000000001"
SENDER = Mailbox("Waybill", "waybill@example.com")
NOW_S = 1_795_000_000.0
decode = decoder_for(Email)
_STRICT = policy.default.clone(raise_on_defect=True)


def letter(**fields: Any) -> Letter:
    """The letter of a payload with these fields; `to`, `subject` and `text` have a value unless one is given."""
    payload = decode({"to": "test@gmail.com", "subject": "Hi", "text": "Hello", **fields}, "/payload")
    return compose(payload, sender=SENDER, job_id=JOB_ID, request_id="request-1", now_s=NOW_S)


def pointers(**fields: Any) -> list[str]:
    """The pointers of the faults for which such a payload is refused; none if it is accepted."""
    try:
        letter(**fields)
    except Invalid as fault:
        return [error.pointer for error in fault.errors]
    return []


def read(content: bytes) -> EmailMessage:
    """The message in `content`. Raises an exception for whatever the parser finds wrong."""
    message = message_from_bytes(content, policy=_STRICT)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


def shape(message: MIMEPart) -> Any:
    """The content types of a mail and its parts: "text/plain", or ("mixed", ["text/plain", "application/pdf"])."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        return (message.get_content_subtype(), [shape(part) for part in message.iter_parts()])
    return message.get_content_type()


def lines_of(content: bytes, name: str) -> list[str]:
    """The lines of the header field `name`, as they are sent."""
    head, _, _ = content.decode("ascii").partition("\r\n\r\n")
    found: list[str] = []
    for line in head.split("\r\n"):
        if line.startswith(f"{name}:") or (found and line.startswith(" ")):
            found.append(line)
        elif found:
            break
    return found
