"""JSON as this house writes it, and how deep it may go. Pure.

`to_json({"to": ["a@b.example"]})` is `{"to":["a@b.example"]}`. What is nested too deep can be read by nobody: each JSON
reader recurses, and each has a limit of its own.
"""

import json
import re
from collections.abc import Callable
from itertools import accumulate
from json import encoder as json_encoder
from typing import Any

MAX_DEPTH = 100
TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
# A string whose escapes are gone. The closing quote may be missing: else an unclosed one would be read again and again.
_STRINGS = re.compile(r'"[^"]*+"?')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# One up, and one down: 255 is -1 to who reads it as signed.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def is_too_deep(text: str) -> bool:
    """Whether arrays and objects in a JSON text are nested deeper than MAX_DEPTH. Most texts hold fewer of them."""
    return text.count("[") + text.count("{") > MAX_DEPTH and _levels(text) > MAX_DEPTH


def _levels(text: str) -> int:
    """A step for each bracket in C: a loop here took 0.1 s for a MiB of them, with all else waiting.

    Behind a backslash that stands outside of strings the answer is wrong, but there the decoder stops.
    """
    # Pairs of backslashes first: of \\\" the last two are an escape, of \\" nothing is.
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    brackets = _STRINGS.sub("", unescaped).encode("utf-8", "replace").translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)


def _encoder() -> Callable[[Any], str]:
    """NaN is refused, and a character stands for itself: \\u escapes would double a spec for most of the world.

    json.JSONEncoder.encode() makes CPython's C encoder anew at each call, which takes longer than a small payload; here
    it is made once. What holds itself is a RecursionError instead of a ValueError then.
    """
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    c_make_encoder = getattr(json_encoder, "c_make_encoder", None)
    if c_make_encoder is None:
        return plain.encode
    quoted = json_encoder.encode_basestring
    pieces = c_make_encoder(None, plain.default, quoted, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


to_json = _encoder()
