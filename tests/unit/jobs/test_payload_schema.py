"""The schema of a payload against what POST makes of the same payload: both say yes, or both say no."""

import dataclasses
import datetime
import enum
import functools
import itertools
import sys
import unittest
from collections.abc import Callable, Iterator
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Dict, List, Literal, Optional, Union  # noqa: UP035  Old code has them.

from lib.errors import InvalidFields
from lib.handlers.email import Email
from lib.ids import JobIds
from lib.jobs import submission
from lib.jobs.payload import decoder_for
from lib.jobs.payload_schema import DESCRIPTION_CHARS, DIALECT, first_line, payload_schema
from lib.jobs.registry import JobType, Registry
from lib.json_text import to_json
from tests import jobs_for_tests
from tests.traces import new_trace


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Address:
    """Where somebody lives.

    Not where they work.
    """

    street: str
    number: int = 1


@dataclass
class Order:
    name: str
    address: Address
    others: list[Address] = field(default_factory=list)
    by_city: dict[str, Address] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    kind: Literal["new", "old", 3, True, None] = "new"
    note: str | None = None
    anything: Any = None
    to: str | list[str] = ""
    matrix: list[list[float]] = field(default_factory=list)
    points: tuple[int, ...] = (1, 2)
    hidden: int = field(default=3, init=False)
    shared: ClassVar[int] = 4


@dataclass(kw_only=True, slots=True, frozen=True)
class Keywords:
    late: bool = False
    early: float


@dataclass
class Heir(Address):
    floor: Optional[int] = None  # noqa: UP045


@dataclass
class Tree:
    name: str
    children: list["Tree"] = field(default_factory=list)


@dataclass
class Left:
    right: "Right | None" = None


@dataclass
class Right:
    left: Left | None = None
    forest: dict[str, Tree] = field(default_factory=dict)


@dataclass
class Holder:
    either: Address | Tree | int
    maybe: List[Left] | None = None  # noqa: UP006
    loose: List = field(default_factory=list)  # type: ignore[type-arg]  # noqa: UP006
    bag: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    old: Union[int, str, None] = 0  # noqa: UP007
    odd: Literal[Colour.RED, b"x", "red"] = "red"
    never: Literal[b"x"] | None = None
    all_of_it: object = None
    free: Any | int = 0


@dataclass
class Empty:
    pass


def of_the_same_name() -> type:
    @dataclass
    class Address:
        zip: str

    return Address


Both = dataclasses.make_dataclass("Both", [("here", Address), ("there", of_the_same_name())])
Oddly_named = dataclasses.make_dataclass("Odd", [("a", dataclasses.make_dataclass("ß/~x", [("n", int)]))])


@dataclass
class Initial:
    """What `early` asks for goes to __post_init__ alone."""

    early: InitVar[float]
    note: InitVar[str | None] = None
    shared: ClassVar[int] = 4
    name: str = field(init=False, default="")

    def __post_init__(self, early: float, note: str | None) -> None:
        self.name = f"{early} {note}"


KINDS: tuple[Any, ...] = (
    *(
        Order,
        Initial,
        Keywords,
        Heir,
        Tree,
        Left,
        Right,
        Holder,
        Empty,
        Both,
        Oddly_named,
        jobs_for_tests.Work,
        Address,
    ),
    *(dict, dict[str, Any], dict[str, int], dict[str, dict[str, bool | None]], dict[str, Address], dict[str, Tree]),
    *(Any, object, Address | None, Address | Tree, dict[str, int] | list[int], str | None, list, list[int], str, int),
    *(None, Literal["a"], float | None, Address | dict[str, int]),
)
SEEDS: tuple[Any, ...] = (
    *(None, True, 0, 1, -3, 10**30, 1.5, "", "red", "new", [], ["a"], [1], [1, "a"], [[1.5], [2]], [None], {}),
    *({"a": 1}, {"a": True}, {"a": {"b": None}}, {"a": {"b": 1}}, {"street": "s"}, {"street": "s", "number": "1"}),
    *({"street": 1}, {"street": "s", "more": 1}, {"name": "n"}, {"name": "n", "children": [{"name": "m"}]}),
    *({"name": "n", "children": [{"name": 1}]}, {"early": 1}, {"early": 1.5, "late": False}, {"early": "1"}),
    *({"street": "s", "floor": None}, {"right": {"left": {"right": None}}}, {"right": {"left": {"right": 1}}}),
    *({"zip": "1"}, {"n": 1}, {"n": True}, {"a": {"n": 1}}, {"here": {"street": "s"}, "there": {"zip": "1"}}),
    *({"here": {"zip": "s"}, "there": {"street": "1"}}, {"forest": {"a": {"name": "n"}}}, {"forest": {"a": {}}}),
    *({"name": "n", "address": {"street": "s"}}, {"either": 1}, {"either": {"name": "n"}}, {"either": "a"}),
)


