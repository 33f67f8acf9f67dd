"""JSON into the values that a handler asks for: a dataclass's fields are checked, each fault with a JSON Pointer. Pure.

    @dataclass
    class Report:
        month: str
        pages: list[int]

    decode = decoder_for(Report)
    decode({"month": "2026-11", "pages": [1]}, "/payload")   ->  Report("2026-11", [1])
    decode({"month": 11, "pages": ["1"]}, "/payload")        ->  Invalid([
        FieldError("/payload/month", "must be a string, not an integer"),
        FieldError("/payload/pages/0", "must be an integer, not a string")])

A decoder is made once, when the job's module is loaded. The server calls it at POST, and answers 422 for a wrong
payload before anything is enqueued; a runner calls it once more before it runs the job.

An annotation may be str int float bool None Any, list[X] tuple[X, ...] dict[str, X], X | Y, Literal, a dataclass, and
all of these in one another. A float field takes a whole number, and an int field takes 5.0; nothing else is converted.
A field whose JSON name can't be a Python name is written `from_: str = field(metadata={"json": "from"})`.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple, Union

from lib.errors import FieldError
from lib.jobs.author_checks import Invalid as Invalid  # Payload classes of users import it from here.
from lib.jobs.author_checks import Refused, construct

Decode = Callable[[Any, str], Any]

HOLDS = "str int float bool None Any, list[X] tuple[X, ...] dict[str, X], X | Y, Literal, dataclasses, in one another"

MOST_FAULTS = 100
"""How many faults of one body are reported: the answer to 500,000 wrong items would have 40 MB."""


class UnknownAnnotation(TypeError):
    """An annotation that no payload can be decoded into. Raised when the job's module is loaded."""


def decoder_for(annotation: Any) -> Decode:
    """The function that turns a JSON value into `annotation`. Raises UnknownAnnotation.

    The function takes (value, pointer), and raises Invalid with every fault that it finds.
    """
    return _decoder_for(annotation, {})


