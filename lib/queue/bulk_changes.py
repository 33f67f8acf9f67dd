"""Many jobs of one queue, changed in one call of a script: run again, cancelled, deleted. Each gets its own outcome.

    outcomes = await job_store.in_bulk.retry(records, only_as_read=True)
    outcomes[0]      ChangeOutcome("done", None)
    outcomes[1]      ChangeOutcome("changed", WrongState("somebody else changed the job in that moment; …"))

The scripts are those that change single jobs (job_store.py), so that a job in a bulk is counted, told of and guarded as
a single one is.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from lib.errors import MemberGone, WaybillError
from lib.jobs.job import JobRecord
from lib.queue.keys import RedisKeys
from lib.queue.notices import Notices
from lib.queue.refusals import cancel_refusal, delete_refusal, retry_refusal
from lib.queue.scripts import Scripts
from lib.queue.unreadable import understood
from lib.redis_link.link import RedisLink
from lib.redis_link.resp import Argument

MOST_AT_ONCE = 100
"""So many jobs a call. Redis does nothing else meanwhile: for 1 to 2 ms, and for less than 10 on a slow machine."""


class ChangeOutcome(NamedTuple):
    """word: the script's answer, as `done`. refusal: why the job is as it was; None where the change was made."""

    word: str
    refusal: WaybillError | None


class BulkChanges:
    """Changes of up to MOST_AT_ONCE jobs of one queue.

    records: the jobs as they were read. only_as_read: leave each job as it is that has changed since: one that was read
    as ready and runs by now is not asked to stop, one that somebody else ran again does not run twice.
    """

    def __init__(
        self,
        link: RedisLink,
        keys: RedisKeys,
        note_use: Callable[[str], Awaitable[None]],
        expect_members: Callable[[JobRecord], Awaitable[None]],
        notices: Notices,
    ) -> None:
        """note_use: tells upkeep that the queue, by its name, has jobs whose records are to be removed in time.
        expect_members: raises MemberGone for a workflow that can't be run again."""
        self._notices = notices
        self._keys = keys
        self._scripts = Scripts(link)
        self._note_use = note_use
        self._expect_members = expect_members

    async def retry(self, records: Sequence[JobRecord], *, only_as_read: bool) -> list[ChangeOutcome]:
        """As JobStore.retry does with one job; each keeps its checkpoint."""
        outcomes = {record.job_id: await self._workflow_refusal(record) for record in records}
        left = [record for record in records if outcomes[record.job_id] is None]
        fields = [
            (record.job_id, unique_key_of(record), "", "", "", _as_read(record, only_as_read), "") for record in left
        ]
        changed = await self._change("retry", retry_refusal, left, fields) if left else []
        outcomes.update(zip((record.job_id for record in left), changed, strict=True))
        return [outcome for outcome in outcomes.values() if outcome is not None]

    async def _workflow_refusal(self, record: JobRecord) -> ChangeOutcome | None:
        """Why this workflow can't be run again; None for one that can, and for any other job."""
        try:
            await self._expect_members(record)
        except MemberGone as fault:
            return ChangeOutcome("", fault)
        return None

    async def cancel(
        self, records: Sequence[JobRecord], *, only_as_read: bool, is_forced: bool = False
    ) -> list[ChangeOutcome]:
        """As JobStore.cancel does with one job."""
        forced = "1" if is_forced else ""
        fields = [(record.job_id, forced, "", "", _as_read(record, only_as_read)) for record in records]
        outcomes = await self._change("cancel", cancel_refusal, records, fields)
        await self._note_use(records[0].queue)
        return outcomes

    async def delete(self, records: Sequence[JobRecord], *, only_as_read: bool) -> list[ChangeOutcome]:
        """As JobStore.delete does with one job."""
        fields = [(record.job_id, _as_read(record, only_as_read)) for record in records]
        return await self._change("delete", delete_refusal, records, fields)

    async def _change(
        self,
        script: str,
        refusal: Callable[[str, str], WaybillError | None],
        records: Sequence[JobRecord],
        fields: Sequence[tuple[Argument, ...]],
    ) -> list[ChangeOutcome]:
        queue = records[0].queue
        arguments = [argument for of_one in fields for argument in of_one]
        answers: list[bytes] = await self._scripts.call(script, self._keys.base(queue), *arguments)
        with understood(queue):
            words = [answer.decode() for answer in answers]
        self._notices.attend(records)
        return [ChangeOutcome(word, refusal(record.job_id, word)) for record, word in zip(records, words, strict=True)]


def unique_key_of(record: JobRecord) -> bytes:
    """The job's unique key, b"" for none. Through str(), for a spec that somebody wrote by hand may hold a number."""
    return str(record.spec.unique_key).encode("utf-8", "replace") if record.spec else b""


def _as_read(record: JobRecord, only_as_read: bool) -> str:
    """How a script is told what the job was when it was read: lua/parts/as_seen.lua."""
    return f"{record.state} {'' if record.finished_ms is None else record.finished_ms}" if only_as_read else ""
