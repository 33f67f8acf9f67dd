"""The JSON Schema (draft 2020-12) of a handler's payload, made of the same annotations as payload.py's decoders. Pure.

    @dataclass
    class Report:
        month: str
        pages: int = 1

    ->  {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
         "properties": {"month": {"type": "string"}, "pages": {"type": "integer", "default": 1}},
         "required": ["month"], "additionalProperties": false}

`GET /api/types` shows the schema, so that a form, a client or a test can check a payload before sending it. Every
payload that POST takes fits the schema. A payload that fits may still be refused: a `__post_init__` is code, which no
schema can describe, and a float must fit a double.
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
    """The schema of a payload for a handler whose second parameter has this annotation: always that of an object.

    Takes the annotations that `decoder_for` takes. Each nested dataclass stands in `$defs` once, so that it may hold
    itself.
    """
    walk = _Walk(annotation)
    schema = _as_object(walk.root())
    return {"$schema": DIALECT, **schema, **({"$defs": walk.definitions} if walk.definitions else {})}


def first_line(doc: object) -> str | None:
    """The first line of a docstring; None where there is none."""
    lines = doc.strip().splitlines() if isinstance(doc, str) else []
    return lines[0][:DESCRIPTION_CHARS] if lines else None


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema for objects alone. POST takes no other payload, even where the handler could read one."""
    kinds = schema.get("type", "object")
    if "object" in ([kinds] if isinstance(kinds, str) else kinds):
        return {**schema, "type": "object"}
    return {"type": "object", **_NOTHING_FITS}


class _Walk:
    """Goes through one payload's annotations once. The dataclasses that it meets are collected in `definitions`."""

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
            return {"type": "array", **self._of_each("items", arguments[:1])}
        return {"type": "object", **self._of_each("additionalProperties", arguments[1:])}

    def _of_each(self, keyword: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """{keyword: the schema of each element or member}; {} where any value will do."""
        schema = self._schema(arguments[0]) if arguments else {}
        return {keyword: schema} if schema else {}

    def _reference(self, kind: type) -> str:
        """The `$ref` of that class's schema, as "#/$defs/Page"."""
        if kind not in self._references:
            name = self._free_name(re.sub(r"[^A-Za-z0-9_.-]", "_", kind.__name__))
            self._references[kind] = f"#/$defs/{name}"
            self.definitions[name] = {}  # A place first: the class may hold itself, directly or through others.
            self.definitions[name] = self._dataclass(kind)
        return self._references[kind]

    def _free_name(self, name: str) -> str:
        """The name, or name_2 and so on: classes of two modules may have the same name."""
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
            **_description(first_line(doc)),
            "properties": {one.name: self._property(one) for one in fields},
            "required": [one.name for one in fields if one.is_required],
            "additionalProperties": False,
        }
        if not schema["required"]:
            del schema["required"]
        return schema

    def _property(self, one: Field) -> dict[str, Any]:
        # Since draft 2019-09 a $ref may have other keywords beside it.
        return {**self._schema(one.annotation), **_description(_doc_of(one.field)), **_default(one)}


def _is_dataclass(annotation: Any) -> bool:
    return dataclasses.is_dataclass(annotation) and isinstance(annotation, type)


def _any_of(choices: list[dict[str, Any]]) -> dict[str, Any]:
    if all(choice.keys() == {"type"} for choice in choices):
        # A union may name one JSON type twice, as list and typing.List.
        kinds = list(dict.fromkeys(choice["type"] for choice in choices))
        return {"type": kinds if len(kinds) > 1 else kinds[0]}
    return {} if {} in choices else {"anyOf": choices}


def _enum(choices: tuple[Any, ...]) -> dict[str, Any]:
    """The choices of a Literal, without bytes and members of an Enum, which no JSON value can equal."""
    given = [choice for choice in choices if type(choice) in (str, int, bool, type(None))]
    return {"enum": given} if given else _NOTHING_FITS


def _description(text: str | None) -> dict[str, Any]:
    return {"description": text} if text else {}


def _doc_of(field: "dataclasses.Field[Any]") -> str | None:
    """The first line of a field's `field(doc=…)` (Python 3.14) or `field(metadata={"description": …})`."""
    doc = getattr(field, "doc", None)
    if not isinstance(doc, str) and isinstance(field.metadata, Mapping):
        doc = field.metadata.get("description")
    return first_line(doc)


def _default(one: Field) -> dict[str, Any]:
    """{"default": the field's default}, if a caller could send that value as JSON and it is no secret; else {}.

    The default_factory is called only if it is `list` or `dict`: what another one makes may differ from job to job.
    """
    default = one.field.default
    if one.field.default_factory in (list, dict):
        default = one.field.default_factory()
    if default is dataclasses.MISSING:
        return {}
    try:
        sent = json.loads(to_json(default))
        decoder_for(one.annotation)(sent, "")
    except Exception:  # noqa: BLE001  The default's own methods may fail in any way; the schema then lacks it.
        return {}
    return {} if names_secrets({one.name: sent}) else {"default": sent}