NO_OBJECTS: tuple[Any, ...] = (str | None, list, list[int], str, int, None, Literal["a"], float | None)
BASES: tuple[dict[str, Any], ...] = (
    {},
    {"name": "n", "address": {"street": "s"}},
    {"either": 1},
    {"street": "s"},
    {"early": 1},
)


def variants(annotation: Any) -> Iterator[Any]:
    """The seeds, and some objects with a member more, of each name that the class has."""
    yield from SEEDS
    names = [*getattr(annotation, "__dataclass_fields__", ())]
    for base, name, value in itertools.product(BASES, [*names, "shared"], SEEDS):
        yield {**base, name: value}


def post(annotation: Any) -> Callable[[Any], bool]:
    """POST's own verdict on payloads of a type whose handler asks for that."""
    registry = Registry([JobType("t", print, decoder_for(annotation), True, annotation=annotation)])
    ids, trace = JobIds(), new_trace()

    def is_taken(payload: Any) -> bool:
        try:
            submission.read({"type": "t", "payload": payload}, registry, ids, request_id="r", trace=trace)
        except InvalidFields:
            return False
        return True

    return is_taken


# A small evaluator of JSON Schema: of the keywords that payload_schema uses, and of no other.
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def fits(value: Any, schema: Any, root: Any) -> bool:
    known = {
        *("$schema", "$defs", "$ref", "description", "default", "type", "enum", "not", "anyOf"),
        *("items", "properties", "required", "additionalProperties"),
    }
    assert type(schema) is bool or set(schema) <= known, schema
    return schema if type(schema) is bool else all(_holds(value, schema, root))


def _holds(value: Any, schema: dict[str, Any], root: Any) -> Iterator[bool]:
    if "$ref" in schema:
        yield fits(value, at(schema["$ref"], root), root)
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        is_whole = type(value) is float and value.is_integer()
        yield any(type(value) in _TYPES[kind] or (kind == "integer" and is_whole) for kind in kinds)
    if "enum" in schema:
        # 1 and 1.0 are one number, and True is none.
        yield any(one == value and (type(one) is bool) == (type(value) is bool) for one in schema["enum"])
    if "not" in schema:
        yield not fits(value, schema["not"], root)
    if "anyOf" in schema:
        yield any(fits(value, one, root) for one in schema["anyOf"])
    if type(value) is list and "items" in schema:
        yield all(fits(item, schema["items"], root) for item in value)
    if type(value) is dict:
        known = schema.get("properties", {})
        yield all(name in value for name in schema.get("required", ()))
        yield all(fits(value[name], known[name], root) for name in known if name in value)
        more = schema.get("additionalProperties", True)
        yield all(fits(item, more, root) for name, item in value.items() if name not in known)


def at(reference: str, root: Any) -> Any:
    assert reference[0] == "#"
    return functools.reduce(lambda node, name: node[name], filter(None, reference[1:].split("/")), root)


