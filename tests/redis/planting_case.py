"""For tests of planting, telling and asking: graphs over the queues "a", "b" and "c", and a worker for each.

graph = self.workflow({"fetch": ("a", ""), "sum": ("b", "cfetch")})
await self.job_store.workflows.plant(graph)
await self.work()                      # claims and ends jobs until none is ready in any queue
self.ends(graph)                       # {"fetch": "completed", "sum": "completed", "": "completed"}
"""

from random import Random

from lib.jobs.backoff import Backoff
from lib.jobs.job import NewJob
from lib.jobs.spec import JobSpec
from lib.jobs.workflow import Edge, Graph, GraphJob, OutsideEdge, member_id
from lib.queue.end_record import complete_record, fail_record
from lib.queue.lease import Lease
from tests.redis.case import ERROR, TRACE, RedisCase

QUEUES = ("a", "b", "c")
RESULT = '{"rows":5}'


def spec(type_name: str = "noop") -> JobSpec:
    return JobSpec(type_name, {}, "request", TRACE, 5, 60.0, Backoff())


class PlantingCase(RedisCase):
    queue_name = "a"

    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.notices = self.job_store.notices
        self.leases: dict[str, Lease] = {}
        self.ran: list[str] = []
        """The names of jobs by their ids' order of running."""

    # Graphs.

    def workflow(self, jobs: dict[str, tuple[str, str]], home: str = "a") -> Graph:
        """jobs: name -> queue and edges, `cfetch esum`, in topological order. The workflow itself has the name ""."""
        anchor_id = self.job(queue=home).job_id
        ids = {name: member_id(queue, anchor_id, name) for name, (queue, _) in jobs.items()}
        followers: dict[str, list[str]] = {name: [anchor_id] for name in jobs}
        members = []
        for name, (_, waits_for) in jobs.items():
            edges = [Edge(anchor_id, "o", "")]
            for text in waits_for.split():
                edges.append(Edge(ids[text[1:]], text[0], text[1:]))
                followers[text[1:]].append(ids[name])
            members.append((name, tuple(edges)))
        return Graph(
            GraphJob(
                self._new(anchor_id, "workflow"),
                tuple(Edge(ids[name], "m", f"{place}/{name}") for place, name in enumerate(jobs)),
                (),
                is_workflow=True,
                spec=spec("workflow"),
            ),
            tuple(
                GraphJob(self._new(ids[name]), edges, tuple(followers[name]), is_workflow=False, spec=spec(), name=name)
                for name, edges in members
            ),
            (),
        )

    def waiting_for(self, *parents: str, rule: str = "c", queue: str = "b") -> Graph:
        """One job that waits for jobs which are there already."""
        job_id = self.job(queue=queue).job_id
        return Graph(
            GraphJob(
                self._new(job_id),
                tuple(Edge(parent, rule, "") for parent in parents),
                (),
                is_workflow=False,
                spec=spec(),
            ),
            (),
            tuple(OutsideEdge(parent, job_id, rule) for parent in parents),
        )

    def _new(self, job_id: str, type_name: str = "noop") -> NewJob:
        return NewJob(job_id, "normal", spec(type_name).to_text())

    # Work.

    def empty(self) -> None:
        """FLUSHALL; runners register again."""
        self.client.flushall()
        self.leases.clear()
        self.job_store.forget_names()

    async def work(self, *failing: str) -> None:
        """Run jobs until none is ready in any queue and everything was told. failing: ids of jobs that fail."""
        while await self._work_once(failing):
            await self.notices.wait_until_idle()

    async def _work_once(self, failing: tuple[str, ...]) -> int:
        done = 0
        for queue in QUEUES:
            lease = await self.lease_of(queue)
            for job in (await lease.claim(100)).jobs:
                done += 1
                self.ran.append(job.job_id)
                if job.job_id in failing:
                    await lease.end_and_wait("fail", fail_record(job.job_id, job.token, ERROR, None))
                else:
                    await lease.end_and_wait("finish", complete_record(job.job_id, job.token, "noop", RESULT))
        return done

    async def lease_of(self, queue: str) -> Lease:
        if queue not in self.leases:
            lease = Lease(
                self.link, self.a_link(), self.keys, queue, f"w-{queue}", Random(1), on_notices=self.notices.poke
            )
            await lease.register({"pid": 1})
            self.leases[queue] = lease
        return self.leases[queue]

    async def upkeep(self) -> None:
        """What supervisors do in the course of an hour: tell everything, and have everybody ask."""
        for queue in QUEUES:
            await self.notices.tell(queue)
        for queue in QUEUES:
            await self.ask_all(queue)

    async def ask_all(self, queue: str) -> None:
        """Everybody who waits in the queue asks now."""
        self.make_all_ask(queue)
        while await self.notices.ask(queue):
            pass

    def make_all_ask(self, queue: str) -> None:
        unsure = self.keys.unsure(queue)
        for job_id in self.client.zrange(unsure, 0, -1):
            self.client.zadd(unsure, {job_id: 1})

    # What came of it.

    def ends(self, graph: Graph) -> dict[str, str]:
        """Name -> state, of the jobs of the graph that Redis has."""
        found = self.states()
        return {one.name: found[one.job.job_id] for one in graph.jobs if one.job.job_id in found}

    def id_of(self, graph: Graph, name: str) -> str:
        (job_id,) = (one.job.job_id for one in graph.jobs if one.name == name)
        return job_id

    def left(self) -> dict[str, int]:
        """Queue -> how many notices lie there, of those that have any."""
        counts = {queue: self.client.xlen(self.keys.notices(queue)) for queue in QUEUES}
        return {queue: count for queue, count in counts.items() if count}
