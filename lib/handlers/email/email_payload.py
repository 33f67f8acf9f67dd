"""The payload of an email job: the JSON of a POST in, a checked `Email` out, or all its faults, each with a pointer.

    {"to": ["Jane <jane@x.example>", "bob@y.example"], "bcc": "audit@shop.example", "reply_to": "help@shop.example",
     "subject": "Your order", "text": "Thank you.", "html": "<p>Thank you. <img src='cid:logo'>",
     "headers": {"List-Id": "<orders.shop.example>"}, "on_uncertain": "stop",
     "attachments": [{"filename": "logo.png", "cid": "logo", "content": "iVBORw0KGgo…"}]}

Made by lib/jobs/payload.py, at POST and again before each attempt. Pure: the setting MAIL_FROM_ALLOWED is checked by
senders.py. A line break or control character is refused, never taken out: a caller who sends one is mistaken, or is not
the only writer of the text.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from lib.errors import FieldError
from lib.handlers.email import address_lists
from lib.handlers.email.address_lists import MAX_ADDRESSES, Addressee, Addressees
from lib.handlers.email.attachment import Attachment
from lib.handlers.email.header_fields import given_header
from lib.handlers.email.mailbox import Mailbox, check_line
from lib.jobs.payload import Invalid, escape_pointer

MAX_RECIPIENTS = MAX_ADDRESSES
MAX_SUBJECT_CHARS = 998
MAX_HEADERS = 30
MAX_HEADER_CHARS = 2000
MAX_ATTACHMENTS = 100

_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322, 3.6.8: ftext
_SURROGATE = re.compile("[\ud800-\udfff]")
# Header fields that Waybill writes itself, and fields that only mail servers write.
_OWN_HEADERS = re.compile(
    r"""from | sender | to | cc | bcc | reply-to | subject | date | message-id | mime-version | x-request-id
    | content-.* | resent-.* | arc-.* | dkim-signature | domainkey-signature | authentication-results
    | received | received-spf | x-received | return-path | delivered-to | delivery-date | original-recipient
    | x-original-to | apparently-to | envelope-to | x-envelope-from | x-envelope-to""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class Email:
    """A mail: at least one recipient in `to`, `cc` or `bcc`, and a text, html or attachments."""

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
    """The checked addresses of `to`, `cc`, `bcc` and `reply_to`. A field that names nobody has no entry."""
    recipients: tuple[str, ...] = field(init=False, repr=False, default=())
    """The envelope: every address of `to`, `cc` and `bcc`, once."""
    sender: Mailbox | None = field(init=False, repr=False, default=None)
    """`from`, checked. None: the mail comes from MAIL_FROM."""

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


def _one_box(pointer: str, value: Addressees, faults: list[FieldError]) -> Mailbox | None:
    boxes = address_lists.read(pointer, value, faults)
    if len(boxes) > 1:
        faults.append(FieldError(pointer, f"holds {len(boxes)} addresses, and must be one"))
    return boxes[0] if boxes else None


def _recipient_faults(payload: Email, faults: list[FieldError]) -> list[FieldError]:
    """faults: the faults of the addresses. A wrong address in `to`, `cc` or `bcc` was meant as a recipient, so that a
    missing recipient is not reported beside it."""
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
