"""HTML tags: how a tag, its attributes and references such as `&amp;` are written, and whether a tag hides its element.

    <td style="display:none">       name "td", attributes ' style="display:none"', hidden
    <a href='/?a=1&amp;b=2' HREF=x> attributes_of(…) == {"href": "/?a=1&b=2"}

Used by html_text.py and html_elements.py. Pure.
"""

import re
from html import unescape

# 1: "/" of an end tag, 2: the name, 3: the attributes. As in a browser, a quote opens a value only behind "="; a quote
# that is never closed is a character like others.
TAG = re.compile(r"""<(/?)([A-Za-z][^\s/>]*)((?>(?:[^=>]+|=\s*(?:"[^"]*"|'[^']*'|[^\s"'>][^\s>]*)?)*))>""")
# Few digits: unescape() raises for 5,000 of them.
REFERENCE = re.compile(
    r"&(?:#[0-9]{1,7}(?![0-9]);?|#[xX][0-9A-Fa-f]{1,6}(?![0-9A-Fa-f]);?|[A-Za-z][A-Za-z0-9]{1,31};?)"
)
# In an attribute a name without its semicolon is no reference: "?a=1&copy=2".
_ENDED_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>][^\s>]*)))?""")
_MAY_HIDE = re.compile(r"display\s*:\s*none|hidden", re.IGNORECASE)
_DISPLAY_NONE = re.compile(r"display\s*:\s*none", re.IGNORECASE)

# Elements with nothing to read as text in them, and elements that never have an end tag.
_UNREAD = frozenset({"svg", "template", "select", "datalist"})
_EMPTY = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img"),
        *("input", "link", "meta", "param", "source", "track", "wbr"),
    )
)


def attributes_of(text: str) -> dict[str, str]:
    """A tag's attributes by their names in small letters. Of two with the same name the first counts, as in a
    browser."""
    attributes: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(text):
        value = found[2] or found[3] or found[4] or ""
        attributes.setdefault(found[1].lower(), resolved(value, _ENDED_REFERENCE))
    return attributes


def resolved(text: str, reference: re.Pattern[str]) -> str:
    """`text` with each reference, as &amp;, replaced by the character that it stands for."""
    return reference.sub(lambda found: unescape(found[0]), text) if "&" in text else text


def is_hidden(name: str, attributes: str) -> bool:
    """Whether a start tag begins an element that no reader sees."""
    if name in _UNREAD:
        return not attributes.endswith("/")
    if name in _EMPTY or not attributes or not _MAY_HIDE.search(attributes):
        return False
    found = attributes_of(attributes)
    return "hidden" in found or _DISPLAY_NONE.search(found.get("style", "")) is not None
