"""HTML in, the text of it out: what a mail has as its text where only `html` was given.

Called by letter.py. Pure. A link's address stands behind its words, as in `our terms <https://example.com/terms>`;
lists have their marks, a row of a table is a line, a picture is its alt text. What the HTML hides from its readers
(`display: none`, as the words that a mailbox shows beside the subject) is not in the text either.

WHY NOT html.parser: what it makes of broken HTML differs between the Pythons that Waybill runs on, and some input takes
it time that grows with the square of its length. Here each character is looked at once: a tag, a comment or a script
that is never closed ends the text, as it ends the page in a browser.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import NamedTuple

from lib.handlers.email.text_page import TextPage

MOST_TAGS = 20_000
"""A page of more gets no text: it takes 0.1 s for so many, in which a runner's other mails wait."""

_MARKUP = re.compile(r"<(?:(!--)|([!?]|/(?![A-Za-z]))|(?=/?[A-Za-z]))")
_COMMENT_END = re.compile("--!?>")
# A quote opens a value only behind "=", as in a browser; one that is never closed is a character like others.
_TAG = re.compile(r"""<(/?)([A-Za-z][^\s/>]*)((?>(?:[^=>]+|=\s*(?:"[^"]*"|'[^']*'|[^\s"'>][^\s>]*)?)*))>""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>][^\s>]*)))?""")
_MAY_HIDE = re.compile(r"display\s*:\s*none|hidden", re.IGNORECASE)
_DISPLAY_NONE = re.compile(r"display\s*:\s*none", re.IGNORECASE)
# Few digits: unescape() raises for 5,000. In an attribute a name without its semicolon is none: "?a=1&copy=2".
_REFERENCE = re.compile(
    r"&(?:#[0-9]{1,7}(?![0-9]);?|#[xX][0-9A-Fa-f]{1,6}(?![0-9A-Fa-f]);?|[A-Za-z][A-Za-z0-9]{1,31};?)"
)
_ENDED_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_LEADS_SOMEWHERE = re.compile(r"(?!javascript:|vbscript:|data:|cid:|about:|blob:)[a-z][a-z0-9+.-]*:.", re.IGNORECASE)

_RAW_END = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "iframe", "noframes", "noembed", "xmp")
}
_UNREAD = frozenset({"svg", "template", "select", "datalist"})
_EMPTY = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img"),
        *("input", "link", "meta", "param", "source", "track", "wbr"),
    )
)
_ENDED_BY_THE_NEXT = frozenset(["p", "li", "dt", "dd", "tr", "td", "th", "option"])
_HOLD_SUCH = frozenset(["table", "ul", "ol", "dl"])

_LINES = frozenset(
    (
        *("address", "article", "aside", "body", "caption", "center", "details", "div", "dt", "dd", "figcaption"),
        *("footer", "form", "head", "header", "html", "legend", "main", "nav", "option", "section", "summary"),
        *("tbody", "tfoot", "thead", "tr"),
    )
)
_PARAGRAPHS = frozenset(["dl", "fieldset", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "p", "table"])
_MOST_MARGINS = 8  # the lines of 10,000 lists in one another would else begin with 20,000 blanks


def text_of(html: str) -> str:
    """The text of a page, or of a part of one, without a line break at its end.

    It is "" where there is nothing to read, and where there are more than MOST_TAGS."""
    reader = _Reader(html.replace("\r\n", "\n"))
    return reader.page.text() if reader.read() else ""


class _Box(NamedTuple):
    """A list or a quotation that is open. margin: what its own lines begin with; outer: those around it."""

    name: str
    margin: str
    outer: str


@dataclass(slots=True)
class _Hidden:
    """An element that is not read. depth: so many of its name are open; inner: so many tables or lists in it."""

    name: str
    depth: int = 1
    inner: int = 0


