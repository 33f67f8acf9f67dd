"""How a log line is put into words: JSON for the file, a short text for the console, and nothing that could forge one.

Called by log.py, twice or more for each request and job: what is the same in many lines is made once. Pure.
"""

import json
import logging
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring, encode_basestring_ascii

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR", logging.CRITICAL: "CRITICAL"}
LEVELS = {name: number for number, name in NAMES.items()}
CONSOLE_IDS = ("request_id", "job_id")
TEXT_CHARS = 16_384  # of one message, field or traceback in a line longer than LINE_CHARS, and of a traceback anywhere
LINE_CHARS = 65_536
KNOWN_NAMES = 1_000  # of events and fields kept in escaped form
CLASS_NAME_CHARS = 200
OWN_KEYS = frozenset(("ts", "level", "event", "msg"))
ARROW, ARROW_STAND_IN = "→", "\x1a"
"""WHY a stand-in: one letter beyond Latin-1 doubles a line's memory, and it takes ten times as long to encode. Until it
is handed over, what a Form makes is ASCII. No other line holds a bare control character."""
_SLOT = re.compile(r"\{(\w+)\}")
_name_of = type.__dict__["__name__"].__get__


def shortened(text: str) -> str:
    """The text; if too long, its first quarter and its end (where a traceback names the error) in TEXT_CHARS."""
    if len(text) <= TEXT_CHARS:
        return text
    head = TEXT_CHARS // 4
    return f"{text[:head]} [... {len(text) - TEXT_CHARS} characters left out ...] {text[head - TEXT_CHARS :]}"


def quoted(text: str) -> str:
    """A JSON string of printable characters: controls, line separators, bidi marks and lone surrogates are escaped."""
    if text.isascii():
        return encode_basestring_ascii(text)
    if text.isprintable():
        return encode_basestring(text)
    return f'"{"".join((encode_basestring if c.isprintable() else encode_basestring_ascii)(c)[1:-1] for c in text)}"'


