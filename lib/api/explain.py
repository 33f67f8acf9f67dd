"""GET /api/jobs/{job_id}/explain: why a job does not run, in a word and a sentence.

{"reason": "waiting_its_turn", "detail": "811 jobs of email are before it; …", "ahead": 811, "eta_s": 1217, …}
"""

from typing import Any

from lib.http1.message import Response
from lib.jobs.explanation import Explanation, explain
from lib.jobs.timestamps import timestamp_or_none
from lib.queue.explanation_facts import ExplanationFacts
from lib.web.json_answer import answer_json
from lib.web.router import Call


class ExplainOperations:
    """The operation that explains a job."""

    def __init__(self, facts: ExplanationFacts) -> None:
        self._facts = facts

    async def explain(self, call: Call) -> Response:
        return answer_json(200, _present(explain(await self._facts.of(call.path["job_id"]))))


def _present(found: Explanation) -> dict[str, Any]:
    return {
        "reason": found.reason,
        "detail": found.detail,
        "ahead": found.ahead,
        "ahead_at_least": found.ahead_precision == "at_least",
        "ahead_precision": found.ahead_precision,
        "eta_s": found.eta_s,
        "eta_from": found.eta_from,
        "since": timestamp_or_none(found.since_ms),
        "until": timestamp_or_none(found.until_ms),
        "state": found.state,
    }
