"""The tree that the browser hands to a screen reader, and what is wrong in it."""

from collections import Counter
from itertools import pairwise
from typing import Any

from tests.browser.tab import Tab

NAMED = {"button", "link", "textbox", "searchbox", "checkbox", "combobox", "switch", "radio", "image", "img", "dialog"}
"""Roles that are nothing without a name."""
ONCE = ("main", "banner", "navigation")


def faults_of(tab: Tab) -> list[str]:
    """In words; empty on a good page."""
    nodes = {node["nodeId"]: node for node in tab.call("Accessibility.getFullAXTree")["nodes"]}
    shown = [node for node in nodes.values() if not node.get("ignored")]
    roles = Counter(_role(node) for node in shown)
    unnamed = [f"a {_role(node)} without a name" for node in shown if _role(node) in NAMED and not _name(node)]
    missing = [f"no {role}" for role in ONCE if not roles[role]]
    many = [f"{roles[role]} times {role}" for role in ("main", "banner") if roles[role] > 1]
    return [*unnamed, *missing, *many, *_heading_faults(shown), *_table_faults(nodes, shown)]


def _heading_faults(shown: list[dict[str, Any]]) -> list[str]:
    """The first one is of level 1, and the only one of it; no level is left out on the way down."""
    levels = [_level(node) for node in shown if _role(node) == "heading"]
    faults = [] if levels[:1] == [1] and levels.count(1) == 1 else [f"levels of headings: {levels}"]
    skips = [(above, below) for above, below in pairwise(levels) if below > above + 1]
    return faults + [f"a heading of level {below} under one of {above}" for above, below in skips]


def _table_faults(nodes: dict[str, dict[str, Any]], shown: list[dict[str, Any]]) -> list[str]:
    """A table has heads of columns, each with a name."""

    def below(node: dict[str, Any]) -> list[dict[str, Any]]:
        children = [nodes[child] for child in node.get("childIds", ()) if child in nodes]
        return children + [one for child in children for one in below(child)]

    faults = []
    for table in (node for node in shown if _role(node) == "table"):
        heads = [one for one in below(table) if _role(one) == "columnheader" and not one.get("ignored")]
        if not heads or not all(map(_name, heads)):
            faults.append(f"a table with the heads {list(map(_name, heads))}")
    return faults


def _role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def _name(node: dict[str, Any]) -> str:
    return str(node.get("name", {}).get("value", "")).strip()


def _level(node: dict[str, Any]) -> int:
    return next(int(one["value"]["value"]) for one in node["properties"] if one["name"] == "level")
