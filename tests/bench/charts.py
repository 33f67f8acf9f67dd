"""The picture's charts: POSTs by connections, and jobs by jobs at a time, of one process and two; and Redis' share."""

import math
from collections.abc import Iterator, Mapping

from tests.bench import svg
from tests.bench.figure import Measured
from tests.bench.rows import number
from tests.bench.svg import LEFT, RIGHT, SMALL, Point

HEIGHT = 190
GAP = 40
WIDE = (RIGHT - LEFT - GAP) / 2


def charts(figures: Mapping[str, Measured], y: float) -> tuple[list[str], float]:
    """The elements, and how far down they go; a chart is there where its figures are, beside the other."""
    whats = {
        "posts": ("POSTs a second, by connections", "server process"),
        "jobs": ("jobs a second, by jobs at a time", "runner"),
    }
    x = float(LEFT)
    elements: list[str] = []
    for key, (title, process) in whats.items():
        lines = {p: _line(figures, f"scaling.{key}_p{p}_c") for p in (1, 2)}
        if all(lines.values()):
            shares = {p: _line(figures, f"scaling.{key}_redis_p{p}_c") for p in (1, 2)}
            elements += _chart((x, y + 10), title, process, lines, shares)
            x += WIDE + GAP
    return elements, y + HEIGHT + 82 if elements else y


def _line(figures: Mapping[str, Measured], prefix: str) -> dict[int, float]:
    """Values by how many there were at once."""
    keys = [key for key in figures if key.startswith(prefix)]
    return {int(key.removeprefix(prefix)): figures[key].value for key in keys}


def _chart(
    at: Point, title: str, process: str, lines: Mapping[int, dict[int, float]], shares: Mapping[int, dict[int, float]]
) -> Iterator[str]:
    x, y = at
    most = max(value for line in lines.values() for value in line.values())
    step = _step(most)
    top, bottom = y + 44, y + HEIGHT
    ceiling = step * math.ceil(most / step)
    yield svg.text((x, y), title, bold=True)
    yield from _legend((x, y + 21), process)
    for n in range(round(ceiling / step) + 1):
        level = bottom - (bottom - top) * n * step / ceiling
        yield svg.rule((x + 48, level), (x + WIDE, level))
        label = number(n * step) if n else "0"
        yield svg.text((x + 42, level + 4), label, colour=svg.MUTED, anchor="end", size=SMALL)
    for p, line in lines.items():
        points = [(_at(x, n, len(line)), bottom - (bottom - top) * v / ceiling) for n, v in enumerate(line.values())]
        yield svg.curve(points, svg.LINES[p - 1])
    yield from _below((x, bottom), lines, shares)


def _legend(at: Point, process: str) -> Iterator[str]:
    plural = "es" if process.endswith("s") else "s"
    for p, colour in enumerate(svg.LINES, 1):
        x, y = at[0] + (p - 1) * 150, at[1]
        yield svg.bar((x, y - 6), 18, 4, colour)
        yield svg.text((x + 24, y), f"{p} {process}{'' if p == 1 else plural}", colour=colour, size=SMALL)


def _below(at: Point, lines: Mapping[int, dict[int, float]], shares: Mapping[int, dict[int, float]]) -> Iterator[str]:
    """Under each place: how many at once, and what Redis took of a core there with one process and with two."""
    left, y = at
    yield svg.text((left, y + 35), "Redis' CPU", colour=svg.MUTED, size=SMALL)
    for n, at_once in enumerate(lines[1]):
        x = _at(left, n, len(lines[1]))
        yield svg.text((x, y + 17), str(at_once), anchor="middle", size=SMALL)
        taken = " / ".join(f"{share[at_once]:.0f}" for share in shares.values() if at_once in share)
        if taken:
            yield svg.text((x, y + 35), f"{taken} %", colour=svg.MUTED, anchor="middle", size=SMALL)


def _at(left: float, place: int, places: int) -> float:
    start, end = left + 104, left + WIDE - 40
    return start + (end - start) * place / max(1, places - 1)


def _step(most: float) -> float:
    """A round number that goes three to five times into `most`."""
    power = 10.0 ** math.floor(math.log10(most or 1.0))
    return next(power * part for part in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5) if most / (power * part) <= 5)
