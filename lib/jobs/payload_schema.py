"""The JSON Schema (draft 2020-12) of a handler's payload, made of the same annotations as payload.py's decoders.

`GET /api/types` shows it; a form, a client or a test may check a payload by it before the payload is sent. A payload
that POST takes fits its schema. One that fits may still be refused: `__post_init__` is code, which no schema says; and
a float has to fit a double. Pure.
"""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from lib.jobs.masking import names_secrets
from lib.jobs.payload import Field, decoder_for, fields_of
from lib.json_text import to_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DESCRIPTION_CHARS = 500
_NOTHING_FITS: dict[str, Any] = {"not": {}}
_SCALARS: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    None: "null",
    type(None): "null",
    list: "array",
    dict: "object",
}


def payload_schema(annotation: Any) -> dict[str, Any]:
    """The schema of a payload for a handler whose second parameter is annotated so; a payload is always an object.

    Nested dataclasses stand in `$defs`, each once, so that one may hold itself. Takes what `decoder_for` takes.
    """
    walk = _Walk(annotation)
    schema = _as_object(walk.root())
    return {"$schema": DIALECT, **schema, **({"$defs": walk.definitions} if walk.definitions else {})}


def first_line(doc: object) -> str | None:
    """The first line of a docstring; None where there is none."""
    lines = doc.strip().splitlines() if isinstance(doc, str) else []
    return lines[0][:DESCRIPTION_CHARS] if lines else None


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    """The same for objects alone: POST takes no other payload, whatever the handler could read."""
    kinds = schema.get("type", "object")
    if "object" in ([kinds] if isinstance(kinds, str) else kinds):
        return {**schema, "type": "object"}
    return {"type": "object", **_NOTHING_FITS}


class _Walk:
    """One payload's annotations, gone through once. `definitions` fills up on the way."""

    def __init__(self, annotation: Any) -> None:
        self.definitions: dict[str, Any] = {}
        self._annotation = annotation
        self._references: dict[type, str] = {}

    def root(self) -> dict[str, Any]:
        if _is_dataclass(self._annotation):
            self._references[self._annotation] = "#"
            return self._dataclass(self._annotation)
        return self._schema(self._annotation)

    def _schema(self, annotation: Any) -> dict[str, Any]:
        if annotation in _SCALARS:
            return {"type": _SCALARS[annotation]}
        if annotation in (Any, object):
            return {}
        if _is_dataclass(annotation):
            return {"$ref": self._reference(annotation)}
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (Union, types.UnionType):
            return _any_of([self._schema(argument) for argument in arguments])
        if origin is Literal:
            return _enum(arguments)
        if origin in (list, tuple):
            return {"type": "array", **self._below("items", arguments[:1])}
        return {"type": "object", **self._below("additionalProperties", arguments[1:])}

    def _below(self, keyword: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """What each element must be; nothing where any will do."""
        schema = self._schema(arguments[0]) if arguments else {}
        return {keyword: schema} if schema else {}

    def _reference(self, kind: type) -> str:
        """Where the schema of that class stands."""
        if kind not in self._references:
            name = self._free_name(re.sub(r"[^A-Za-z0-9_.-]", "_", kind.__name__))
            self._references[kind] = f"#/$defs/{name}"
            self.definitions[name] = {}  # It has its place before those that it holds, and may be one of them.
            self.definitions[name] = self._dataclass(kind)
        return self._references[kind]

    def _free_name(self, name: str) -> str:
        """Two modules may each have a class of that name."""
        number = 1
        free = name
        while free in self.definitions:
            number += 1
            free = f"{name}_{number}"
        return free

    def _dataclass(self, kind: type) -> dict[str, Any]:
        fields = fields_of(kind)
        # Where a class has no docstring, `dataclass` writes its signature there.
        doc = None if (kind.__doc__ or "").startswith(f"{kind.__name__}(") else kind.__doc__
        schema: dict[str, Any] = {
            "type": "object",
            **_said(first_line(doc)),
            "properties": {one.name: self._property(one) for one in fields},
            "required": [one.name for one in fields if one.is_required],
            "additionalProperties": False,
        }
        if not schema["required"]:
            del schema["required"]
        return schema

    def _property(self, one: Field) -> dict[str, Any]:
        # Beside a $ref other keywords may stand since draft 2019-09.
        return {**self._schema(one.annotation), **_said(_doc_of(one.field)), **_default(one)}


def _is_dataclass(annotation: Any) -> bool:
    return dataclasses.is_dataclass(annotation) and isinstance(annotation, type)


def _any_of(choices: list[dict[str, Any]]) -> dict[str, Any]:
    if all(choice.keys() == {"type"} for choice in choices):
        # Python knows no union of one type, but list and List of typing are one here.
        kinds = list(dict.fromkeys(choice["type"] for choice in choices))
        return {"type": kinds if len(kinds) > 1 else kinds[0]}
    return {} if {} in choices else {"anyOf": choices}


def _enum(choices: tuple[Any, ...]) -> dict[str, Any]:
    """Of bytes and members of an Enum a Literal may hold, JSON can give none: see payload.py."""
    given = [choice for choice in choices if type(choice) in (str, int, bool, type(None))]
    return {"enum": given} if given else _NOTHING_FITS


def _said(text: str | None) -> dict[str, Any]:
    return {"description": text} if text else {}


def _doc_of(field: "dataclasses.Field[Any]") -> str | None:
    """`field(doc=…)`, as Python 3.14 has it, or `field(metadata={"description": …})`."""
    doc = getattr(field, "doc", None)
    if not isinstance(doc, str) and isinstance(field.metadata, Mapping):
        doc = field.metadata.get("description")
    return first_line(doc)


def _default(one: Field) -> dict[str, Any]:
    """The field's default, if a caller could send it as JSON and it is no secret. Of the functions that make defaults
    only `list` and `dict` are called: what another one makes may differ from job to job."""
    default = one.field.default
    if one.field.default_factory in (list, dict):
        default = one.field.default_factory()
    if default is dataclasses.MISSING:
        return {}
    try:
        sent = json.loads(to_json(default))
        decoder_for(one.annotation)(sent, "")
    except Exception:  # noqa: BLE001  A default's own methods may fail in any way; the schema does without it.
        return {}
    return {} if names_secrets({one.name: sent}) else {"default": sent}
