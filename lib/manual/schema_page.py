"""A JSON Schema of the contract as HTML: its description, its type and bounds in words, and a table of its properties.

    {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5}
    ->  integer, from 1, to 1,000, left out: <code>5</code>

Called by docs_page.py.
"""

import json
from collections.abc import Iterator
from typing import Any

from lib.manual.prose import escape, paragraphs, table

Schema = Any
"""A dict of keywords; or True (any value), or False (no value)."""

_BOUNDS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "exclusiveMinimum": "above {}",
    "minLength": "{} characters at least",
    "maxLength": "{} characters at most",
    "minItems": "{} items at least",
    "maxItems": "{} items at most",
    "maxProperties": "{} members at most",
}


class References:
    """Follows `$ref` in a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def follow(self, node: Any) -> Any:
        """The node that a reference leads to; a node that is no reference as it is. Raises KeyError for one that leads
        nowhere."""
        while type(node) is dict and len(node) == 1 and "$ref" in node:
            target: Any = self._document
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            node = target
        return node


def schema_html(schema: Schema, references: References) -> str:
    """The schema's description, its type and bounds in a line, a table of its properties, and its alternatives."""
    if type(schema) is not dict:
        return f"<p>{words(schema)}</p>"
    about = paragraphs(schema.get("description", ""))
    rows = list(_rows(schema, ""))
    alternatives = [item for item in _alternatives(schema) if item]
    parts = [about, "" if rows and not _bounds(schema) else f"<p>{words(schema)}</p>"]
    if rows:
        parts.append(table(["Field", "Type", "What"], rows))
        if schema.get("additionalProperties") is False:
            parts.append('<p class="soft">No other fields.</p>')
    if alternatives:
        parts.append("<ul>" + "".join(f"<li>{item}</li>" for item in alternatives) + "</ul>")
    return "\n".join(part for part in parts if part)


def words(schema: Schema) -> str:
    """The type and bounds that a schema asks for, in a line of HTML."""
    if type(schema) is not dict:
        return "anything" if schema else "nothing"
    return ", ".join([*_kinds(schema), *_bounds(schema)]) or "anything"


def _kinds(schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield f'<a href="#schema-{name}">{escape(name)}</a>'
    if "const" in schema:
        yield _code(schema["const"])
    if "enum" in schema:
        yield " ".join(_code(value) for value in schema["enum"])
    kinds = schema.get("type", [])
    named = " or ".join(kinds if isinstance(kinds, list) else [kinds])
    if "items" in schema:
        yield f"{named} of: {words(schema['items'])}"
    elif named:
        yield named
    for keyword, joined in (("oneOf", "one of"), ("anyOf", "any of")):
        if keyword in schema and not any(type(one) is dict and "properties" in one for one in schema[keyword]):
            choices = [words(one) for one in schema[keyword] if type(one) is not dict or "required" not in one]
            if choices:
                yield f"{joined}: {'; '.join(choices)}"


def _bounds(schema: dict[str, Any]) -> list[str]:
    bounds = [text.format(f"{schema[name]:,}") for name, text in _BOUNDS.items() if name in schema]
    if "format" in schema:
        bounds.append(escape(schema["format"]))
    if "pattern" in schema:
        bounds.append(f"of the form {_code_text(schema['pattern'])}")
    if "default" in schema:
        bounds.append(f"left out: {_code(schema['default'])}")
    return bounds


def _alternatives(schema: dict[str, Any]) -> Iterator[str]:
    """A line for each alternative that is a whole object, and one for names that exclude each other."""
    for one in [*schema.get("oneOf", []), *schema.get("anyOf", [])]:
        if type(one) is dict and "properties" in one:
            fields = "; ".join(f"<code>{escape(name)}</code>: {words(of)}" for name, of in one["properties"].items())
            yield f"{escape(one['title'])}: {fields}" if "title" in one else fields
    for name in schema.get("not", {}).get("required", [])[:1]:
        others = ", ".join(f"<code>{escape(other)}</code>" for other in schema["not"]["required"][1:])
        yield f"not <code>{escape(name)}</code> beside {others}"


def _rows(schema: dict[str, Any], above: str) -> Iterator[list[str]]:
    """A row for each property. Behind the row of a property that is an object come the rows of its own properties.

    above: what their names begin with, as in "unique." for unique.key.
    """
    required = set(schema.get("required", ()))
    for name, of in schema.get("properties", {}).items():
        need = "<br><strong>required</strong>" if name in required else ""
        described = paragraphs(of.get("description", "")) if type(of) is dict else ""
        yield [f"<code>{escape(above + name)}</code>{need}", words(of), described]
        if type(of) is dict:
            yield from _rows(of, f"{above}{name}.")
            if type(of.get("items")) is dict:
                yield from _rows(of["items"], f"{above}{name}[].")


def _code(value: Any) -> str:
    return _code_text(json.dumps(value, ensure_ascii=False))


def _code_text(text: str) -> str:
    return f"<code>{escape(text)}</code>"
