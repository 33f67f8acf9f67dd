"""JSON values into what a handler asks for: each kind, each fault with its pointer."""

import asyncio
import sys
import unittest
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, Literal, Optional

from lib.jobs.author_checks import Invalid
from lib.jobs.payload import UnknownAnnotation, decoder_for, escape_pointer


@dataclass
class Address:
    street: str
    number: int = 1


@dataclass
class Order:
    name: str
    address: Address
    tags: list[str] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    kind: Literal["new", "old"] = "new"
    note: str | None = None
    hidden: int = field(default=3, init=False)


@dataclass
class Tree:
    name: str
    children: list["Tree"] = field(default_factory=list)


@dataclass
class Picky:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@dataclass
class Raising:
    """Its own check raises whatever the test puts here."""

    n: int = 0
    raised: ClassVar[BaseException | None] = None

    def __post_init__(self) -> None:
        if self.raised is not None:
            raise self.raised


@dataclass
class Scaled:
    by: InitVar[int]
    n: int = field(default=3, init=False)
    kept: ClassVar[int] = 1

    def __post_init__(self, by: int) -> None:
        self.n *= by


class Silent(Exception):
    """Not even its text can be had."""

    def __str__(self) -> str:
        sys.exit(3)


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        raise KeyError(name)


class Bare(Invalid):
    """A refusal that does without what Invalid keeps."""

    def __init__(self) -> None:
        pass


def never() -> int:
    raise LookupError("no default today")


@dataclass
class NoDefault:
    n: int = field(default_factory=never)


class Even:
    """A field that looks at what it is given, as a descriptor or a property does."""

    def __get__(self, instance: object, owner: type) -> int:
        return 0

    def __set__(self, instance: object, value: int) -> None:
        assert value % 2 == 0, "n is odd"


@dataclass
class Guarded:
    n: int = Even()  # type: ignore[assignment]


@dataclass
class Passage:
    from_: str | None = field(default=None, metadata={"json": "from"})
    to: str = field(metadata={"json": "à/b"}, default="")


@dataclass
class PickyAtAField:
    a: str

    def __post_init__(self) -> None:
        from lib.errors import FieldError

        raise Invalid([FieldError("/a", "never")])


def faults(annotation: Any, value: Any) -> dict[str, str]:
    """Pointer to detail."""
    try:
        decoder_for(annotation)(value, "")
    except Invalid as fault:
        return dict(fault.errors)
    return {}


class Names(unittest.TestCase):
    def test_a_field_may_have_a_name_in_json_that_python_has_no_room_for(self) -> None:
        decode = decoder_for(Passage)

        self.assertEqual(Passage("a", "b"), decode({"from": "a", "à/b": "b"}, ""))
        self.assertEqual(Passage(), decode({}, ""))
        self.assertEqual({"/from": "must be a string or null, not an integer"}, faults(Passage, {"from": 1}))
        self.assertEqual({"/from_": "is not known here; known: from, à/b"}, faults(Passage, {"from_": "a"}))


class Values(unittest.TestCase):
    def test_each_kind_takes_its_own_and_nothing_else(self) -> None:
        good: dict[Any, list[Any]] = {
            str: [""],
            int: [0, 10**30, 5.0],
            bool: [True],
            None: [None],
            list: [[1]],
            dict: [{}],
            float: [1.5, 2],
            Any: [None, 1, []],
            list[int]: [[], [1]],
            dict[str, bool]: [{"a": True}],
            str | None: ["a", None],
            Optional[int]: [None, 1],  # noqa: UP045
            Literal["a", 1]: ["a", 1, 1.0],
            tuple[int, ...]: [[1, 2]],
        }
        bad: dict[Any, list[Any]] = {
            str: [1, None],
            int: [True, 1.5, "1", float("inf"), float("nan")],
            bool: [1, 0],
            None: [0],
            list: [{}],
            dict: [[]],
            float: [True, "1", float("inf"), 10**400],
            list[int]: [[True], {}],
            dict[str, bool]: [{"a": 1}, []],
            str | None: [1],
            Literal["a", 1]: ["b", True, 2.0, 1.5, None, []],
            tuple[int, ...]: [["1"]],
        }
        for annotation, values in good.items():
            for value in values:
                self.assertEqual({}, faults(annotation, value), (annotation, value))
        for annotation, values in bad.items():
            for value in values:
                self.assertTrue(faults(annotation, value), (annotation, value))

    def test_a_whole_number_is_a_float_where_one_is_asked_for(self) -> None:
        number = decoder_for(float)(2, "")

        self.assertEqual((float, 2.0), (type(number), number))

    def test_a_float_that_is_whole_is_an_int_where_one_is_asked_for_and_of_either_stays_what_it_is(self) -> None:
        for annotation, value, kind in (
            (int, 5.0, int),
            (Literal[5], 5.0, int),
            (int | None, 5.0, int),
            (int | float, 5.0, float),
            (int | float, 5, int),
            (list[int], [5.0], int),
        ):
            decoded = decoder_for(annotation)(value, "")

            self.assertEqual(kind, type(decoded[0] if isinstance(decoded, list) else decoded), annotation)

    def test_a_tuple_comes_out_as_one(self) -> None:
        self.assertEqual((1, 2), decoder_for(tuple[int, ...])([1, 2], ""))

    def test_a_type_that_json_can_not_hold_is_refused_when_it_is_named(self) -> None:
        for annotation in (bytes, set[int], complex, dict[int, str], tuple[int, str], Order.__init__):
            with self.assertRaisesRegex(UnknownAnnotation, "it holds str int float"):
                decoder_for(annotation)


