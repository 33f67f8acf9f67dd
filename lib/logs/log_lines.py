"""How a logged fact becomes a line: JSON for the file, a short text for the console; its text can't forge another line.

`log.warning("signal.ignored", "SIGUSR1 means nothing here", signal="SIGUSR1")` becomes

    {"ts":"2026-11-29T10:00:00.000Z","level":"WARNING","event":"signal.ignored","msg":"SIGUSR1 …","signal":"SIGUSR1"}
    2026-11-29T10:00:00.000Z WARNING SIGUSR1 means nothing here

Called by log.py for nearly every request and job. So the parts that many lines have in common (the time of one
millisecond, `"level":…,"event":…`, a field's escaped name) are made once and kept. Pure.
"""

import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import NamedTuple

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
NAMES = {DEBUG: "DEBUG", INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR", logging.CRITICAL: "CRITICAL"}
LEVELS = {name: number for number, name in NAMES.items()}
CONSOLE_IDS = ("request_id", "job_id")  # The fields that the console shows behind the message.
LINE_CHARS = 65_536
TEXT_CHARS = 16_384  # A traceback is cut to this length; in a line over LINE_CHARS so is each message and each field.
KNOWN_NAMES = 1_000  # So many names of events, and of fields, are kept in escaped form.
CLASS_NAME_CHARS = 200
OWN_KEYS = frozenset(("ts", "level", "event", "msg"))
ARROW, ARROW_STAND_IN = "→", "\x1a"
"""forms.py writes the stand-in; it becomes the arrow when the line is written out. WHY: one letter beyond Latin-1
doubles a line's memory, and the line takes ten times as long to encode. Lines that forms.py does not make have every
control character escaped, so a bare \\x1a is always the stand-in."""
_name_of = type.__dict__["__name__"].__get__


def shortened(text: str) -> str:
    """`text` in about TEXT_CHARS: of a longer one the first quarter and the end, where a traceback names the error."""
    if len(text) <= TEXT_CHARS:
        return text
    head = TEXT_CHARS // 4
    return f"{text[:head]} [... {len(text) - TEXT_CHARS} characters left out ...] {text[head - TEXT_CHARS :]}"


def quoted(text: str) -> str:
    """`text` as a JSON string. Controls, line separators, bidi marks and lone surrogates are escaped."""
    if text.isascii():
        return encode_basestring_ascii(text)
    if text.isprintable():
        return encode_basestring(text)
    return f'"{"".join((encode_basestring if c.isprintable() else encode_basestring_ascii)(c)[1:-1] for c in text)}"'


def printable(text: str) -> str:
    """`text` for a terminal. Characters that would act on it, or end the line, are shown as \\n, \\x1b, \\u202e."""
    if len(text) > TEXT_CHARS:
        text = shortened(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def class_name(value: object) -> str:
    """The name of `value`'s class in at most 200 characters. A metaclass of a job module can't change the answer."""
    return str.__getitem__(_name_of(type(value)), slice(CLASS_NAME_CHARS))


def traceback_text(exc: BaseException) -> str:
    """The exception with its causes, as Python prints them, shortened."""
    try:
        return shortened("".join(traceback.format_exception(exc)).rstrip())
    except BaseException:  # noqa: BLE001  Its class or its __str__ is a job's: they may raise anything, SystemExit too.
        return f"{class_name(exc)} (its traceback can't be shown)"


def _json_of_float(value: float) -> str:
    # JSON has no NaN and no infinity, so they become strings. Either of them minus itself is NaN, which is not 0.
    return repr(value) if value - value == 0 else f'"{value!r}"'


def json_of_any(value: object) -> str:
    """`value` in JSON of about TEXT_CHARS at most. A value whose __str__ raises becomes "<unprintable ClassName>"."""
    if isinstance(value, str):
        return quoted(shortened(str.__str__(value)))
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except BaseException:  # noqa: BLE001  `value` is a caller's object: its __str__ may raise anything.
        return quoted(f"<unprintable {class_name(value)}>")
    return text if len(text) <= TEXT_CHARS else quoted(shortened(text))


class Encoders(dict[type, Callable[..., str]]):
    """type -> the function that makes JSON of a value of that type; json_of_any for every type that is not named.

    WHY a dict with __missing__, here and below: no other look-up in Python is as cheap.
    """

    def __missing__(self, kind: type) -> Callable[..., str]:
        return json_of_any


# Fields have letters beyond ASCII escaped, which is one C call; the message keeps them, for people read it.
FAST = Encoders(
    {str: encode_basestring_ascii, int: int.__repr__, float: _json_of_float, bool: ("false", "true").__getitem__}
)
CAREFUL = Encoders()
"""For a line that FAST made too long or could not make: every value is shortened, and none raises."""


class Heads(dict[tuple[int, str], str]):
    """(level, event) -> the part of a line from `level` to `msg`: `,"level":"INFO","event":"job.started","msg":`."""

    def __missing__(self, key: tuple[int, str]) -> str:
        level, event = key
        head = f',"level":"{NAMES[level]}","event":{quoted(event)},"msg":'
        if len(self) < KNOWN_NAMES:
            self[key] = head
        return head


class FieldNames(dict[str, str]):
    """A field's name -> the JSON before the field's value: queue -> `,"queue":`."""

    def __missing__(self, name: str) -> str:
        # A field called `msg` is written as `msg_`: of two keys `msg` most readers of JSON keep the second.
        key = f",{quoted(name + '_' if name in OWN_KEYS else name)}:"
        if len(self) < KNOWN_NAMES:
            self[name] = key
        return key


class Stamp:
    """Wall-clock time as RFC 3339 in UTC with milliseconds, `2026-11-29T10:00:00.000Z`, made once a millisecond."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Tuples, replaced whole: a thread must never read one thread's number beside another thread's text.
        self._second = (-1, "")
        """The second of the last stamp, and its text up to the seconds."""
        self._ms = (0.0, 0.0, "")
        """When the last stamp's millisecond begins and ends, and the stamp."""

    def now(self) -> str:
        now_s = self._clock()
        begins_s, ends_s, text = self._ms
        return text if begins_s <= now_s < ends_s else self._stamp_of(int(now_s * 1000))

    def _stamp_of(self, now_ms: int) -> str:
        whole_s, ms = divmod(now_ms, 1000)
        second, prefix = self._second
        if second != whole_s:
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s))
            self._second = (whole_s, prefix)
        text = f"{prefix}.{ms:03d}Z"
        self._ms = (now_ms / 1000, (now_ms + 1) / 1000, text)
        return text


