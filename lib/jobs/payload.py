"""JSON into the values that a handler asks for: a dataclass's fields are checked, each fault with a JSON Pointer.

`decoder_for(Report)` is built once, when the job's module is loaded; the server calls it at POST (a wrong payload is
422 before anything is queued) and the worker once more when it runs the job. Pure.

Known: str int float bool None Any, list[X] tuple[X, ...] dict[str, X], X | Y, Literal, dataclasses in one another.
A whole number is fine where a float is asked, and 5.0 where an int is; nothing else is converted.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, Union

from lib.errors import FieldError

Decode = Callable[[Any, str], Any]

MOST_FAULTS = 100
"""So many are told of one body; who sent 500,000 wrong items does not need an answer of 40 MB."""


class Invalid(Exception):
    """A value that is not what was asked for. A dataclass's `__post_init__` may raise it to refuse its own fields."""

    def __init__(self, errors: Sequence[FieldError] | str) -> None:
        self.errors = [FieldError("", errors)] if isinstance(errors, str) else list(errors)
        super().__init__("; ".join(f"{pointer or '/'}: {detail}" for pointer, detail in self.errors))


class Refused(Invalid):
    """A value of the right form that the dataclass's own code did not take."""


class UnknownAnnotation(TypeError):
    """A type that payloads can't be decoded into; said when the module is loaded, not when a job arrives."""


def decoder_for(annotation: Any) -> Decode:
    """The function that turns a JSON value into `annotation`.

    It takes (value, pointer) and raises Invalid with every fault found. Raises UnknownAnnotation at once.
    """
    return _decoder_for(annotation, {})


def _decoder_for(annotation: Any, known: dict[type, Decode]) -> Decode:
    """known: the dataclasses seen so far, each with its decoder; one may hold itself, as a tree does."""
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        if annotation not in known:
            known[annotation] = lambda value, pointer: known[annotation](value, pointer)
            known[annotation] = _dataclass(annotation, known)
        return known[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        # Of `int | float` 5.0 is the float.
        exact = {int: _plain(int)} if float in arguments else {}
        return _union(annotation, [exact.get(argument) or _decoder_for(argument, known) for argument in arguments])
    if origin is Literal:
        return _literal(arguments)
    if origin in (list, dict) and not arguments:
        return _SCALARS[origin]  # List and Dict of typing, bare
    if origin is list or (origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis):
        return _array(origin, _decoder_for(arguments[0], known))
    if origin is dict and arguments[0] is str:
        return _object(_decoder_for(arguments[1], known))
    raise UnknownAnnotation(f"a payload can't hold {annotation!r}; see lib/jobs/payload.py for what it can")


def escape_pointer(name: str) -> str:
    """One reference token of a JSON Pointer (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def json_type(value: object) -> str:
    """The word that JSON has for a value's type."""
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
    """The whole number that a JSON value is, None where it is none. 5.0 is one, as in JSON Schema."""
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
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    decoders = {field.name: _decoder_for(hints[field.name], known) for field in fields}
    required = {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    taken = {name: _taken_as_they_are(hints[name]) for name in decoders}

    def decode(value: Any, pointer: str) -> Any:
        if type(value) is not dict:
            raise Invalid([FieldError(pointer, f"must be an object, not {json_type(value)}")])
        errors: list[FieldError] = []
        if not required <= value.keys():
            errors += [FieldError(f"{pointer}/{name}", "is missing") for name in sorted(required - value.keys())]
        arguments = {}
        for name, item in value.items():
            if type(item) in taken.get(name, ()):
                arguments[name] = item  # WHY: no call and no pointer for it, and most fields of most jobs are such.
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
        return _construct(kind, arguments, pointer)

    return decode


def _taken_as_they_are(annotation: Any) -> frozenset[type]:
    """The types of JSON values that `annotation` takes and leaves what they are; an integer may become a float."""
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    choices = typing.get_args(annotation) if is_union else (annotation,)
    plain = (str, bool, type(None)) if float in choices else (str, bool, type(None), int)
    return frozenset(kind for kind in plain if kind in choices)


def _construct(kind: type, arguments: dict[str, Any], pointer: str) -> Any:
    """Build the dataclass. Whatever its own code raises (`__post_init__`, a default_factory, a property) refuses the
    value, and is a fault at the place where the object stands.

    SystemExit and CancelledError, too: a check that exits would end the server, for every caller."""
    try:
        return kind(**arguments)
    except BaseException as fault:  # noqa: BLE001  See above.
        raise Refused(_told_by(fault, pointer)) from None


def _told_by(fault: BaseException, pointer: str) -> list[FieldError]:
    """What an exception of a payload's own says. Its text and its class are code of the payload's author as well."""
    try:
        if isinstance(fault, Invalid) and fault.errors:
            return [FieldError(f"{pointer}{below}", f"{detail}") for below, detail in fault.errors]
        said = f"{fault}"
        if isinstance(fault, ValueError):
            return [FieldError(pointer, said or "is not valid")]
        name = type(fault).__name__
        return [FieldError(pointer, f"{name}: {said}" if said else name)]
    except BaseException:  # noqa: BLE001
        return [FieldError(pointer, "is not valid, and what its own check says can't be shown")]


def _unknown_field(known: dict[str, Decode]) -> str:
    return "is not known here; known: " + ", ".join(sorted(known))


def _union(annotation: Any, choices: list[Decode]) -> Decode:
    said = _say(annotation)

    def decode(value: Any, pointer: str) -> Any:
        told: Invalid | None = None
        for choice in choices:
            try:
                return choice(value, pointer)
            except Invalid as fault:
                # The fault that lies deepest is of the alternative that was meant.
                if told is None or _depth(fault) > _depth(told):
                    told = fault
        if told is None or (told.errors[0].pointer == pointer and not isinstance(told, Refused)):
            raise Invalid([FieldError(pointer, f"must be {said}, not {json_type(value)}")])
        raise told

    return decode


def _depth(fault: Invalid) -> tuple[int, bool]:
    """How far a value fits. At one place, what was built and then refused fits better than what is of another type."""
    return len(fault.errors[0].pointer), isinstance(fault, Refused)


def _say(annotation: Any) -> str:
    return " or ".join(dict.fromkeys(map(_word, typing.get_args(annotation))))


def _word(choice: Any) -> str:
    origin = typing.get_origin(choice)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(choice)))
    return "an array" if origin is tuple else _JSON_TYPES.get(origin or choice, "an object")


def _literal(choices: tuple[Any, ...]) -> Decode:
    allowed = {(type(choice), choice) for choice in choices}
    said = "must be one of " + ", ".join(map(repr, choices))

    def decode(value: Any, pointer: str) -> Any:
        chosen = whole(value) if type(value) is float else value
        if type(chosen) not in (str, int, bool, type(None)) or (type(chosen), chosen) not in allowed:
            raise Invalid([FieldError(pointer, said)])
        return chosen

    return decode


def _array(kind: type, item: Decode) -> Decode:
    def decode(value: Any, pointer: str) -> Any:
        if type(value) is not list:
            raise Invalid([FieldError(pointer, f"must be an array, not {json_type(value)}")])
        errors: list[FieldError] = []
        items = []
        for index, element in enumerate(value):
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
        # Every member would pass; most payloads are such objects, and this is done for every job.
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
