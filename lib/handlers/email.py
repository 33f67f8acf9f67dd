"""The job `email`: a payload in, a mail out, by SMTP or as a file.

1. At POST, `Email` checks what it can: addresses, headers, limits. What it refuses is a 422 with a pointer. A line
   break or control character is refused, never taken out: a caller who sends one is mistaken, or not the only writer.
2. A worker awaits `send_email` on its loop. The letter is composed anew for each attempt, but its Message-ID is the
   job's: whoever receives it twice can tell.
3. mailer.py sends it, and the error it raises is the verdict: MailRefused is dead, the others are tried again.
4. A delivery nobody can be sure of is tried again too, unless the payload says `"on_uncertain": "stop"`: it is worse to
   lose a mail than to send it twice. That goes for a job that was timed out, cancelled or released between the mail's
   last byte and the answer, too; how long the answer is waited for then, smtp.py says. A stop before the last byte
   is a mail that was not sent.

A recipient refused beside others who were accepted stands in the result, and is not asked again: the job can't be
run once more without a second copy for those who have theirs.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from lib.config import Settings
from lib.errors import FieldError
from lib.handlers.letter import Letter, content, date, from_header, header, mailboxes, message_id, unstructured
from lib.handlers.mailbox import Mailbox, check_line, parse_mailbox
from lib.handlers.mailer import Mailer
from lib.handlers.mailer import check_settings as check_settings
from lib.handlers.smtp import Receipt
from lib.handlers.smtp_verdicts import DeliveryUncertain
from lib.jobs.payload import Invalid, escape_pointer
from lib.jobs.registry import Discard, JobContext, job

MAX_RECIPIENTS = 100  # what every server must take (RFC 5321, 4.5.3.1.8)
MAX_SUBJECT_CHARS = 998
MAX_HEADERS = 30
MAX_HEADER_CHARS = 2000

_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322, 3.6.8: ftext
_SURROGATE = re.compile("[\ud800-\udfff]")
# What Waybill writes itself, and what only servers write.
_OWN_HEADERS = re.compile(
    r"""from | sender | to | cc | bcc | reply-to | subject | date | message-id | mime-version | x-request-id
    | content-.* | resent-.* | arc-.* | dkim-signature | domainkey-signature | authentication-results
    | received | received-spf | return-path | delivered-to | x-original-to | apparently-to""",
    re.VERBOSE | re.IGNORECASE,
)

_ADDRESSED = (("to", "To"), ("cc", "Cc"), ("reply_to", "Reply-To"))


class DeliveryLeftUncertain(DeliveryUncertain, Discard):
    """A delivery nobody can be sure of, of a mail that must not come twice (`on_uncertain: "stop"`)."""


@dataclass(slots=True)
class Email:
    """The payload. An address is `a@b.example` or `Name <a@b.example>`; a mail needs `text`, `html` or both."""

    to: str | list[str]
    subject: str
    text: str | None = None
    html: str | None = None
    cc: str | list[str] | None = None
    bcc: str | list[str] | None = None
    reply_to: str | list[str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    on_uncertain: Literal["retry", "stop"] = "retry"
    boxes: dict[str, list[Mailbox]] = field(init=False, repr=False, default_factory=dict)
    recipients: tuple[str, ...] = field(init=False, repr=False, default=())
    """The envelope: everyone once. `boxes` has those fields that were given."""

    def __post_init__(self) -> None:
        faults: list[FieldError] = []
        everyone: list[str] = []
        for name in ("to", "cc", "bcc", "reply_to"):
            value = getattr(self, name)
            if value is None:
                continue
            boxes = self.boxes[name] = _read_boxes(f"/{name}", value, faults)
            if name != "reply_to":
                everyone += [box.address for box in boxes]
        self.recipients = tuple(dict.fromkeys(everyone))
        faults += _recipient_faults(self) + _text_faults(self)
        if self.headers:
            faults += _header_faults(self.headers)
        if faults:
            raise Invalid(faults)


@job("email", queue="email", max_attempts=5, timeout_s=60)
async def send_email(ctx: JobContext, payload: Email) -> dict[str, Any]:
    """Send one mail. The result: `{message_id, accepted, refused, response}`, and `file` where it was filed."""
    if ctx.cancelled:
        raise Discard("cancelled before it was sent")
    mailer = ctx.resource(Mailer)
    letter = compose(payload, sender=mailer.sender, job_id=ctx.job_id, request_id=ctx.request_id, now_s=time.time())
    try:
        receipt = await mailer.send(letter)
    except DeliveryUncertain as exc:
        if ctx.cancelled:
            ctx.log(str(exc))  # the record of a job that was stopped may give the stop as its end, and no more
        if payload.on_uncertain == "stop":
            raise DeliveryLeftUncertain(f"{exc}; not sent again, as on_uncertain says") from exc
        raise
    _tell(ctx, payload, letter, receipt)
    return _result(letter, receipt)


async def probe_at_start(resource: Callable[[Callable[[Any], Mailer]], Mailer]) -> None:
    """For a runner that has started: would the mail server take our mails? The Mailer's `warning` is the answer."""
    await resource(Mailer).try_out()


def doctor(settings: Settings) -> str:
    """For `worker.py --doctor`: log in where mails go, and say where that is. Raises what is wrong."""
    mailer = Mailer(settings)
    try:
        return mailer.probe()
    finally:
        mailer.close()