def text_line(stamp: str, level: int, msg: str, about: Mapping[str, object], fields: Mapping[str, object]) -> str:
    """A line for people: time, level, message, and the ids that the message does not name.

    A traceback follows, each of its rows behind "  | ", so that no row can pass for a line of the log.
    """
    text = f"{stamp} {NAMES[level]} {printable(msg)}"
    for name in CONSOLE_IDS:
        value = fields.get(name) or about.get(name)
        if value is not None and str(value) not in msg:
            text += f" {name}={printable(str(value))}"
    if "traceback" in fields:
        text += "".join(f"\n  | {printable(row)}" for row in str(fields["traceback"]).splitlines())
    return text + "\n"


class Bound(NamedTuple):
    """Fields that several lines have in common, with their JSON. Made once by `Log.bind`.

    Bound({"job_id": "email-7", "attempt": 2}, ',"job_id":"email-7","attempt":2')
    """

    fields: Mapping[str, object]
    tail: str


NOTHING = Bound({}, "")


class LineMaker:
    """Makes JSON lines and bound fields, and keeps the parts that many of them have in common."""

    def __init__(self) -> None:
        self._heads = Heads()
        self._names = FieldNames()

    def json_line(
        self, stamp: str, level: int, event: str, msg: str, about: Bound, fields: Mapping[str, object]
    ) -> str:
        """A line for the file. Raises what an `event` or `msg` that is no str raises."""
        try:
            # The message joins last: with an arrow in it, every addition after it would copy two bytes a letter.
            tail = about.tail + self._tail(fields, FAST)
            line = f'{{"ts":"{stamp}"{self._heads[level, event]}{quoted(msg)}{tail}}}\n'
            if len(line) <= LINE_CHARS:
                return line
        except ValueError:  # Python prints no integer of more than 4,300 digits.
            pass
        tail = self._tail({**about.fields, **fields}, CAREFUL)
        return f'{{"ts":"{stamp}"{self._heads[level, event]}{quoted(shortened(msg))}{tail}}}\n'

    def bind(self, fields: Mapping[str, object]) -> Bound:
        """See `Log.bind`."""
        try:
            return Bound(fields, self._tail(fields, FAST))
        except Exception:  # noqa: BLE001  FAST raises for an integer of over 4,300 digits. CAREFUL never raises.
            return Bound(fields, self._tail(fields, CAREFUL))

    def _tail(self, fields: Mapping[str, object], encoders: Encoders) -> str:
        names, tail = self._names, ""
        for name, value in fields.items():
            if value is not None:
                tail += names[name] + encoders[type(value)](value)
        return tail
