"""For tests of jobs that wait for jobs: they are planted, told and ended here, by the scripts alone.

    fetch = await self.enqueue()
    sum_up = await self.waits_for(f"c{fetch} fetch")      # blocked
    await self.end(fetch)                                 # completed, and sum_up is ready
    workflow, (a, b) = await self.workflow("ma", "nb")    # open; its members are ready

An edge is written as plant.lua reads it: its rule, the parent's id, a space, and a name or none.
"""

from collections.abc import Sequence
from typing import Any

from lib.ids import queue_of
from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.queue.end_record import EndRecord, complete_record, fail_record, records_text, snooze_record
from lib.queue.enqueue_text import new_jobs_text
from lib.queue.framing import FIELD, FIELD_BYTE, PART, RECORD, RECORD_BYTE
from lib.queue.scripts import Scripts
from tests.redis.case import ERROR, TRACE, RedisCase

ASK_MS = 15_000
RUNNER = "w"


class EdgedCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.scripts = Scripts(self.link)
        self._tokens: dict[str, int] = {}

    async def waits_for(self, *edges: str, queue: str = "q", priority: str = "normal", **options: Any) -> str:
        """The id of a job that waits for the parents of these edges, which are told of it."""
        job = self.job(priority, queue=queue, **options)
        await self.plant(job, edges)
        await self._attach(job.job_id, edges)
        return job.job_id

    async def workflow(self, *members: str, after: Sequence[str] = ()) -> tuple[str, list[str]]:
        """The ids of a workflow and of its members, all in the queue q.

        members: the rule and the name of each, as "ma". after: the edges to the workflow's own parents."""
        workflow, jobs = self.job(), [self.job() for _ in members]
        for job in jobs:
            await self.plant(job, [f"o{workflow.job_id} "], followers=[workflow.job_id])
        ids = [job.job_id for job in jobs]
        edges = [f"{text[0]}{ids[at]} {at}/{text[1:]}" for at, text in enumerate(members)]
        spec = JobSpec("workflow", {}, "request", TRACE, 1, 60.0, Backoff())
        await self.plant(workflow._replace(spec_text=spec.to_text()), [*after, *edges], is_workflow=True)
        await self._attach(workflow.job_id, after)
        await self.tell()
        return workflow.job_id, ids

    async def plant(
        self, job: NewJob, edges: Sequence[str], *, followers: Sequence[str] = (), is_workflow: bool = False
    ) -> None:
        more = {"b": ",".join(edges), "l": ",".join(followers), "j": "1" if is_workflow else ""}
        options = "".join(f"{letter}{text}{PART}" for letter, text in more.items() if text)
        job_id, priority, plain_options, spec = new_jobs_text([job]).removesuffix(RECORD).split(FIELD, 3)
        record = f"{job_id}{FIELD}{priority}{FIELD}{plain_options}{options}{FIELD}{spec}{RECORD}"
        await self.queues.add([job.queue])
        await self.scripts.call("plant", self.keys.base(job.queue), ASK_MS, record, "")

    async def _attach(self, job_id: str, edges: Sequence[str]) -> None:
        """Have the parents know of the job, and the job of what its parents have come to by now. The same is to ask."""
        for edge in edges:
            parent_id = edge[1:].partition(" ")[0]
            record = FIELD.join((parent_id, job_id, edge[0], "")) + RECORD
            answer: bytes = await self.scripts.call("attach", self.keys.base(queue_of(parent_id) or ""), record)
            mark, _, said = answer.removeprefix(RECORD_BYTE).partition(FIELD_BYTE)
            if mark:
                await self.resolve(job_id, parent_id, mark, said)

    async def resolve(self, job_id: str, parent_id: str, mark: bytes, said: bytes = b"") -> bytes:
        """Tell one job one word."""
        queue = queue_of(job_id) or ""
        word = FIELD_BYTE.join((job_id.encode(), parent_id.encode(), mark, said)) + RECORD_BYTE
        letters: bytes = await self.scripts.call("resolve", self.keys.base(queue), word, "")
        if letters.endswith(b"+"):
            await self.tell(queue)
        return letters

    async def tell(self, queue: str = "q") -> None:
        """Tell everything that lies in the queue's notices, and what comes of it."""
        notices = self.keys.base(queue) + "notices"
        while entries := await self.link.call("XRANGE", notices, "-", "+", "COUNT", 1):
            ((entry_id, flat),) = entries
            entry = dict(zip(flat[::2], flat[1::2], strict=True))
            await self.link.call("XDEL", notices, entry_id)
            for follower in entry[b"followers"].decode().split(","):
                await self.resolve(follower, entry[b"parent"].decode(), entry[b"outcome"], entry[b"said"])

    async def ask(self, job_id: str) -> None:
        """Have one job ask for each of its edges that is open."""
        queue = queue_of(job_id) or ""
        await self.link.call("ZADD", self.keys.base(queue) + "unsure", 0, job_id)
        flat: list[bytes] = await self.scripts.call("asking", self.keys.base(queue), 10, ASK_MS, ASK_MS)
        rows = zip(flat[1::4], flat[2::4], flat[4::4], strict=True)
        await self._attach(job_id, [f"{(rule + parent).decode()} " for _, parent, rule in rows])

    async def begin(self, queue: str = "q", runner_id: str = RUNNER) -> list[str]:
        """Have a runner claim everything that is ready in the queue. Gives the ids."""
        base = self.keys.base(queue)
        if not await self.link.call("HEXISTS", base + "workers", runner_id):
            await self.scripts.call("register", base, runner_id, "{}")
        reply = await self.scripts.call("claim", base, runner_id, 100, "ready")
        records = [record.split(FIELD_BYTE) for record in reply[0].split(RECORD_BYTE)[1:]]
        claimed = {fields[0].decode(): int(fields[1]) for fields in records if len(fields) > 1}
        self._tokens |= claimed
        return list(claimed)

    async def end(self, job_id: str, script: str = "finish", result: str = "") -> None:
        """Run a job that is ready, and tell who waits for it. script: finish | fail: the job is dead then | snooze."""
        queue = queue_of(job_id) or ""
        if job_id not in self._tokens:
            await self.begin(queue)
        token = self._tokens.pop(job_id)
        records: dict[str, EndRecord] = {
            "finish": complete_record(job_id, token, "noop", result),
            "fail": fail_record(job_id, token, ERROR, None),
            "snooze": snooze_record(job_id, token, ERROR, 60.0),
        }
        text = records_text([records[script]])
        letters: bytes = await self.scripts.call(script, self.keys.base(queue), RUNNER, text)
        self.assertEqual(b"1", letters.removesuffix(b"+"))
        await self.tell(queue)
