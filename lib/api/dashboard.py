"""/ and the files under /dashboard: the page that shows what goes on. The folder lib/dashboard has them.

The files are read once, soon after the start: an upgrade on disk must not mix new scripts with a server's old ones.
They travel without the comments of scripts and styles and without indentation; their lines keep their numbers.
DASHBOARD=0 answers 404, as for any path at which nothing is.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from lib import dashboard
from lib.errors import NotFound
from lib.http1.message import Response
from lib.web.kept_file import KeptFile
from lib.web.router import Call

HTML, CSS, JS, SVG = "text/html; charset=utf-8", "text/css", "text/javascript", "image/svg+xml"
KINDS = {".css": CSS, ".js": JS}
# A comment begins its line; or it ends one, after a blank, and has no quotes in it: then it is no part of a text, for
# no text ends in another line (test_dashboard_files.py).
_STAYS = re.compile(rb"""^ *//[^\n]*|^ */\*.*?\*/|^ +| +// [^"'`\n]*$""", re.MULTILINE | re.DOTALL)
_FOLDER = Path(dashboard.__file__).parent
_ALL_KINDS = {".html": HTML, ".svg": SVG, **KINDS}


class DashboardOperations:
    """The operations that answer with the dashboard's files. is_on: the setting DASHBOARD."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._files: Mapping[str, KeptFile] | None = None

    def prepare(self) -> None:
        """Read and gzip all files, a hundredth of a second of work."""
        if self._is_on and self._files is None:
            self._files = _read_all(_FOLDER)

    async def page(self, call: Call) -> Response:
        return await self._answer("index.html", call)

    async def icon(self, call: Call) -> Response:
        return await self._answer("favicon.svg", call)

    async def file(self, call: Call) -> Response:
        return await self._answer(call.path["file"], call, KINDS)

    async def page_file(self, call: Call) -> Response:
        return await self._answer(f"pages/{call.path['file']}", call, KINDS)

    async def _answer(self, name: str, call: Call, kinds: Mapping[str, str] = _ALL_KINDS) -> Response:
        """Raises NotFound where there is no such file, or it is of another kind than these."""
        if self._files is None:
            await asyncio.to_thread(self.prepare)
        # Looked up, not opened: no name in a request reaches the disk.
        kept = (self._files or {}).get(name) if Path(name).suffix in kinds else None
        if kept is None:
            raise NotFound(f"there is nothing at {call.request.path[:200]}; GET /openapi.yaml lists what there is")
        return kept.answer(call.request)


def travelling(content: bytes) -> bytes:
    """What of a file is sent."""
    return _STAYS.sub(lambda found: b"\n" * found[0].count(b"\n"), content)


def _read_all(folder: Path) -> dict[str, KeptFile]:
    """{"index.html": …, "pages/overview.js": …}."""
    kinds = {path: _ALL_KINDS[path.suffix] for path in sorted(folder.rglob("*")) if path.suffix in _ALL_KINDS}
    return {
        path.relative_to(folder).as_posix(): KeptFile(travelling(path.read_bytes()), kind)
        for path, kind in kinds.items()
    }