class Verdicts(unittest.TestCase):
    def test_schema_and_post_take_and_refuse_the_same_payloads(self) -> None:
        for annotation in KINDS:
            schema, is_taken = payload_schema(annotation), post(annotation)
            verdicts = {(is_taken(one), fits(one, schema, schema)): one for one in variants(annotation)}
            with self.subTest(annotation):
                self.assertLessEqual(verdicts.keys(), {(True, True), (False, False)}, (verdicts, schema))
                self.assertEqual(annotation not in NO_OBJECTS, (True, True) in verdicts)
                self.assertIn((False, False), verdicts)

    def test_what_a_class_checks_itself_is_in_no_schema(self) -> None:
        schema = payload_schema(jobs_for_tests.Checked)

        self.assertTrue(fits({"raises": "ValueError"}, schema, schema))
        self.assertFalse(post(jobs_for_tests.Checked)({"raises": "ValueError"}))


class Form(unittest.TestCase):
    def test_a_dataclass_is_flat_with_its_defaults_and_what_is_said_of_it(self) -> None:
        self.assertEqual(
            {
                "$schema": DIALECT,
                "type": "object",
                "description": "Where somebody lives.",
                "properties": {"street": {"type": "string"}, "number": {"type": "integer", "default": 1}},
                "required": ["street"],
                "additionalProperties": False,
            },
            payload_schema(Address),
        )

    def test_any_object_will_do_without_a_class(self) -> None:
        for annotation in (dict, dict[str, Any], Any, object):
            self.assertEqual({"$schema": DIALECT, "type": "object"}, payload_schema(annotation))

    def test_nested_classes_stand_once_in_defs_under_names_of_their_own(self) -> None:
        schema = payload_schema(Both)

        self.assertEqual(["Address", "Address_2"], list(schema["$defs"]))
        self.assertEqual({"$ref": "#/$defs/Address_2"}, schema["properties"]["there"])
        self.assertEqual({"$ref": "#"}, payload_schema(Tree)["properties"]["children"]["items"])
        self.assertNotIn("$defs", payload_schema(Tree))

    def test_fields_are_described_where_their_field_says_so(self) -> None:
        @dataclass
        class Told:
            a: int = field(metadata={"description": "how many\nof them"})
            b: Address = field(default_factory=lambda: Address("s"), metadata={"description": 5})
            if sys.version_info >= (3, 14):
                c: int = field(default=1, doc="as 3.14 has it")

        properties = payload_schema(Told)["properties"]

        self.assertEqual({"type": "integer", "description": "how many"}, properties["a"])
        self.assertEqual({"$ref": "#/$defs/Address"}, properties["b"])
        if sys.version_info >= (3, 14):
            self.assertEqual("as 3.14 has it", properties["c"]["description"])

    def test_a_default_is_shown_where_a_caller_could_send_it(self) -> None:
        class Odd(dict[str, Any]):
            def items(self) -> Any:
                raise SystemError

        @dataclass
        class Defaults:
            a: str = None  # type: ignore[assignment]
            b: float = float("nan")
            c: Any = Decimal(1)
            d: list[str] = field(default_factory=lambda: ["made"])
            e: dict[str, int] = field(default_factory=dict)
            f: Any = datetime.datetime.min
            g: dict[str, Any] = field(default_factory=Odd)
            h: tuple[int, ...] = (1,)
            i: float = 2
            api_key: str = "hush"
            j: str | None = None

        properties = payload_schema(Defaults)["properties"]
        shown = {name: one["default"] for name, one in properties.items() if "default" in one}

        self.assertEqual({"e": {}, "h": [1], "i": 2, "j": None}, shown)

    def test_the_email_jobs_payload_is_one_that_can_be_written_as_json(self) -> None:
        schema = payload_schema(Email)

        self.assertEqual(["subject"], schema["required"])
        self.assertIn("from", schema["properties"])
        self.assertEqual(["retry", "stop"], schema["properties"]["on_uncertain"]["enum"])
        self.assertNotIn("hush", to_json(schema))

    def test_a_docstring_may_be_anything(self) -> None:
        for doc, words in (
            (None, None),
            ("", None),
            (" \n", None),
            (5, None),
            ("\n  a\n b", "a"),
            ("x" * 999, "x" * 500),
        ):
            self.assertEqual(words, first_line(doc))
        self.assertEqual(500, DESCRIPTION_CHARS)


if __name__ == "__main__":
    unittest.main()
