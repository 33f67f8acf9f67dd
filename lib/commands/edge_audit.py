"""What the jobs of a queue know of those that they wait for, as `--doctor --check` reads it. A part of audit.py.

    waits     {"email-01…": "blocked"}   each job that waits or has waited for others, and its state
    told      {"email-02…"}              ids of jobs that were told that a job of this queue has ended

    email-01… is blocked, and waits for email-02… without asking: upkeep …

A job that waits has its edges in `parents:<id>`, with counts of them by class (lib/jobs/edges.py); while one is open it
stands in `unsure`, and asks. `followers` names, for each job that lives, those that wait for its end, and `!callback`
where its end is told to a callback_url. What is to be told lies in `notices`. Most of what breaks there mends itself
when the job asks, within the hour.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lib.errors import RedisKeysBroken
from lib.ids import queue_of
from lib.jobs.edges import CALLBACK, CLASSES, OF_ANCHOR, OF_MEMBERS, KnownEdge
from lib.jobs.state import BLOCKED, FINISHED
from lib.jobs.timestamps import timestamp
from lib.queue.framing import exact_text, shown_text
from lib.queue.keys import RedisKeys
from lib.redis_link.link import RedisLink
from lib.redis_link.redis_info import now_ms

OVERDUE_S = 60
MOST_NOTICES = 1000
MOST_NAMED = 3
BATCH = 1000
JUDGED_ANEW: Final = "cancel it and run it again, and it is judged anew"
NO_EDGES: Final = (
    "is blocked, and nothing is known of the jobs that it waits for: cancel it, and run it again if it is to run"
    " without them"
)
ASKS: Final = "it asks within the hour"


class Waiting(NamedTuple):
    """What audit.py has noted of a queue's jobs on its way: see above."""

    waits: dict[str, str]
    told: set[str]

    def note(self, job_id: str, state: str, waits: bytes | None, followed: bytes | None) -> None:
        """waits, followed: these fields of the job's hash."""
        if waits is not None or state == BLOCKED:
            self.waits[job_id] = state
        if followed:
            self.told.update(filter(None, shown_text(followed).split(",")))


class Edges(NamedTuple):
    """`parents:<id>` of one job. counts: those that stand there beside the edges, as {"#open": 2}."""

    edges: tuple[KnownEdge, ...]
    counts: Mapping[str, int]

    def count_of_class(self, sign: str, class_name: str) -> int:
        """How many edges are of this class. sign: `@` those of a workflow to its members, `#` all others."""
        of_sign = (edge for edge in self.edges if (edge.rule in OF_MEMBERS) == (sign == "@"))
        return sum(edge.class_name == class_name for edge in of_sign)

    @property
    def open(self) -> list[KnownEdge]:
        return [edge for edge in self.edges if edge.class_name == "open"]


