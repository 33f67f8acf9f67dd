"""The job `email`: a payload in, a mail out, by SMTP or as a file.

1. At POST, `Email` checks what it can: addresses, headers, files, limits; and `senders_allowed`, by the settings, whom
   it is from. What they refuse is a 422 with a pointer. A line break or control character is refused, never taken out:
   a caller who sends one is mistaken, or is not the only writer.
2. A worker awaits `send_email` on its loop. The letter is composed anew for each attempt, but its Message-ID is the
   job's: whoever receives it twice can tell.
3. mailer.py sends it, and the error it raises is the verdict: MailRefused is dead, the others are tried again.
4. A delivery nobody can be sure of is tried again too, unless the payload says `"on_uncertain": "stop"`: it is worse to
   lose a mail than to send it twice. That goes for a job that was timed out, cancelled or released between the mail's
   last byte and the answer, too; how long the answer is waited for then, session.py says. A stop before the last byte
   is a mail that was not sent.

5. A mail to several may be accepted for some of them. Who has it, who is refused for good and who is to be asked again
   is left as the job's checkpoint, with the attempt's end or with its last byte, and the next attempt asks the last of
   these alone, under the same Message-ID. Those who were only too many for one mail are sent theirs at once. The job is
   completed when nobody is to be asked any more and somebody has it; it is dead if nobody has.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lib.errors import FieldError
from lib.handlers.email import address_lists
from lib.handlers.email.address_lists import MAX_ADDRESSES, Addressee, Addressees
from lib.handlers.email.attachment import Attachment
from lib.handlers.email.header_fields import date, from_header, given_header, header, mailboxes, unstructured
from lib.handlers.email.letter import Letter, content, message_id, missing_cids
from lib.handlers.email.mailbox import Mailbox, check_line
from lib.handlers.email.mailer import Mailer
from lib.handlers.email.mailer import check_settings as check_settings
from lib.handlers.email.senders import SenderNotAllowed, Senders
from lib.handlers.email.smtp.session import Receipt
from lib.handlers.email.smtp.verdicts import DeliveryUncertain, MailRefused, Reply, SMTPServerAskedToWait, put_off, say
from lib.jobs.payload import Invalid, escape_pointer
from lib.jobs.registry import Discard, JobContext, job
from lib.settings.config import Settings

MAX_RECIPIENTS = MAX_ADDRESSES
MAX_SUBJECT_CHARS = 998
MAX_HEADERS = 30
MAX_HEADER_CHARS = 2000
MAX_ATTACHMENTS = 100
# Tried for about three days (RFC 5321, 4.5.4.1), first after seconds and later once in half an hour or so: a test adds
# them up. What is put off by the server's own word counts as no attempt, and ends with GIVE_UP_AFTER_S.
BACKOFF = (30, 3600)
MAX_ATTEMPTS = 150
GIVE_UP_AFTER_S = 3 * 86_400
MOST_UNCERTAIN = 5
"""So often a delivery that nobody can be sure of is tried: each may be one more copy."""
FEW_RECIPIENTS = 25
SHORT_REPLY_CHARS = 100
"""Of each reply, where there are more recipients than those: results and checkpoints have 64 KiB."""

_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322, 3.6.8: ftext
_SURROGATE = re.compile("[\ud800-\udfff]")
# What Waybill writes itself, and what only servers write.
_OWN_HEADERS = re.compile(
    r"""from | sender | to | cc | bcc | reply-to | subject | date | message-id | mime-version | x-request-id
    | content-.* | resent-.* | arc-.* | dkim-signature | domainkey-signature | authentication-results
    | received | received-spf | x-received | return-path | delivered-to | delivery-date | original-recipient
    | x-original-to | apparently-to | envelope-to | x-envelope-from | x-envelope-to""",
    re.VERBOSE | re.IGNORECASE,
)

_ADDRESSED = (("to", "To"), ("cc", "Cc"), ("reply_to", "Reply-To"))
# RFC 5322, 3.6 asks for no To; but mail without one is taken for spam, and this form of it names nobody.
_TO_NOBODY = "To: undisclosed-recipients:;"


class DeliveryLeftUncertain(DeliveryUncertain, Discard):
    """A delivery nobody can be sure of, of a mail that must not come twice (`on_uncertain: "stop"`)."""


@dataclass(slots=True, kw_only=True)
class Email:
    """A mail: to somebody (address_lists.py says how one is addressed), with a text, html or attachments."""

    to: Addressees = None
    subject: str
    text: str | None = None
    html: str | None = None
    cc: Addressees = None
    bcc: Addressees = None
    from_: str | Addressee | None = field(default=None, metadata={"json": "from"})
    reply_to: Addressees = None
    headers: dict[str, str] = field(default_factory=dict)
    attachments: list[Attachment] | None = None
    on_uncertain: Literal["retry", "stop"] = "retry"
    boxes: dict[str, list[Mailbox]] = field(init=False, repr=False, default_factory=dict)
    recipients: tuple[str, ...] = field(init=False, repr=False, default=())
    sender: Mailbox | None = field(init=False, repr=False, default=None)
    """`boxes` has the fields that name anybody; recipients: the envelope, everyone once; sender: None for MAIL_FROM."""

    def __post_init__(self) -> None:
        faults: list[FieldError] = []
        everyone: list[str] = []
        for name, value in (("to", self.to), ("cc", self.cc), ("bcc", self.bcc), ("reply_to", self.reply_to)):
            if value and (boxes := address_lists.read(f"/{name}", value, faults)):
                self.boxes[name] = boxes
                if name != "reply_to":
                    everyone += [box.address for box in boxes]
        self.recipients = tuple(dict.fromkeys(everyone))
        if self.from_:
            self.sender = _one_box("/from", self.from_, faults)
        faults += _recipient_faults(self, faults) + _text_faults(self)
        if self.attachments:
            faults += _attachment_faults(self.attachments)
        if self.headers:
            faults += _header_faults(self.headers)
        if faults:
            raise Invalid(faults)


def senders_allowed(settings: Settings) -> Callable[[Email], None]:
    """For POST: the check that a payload's `from` is one that MAIL_FROM_ALLOWED names."""
    senders = Senders(settings)

    def check(payload: Email) -> None:
        try:
            if payload.sender is not None:
                senders.check(payload.sender)
        except ValueError as fault:
            raise Invalid([FieldError("/from", str(fault))]) from None

    return check


