"""Reads openapi.yaml, which is written in a part of YAML: two spaces for each level, and one meaning for each line.

    mappings and lists in blocks      key: value    - value    - key: value
    texts                             plain   'single'   "double" (as JSON)   | for several lines, kept as they are
    on one line                       [a, b]   {key: value}

Other YAML (anchors, tags, folded and multi-line scalars, documents, `yes` and `on`) is refused with the line's number,
and never guessed at: a contract must not have two readings. Pure.
"""

import json
import re
from typing import Any, NamedTuple

_KEY = re.compile(r"""('(?:[^']|'')*'|[A-Za-z0-9_/$][^\s:#'"{}\[\],]*(?:\{[a-z_]+\}[^\s:#'"{}\[\],]*)*):(?: +(.*))?""")
_SINGLE = re.compile(r"'(?:[^']|'')*'")
_DOUBLE = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, Any] = {"null": None, "true": True, "false": False}
_AMBIGUOUS = frozenset({"~", "yes", "no", "on", "off", "y", "n"})  # YAML 1.1 and 1.2 differ about these
_FLOW_TOKEN = re.compile(
    r"""\s*('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[\[\]{},]|:(?=\s)|[^\[\]{},'":\s](?:[^\[\]{},:]|:(?=\S))*)\s*"""
)


class NotInSubset(ValueError):
    """A line that is not in the subset. The message begins with the line's number."""


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def read(text: str) -> Any:
    """The document's value. Raises NotInSubset."""
    reader = _Reader(text)
    value = reader.block(0)
    reader.expect_end()
    return value


class _Reader:
    """Goes through the lines once. `_at` is the index of the next unread line, `_number` the number of the current
    one."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0
        self._number = 1

    def block(self, indent: int) -> Any:
        """The mapping or list whose lines are indented by `indent` spaces."""
        line = self._peek()
        if line is None or line.indent != indent:
            raise self._fault("a value is missing, or its indent is not two spaces")
        return self._list(indent) if line.text.startswith("- ") else self._mapping(indent)

    def expect_end(self) -> None:
        if self._peek() is not None:
            raise self._fault("the indent fits nothing above it")

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (line := self._peek()) is not None and line.indent == indent and not line.text.startswith("- "):
            match = _KEY.fullmatch(line.text)
            if match is None:
                raise self._fault("not of the form key: value")
            key = _unquoted(match[1]) if match[1].startswith("'") else match[1]
            if key in found:
                raise self._fault(f"{key} stands twice in one mapping")
            self._at = line.number
            found[key] = self._value(match[2] or "", indent)
        return found

    def _list(self, indent: int) -> list[Any]:
        found: list[Any] = []
        while (line := self._peek()) is not None and line.indent == indent and line.text.startswith("- "):
            inner = line.text[2:]
            if _KEY.fullmatch(inner):
                # The mapping's first key stands behind the dash: read that key as if it had a line of its own.
                self._lines[line.number - 1] = " " * (indent + 2) + inner
                found.append(self._mapping(indent + 2))
            else:
                self._at = line.number
                found.append(self._value(inner, indent))
        return found

    def _value(self, text: str, indent: int) -> Any:
        """The value behind a colon or a dash. `indent` is that of the line with the colon or dash."""
        if text == "|":
            return self._literal(indent + 2)
        return self.block(indent + 2) if not text else self._inline(text)

    def _literal(self, indent: int) -> str:
        lines = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and len(line) - len(line.lstrip(" ")) < indent:
                break
            lines.append(line[indent:])
            self._at += 1
        return "\n".join(lines).rstrip("\n") + "\n"

    def _inline(self, text: str) -> Any:
        if text[0] in "[{":
            tokens = _FLOW_TOKEN.findall(text)
            if "".join(tokens).replace(" ", "") != text.replace(" ", ""):
                raise self._fault("a list or mapping on one line that can't be read")
            value = self._flow(tokens)
            if tokens:
                raise self._fault("something stands behind the closing bracket")
            return value
        if text[0] not in "'\"" and (": " in text or " #" in text or text.endswith(":")):
            raise self._fault("a text with a colon or # in it must stand in quotes")
        return self._scalar(text)

    def _flow(self, tokens: list[str]) -> Any:
        token = tokens.pop(0) if tokens else ""
        if token == "[":
            return self._flow_items(tokens, "]")
        if token == "{":
            return dict(self._flow_items(tokens, "}"))
        return self._scalar(token.strip())

    def _flow_items(self, tokens: list[str], end: str) -> list[Any]:
        items: list[Any] = []
        while tokens and tokens[0] != end:
            item = self._flow(tokens)
            if end == "}":
                self._expect(tokens, ":")
                items.append((str(item), self._flow(tokens)))
            else:
                items.append(item)
            if tokens and tokens[0] != end:
                self._expect(tokens, ",")
        self._expect(tokens, end)
        return items

    def _expect(self, tokens: list[str], wanted: str) -> None:
        if not tokens or tokens.pop(0) != wanted:
            raise self._fault(f"{wanted} is missing")

    def _scalar(self, text: str) -> Any:
        if _SINGLE.fullmatch(text):
            return _unquoted(text)
        if _DOUBLE.fullmatch(text):
            return json.loads(text)
        if text in _WORDS:
            return _WORDS[text]
        if _NUMBER.fullmatch(text):
            return json.loads(text)
        if not text or text[0] in "'\"&*!|>%@`?-,[]{}#" or text.lower() in _AMBIGUOUS:
            raise self._fault(f"{text!r} must stand in quotes, or is beyond what is read here")
        return text

    def _peek(self) -> _Line | None:
        """The next line that is neither empty nor a comment; None at the end."""
        while self._at < len(self._lines):
            text = self._lines[self._at]
            stripped = text.lstrip(" ")
            if stripped and not stripped.startswith("#"):
                self._number = self._at + 1
                return _Line(self._number, len(text) - len(stripped), stripped.rstrip(" "))
            self._at += 1
        return None

    def _fault(self, words: str) -> NotInSubset:
        return NotInSubset(f"line {self._number}: {words}")


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")
