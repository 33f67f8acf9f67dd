"""Queues as a whole: their names, counts and runners; and what upkeep does to them.

Each upkeep step is one script, safe to run from any number of supervisors at once: none leads.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, TypeVar

from lib.errors import QueueInUse, QueueNotFound, RedisKeysBroken, RedisUnavailable, behind_a_change
from lib.jobs import queue_settings
from lib.jobs.job import NO_KEY, Keyed
from lib.queue.keys import INDEXED, TYPES, RedisKeys
from lib.queue.queue_names import Walk
from lib.queue.replays import is_replay
from lib.queue.scripts import Scripts
from lib.redis_link.link import RedisLink

Answer = TypeVar("Answer")

MOST_GRAVES = 1000
MOST_WARNINGS = 50
NAMES_AT_ONCE = 500
PROMOTED_AT_ONCE = 500  # More hold Redis for over 10 ms; and so below.
ENDED_AT_ONCE = 200
QUEUES_AT_ONCE = 50
LEASE_S = 15.0  # The setting's default.
REMOVED_KNOWN_S = 86_400
MANY = 10**8


class Retention(NamedTuple):
    """How many finished jobs a queue keeps, and for how long; of cancelled ones as of completed ones."""

    completed: int
    completed_s: float
    dead_s: float
    dead: int = MANY

    @property
    def arguments(self) -> tuple[int, int, int, int]:
        return self.completed, round(self.completed_s * 1000), round(self.dead_s * 1000), self.dead


class Census(NamedTuple):
    """One queue in numbers. per_minute: events in the last 60 s, about; totals: since the queue began. settings: what
    queue_settings.shown gives, {"paused": False, "max_depth": None} where nothing was set."""

    queue: str
    counts: dict[str, int]
    workers: int
    oldest_ready_age_s: float | None
    per_minute: dict[str, int]
    totals: dict[str, int]
    settings: Mapping[str, Any]


class Survey(NamedTuple):
    """What upkeep finds in one queue. beats: worker id -> what its counter shows."""

    is_due: bool
    is_expiring: bool
    is_trimmable: bool
    suspects: int
    graves: list[str]
    beats: dict[str, str]
    wait_s: float = inf
    """Until something will be due, expire or be trimmed by itself."""

    @property
    def is_busy(self) -> bool:
        """Whether there is something to do or to watch in the next round as well."""
        todo = (self.is_due, self.is_expiring, self.is_trimmable, self.suspects, self.graves, self.beats)
        return any(todo)


class RunnerSeen(NamedTuple):
    """A runner as one queue knows it. `about` is what it said of itself."""

    runner_id: str
    about: dict[str, Any]
    beat_age_s: float | None
    active: int


class Quarantined(NamedTuple):
    """An id that was taken out of a list, and why."""

    job_id: str
    reason: str
    found_ms: int | None


class Unreadable(NamedTuple):
    """A queue whose keys somebody broke by hand: it costs itself its row, and the others nothing."""

    queue: str
    reason: str

    @property
    def warning(self) -> str:
        return f"{self.queue} can't be read: {self.reason}"


class QueueStore:
    """All queues, by name."""

    def __init__(self, link: RedisLink, keys: RedisKeys, *, lease_s: float = LEASE_S) -> None:
        """lease_s: how long a runner that does not say its own lease counts as alive after a beat."""
        self._link = link
        self._keys = keys
        self._scripts = Scripts(link)
        self._lease_ms = round(lease_s * 1000)

    async def now_ms(self) -> int:
        """Redis' clock."""
        seconds, micros = await self._link.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def names(self) -> list[str]:
        """Every queue that ever took a job or had a runner, sorted. Raises RedisKeysBroken where they are no set."""
        # In bites: the reply's elements are read one by one, and ten thousand at once would hold up the loop.
        walk = Walk(self._link, self._keys, page=NAMES_AT_ONCE)
        await walk.step()
        while not walk.is_at_the_begin:
            await walk.step()
        return sorted(walk.names)

    async def known(self, queues: Iterable[str]) -> list[str]:
        """Those of them that ever took a job or had a runner, sorted."""
        names = sorted(queues)
        try:
            is_known = await asyncio.gather(*[self._link.call("SISMEMBER", self._keys.queues, name) for name in names])
        except RedisKeysBroken:
            return names  # A broken set of names is no reason not to look.
        return [name for name, known in zip(names, is_known, strict=True) if known]

    async def name(self, queues: Iterable[str]) -> None:
        """See that these are among them, and say that they are used."""
        await self._scripts.call("name", self._keys.queues, self._keys.moved, *queues)

    async def moved(self, since_ms: int) -> dict[str, int]:
        """The queues that were named at `since_ms` or later, each with the time of it. Raises RedisKeysBroken."""
        flat = await self._link.call("ZRANGEBYSCORE", self._keys.moved, since_ms, "+inf", "WITHSCORES")
        return {raw.decode("utf-8", "replace"): int(float(ms)) for raw, ms in zip(flat[::2], flat[1::2], strict=True)}

    async def census(self, queue: str) -> Census:
        """Raises QueueNotFound."""
        await self._known(queue)
        return await self._census_of_one(queue)

    async def census_of(self, queues: Sequence[str]) -> list[Census | Unreadable]:
        """Several in one go; ask for QUEUES_AT_ONCE at most."""
        return await each_readable(queues, self._census_of_one)

    async def _census_of_one(self, queue: str) -> Census:
        reply = await self._scripts.call("census", self._keys.base(queue), self._lease_ms)
        with understood(queue):
            return _census(queue, reply)

    async def unserved(self, known: Iterable[str]) -> list[str]:
        """A sentence for each queue that has jobs waiting and no worker, among all, or where these are more than
        QUEUES_AT_ONCE, among those known to the caller."""
        names = await self.names()
        some = names if len(names) <= QUEUES_AT_ONCE else sorted(set(names).intersection(known))[:QUEUES_AT_ONCE]
        return [
            f"{one.counts['ready']} jobs wait in the queue {one.queue}, which no worker serves: "
            "name it in WORKER_QUEUES"
            for one in await self.census_of(some)
            if not isinstance(one, Unreadable) and not one.workers and one.counts["ready"]
        ]

    async def census_of_all(self) -> AsyncIterator[list[Census | Unreadable]]:
        """By name, a few at a time: however many queues there are, neither Redis nor the loop is held up."""
        for some in in_bites(await self.names()):
            yield await self.census_of(some)

    async def quarantine(self, queue: str) -> list[Quarantined]:
        """What was found in the queue's lists and is no job; the newest first, 100 at most."""
        rows = await self._link.call("LRANGE", self._keys.quarantine(queue), 0, 99)
        return [_quarantined(row.decode("utf-8", "replace")) for row in rows]

    async def rosters(self) -> AsyncIterator[tuple[str, list[RunnerSeen]]]:
        """Every queue with the runners that serve it, as far as it can be read; a few at a time, as `census_of_all`."""
        for some in in_bites(await self.names()):
            for queue, seen in zip(some, await each_readable(some, self.roster), strict=True):
                if not isinstance(seen, Unreadable):
                    yield queue, seen

    async def roster(self, queue: str) -> list[RunnerSeen]:
        """The runners that serve a queue and were heard of within their lease."""
        now_ms, *flat = await self._scripts.call("roster", self._keys.base(queue), self._lease_ms)
        seen = []
        for worker, about, beat, active in zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True):
            beat_ms = beat.partition(b":")[2]
            age_s = max(0, int(now_ms) - int(beat_ms)) / 1000 if beat_ms.isdigit() else None
            seen.append(RunnerSeen(worker.decode("utf-8", "replace"), _object(about), age_s, int(active)))
        return seen

    async def adjust(
        self, queue: str, settings: Mapping[str, Any], keyed: Keyed = NO_KEY, *, begins: bool = False
    ) -> bool:
        """Change the settings that are given, of those in queue_settings.SETTINGS; begins: of a new queue, too.

        Gives True where that had been done before, under the same idempotency key. Raises QueueNotFound or
        IdempotencyKeyReused.
        """
        if begins:
            await self.name([queue])
        else:
            await self._known(queue)
        pairs = [item for pair in queue_settings.stored(settings).items() for item in pair]
        said = await self._scripts.call("adjust", self._keys.base(queue), queue, *keyed, *pairs)
        return is_replay(said.decode())

    async def remove(self, queue: str, others: Iterable[str] = ()) -> None:
        """Forget a queue that holds no job and is served by no runner. Raises QueueNotFound or QueueInUse.

        others: names of further keys of it that are to go. What a request left under an idempotency or a unique key
        stays until it expires: there is no list of those.

        Its marker goes last: epochs.py must find a note that it was removed, and not think that Redis was emptied. By
        then a job may have come, from a server to which the queue was named: the queue has begun again, and keeps both.
        """
        await self._known(queue)
        names = [*(name for name in TYPES if name != "epoch"), "listened", *others]
        marker = await self._remove(queue, names)
        with behind_a_change():
            if marker:
                await self._link.call("SET", self._keys.removed(marker), 1, "EX", REMOVED_KNOWN_S)
            await self._link.call("SREM", self._keys.queues, queue)
            await self._link.call("ZREM", self._keys.moved, queue)
            try:
                await self._remove(queue, [*names, "epoch"])
            except QueueInUse:
                await self.name([queue])
                await self._link.call("UNLINK", self._keys.removed(marker))

    async def _remove(self, queue: str, names: list[str]) -> str:
        """Forget those keys of the queue, and its runners'. Gives its marker, "" for none. Raises QueueInUse."""
        found, about = await self._scripts.call("remove", self._keys.base(queue), self._lease_ms, *names)
        if found == b"served":
            raise QueueInUse(
                f"{about} runners serve the queue {queue}: take it out of WORKER_QUEUES and restart their workers, "
                "then remove it"
            )
        if found == b"jobs":
            counts = (await self._census_of_one(queue)).counts
            said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
            raise QueueInUse(
                f"the queue {queue} holds {about} jobs ({said}): cancel those that wait, delete those that have ended, "
                "then remove it"
            )
        return str(about, "ascii", "replace")

    async def _known(self, queue: str) -> None:
        if not await self.known([queue]):
            raise QueueNotFound(f"there is no queue {queue!r}; a queue begins with its first job or its first worker")

    # What runners and supervisors do.

    async def show(self, runner_ids: Sequence[str], lease_s: float) -> None:
        """Have runners counted as alive for the next `lease_s`."""
        now_ms = await self.now_ms()
        entries = [item for runner_id in runner_ids for item in (now_ms + round(lease_s * 1000), runner_id)]
        await self._link.call("ZADD", self._keys.runners, *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.runners, "-inf", now_ms)

    async def hide(self, runner_ids: Sequence[str]) -> None:
        """Have runners that are gone counted no more."""
        await self._link.call("ZREM", self._keys.runners, *runner_ids)

    async def runners_alive(self) -> int:
        """How many runners live, whatever queues they serve. One look, however many queues there are."""
        return int(await self._link.call("ZCOUNT", self._keys.runners, await self.now_ms(), "+inf"))

    async def warn(self, sentences: Sequence[str], lapses_s: float) -> None:
        """Have /api/health say these for the next `lapses_s`."""
        now_ms = await self.now_ms()
        entries = [item for sentence in sentences for item in (now_ms + round(lapses_s * 1000), sentence)]
        await self._link.call("ZADD", self._keys.warnings, *entries)
        await self._link.call("ZREMRANGEBYSCORE", self._keys.warnings, "-inf", now_ms)

    async def unwarn(self, sentences: Sequence[str]) -> None:
        """They do not hold any more."""
        await self._link.call("ZREM", self._keys.warnings, *sentences)

    async def warnings(self) -> list[str]:
        """What runners have found wrong, and nobody has mended; MOST_WARNINGS at most."""
        now_ms = await self.now_ms()
        found = await self._link.call("ZRANGEBYSCORE", self._keys.warnings, now_ms, "+inf", "LIMIT", 0, MOST_WARNINGS)
        return sorted(sentence.decode("utf-8", "replace") for sentence in found)

    async def beat(self, queue: str, runner_ids: Sequence[str]) -> dict[str, bool]:
        """Beat for runners. False for each that is not registered (it was reaped)."""
        letters = await self._scripts.call("beat", self._keys.base(queue), *runner_ids)
        return {runner_id: letter == 0x31 for runner_id, letter in zip(runner_ids, letters, strict=True)}

    async def survey(self, queue: str, retention: Retention) -> Survey:
        """One look at what there is to do. Changes nothing."""
        arguments = (*retention.arguments, MOST_GRAVES)
        reply = await self._scripts.call("survey", self._keys.base(queue), *arguments)
        due, expiring, trimmable, suspects, graves, wait_ms, *beats = reply
        # Worker ids that somebody wrote by hand may be any bytes, and must be found by them again.
        texts = [item.decode("utf-8", "surrogateescape") for item in beats]
        occupied = graves.decode("utf-8", "surrogateescape").split(",") if graves else []
        shown = dict(zip(texts[::2], texts[1::2], strict=True))
        wait_s = int(wait_ms) / 1000 if wait_ms else inf
        return Survey(bool(due), bool(expiring), bool(trimmable), int(suspects), occupied, shown, wait_s)

    async def suspects(self, queue: str) -> int:
        """How many jobs wait to run alone; 0 while the queue is paused."""
        paused, waiting = await asyncio.gather(
            self._link.call("HEXISTS", self._keys.meta(queue), "paused"),
            self._link.call("LLEN", self._keys.suspects(queue)),
        )
        return 0 if paused else int(waiting)

    async def promote(self, queue: str) -> bool:
        """Make ready up to 500 delayed jobs that are due. True where there are more."""
        _, more = await self._scripts.call("promote", self._keys.base(queue), PROMOTED_AT_ONCE)
        return bool(more)

    async def expire(self, queue: str) -> tuple[list[str], bool]:
        """End up to 200 jobs that have not begun in time. Gives their ids, and True where there may be more."""
        more, *ids = await self._scripts.call("expire", self._keys.base(queue), ENDED_AT_ONCE)
        return [job_id.decode() for job_id in ids], bool(more)

    async def trim(self, queue: str, retention: Retention) -> bool:
        """Forget up to 200 finished jobs. True where there are more."""
        _, more = await self._scripts.call("trim", self._keys.base(queue), *retention.arguments, ENDED_AT_ONCE)
        return bool(more)

    async def reap(
        self, queue: str, runner_id: str, *, beat_seen: str = "", is_crash: bool = True, crash_limit: int
    ) -> list[str] | None:
        """Take back all that a runner holds. Gives the ids; None where it turned out to be alive.

        beat_seen: what its counter showed throughout the lease; "" where its process is known to have ended.
        """
        held: list[str] = []
        while True:
            arguments = (runner_id, beat_seen, "1" if is_crash else "", crash_limit, ENDED_AT_ONCE)
            reply = await self._scripts.call("reap", self._keys.base(queue), *arguments)
            if reply == b"alive":
                return None
            more, *ids = reply
            held += [job_id.decode("utf-8", "surrogateescape") for job_id in ids]
            if not more:
                return held
            # The registration is gone by now, so there is no counter to compare any more.
            beat_seen = ""


