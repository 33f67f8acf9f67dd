"""What HTML elements mean for a text: tags and words in, lines on a TextPage out.

    <a href="https://x.example">shop</a>    shop <https://x.example>        <h1>, <p>, <table>   a blank line around
    <li> in <ol start=3>                    3. …                            <div>, <tr>, <dt>    a line of its own
    <blockquote>                            > …                             <td>                 " | " between cells
    <img alt="a cat">                       a cat                           <pre>                its own lines

Driven by html_text.py, tag by tag. Pure. Tags may come in any order, unclosed or closed twice, as in broken HTML.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from lib.handlers.email.html_tags import attributes_of
from lib.handlers.email.text_page import TextPage

# The addresses that are worth a place in the text: absolute, and of a scheme that a reader can follow.
_LEADS_SOMEWHERE = re.compile(r"(?!javascript:|vbscript:|data:|cid:|about:|blob:)[a-z][a-z0-9+.-]*:.", re.IGNORECASE)

# Elements that begin and end a line, and elements with a blank line before and after them.
_LINES = frozenset(
    (
        *("address", "article", "aside", "body", "caption", "center", "details", "div", "dt", "dd", "figcaption"),
        *("footer", "form", "head", "header", "html", "legend", "main", "nav", "option", "section", "summary"),
        *("tbody", "tfoot", "thead", "tr"),
    )
)
_PARAGRAPHS = frozenset(["dl", "fieldset", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "p", "table"])
_MOST_MARGINS = 8  # Else the lines of 10,000 lists in one another would begin with 20,000 blanks.


class _Box(NamedTuple):
    """An open list or quotation. margin: the beginning of its own lines; outer: the margin of the box around it."""

    name: str
    margin: str
    outer: str


class HtmlElements:
    """The open elements of one page."""

    def __init__(self) -> None:
        self.page = TextPage()
        self._url = ""
        """The address of the open link, "" for none."""
        self._boxes: list[_Box] = []
        self._open_boxes: Counter[str] = Counter()
        self._numbers: list[int] = []
        """For each open list the number of its next item; -1 for a list with "- " before its items."""

    def add(self, words: str) -> None:
        self.page.add(words)

    def end(self) -> None:
        """The page ends here. A link that is still open ends with it."""
        self._end_link()

    def open(self, name: str, attributes: str) -> None:
        """A start tag. attributes: as they stand in the tag."""
        if name in _OPENED:
            _OPENED[name](self, attributes)
        else:
            self._set_apart(name)

    def close(self, name: str) -> None:
        """An end tag."""
        if name in _CLOSED:
            _CLOSED[name](self)
        else:
            self._set_apart(name)

    def _set_apart(self, name: str) -> None:
        if name in _PARAGRAPHS:
            self.page.end_line(blank=True)
        elif name in _LINES:
            self.page.end_line()

    # What a tag means. A method for a start tag is given the tag's attributes.

    def _break(self, _attributes: str = "") -> None:
        self.page.break_line()

    def _rule(self, _attributes: str) -> None:
        self.page.end_line(blank=True)
        self.page.add("-----")
        self.page.end_line(blank=True)

    def _image(self, attributes: str) -> None:
        self.page.add(attributes_of(attributes).get("alt", ""))

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
        url = re.sub(r"[\t\r\n]+", "", attributes_of(attributes).get("href", "")).strip(" ").replace(" ", "%20")
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
        start = attributes_of(attributes).get("start", "")
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
        """End the innermost open box of that name, and the boxes in it that no tag closed."""
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


_OPENED: dict[str, Callable[[HtmlElements, str], None]] = {
    "br": HtmlElements._break,
    "hr": HtmlElements._rule,
    "img": HtmlElements._image,
    "td": HtmlElements._cell,
    "th": HtmlElements._cell,
    "pre": HtmlElements._begin_exact,
    "a": HtmlElements._begin_link,
    "ul": HtmlElements._begin_bullets,
    "ol": HtmlElements._begin_numbers,
    "li": HtmlElements._begin_item,
    "blockquote": HtmlElements._begin_quote,
}
_CLOSED: dict[str, Callable[[HtmlElements], None]] = {
    "br": HtmlElements._break,
    "pre": HtmlElements._end_exact,
    "a": HtmlElements._end_link,
    "ul": lambda reader: reader._end_list("ul"),
    "ol": lambda reader: reader._end_list("ol"),
    "li": HtmlElements._end_item,
    "blockquote": HtmlElements._end_quote,
}
