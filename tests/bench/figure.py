"""One number that was measured, and what becomes of the same number of several rounds."""

import statistics
from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """key: `<measure>.<what>`, by which the table (rows.py) and the picture (plot.py) find it."""

    key: str
    value: float
    unit: str


def medians(rounds: Iterable[Iterable[Figure]]) -> list[Figure]:
    """Of each key the middle value, in the order in which the keys first came."""
    values: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    for figures in rounds:
        for key, value, unit in figures:
            values.setdefault(key, []).append(value)
            units[key] = unit
    return [Figure(key, rounded(statistics.median(found)), units[key]) for key, found in values.items()]


def rounded(value: float) -> float:
    """Four digits: more is noise, and hides a change in the diff of results.json."""
    return float(f"{value:.4g}") if abs(value) < 1000 else float(round(value))
