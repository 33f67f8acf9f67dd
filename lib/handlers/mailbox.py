"""One mail address: the text `Name <a@b>` or `a@b` in, a checked `Mailbox` in ASCII out, or a ValueError that says why.

Read at POST, so that a wrong address is a 422 and not a dead job, and by mailer.py for MAIL_FROM. Pure. It takes less
than RFC 5322 allows (no comments, groups, quoted local parts or address literals): what is rare in a real address
is common in an attack on whoever parses it next.
"""

import re
from typing import NamedTuple

ADDRESS_CHARS = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets, less its angle brackets
NAME_CHARS = 256
_LOCAL_CHARS = 64  # RFC 5321, 4.5.3.1.1

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATEXT}(\.{_ATEXT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
# What nearly every address is: no name, and fit as it stands.
_BARE = re.compile(rf"((?=.{{1,{_LOCAL_CHARS}}}@){_ATEXT}(?:\.{_ATEXT})*)@({_LABEL}(?:\.{_LABEL})*)")
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Line breaks as Unicode counts them are here too: what one program takes for a letter the next takes for a new header.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DEVIATIONS = re.compile("[ßẞς\u200c\u200d]")


class Mailbox(NamedTuple):
    """`name` as it was given, "" for none; `address` in ASCII, its domain in lower case and as A-labels."""

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
    bare = _BARE.fullmatch(text)
    if bare and len(text) <= ADDRESS_CHARS:
        return Mailbox("", f"{bare[1]}@{bare[2].lower()}")
    check_line(text)
    name, address = _split(text.strip(" "))
    if len(name) > NAME_CHARS:
        raise ValueError(f"has a name of {len(name)} characters, at most {NAME_CHARS}")
    return Mailbox(name, _address(address))


def _split(text: str) -> tuple[str, str]:
    if not text.endswith(">"):
        return "", text
    name, bracket, address = text[:-1].rpartition("<")
    if not bracket:
        raise ValueError("has a > and no < before it")
    return _name(name.strip(" ")), address


def _name(text: str) -> str:
    quoted = _QUOTED_NAME.fullmatch(text)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    # A comma or an @ that is not quoted is more likely a second address than a part of somebody's name.
    if re.search(r'[<>@,;:"\\]', text):
        raise ValueError('has a name that must be in double quotes, as in "Doe, Jane" <jane@example.com>')
    return text


def _address(text: str) -> str:
    local, at, domain = text.partition("@")
    if not at or "@" in domain:
        raise ValueError("is not one address: a@b.example or Name <a@b.example>; several make a list")
    if not local.isascii():
        raise ValueError("has letters beyond ASCII before the @ (SMTPUTF8), which Waybill does not send")
    if len(local) > _LOCAL_CHARS or not _LOCAL.fullmatch(local):
        raise ValueError("has a part before the @ that is not 1 to 64 of A-Z a-z 0-9 . !#$%&'*+-/=?^_`{|}~")
    domain = _ascii_domain(domain)
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("has a part behind the @ that is not a domain, as in mail.example.com")
    if len(local) + 1 + len(domain) > ADDRESS_CHARS:
        raise ValueError(f"is longer than {ADDRESS_CHARS} characters")
    return f"{local}@{domain}"


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    # Python's codec is IDNA 2003, where these letters name another domain than in IDNA 2008 (straße -> strasse):
    # the mail would go to a stranger.
    if len(domain) > ADDRESS_CHARS or _DEVIATIONS.search(domain):
        raise ValueError("has a domain that must be written in its xn-- form")
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("has a domain that can't be turned into its xn-- form; write it so") from None
