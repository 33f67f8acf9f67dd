"""One mail address: the text `Name <a@b>` or `a@b` in, a checked `Mailbox` out, or a ValueError that says why.

Read at POST, so that a wrong address is a 422 and not a dead job, and for MAIL_FROM. Pure. A field of several addresses
is address_lists.py's, which comes here for each.

1. What is between the < and the >, or the whole text, is the address; what stands before it is the name.
2. Before the @: an atom as RFC 5321 has it stays as it is. Anything else is quoted, as the wire and header fields
   alike ask for: `try..this@example.jp` is `"try..this"@example.jp`, and so is one that came in quotes. With letters
   beyond ASCII the mail needs SMTPUTF8 (RFC 6531), which session.py sees to.
3. Behind the @: domain_names.py.

It takes less than RFC 5322 allows (no comments, no address literals, no blank that is not quoted): what is rare in a
real address is common in an attack on whoever parses it next.
"""

import re
import unicodedata
from typing import NamedTuple

from lib.handlers.email import domain_names

ADDRESS_CHARS = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets, less its angle brackets
NAME_CHARS = 256
_LOCAL_CHARS = 64  # RFC 5321, 4.5.3.1.1: octets
_TEXT_CHARS = 2 * (NAME_CHARS + ADDRESS_CHARS)  # within quotes two may be written for one

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_UCHARS = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-"  # RFC 6531, 3.3; within brackets
_ATOM = re.compile(rf"[{_UCHARS}]+(?:\.[{_UCHARS}]+)*")
_DOTTED = re.compile(rf"[.{_UCHARS}]+")
_DOTTED_AND_BLANK = re.compile(rf"[. {_UCHARS}]+")
_QUOTED = re.compile(r'"((?>(?:[^"\\]|\\.)*))"')
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# What nearly every address is: no name, and fit as it stands.
_BARE = re.compile(rf"((?=.{{1,{_LOCAL_CHARS}}}@){_ATEXT}(?:\.{_ATEXT})*)@({_LABEL}(?:\.{_LABEL})*)")
_BRACKETED = re.compile(r'((?>(?:"(?>(?:[^"\\]|\\.)*)"|[^"<])*))<((?>(?:"(?>(?:[^"\\]|\\.)*)"|[^"<>])*))>')
_PARTS = re.compile(r'("(?>(?:[^"\\]|\\.)*)"|[^"@]*)@([^@]*)')
# Line breaks as Unicode counts them are here too: what one program takes for a letter the next takes for a new header.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_JOINERS = str.maketrans("", "", "\u200c\u200d")  # invisible, and parts of words in Persian and Hindi


class Mailbox(NamedTuple):
    """`name` as it was given, "" for none; `address` as the wire has it: its local part quoted where it must be, and
    alone not always ASCII; its domain in lower case and as A-labels."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def check_line(text: str) -> None:
    """Raises ValueError where `text` can't stand in one line of a header: header injection ends here."""
    if text.isascii() and text.isprintable():
        return
    found = _UNFIT.search(text)
    if found:
        raise ValueError(
            f"holds a line break or control character (U+{ord(found[0]):04X} at character {found.start() + 1})"
        )


def parse_mailbox(text: str) -> Mailbox:
    """The mailbox that `text` names. Raises ValueError with the words that follow the field's name."""
    return parse_bare(text) or _parse(text)


def parse_bare(text: str) -> Mailbox | None:
    """The mailbox that nearly every text is: an address and no name, fit as it stands. None for all others."""
    bare = _BARE.fullmatch(text)
    if bare is None or len(text) > ADDRESS_CHARS:
        return None
    domain = bare[2].lower()
    return None if "xn--" in domain else Mailbox("", f"{bare[1]}@{domain}")


def named_mailbox(name: str, address: str) -> Mailbox:
    """The mailbox of an address that stands alone, and a name that may be anything. Raises ValueError.

    Blanks before the @ are quoted here: with nothing beside it they can be no part of a name."""
    check_line(name)
    check_line(address)
    return _mailbox(name.strip(" "), address.strip(" "), _DOTTED_AND_BLANK)


def _parse(text: str) -> Mailbox:
    check_line(text)
    text = text.strip(" ")
    if len(text) > _TEXT_CHARS:
        raise ValueError(f"has {len(text)} characters, and no address with its name has over {_TEXT_CHARS}")
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        return _mailbox(_name(bracketed[1].strip(" ")), bracketed[2].strip(" "), _DOTTED)
    if text.endswith(">"):
        raise ValueError("has a > and no < before it, or one too many of them")
    return _mailbox("", text, _DOTTED)


def _name(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    # A comma or an @ that is not quoted is more likely a second address than a part of somebody's name.
    if re.search(r'[<>@,;:"\\]', text):
        raise ValueError('has a name that must be in double quotes, as in "Doe, Jane" <jane@example.com>')
    return text


def _mailbox(name: str, text: str, quotable: re.Pattern[str]) -> Mailbox:
    if len(name) > NAME_CHARS:
        raise ValueError(f"has a name of {len(name)} characters, at most {NAME_CHARS}")
    if bare := parse_bare(text):
        return Mailbox(name, bare.address)
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("is not one address: a@b.example or Name <a@b.example>; several make a list")
    address = f"{_local(parts[1], quotable)}@{domain_names.to_ascii(parts[2])}"
    if len(address.encode()) > ADDRESS_CHARS:
        raise ValueError(f"is longer than {ADDRESS_CHARS} characters")
    return Mailbox(name, address)


def _local(text: str, quotable: re.Pattern[str]) -> str:
    """What stands before the @, as the wire has it. quotable: what is quoted here, and need not come so."""
    quoted = _QUOTED.fullmatch(text)
    # RFC 6532, 3.1: what looks alike is to be alike.
    bare = unicodedata.normalize("NFC", re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text)
    if not bare.isascii() and not bare.translate(_JOINERS).isprintable():
        raise ValueError("has a letter before the @ that can't be seen, such as a no-break space")
    # RFC 5321, 4.1.2: in quotes where it must be, and not otherwise.
    local = bare if _ATOM.fullmatch(bare) else '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'
    is_fit = quoted is not None or quotable.fullmatch(bare)
    if not is_fit or len(local.encode()) > _LOCAL_CHARS:
        raise ValueError(
            "has a part before the @ that is not 1 to 64 of letters, digits and .!#$%&'*+-/=?^_`{|}~; "
            'anything else stands in double quotes, as in "a b"@example.com'
        )
    return local