@contextlib.contextmanager
def understood(queue: str) -> Iterator[None]:
    """Around the reading of a reply: where it makes no sense, somebody wrote what we did not. Raises
    RedisKeysBroken."""
    try:
        yield
    except (ValueError, OverflowError) as fault:
        raise RedisKeysBroken(f"what Redis holds of the queue {queue} makes no sense: {fault}") from fault


def in_bites(names: list[str]) -> Iterator[list[str]]:
    """As many as are asked for at once."""
    return (names[at : at + QUEUES_AT_ONCE] for at in range(0, len(names), QUEUES_AT_ONCE))


def _quarantined(row: str) -> Quarantined:
    job_id, reason, ms = (*row.rsplit("\x1f", 2), "", "")[:3]
    return Quarantined(job_id, reason, int(ms) if ms.isdigit() else None)


def _census(queue: str, reply: list[Any]) -> Census:
    everything, active, *by_state, workers, oldest, now, totals, minute, last_minute, meta = reply
    counts = dict(zip(INDEXED, map(int, by_state), strict=True))
    ready = max(0, int(everything) - int(active) - sum(counts.values()))
    now_ms = int(now)
    return Census(
        queue=queue,
        counts={"ready": ready, "active": int(active), **counts},
        workers=int(workers),
        oldest_ready_age_s=max(0, now_ms - int(oldest)) / 1000 if oldest else None,
        per_minute=_per_minute(_counters(minute), _counters(last_minute), now_ms % 60_000 / 60_000),
        totals=_by_event(_counters(totals)),
        settings=queue_settings.shown(_texts(meta)),
    )


