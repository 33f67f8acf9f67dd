"""The head of a letter: a payload and the job's ids in, the header fields of the mail out, in their order.

    From: Shop <shop@example.com>
    To: Jane <jane@x.example>, bob@y.example
    Subject: =?utf-8?b?R3LDvMOfZQ==?=
    Date: Wed, 18 Nov 2026 11:06:40 +0000
    Message-ID: <email-019a0000000070008000000000000001@example.com>
    X-Request-ID: request-1
    Auto-Submitted: auto-generated
    List-Id: <orders.shop.example>              the payload's own headers are last

Called by letter.py. Pure. How a single field is written and folded is header_fields.py's subject.
"""

from lib.handlers.email.email_payload import Email
from lib.handlers.email.header_fields import date, from_header, given_header, header, mailboxes, unstructured
from lib.handlers.email.mailbox import Mailbox

_ADDRESSED = (("to", "To"), ("cc", "Cc"), ("reply_to", "Reply-To"))
# RFC 5322, 3.6 does not ask for a To. But spam filters mark a mail without To down; a group without members is a To
# that names nobody.
_TO_NOBODY = "To: undisclosed-recipients:;"


def letter_head(payload: Email, *, sender: Mailbox, message_id: str, request_id: str, now_s: float) -> list[str]:
    """The header fields, each one folded but without its last CRLF. now_s: seconds since 1970, for Date."""
    head = [from_header(sender)]
    head += [header(name, mailboxes(boxes, name)) for field, name in _ADDRESSED if (boxes := payload.boxes.get(field))]
    if "to" not in payload.boxes and "cc" not in payload.boxes:
        head.append(_TO_NOBODY)
    head.append(header("Subject", unstructured(payload.subject, "Subject")))
    # Without header(), for nothing here is ever folded: a date is short, and ids have no blanks.
    head.append(f"Date: {date(now_s)}\r\nMessage-ID: {message_id}\r\nX-Request-ID: {request_id}")
    head += [given_header(name, value) for name, value in _with_defaults(payload.headers).items()]
    return head


def _with_defaults(headers: dict[str, str]) -> dict[str, str]:
    """Add `Auto-Submitted: auto-generated`, which keeps holiday notices from answering (RFC 3834), unless the payload
    has the field: `"Auto-Submitted": "no"` is right for a mail that a person wrote."""
    if "auto-submitted" in map(str.lower, headers):
        return headers
    return {"Auto-Submitted": "auto-generated", **headers}
