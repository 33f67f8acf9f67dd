"""The Lua files: read once, fragments put in front, called by their hash.

A file's header says which fragments it uses (`-- @use clock ring`: `_clock.lua`, `_ring.lua`, in that order). Every
script is given one key, the queue's base; it names the Cluster slot, and what the script touches all begins with it.
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
_USE = re.compile(r"^-- @use (.+)$", re.MULTILINE)


class Scripts:
    """Every script of `lua/`, ready to be called over one link."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._texts, self._hashes = _read_all()

    async def call(self, name: str, base: str, *arguments: Argument) -> Any:
        """Run one script on one queue. Raises what RedisLink.call raises, but MissingScript."""
        try:
            return await self._link.call(*self.command(name, base, *arguments))
        except MissingScript:
            return await self._link.call("EVAL", self._texts[name], 1, base, *arguments)

    def send(self, hear: OnReply, name: str, base: str, *arguments: Argument) -> None:
        """The same, a plain call: `hear` is called with the reply, or with what `call` would have raised."""

        def heard(reply: Any) -> None:
            if isinstance(reply, MissingScript):
                self._link.send(("EVAL", self._texts[name], 1, base, *arguments), hear)
            else:
                hear(reply)

        self._link.send(self.command(name, base, *arguments), heard)

    def command(self, name: str, base: str, *arguments: Argument) -> Command:
        """The command that calls the script where Redis holds it."""
        return ("EVALSHA", self._hashes[name], 1, base, *arguments)


@functools.cache
def _read_all() -> tuple[dict[str, str], dict[str, str]]:
    """Texts and hashes by name. Once a process: a server has six links with scripts, a runner two for each queue, and
    whoever reads the files later, after an upgrade on disk, would have scripts of another version than his Python.
    """
    texts = {path.stem: text_of(path) for path in FOLDER.glob("[a-z]*.lua")}
    return texts, {name: hashlib.sha1(text.encode()).hexdigest() for name, text in texts.items()}


def text_of(path: Path) -> str:
    """A script as Redis gets it: the `#!lua` line, the fragments, the file's own code; the comments stay behind."""
    source = path.read_text(encoding="utf-8")
    shebang, _, body = source.partition("\n")
    uses = _USE.search(source)
    fragments = [(FOLDER / f"_{name}.lua").read_text(encoding="utf-8") for name in (uses[1].split() if uses else ())]
    code = "\n".join(["local base = KEYS[1]", *fragments, body])
    return shebang + "\n" + "\n".join(line for line in code.split("\n") if line and not line.lstrip().startswith("--"))
