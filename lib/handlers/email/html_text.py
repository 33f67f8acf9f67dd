"""HTML in, its text out: the text part of a mail whose payload has only `html`.

    <p>See <a href="https://example.com/terms">our terms</a>:<ul><li>one<li>two</ul>

becomes

    See our terms <https://example.com/terms>:

    - one
    - two

Called by letter_body.py. Pure. This file finds tags and words, and passes over what the HTML hides from its readers
(`display: none`, as for the words that a mailbox shows beside the subject); html_elements.py says what a tag means for
the text.

WHY NOT html.parser: the result for broken HTML differs between the Pythons that Waybill runs on, and the time for some
input grows with the square of its length. Here every character is read once: a tag, a comment or a script that is never
closed ends the text, as it ends the page in a browser.
"""

import re
from dataclasses import dataclass

from lib.handlers.email.html_elements import HtmlElements
from lib.handlers.email.html_tags import REFERENCE, TAG, is_hidden, resolved

MOST_TAGS = 20_000
"""A page with more tags gets no text: 20,000 take 0.1 s, in which the other mails of the runner wait."""

_MARKUP = re.compile(r"<(?:(!--)|([!?]|/(?![A-Za-z]))|(?=/?[A-Za-z]))")
_COMMENT_END = re.compile("--!?>")
# Elements whose content is no HTML: everything up to the end tag is passed over.
_RAW_END = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "iframe", "noframes", "noembed", "xmp")
}
# Elements that the next element of the same name ends, as <li>one<li>two; and the elements that hold them, as <ul>.
_ENDED_BY_THE_NEXT = frozenset(["p", "li", "dt", "dd", "tr", "td", "th", "option"])
_HOLD_SUCH = frozenset(["table", "ul", "ol", "dl"])


def text_of(html: str) -> str:
    """The text of a page, or of a part of a page, without a line break at its end.

    "" if there is nothing to read, or if the page has more than MOST_TAGS tags."""
    scanner = _HtmlScanner(html.replace("\r\n", "\n"))
    return scanner.elements.page.text() if scanner.scan() else ""


@dataclass(slots=True)
class _Hidden:
    """The hidden element that the scanner is in.

    depth: how many elements of its name are open. inner: how many tables or lists are open in it."""

    name: str
    depth: int = 1
    inner: int = 0


class _HtmlScanner:
    """Goes from tag to tag, and gives the elements and words that a reader sees to `elements`."""

    def __init__(self, html: str) -> None:
        self.elements = HtmlElements()
        self._html = html
        self._hidden: _Hidden | None = None

    def scan(self) -> bool:
        """To the end of the page, or to an unclosed tag. False if the page has too many tags."""
        html, at = self._html, 0
        for _ in range(MOST_TAGS):
            markup = _MARKUP.search(html, at)
            words = html[at : markup.start()] if markup else html[at:]
            if words and not self._hidden:
                self.elements.add(resolved(words, REFERENCE))
            at = self._read_markup(markup) if markup else -1
            if at < 0:
                self.elements.end()
                return True
        return False

    def _read_markup(self, markup: re.Match[str]) -> int:
        """Read the tag, comment or declaration that begins here. Returns the index behind it; -1 if it is unclosed."""
        begin = markup.start()
        if markup[1]:
            end = _COMMENT_END.search(self._html, begin + 2)
            return end.end() if end else -1
        if markup[2]:
            return self._html.find(">", begin) + 1 or -1
        tag = TAG.match(self._html, begin)
        return self._read_tag(tag[2].lower(), tag[3], tag.end(), is_end=bool(tag[1])) if tag else -1

    def _read_tag(self, name: str, attributes: str, behind: int, *, is_end: bool) -> int:
        """behind: the index behind the tag. Returns the index at which to read on."""
        if name in _RAW_END and not is_end:
            end = _RAW_END[name].search(self._html, behind)
            return end.start() if end else -1
        if self._hidden and not self._shows_again(self._hidden, name, is_end=is_end):
            return behind
        if is_end:
            self.elements.close(name)
        elif is_hidden(name, attributes):
            self._hidden = _Hidden(name)
        else:
            self.elements.open(name, attributes)
            if name == "pre" and self._html.startswith("\n", behind):
                return behind + 1
        return behind

    def _shows_again(self, hidden: _Hidden, name: str, *, is_end: bool) -> bool:
        """Whether this tag ends the hidden element and is itself to be read."""
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
