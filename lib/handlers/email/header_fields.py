"""Header fields of a mail: a field's name and value in, its lines out, in ASCII (RFC 5322, 2047).

    Subject: Grüße                      ->  Subject: =?utf-8?b?R3LDvMOfZQ==?=
    To: Jörg <j@x.example>              ->  To: =?utf-8?b?SsO2cmc=?= <j@x.example>
    List-Help: <https://x.example/ü>    ->  List-Help: <https://x.example/%C3%BC>
    Precedence: büro                    ->  ValueError: a 422 at POST

Called by letter_head.py, and by email_payload.py as a check. Pure. A field is one of two kinds:

1. Unstructured: a text for people, as in Subject and X-…. Characters beyond ASCII become encoded words.
2. Structured: a field for programs, named in `_STRUCTURED`. Programs decode encoded words only in a phrase (the name
   before an address) or a comment. So an ASCII value goes out as it came, folded at its blanks. Beyond ASCII, phrases
   and comments become encoded words and URLs are percent-encoded; in any other place it is a ValueError.

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

_LINE_CHARS = 78  # RFC 5322, 2.1.1: a line should have no more,
_HARD_LINE_CHARS = 998  # and must have no more.
_ENCODED_LINE_CHARS = 76  # RFC 2047, 2: of a line with an encoded word.
_ENCODED_WORD_CHARS = 75
_ENCODING_CHARS = len("=?utf-8?q??=")
_LEAST_WORD_CHARS = _ENCODING_CHARS + 12  # Room for any one character.
_WORD_CHARS = 900  # A longer word of a text for people is encoded: only encoded words can be broken.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
# The bytes that stand for themselves in the Q encoding, wherever an encoded word may stand, phrases too (RFC 2047, 5);
# and every byte in that encoding.
_Q_LETTERS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!*+-/")
_Q = [chr(n) if n in _Q_LETTERS else "_" if n == 0x20 else f"={n:02X}" for n in range(256)]

_BRACKETED = re.compile(r"(<[^<>]*>)")
_COMMENT = re.compile(r"\(([^()]*)\)")
_SCHEME_AND_HOST = re.compile(r"< *[A-Za-z][A-Za-z0-9+.-]*:(?://([^/?#]*))?")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_ADDRESS = re.compile(r'(?>(?:[^",\\]|\\.?|"(?:[^"\\]|\\.)*"?)+)')  # A comma within quotes is a part of the name.
_COMMENT_CHARS = 60  # Of the first encoded word in a comment: brackets and a comma stand beside it.


def header(name: str, value: str) -> str:
    """One header field, folded into lines of 78 characters where blanks allow it. value: in its final form, as the
    functions below give it."""
    if len(name) + 2 + len(value) <= _ENCODED_LINE_CHARS:
        return f"{name}: {value}"
    is_encoded = "=?" in value
    line_chars = _ENCODED_LINE_CHARS if is_encoded else _LINE_CHARS
    # Every line but the first begins with one blank and a word: for some programs a line of blanks ends the head.
    first, *words = re.split(r" (?=[^ ])", value)
    lines = [f"{name}: {first}"]
    # The first word moves to a line of its own only if it must: if nothing stands beside the name, the parser of Python
    # 3.11 takes the blank for a part of the value.
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
    """Kept, for nearly all mails of a runner come from one sender."""
    return header("From", mailboxes([sender], "From"))


def given_header(name: str, value: str) -> str:
    """A field of the payload's `headers`. Raises ValueError for a value that a field of this name can't hold."""
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


# Header values in their final form. `name` is the field's name, for which the first line needs room.


def mailboxes(boxes: Sequence[Mailbox], name: str = "") -> str:
    """The value of an address field: `Jane <jane@x.example>, bob@y.example`."""
    room = _room(name)
    parts = []
    for label, address in boxes:
        # A quoted address goes in angle brackets: there no program takes a comma in it for the end of the address.
        bare = f"<{address}>" if address[0] == '"' else address
        parts.append(f"{_phrase(label, room)} <{address}>" if label else bare)
        room = _ENCODED_WORD_CHARS
    return ", ".join(parts)


def date(seconds: float) -> str:
    """`seconds` since 1970, as RFC 5322, 3.3 writes it."""
    return _date(int(seconds))


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    # Kept: formatdate takes a tenth of the time of composing a letter, and thousands of letters have the same second.
    # +0000 means UTC; formatdate's -0000 means that the sender's time zone is unknown.
    return formatdate(seconds).removesuffix("-0000") + "+0000"


def unstructured(text: str, name: str = "") -> str:
    """`text` as it is if a header field can hold it, else as encoded words.

    Without the blanks at its edges: only encoded words could keep them, and a subject that is encoded for the sake of a
    blank looks like spam."""
    text = text.strip(" ")
    is_plain = _is_printable(text) and "=?" not in text
    is_short = len(text) <= _WORD_CHARS or max(map(len, text.split(" "))) <= _WORD_CHARS
    return text if is_plain and is_short else _encoded(text, _room(name))


def _room(name: str) -> int:
    """The characters that an encoded word beside the field's name may have; a very long name has none beside it."""
    room = _ENCODED_LINE_CHARS - len(name) - 2
    return min(room, _ENCODED_WORD_CHARS) if room >= _LEAST_WORD_CHARS else _ENCODED_WORD_CHARS


def _phrase(name: str, room: int) -> str:
    # "=?" within quotes begins no encoded word (RFC 2047, 5), but many mail programs decode it all the same.
    if "=?" in name or not _is_printable(name):
        return _encoded(name, room)
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _is_printable(text: str) -> bool:
    """ASCII from the blank to the tilde."""
    return text.isascii() and text.isprintable()


# Encoded words (RFC 2047). A blank between two of them is no part of the text: header() may break the line there.


def _encoded(text: str, room: int) -> str:
    """`text` as encoded words with whole characters in each. The first word has up to `room` characters, the others 75.
    Of the encodings Q and B the shorter one is used."""
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
    """`text` in pieces: the first of size `first` at most, the others of size `others` at most."""
    parts = []
    begin, left = 0, first
    for at, character in enumerate(text):
        needed = size(character)
        if needed > left:
            parts.append(text[begin:at])
            begin, left = at, others
        left -= needed
    return [*parts, text[begin:]]


# Structured fields: each function takes a value that is long or beyond ASCII, and returns one that header() can fold.


def _tokens(value: str, _name: str) -> str:
    """Words, numbers, dates or one URL: nothing beyond ASCII has a place here."""
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
    """One `<URL>`, percent-encoded as in browsers (RFC 3987, 3.1), except the host, which some programs would not know.

    A URL that is too long for a line is broken: programs leave out blanks within the brackets (RFC 2369, 2)."""
    start = _SCHEME_AND_HOST.match(bracketed)
    if not bracketed.isascii() and not start:
        raise ValueError("has letters beyond ASCII in angle brackets, and no URL there")
    if start and not (start[1] or "").isascii():
        raise ValueError("has a URL whose host must be written in its xn-- form")
    url = _BEYOND_ASCII.sub(lambda found: quote(found[0]), bracketed)
    if len(url) < _HARD_LINE_CHARS - 1:  # A comma may follow.
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
