"""Header fields of a mail: a name and what it is to say in, its lines out, in ASCII (RFC 5322, 2047).

Called by email.py. Pure. A field is one of two kinds:

1. Unstructured: a text for people, as Subject and X-… have it. What ASCII can't hold becomes encoded words.
2. Structured: `_STRUCTURED` names them. Programs read these, and none looks for encoded words there but in a phrase
   (the name before an address) or a comment. So what is ASCII goes out as it came, folded at its blanks; beyond ASCII
   phrases and comments are encoded, URLs percent-encoded, and what is left can't be said: ValueError, a 422 at POST.

WHY NOT email.message: its generator turns a word over 78 characters into encoded words, which breaks List-Unsubscribe
and every other field that holds a long URL.
"""

import binascii
import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote

from lib.handlers.email.mailbox import Mailbox, parse_mailbox

_LINE_CHARS = 78  # RFC 5322, 2.1.1: should
_HARD_LINE_CHARS = 998  # and must
_ENCODED_LINE_CHARS = 76  # RFC 2047, 2: of a line that holds an encoded word
_ENCODED_WORD_CHARS = 75
_ENCODING_CHARS = len("=?utf-8?q??=")
_LEAST_WORD_CHARS = _ENCODING_CHARS + 12  # holds any character
_WORD_CHARS = 900  # a longer word of a text for people is encoded, which allows to break it
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
# Where an encoded word of any kind may stand, phrases too (RFC 2047, 5): what these letters are in its Q encoding.
_Q_LETTERS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!*+-/")
_Q = [chr(n) if n in _Q_LETTERS else "_" if n == 0x20 else f"={n:02X}" for n in range(256)]

_BRACKETED = re.compile(r"(<[^<>]*>)")
_COMMENT = re.compile(r"\(([^()]*)\)")
_SCHEME_AND_HOST = re.compile(r"< *[A-Za-z][A-Za-z0-9+.-]*:(?://([^/?#]*))?")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_ADDRESS = re.compile(r'(?>(?:[^",\\]|\\.?|"(?:[^"\\]|\\.)*"?)+)')  # a comma within quotes is a part of the name
_COMMENT_CHARS = 60  # of the first encoded word in one: brackets and a comma stand beside it


