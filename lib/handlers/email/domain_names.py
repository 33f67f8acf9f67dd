"""A domain name as mail servers and the DNS know it: `straße.de` in, `xn--strae-oqa.de` out, or a ValueError with why.

Called by mailbox.py for the part of an address behind the @. Pure. The rules are IDNA 2008 (RFC 5890 to 5893). WHY NOT
Python's codec: it has IDNA 2003, where ß becomes ss and a final sigma any sigma, so that a mail to straße.de would go
to the stranger who owns strasse.de.

1. A name is parted into labels at any of the four characters that Unicode counts as its dots. Capitals, full-width
   letters and the like become plain letters, and invisible characters (a soft hyphen, a variation selector) are left
   out, as UTS 46 asks for and every browser does it.
2. Each label is checked by itself: its hyphens, its letters, letters that may stand only beside certain others, and
   letters that are written from the right.
3. A label beyond ASCII is written in punycode, `xn--…`. A label that came in punycode must be the one that would have
   been written for its word.

Wider than IDNA 2008 in one thing: symbols (❤) are accepted, for such names are registered and other mailers accept
them.
"""

import re
import unicodedata
from collections.abc import Callable

NAME_CHARS = 253
_LABEL_CHARS = 63
_LONGEST = 2 * NAME_CHARS  # Of the text before it is mapped: some letters are written in two code points.
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_LDH = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_ZWNJ, _ZWJ = "\u200c", "\u200d"

# RFC 5892, 2.6: letters for which the general rules (see _is_letter) would be wrong.
_TAKEN = frozenset("\u00df\u03c2\u06fd\u06fe\u0f0b\u3007")
_REFUSED = frozenset("\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b")
# Lu: capitals of Cherokee stay, for in that script the small letters are mapped to them.
_LETTERS = frozenset({"Ll", "Lu", "Lo", "Lm", "Mn", "Mc", "Nd"})
_SYMBOLS = frozenset({"So", "Sm", "Sc", "Sk"})
_OLD_LETTERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # invisible
    "\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb"  # old Hangul
    "\u20d0-\u20ff\U0001d100-\U0001d24f]"  # marks on symbols, notes of music
)
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x34F, 0x200B, 0x2060, 0xFEFF, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
_KEPT = {"ß": "ß", "ẞ": "ß", "ς": "ς"}
_VIRAMA = 9  # a canonical combining class


def to_ascii(domain: str) -> str:
    """The name in small letters, each label beyond ASCII as `xn--…`. Raises ValueError, its words to be put behind a
    field's name."""
    if len(domain) > _LONGEST:
        raise ValueError(f"has a domain of {len(domain)} characters, at most {NAME_CHARS}")
    name = ".".join([_label(label) for label in _DOTS.split(domain)])
    if len(name) > NAME_CHARS:
        raise ValueError(f"has a domain of {len(name)} characters, at most {NAME_CHARS}")
    return name


def _label(text: str) -> str:
    label = text.lower() if text.isascii() else _mapped(text)
    if label.startswith("xn--"):
        _check_encoded(label)
    elif not label.isascii():
        _check(label)
        label = f"xn--{label.encode('punycode').decode('ascii')}"
    if not _LDH.fullmatch(label):
        raise ValueError("has a part behind the @ that is not a domain, as in mail.example.com")
    if len(label) > _LABEL_CHARS:
        raise ValueError(
            f"has a domain with a part of {len(label)} characters between two dots, at most {_LABEL_CHARS}"
        )
    return label


def _mapped(text: str) -> str:
    """Step 1 for one label: "ＢÜCHER" -> "bücher"."""
    # Letter by letter: str.lower() on a word makes its last sigma a final one, which names another domain.
    letters = [_KEPT.get(letter) or unicodedata.normalize("NFKC", letter).casefold() for letter in text]
    return unicodedata.normalize("NFKC", "".join(letters).translate(_INVISIBLE))


def _check_encoded(label: str) -> None:
    """Raises ValueError unless the label is exactly the one that `_label` would make of its word."""
    try:
        word = label[4:].encode("ascii").decode("punycode")
        is_right = not word.isascii() and _mapped(word) == word and word.encode("punycode") == label[4:].encode("ascii")
    except (UnicodeError, OverflowError):
        is_right = False
    if not is_right:
        raise ValueError("has a domain with a part that begins with xn-- and encodes no name")
    _check(word)


def _check(label: str) -> None:
    """Step 2 for one label, mapped and not in punycode. Raises ValueError."""
    if label.startswith("-") or label.endswith("-") or label[2:4] == "--":
        raise ValueError("has a domain with a hyphen where none may be: at an end, or two as third and fourth letter")
    if unicodedata.category(label[0])[0] == "M":
        raise ValueError(f"has a domain with a part that begins with a mark (U+{ord(label[0]):04X})")
    for place, letter in enumerate(label):
        if not (letter.isascii() or _is_letter(letter) or _fits(label, place)):
            raise ValueError(f"has a domain with U+{ord(letter):04X}, which may not stand there")
    classes = [unicodedata.bidirectional(letter) for letter in label]
    if not {"R", "AL", "AN"}.isdisjoint(classes) and not _reads_from_right(classes):
        raise ValueError("has a domain with a part that mixes letters written from the right with others (RFC 5893)")


