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

from lib.config import Settings
from lib.errors import FieldError
from lib.handlers.letter import Letter, content, date, from_header, header, mailboxes, message_id, unstructured
from lib.handlers.mailbox import Mailbox, check_line, parse_mailbox
from lib.handlers.mailer import Mailer
from lib.handlers.mailer import check_settings as check_settings
from lib.handlers.smtp import Receipt
from lib.handlers.smtp_verdicts import DeliveryUncertain, MailRefused, Reply, SMTPServerAskedToWait, put_off, say
from lib.jobs.payload import Invalid, escape_pointer
from lib.jobs.registry import Discard, JobContext, job

MAX_RECIPIENTS = 100  # what every server must take (RFC 5321, 4.5.3.1.8)
MAX_SUBJECT_CHARS = 998
MAX_HEADERS = 30
MAX_HEADER_CHARS = 2000
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


@job("email", queue="email", max_attempts=MAX_ATTEMPTS, timeout_s=60, backoff=BACKOFF, give_up_after_s=GIVE_UP_AFTER_S)
async def send_email(ctx: JobContext, payload: Email) -> dict[str, Any]:
    """Send one mail. The result: `{message_id, accepted, deferred, refused, response}`, `file` where it was filed."""
    if ctx.cancelled:
        raise Discard("cancelled before it was sent")
    mailer = ctx.resource(Mailer)
    letter = compose(payload, sender=mailer.sender, job_id=ctx.job_id, request_id=ctx.request_id, now_s=time.time())
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


def _refusal_of(to: str, exc: MailRefused) -> str:
    return say(*exc.answers[to]) if to in exc.answers else str(exc)


def _tell(ctx: JobContext, payload: Email, letter: Letter, receipt: Receipt) -> None:
    """To the worker's log, who it was sent to; to the job's own, who was refused or put off."""
    for address, answer in receipt.refused.items():
        ctx.log(f"Refused for {address}: {answer}")
    for address, reply in receipt.later.items():
        ctx.log(f"Put off for {address}: {say(*reply)}")
    if not receipt.accepted:
        return
    accepted = set(receipt.accepted)
    named = [address for _, address in payload.boxes["to"] if address in accepted]
    whom = ", ".join(dict.fromkeys(named)) or f"{len(receipt.accepted)} in cc and bcc"
    ctx.tell("email.sent", f"Email sent to {whom}", message_id=letter.message_id)


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
