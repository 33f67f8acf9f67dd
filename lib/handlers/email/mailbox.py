"""One mail address: the text `Name <a@b>` or `a@b` in, a checked `Mailbox` out, or a ValueError that says why.

    "Jane <Jane@X.example>"            Mailbox("Jane", "Jane@x.example")
    '"Doe, Jane" <j@bücher.example>'   Mailbox("Doe, Jane", "j@xn--bcher-kva.example")
    "try..this@example.jp"             Mailbox("", '"try..this"@example.jp')
    "jane@x@y"                         ValueError("is not one address: …")

Called at POST, so that a wrong address is a 422 and not a dead job, and for MAIL_FROM. Pure. address_lists.py reads a
field of several addresses, and calls this file for each.

1. The text between < and > is the address, and the text before is the name. Without < the whole text is the address.
2. The part before the @ stays as it is if it is an atom of RFC 5321. Anything else is put in quotes, as both SMTP and
   header fields ask for. With letters beyond ASCII in it, the mail needs SMTPUTF8 (RFC 6531): see smtp/session.py.
3. domain_names.py checks the part behind the @.

Less is accepted than RFC 5322 allows (no comments, no address literals, no blank outside of quotes): such forms are
rare in real addresses, and common in attacks on the next program that parses the address.
"""

import re
import unicodedata
from typing import NamedTuple

from lib.handlers.email import domain_names

ADDRESS_CHARS = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets, less its angle brackets
NAME_CHARS = 256
_LOCAL_CHARS = 64  # RFC 5321, 4.5.3.1.1: octets before the @.
_TEXT_CHARS = 2 * (NAME_CHARS + ADDRESS_CHARS)  # Within quotes a character may be written as two.

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_UCHARS = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-"  # RFC 6531, 3.3; for use within [ ].
_ATOM = re.compile(rf"[{_UCHARS}]+(?:\.[{_UCHARS}]+)*")
_DOTTED = re.compile(rf"[.{_UCHARS}]+")
_DOTTED_AND_BLANK = re.compile(rf"[. {_UCHARS}]+")
_QUOTED = re.compile(r'"((?>(?:[^"\\]|\\.)*))"')
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Nearly every address: without a name, and valid as it stands.
_BARE = re.compile(rf"((?=.{{1,{_LOCAL_CHARS}}}@){_ATEXT}(?:\.{_ATEXT})*)@({_LABEL}(?:\.{_LABEL})*)")
_BRACKETED = re.compile(r'((?>(?:"(?>(?:[^"\\]|\\.)*)"|[^"<])*))<((?>(?:"(?>(?:[^"\\]|\\.)*)"|[^"<>])*))>')
_PARTS = re.compile(r'("(?>(?:[^"\\]|\\.)*)"|[^"@]*)@([^@]*)')
# Unicode's line breaks are unfit too: a character that is a letter for one program begins a new header for the next.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_JOINERS = str.maketrans("", "", "\u200c\u200d")  # Invisible, and yet parts of words in Persian and Hindi.


class Mailbox(NamedTuple):
    """name: as it was given, "" for none.

    address: as SMTP has it: before the @ quoted if it must be, and not always ASCII; behind the @ in lower case, and
    ASCII (xn--…)."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def check_line(text: str) -> None:
    """Raises ValueError if `text` can't stand in one line of a header field. This check prevents header injection."""
    if text.isascii() and text.isprintable():
        return
    found = _UNFIT.search(text)
    if found:
        raise ValueError(
            f"holds a line break or control character (U+{ord(found[0]):04X} at character {found.start() + 1})"
        )


def parse_mailbox(text: str) -> Mailbox:
    """The mailbox that `text` names. Raises ValueError, its words to be put behind a field's name."""
    return parse_bare(text) or _parse(text)


def parse_bare(text: str) -> Mailbox | None:
    """The mailbox of a text that is an address without a name and valid as it stands, as nearly every text is; else
    None."""
    bare = _BARE.fullmatch(text)
    if bare is None or len(text) > ADDRESS_CHARS:
        return None
    domain = bare[2].lower()
    return None if "xn--" in domain else Mailbox("", f"{bare[1]}@{domain}")


def named_mailbox(name: str, address: str) -> Mailbox:
    """The mailbox of a name and an address that came apart. Raises ValueError.

    The address may have blanks before the @: beside a name of its own, they can't be the end of a name."""
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
    # A comma or an @ outside of quotes is more likely to belong to a second address than to somebody's name.
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
    """The part before the @, with quotes where SMTP asks for them. quotable: texts that a caller may give without these
    quotes."""
    quoted = _QUOTED.fullmatch(text)
    # RFC 6532, 3.1: two texts that look alike must be the same address.
    bare = unicodedata.normalize("NFC", re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text)
    if not bare.isascii() and not bare.translate(_JOINERS).isprintable():
        raise ValueError("has a letter before the @ that can't be seen, such as a no-break space")
    # RFC 5321, 4.1.2: in quotes only if it must be.
    local = bare if _ATOM.fullmatch(bare) else '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'
    is_fit = quoted is not None or quotable.fullmatch(bare)
    if not is_fit or len(local.encode()) > _LOCAL_CHARS:
        raise ValueError(
            "has a part before the @ that is not 1 to 64 of letters, digits and .!#$%&'*+-/=?^_`{|}~; "
            'anything else stands in double quotes, as in "a b"@example.com'
        )
    return local
