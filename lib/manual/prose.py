"""The part of Markdown in which openapi.yaml and the problems are written, as HTML. Pure.

    paragraphs, parted by an empty line      | tables |, the second line of them |---|      - lists
    blocks of code, by four spaces           `code`   **strong**   within a line

All text is escaped before it is marked up, so that no tag in a text comes out as a tag.
"""

import re
from html import escape

__all__ = ["escape", "inline", "paragraphs", "table"]

_CODE_OR_STRONG = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_PAGE = re.compile(r"/problems/[a-z-]+|/docs")


def paragraphs(text: str) -> str:
    """The HTML of a whole text."""
    return "\n".join(
        _block(block.split("\n")) for block in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")) if block.strip()
    )


def inline(text: str) -> str:
    """The HTML of one line. `/docs` and `/problems/…` in backticks become links."""
    return _CODE_OR_STRONG.sub(_marked, escape(text))


def _marked(match: re.Match[str]) -> str:
    code, strong = match.groups()
    if code is None:
        return f"<strong>{strong}</strong>"
    return f'<a href="{code}"><code>{code}</code></a>' if _PAGE.fullmatch(code) else f"<code>{code}</code>"


def _block(lines: list[str]) -> str:
    if all(line.startswith("    ") for line in lines):
        return "<pre><code>" + escape("\n".join(line[4:] for line in lines)) + "</code></pre>"
    if all(line.startswith("|") for line in lines) and len(lines) > 1:
        return _table(lines)
    if lines[0].startswith("- "):
        items = "\n".join(lines).removeprefix("- ").split("\n- ")
        return "<ul>" + "".join(f"<li>{inline(item)}</li>" for item in items) + "</ul>"
    return f"<p>{inline(chr(10).join(lines))}</p>"


def _table(lines: list[str]) -> str:
    head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    return table(head, [[inline(cell) for cell in row] for row in rows])


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table that scrolls by itself on a narrow screen. head: texts; rows: cells that are HTML already."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    # tabindex: a box that scrolls must be reachable without a mouse.
    return (
        f'<div class="scrolls" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table></div>'
    )
