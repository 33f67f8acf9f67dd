"""Results of handlers, as they are kept: the usual kinds as JSON, and of others the reason why they are not."""

import json
import sys
import unittest
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from ipaddress import ip_address
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

from lib.jobs.result import RESULT_BYTES, Unkept, result_text
from lib.json_text import MAX_DEPTH


class Colour(Enum):
    RED = "red"
    DAY = date(2026, 11, 29)


class Size(IntEnum):
    LARGE = 3


class Mood(StrEnum):
    GOOD = "good"


class Rate(float, Enum):
    HIGH = 0.5


Point = namedtuple("Point", "x y")


@dataclass
class Row:
    when: datetime
    prices: list[Decimal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    rows: tuple[Row, ...]


class Lazy(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return {"a": 1}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class Money(Decimal):
    pass


NOON = datetime(2026, 11, 29, 12, 0, 0, 500_000, UTC)
ID = UUID("0af76519-16cd-43dd-8448-eb211c80319c")

KEPT: list[tuple[Any, Any]] = [
    ({"a": [1, "ü", None, True, 1.5]}, {"a": [1, "ü", None, True, 1.5]}),
    ((1, (2,)), [1, [2]]),
    (NOON, "2026-11-29T12:00:00.500000+00:00"),
    (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
    (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3))), "2026-01-02T00:00:00-03:00"),
    (date(2026, 11, 29), "2026-11-29"),
    (time(1, 2, 3), "01:02:03"),
    (timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=500), "P1DT2H3M4.5S"),
    (timedelta(0), "PT0S"),
    (timedelta(days=2), "P2D"),
    (timedelta(microseconds=1), "PT0.000001S"),
    (timedelta(seconds=-90), "-PT1M30S"),
    (Decimal("10.50"), "10.50"),
    (Money("1.10"), "1.10"),
    (Decimal("NaN"), "NaN"),
    (Fraction(1, 3), "1/3"),
    (ID, str(ID)),
    (PurePosixPath("/a/b"), "/a/b"),
    (ip_address("::1"), "::1"),
    ({1}, [1]),
    (frozenset({"a"}), ["a"]),
    (deque([1, 2]), [1, 2]),
    (range(3), [0, 1, 2]),
    ({"a": 1}.keys(), ["a"]),
    ({"a": 1}.values(), [1]),
    (b"abc", "abc"),
    (bytearray("é".encode()), "é"),
    (memoryview(b"abc"), "abc"),
    (Colour.RED, "red"),
    (Colour.DAY, "2026-11-29"),
    ([Size.LARGE, Mood.GOOD, Rate.HIGH], [3, "good", 0.5]),
    ({Size.LARGE, Mood.GOOD}, None),
    (Point(1, NOON), [1, "2026-11-29T12:00:00.500000+00:00"]),
    (
        Table("t", (Row(NOON, [Decimal("1.0")]),)),
        {"name": "t", "rows": [{"when": "2026-11-29T12:00:00.500000+00:00", "prices": ["1.0"]}]},
    ),
    (float("nan"), "NaN"),
    ([float("inf"), -float("inf"), 1.0], ["Infinity", "-Infinity", 1.0]),
    ({ID: 1, date(2026, 1, 1): 2, Colour.RED: 3, 4: 5, None: 6, True: 7}, None),
    ({float("nan"): 1}, {"NaN": 1}),
    (Counter("aab"), {"a": 2, "b": 1}),
    (OrderedDict(a=b"x"), {"a": "x"}),
    (MappingProxyType({"a": {1}}), {"a": [1]}),
    (Lazy(), {"a": 1}),
    ({"\udc80": ["\udc80", {1}]}, {"\udc80": ["\udc80", [1]]}),
    ("", ""),
    (0, 0),
    (False, False),
]


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


class Kept(unittest.TestCase):
    def test_the_usual_kinds_are_kept_as_json(self) -> None:
        for value, expected in KEPT:
            with self.subTest(repr(value)[:80]):
                kept = json.loads(result_text(value), parse_constant=self.fail)
                if expected is not None:
                    self.assertEqual(expected, kept)

    def test_keys_are_names(self) -> None:
        value = {ID: 1, date(2026, 1, 1): 2, Colour.RED: 3, 4: 5, None: {6}, True: 7, Decimal("1.5"): 8}

        names = ["0af76519-16cd-43dd-8448-eb211c80319c", "2026-01-01", "red", "4", "null", "true", "1.5"]
        self.assertEqual(names, list(json.loads(result_text(value))))

    def test_nothing_is_nothing(self) -> None:
        self.assertEqual("", result_text(None))

    def test_a_hundred_levels_are_kept(self) -> None:
        for inner in (None, {1}):
            value: Any = [inner] if inner is None else inner
            for _ in range(MAX_DEPTH - 1):
                value = {"a": value}
            self.assertIn("[", result_text(value))

    def test_brackets_in_strings_are_no_levels(self) -> None:
        self.assertTrue(result_text(["[" * 200, '"{' * 200]))

    def test_no_byte_that_parts_records_is_in_it(self) -> None:
        self.assertFalse(set(result_text({"\x1e": ["\x1f\x1d\x1c\x00", {b"\x1e"}]})) & set("\x1c\x1d\x1e\x1f\x00"))


class Refused(unittest.TestCase):
    def reason(self, value: Any) -> str:
        with self.assertRaises(Unkept) as caught:
            result_text(value)
        return str(caught.exception)

    def test_what_is_too_large_or_too_deep_says_so(self) -> None:
        round_about: list[Any] = []
        round_about.append(round_about)
        self.assertIn("65,602 bytes", self.reason("x" * 65_600))
        self.assertIn("bytes", self.reason(["é" * (RESULT_BYTES // 2)]))
        self.assertIn("1,000,000,000 items", self.reason(range(10**9)))
        for value in (*map(nested, (101, 950, 100_000)), round_about, {"a": nested(100)}, [{1}, nested(101)]):
            self.assertIn("100 levels", self.reason(value))

    def test_what_is_no_json_says_of_which_class_it_is(self) -> None:
        self.assertIn("class object", self.reason([object()]))
        self.assertIn("class complex", self.reason(1j))
        self.assertIn("class type", self.reason(Row))
        self.assertIn("class function", self.reason(lambda: None))
        keys: tuple[Any, ...] = ((1, 2), frozenset(), Point(1, 2))
        for key in keys:
            self.assertIn(f"key of the class {type(key).__name__}", self.reason({key: 3}))
        self.assertIn("no UTF-8", self.reason(b"\xff"))

    def test_what_raises_while_it_is_read_says_what_it_raised(self) -> None:
        class Strange(dict[str, Any]):
            def items(self) -> Any:
                raise LookupError("no\x1fitems")

        class Exits:
            def __getattribute__(self, name: str) -> Any:
                sys.exit(3)

        self.assertIn("LookupError: no items", self.reason(Strange(a=1)))
        self.assertIn("SystemExit: 3", self.reason(Exits()))
        self.assertLessEqual(len(self.reason(Strange(a="x" * 10_000))), 500)


if __name__ == "__main__":
    unittest.main()