def compose(payload: Email, *, sender: Mailbox, job_id: str, request_id: str, now_s: float) -> Letter:
    """The letter that the payload asks for; now_s (since 1970) is its Date. Pure."""
    own_id = message_id(job_id, sender)
    headers = [from_header(sender)]
    headers += [header(name, mailboxes(boxes)) for field, name in _ADDRESSED if (boxes := payload.boxes.get(field))]
    headers.append(header("Subject", unstructured(payload.subject)))
    # None of these is folded: a date is short, and ids have no blanks.
    headers.append(f"Date: {date(now_s)}\r\nMessage-ID: {own_id}\r\nX-Request-ID: {request_id}")
    headers += [header(name, unstructured(value)) for name, value in _with_defaults(payload.headers).items()]
    body = content(headers, text=payload.text, html=payload.html, boundary=job_id[-32:])
    return Letter(job_id, own_id, sender.address, payload.recipients, body)


def _with_defaults(headers: dict[str, str]) -> dict[str, str]:
    """RFC 3834: keeps holiday notices from answering; `"Auto-Submitted": "no"` for a mail that a person wrote."""
    if "auto-submitted" in map(str.lower, headers):
        return headers
    return {"Auto-Submitted": "auto-generated", **headers}


def _tell(ctx: JobContext, payload: Email, letter: Letter, receipt: Receipt) -> None:
    """To the worker's log, who it was sent to; to the job's own, who was refused."""
    for address, answer in receipt.refused.items():
        ctx.log(f"Refused for {address}: {answer}")
    named = [address for _, address in payload.boxes["to"] if address not in receipt.refused]
    whom = ", ".join(dict.fromkeys(named)) or f"{len(receipt.accepted)} in cc and bcc"
    ctx.tell("email.sent", f"Email sent to {whom}", message_id=letter.message_id)


def _result(letter: Letter, receipt: Receipt) -> dict[str, Any]:
    result: dict[str, Any] = {
        "message_id": letter.message_id,
        "accepted": list(receipt.accepted),
        "refused": receipt.refused,
        "response": receipt.response,
    }
    return {**result, "file": receipt.file} if receipt.file else result


# The checks at POST: each gives the faults it finds.


def _read_boxes(pointer: str, value: str | list[str], faults: list[FieldError]) -> list[Mailbox]:
    texts = [(pointer, value)] if isinstance(value, str) else [(f"{pointer}/{n}", t) for n, t in enumerate(value)]
    # Told at the whole field, and not read one by one: a million addresses would be a million faults.
    if len(texts) > MAX_RECIPIENTS:
        faults.append(FieldError(pointer, f"holds {len(texts)} addresses, at most {MAX_RECIPIENTS}"))
        return []
    boxes = []
    for place, text in texts:
        try:
            boxes.append(parse_mailbox(text))
        except ValueError as fault:
            faults.append(FieldError(place, str(fault)))
    return boxes


def _recipient_faults(payload: Email) -> list[FieldError]:
    if payload.to == []:
        return [FieldError("/to", "names nobody")]
    if len(payload.recipients) > MAX_RECIPIENTS:
        words = f"makes {len(payload.recipients)} recipients with cc and bcc, at most {MAX_RECIPIENTS}"
        return [FieldError("/to", words)]
    return []


def _text_faults(payload: Email) -> list[FieldError]:
    faults = _line_faults("/subject", payload.subject, MAX_SUBJECT_CHARS)
    if payload.text is None and payload.html is None:
        faults.append(FieldError("/text", "is missing: a mail needs text, html or both"))
    for pointer, body in (("/text", payload.text), ("/html", payload.html)):
        if body and not body.isascii() and _SURROGATE.search(body):
            faults.append(FieldError(pointer, "holds half of a surrogate pair, which is no character"))
    return faults


def _header_faults(headers: dict[str, str]) -> list[FieldError]:
    if len(headers) > MAX_HEADERS:
        return [FieldError("/headers", f"holds {len(headers)} headers, at most {MAX_HEADERS}")]
    faults: list[FieldError] = []
    seen: set[str] = set()
    for name, value in headers.items():
        pointer = f"/headers/{escape_pointer(name)}"
        faults += _line_faults(pointer, value, MAX_HEADER_CHARS) + _name_faults(pointer, name, seen)
        seen.add(name.lower())
    return faults


def _name_faults(pointer: str, name: str, seen: set[str]) -> list[FieldError]:
    if not _HEADER_NAME.fullmatch(name):
        return [FieldError(pointer, "is not a header's name: 1 to 76 printable ASCII characters, no blank, no colon")]
    if _OWN_HEADERS.fullmatch(name):
        return [FieldError(pointer, "is a header that Waybill or the mail servers write themselves")]
    if name.lower() in seen:
        return [FieldError(pointer, "stands there twice: headers differ by more than capitals")]
    return []


def _line_faults(pointer: str, text: str, limit: int) -> list[FieldError]:
    if len(text) > limit:
        return [FieldError(pointer, f"has {len(text)} characters, at most {limit}")]
    try:
        check_line(text)
    except ValueError as fault:
        return [FieldError(pointer, str(fault))]
    return []