def printable(text: str) -> str:
    """For people: what a terminal or a reader of lines could obey is shown as \\n, \\x1b, \\u202e."""
    if len(text) > TEXT_CHARS:
        text = shortened(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def class_name(value: object) -> str:
    """The name of its class, whatever a metaclass of a job's own says to that question; 200 characters at most."""
    return str.__getitem__(_name_of(type(value)), slice(CLASS_NAME_CHARS))


def traceback_text(exc: BaseException) -> str:
    """The exception with its causes, as Python prints it."""
    try:
        return shortened("".join(traceback.format_exception(exc)).rstrip())
    except BaseException:  # noqa: BLE001  a foreign exception's class, __str__ or source file; SystemExit as well
        return f"{class_name(exc)} (its traceback can't be shown)"


def _json_of_float(value: float) -> str:
    # JSON has no NaN and no infinity; the difference of either with itself is not 0.
    return repr(value) if value - value == 0 else f'"{value!r}"'


def json_of_any(value: object) -> str:
    """JSON of at most TEXT_CHARS or so. A value that fails to show itself costs its place, not the line."""
    if isinstance(value, str):
        return quoted(shortened(str.__str__(value)))
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except BaseException:  # noqa: BLE001  a caller's object: its __str__ may raise whatever it likes
        return quoted(f"<unprintable {class_name(value)}>")
    return text if len(text) <= TEXT_CHARS else quoted(shortened(text))


class Encoders(dict[type, Callable[..., str]]):
    """How each type becomes JSON. (Dicts that know what to do with a missing key: the cheapest look-up there is.)"""

    def __missing__(self, kind: type) -> Callable[..., str]:
        return json_of_any


# Fields in ASCII, as that is one C call; `msg`, which people read and search, keeps its letters.
FAST = Encoders(
    {str: encode_basestring_ascii, int: int.__repr__, float: _json_of_float, bool: ("false", "true").__getitem__}
)
CAREFUL = Encoders()


class Heads(dict[tuple[int, str], str]):
    """The part of a line from `level` to `msg`, made once for each level and event."""

    def __missing__(self, key: tuple[int, str]) -> str:
        level, event = key
        head = f',"level":"{NAMES[level]}","event":{quoted(event)},"msg":'
        if len(self) < KNOWN_NAMES:
            self[key] = head
        return head


class FieldNames(dict[str, str]):
    """Names of fields, escaped once."""

    def __missing__(self, name: str) -> str:
        # A second "msg" or "level" would replace the first one in most readers of JSON.
        key = f",{quoted(name + '_' if name in OWN_KEYS else name)}:"
        if len(self) < KNOWN_NAMES:
            self[name] = key
        return key


class Form:
    """A line that every request has: its words are put together once, and only the values are put in.

    msg names values in braces, one at least. A value is plain: it holds nothing that JSON or a terminal would have
    escaped. Ids that were checked, methods, paths and the names of job types are so; what a caller says is not.
    """

    def __init__(
        self, level: int, event: str, msg: str, names: Sequence[str], *, numbers: Sequence[str] = (), said: str = ""
    ) -> None:
        """names: of the fields; numbers: those without quotes; said: a value that `msg` alone names."""
        self.level = level
        values = ("ts", "tail", *names, *([said] if said else []))
        msg = msg.replace(ARROW, ARROW_STAND_IN)
        fields = _fields(names, numbers)
        head = f'"ts":"{{ts}}","level":"{NAMES[level]}","event":"{event}","msg":"{msg}"'
        ids = "".join(f" {name}={{{name}}}" for name in CONSOLE_IDS if name in names and f"{{{name}}}" not in msg)
        self.json = _writer(f"{{{{{head}{fields}{{tail}}}}}}\n", values)
        """The line: when, further fields in words, the values of its own, and what is said if anything is."""
        self.text = _writer(f"{{ts}} {NAMES[level]} {msg}{ids}\n", values)
        """The same for people."""


def tail_writer(names: Sequence[str], *, numbers: Sequence[str] = ()) -> Callable[..., str]:
    """As a Form's: makes the words of these fields of their values, which are plain."""
    return _writer(_fields(names, numbers), names)


def _fields(names: Sequence[str], numbers: Sequence[str]) -> str:
    return "".join(f',"{name}":' + (f"{{{name}}}" if name in numbers else f'"{{{name}}}"') for name in names)


def _writer(template: str, values: Sequence[str]) -> Callable[..., str]:
    """A function of these values that puts them into the template.

    WHY it is compiled, as a named tuple's are: an f-string takes two thirds of what str.join takes for the same parts,
    and str.format and % look at each letter of their template again. A template is our own words, never a caller's.
    """
    if not all(value.isidentifier() for value in (*values, *_SLOT.findall(template))):
        raise ValueError(f"not the names of values: {values}")
    write: Callable[..., str] = eval(f"lambda {', '.join(values)}: f{template!r}")
    return write


class Stamp:
    """Wall-clock time as RFC 3339 in UTC with milliseconds, made once a millisecond."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Tuples, replaced whole: of two threads here, neither may see the other's number with its own text.
        self._second = (-1, "")
        self._ms = (0.0, 0.0, "")

    def now(self) -> str:
        now_s = self._clock()
        begins_s, ends_s, text = self._ms
        return text if begins_s <= now_s < ends_s else self._made(int(now_s * 1000))

    def _made(self, now_ms: int) -> str:
        whole_s, ms = divmod(now_ms, 1000)
        second, prefix = self._second
        if second != whole_s:
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s))
            self._second = (whole_s, prefix)
        text = f"{prefix}.{ms:03d}Z"
        self._ms = (now_ms / 1000, (now_ms + 1) / 1000, text)
        return text


def text_line(stamp: str, level: int, msg: str, about: Mapping[str, object], fields: Mapping[str, object]) -> str:
    """A line for people, with the ids that the message leaves out; a traceback follows, each row behind a bar."""
    text = f"{stamp} {NAMES[level]} {printable(msg)}"
    for name in CONSOLE_IDS:
        value = fields.get(name) or about.get(name)
        if value is not None and str(value) not in msg:
            text += f" {name}={printable(str(value))}"
    if "traceback" in fields:
        text += "".join(f"\n  | {printable(row)}" for row in str(fields["traceback"]).splitlines())
    return text + "\n"