class Dataclasses(unittest.TestCase):
    def test_fields_are_decoded_in_one_another(self) -> None:
        order = decoder_for(Order)({"name": "n", "address": {"street": "s"}, "weights": {"a": 1}}, "")

        self.assertEqual(Order("n", Address("s", 1), [], {"a": 1.0}), order)

    def test_every_fault_is_found_with_its_place(self) -> None:
        found = faults(
            Order,
            {
                "address": {"street": 1, "number": "2", "x/y~z": 0},
                "tags": ["a", 1],
                "weights": {"a/b": "c"},
                "kind": "odd",
                "hidden": 1,
            },
        )

        self.assertEqual(
            {
                "/name",
                "/address/street",
                "/address/number",
                "/address/x~1y~0z",
                "/tags/1",
                "/weights/a~1b",
                "/kind",
                "/hidden",
            },
            set(found),
        )

    def test_what_post_init_refuses_stands_where_the_object_does(self) -> None:
        self.assertEqual({"": "low is above high"}, faults(Picky, {"low": 2, "high": 1}))
        self.assertEqual({"/0": "low is above high"}, faults(list[Picky], [{"low": 2, "high": 1}]))
        self.assertEqual({"/0/a": "never"}, faults(list[PickyAtAField], [{"a": "x"}]))

    def test_whatever_a_check_of_its_own_raises_is_a_fault_with_what_it_says(self) -> None:
        self.addCleanup(setattr, Raising, "raised", None)
        odd: Any = Invalid([("/n", 5)])  # type: ignore[list-item]
        for raised, words in (
            (ValueError("too low"), "too low"),
            (ValueError(), "is not valid"),
            (KeyError("month"), "KeyError: 'month'"),
            (AssertionError(), "AssertionError"),
            (TypeError("no"), "TypeError: no"),
            (StopIteration(1), "StopIteration: 1"),
            (RecursionError("deep"), "RecursionError: deep"),
            (MemoryError(), "MemoryError"),
            (SystemExit(3), "SystemExit: 3"),
            (KeyboardInterrupt(), "KeyboardInterrupt"),
            (GeneratorExit(), "GeneratorExit"),
            (asyncio.CancelledError("stop"), "CancelledError: stop"),
            (BaseExceptionGroup("two", [SystemExit(1)]), "BaseExceptionGroup: two (1 sub-exception)"),
            (Invalid("as it is"), "as it is"),
            (Invalid([]), "Invalid"),
            (Silent(), "is not valid, and what its own check says can't be shown"),
        ):
            with self.subTest(type(raised).__name__):
                Raising.raised = raised
                self.assertEqual({"": words}, faults(Raising, {}))
                self.assertEqual({"/0": words}, faults(list[Raising], [{}]))
        Raising.raised = odd
        self.assertEqual({"/n": "5"}, faults(Raising, {}))
        Raising.raised = Bare()
        self.assertEqual({""}, set(faults(Raising, {})))
        Raising.raised = Nameless("Odd", (Exception,), {})()
        self.assertEqual({""}, set(faults(Raising, {})))

    def test_defaults_that_are_made_and_fields_that_look_are_code_of_its_own_as_well(self) -> None:
        self.assertEqual({"": "LookupError: no default today"}, faults(NoDefault, {}))
        self.assertEqual({"": "AssertionError: n is odd"}, faults(Guarded, {"n": 1}))
        self.assertEqual({}, faults(Guarded, {"n": 2}))

    def test_of_a_union_what_a_check_says_is_reported_as_without_one(self) -> None:
        self.assertEqual({"": "low is above high"}, faults(Picky | None, {"low": 2, "high": 1}))
        self.assertEqual({"": "low is above high"}, faults(str | Picky | list[int], {"low": 2, "high": 1}))
        self.assertEqual({"": "must be an object or null, not an integer"}, faults(Picky | None, 1))

    def test_of_a_union_the_alternative_that_was_meant_is_complained_of(self) -> None:
        self.assertEqual({"/street"}, set(faults(Address | None, {"street": 1})))
        self.assertEqual({"": "must be an object or null, not an integer"}, faults(Address | None, 1))
        self.assertEqual({"": "must be one of 'a', 'b' or null, not an integer"}, faults(Literal["a", "b"] | None, 5))
        self.assertEqual({"": "must be an array or null, not an integer"}, faults(tuple[int, ...] | None, 5))

    def test_what_is_for_post_init_alone_is_decoded_as_a_field_is(self) -> None:
        self.assertEqual(6, decoder_for(Scaled)({"by": 2}, "").n)
        self.assertEqual({"/by": "must be an integer, not a string"}, faults(Scaled, {"by": "2"}))
        self.assertEqual({"/by": "is missing"}, faults(Scaled, {}))
        self.assertEqual({"/n", "/kept", "/by"}, set(faults(Scaled, {"n": 1, "kept": 1})))

    def test_a_dataclass_may_hold_itself(self) -> None:
        tree = decoder_for(Tree)({"name": "a", "children": [{"name": "b"}]}, "")

        self.assertEqual(Tree("a", [Tree("b")]), tree)
        self.assertEqual(
            {"/children/0/name": "must be a string, not an integer"},
            faults(Tree, {"name": "a", "children": [{"name": 1}]}),
        )

    def test_pointers_are_escaped(self) -> None:
        self.assertEqual("a~1b~0c~01", escape_pointer("a/b~c~1"))


if __name__ == "__main__":
    unittest.main()
