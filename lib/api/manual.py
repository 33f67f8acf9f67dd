"""/problems, /docs and their style sheet: what is made to be read. The texts and their form are in lib/manual/.

What is in there is imported when requests are answered already: it is a thirtieth of a start.
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
# What can stand in a command that is copied into a shell, whatever else a Host may hold.
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


class ManualOperations:
    """The operations that answer with pages. contract: the file openapi.yaml; asks_for_key: there are API_KEYS."""

    def __init__(self, contract: Path, *, asks_for_key: bool) -> None:
        self._asks_for_key = asks_for_key
        self._contract = contract.read_text(encoding="utf-8")
        self._style = _STYLE.read_text(encoding="utf-8")
        self._docs: asyncio.Task[str] | None = None

    def prepare(self) -> None:
        """Import all that pages are made of. Soon after the start, for an upgrade on disk would bring what does not fit
        to the rest. Whoever asks for a page before that waits for its part."""
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
            # In a thread, once, and all who ask meanwhile wait for the same one.
            self._docs = asyncio.create_task(asyncio.to_thread(self._render_docs))
        rendered = await asyncio.shield(self._docs)
        return page(call.request, rendered.replace(BASE, escape(base_of(call.request))), HTML)

    async def style(self, call: Call) -> Response:
        return page(call.request, self._style, CSS)

    def _render_docs(self) -> str:
        from lib.manual import docs_page, yaml_subset

        return docs_page.page(yaml_subset.read(self._contract), asks_for_key=self._asks_for_key)


def base_of(request: Request) -> str:
    """The address under which the caller reached this server, for commands that they can copy."""
    if not _HOST.fullmatch(request.host):
        return DEFAULT_BASE
    # Said by a proxy that ends TLS. It changes a word in a text, and nothing rests on it.
    is_https = request.headers.get("x-forwarded-proto", "").lower() == "https"
    return f"{'https' if is_https else 'http'}://{request.host}"