def _decoder_for(annotation: Any, known: dict[type, Decode]) -> Decode:
    """known: the decoders of the dataclasses seen so far, since a dataclass may hold itself, as a tree's node does."""
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        if annotation not in known:
            known[annotation] = lambda value, pointer: known[annotation](value, pointer)
            known[annotation] = _dataclass(annotation, known)
        return known[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        # In `int | float`, 5.0 stays a float.
        exact = {int: _plain(int)} if float in arguments else {}
        return _union(annotation, [exact.get(argument) or _decoder_for(argument, known) for argument in arguments])
    if origin is Literal:
        return _literal(arguments)
    if origin in (list, dict) and not arguments:
        return _SCALARS[origin]  # List and Dict of typing, bare
    if origin is list or (origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis):
        return _array(origin, _decoder_for(arguments[0], known), _taken_as_they_are(arguments[0]))
    if origin is dict and arguments[0] is str:
        return _object(_decoder_for(arguments[1], known))
    raise UnknownAnnotation(f"a payload can't hold {annotation!r}; it holds {HOLDS}")


class Field(NamedTuple):
    """A field of a dataclass that a payload may name."""

    name: str
    annotation: Any
    is_required: bool
    field: "dataclasses.Field[Any]"


def fields_of(kind: type) -> list[Field]:
    """The fields of that dataclass that a payload may name, in their order. Raises what get_type_hints raises.

    InitVars are among them: `dataclasses.fields` leaves these out, but the class is made with them.
    """
    hints = typing.get_type_hints(kind)
    found: dict[str, dataclasses.Field[Any]] = getattr(kind, "__dataclass_fields__")  # noqa: B009  mypy knows no such name.
    return [
        Field(json_name(one), _annotation(hints[name]), _has_no_default(one), one)
        for name, one in found.items()
        if one.init and ClassVar not in (hints[name], typing.get_origin(hints[name]))
    ]


def _annotation(hint: Any) -> Any:
    return hint.type if isinstance(hint, dataclasses.InitVar) else hint


def _has_no_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def escape_pointer(name: str) -> str:
    """A field's name as one part of a JSON Pointer (RFC 6901, 3): a/b is a~1b."""
    return name.replace("~", "~0").replace("/", "~1")


def json_type(value: object) -> str:
    """A JSON value's type in words, as "a string"."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


_JSON_TYPES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
    list: "an array",
    dict: "an object",
}


def whole(value: object) -> int | None:
    """The JSON value as an int, None if it is no whole number. 5.0 is one, as in JSON Schema."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _int(value: Any, pointer: str) -> int:
    number = whole(value)
    if number is None:
        raise Invalid([FieldError(pointer, f"must be an integer, not {json_type(value)}")])
    return number


def _plain(kind: type) -> Decode:
    def decode(value: Any, pointer: str) -> Any:
        # type(), not isinstance: True is an int in Python and is not one in JSON.
        if type(value) is not kind:
            raise Invalid([FieldError(pointer, f"must be {_JSON_TYPES[kind]}, not {json_type(value)}")])
        return value

    return decode


def _float(value: Any, pointer: str) -> float:
    if type(value) not in (int, float):
        raise Invalid([FieldError(pointer, f"must be a number, not {json_type(value)}")])
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Invalid([FieldError(pointer, "is too large a number")])
    return number


def _anything(value: Any, pointer: str) -> Any:
    return value


_SCALARS: dict[Any, Decode] = {
    str: _plain(str),
    int: _int,
    bool: _plain(bool),
    float: _float,
    None: _plain(type(None)),
    type(None): _plain(type(None)),
    list: _plain(list),
    dict: _plain(dict),
    Any: _anything,
    object: _anything,
}


def _dataclass(kind: type, known: dict[type, Decode]) -> Decode:
    fields = fields_of(kind)
    decoders = {one.name: _decoder_for(one.annotation, known) for one in fields}
    required = {one.name for one in fields if one.is_required}
    taken = {one.name: _taken_as_they_are(one.annotation) for one in fields}
    renamed = [(one.name, one.field.name) for one in fields if one.name != one.field.name]

    def decode(value: Any, pointer: str) -> Any:
        if type(value) is not dict:
            raise Invalid([FieldError(pointer, f"must be an object, not {json_type(value)}")])
        errors: list[FieldError] = []
        if not required <= value.keys():
            errors += [FieldError(f"{pointer}/{name}", "is missing") for name in sorted(required - value.keys())]
        arguments = {}
        for name, item in value.items():
            if type(item) in taken.get(name, ()):
                # WHY here: most fields of most jobs are taken as they are, and need neither a call nor a pointer.
                arguments[name] = item
                continue
            if name not in decoders:
                errors.append(FieldError(f"{pointer}/{escape_pointer(name)}", _unknown_field(decoders)))
                if len(errors) > MOST_FAULTS:
                    break
                continue
            try:
                arguments[name] = decoders[name](item, f"{pointer}/{name}")
            except Invalid as fault:
                errors.extend(fault.errors)
                if len(errors) > MOST_FAULTS:
                    break
        if errors:
            raise Invalid(errors)
        for json, python in renamed:
            if json in arguments:
                arguments[python] = arguments.pop(json)
        return construct(kind, arguments, pointer)

    return decode


def json_name(field: "dataclasses.Field[Any]") -> str:
    """The name of a dataclass's field in JSON."""
    name: str = field.metadata.get("json", field.name)
    return name


def _taken_as_they_are(annotation: Any) -> frozenset[type]:
    """The JSON types whose values `annotation` takes unchanged. Where float is a choice, int is
    not among them: a whole number may become a float."""
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    choices = typing.get_args(annotation) if is_union else (annotation,)
    plain = (str, bool, type(None)) if float in choices else (str, bool, type(None), int)
    return frozenset(kind for kind in plain if kind in choices)


def _unknown_field(known: dict[str, Decode]) -> str:
    return "is not known here; known: " + ", ".join(sorted(known))


def _union(annotation: Any, choices: list[Decode]) -> Decode:
    words = _union_words(annotation)

    def decode(value: Any, pointer: str) -> Any:
        nearest: Invalid | None = None
        for choice in choices:
            try:
                return choice(value, pointer)
            except Invalid as fault:
                # The caller meant the alternative whose fault lies deepest: report that one.
                if nearest is None or _depth(fault) > _depth(nearest):
                    nearest = fault
        if nearest is None or (nearest.errors[0].pointer == pointer and not isinstance(nearest, Refused)):
            raise Invalid([FieldError(pointer, f"must be {words}, not {json_type(value)}")])
        raise nearest

    return decode


def _depth(fault: Invalid) -> tuple[int, bool]:
    """How far a value fits an alternative, for comparison. Of two faults at one place, a value that was refused by the
    author's code fits better than a value of another type."""
    return len(fault.errors[0].pointer), isinstance(fault, Refused)


def _union_words(annotation: Any) -> str:
    """ "a string or null" for `str | None`."""
    return " or ".join(dict.fromkeys(map(_word, typing.get_args(annotation))))


def _word(choice: Any) -> str:
    origin = typing.get_origin(choice)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(choice)))
    return "an array" if origin is tuple else _JSON_TYPES.get(origin or choice, "an object")


def _literal(choices: tuple[Any, ...]) -> Decode:
    allowed = {(type(choice), choice) for choice in choices}
    detail = "must be one of " + ", ".join(map(repr, choices))

    def decode(value: Any, pointer: str) -> Any:
        chosen = value if type(value) is not float else whole(value) if value.is_integer() else value
        if type(chosen) not in (str, int, bool, type(None)) or (type(chosen), chosen) not in allowed:
            raise Invalid([FieldError(pointer, detail)])
        return chosen

    return decode


def _array(kind: type, item: Decode, taken: frozenset[type]) -> Decode:
    """taken: the JSON types of elements that need no decoding."""

    def decode(value: Any, pointer: str) -> Any:
        if type(value) is not list:
            raise Invalid([FieldError(pointer, f"must be an array, not {json_type(value)}")])
        errors: list[FieldError] = []
        items = []
        for index, element in enumerate(value):
            if type(element) in taken:
                items.append(element)
                continue
            try:
                items.append(item(element, f"{pointer}/{index}"))
            except Invalid as fault:
                errors.extend(fault.errors)
                if len(errors) > MOST_FAULTS:
                    break
        if errors:
            raise Invalid(errors)
        return kind(items)

    return decode


def _object(item: Decode) -> Decode:
    if item is _anything:
        # Any member would pass. Most payloads are plain objects, and are decoded for every job.
        return _plain(dict)

    def decode(value: Any, pointer: str) -> Any:
        if type(value) is not dict:
            raise Invalid([FieldError(pointer, f"must be an object, not {json_type(value)}")])
        errors: list[FieldError] = []
        members = {}
        for name, element in value.items():
            try:
                members[name] = item(element, f"{pointer}/{escape_pointer(name)}")
            except Invalid as fault:
                errors.extend(fault.errors)
                if len(errors) > MOST_FAULTS:
                    break
        if errors:
            raise Invalid(errors)
        return members

    return decode
