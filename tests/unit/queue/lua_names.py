"""Which names a Lua 5.1 file defines, which it takes from elsewhere, and which it defines twice over.

    names = names_of("local function twice(x) return plus(x, x) end")
    names.defined == {"twice"}        the locals of the file's outermost block
    names.free == {"plus"}            read or called, and no local of the file
    names.shadows == set()            locals that hide a local of an enclosing block

No Lua compiler is at hand in the tests, so that the text is read: tokens, and the blocks that they open and close.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"--\[\[.*?\]\]|--[^\n]*|(?P<string>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\[\[.*?\]\])"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<number>\d[\w.]*)|(?P<mark>\.\.\.|\.\.|==|~=|<=|>=|[^\s\w])",
    re.DOTALL,
)
KEYWORDS = frozenset(
    [
        "and",
        "break",
        "do",
        "else",
        "elseif",
        "end",
        "false",
        "for",
        "function",
        "if",
        "in",
        "local",
        "nil",
        "not",
        "or",
        "repeat",
        "return",
        "then",
        "true",
        "until",
        "while",
    ]
)


@dataclass
class Names:
    """What `names_of` found in one file."""

    defined: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    shadows: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)


def tokens_of(text: str) -> list[str]:
    """The file's words, strings (with their quotes) and marks, without comments and the `#!lua` line."""
    return list(_tokens(re.sub(r"\A#![^\n]*", "", text)))


def _tokens(text: str) -> Iterator[str]:
    for found in _TOKEN.finditer(text):
        if token := found["string"] or found["name"] or found["number"] or found["mark"]:
            yield token


def names_of(text: str, outer: frozenset[str] = frozenset()) -> Names:
    """outer: names of other files that the file sees; a local of the same name counts as a shadow."""
    return _Reader(tokens_of(text), outer).read()


class _Reader:
    def __init__(self, tokens: list[str], outer: frozenset[str]) -> None:
        self._tokens = tokens
        self._outer = outer
        self._at = 0
        self._blocks: list[set[str]] = [set()]
        self._loops: list[list[str]] = []  # For each `for` or `while` before its `do`: the variables of the loop.
        self._names = Names()
        self._read: set[str] = set()

    def read(self) -> Names:
        while self._at < len(self._tokens):
            token = self._next()
            if token in KEYWORDS:
                self._keyword(token)
            elif re.match(r"[A-Za-z_]", token) and not self._is_a_field():
                self._use(token)
        assert len(self._blocks) == 1, "blocks are not read right"
        self._names.defined = self._blocks[0]
        self._names.unread = self._blocks[0] - self._read
        return self._names

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _is_a_field(self) -> bool:
        """Whether the name just read is a field: `.name`, `:name`, or `name =` in a table's braces."""
        before = self._tokens[self._at - 2] if self._at > 1 else ""
        return before in (".", ":") or (before in ("{", ",") and self._peek() == "=" and self._is_in_braces())

    def _is_in_braces(self) -> bool:
        depth = 0
        for token in reversed(self._tokens[: self._at]):
            depth += {"}": 1, ")": 1, "{": -1, "(": -1}.get(token, 0)
            if depth < 0:
                return token == "{"
        return False

    def _use(self, name: str) -> None:
        self._read.add(name)
        if not any(name in block for block in self._blocks):
            self._names.free.add(name)

    def _declare(self, name: str) -> None:
        if name != "_" and (name in self._outer or any(name in block for block in self._blocks)):
            self._names.shadows.add(name)
        self._blocks[-1].add(name)

    def _keyword(self, word: str) -> None:
        if word == "local" and self._peek() == "function":
            self._next()
            self._declare(self._next())
            self._function()
        elif word == "local":
            for name in self._list_of_names():
                self._declare(name)
        elif word == "function":
            self._function()
        elif word == "for":
            self._loops.append(self._list_of_names())
        elif word == "while":
            self._loops.append([])
        elif word == "do":
            self._open(self._loops.pop() if self._loops else [])
        elif word in ("then", "repeat"):
            self._open([])
        elif word == "else":
            self._blocks.pop()
            self._open([])
        elif word in ("elseif", "end", "until"):
            self._blocks.pop()

    def _function(self) -> None:
        assert self._next() == "(", "a function has its parameters behind its name"
        self._open([] if self._peek() == ")" else self._list_of_names())

    def _list_of_names(self) -> list[str]:
        names = [self._next()]
        while self._peek() == ",":
            self._next()
            names.append(self._next())
        return [name for name in names if name != "..."]

    def _open(self, names: list[str]) -> None:
        self._blocks.append(set())
        for name in names:
            self._declare(name)