@job(
    "email",
    queue="email",
    max_attempts=MAX_ATTEMPTS,
    timeout_s=60,
    backoff=BACKOFF,
    give_up_after_s=GIVE_UP_AFTER_S,
    check=senders_allowed,
)
async def send_email(ctx: JobContext, payload: Email) -> dict[str, Any]:
    """Send one mail. The result: `{message_id, accepted, deferred, refused, response}`, `file` where it was filed."""
    if ctx.cancelled:
        raise Discard("cancelled before it was sent")
    mailer = ctx.resource(Mailer)
    sender = mailer.sender if payload.sender is None else _allowed(ctx, payload.sender)
    letter = compose(payload, sender=sender, job_id=ctx.job_id, request_id=ctx.request_id, now_s=time.time())
    course = Course.after(ctx.last_checkpoint, payload.recipients)
    try:
        await _send(ctx, payload, letter, course, mailer)
    except SMTPServerAskedToWait as exc:
        course.waits += 1
        exc.after_s = exc.patience.pause_s(course.waits, mailer.rng)
        ctx.checkpoint(course.left())
        raise
    except DeliveryUncertain as exc:
        course.uncertain += 1
        ctx.checkpoint(course.left())
        if ctx.cancelled:
            ctx.log(str(exc))  # the record of a job that was stopped may give the stop as its end, and no more
        if payload.on_uncertain == "stop":
            raise DeliveryLeftUncertain(f"{exc}; not sent again, as on_uncertain says") from exc
        if course.uncertain >= MOST_UNCERTAIN:
            raise DeliveryLeftUncertain(f"{exc}; so it was {MOST_UNCERTAIN} times, and is not sent again") from exc
        raise
    return {"message_id": letter.message_id, **course.result()}