class EdgeAudit:
    """Reads what the jobs of one queue know of each other."""

    def __init__(self, link: RedisLink, keys: RedisKeys, queue: str) -> None:
        self._link = link
        self._keys = keys
        self._queue = queue
        self._base = keys.base(queue)

    async def faults(self, waiting: Waiting) -> dict[str, str]:
        """What is wrong: id of a job, or `notices`, -> what, and what to do. Raises RedisKeysBroken."""
        unsure = {shown_text(job_id) for job_id in await self._link.call("ZRANGE", self._base + "unsure", 0, -1)}
        found = {}
        for job_id in sorted(unsure - waiting.waits.keys()):
            found[job_id] = "stands in unsure and waits for nothing: it is taken out when it is to ask"
        followers = await self._followers()
        for job_id, state in waiting.waits.items():
            if fault := await self._fault_of(job_id, state, is_unsure=job_id in unsure):
                found[job_id] = fault
        for job_id, ids in followers.items():
            if fault := await self._fault_of_followed(job_id, ids):
                found[job_id] = fault
        for job_id in sorted(waiting.told.union(*followers.values()) - {CALLBACK}):
            if fault := await self._fault_of_told(job_id):
                found[job_id] = fault
        return found | await self._notices()

    async def _fault_of(self, job_id: str, state: str, *, is_unsure: bool) -> str:
        """What is wrong with the edges of a job that waits or has waited; "" for nothing."""
        try:
            seen = await self._edges(job_id)
        except RedisKeysBroken:
            return f"waits for jobs, and {self._base}parents:{job_id} holds no hash: delete that key, and cancel it"
        if not seen.edges:
            return NO_EDGES if state == BLOCKED else ""
        if wrong := _wrong_counts(seen):
            return f"has edges that were counted wrongly ({wrong}): {JUDGED_ANEW}"
        if state != BLOCKED:
            return "stands in unsure and is " + state + ": it is taken out when it is to ask" if is_unsure else ""
        if await self._is_decided(job_id, seen):
            return f"is blocked, and waits for nothing: {JUDGED_ANEW}"
        if not is_unsure:
            first = seen.open[0].parent_id
            return f"is blocked, waits for {first}, and never asks: ZADD {self._base}unsure 0 {job_id}"
        return await self._untold(job_id, seen)

    async def _is_decided(self, job_id: str, seen: Edges) -> bool:
        """Whether nothing keeps a blocked job waiting any more."""
        if not seen.open:
            return True
        own = {name: seen.count_of_class("#", name) for name in CLASSES}
        is_workflow, is_open, stops = await self._link.call(
            "HMGET", f"{self._base}job:{job_id}", "joins", "opened", "cancel_requested"
        )
        if is_workflow and (is_open or stops):
            return not seen.count_of_class("@", "open")
        return bool(own["bad"] or own["lost"] or own["cut"] or not own["open"])

    async def _untold(self, job_id: str, seen: Edges) -> str:
        """A fault where a job lives that this one waits for, and does not know of it. Its end would not be told."""
        for edge in seen.open:
            queue = queue_of(edge.parent_id)
            if edge.rule in OF_ANCHOR or queue is None:
                continue
            base = self._keys.base(queue)
            state = await self._link.call("HGET", f"{base}job:{edge.parent_id}", "state")
            ids = await self._link.call("HGET", base + "followers", edge.parent_id)
            if state is not None and shown_text(state) not in FINISHED and job_id not in _ids(ids):
                return f"waits for {edge.parent_id}, which does not know that: {ASKS}"
        return ""

    async def _followers(self) -> dict[str, list[str]]:
        """The key `followers`: id of a job -> the ids of those that wait for its end."""
        found, cursor = {}, b"0"
        while True:
            cursor, flat = await self._link.call("HSCAN", self._base + "followers", cursor, "COUNT", BATCH)
            found.update({shown_text(name): _ids(ids) for name, ids in zip(flat[::2], flat[1::2], strict=True)})
            if int(cursor) == 0:
                return found

    async def _fault_of_followed(self, job_id: str, ids: Sequence[str]) -> str:
        """What is wrong with an entry of `followers`; "" for nothing."""
        state = await self._link.call("HGET", f"{self._base}job:{job_id}", "state")
        shown = "is no job" if state is None else f"is {shown_text(state)}"
        is_over = state is None or shown_text(state) in FINISHED
        if is_over and CALLBACK in ids:
            advice = f"run it again, or HDEL {self._base}followers {job_id} and tell the callback_url yourself"
            return f"{shown}, and its callback_url was not told: an older runner ended it; {advice}"
        if is_over:
            advice = f"if none of them is blocked, HDEL {self._base}followers {job_id}"
            return f"{shown} and has followers that were not told: they are when one asks, within the hour; {advice}"
        for follower in ids:
            if follower != CALLBACK and not await self._is_awaited(follower, job_id):
                return f"has {follower} among its followers, which does not wait for it: it is told in vain, no more"
        return ""

    async def _is_awaited(self, follower: str, job_id: str) -> bool:
        """Whether `follower` waits for the job, or is no job any more. Broken edges are named with the follower."""
        base = self._keys.base(queue_of(follower) or "")
        if not await self._link.call("EXISTS", f"{base}job:{follower}"):
            return True
        try:
            return bool(await self._link.call("HEXISTS", f"{base}parents:{follower}", job_id))
        except RedisKeysBroken:
            return True

    async def _fault_of_told(self, job_id: str) -> str:
        """Whether a job that waited for one of this queue is gone, and its edges are not; "" if not."""
        queue = queue_of(job_id)
        if queue is None:
            return "stands among followers and is no id of a job"
        base = self._keys.base(queue)
        if await self._link.call("EXISTS", f"{base}job:{job_id}"):
            return ""
        if not await self._link.call("EXISTS", f"{base}parents:{job_id}"):
            return ""
        return f"is no job, and its edges are left: an older server deleted it; UNLINK {base}parents:{job_id}"

    async def _notices(self) -> dict[str, str]:
        """A fault where a word has waited too long to be told."""
        entries = await self._link.call("XRANGE", self._base + "notices", "-", "+", "COUNT", MOST_NOTICES)
        if not entries:
            return {}
        since_ms = int(entries[0][0].split(b"-")[0])
        if await now_ms(self._link) - since_ms < OVERDUE_S * 1000:
            return {}
        count = "1 word" if len(entries) == 1 else f"{len(entries)}{' or more' * (len(entries) == MOST_NOTICES)} words"
        return {
            "notices": f"hold {count} that jobs are to be told, the first since {timestamp(since_ms)}: see that a"
            f" worker.py runs that serves {self._queue}, and look for notices in logs/worker.log"
        }

    async def _edges(self, job_id: str) -> Edges:
        flat: list[Any] = await self._link.call("HGETALL", f"{self._base}parents:{job_id}")
        edges, counts = [], {}
        for raw_name, raw in zip(flat[::2], flat[1::2], strict=True):
            name, value = exact_text(raw_name), shown_text(raw)
            if name[:1] in ("#", "@"):
                counts[name] = int(value) if value.lstrip("-").isdigit() else -1
            else:
                edges.append(KnownEdge(value[:1], value[1:2], name, value[2:]))
        return Edges(tuple(edges), counts)


def _wrong_counts(seen: Edges) -> str:
    """`#open is 2, and 1 edge is open` for the first count that is wrong; "" where all are right."""
    for sign in "#@":
        for class_name in CLASSES[:-1]:
            count = seen.count_of_class(sign, class_name)
            noted = seen.counts.get(sign + class_name, 0)
            if noted != count:
                return f"{sign}{class_name} is {noted}, and should be {count}"
    return ""


def _ids(text: bytes | None) -> list[str]:
    return list(filter(None, shown_text(text or b"").split(",")))
