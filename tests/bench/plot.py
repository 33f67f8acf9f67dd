"""The README's picture, from results.json: `python -m tests.bench.plot [RESULTS [SVG]]`, by itself after a full run.

1. A bar for each row of the table that has something beside it: how many times as good (bars.py).
2. Throughput against connections and jobs at a time, a line for one process and one for two (charts.py).
3. What has nothing beside it, and the notes.

A README shows it 830 pixels wide, and so it is drawn: no text is smaller than 11 there. Pure but for `main`: results
in, SVG text out.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import svg
from tests.bench.bars import Row, bars, colour_of, said
from tests.bench.charts import charts
from tests.bench.results import figures_in
from tests.bench.svg import LEFT, LINE, SMALL

RESULTS = Path(__file__).resolve().with_name("results.json")
IN_CHARTS = re.compile(r"scaling\..*_c[0-9]+")
TOP = 106
NOTE_CHARS = 130
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def main(arguments: Sequence[str]) -> int:
    source = Path(arguments[0]) if arguments else RESULTS
    target = Path(arguments[1]) if len(arguments) > 1 else source.with_suffix(".svg")
    target.write_text(drawn(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


def drawn(results: Mapping[str, Any]) -> str:
    """The whole picture."""
    rows = [row for row in results["table"] if not IN_CHARTS.match(row["key"])]
    notes = {note: n for n, note in enumerate(dict.fromkeys(row["note"] for row in rows if "note" in row), 1)}
    rows = [row | {"mark": _mark(notes, row)} for row in rows]
    elements, y = bars([row for row in rows if row.get("ratio") is not None], float(TOP))
    more, y = charts(figures_in(results["measures"]), y)
    facts, y = _facts([row for row in rows if row.get("ratio") is None], y)
    below, y = _notes(notes, y)
    about = "; ".join(f"{row['what']}: {said(row)}" for row in results["table"])
    elements = [*_titles(results), *elements, *more, *facts, *below]
    return svg.document(round(y + 8), "How fast Waybill is", about, elements)


def _mark(notes: Mapping[str, int], row: Row) -> str:
    return f" {notes[row['note']]}".translate(SUPERSCRIPTS) if "note" in row else ""


def _titles(results: Mapping[str, Any]) -> Iterator[str]:
    machine, measures = results["machine"], list(results["measures"].values())
    rounds = sorted({one["rounds"] for one in measures})
    how = "one round" if rounds == [1] else f"the middle of {' to '.join(map(str, rounds))} rounds"
    runs = sorted({f"{one['date']} ({one['commit']})" for one in measures})
    when = " and ".join(runs) if len(runs) <= 2 else f"{runs[0]} to {runs[-1]}, {len(runs)} in all"
    hasty = "; a quick run: it says little" if any(one["is_quick"] for one in measures) else ""
    lines = (
        f"{machine['cores']} cores, Python {machine['python']}, Redis {machine['redis']}: {machine['redis_link']}",
        f"{how}, in turns; {when}{hasty}",
    )
    yield svg.text((LEFT, 38), "How fast Waybill is", size=20, bold=True)
    for n, line in enumerate(lines):
        yield svg.text((LEFT, 58 + n * 17), line, colour=svg.MUTED, size=SMALL)


def _facts(rows: Sequence[Row], y: float) -> tuple[list[str], float]:
    """What has nothing beside it: the elements, and how far down they go."""
    elements: list[str] = []
    for row in rows:
        goal = f", goal {row['goal']}" if row.get("goal") else ""
        elements.append(svg.bar((LEFT, y - 10), 11, 11, colour_of(row)))
        elements.append(svg.text((LEFT + 18, y), f"{row['what']}: {said(row)}{goal}{row['mark']}", size=SMALL))
        y += LINE
    return elements, y + 6


def _notes(notes: Mapping[str, int], y: float) -> tuple[list[str], float]:
    elements: list[str] = []
    for note, number in notes.items():
        for line in textwrap.wrap(f"{number} {note}", NOTE_CHARS):
            elements.append(svg.text((LEFT, y), line, colour=svg.MUTED, size=11))
            y += 15
    return elements, y


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
