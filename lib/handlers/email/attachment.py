"""A file that goes with a mail: an entry of the payload's `attachments` in, a checked `Attachment` out.

    {"filename": "bill.pdf", "content": "JVBERi0xLjcK…"}                      content: the file in base64
    {"cid": "logo", "content_type": "image/png", "content": "iVBORw0KGgo…"}   shown by <img src="cid:logo">

Checked at POST, and decoded once more before each attempt; letter_parts.py writes the file into the mail. Pure. Nothing
is ever fetched: the payload holds the file itself, and no path or URL of it.
"""

import binascii
import re
from dataclasses import dataclass, field
from typing import Literal

from lib.errors import FieldError
from lib.handlers.email.content_types import content_type_of, suffix_of
from lib.handlers.email.mailbox import check_line
from lib.jobs.payload import Invalid

MAX_FILENAME_CHARS = 255
MAX_CONTENT_TYPE_CHARS = 255
MAX_CID_CHARS = 250

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"  # RFC 2045, 5.1
_PARAMETER = rf';[ ]*([A-Za-z0-9!#$&+.^_`{{|}}~-]+)=({_TOKEN}|"[ !#-\[\]-~]*")[ ]*'
_CONTENT_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})[ ]*((?:{_PARAMETER})*);?[ ]*")
_PARAMETERS = re.compile(_PARAMETER)
# A multipart is made of parts and must not be in base64; the two others tell a mail program to fetch the real content.
_UNFIT_TYPES = re.compile(r"multipart/.*|message/(?:partial|external-body)", re.IGNORECASE)
_CID = re.compile(r"[!#-'*+\--;=?@A-Z^-~]{1,250}")  # Fit for <…> and for a URL: no blanks, no quotes.
_STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(slots=True)
class Attachment:
    """One file. `cid` is the name by which the html shows it, as in `<img src="cid:logo">`."""

    content: str = field(repr=False)
    filename: str | None = None
    content_type: str | None = None
    cid: str | None = None
    disposition: Literal["attachment", "inline"] | None = None
    body: bytes = field(init=False, repr=False, default=b"")
    """The file itself."""
    media_type: str = field(init=False, repr=False, default="")
    parameters: tuple[tuple[str, str], ...] = field(init=False, repr=False, default=())
    """The parameters in `content_type`, as (("charset", "utf-8"),): names and values as they are written."""

    def __post_init__(self) -> None:
        faults: list[FieldError] = []
        for name, check in _CHECKS:
            try:
                check(self)
            except ValueError as fault:
                faults.append(FieldError(f"/{name}", str(fault)))
        if faults:
            raise Invalid(faults)

    def name(self, number: int) -> str:
        """The filename; if the payload has none, a name made of `number` and the type, as "attachment-2.pdf"."""
        return self.filename or f"attachment-{number}{suffix_of(self.media_type)}"


def _decode(attachment: Attachment) -> None:
    """Decode `content` into `body`. Both alphabets of RFC 4648 are accepted, and line breaks, and missing padding:
    different programs write base64 differently."""
    text = attachment.content
    if text.startswith("data:"):
        raise ValueError("is a data: URL: base64 alone, that which stands behind its comma")
    if not text.isascii():
        raise ValueError("is not base64: it has letters beyond ASCII")
    packed = text.encode("ascii").translate(_STANDARD, delete=b" \t\r\n")
    bare = packed.rstrip(b"=")
    padding = len(packed) - len(bare)
    if padding > 2 or (padding and len(packed) % 4) or len(bare) % 4 == 1:
        raise ValueError(f"is not base64: {len(packed)} characters of it make no whole bytes; is it cut off?")
    try:
        attachment.body = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError("is not base64: A-Z a-z 0-9 + / (or - _) and = at its end") from None


def _check_filename(attachment: Attachment) -> None:
    filename = (attachment.filename or "").strip(" ")
    check_line(filename)
    if len(filename) > MAX_FILENAME_CHARS:
        raise ValueError(f"has {len(filename)} characters, at most {MAX_FILENAME_CHARS}")
    if "/" in filename or "\\" in filename or filename in (".", ".."):
        raise ValueError("is a path: give the name alone, without / and \\")
    attachment.filename = filename or None


def _check_content_type(attachment: Attachment) -> None:
    text = (attachment.content_type or "").strip(" ")
    if not text:
        attachment.media_type = content_type_of(attachment.filename or "")
        return
    if len(text) > MAX_CONTENT_TYPE_CHARS:
        raise ValueError(f"has {len(text)} characters, at most {MAX_CONTENT_TYPE_CHARS}")
    found = _CONTENT_TYPE.fullmatch(text)
    if not found:
        raise ValueError("is not a content type, as in application/pdf or text/csv; charset=utf-8")
    if _UNFIT_TYPES.fullmatch(found[1]):
        raise ValueError(f"is {found[1]}, which no attachment can be")
    attachment.media_type = found[1]
    # Without `name`, which some programs add: the file's name is in `filename`.
    attachment.parameters = tuple((n, v) for n, v in _PARAMETERS.findall(found[2]) if n.lower() != "name")


def _check_cid(attachment: Attachment) -> None:
    cid = (attachment.cid or "").removeprefix("cid:").removeprefix("<").removesuffix(">")
    if cid and not _CID.fullmatch(cid):
        raise ValueError(f"is not 1 to {MAX_CID_CHARS} printable ASCII characters without blanks, quotes and brackets")
    attachment.cid = cid or None


_CHECKS = (
    ("content", _decode),
    ("filename", _check_filename),
    ("content_type", _check_content_type),
    ("cid", _check_cid),
)
