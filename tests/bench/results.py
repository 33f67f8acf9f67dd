"""results.json: for each measure its figures, round by round, and when and of which commit they were taken.

A run of a part takes the place of that part alone; the table is made anew of all. Read by plot.py, and by who wants to
know how a ratio came about.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.figure import Measured
from tests.bench.rows import compared

SAME = ("cores", "processor", "memory_gb")
"""What a file's measures have in common: figures of two machines say nothing beside each other."""


def measure(figures: Mapping[str, Measured], *, date: str, commit: str, rounds: int, is_quick: bool) -> dict[str, Any]:
    """As one measure stands in the file."""
    shown = {key: {"value": one.value, "unit": one.unit, "rounds": one.rounds} for key, one in figures.items()}
    return {"date": date, "commit": commit, "rounds": rounds, "is_quick": is_quick, "figures": shown}


def unfit(content: Mapping[str, Any], machine: Mapping[str, Any]) -> str:
    """Why figures of that machine can't be put among those of the file; nothing where they can."""
    if not content:
        return ""
    if "measures" not in content:
        return "of an older form, which a run of everything makes anew"
    differing = [name for name in SAME if content["machine"].get(name) != machine.get(name)]
    return f"of another machine ({differing[0]})" if differing else ""


def merged(old: Mapping[str, Any], machine: Mapping[str, Any], measures: Mapping[str, Any]) -> dict[str, Any]:
    """The file's new content."""
    everything = {**old.get("measures", {}), **measures}
    return {
        "machine": {**old.get("machine", {}), **machine},
        "measures": everything,
        "table": compared(figures_in(everything)),
    }


def figures_in(measures: Mapping[str, Any]) -> dict[str, Measured]:
    """All figures of a file, by key."""
    return {
        key: Measured(said["unit"], tuple(said["rounds"]))
        for one in measures.values()
        for key, said in one["figures"].items()
    }


def read(path: Path) -> dict[str, Any]:
    """What the file holds; nothing where there is none."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(_text(content), encoding="utf-8")


def _text(content: Mapping[str, Any]) -> str:
    """A figure a line: five rounds of it one below the other would be a file of 2,000 lines."""
    lines: list[str] = []
    for name, one in content["measures"].items():
        head = {key: value for key, value in one.items() if key != "figures"}
        figures = ",\n".join(f"        {_json(key)}: {_json(said)}" for key, said in one["figures"].items())
        lines.append(f'    {_json(name)}: {_json(head)[:-1]}, "figures": {{\n{figures}\n    }}}}')
    measures = ",\n".join(lines)
    table = ",\n".join(f"    {_json(row)}" for row in content["table"])
    machine = json.dumps(content["machine"], indent=4, ensure_ascii=False)
    return f'{{\n"machine": {machine},\n"measures": {{\n{measures}\n}},\n"table": [\n{table}\n]\n}}\n'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
