"""What a scenario found, as a line of the table; and the table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

TITLES = ("fault", "runs", "lost", "run twice", "stale accepted", "recover p50", "p99", "")


@dataclass
class Row:
    """recover_s: from the fault to the moment when all is as before. twice: executions over one a job; where a fault
    allows them they are no violation. violations: what is not as issue and FAULTS.md ask, a sentence each."""

    fault: str
    runs: int = 0
    lost: int = 0
    twice: int = 0
    stale: int = 0
    recover_s: list[float] = field(default_factory=list)
    note: str = ""
    violations: list[str] = field(default_factory=list)

    def demand(self, is_met: object, sentence: str) -> None:
        """Note a violation where it is not met."""
        if not is_met:
            self.violations.append(sentence)

    @property
    def cells(self) -> tuple[str, ...]:
        verdict = "ok" if not self.violations else f"{len(self.violations)} VIOLATIONS"
        times = [seconds_text(percentile(self.recover_s, share)) if self.recover_s else "-" for share in (0.5, 0.99)]
        numbers = map(str, (self.runs, self.lost, self.twice, self.stale))
        return (self.fault, *numbers, *times, f"{verdict}  {self.note}".rstrip())


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def seconds_text(value_s: float) -> str:
    return f"{value_s * 1000:.0f} ms" if value_s < 10 else f"{value_s:.1f} s"


def table(rows: Iterable[Row]) -> str:
    lines = [TITLES, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(TITLES))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
