"""Cursors of job lists: the place where a page ended, as text that a caller sends back for the next page. Pure.

`MTc5…` is base64 of `1795438188123 default-019d newest-behind =1f3a9c0e`: the last job's score in its list (ms), its
id, the list's order and how the page lies to that job, and a mark of the filter. To callers a cursor is any text.

Every place parts a list in two, so that whoever goes back from a page is shown what was before it, and none twice:

    behind upto    the page behind the job | the one that ends with it
    from before    the page that begins with the job | the one before it
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, cast

from lib.errors import FieldError
from lib.jobs.request_fields import fields_error
from lib.queue.listing import Cursor, ListWalk, Order
from lib.web import query

Side = Literal["behind", "from", "before", "upto"]
_OPPOSITE: Final[Mapping[Side, Side]] = {"behind": "upto", "upto": "behind", "from": "before", "before": "from"}
_NO_PART_OF_A_LIST: Final = ("cursor", "limit", "fields")
_FORM: Final = re.compile(
    r"([0-9]{1,16}) (.+?)(?: (next|newest|oldest|started)-(behind|from|before|upto))?(?: =([0-9a-f]{8}))?", re.DOTALL
)


class PagePlace(NamedTuple):
    """Where a page lies: `side` says how, to the job at `cursor`."""

    cursor: Cursor
    order: Order = "newest"
    side: Side = "behind"

    @property
    def walk(self) -> ListWalk:
        """How the page's jobs are found: one that lies before a job, from that job backwards."""
        return ListWalk(self.order, self.side in ("before", "upto"), self.side in ("from", "upto"))

    @property
    def opposite(self) -> "PagePlace":
        """The page on the other side of the same place: no job is on both sides, and none on neither."""
        return self._replace(side=_OPPOSITE[self.side])


def cursor_of(found: dict[str, str]) -> PagePlace | None:
    """The place in the parameter `cursor`; None without the parameter, which asks for the first page.

    found: the parameters of the request. Raises InvalidFields for a text that no page gave, and for a cursor from a
    page of another filter or order.
    """
    text = found.get("cursor")
    if text is None:
        return None
    try:
        place, mark, is_of_now = _unpacked(text)
    except (ValueError, binascii.Error):
        raise query.parameter_error("cursor", "is not one that a page gave as next_cursor or back_to") from None
    if mark != _filter_mark(found) and (mark or is_of_now):
        raise query.parameter_error(
            "cursor", "is of a list with another filter or order; begin that list anew, without a cursor"
        )
    if not is_of_now and found.get("state") == "delayed" and "tag" not in found:
        raise query.parameter_error(
            "cursor", "is of an older version, whose lists of delayed jobs had another order; begin that list anew"
        )
    return place


def cursor_text(place: PagePlace, found: dict[str, str]) -> str:
    """The text of a cursor. found: the parameters of the page; the cursor is good with the same filter alone."""
    (score, job_id), order, side = place
    text = f"{score} {job_id} {order}-{side} ={_filter_mark(found)}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


class SweepPlace(NamedTuple):
    """How far a change of many jobs has come, and the time before which all of its jobs stand."""

    cursor: Cursor
    before_ms: int


def sweep_cursor_text(place: SweepPlace, found: Mapping[str, object]) -> str:
    """The text of `next_cursor` of redrive, purge and actions. found: what was asked for."""
    (score, job_id), before_ms = place
    text = f"{score} {job_id} {before_ms} ={_mark(sorted(found.items()))}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def sweep_cursor_of(text: str, found: Mapping[str, object]) -> SweepPlace:
    """The place in such a text. Raises InvalidFields as cursor_of does, with a pointer into the body."""
    try:
        packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
        match = re.fullmatch(r"([0-9]{1,16}) (.+?) ([0-9]{1,16}) =([0-9a-f]{8})", packed, re.DOTALL)
    except (ValueError, binascii.Error):
        match = None
    if match is None:
        raise fields_error([FieldError("/cursor", "is not one that this operation gave as next_cursor")])
    if match[4] != _mark(sorted(found.items())):
        raise fields_error([FieldError("/cursor", "is of a call with other fields; send the same again, or no cursor")])
    return SweepPlace(Cursor(int(match[1]), match[2]), int(match[3]))


def _unpacked(text: str) -> tuple[PagePlace, str, bool]:
    """The place, the mark of the filter, "" for none, and whether the cursor names an order. Raises ValueError.

    One of an older version names none; its list was the newest first.
    """
    packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    match = _FORM.fullmatch(packed)
    if not match:
        raise ValueError
    order, side = cast(Order, match[3] or "newest"), cast(Side, match[4] or "behind")
    return PagePlace(Cursor(int(match[1]), match[2]), order, side), match[5] or "", match[3] is not None


def _filter_mark(found: dict[str, str]) -> str:
    """Eight hex digits that differ for different filters."""
    return _mark(sorted((name, value) for name, value in found.items() if name not in _NO_PART_OF_A_LIST))


def _mark(items: Sequence[tuple[str, object]]) -> str:
    return hashlib.sha256(repr(items).encode()).hexdigest()[:8]