class _Reader:
    """Goes from tag to tag, and tells the page what they mean."""

    def __init__(self, html: str) -> None:
        self.page = TextPage()
        self._html = html
        self._url = ""  # of the link that is open
        self._boxes: list[_Box] = []
        self._open_boxes: Counter[str] = Counter()
        self._numbers: list[int] = []  # of each list that is open, its next item's; -1: its items have none
        self._hidden: _Hidden | None = None

    def read(self) -> bool:
        """To the end of the page, or to where it breaks off. False where it has too many tags."""
        html, at = self._html, 0
        for _ in range(MOST_TAGS):
            markup = _MARKUP.search(html, at)
            words = html[at : markup.start()] if markup else html[at:]
            if words and not self._hidden:
                self.page.add(_resolved(words, _REFERENCE))
            at = self._behind(markup) if markup else -1
            if at < 0:
                self._end_link()
                return True
        return False

    def _behind(self, markup: re.Match[str]) -> int:
        """Read what begins there. The place behind it; -1 if the page breaks off in it."""
        begin = markup.start()
        if markup[1]:
            end = _COMMENT_END.search(self._html, begin + 2)
            return end.end() if end else -1
        if markup[2]:
            return self._html.find(">", begin) + 1 or -1
        tag = _TAG.match(self._html, begin)
        return self._tag(tag[2].lower(), tag[3], tag.end(), is_end=bool(tag[1])) if tag else -1

    def _tag(self, name: str, attributes: str, behind: int, *, is_end: bool) -> int:
        if name in _RAW_END and not is_end:
            end = _RAW_END[name].search(self._html, behind)
            return end.start() if end else -1
        if self._hidden and not self._shows_again(self._hidden, name, is_end=is_end):
            return behind
        if is_end:
            self._close(name)
        elif _is_hidden(name, attributes):
            self._hidden = _Hidden(name)
        else:
            self._open(name, attributes)
            if name == "pre" and self._html.startswith("\n", behind):
                return behind + 1
        return behind

    def _shows_again(self, hidden: _Hidden, name: str, *, is_end: bool) -> bool:
        """Whether this tag ends what is hidden, and is itself to be read."""
        step = -1 if is_end else 1
        is_ended_by_the_next = hidden.name in _ENDED_BY_THE_NEXT
        if is_ended_by_the_next and name in _HOLD_SUCH:
            hidden.inner += step
        elif name == hidden.name and not hidden.inner:
            hidden.depth = 0 if is_ended_by_the_next else hidden.depth + step
        if hidden.depth > 0 and hidden.inner >= 0:
            return False
        self._hidden = None
        return True

    def _open(self, name: str, attributes: str) -> None:
        if name in _OPENED:
            _OPENED[name](self, attributes)
        elif name in _PARAGRAPHS:
            self.page.end_line(blank=True)
        elif name in _LINES:
            self.page.end_line()

    def _close(self, name: str) -> None:
        if name in _CLOSED:
            _CLOSED[name](self)
        elif name in _PARAGRAPHS:
            self.page.end_line(blank=True)
        elif name in _LINES:
            self.page.end_line()

    # What the tags mean; those that open something are given its attributes.

    def _break(self, _attributes: str = "") -> None:
        self.page.break_line()

    def _rule(self, _attributes: str) -> None:
        self.page.end_line(blank=True)
        self.page.add("-----")
        self.page.end_line(blank=True)

    def _image(self, attributes: str) -> None:
        self.page.add(_attributes_of(attributes).get("alt", ""))

    def _cell(self, _attributes: str) -> None:
        self.page.set_gap(" | ")

    def _begin_exact(self, _attributes: str) -> None:
        self.page.end_line(blank=True)
        self.page.exact += 1

    def _end_exact(self) -> None:
        self.page.end_line(blank=True)
        self.page.exact = max(0, self.page.exact - 1)

    def _begin_link(self, attributes: str) -> None:
        self._end_link()
        url = re.sub(r"[\t\r\n]+", "", _attributes_of(attributes).get("href", "")).strip(" ").replace(" ", "%20")
        if _LEADS_SOMEWHERE.match(url):
            self._url = url.removeprefix("mailto:")
            self.page.begin_link()

    def _end_link(self) -> None:
        if self._url:
            self.page.end_link(self._url)
            self._url = ""

    def _begin_bullets(self, _attributes: str) -> None:
        self._begin_list("ul", -1)

    def _begin_numbers(self, attributes: str) -> None:
        start = _attributes_of(attributes).get("start", "")
        self._begin_list("ol", int(start) if re.fullmatch("[0-9]{1,6}", start) else 1)

    def _begin_list(self, name: str, number: int) -> None:
        self.page.end_line(blank=not self._numbers)
        self._numbers.append(number)
        self._begin_box(name, self.page.margin)

    def _end_list(self, name: str) -> None:
        self._end_box(name)
        self.page.end_line(blank=not self._numbers)

    def _begin_item(self, _attributes: str) -> None:
        self._end_item()
        mark = "- "
        if self._numbers and self._numbers[-1] >= 0:
            mark = f"{self._numbers[-1]}. "
            self._numbers[-1] += 1
        margin = self.page.margin
        self.page.mark = margin + mark
        if len(self._boxes) <= _MOST_MARGINS:
            self.page.margin = margin + " " * len(mark)

    def _end_item(self) -> None:
        self.page.end_line()
        self.page.mark = ""
        self.page.margin = self._boxes[-1].margin if self._boxes else ""

    def _begin_quote(self, _attributes: str) -> None:
        self.page.end_line(blank=True)
        margin = self.page.margin
        self._begin_box("blockquote", f"{margin}> " if len(self._boxes) < _MOST_MARGINS else margin)

    def _end_quote(self) -> None:
        self._end_box("blockquote")
        self.page.end_line(blank=True)

    def _begin_box(self, name: str, margin: str) -> None:
        self._boxes.append(_Box(name, margin, self.page.margin))
        self._open_boxes[name] += 1
        self.page.margin = margin

    def _end_box(self, name: str) -> None:
        """End the innermost box of that name, and those in it, which were not closed."""
        self.page.end_line()
        self.page.mark = ""
        while self._open_boxes[name]:
            box = self._boxes.pop()
            self._open_boxes[box.name] -= 1
            self.page.margin = box.outer
            if box.name != "blockquote":
                self._numbers.pop()
            if box.name == name:
                return


