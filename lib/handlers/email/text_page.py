"""A page of plain text while it is written: the lines so far, and the one that words are still added to.

html_text.py reads tags and tells the page what they mean. Nothing here knows HTML, but that blanks are worth one.
"""

import re

_BLANKS = re.compile(r"[ \t\r\n\f]+")
# What fills up the line that a mailbox shows beside the subject, and what only says where a line may be broken.
_FILLING = re.compile(r"[ \xa0\u034f\u200b\u200c\u2007\ufeff]{2,}|[\xa0\u2007]")
_UNSEEN = dict.fromkeys((0xAD, 0x34F, 0x200B, 0xFEFF))
_SCHEME = re.compile(r"\A[a-z]+:(//)?", re.IGNORECASE)


class TextPage:
    """`margin` begins each line, `mark` the next one in its stead. Within `exact` the text's own lines are kept."""

    def __init__(self) -> None:
        self.margin = ""
        self.mark = ""
        self.exact = 0
        self._lines: list[str] = []
        self._line: list[str] = []
        self._gap = ""
        self._blank: str | None = None
        self._link: list[str] | None = None

    def text(self) -> str:
        self.end_line()
        return "\n".join(self._lines)

    def add(self, text: str) -> None:
        """Words for this line; blanks at the edges of `text` set it apart from its neighbours."""
        if self.exact:
            self._add_exact(text)
            return
        text = _BLANKS.sub(" ", text)
        if not text.isascii():
            text = _FILLING.sub(" ", text).translate(_UNSEEN)
        words = text.strip(" ")
        if not words:
            self._gap = self._gap or text[:1]
            return
        if text[0] == " ":
            self._gap = self._gap or " "
        self._write(words)
        self._gap = " " if text[-1] == " " else ""

    def set_gap(self, between: str) -> None:
        """What parts the words that this line has from the next ones, where both are there."""
        self._gap = between

    def end_line(self, *, blank: bool = False) -> None:
        """End the line, where there is one. blank: an empty line sets the next one apart."""
        if self._line:
            self._lines.append("".join(self._line).rstrip(" "))
            self._line.clear()
        self._gap = ""
        if blank and not self.mark:  # none between an item's mark and its first line
            self._blank = self.margin if self._blank is None else min(self._blank, self.margin, key=len)

    def break_line(self) -> None:
        """As end_line; on an empty line, an empty line."""
        if self.exact:
            self._add_exact("\n")
        else:
            self.end_line(blank=not self._line)

    def begin_link(self) -> None:
        self._link = []

    def end_link(self, url: str) -> None:
        """Say where the link leads, unless its words are that already."""
        words, self._link = "".join(self._link or ()), None
        if not words:
            self.add(url)
        elif _bare(words) != _bare(url):
            self._append(f" <{url}>")

    def _write(self, words: str) -> None:
        if not self._line:
            self._begin_line()
        elif self._gap:
            self._line.append(self._gap)
        self._line.append(words)
        if self._link is not None:
            self._link.append(words)

    def _begin_line(self) -> None:
        if self._blank is not None and self._lines and self._lines[-1].strip("> "):
            # An empty line between a quotation and what is around it is no part of the quotation.
            self._lines.append(min(self._blank, self.margin, key=len).rstrip(" "))
        self._blank = None
        self._line.append(self.mark or self.margin)
        self.mark = ""

    def _append(self, words: str) -> None:
        """Behind what was written last, though that may have ended its line."""
        if self._line:
            self._line.append(words)
        else:
            self._lines[-1] += words

    def _add_exact(self, text: str) -> None:
        first, *others = text.replace("\xa0", " ").split("\n")
        if first:
            self._write(first)
        for line in others:
            if not self._line:
                self._begin_line()
            self.end_line()
            if line:
                self._write(line)


def _bare(url: str) -> str:
    return _SCHEME.sub("", url).replace(" ", "").rstrip("/").lower()
