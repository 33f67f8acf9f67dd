"""openapi.yaml as tests use it: its operations, its examples, and whether a value or an answer is as the contract says.

    contract.load().faults({"id": 1}, {"$ref": "#/components/schemas/Job"})
    ->  "/id is 1, not string", "/type is missing", …

The validator knows the keywords of JSON Schema 2020-12 that the contract uses, and refuses a schema with any other: a
keyword that is passed over in silence checks nothing. Pure, but for the file that `load` reads.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lib.manual import yaml_subset

PATH = Path(__file__).resolve().parents[1] / "openapi.yaml"
METHODS = ("get", "head", "options", "post", "put", "patch", "delete", "trace")

Schema = dict[str, Any] | bool
Faults = Iterator[str]

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "required", "$ref"})
_DATE_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: type(value) is bool,
    "string": lambda value: type(value) is str,
    "number": lambda value: type(value) in (int, float),
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
}


class Operation(NamedTuple):
    """One operation. parameters: those of the path and of the operation itself, with every $ref followed."""

    method: str
    path: str
    fields: dict[str, Any]
    parameters: list[dict[str, Any]]

    @property
    def id(self) -> str:
        return str(self.fields["operationId"])

    def parameters_in(self, place: str) -> list[str]:
        return [parameter["name"] for parameter in self.parameters if parameter["in"] == place]


class Example(NamedTuple):
    """An example in the contract, the schema that it is an example of, and its place in the document."""

    place: str
    value: Any
    schema: Schema


class Answer(NamedTuple):
    """A server's answer. headers: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Contract:
    """The document. Every `$ref` in it is followed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations = list(self._operations())

    def schema(self, name: str) -> dict[str, Any]:
        """A schema of the components."""
        return dict(self.document["components"]["schemas"][name])

    @property
    def problems(self) -> list[tuple[str, int]]:
        """The (slug, status) pairs in the table of problems in the schema Problem, in the table's order."""
        rows = re.findall(
            r"^\| `/problems/([a-z-]+)` \| (\d+) \| .+ \|$", self.schema("Problem")["description"], re.MULTILINE
        )
        return [(slug, int(status)) for slug, status in rows]

    def operation(self, operation_id: str) -> Operation:
        return next(operation for operation in self.operations if operation.id == operation_id)

    def follow(self, node: Any) -> Any:
        """The node that a reference leads to; any other node as it is. Raises KeyError for a reference to nothing."""
        while type(node) is dict and "$ref" in node and len(node) == 1:
            node = self._at(node["$ref"])
        return node

    def responses(self, operation: Operation) -> dict[str, dict[str, Any]]:
        """The operation's responses by status, as "202", or "default"."""
        return {status: self.follow(response) for status, response in operation.fields["responses"].items()}

    def answer_faults(self, operation: Operation, answer: Answer, *, is_head: bool = False) -> list[str]:
        """Every way in which an answer is not as the operation says: status, header fields, media type, body."""
        responses = self.responses(operation)
        response = responses.get(str(answer.status), responses.get("default"))
        if response is None:
            return [f"{answer.status} is not a status that {operation.id} has"]
        faults = list(self._header_faults(response, answer.headers))
        media_types = response.get("content", {})
        media_type = answer.headers.get("content-type")
        if not media_types:
            return faults + (["it has a body"] if answer.body not in (b"", None) else [])
        if media_type not in media_types and media_type is not None:
            # The contract may name the media type alone, and the answer have a charset or a version behind it.
            media_type = media_type.partition(";")[0]
        if media_type not in media_types:
            return [*faults, f"Content-Type is {media_type}, not {' or '.join(media_types)}"]
        return faults if is_head else [*faults, *self.faults(answer.body, media_types[media_type]["schema"])]

    def faults(self, value: Any, schema: Schema, place: str = "") -> Faults:
        """Every way in which a value is not as a schema says. Raises ValueError for a keyword that is unknown here."""
        if type(schema) is bool:
            if not schema:
                yield f"{place or '/'} may not be there"
            return
        assert type(schema) is dict
        if "$ref" in schema:
            yield from self.faults(value, self._at(schema["$ref"]), place)
        for keyword, argument in schema.items():
            if keyword in _ANNOTATIONS:
                continue
            check = _KEYWORDS.get(keyword)
            if check is None:
                raise ValueError(f"the keyword {keyword} is not known here")
            yield from check(self, value, argument, schema, place)
        if type(value) is dict:
            for name in schema.get("required", ()):
                if name not in value:
                    yield f"{place}/{name} is missing"

    def examples(self) -> Iterator[Example]:
        """Every example in the contract: of bodies, parameters, headers and schemas."""
        yield from self._examples_below(self.document["paths"], "/paths")
        yield from self._examples_below(self.document["components"], "/components")

    def request_examples(self) -> Iterator[tuple[Operation, str, Any]]:
        """Every example of a request's body: operation, name, value."""
        for operation in self.operations:
            for media in operation.fields.get("requestBody", {}).get("content", {}).values():
                for name, example in media["examples"].items():
                    yield operation, name, self.follow(example)["value"]

    def _operations(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method, fields in item.items():
                if method in METHODS:
                    parameters = [*item.get("parameters", []), *fields.get("parameters", [])]
                    yield Operation(method.upper(), path, fields, [self.follow(one) for one in parameters])

    def _at(self, reference: str) -> Any:
        node: Any = self.document
        for name in reference.removeprefix("#/").split("/"):
            node = node[name.replace("~1", "/").replace("~0", "~")]
        return node

    def _header_faults(self, response: dict[str, Any], headers: Mapping[str, str]) -> Faults:
        for name, reference in response.get("headers", {}).items():
            header = self.follow(reference)
            value = headers.get(name.lower())
            if value is not None:
                yield from self.faults(value, header["schema"], f"{name}:")
            elif header.get("required"):
                yield f"{name} is missing"

    def _examples_below(self, node: Any, place: str) -> Iterator[Example]:
        if type(node) is list:
            for index, item in enumerate(node):
                yield from self._examples_below(item, f"{place}/{index}")
        if type(node) is not dict:
            return
        if "schema" in node:
            yield from self._examples_of(node, place)
        elif type(node.get("examples")) is list:
            for index, value in enumerate(node["examples"]):
                yield Example(f"{place}/examples/{index}", value, node)
        for name, item in node.items():
            if name not in ("example", "examples", "value"):
                yield from self._examples_below(item, f"{place}/{name}")

    def _examples_of(self, node: dict[str, Any], place: str) -> Iterator[Example]:
        """The examples of one parameter, header or media type."""
        if "example" in node:
            yield Example(f"{place}/example", node["example"], node["schema"])
        for name, example in node.get("examples", {}).items():
            yield Example(f"{place}/examples/{name}", self.follow(example)["value"], node["schema"])


def load() -> Contract:
    """The contract in openapi.yaml."""
    return Contract(yaml_subset.read(PATH.read_text(encoding="utf-8")))


# The keywords: each gets (contract, value, its argument, the schema that it stands in, place).


def _type(_contract: Contract, value: Any, wanted: str | list[str], _schema: Any, place: str) -> Faults:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not any(_TYPES[name](value) for name in names):
        yield f"{place or '/'} is {value!r:.80}, not {' or '.join(names)}"


def _enum(_contract: Contract, value: Any, wanted: list[Any], _schema: Any, place: str) -> Faults:
    if not any(_is_same(value, one) for one in wanted):
        yield f"{place or '/'} is {value!r:.80}, not one of {wanted}"


def _const(_contract: Contract, value: Any, wanted: Any, _schema: Any, place: str) -> Faults:
    if not _is_same(value, wanted):
        yield f"{place or '/'} is {value!r:.80}, not {wanted!r}"


def _is_same(value: Any, other: Any) -> bool:
    # In Python True == 1, in JSON it is not.
    return bool(value == other) and (type(value) is bool) == (type(other) is bool)


def _properties(contract: Contract, value: Any, wanted: dict[str, Schema], schema: Any, place: str) -> Faults:
    """A member without a schema is a fault, although clients are to pass over members that they do not know."""
    if type(value) is dict:
        if "additionalProperties" not in schema:
            yield from (f"{place}/{name} is not in the contract" for name in sorted(value.keys() - wanted.keys()))
        for name, schema in wanted.items():
            if name in value:
                yield from contract.faults(value[name], schema, f"{place}/{name}")


def _additional(contract: Contract, value: Any, wanted: Schema, schema: Any, place: str) -> Faults:
    if type(value) is dict:
        for name in value.keys() - schema.get("properties", {}).keys():
            yield from contract.faults(value[name], wanted, f"{place}/{name}")


def _items(contract: Contract, value: Any, wanted: Schema, _schema: Any, place: str) -> Faults:
    if type(value) is list:
        for index, item in enumerate(value):
            yield from contract.faults(item, wanted, f"{place}/{index}")


def _one_of(contract: Contract, value: Any, wanted: list[Schema], _schema: Any, place: str) -> Faults:
    found = [list(contract.faults(value, one, place)) for one in wanted]
    fitting = sum(not faults for faults in found)
    if fitting != 1:
        yield f"{place or '/'} fits {fitting} of {len(wanted)} alternatives, not one: {found}"


def _any_of(contract: Contract, value: Any, wanted: list[Schema], _schema: Any, place: str) -> Faults:
    found = [list(contract.faults(value, one, place)) for one in wanted]
    if all(found):
        yield f"{place or '/'} fits no alternative: {found}"


def _not(contract: Contract, value: Any, unwanted: Schema, _schema: Any, place: str) -> Faults:
    if not any(True for _ in contract.faults(value, unwanted, place)):
        yield f"{place or '/'} is what it must not be: {unwanted}"


def _bound(
    of: type | tuple[type, ...], measure: Callable[[Any], float], is_fine: Callable[[float, float], bool]
) -> Any:
    kinds = of if isinstance(of, tuple) else (of,)

    def check(_contract: Contract, value: Any, bound: float, _schema: Any, place: str) -> Faults:
        if type(value) in kinds and not is_fine(measure(value), bound):
            yield f"{place or '/'} is {value!r:.80}, beyond the bound {bound}"

    return check


def _pattern(_contract: Contract, value: Any, wanted: str, _schema: Any, place: str) -> Faults:
    if type(value) is str and not re.search(wanted, value, re.ASCII):
        yield f"{place or '/'} is {value!r:.80}, not of the form {wanted}"


def _format(_contract: Contract, value: Any, wanted: str, _schema: Any, place: str) -> Faults:
    if wanted != "date-time":
        raise ValueError(f"the format {wanted} is not known here")
    if type(value) is str and not _DATE_TIME.fullmatch(value):
        yield f"{place or '/'} is {value!r:.80}, not a time"


def path_matches(template: str, target: str) -> bool:
    """Whether a request's target is for that path of the contract."""
    pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, urlsplit(target).path) is not None


_NUMBERS = (int, float)
_KEYWORDS: dict[str, Callable[..., Faults]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "oneOf": _one_of,
    "anyOf": _any_of,
    "not": _not,
    "minimum": _bound(_NUMBERS, float, lambda value, bound: value >= bound),
    "maximum": _bound(_NUMBERS, float, lambda value, bound: value <= bound),
    "exclusiveMinimum": _bound(_NUMBERS, float, lambda value, bound: value > bound),
    "minItems": _bound(list, len, lambda value, bound: value >= bound),
    "maxItems": _bound(list, len, lambda value, bound: value <= bound),
    "minLength": _bound(str, len, lambda value, bound: value >= bound),
    "maxLength": _bound(str, len, lambda value, bound: value <= bound),
    "minProperties": _bound(dict, len, lambda value, bound: value >= bound),
    "maxProperties": _bound(dict, len, lambda value, bound: value <= bound),
    "pattern": _pattern,
    "format": _format,
}
