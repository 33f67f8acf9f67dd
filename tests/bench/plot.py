"""The README's picture, from results.json: `python -m tests.bench.plot [RESULTS [SVG]]`, by itself after a full run.

On the left a bar for each row of the table that has something beside it: how many times as good, right is better (a
cost counts the other way round). On the right throughput against connections and jobs at a time, a line for one
process and one for two. Below, what has nothing beside it. Pure but for `main`: results in, SVG text out.
"""

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import svg
from tests.bench.results import figures_in
from tests.bench.rows import number
from tests.bench.svg import Point

RESULTS = Path(__file__).resolve().with_name("results.json")
IN_CHARTS = re.compile(r"scaling\..*_c[0-9]+")
Row = Mapping[str, Any]

WIDTH = 1180
LEFT, BARS, VALUES, RIGHT, EDGE = 28, 446, 680, 850, 1152
TOP, LINE, HEADING = 92, 24, 62  # pixels: where all begins, a row's height, what lies between two groups
MOST = 4.0  # where the scale of the bars ends, each way
TICKS = {0.25: "¼", 0.5: "½", 1.0: "1", 2.0: "2", 4.0: "4"}
CHART = 232
GROUPS = {
    "other": "beside other job queues on the same machine",
    "depth": "a full Redis, beside 1,000 jobs in one queue",
    "ceiling": "beside what Redis can do with the same scripts",
}


