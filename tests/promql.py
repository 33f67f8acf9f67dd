"""Which metrics and labels a PromQL expression asks for, and all expressions of prod/.

    asked('max by (queue) (waybill_jobs{state="dead"})')     {"waybill_jobs": {"state", "queue"}}

Only the part of PromQL is read that the dashboard and the alerts are written in.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

PROD = Path(__file__).resolve().parents[1] / "prod"
DASHBOARD = PROD / "grafana" / "waybill.json"
RULES = PROD / "prometheus" / "waybill.rules.yml"

_SELECTOR = re.compile(r"\b(waybill_\w+|up|ALERTS)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_RULE = re.compile(r"- alert: (\w+)\n(.*?)(?=- alert: |\Z)", re.DOTALL)
_EXPR = re.compile(r"^ +expr: (?:>-\n)?(.*?)\n +(?:for|labels):", re.MULTILINE | re.DOTALL)


class Rule(NamedTuple):
    """An alert. text: all lines of it."""

    name: str
    expr: str
    text: str


def rules() -> Iterator[Rule]:
    """The alerts of prod/prometheus/."""
    for name, text in _RULE.findall(RULES.read_text(encoding="utf-8")):
        (expr,) = _EXPR.findall(text)
        yield Rule(name, " ".join(expr.split()), text)


def panels() -> Iterator[dict[str, Any]]:
    """The panels of the dashboard, without the lines that part them into rows."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


def expressions() -> dict[str, str]:
    """Every expression, by where it stands: {"alert WaybillNoWorker": "max(waybill_workers) == 0", "panel 4 A": …}."""
    found = {f"alert {rule.name}": rule.expr for rule in rules()}
    for panel in panels():
        found |= {f"panel {panel['id']} {one['refId']} ({panel['title']})": one["expr"] for one in panel["targets"]}
    return found


def asked(expr: str) -> Mapping[str, set[str]]:
    """Each metric in it, with the labels that are matched, and those by which it is grouped or joined."""
    found = defaultdict[str, set[str]](set)
    for name, matchers in _SELECTOR.findall(expr):
        found[name].update(_MATCHER.findall(matchers))
    for grouping in _GROUPING.finditer(expr):
        labels = re.findall(r"\w+", grouping[1])
        # `by` holds for what is in the parentheses behind it, `on` for both of its sides: for all, as we write it.
        scope = _in_parentheses(expr, grouping.end()) if grouping[0].startswith("by") else expr
        for name, _ in _SELECTOR.findall(scope):
            found[name].update(labels)
    return found


def _in_parentheses(expr: str, start: int) -> str:
    """The text from `start` on to the end of the parentheses that open there."""
    depth = 0
    for at in range(start, len(expr)):
        depth += {"(": 1, ")": -1}.get(expr[at], 0)
        if expr[at] == ")" and depth == 0:
            return expr[start:at]
    raise ValueError(f"no parentheses are closed behind {expr[:start]}")
