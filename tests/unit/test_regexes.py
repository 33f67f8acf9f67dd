"""No regular expression of Waybill has a possessive quantifier over a group: `(?:ab?)*+` takes `a` on Python 3.11.2.

Up to 3.11.4 such a group, where it fails half way, keeps what it has taken (python/cpython#106052, #100061): so chunk
sizes, request targets and Host were taken there that are refused elsewhere. `(?>(?:ab?)*)` means the same, and is read
right by all.
"""

import ast
import importlib
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARSER: Any = importlib.import_module("re._parser")
SINGLE_CHARACTER = {"ANY", "CATEGORY", "IN", "LITERAL", "NOT_LITERAL"}


def sources() -> Iterator[Path]:
    yield from (ROOT / "server.py", ROOT / "worker.py")
    for folder in ("lib", "prod/local"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def kept(path: Path) -> Iterator[str | bytes]:
    """The patterns that a module has compiled, as it made them: most are put together from parts."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if not name.endswith("__main__"):
        for value in vars(importlib.import_module(name.removesuffix(".__init__"))).values():
            if isinstance(value, re.Pattern):
                yield value.pattern


def written(path: Path) -> Iterator[str | bytes]:
    """The patterns that stand in a call, as in re.fullmatch("[0-9]+", text)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            is_call_of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            pattern = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if is_call_of_re and isinstance(pattern, str | bytes):
                yield pattern


def possessive(parsed: Any) -> Iterator[Any]:
    """What each possessive quantifier in a parsed pattern, however deep, stands over: a list of items."""
    for operator, argument in parsed:
        if str(operator) == "POSSESSIVE_REPEAT":
            yield argument[2]
        for inner in _inner(argument):
            yield from possessive(inner)


def _inner(argument: Any) -> Iterator[Any]:
    if isinstance(argument, PARSER.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _inner(part)


def is_over_a_group(pattern: str | bytes) -> bool:
    over = possessive(PARSER.parse(pattern))
    return any(len(items) != 1 or str(items[0][0]) not in SINGLE_CHARACTER for items in over)


class Possessive(unittest.TestCase):
    def test_none_stands_over_a_group(self) -> None:
        seen = 0
        for path in sources():
            for pattern in (*kept(path), *written(path)):
                seen += 1
                with self.subTest(path.relative_to(ROOT), pattern=pattern):
                    self.assertFalse(is_over_a_group(pattern), "write (?>(?:…)*) in place of (?:…)*+")

        self.assertGreater(seen, 80)

    def test_what_is_looked_for_would_be_found(self) -> None:
        for pattern in ("(?:ab?)*+", "(a)?+", b"(?:a|bc){2}+", "x(?:y(?>z|(?:ab)++))", "(?=(?:ab)*+)", "(?:a*)++"):
            with self.subTest(pattern):
                self.assertTrue(is_over_a_group(pattern))
        for pattern in ("[ab]*+", "(?:[ab])*+", "a?+", r"\d++b", "(?>(?:ab?)*)", b".{1,3}+"):
            with self.subTest(pattern):
                self.assertFalse(is_over_a_group(pattern))
