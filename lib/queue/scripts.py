"""The Lua scripts: read from `lua/` once a process, each put together with its fragments, and called by its hash.

lua/jobs/, lua/queues/, lua/runners/ and lua/callers/ hold the scripts, one a file: lua/jobs/claim.lua is the script
"claim". lua/parts/ holds the fragments: functions that several scripts share. A script's or a fragment's header names
the fragments whose functions the file calls itself, as in `-- @use clock bell` for parts/clock.lua and parts/bell.lua.
The text that Redis gets holds each needed fragment once, in front of whatever uses it.

To make a function takes Redis as long as a plain command does, and a script makes all of its functions in each call. So
a script's header names those that few of its calls need, as in `-- @rarely turn_away promote_due`: they are made
together when the first of them is needed (`made_rarely`). Those of `-- @seldom` are made apart from these, for calls
that are rarer still (`made_seldom`).

Six fragments alone change a job's state, each with the index, the event and the counts that belong to the change:
take_in makes a job, make_ready and give_back make it ready, delay delays it, hand_out makes it active, and conclude
ends it.

Redis gives every script one key, the queue's base, as in `wb:{emails}:`. The base names the Cluster slot, and every key
that a script touches begins with it.
"""

import functools
import hashlib
import re
from pathlib import Path
from typing import Any

from lib.redis_link.link import RedisLink
from lib.redis_link.redis_wire import MissingScript, OnReply
from lib.redis_link.resp import Argument, Command

FOLDER = Path(__file__).parent / "lua"
PARTS = FOLDER / "parts"
_NUMBERS = re.compile(r"^local ([A-Z_]+(?:, [A-Z_]+)*) = (\d+(?:, \d+)*)$\n", re.MULTILINE)
_USE = re.compile(r"^-- @use (.+)$", re.MULTILINE)
_RARELY = re.compile(r"^-- @rarely (.+)$", re.MULTILINE)
_SELDOM = re.compile(r"^-- @seldom (.+)$", re.MULTILINE)
_FUNCTION = re.compile(r"^local function (\w+)\((?:.* end$|.*(?:\n.*)*?\nend$)\n?", re.MULTILINE)
"""A function of a file itself, which StyLua writes in one line or with its `end` at the line's begin."""


class Scripts:
    """Every script of `lua/`, ready to be called over one link."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._texts, self._hashes = _read_all()

    async def call(self, name: str, base: str, *arguments: Argument) -> Any:
        """Run one script on one queue. Raises what RedisLink.call raises, but never MissingScript."""
        try:
            return await self._link.call(*self.command(name, base, *arguments))
        except MissingScript:
            return await self._link.call("EVAL", self._texts[name], 1, base, *arguments)

    def send(self, on_reply: OnReply, name: str, base: str, *arguments: Argument) -> None:
        """Run one script without a coroutine: `on_reply` is called with the reply, or with the error that `call` would
        have raised."""

        def on_first_reply(reply: Any) -> None:
            if isinstance(reply, MissingScript):
                self._link.send(("EVAL", self._texts[name], 1, base, *arguments), on_reply)
            else:
                on_reply(reply)

        self._link.send(self.command(name, base, *arguments), on_first_reply)

    def command(self, name: str, base: str, *arguments: Argument) -> Command:
        """The command that runs a script which Redis holds already. Redis answers NOSCRIPT where it does not."""
        return ("EVALSHA", self._hashes[name], 1, base, *arguments)


@functools.cache
def _read_all() -> tuple[dict[str, str], dict[str, str]]:
    """Texts and hashes by name, read once a process.

    WHY once: a server has six links with scripts, and a runner two for each queue. A link that read the files later,
    after an upgrade on disk, would also get scripts of another version than the Python code that calls them.
    """
    texts = {name: text_of(name) for name in script_paths()}
    return texts, {name: hashlib.sha1(text.encode()).hexdigest() for name, text in texts.items()}


def script_paths() -> dict[str, Path]:
    """The file of every script, by the name that the script is called by."""
    return {path.stem: path for path in sorted(FOLDER.glob("*/*.lua")) if path.parent != PARTS}


def uses_of(source: str) -> list[str]:
    """The fragments that a script's or a fragment's own header names, in the header's order."""
    return [name for line in _USE.findall(source) for name in line.split()]


def fragments_of(source: str) -> dict[str, str]:
    """The text of every fragment that `source` needs, by name: a fragment comes behind those that its own header names.

    Raises ValueError where fragments use each other in a circle, OSError where a fragment does not exist."""
    found: dict[str, str] = {}
    _add_fragments(source, found, ())
    return found


def _add_fragments(source: str, found: dict[str, str], above: tuple[str, ...]) -> None:
    for name in uses_of(source):
        if name in above:
            raise ValueError(f"Lua fragments use each other in a circle: {' -> '.join((*above, name))}")
        if name not in found:
            text = (PARTS / f"{name}.lua").read_text(encoding="utf-8")
            _add_fragments(text, found, (*above, name))
            found[name] = text


