"""A field of addresses: the payload's value of `to`, `cc`, `bcc`, `reply_to` or `from` in, checked mailboxes out.

    "a@x.example"                                   one address
    "a@x.example, \\"Doe, Jane\\" <b@y.example>"      several in one text, parted by , or ;
    "Team: a@x.example, b@y.example;"               a group: its members, without the group's name
    {"name": "Jane", "address": "b@y.example"}      the name as it is, without quotes
    ["a@x.example", {"address": "b@y.example"}]     a list of any of the above

Called by email_payload.py. Pure. All these forms are accepted because other mailers accept them. An empty value (null,
"", " , ", []) names nobody. An address that stands twice in a field stays there twice; the envelope has it once.
"""

import re
from dataclasses import dataclass

from lib.errors import FieldError
from lib.handlers.email.mailbox import Mailbox, check_line, named_mailbox, parse_bare, parse_mailbox

MAX_ADDRESSES = 100  # So many recipients every server must accept (RFC 5321, 4.5.3.1.8).

_PARTING = re.compile("[,;:]")
# A text in quotes or brackets is one piece; if its end is missing, the piece goes on to the end of the text.
_QUOTED = r'"(?>(?:[^"\\]|\\.)*)"?'
_PIECE = re.compile(rf'{_QUOTED}|<(?>(?:{_QUOTED}|[^"<>])*)>?|\[[^][]*\]?|[,;:]|[^,;:"<[]+')


@dataclass(slots=True)
class Addressee:
    """An address, and the name of the person or group that has it."""

    address: str
    name: str | None = None


Addressees = str | Addressee | list[str | Addressee | None] | None
"""The value of a field of addresses in a payload."""


def read(pointer: str, value: Addressees, faults: list[FieldError]) -> list[Mailbox]:
    """The mailboxes in `value`. Faults are added to `faults`, each with the pointer to its entry, as "/to/1"."""
    if not isinstance(value, list):
        return _entry(pointer, value, faults)
    # One fault for the whole field, and no entry is read: a million wrong addresses would be a million faults.
    if len(value) > MAX_ADDRESSES:
        faults.append(_too_many(pointer, len(value)))
        return []
    boxes: list[Mailbox] = []
    for number, entry in enumerate(value):
        boxes += _entry(f"{pointer}/{number}", entry, faults)
    if len(boxes) > MAX_ADDRESSES:
        faults.append(_too_many(pointer, len(boxes)))
        return []
    return boxes


def _too_many(pointer: str, count: int) -> FieldError:
    return FieldError(pointer, f"holds {count} addresses, at most {MAX_ADDRESSES}")


def _entry(pointer: str, entry: str | Addressee | None, faults: list[FieldError]) -> list[Mailbox]:
    try:
        if type(entry) is str:
            box = parse_bare(entry)
            return [box] if box else _in_text(pointer, entry, faults)
        if type(entry) is Addressee and (entry.address.strip(" ") or entry.name):
            return [named_mailbox(entry.name or "", entry.address)]
    except ValueError as fault:
        faults.append(FieldError(pointer, str(fault)))
    return []


def _in_text(pointer: str, text: str, faults: list[FieldError]) -> list[Mailbox]:
    """The mailboxes in one text. A wrong address becomes a fault; raises ValueError if the text as a whole is wrong."""
    texts = split(text)
    if len(texts) > MAX_ADDRESSES:
        faults.append(_too_many(pointer, len(texts)))
        return []
    boxes = []
    for number, part in enumerate(texts, 1):
        try:
            boxes.append(parse_mailbox(part))
        except ValueError as fault:
            faults.append(FieldError(pointer, _which(number, len(texts)) + _why(part, fault)))
    return boxes


def _which(number: int, count: int) -> str:
    ordinal = {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
    return f"holds {count} addresses, the {ordinal} of which " if count > 1 else ""


def _why(text: str, fault: ValueError) -> str:
    return str(fault) if "@" in text else "is no address; a name with a comma in it stands in double quotes"


def split(text: str) -> list[str]:
    """The addresses in a text, each as it is written. Raises ValueError if a group is not well-formed."""
    if not _PARTING.search(text):
        return [text] if text.strip(" ") else []
    check_line(text)
    texts: list[str] = []
    begin, is_in_group = 0, False
    for piece in _PIECE.finditer(text):
        mark = piece[0]
        if mark == ":":
            # The text before the colon is the group's name. A group holds no groups (RFC 5322, 3.4).
            if is_in_group or not text[begin : piece.start()].strip(" "):
                raise ValueError("has a : that begins no group, as in Team: a@x.example, b@y.example;")
            begin, is_in_group = piece.end(), True
        elif mark in (",", ";"):
            texts.append(text[begin : piece.start()])
            begin, is_in_group = piece.end(), is_in_group and mark == ","
    texts.append(text[begin:])
    if is_in_group:
        raise ValueError("has a : that begins a group, and no ; that ends it; a name with a : stands in double quotes")
    return [entry.strip(" ") for entry in texts if entry.strip(" ")]
