"""What redrive, purge and actions answer, as JSON text. Pure.

    {"dry_run": false, "matched": 815, "redriven": 812, "skipped": [{"id": "…", "reason": "…"}], "more": false,
     "next_cursor": null}
    {"dry_run": false, "matched": 2, "items": [{"id": "…", "outcome": "done"}, {"id": "…", "outcome": "refused",
     "problem": {…}}], "more": false, "next_cursor": null}

A dry run also has `sample`, some of the jobs as they are shown elsewhere, and `followed`: how many of all that matched
have followers, jobs that wait for their end and will be told of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lib.jobs.job import JobRecord
from lib.jobs.shown import job_text
from lib.json_text import to_json
from lib.queue.bulk_changes import ChangeOutcome
from lib.queue.refusals import REQUESTED
from lib.web.problems import body_of

MOST_SAMPLED: Final = 20
SAMPLE_CHARS: Final = 1 << 20


class Sample:
    """The first jobs of a dry run, MOST_SAMPLED at most; the one that takes them over SAMPLE_CHARS is the last.

    followed: how many of all its jobs have followers, or a callback_url."""

    def __init__(self) -> None:
        self.followed = 0
        self._texts: list[str] = []
        self._chars = 0

    def add(self, records: Sequence[JobRecord]) -> None:
        self.followed += sum(bool(record.then or record.calls_back) for record in records)
        for record in records:
            if len(self._texts) >= MOST_SAMPLED or self._chars > SAMPLE_CHARS:
                return
            self._texts.append(job_text(record))
            self._chars += len(self._texts[-1])

    @property
    def text(self) -> str:
        return f"[{','.join(self._texts)}]"


def answer(members: Mapping[str, Any], next_cursor: str | None, sample: Sample | None) -> str:
    """The JSON of an answer. members: those that stand between `dry_run` and `more`."""
    followed = {} if sample is None else {"followed": sample.followed}
    end = {"more": next_cursor is not None, "next_cursor": next_cursor}
    shown = {"dry_run": sample is not None, **members, **followed, **end}
    text = to_json(shown)
    return text if sample is None else f'{text[:-1]},"sample":{sample.text}}}'


def item(job_id: str, outcome: ChangeOutcome, request_id: str) -> dict[str, Any]:
    """What became of one job of an action."""
    if outcome.refusal is not None:
        return {"id": job_id, "outcome": "refused", "problem": body_of(outcome.refusal, request_id)}
    return {"id": job_id, "outcome": "requested" if outcome.word == REQUESTED else "done"}