def _is_letter(letter: str) -> bool:
    """Whether the letter may stand anywhere in a label: RFC 5892's PVALID, and symbols."""
    category = unicodedata.category(letter)
    if letter in _TAKEN:
        return True
    is_out = letter in _CONTEXTS or letter in _REFUSED or _OLD_LETTERS.match(letter) is not None
    return (category in _LETTERS or category in _SYMBOLS) and not is_out


def _reads_from_right(classes: list[str]) -> bool:
    """RFC 5893, 2, rules 1 to 4, for a label with a letter that is written from the right. classes: the bidirectional
    class of each letter, as "R" for Hebrew and "EN" for 0 to 9."""
    known = {"R", "AL", "AN", "EN", "ES", "CS", "ET", "ON", "BN", "NSM"}
    last = next((kind for kind in reversed(classes) if kind != "NSM"), "")
    is_ended_well = last in {"R", "AL", "EN", "AN"}
    return classes[0] in {"R", "AL"} and is_ended_well and known.issuperset(classes) and not {"EN", "AN"} <= {*classes}


# Letters that may stand only beside certain others (RFC 5892, appendix A). Each rule is given the label and the index
# of the letter in it.


def _fits(label: str, place: int) -> bool:
    rule = _CONTEXTS.get(label[place])
    return rule is not None and rule(label, place)


def _ranges(text: str) -> frozenset[str]:
    pairs = [part.partition("-") for part in text.split()]
    return frozenset(chr(n) for low, _, high in pairs for n in range(int(low, 16), int(high or low, 16) + 1))


# Unicode's ArabicShaping.txt, the Arabic script: letters that join to both neighbours, and letters that join only to
# the letter before them.
_JOIN_BOTH = _ranges(
    "620 626 628 62a-62e 633-63f 641-647 649-64a 66e-66f 678-687 69a-6bf 6c1-6c2 6cc 6ce 6d0-6d1 6fa-6fc 6ff 750-758 "
    "75c-76a 76d-770 772 775-777 77a-77f 886 889-88d 8a0-8a9 8af-8b0 8b3-8b8 8ba-8c8"
)
_JOIN_BEFORE = _ranges(
    "622-625 627 629 62f-632 648 671-673 675-677 688-699 6c0 6c3-6cb 6cd 6cf 6d2-6d3 6d5 6ee-6ef 759-75b 76b-76c 771 "
    "773-774 778-779 870-882 88e 8aa-8ac 8ae 8b1-8b2 8b9"
)
_MARKS = "".join(_ranges("610-61a 64b-65f 670 6d6-6dc 6df-6e4 6e7-6e8 6ea-6ed 8d3-8ff"))
_ARABIC_DIGITS = _ranges("660-669")
_PERSIAN_DIGITS = _ranges("6f0-6f9")


def _is_behind_virama(label: str, place: int) -> bool:
    return place > 0 and unicodedata.combining(label[place - 1]) == _VIRAMA


def _is_between_joined(label: str, place: int) -> bool:
    before, behind = label[:place].rstrip(_MARKS)[-1:], label[place + 1 :].lstrip(_MARKS)[:1]
    return _is_behind_virama(label, place) or (
        before in _JOIN_BOTH and (behind in _JOIN_BOTH or behind in _JOIN_BEFORE)
    )


def _is_between_l(label: str, place: int) -> bool:
    return label[place - 1 : place + 2 : 2] == "ll"


def _is_before_greek(label: str, place: int) -> bool:
    return _is_of("GREEK", label[place + 1 : place + 2])


def _is_behind_hebrew(label: str, place: int) -> bool:
    return _is_of("HEBREW", label[:place][-1:])


def _is_beside_japanese(label: str, place: int) -> bool:
    return any(_is_of(script, letter) for script in ("HIRAGANA", "KATAKANA LETTER", "CJK") for letter in label)


def _is_of(script: str, letter: str) -> bool:
    return bool(letter) and unicodedata.name(letter, "").startswith(script)


_CONTEXTS: dict[str, Callable[[str, int], bool]] = {
    _ZWNJ: _is_between_joined,
    _ZWJ: _is_behind_virama,
    "\u00b7": _is_between_l,
    "\u0375": _is_before_greek,
    "\u05f3": _is_behind_hebrew,
    "\u05f4": _is_behind_hebrew,
    "\u30fb": _is_beside_japanese,
    **dict.fromkeys(_ARABIC_DIGITS, lambda label, _: _PERSIAN_DIGITS.isdisjoint(label)),
    **dict.fromkeys(_PERSIAN_DIGITS, lambda label, _: _ARABIC_DIGITS.isdisjoint(label)),
}
