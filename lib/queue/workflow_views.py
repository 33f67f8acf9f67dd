"""The members of a workflow, read: what the workflow remembers of each, and what each is now.

    views = WorkflowViews(link, keys, workflows)
    await views.members("default-01…")       [WorkflowMember("fetch", "default-8f…", "m", "c", "completed", …), …]

The workflow names its members (workflow_store.py), and glance.lua tells of each, 100 ids a call on their own queues.
Nothing is changed.
"""

from lib.errors import MemberGone
from lib.ids import queue_of
from lib.jobs.edges import edges_from
from lib.jobs.job import JobRecord
from lib.jobs.workflow_view import WorkflowMember
from lib.queue.framing import FIELD_BYTE, optional_number, shown_text
from lib.queue.keys import RedisKeys
from lib.queue.scripts import Scripts
from lib.queue.workflow_store import Workflows
from lib.redis_link.link import RedisLink

MOST_AT_ONCE = 100
MOST_NAMED = 5


class WorkflowViews:
    """Reads the members of workflows, whatever queues they are in."""

    def __init__(self, link: RedisLink, keys: RedisKeys, workflows: Workflows) -> None:
        self._keys = keys
        self._scripts = Scripts(link)
        self._workflows = workflows

    async def members(self, workflow_id: str) -> list[WorkflowMember]:
        """The members in the order in which they may run; [] where there is no such workflow."""
        return await self._seen(await self._named(workflow_id))

    async def _named(self, workflow_id: str) -> list[WorkflowMember]:
        """The members as the workflow knows them."""
        members = await self._workflows.members(workflow_id)
        return [WorkflowMember(one.name, one.job_id, one.rule, one.mark) for one in members]

    async def _seen(self, members: list[WorkflowMember]) -> list[WorkflowMember]:
        """The same members as they are now."""
        by_queue: dict[str, list[str]] = {}
        for member in members:
            by_queue.setdefault(queue_of(member.job_id) or "", []).append(member.job_id)
        glances: dict[str, bytes] = {}
        for queue, ids in by_queue.items():
            for at in range(0, len(ids) if queue else 0, MOST_AT_ONCE):
                some = ids[at : at + MOST_AT_ONCE]
                reply = await self._scripts.call("glance", self._keys.base(queue), *some)
                glances.update(zip(some, reply, strict=True))
        return [_with_glance(member, glances.get(member.job_id, b"")) for member in members]

    async def expect_members(self, record: JobRecord) -> None:
        """Raises MemberGone if `record` is a workflow that has failed, and the record of a member is no more that would
        have to run again with it. Does nothing for any other job."""
        if not record.is_workflow or record.state not in ("dead", "cancelled"):
            return
        named = await self._named(record.job_id)
        lost = [member for member in await self._seen([one for one in named if one.is_lost]) if member.is_lost]
        if lost:
            told = ", ".join(f"{member.name} ({member.job_id})" for member in lost[:MOST_NAMED])
            more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
            raise MemberGone(
                f"the records of {told}{more} are gone, trimmed or deleted, and they did not complete: start the "
                "workflow anew, and keep failed jobs for longer (RETAIN_DEAD)"
            )


def _with_glance(member: WorkflowMember, glance: bytes) -> WorkflowMember:
    """glance: `completed|fetch||1764410001000|1764410003000|c.default-8f… fetch`, with FIELD for `|`; b"" where the
    record is gone."""
    if not glance:
        return member
    state, type_name, due, started, finished, edges = (*glance.split(FIELD_BYTE), b"", b"", b"", b"", b"")[:6]
    seen = member._replace(
        state=shown_text(state), type_name=shown_text(type_name), edges=edges_from(shown_text(edges))
    )
    return seen._replace(
        due_ms=optional_number(due),
        # A blocked job that has begun waits for a callback.
        started_ms=optional_number(started) if seen.state not in ("ready", "delayed") else None,
        finished_ms=optional_number(finished),
    )
