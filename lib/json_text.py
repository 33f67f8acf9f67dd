"""JSON as Waybill writes it, and how deep JSON may be nested. Pure.

`to_json({"to": ["a@b.example"]})` is `{"to":["a@b.example"]}`. The depth is bounded because JSON readers recurse, and
each has a limit of its own: a text that is nested too deep could not be read everywhere.
"""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from json import encoder as json_encoder
from typing import Any

MAX_DEPTH = 100
TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
# A string without escapes. Its closing quote is optional, as a search for the end of an unclosed string would begin
# anew at each of its characters.
_STRINGS = re.compile(r'"[^"]*+"?')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# An opening bracket is a step up, a closing one a step down: the byte 255 is -1 when it is read as signed.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def is_too_deep(text: str) -> bool:
    """Whether arrays and objects in a JSON text are nested deeper than MAX_DEPTH."""
    # Most texts have no more than MAX_DEPTH opening brackets, and need no closer look.
    return text.count("[") + text.count("{") > MAX_DEPTH and _levels(text) > MAX_DEPTH


def _levels(text: str) -> int:
    """The greatest depth, counted in C: a loop in Python took 0.1 s for a MiB of brackets, in which nothing else ran.

    The answer is wrong behind a backslash outside of strings, but the decoder stops at such a backslash.
    """
    # Pairs of backslashes go first: in \\\" the last two characters are an escape, in \\" none are.
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    brackets = _STRINGS.sub("", unescaped).encode("utf-8", "replace").translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)


def _encoder() -> Callable[[Any], str]:
    """The function `to_json`. It refuses NaN, and writes each character as it is: with \\u escapes a spec in most of
    the world's languages would be twice as long.

    json.JSONEncoder.encode() makes CPython's C encoder at each call, which takes longer than to write a small payload;
    here the encoder is made once. A value that holds itself then raises RecursionError, and not ValueError.
    """
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    c_make_encoder = getattr(json_encoder, "c_make_encoder", None)
    if c_make_encoder is None:
        return plain.encode
    quoted = json_encoder.encode_basestring
    pieces = c_make_encoder(None, plain.default, quoted, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


to_json = _encoder()


def through_json(value: Any) -> Any:
    """The value as it would come back from JSON: a tuple is a list, a name that is a number is a text. Raises TypeError
    or ValueError for what is no JSON."""
    return json.loads(to_json(value))