def text_of(name: str) -> str:
    """A script as Redis gets it: the `#!lua` line, the fragments and the file's own code, without comment lines, and
    with the numbers in the place of the names that the files give to numbers."""
    source = script_paths()[name].read_text(encoding="utf-8")
    shebang, _, body = source.partition("\n")
    shared = _without_comments("\n".join(["local base = KEYS[1]", *fragments_of(source).values()]))
    own = _without_comments(body)
    rarely, seldom = rarely_of(source), seldom_of(source)
    if seldom:
        shared, own = made_seldom(shared, own, seldom)
        rarely = [*rarely, "seldom"]
    if rarely:
        shared, own = made_rarely(shared, own, rarely)
    return shebang + "\n" + _with_numbers(f"{shared}\n{own}")


def rarely_of(source: str) -> list[str]:
    """The functions that a script's header says few of its calls need."""
    return [name for line in _RARELY.findall(source) for name in line.split()]


def seldom_of(source: str) -> list[str]:
    """The functions that a script's header says hardly any of its calls need."""
    return [name for line in _SELDOM.findall(source) for name in line.split()]


def _without_comments(code: str) -> str:
    return "\n".join(line for line in code.split("\n") if line and not line.lstrip().startswith("--"))


def made_rarely(shared: str, own: str, names: list[str]) -> tuple[str, str]:
    """The fragments and the script's own code, with these functions of the fragments in one that makes them:

        local rarely                             turn_away(id)   ->   rarely().turn_away(id)
        …
        local made_rarely
        rarely = function()
        if made_rarely then return made_rarely end
        local function turn_away(id) … end
        made_rarely = {turn_away = turn_away}
        return made_rarely
        end

    They must only be called, never be passed on. Raises ValueError for a name that is no function of a fragment's, or
    that a function inside of another one has as well.
    """
    shared, own, functions, made = _moved(shared, own, names, "rarely()")
    block = (
        f"local made_rarely\nrarely = function()\nif made_rarely then return made_rarely end\n{functions}\n"
        f"made_rarely = {{{made}}}\nreturn made_rarely\nend"
    )
    return _without_comments(f"local rarely\n{shared}\n{block}"), own


def made_seldom(shared: str, own: str, names: list[str]) -> tuple[str, str]:
    """The same, with these functions in one function `seldom`, which `made_rarely` is to move: a call that needs none
    of them makes none of them, whatever else it needs. `replace(id)` becomes `rarely().seldom().replace(id)`.
    """
    shared, own, functions, made = _moved(shared, own, names, "rarely().seldom()")
    # WHY indented: an `end` at a line's begin ends a function of the file itself (_FUNCTION).
    inner = "\n".join(f"  {line}" for line in functions.split("\n"))
    block = (
        f"local made_seldom\nlocal function seldom()\n  if made_seldom then return made_seldom end\n{inner}\n"
        f"  made_seldom = {{{made}}}\n  return made_seldom\nend"
    )
    return _without_comments(f"{shared}\n{block}"), own


def _moved(shared: str, own: str, names: list[str], through: str) -> tuple[str, str, str, str]:
    """The fragments without these functions, and the own code, where both call them `through` another function; the
    functions' own text; and the text of a table of them."""
    moved = [found for found in _FUNCTION.finditer(shared + "\n") if found[1] in names]
    if missing := set(names) - {found[1] for found in moved}:
        raise ValueError(f"@rarely names what is no function of a fragment: {', '.join(sorted(missing))}")
    for found in moved:
        shared = shared.replace(found[0].rstrip("\n"), "", 1)
    if twice := re.findall(rf"function ({'|'.join(names)})\(", shared):
        raise ValueError(f"@rarely names what is the name of two functions: {', '.join(twice)}")
    calls = re.compile(rf"(?<![\w.'])({'|'.join(names)})(?=\()")
    shared, own = (calls.sub(rf"{through}.\1", code) for code in (shared, own))
    made = ", ".join(f"{found[1]} = {found[1]}" for found in moved)
    return shared, own, "\n".join(found[0].rstrip("\n") for found in moved), made


def _with_numbers(code: str) -> str:
    """`local SPEC, STATE = 1, 2` goes, and each `f[STATE]` becomes `f[2]`.

    WHY: a local of the file that a function reads is looked up at each use. For the fields of a job that is 1 % of what
    a claim costs Redis.
    """
    numbers = {
        name: number
        for names, values in _NUMBERS.findall(code)
        for name, number in zip(names.split(", "), values.split(", "), strict=True)
    }
    if not numbers:
        return code
    named = re.compile(rf"(?<!['\w])({'|'.join(numbers)})(?!['\w])")
    return named.sub(lambda found: numbers[found[1]], _NUMBERS.sub("", code))