def main(arguments: Sequence[str]) -> int:
    source = Path(arguments[0]) if arguments else RESULTS
    target = Path(arguments[1]) if len(arguments) > 1 else source.with_suffix(".svg")
    target.write_text(drawn(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


def drawn(results: Mapping[str, Any]) -> str:
    """The whole picture."""
    shown = {key: one._asdict() | {"value": one.value} for key, one in figures_in(results["measures"]).items()}
    rows = [row for row in results["table"] if not IN_CHARTS.match(row["key"])]
    alone = [row for row in rows if row.get("ratio") is None]
    bars, end = _bars([row for row in rows if row.get("ratio") is not None])
    charts, charts_end = _charts(shown)
    end = max(end, charts_end)
    elements = [*_titles(results), *bars, *charts, *_facts(alone, end)]
    height = round(end + 44 + LINE * math.ceil(len(alone) / 2))
    about = "; ".join(f"{row['what']}: {_said(row)}" for row in results["table"])
    return svg.document(WIDTH, height, "How fast Waybill is", about, elements)


def _titles(results: Mapping[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    where = f"{machine['cores']} cores, Python {machine['python']}, Redis {machine['redis']}"
    how = " (a quick run: it says little)" if any(one["is_quick"] for one in results["measures"].values()) else ""
    yield svg.text((LEFT, 40), "How fast Waybill is", size=20, bold=True)
    yield svg.text((EDGE, 40), f"{where}{how}", colour=svg.MUTED, anchor="end")


# The bars.


def _bars(rows: Sequence[Row]) -> tuple[list[str], float]:
    """The elements, and how far down they go."""
    y = float(TOP)
    elements: list[str] = []
    for group, heading in GROUPS.items():
        members = [row for row in rows if _group(row) == group]
        if members:
            elements += _scale(y, len(members), heading)
            elements += [part for n, row in enumerate(members) for part in _bar(row, y + 14 + n * LINE)]
            y += len(members) * LINE + HEADING
    return [*elements, *_colours(y - 22)], y


def _group(row: Row) -> str:
    first = str(row["other_key"]).partition(".")[0]
    return first if first in GROUPS else "other"


def _scale(y: float, count: int, heading: str) -> Iterator[str]:
    yield svg.text((LEFT, y), heading, bold=True)
    yield svg.text((VALUES, y), "Waybill : beside it", colour=svg.MUTED, size=12)
    for ratio, words in TICKS.items():
        x = _x(ratio)
        yield svg.rule((x, y + 8), (x, y + 14 + count * LINE), svg.MUTED if ratio == 1 else svg.GRID)
        yield svg.text((x, y), f"{words}×", colour=svg.MUTED, anchor="middle", size=12)


def _bar(row: Row, y: float) -> Iterator[str]:
    times = _times(row)
    start, end = sorted((_x(1.0), _x(times)))
    label = row["what"] if _group(row) != "other" else f"{row['what']} · {row['other']}"
    yield svg.text((LEFT, y + 15), _shortened(label), size=13)
    yield svg.bar((start, y + 4), max(2.0, end - start), LINE - 9, _colour(row))
    yield svg.text((VALUES, y + 15), _said(row), colour=svg.MUTED, size=12)


def _colours(y: float) -> Iterator[str]:
    words = {svg.GOOD: "goal reached", svg.SHORT: "goal missed", svg.PLAIN: "no goal"}
    for n, (colour, what) in enumerate(words.items()):
        yield svg.bar((LEFT + n * 130, y - 10), 12, 12, colour)
        yield svg.text((LEFT + 18 + n * 130, y), what, colour=svg.MUTED, size=12)
    yield svg.text((BARS, y), "further right is better", colour=svg.MUTED, size=12)


def _times(row: Row) -> float:
    """How many times as good as what is beside it: of a rate more is better, of a cost less."""
    ratio = float(row["ratio"])
    return ratio if row["unit"].endswith("/s") else 1 / ratio if ratio else MOST


def _colour(row: Row) -> str:
    return {True: svg.GOOD, False: svg.SHORT, None: svg.PLAIN}[row.get("is_reached")]


def _x(ratio: float) -> float:
    """On a scale of powers of two; what is beyond its ends is drawn up to them."""
    share = math.log(min(MOST, max(1 / MOST, ratio)), MOST)
    return BARS + (1 + share) / 2 * (VALUES - 34 - BARS)


def _said(row: Row) -> str:
    value = f"{number(row['value'])}"
    if row.get("ratio") is None:
        return f"{value} {row['unit']}"
    return f"{value} : {number(row['other_value'])} {row['unit']}"


def _shortened(label: str) -> str:
    return label if len(label) <= 60 else label[:59] + "…"


# The charts.


def _charts(figures: Mapping[str, Row]) -> tuple[list[str], float]:
    """The elements, and how far down they go; a chart is there where its figures are."""
    whats = {
        "posts": ("POSTs a second, by connections", "server process"),
        "jobs": ("jobs a second, by jobs at a time", "runner"),
    }
    y = float(TOP)
    elements: list[str] = []
    for key, (title, process) in whats.items():
        lines = {p: _line(figures, f"scaling.{key}_p{p}_c") for p in (1, 2)}
        if all(lines.values()):
            shares = {p: _line(figures, f"scaling.{key}_redis_p{p}_c") for p in (1, 2)}
            elements += _chart(y, title, process, lines, shares)
            y += CHART + 88
    return elements, y


def _line(figures: Mapping[str, Row], prefix: str) -> dict[int, float]:
    """Values by how many there were at once."""
    keys = [key for key in figures if key.startswith(prefix)]
    return {int(key.removeprefix(prefix)): float(figures[key]["value"]) for key in keys}


def _chart(
    y: float, title: str, process: str, lines: Mapping[int, dict[int, float]], shares: Mapping[int, dict[int, float]]
) -> Iterator[str]:
    most = max(value for line in lines.values() for value in line.values())
    step = _step(most)
    top, bottom = y + 44, y + CHART
    ceiling = step * math.ceil(most / step)
    yield svg.text((RIGHT, y), title, bold=True)
    yield from _legend(y + 22, process)
    for n in range(round(ceiling / step) + 1):
        level = bottom - (bottom - top) * n * step / ceiling
        yield svg.rule((RIGHT + 48, level), (EDGE, level))
        yield svg.text((RIGHT + 40, level + 4), number(n * step) if n else "0", colour=svg.MUTED, anchor="end", size=12)
    for p, line in lines.items():
        points = [(_at(n, len(line)), bottom - (bottom - top) * v / ceiling) for n, v in enumerate(line.values())]
        yield svg.curve(points, svg.LINES[p - 1])
    yield from _below(bottom, lines, shares)


def _legend(y: float, process: str) -> Iterator[str]:
    for p, colour in enumerate(svg.LINES, 1):
        x = RIGHT + (p - 1) * 150
        yield svg.bar((x, y - 7), 18, 4, colour)
        yield svg.text((x + 24, y), f"{p} {process}{'' if p == 1 else _plural(process)}", colour=colour, size=13)


def _plural(word: str) -> str:
    return "es" if word.endswith("s") else "s"


def _below(y: float, lines: Mapping[int, dict[int, float]], shares: Mapping[int, dict[int, float]]) -> Iterator[str]:
    """Under each place: how many at once, and what Redis took of a core there with one process and with two."""
    yield svg.text((RIGHT, y + 36), "Redis' CPU", colour=svg.MUTED, size=12)
    for n, at_once in enumerate(lines[1]):
        x = _at(n, len(lines[1]))
        yield svg.text((x, y + 18), str(at_once), anchor="middle", size=13)
        taken = " / ".join(f"{share[at_once]:.0f}" for share in shares.values() if at_once in share)
        if taken:
            yield svg.text((x, y + 36), f"{taken} %", colour=svg.MUTED, anchor="middle", size=12)


def _at(place: int, places: int) -> float:
    start, end = RIGHT + 104, EDGE - 40
    return start + (end - start) * place / max(1, places - 1)


def _step(most: float) -> float:
    """A round number that goes three to five times into `most`."""
    power = 10.0 ** math.floor(math.log10(most or 1.0))
    return next(power * part for part in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5) if most / (power * part) <= 5)


# What has nothing beside it.


def _facts(rows: Iterable[Row], y: float) -> Iterator[str]:
    for n, row in enumerate(rows):
        at: Point = ((LEFT, WIDTH // 2)[n % 2], y + 24 + n // 2 * LINE)
        goal = f", goal {row['goal']}" if row.get("goal") else ""
        yield svg.text(at, f"{row['what']}: {_said(row)}{goal}", size=13)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
