"""A problem's page as HTML, text and JSON, made of its row in problem_texts.py and its class in lib/errors.py. Pure."""

import json
from collections.abc import Mapping
from textwrap import fill
from typing import Any, NamedTuple

from lib import errors
from lib.errors import WaybillError
from lib.manual import shell
from lib.manual.problem_texts import TEXTS
from lib.manual.prose import escape, inline, table

KINDS: Mapping[str, type[WaybillError]] = {
    kind.slug: kind
    for kind in vars(errors).values()
    # A class without a slug of its own, such as HttpError, is a base of errors and never raised.
    if isinstance(kind, type) and issubclass(kind, WaybillError) and "slug" in vars(kind)
}
_WIDTH = 100


class Reader(NamedTuple):
    """The reader's side of a page. base: the address by which the reader reached the server, as http://127.0.0.1:8000.

    asks_for_key: whether the server wants a key.
    """

    base: str
    asks_for_key: bool = False


def facts(slug: str, reader: Reader) -> dict[str, Any]:
    """What the page says, as JSON values."""
    kind, text = KINDS[slug], TEXTS[slug]
    command = shell.with_key(text.curl) if reader.asks_for_key else text.curl
    return {
        "type": f"/problems/{slug}",
        "title": kind.title,
        "status": kind.status,
        "retryable": kind.retryable,
        "what_happened": text.what,
        "why": text.why,
        "what_to_do": text.do,
        "curl": command.replace(shell.BASE, reader.base),
        "see_also": [f"/problems/{near}" for near in text.near],
    }


def as_html(slug: str, reader: Reader) -> str:
    page = facts(slug, reader)
    again = "; the same request may be sent again" if page["retryable"] else ""
    near = "".join(f"<li>{_link(other)}</li>" for other in TEXTS[slug].near)
    return shell.page(
        page["title"],
        f"<h1>{escape(page['title'])}</h1>\n"
        f'<p class="soft">Status {page["status"]}, <code>{page["type"]}</code>{again}</p>\n'
        f"<h2>What happened</h2>\n<p>{inline(page['what_happened'])}</p>\n"
        f"<h2>Why</h2>\n<p>{inline(page['why'])}</p>\n"
        f"<h2>What to do</h2>\n<p>{inline(page['what_to_do'])}</p>\n"
        f"<h2>The request that works</h2>\n{shell.sample(page['curl'], 'A command that works')}\n"
        f'<h2>Near it</h2>\n<ul>{near}</ul>\n<p><a href="/problems">All problems</a></p>',
    )


def as_text(slug: str, reader: Reader) -> str:
    page = facts(slug, reader)
    parts = [f"{page['status']} {page['title']}\n{page['type']}"]
    for title, name in (("What happened", "what_happened"), ("Why", "why"), ("What to do", "what_to_do")):
        parts.append(
            f"{title}:\n{fill(page[name].replace('**', ''), _WIDTH, break_long_words=False, break_on_hyphens=False)}"
        )
    parts.append(f"The request that works:\n{page['curl']}")
    parts.append("Near it: " + ", ".join(page["see_also"]))
    return "\n\n".join(parts) + "\n"


def as_json(slug: str, reader: Reader) -> str:
    plain = {name: one.replace("**", "") if type(one) is str else one for name, one in facts(slug, reader).items()}
    return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def index_html() -> str:
    rows = [[str(KINDS[slug].status), _link(slug), f"<code>/problems/{slug}</code>"] for slug in _by_status()]
    return shell.page(
        "Problems",
        "<h1>Problems</h1>\n<p>Every error is <code>application/problem+json</code> (RFC 9457). Its <code>type</code> "
        "is one of these; the page behind it says what happened, why, what to do, and shows a request that works.</p>\n"
        + table(["Status", "What it means", "type"], rows),
    )


def index_text() -> str:
    return "".join(f"{KINDS[slug].status}  {'/problems/' + slug:<34}  {KINDS[slug].title}\n" for slug in _by_status())


def index_json() -> str:
    items = [{"type": f"/problems/{s}", "title": KINDS[s].title, "status": KINDS[s].status} for s in _by_status()]
    return json.dumps({"items": items}, ensure_ascii=False, indent=2) + "\n"


def _by_status() -> list[str]:
    return sorted(TEXTS, key=lambda slug: KINDS[slug].status)


def _link(slug: str) -> str:
    return f'<a href="/problems/{slug}">{escape(KINDS[slug].title)}</a>'
