"""The picture's bars: how many times as good as what is beside it, of which further right is better, also for a cost.

A bar that would go beyond the scale ends in a tip; the number behind it says how far. Of what a full Redis costs, four
figures for each kind of fullness, the worst one is drawn: the table has all.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench import svg
from tests.bench.rows import number
from tests.bench.svg import LEFT, LINE, RIGHT, SMALL

Row = Mapping[str, Any]

OTHER, BARS, ENDS, TIMES = 276, 436, 592, 656  # pixels: where the peers' names and the scale begin; where each ends
HEADING = 56  # what lies between two groups
MOST = 4.0  # where the scale of the bars ends, each way
TICKS = {0.25: "¼", 0.5: "½", 1.0: "1", 2.0: "2", 4.0: "4"}
GROUPS = {
    "other": "beside others on the same machine",
    "depth": "a full Redis beside 1,000 jobs, at worst",
    "ceiling": "beside Redis with the same scripts alone",
}


def bars(rows: Sequence[Row], y: float) -> tuple[list[str], float]:
    """The elements, and how far down they go. y: where the first heading stands."""
    elements: list[str] = []
    for group, heading in GROUPS.items():
        members = [row for row in rows if _group(row) == group]
        if group == "depth":
            members = _worst(members)
        if members:
            elements += _scale(y, len(members), heading)
            for n, row in enumerate(members):
                is_named = n == 0 or members[n - 1]["what"] != row["what"]
                elements += _bar(row, y + 12 + n * LINE, is_named=is_named)
            y += len(members) * LINE + HEADING
    return [*elements, *_colours(y - 20)], y + 20


def colour_of(row: Row) -> str:
    return {True: svg.GOOD, False: svg.SHORT, None: svg.PLAIN}[row.get("is_reached")]


def said(row: Row) -> str:
    """`9,816 : 6,279 requests/s`, `375 ms`."""
    beside = f" : {number(row['other_value'])}" if row.get("ratio") is not None else ""
    return f"{number(row['value'])}{beside} {row['unit']}"


def _group(row: Row) -> str:
    first = str(row["other_key"]).partition(".")[0]
    return first if first in GROUPS else "other"


def _worst(rows: Sequence[Row]) -> list[Row]:
    """One of each kind, which the first words of `what` name; the others follow them behind a colon."""
    found: dict[str, Row] = {}
    for row in rows:
        kind, _, what = str(row["what"]).partition(": ")
        if kind not in found or _times(row) < _times(found[kind]):
            found[kind] = {**row, "what": kind, "other": what}
    return list(found.values())


def _scale(y: float, count: int, heading: str) -> Iterator[str]:
    yield svg.text((LEFT, y), heading, bold=True)
    yield svg.text((TIMES + 8, y), "Waybill : beside it", colour=svg.MUTED, size=SMALL)
    for ratio, words in TICKS.items():
        x = _x(ratio)
        yield svg.rule((x, y + 7), (x, y + 12 + count * LINE), svg.MUTED if ratio == 1 else svg.GRID)
        yield svg.text((x, y), f"{words}×", colour=svg.MUTED, anchor="middle", size=SMALL)


def _bar(row: Row, y: float, *, is_named: bool) -> Iterator[str]:
    times = _times(row)
    start, end = sorted((_x(1.0), _x(times)))
    unit = "/s" if row["unit"].endswith("/s") else f" {row['unit']}"
    if is_named:
        yield svg.text((LEFT, y + 14), row["what"], size=13)
    yield svg.text((OTHER, y + 14), f"{row['other']}{row['mark']}", colour=svg.MUTED, size=SMALL)
    yield svg.bar((start, y + 4), max(2.0, end - start), LINE - 8, colour_of(row))
    if not 1 / MOST <= times <= MOST:
        yield svg.tip((_x(times), y + 4), LINE - 8, colour_of(row), is_right=times > 1)
    yield svg.text((TIMES, y + 14), f"{times:{'.1f' if times >= 10 else '.2f'}}×", anchor="end", size=SMALL, bold=True)
    figures = f"{number(row['value'])} : {number(row['other_value'])}{unit}"
    yield svg.text((TIMES + 8, y + 14), figures, colour=svg.MUTED, size=SMALL)


def _colours(y: float) -> Iterator[str]:
    words = {svg.GOOD: "goal reached", svg.SHORT: "goal missed", svg.PLAIN: "no goal"}
    for n, (colour, what) in enumerate(words.items()):
        yield svg.bar((LEFT + n * 124, y - 10), 11, 11, colour)
        yield svg.text((LEFT + 18 + n * 124, y), what, colour=svg.MUTED, size=SMALL)
    yield svg.text((RIGHT, y), "further right is better", colour=svg.MUTED, anchor="end", size=SMALL)


def _times(row: Row) -> float:
    """How many times as good as what is beside it: of a rate more is better, of a cost less."""
    ratio = float(row["ratio"])
    return ratio if row["unit"].endswith("/s") else 1 / ratio if ratio else 2 * MOST


def _x(ratio: float) -> float:
    """On a scale of powers of two, up to its ends."""
    share = math.log(min(MOST, max(1 / MOST, ratio)), MOST)
    return BARS + (1 + share) / 2 * (ENDS - BARS)
