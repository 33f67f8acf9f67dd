"""What a job waits for, as the API shows it: the field `after`. Pure.

    (KnownEdge("c", "d", "email-01…", "fetch"),)
    -> [{"job": "email-01…", "name": "fetch", "on": "completed", "outcome": "failed"}]

That a job waits for its workflow to begin, and a workflow for its members, is not shown there. The edges are sorted by
name: Redis keeps them in no order.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lib.jobs.edges import OUTCOMES, KnownEdge

ON: Final[Mapping[str, str]] = {"c": "completed", "e": "ended", "f": "failed"}
"""Rule -> the API's word for it."""


def shown_edges(edges: Iterable[KnownEdge]) -> list[dict[str, Any]]:
    return [
        {
            "job": edge.parent_id,
            "name": edge.name or None,
            "on": ON[edge.rule],
            "outcome": OUTCOMES.get(edge.mark),
        }
        for edge in sorted(edges, key=lambda edge: (edge.name, edge.parent_id))
        if edge.rule in ON
    ]
