"""One number that was measured, and what became of it round by round."""

import statistics
from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """key: `<measure>.<what>`, by which the table (rows.py) and the picture (plot.py) find it."""

    key: str
    value: float
    unit: str


class Measured(NamedTuple):
    """The same figure of several rounds, first to last."""

    unit: str
    rounds: tuple[float, ...]

    @property
    def value(self) -> float:
        """The middle one."""
        return rounded(statistics.median(self.rounds))


def gathered(rounds: Iterable[Iterable[Figure]]) -> dict[str, Measured]:
    """By key, in the order in which they came. Raises ValueError where a round lacks what another has.

    WHY no middle of fewer rounds: a ratio is taken within a round, of what was measured in turns there.
    """
    values: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    count = 0
    for figures in rounds:
        count += 1
        for key, value, unit in figures:
            values.setdefault(key, []).append(rounded(value))
            units[key] = unit
    if lacking := [key for key, found in values.items() if len(found) != count]:
        raise ValueError(f"not in each of {count} rounds: {', '.join(lacking)}")
    return {key: Measured(units[key], tuple(found)) for key, found in values.items()}


def rounded(value: float) -> float:
    """Four digits: more is noise, and hides a change in the diff of results.json."""
    return float(f"{value:.4g}") if abs(value) < 1000 else float(round(value))
