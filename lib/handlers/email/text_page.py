"""A page of plain text while it is written: the lines that are done, and the open line, which still gets words.

    page.margin, page.mark = "   ", "1. "
    page.add("one"), page.end_line(), page.add("and more")     ->  1. one
                                                                      and more

Written by html_elements.py. Nothing here knows HTML, except that blanks and line breaks in a row are worth one blank.
"""

import re

_BLANKS = re.compile(r"[ \t\r\n\f]+")
# Invisible characters: those with which HTML mails fill up the line that a mailbox shows beside the subject, and those
# that only say where a line may be broken.
_FILLING = re.compile(r"[ \xa0\u034f\u200b\u200c\u2007\ufeff]{2,}|[\xa0\u2007]")
_UNSEEN = dict.fromkeys((0xAD, 0x34F, 0x200B, 0xFEFF))
_SCHEME = re.compile(r"\A[a-z]+:(//)?", re.IGNORECASE)


class TextPage:
    """margin: the beginning of each line. mark: the beginning of the next line, in place of the margin.

    exact: above 0 inside of <pre>, where the text keeps its own lines and blanks.
    """

    def __init__(self) -> None:
        self.margin = ""
        self.mark = ""
        self.exact = 0
        self._lines: list[str] = []
        self._line: list[str] = []
        self._gap = ""
        """What parts the open line's last word from the next one: "", " " or " | "."""
        self._blank: str | None = None
        """The empty line that parts the next line from the last one: its margin. None: no empty line."""
        self._link: list[str] | None = None
        """The words of the open link."""

    def text(self) -> str:
        self.end_line()
        return "\n".join(self._lines)

    def add(self, text: str) -> None:
        """Add words to the open line. A blank at an edge of `text` parts it from its neighbour there."""
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
        """Put `between` between the words that the open line has and the next ones, if it gets any."""
        self._gap = between

    def end_line(self, *, blank: bool = False) -> None:
        """End the open line, if any. blank: an empty line parts it from the next one."""
        if self._line:
            self._lines.append("".join(self._line).rstrip(" "))
            self._line.clear()
        self._gap = ""
        if blank and not self.mark:  # No empty line between an item's mark and its first line.
            self._blank = self.margin if self._blank is None else min(self._blank, self.margin, key=len)

    def break_line(self) -> None:
        """As `end_line`, for a line break in the text: two of them in a row make an empty line."""
        if self.exact:
            self._add_exact("\n")
        else:
            self.end_line(blank=not self._line)

    def begin_link(self) -> None:
        self._link = []

    def end_link(self, url: str) -> None:
        """Add the link's address behind its words, unless the words are the address."""
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
            # Between a quotation and the text around it the empty line has the shorter margin: it is not quoted.
            self._lines.append(min(self._blank, self.margin, key=len).rstrip(" "))
        self._blank = None
        self._line.append(self.mark or self.margin)
        self.mark = ""

    def _append(self, words: str) -> None:
        """Add words behind the last word written, even if its line has ended."""
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
    """For comparing a link's words with its address: "https://X.example/" and "x.example" are the same."""
    return _SCHEME.sub("", url).replace(" ", "").rstrip("/").lower()