async def _send(ctx: JobContext, payload: Email, letter: Letter, course: "Course", mailer: Mailer) -> None:
    """Until nobody is left who can be asked now. Raises where somebody is to be asked again, or nobody has it."""
    while course.open:
        letter = letter if course.open == letter.recipients else replace(letter, recipients=course.open)
        try:
            receipt = await mailer.send(letter)
        except MailRefused as exc:
            if not course.accepted:
                raise
            receipt = Receipt("", (), {to: _refusal_of(to, exc) for to in course.open})
        course.note(receipt)
        _tell(ctx, payload, letter, receipt)
        if course.later or course.open:
            ctx.checkpoint(course.left())
    if course.later:
        raise put_off(course.later, have_it=len(course.accepted))


class Course:
    """How far a mail is, over all its attempts: who of its recipients has it, who was refused, who is open."""

    def __init__(self, recipients: tuple[str, ...]) -> None:
        self.open = recipients
        self.accepted: list[str] = []
        self.deferred: dict[str, str] = {}
        self.later: dict[str, Reply] = {}
        """Of this attempt; `deferred` has what was said to the open ones in any."""
        self.refused: dict[str, str] = {}
        self.response = ""
        self.file = ""
        self.uncertain = 0
        self.waits = 0
        self._reply_chars = None if len(recipients) <= FEW_RECIPIENTS else SHORT_REPLY_CHARS

    @classmethod
    def after(cls, left: Any, recipients: tuple[str, ...]) -> "Course":
        """As the attempt before left it. What it said of one who is no recipient any more does not count."""
        course = cls(recipients)
        if type(left) is not dict:
            return course
        accepted, refused = left.get("accepted"), left.get("refused")
        course.accepted = [to for to in recipients if type(accepted) is list and to in accepted]
        course.refused = {to: str(refused[to]) for to in recipients if type(refused) is dict and to in refused}
        course.open = tuple(to for to in recipients if to not in course.accepted and to not in course.refused)
        deferred = left.get("deferred")
        course.deferred = {to: str(deferred[to]) for to in course.open if type(deferred) is dict and to in deferred}
        course.response = str(left.get("response", ""))
        course.uncertain, course.waits = (
            count if type(count := left.get(name)) is int else 0 for name in ("uncertain", "waits")
        )
        return course

    def note(self, receipt: Receipt) -> None:
        """What became of the mail to those who were open."""
        self.accepted += receipt.accepted
        self.refused |= {to: answer[: self._reply_chars] for to, answer in receipt.refused.items()}
        self.later |= receipt.later
        self.deferred |= {to: say(*answer)[: self._reply_chars] for to, answer in receipt.later.items()}
        for to in (*receipt.accepted, *receipt.refused):
            self.deferred.pop(to, None)
        self.open = receipt.beyond
        self.response = receipt.response or self.response
        self.file = receipt.file

    def left(self) -> dict[str, Any]:
        """For the next attempt, and whoever looks at the job meanwhile."""
        counts = {name: count for name, count in (("uncertain", self.uncertain), ("waits", self.waits)) if count}
        return {**self._told(), **counts}

    def result(self) -> dict[str, Any]:
        return {**self._told(), "file": self.file} if self.file else self._told()

    def _told(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "deferred": self.deferred,
            "refused": self.refused,
            "response": self.response,
        }


async def probe_at_start(resource: Callable[[Callable[[Any], Mailer]], Mailer]) -> None:
    """For a runner that has started: would the mail server take our mails? The Mailer's `warning` is the answer."""
    await resource(Mailer).try_out()


def _allowed(ctx: JobContext, sender: Mailbox) -> Mailbox:
    try:
        ctx.resource(Senders).check(sender)
    except ValueError as fault:
        raise SenderNotAllowed(f"from {fault}") from None
    return sender


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
    headers += [
        header(name, mailboxes(boxes, name)) for field, name in _ADDRESSED if (boxes := payload.boxes.get(field))
    ]
    if "to" not in payload.boxes and "cc" not in payload.boxes:
        headers.append(_TO_NOBODY)
    headers.append(header("Subject", unstructured(payload.subject, "Subject")))
    # None of these is folded: a date is short, and ids have no blanks.
    headers.append(f"Date: {date(now_s)}\r\nMessage-ID: {own_id}\r\nX-Request-ID: {request_id}")
    headers += [given_header(name, value) for name, value in _with_defaults(payload.headers).items()]
    body = content(
        headers, text=payload.text, html=payload.html, attachments=payload.attachments, boundary=job_id[-32:]
    )
    # The body has all addresses but those of bcc.
    needs_utf8 = not body.isascii() or ("bcc" in payload.boxes and not "".join(payload.recipients).isascii())
    return Letter(job_id, own_id, sender.address, payload.recipients, body, needs_utf8)