def header(name: str, value: str) -> str:
    """A header field; its value is in its final form, see below. In lines of 78 characters where blanks allow it."""
    if len(name) + 2 + len(value) <= _ENCODED_LINE_CHARS:
        return f"{name}: {value}"
    is_encoded = "=?" in value
    line_chars = _ENCODED_LINE_CHARS if is_encoded else _LINE_CHARS
    # Every line but the first begins with one blank and a word: a line of blanks alone ends the headers for some.
    first, *words = re.split(r" (?=[^ ])", value)
    lines = [f"{name}: {first}"]
    # Not sooner: the parser of Python 3.11 leaves the blank where nothing of the value stands beside the name.
    if len(lines[0]) > (_ENCODED_LINE_CHARS if first.startswith("=?") else _HARD_LINE_CHARS):
        lines = [f"{name}:", f" {first}"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= line_chars:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "\r\n".join(lines)


@lru_cache(maxsize=2)
def from_header(sender: Mailbox) -> str:
    return header("From", mailboxes([sender], "From"))  # the same for all mails of a runner


def given_header(name: str, value: str) -> str:
    """A field that the payload asks for. Raises ValueError where it can't be said in a field of that name."""
    form = _STRUCTURED.get(name.lower())
    if form is None:
        return header(name, unstructured(value, name))
    value = value.strip(" ")
    if not value.isascii() or len(name) + 2 + len(value) > _ENCODED_LINE_CHARS:
        value = form(value, name)
        longest = max(map(len, value.split(" ")))
        if longest >= _HARD_LINE_CHARS:
            raise ValueError(f"has a word of {longest} characters, and a line of a mail holds {_HARD_LINE_CHARS - 1}")
    return header(name, value)


# Header values in their final form. `name` is the field's: its first line has room for so much less.


def mailboxes(boxes: Sequence[Mailbox], name: str = "") -> str:
    room = _room(name)
    parts = []
    for label, address in boxes:
        # One in quotes goes in brackets, where no reader takes a comma in it for the end of the address.
        bare = f"<{address}>" if address[0] == '"' else address
        parts.append(f"{_phrase(label, room)} <{address}>" if label else bare)
        room = _ENCODED_WORD_CHARS
    return ", ".join(parts)


def date(seconds: float) -> str:
    """`seconds` since 1970, as RFC 5322, 3.3 writes it."""
    return _date(int(seconds))


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    # A tenth of what composing a letter takes, and a second has thousands of letters. +0000 says that it is UTC,
    # -0000 (as formatdate has it) that nothing is known of the place.
    return formatdate(seconds).removesuffix("-0000") + "+0000"


def unstructured(text: str, name: str = "") -> str:
    """`text` as it is where a header can hold it, else as encoded words. Without the blanks at its edges: they are no
    part of a field's value but as encoded words, and a subject that is encoded for a blank looks like spam."""
    text = text.strip(" ")
    is_plain = _is_printable(text) and "=?" not in text
    is_short = len(text) <= _WORD_CHARS or max(map(len, text.split(" "))) <= _WORD_CHARS
    return text if is_plain and is_short else _encoded(text, _room(name))


def _room(name: str) -> int:
    """What an encoded word beside the field's name may take; beside a very long one none stands."""
    room = _ENCODED_LINE_CHARS - len(name) - 2
    return min(room, _ENCODED_WORD_CHARS) if room >= _LEAST_WORD_CHARS else _ENCODED_WORD_CHARS


def _phrase(name: str, room: int) -> str:
    # "=?" within quotes is no encoded word (RFC 2047, 5), and many readers decode it all the same.
    if "=?" in name or not _is_printable(name):
        return _encoded(name, room)
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _is_printable(text: str) -> bool:
    """ASCII from the blank to the tilde."""
    return text.isascii() and text.isprintable()


# Encoded words (RFC 2047). The blank between two is no part of the text: header() may break the line there.


def _encoded(text: str, room: int) -> str:
    """Whole characters in each word; the first word takes up to `room` characters, the others 75."""
    first, others = room - _ENCODING_CHARS, _ENCODED_WORD_CHARS - _ENCODING_CHARS
    if len(_q(text)) <= (len(text.encode("utf-8")) + 2) // 3 * 4:
        parts = _parts(text, first, others, lambda character: len(_q(character)))
        return " ".join([f"=?utf-8?q?{_q(part)}?=" for part in parts])
    parts = _parts(text, first // 4 * 3, others // 4 * 3, lambda character: len(character.encode("utf-8")))
    return " ".join([f"=?utf-8?b?{_b(part)}?=" for part in parts])


def _q(text: str) -> str:
    return "".join([_Q[byte] for byte in text.encode("utf-8")])


def _b(text: str) -> str:
    return binascii.b2a_base64(text.encode("utf-8"), newline=False).decode("ascii")


def _parts(text: str, first: int, others: int, size: Callable[[str], int]) -> list[str]:
    """`text` in pieces: of size `first` at most the first one, of size `others` those behind it."""
    parts = []
    begin, left = 0, first
    for at, character in enumerate(text):
        needed = size(character)
        if needed > left:
            parts.append(text[begin:at])
            begin, left = at, others
        left -= needed
    return [*parts, text[begin:]]


# Structured fields: each function takes a value that is long or beyond ASCII, and gives one that header() can fold.


def _tokens(value: str, _name: str) -> str:
    """What has no place for a text: words, numbers, dates, one URL."""
    found = _BEYOND_ASCII.search(value)
    if found:
        raise ValueError(
            f"is a field for programs, which can't hold U+{ord(found[0][0]):04X} (character {found.start() + 1}):"
            " ASCII alone"
        )
    return value


def _ids(value: str, name: str) -> str:
    return _tokens(value, name).replace("><", "> <")


def _phrases(value: str, name: str) -> str:
    if value.isascii():
        return value
    return ", ".join([_phrase(part.strip(" "), _room(name)) for part in value.split(",")])


def _addresses(value: str, name: str) -> str:
    if value.isascii():
        return value.replace(">,<", ">, <")
    boxes = [parse_mailbox(text.strip(" ")) for text in _ADDRESS.findall(value)]
    if not all(box.address.isascii() for box in boxes):
        raise ValueError("has an address with letters beyond ASCII, which can't stand in this field")
    return mailboxes(boxes, name)


def _list_id(value: str, name: str) -> str:
    if value.isascii():
        return value
    phrase, bracket, list_id = value.rpartition("<")
    if not bracket:
        raise ValueError("has letters beyond ASCII and no <list.example.com> behind them")
    phrase = phrase.strip(" ")
    if phrase[:1] == phrase[-1:] == '"':
        phrase = re.sub(r"\\(.)", r"\1", phrase[1:-1])
    return f"{_phrase(phrase, _room(name))} <{_tokens(list_id, name)}"


def _urls(value: str, name: str) -> str:
    """URLs in angle brackets, parted by commas, with comments between them (RFC 2369)."""
    parts = _BRACKETED.split(value)
    parts[1::2] = [_url(part) for part in parts[1::2]]
    parts[::2] = [_tokens(_COMMENT.sub(_comment, part), name) for part in parts[::2]]
    return re.sub(r">,(?=<)", ">, ", "".join(parts))


def _url(bracketed: str) -> str:
    """Beyond ASCII percent-encoded, as browsers do (RFC 3987, 3.1); a host is not, for not every program knows it then.

    One that no line holds is broken: readers leave out the blanks within the brackets (RFC 2369, 2)."""
    start = _SCHEME_AND_HOST.match(bracketed)
    if not bracketed.isascii() and not start:
        raise ValueError("has letters beyond ASCII in angle brackets, and no URL there")
    if start and not (start[1] or "").isascii():
        raise ValueError("has a URL whose host must be written in its xn-- form")
    url = _BEYOND_ASCII.sub(lambda found: quote(found[0]), bracketed)
    if len(url) < _HARD_LINE_CHARS - 1:  # a comma may stand behind it
        return url
    return " ".join([url[at : at + _WORD_CHARS] for at in range(0, len(url), _WORD_CHARS)])


def _comment(found: re.Match[str]) -> str:
    return found[0] if found[0].isascii() else f"({_encoded(found[1], _COMMENT_CHARS)})"


_OF_ADDRESSES = (
    *("disposition-notification-to", "return-receipt-to", "x-confirm-reading-to", "errors-to", "mail-followup-to"),
    *("mail-reply-to", "author"),
)
_OF_URLS = ("list-unsubscribe", "list-subscribe", "list-help", "list-post", "list-owner", "list-archive")
_OF_IDS = ("in-reply-to", "references", "supersedes", "original-message-id")
_OF_TOKENS = (
    *("accept-language", "archived-at", "auto-submitted", "autocrypt", "bimi-selector", "deferred-delivery"),
    *("disposition-notification-options", "expires", "expiry-date", "feedback-id", "importance"),
    *("latest-delivery-time", "list-unsubscribe-post", "mt-priority", "precedence", "priority", "reply-by"),
    *("require-recipient-valid-since", "sensitivity", "tls-required", "x-auto-response-suppress"),
    *("x-msmail-priority", "x-priority"),
)
_STRUCTURED: dict[str, Callable[[str, str], str]] = {
    **dict.fromkeys(_OF_ADDRESSES, _addresses),
    **dict.fromkeys(_OF_URLS, _urls),
    **dict.fromkeys(_OF_IDS, _ids),
    **dict.fromkeys(_OF_TOKENS, _tokens),
    "list-id": _list_id,
    "keywords": _phrases,
}