_OPENED: dict[str, Callable[[_Reader, str], None]] = {
    "br": _Reader._break,
    "hr": _Reader._rule,
    "img": _Reader._image,
    "td": _Reader._cell,
    "th": _Reader._cell,
    "pre": _Reader._begin_exact,
    "a": _Reader._begin_link,
    "ul": _Reader._begin_bullets,
    "ol": _Reader._begin_numbers,
    "li": _Reader._begin_item,
    "blockquote": _Reader._begin_quote,
}
_CLOSED: dict[str, Callable[[_Reader], None]] = {
    "br": _Reader._break,
    "pre": _Reader._end_exact,
    "a": _Reader._end_link,
    "ul": lambda reader: reader._end_list("ul"),
    "ol": lambda reader: reader._end_list("ol"),
    "li": _Reader._end_item,
    "blockquote": _Reader._end_quote,
}


def _resolved(text: str, reference: re.Pattern[str]) -> str:
    """`text` with the characters that its references, as in &amp;, stand for."""
    return reference.sub(lambda found: unescape(found[0]), text) if "&" in text else text


def _attributes_of(text: str) -> dict[str, str]:
    """The first of each name counts, as in a browser."""
    attributes: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(text):
        value = found[2] or found[3] or found[4] or ""
        attributes.setdefault(found[1].lower(), _resolved(value, _ENDED_REFERENCE))
    return attributes


def _is_hidden(name: str, attributes: str) -> bool:
    if name in _UNREAD:
        return not attributes.endswith("/")
    if name in _EMPTY or not attributes or not _MAY_HIDE.search(attributes):
        return False
    found = _attributes_of(attributes)
    return "hidden" in found or _DISPLAY_NONE.search(found.get("style", "")) is not None