def _with_defaults(headers: dict[str, str]) -> dict[str, str]:
    """RFC 3834: keeps holiday notices from answering; `"Auto-Submitted": "no"` for a mail that a person wrote."""
    if "auto-submitted" in map(str.lower, headers):
        return headers
    return {"Auto-Submitted": "auto-generated", **headers}


def _refusal_of(to: str, exc: MailRefused) -> str:
    return say(*exc.answers[to]) if to in exc.answers else str(exc)


def _tell(ctx: JobContext, payload: Email, letter: Letter, receipt: Receipt) -> None:
    """To the worker's log, who it was sent to; to the job's own, who was refused or put off."""
    for address, answer in receipt.refused.items():
        ctx.log(f"Refused for {address}: {answer}")
    if payload.attachments and payload.html:
        for cid in missing_cids(payload.html, payload.attachments):
            ctx.log(f"The html shows cid:{cid}, and no attachment has that cid")
    for address, reply in receipt.later.items():
        ctx.log(f"Put off for {address}: {say(*reply)}")
    if not receipt.accepted:
        return
    accepted = set(receipt.accepted)
    named = [address for _, address in payload.boxes.get("to", ()) if address in accepted]
    whom = ", ".join(dict.fromkeys(named)) or f"{len(receipt.accepted)} in cc and bcc"
    ctx.tell("email.sent", f"Email sent to {whom}", message_id=letter.message_id)


# The checks at POST: each gives the faults it finds.


def _one_box(pointer: str, value: Addressees, faults: list[FieldError]) -> Mailbox | None:
    boxes = address_lists.read(pointer, value, faults)
    if len(boxes) > 1:
        faults.append(FieldError(pointer, f"holds {len(boxes)} addresses, and must be one"))
    return boxes[0] if boxes else None


def _recipient_faults(payload: Email, faults: list[FieldError]) -> list[FieldError]:
    """faults: those of the addresses; where there are any, it is told already who was meant."""
    if not payload.recipients and all(fault.pointer.startswith(("/reply_to", "/from")) for fault in faults):
        return [FieldError("/to", "names nobody, and neither do cc and bcc: a mail needs a recipient")]
    if len(payload.recipients) > MAX_RECIPIENTS:
        words = f"makes {len(payload.recipients)} recipients with cc and bcc, at most {MAX_RECIPIENTS}"
        return [FieldError("/to", words)]
    return []


def _text_faults(payload: Email) -> list[FieldError]:
    faults = _line_faults("/subject", payload.subject, MAX_SUBJECT_CHARS)
    if payload.text is None and payload.html is None and not payload.attachments:
        faults.append(FieldError("/text", "is missing: a mail needs text, html or attachments"))
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
        found = _line_faults(pointer, value, MAX_HEADER_CHARS) + _name_faults(pointer, name, seen)
        faults += found or _value_faults(pointer, name, value)
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


def _value_faults(pointer: str, name: str, value: str) -> list[FieldError]:
    try:
        given_header(name, value)
    except ValueError as fault:
        return [FieldError(pointer, str(fault))]
    return []


def _attachment_faults(attachments: list[Attachment]) -> list[FieldError]:
    if len(attachments) > MAX_ATTACHMENTS:
        return [FieldError("/attachments", f"holds {len(attachments)} files, at most {MAX_ATTACHMENTS}")]
    cids = [attachment.cid for attachment in attachments]
    return [
        FieldError(f"/attachments/{n}/cid", "is another one's as well: the html can't say which it means")
        for n, cid in enumerate(cids)
        if cid and cid in cids[:n]
    ]


def _line_faults(pointer: str, text: str, limit: int) -> list[FieldError]:
    if len(text) > limit:
        return [FieldError(pointer, f"has {len(text)} characters, at most {limit}")]
    try:
        check_line(text)
    except ValueError as fault:
        return [FieldError(pointer, str(fault))]
    return []