def _per_minute(this: dict[str, int], last: dict[str, int], share: float) -> dict[str, int]:
    """This minute so far, and of the last one the part that lies within 60 s."""
    names = ("enqueued", "completed", "retried", "dead", "cancelled")
    return {name: this.get(name, 0) + round(last.get(name, 0) * (1 - share)) for name in names}


def _by_event(totals: dict[str, int]) -> dict[str, int]:
    """Totals by event and type (`completed email`) added up by event."""
    sums: dict[str, int] = {}
    for name, count in totals.items():
        event = name.partition(" ")[0]
        sums[event] = sums.get(event, 0) + count
    return sums


def _texts(text: bytes) -> dict[str, str]:
    """A hash's fields and values: b"paused\x1f1\x1fmax_depth\x1f5" -> {"paused": "1", "max_depth": "5"}."""
    flat = text.decode("ascii", "replace").split("\x1f") if text else []
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _counters(text: bytes) -> dict[str, int]:
    return {name: int(count) for name, count in _texts(text).items() if count.isdigit()}


def _object(text: bytes) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except ValueError:
        about = None
    return about if isinstance(about, dict) else {}


async def each_readable(queues: Sequence[str], ask: Callable[[str], Awaitable[Answer]]) -> list[Answer | Unreadable]:
    """What `ask` gives of each queue, all asked at once. Raises RedisUnavailable."""
    answers: list[Answer | Unreadable] = []
    for queue, answer in zip(queues, await asyncio.gather(*map(ask, queues), return_exceptions=True), strict=True):
        if isinstance(answer, BaseException):
            if isinstance(answer, RedisUnavailable) or not isinstance(answer, Exception):
                raise answer
            answers.append(Unreadable(queue, str(answer)))
        else:
            answers.append(answer)
    return answers
