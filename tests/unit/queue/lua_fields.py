"""Which fields of a job's hash a Lua file writes and clears, read from its text.

A field is written by HSET, HSETNX or HINCRBY on a key that is called `job` or made of 'job:' and an id; by functions of
lua/parts that are handed names and values of fields (HANDED_ON); and by a table of names and values that is called
`fields` or stands under an id: `fields = {'a', b}`, `fields[id] = {'a', b}`, `{[id] = {'a', b}}`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.unit.queue.lua_names import tokens_of

# Function -> the number of the first argument, from 0, that is a field's name.
HANDED_ON = {"make_ready": 4, "give_back": 3, "delay": 3, "block": 3, "cancel_if_requested": 3, "write": 0}
# Command -> how many arguments there are from one field's name to the next; 1: it writes one field.
WRITING = {"'HSET'": 2, "'HSETNX'": 2, "'HINCRBY'": 1}
_OPEN, _CLOSE = frozenset("({["), frozenset(")}]")


class FieldChange(NamedTuple):
    """name: `once:<name>` for a name that is put together from 'once:' and a variable."""

    name: str
    is_write: bool


def changes_of(text: str) -> set[FieldChange]:
    """Every field of a job's hash that this file writes or clears."""
    tokens = tokens_of(text)
    return {change for at in range(len(tokens)) for change in _changes_at(tokens, at)}


def _changes_at(tokens: list[str], at: int) -> Iterator[FieldChange]:
    token, before = tokens[at], tokens[at - 1] if at else ""
    if token in ("call", "pcall") and tokens[at + 1] == "(":
        yield from _of_command(arguments(tokens, at + 1))
    elif token in HANDED_ON and tokens[at + 1] == "(" and before != "function":
        yield from _written(arguments(tokens, at + 1)[HANDED_ON[token] :], 2)
    elif token == "{" and before == "=" and _is_for_fields(tokens, at):
        yield from _written(arguments(tokens, at), 2)


def _of_command(arguments: list[list[str]]) -> Iterator[FieldChange]:
    command = arguments[0][0]
    if len(arguments) < 3 or not (arguments[1] == ["job"] or "'job:'" in arguments[1]):
        return
    if command == "'HDEL'":
        yield from (FieldChange(_name(argument), is_write=False) for argument in arguments[2:])
    elif command in WRITING:
        yield from _written(arguments[2:], WRITING[command])


def _written(arguments: list[list[str]], step: int) -> Iterator[FieldChange]:
    named = arguments[::step] if step > 1 else arguments[:1]
    for argument in named:
        if argument != ["..."] and argument[:1] != ["unpack"]:
            yield FieldChange(_name(argument), is_write=True)


def _name(argument: list[str]) -> str:
    if len(argument) == 1 and argument[0].startswith("'"):
        return argument[0].strip("'")
    return "once:<name>" if argument[0] == "'once:'" else f"a field that is not written out: {' '.join(argument)}"


def _is_for_fields(tokens: list[str], at: int) -> bool:
    """Whether the table that opens here, behind a `=`, holds names and values of fields."""
    has_a_right_name = tokens[at - 2] == "fields" or tokens[at - 4 : at - 1] == ["[", "id", "]"]
    return has_a_right_name and tokens[at + 1].startswith("'")


def arguments(tokens: list[str], opening: int) -> list[list[str]]:
    """The tokens of each part, between the bracket that opens there and the one that closes it."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens[opening + 1 :]:
        depth += (token in _OPEN) - (token in _CLOSE)
        if depth < 0:
            break
        if token == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]
