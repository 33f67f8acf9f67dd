"""/problems, /docs and their style sheet: pages for people. lib/manual/ has the texts and makes the pages.

The modules of lib/manual are imported after the server has started, since they take a thirtieth of a start.
"""

import asyncio
import re
from pathlib import Path

from lib import manual
from lib.errors import NotFound
from lib.http1.message import Request, Response
from lib.web.accept import choose
from lib.web.page import page
from lib.web.router import Call

HTML, TEXT, JSON, CSS = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json", "text/css"
PROBLEM_TYPES = (HTML, TEXT, JSON)
DEFAULT_BASE = "http://127.0.0.1:8000"
_STYLE = Path(manual.__file__).with_name("manual.css")
# The page shows the Host in commands that readers copy into a shell: only these forms of a Host are shown.
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


class ManualOperations:
    """The operations that answer with pages. contract: the file openapi.yaml. asks_for_key: API_KEYS is set."""

    def __init__(self, contract: Path, *, asks_for_key: bool) -> None:
        self._asks_for_key = asks_for_key
        self._contract = contract.read_text(encoding="utf-8")
        self._style = _STYLE.read_text(encoding="utf-8")
        self._docs: asyncio.Task[str] | None = None

    def prepare(self) -> None:
        """Import the modules that make pages, soon after the start. (Later an upgrade on disk may have replaced their
        files by ones that do not fit to the rest of this process.) A request before that waits for the import."""
        from lib.manual import docs_page, problem_page, yaml_subset  # noqa: F401

    async def problems(self, call: Call) -> Response:
        from lib.manual import problem_page

        render = {HTML: problem_page.index_html, TEXT: problem_page.index_text, JSON: problem_page.index_json}
        chosen = choose(call.request.headers.get("accept"), PROBLEM_TYPES) or HTML
        return page(call.request, render[chosen](), chosen, vary="Accept")

    async def problem(self, call: Call) -> Response:
        from lib.manual import problem_page

        slug = call.path["slug"]
        if slug not in problem_page.KINDS:
            raise NotFound("there is no problem of that name; GET /problems lists all of them")
        render = {HTML: problem_page.as_html, TEXT: problem_page.as_text, JSON: problem_page.as_json}
        chosen = choose(call.request.headers.get("accept"), PROBLEM_TYPES) or HTML
        reader = problem_page.Reader(base_of(call.request), self._asks_for_key)
        return page(call.request, render[chosen](slug, reader), chosen, vary="Accept")

    async def docs(self, call: Call) -> Response:
        from lib.manual.prose import escape
        from lib.manual.shell import BASE

        if self._docs is None or (self._docs.done() and self._docs.exception()):
            # Rendered once, in a thread; requests that come meanwhile wait for the same task.
            self._docs = asyncio.create_task(asyncio.to_thread(self._render_docs))
        rendered = await asyncio.shield(self._docs)
        return page(call.request, rendered.replace(BASE, escape(base_of(call.request))), HTML)

    async def style(self, call: Call) -> Response:
        return page(call.request, self._style, CSS)

    def _render_docs(self) -> str:
        from lib.manual import docs_page, yaml_subset

        return docs_page.page(yaml_subset.read(self._contract), asks_for_key=self._asks_for_key)


def base_of(request: Request) -> str:
    """The address under which the caller reached this server, for commands to copy: https://waybill.example.com."""
    if not _HOST.fullmatch(request.host):
        return DEFAULT_BASE
    # A proxy that ends TLS sends the field. A forged one only changes a word in the page of its own sender.
    is_https = request.headers.get("x-forwarded-proto", "").lower() == "https"
    return f"{'https' if is_https else 'http'}://{request.host}"
