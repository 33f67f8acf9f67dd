"""A random walk over every script of a queue: after each step every job is in one place, and went there by its table.

    python -m tests.redis.walk [--seconds 60] [--seed 7]

Each step calls one script on a few of some twenty jobs: with suspects, pauses, max_depth, unique keys, idempotency
keys, delays, expiry, give-ups, retention, jobs in bulk, runners that die, calls that are sent twice because their reply
was lost, and jobs that wait for a job of another queue and are told anything of it. After each step

- the oracle finds every job in exactly one place;
- each job whose state has changed went by transitions that the header of the step's script names;
- a job that lives is not gone;
- no job is handed to a second runner while one holds it.

At the end everything that waits is freed and run, and nothing is left. The same seed takes the same steps, but for
Redis' clock: which of the short delays are over differs from run to run.
"""

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any

from lib.commands import audit
from lib.ids import JobIds
from lib.jobs.job import Accepted, NewJob
from lib.jobs.state import BLOCKED, FINISHED, STATES, WAITING, State, Transition
from lib.queue.claim_reply import claim_from
from lib.queue.end_record import (
    EndRecord,
    complete_record,
    fail_record,
    hand_over_record,
    note_record,
    records_text,
    release_record,
    snooze_record,
)
from lib.queue.enqueue_text import accepted_from, new_jobs_text
from lib.queue.framing import FIELD, PART, RECORD, named
from lib.queue.keys import TYPES, RedisKeys
from lib.queue.listing import ListWalk, Order, Wanted, page_from
from lib.queue.scripts import Scripts, script_paths
from lib.redis_link.link import RedisLink, open_link
from lib.redis_link.resp import Argument
from tests.private_redis import PrivateRedis
from tests.redis.walk_numbers import look_at_numbers
from tests.system.oracle import Client, assert_sound, states
from tests.unit.jobs.test_state import of_scripts

QUEUE = "q"
MOST_JOBS = 25
LEASE_MS = 60_000
DRAINED_WITHIN_S = 20.0
SPEC = '{"v":1,"type":"noop","request_id":"r","max_attempts":5,"timeout_s":60,"backoff":[2,3600],"payload":{}}'
ERROR = {"type": "ValueError", "message": "as it was told to"}
PRIORITIES = ("high", "normal", "normal", "low")
TAGS = ("eu", "us", "order-1")
# All but the two that belong to no queue.
WALKED = script_paths().keys() - {"count_call", "name"}
CALLED_BACK = {(b"done", b"again"), (b"done", b"done"), *((word, word) for word in (b"again", b"gone", b"unknown"))}
"""What callback.lua may answer, and then to the same call once more."""
ORDERS_OF: dict[State, tuple[Order, ...]] = {"ready": ("next",), "delayed": ("next",), "active": ("started",)}
"""The orders of a list of this state, beside those of every list."""
OTHER_CLAIM = {b"rationed": "ration", b"plain": "claim"}
"""What a script that claims answers where the queue wants the other one -> that other one."""


class Walk:
    """One walk on an empty Redis. Raises AssertionError with the seed and the step at which something was wrong."""

    overlaps: tuple[str, ...] = ("skip", "allow")
    """Of schedules that fire."""

    def __init__(self, link: RedisLink, client: Client, seed: int) -> None:
        self._client = client
        self._link = link
        self._keys = RedisKeys("wb")
        self._base = self._keys.base(QUEUE)
        self._scripts = Scripts(link)
        self._seed = seed
        self._rng = Random(seed)
        self._numbers = itertools.count(1)
        self._ids = JobIds()
        self.held: dict[str, dict[str, int]] = {}
        """Runner -> id of a job that it holds -> token."""
        self.over: list[tuple[str, str, int, bytes]] = []
        """Attempts that are over: runner, id, token, and what a script may answer that is to end one again."""
        self.calls: Counter[str] = Counter()
        self._throttles: dict[str, str] = {}
        """Id -> unique key of every job of the mode throttle that was taken in."""
        self._claims_by: dict[str, str] = {}
        """Runner -> the script by which it claimed last: `claim`, or `ration` in a queue with limits or groups."""
        self._edges: dict[str, tuple[str, str]] = {}
        """Id of a job that waits, or waited, for a job of another queue -> the rule, and that job's id."""
        self._asked: list[tuple[str, int]] = []
        """Attempts, by job and token, that a callback may end, or could."""
        self._states: dict[str, str] = {}
        """Id -> state of every job, before the step."""
        self._moves = {name: _reachable(transitions) for name, transitions in of_scripts().items()}

    async def run(self, seconds: float, most_steps: int = sys.maxsize) -> int:
        """Walk for so long. Returns how many steps were taken."""
        await self._call("register", self._new_runner(), "{}")
        await self._call("register", self._new_runner(is_alone=True), "{}")
        self._client.sadd(self._keys.queues, QUEUE)
        ends_s = time.monotonic() + seconds
        steps = [step for step, weight in self._steps().items() for _ in range(weight)]
        for number in range(most_steps):
            if time.monotonic() > ends_s:
                break
            step = self._rng.choice(steps)
            await self._judged(step, number)
        await self._drain()
        return number

    def _steps(self) -> dict[Callable[[], Awaitable[str]], int]:
        """What may come next, and how often."""
        return {
            self._enqueue: 16,
            self._claim: 16,
            self._pop: 4,
            self._end: 16,
            self._end_late: 5,
            self._cancel: 4,
            self._retry: 6,
            self._delete: 3,
            self._patch: 8,
            self._promote: 4,
            self._expire: 4,
            self._trim: 1,
            self._reap: 3,
            self._note: 2,
            self._hand_over: 6,
            self._call_back: 6,
            self._overdue: 2,
            self._enqueue_once: 2,
            self._plant: 5,
            self._resolve: 8,
            self._adjust: 3,
            self._schedule: 3,
            self._fire: 4,
            self._look: 4,
            self._remove: 1,
        }

    async def _judged(self, step: Callable[[], Awaitable[str]], number: int) -> None:
        before = self._states
        about = f"seed {self._seed}, step {number}, {step.__name__}"
        try:
            script = await step()
            self._states = assert_sound(self._client)
            self._judge(script, before, self._states)
            self._judge_more()
        except AssertionError as fault:
            raise AssertionError(f"{about}: {fault}") from fault

    def _judge(self, script: str, before: dict[str, str], after: dict[str, str]) -> None:
        moves = self._moves.get(script, set())
        for job_id in before.keys() | after.keys():
            move = before.get(job_id, "-"), after.get(job_id, "-")
            assert move[0] == move[1] or move in moves, f"{script} took {job_id} from {move[0]} to {move[1]}"
        active = {job_id for jobs in self.held.values() for job_id in jobs}
        not_active = {job_id for job_id in active if after.get(job_id) != "active"}
        assert not not_active, f"held, and not active: {not_active}"

    def _judge_more(self) -> None:
        """What else must hold after each step; for a walk with more rules."""

    def _judge_claim(self, reply: list[bytes], limit: int, source: str) -> None:
        """What must hold for a claim's reply; for a walk with more rules."""

    async def _call(self, script: str, *arguments: Argument) -> Any:
        self.calls[script] += 1
        return await self._scripts.call(script, self._base, *arguments)

    async def _call_perhaps_twice(self, script: str, *arguments: Argument) -> Any:
        """The answer; where the call is sent again, as if its reply had been lost, it must be the same."""
        answer = await self._call(script, *arguments)
        if self._rng.random() < 0.3:
            again = await self._call(script, *arguments)
            assert again == answer, f"{script} answered {answer}, and then {again}"
        return answer

    # Choices.

    def _new_runner(self, *, is_alone: bool = False) -> str:
        runner = f"w{next(self._numbers)}{'.alone' if is_alone else ''}"
        self.held[runner] = {}
        return runner

    def _runner(self, *, is_holding: bool = False, may_be_alone: bool = True) -> str | None:
        fit = [
            runner
            for runner, jobs in self.held.items()
            if (jobs or not is_holding) and (may_be_alone or not runner.endswith(".alone"))
        ]
        return self._rng.choice(fit) if fit else None

    def _some(self, *wanted: str, most: int = 3) -> list[str]:
        """Ids of up to `most` jobs, in these states if any is named."""
        found = sorted(job_id for job_id, state in self._states.items() if not wanted or state in wanted)
        return self._rng.sample(found, min(len(found), self._rng.randint(1, most)))

    def _some_and_one_twice(self, *wanted: str) -> list[str]:
        """As `_some`, for a call on many jobs, in which now and then a job comes twice."""
        ids = self._some(*wanted, most=6)
        return [*ids, *ids[:1]] if self._rng.random() < 0.2 else ids

    def _held_some(self, runner: str) -> list[tuple[str, int]]:
        jobs = sorted(self.held[runner].items())
        return self._rng.sample(jobs, self._rng.randint(1, len(jobs)))

    # Steps. Each returns the name of the script by whose transitions jobs may have changed.

    async def _enqueue(self) -> str:
        if len(self._states) >= MOST_JOBS:
            return await self._trim()
        jobs = [self._new_job() for _ in range(self._rng.randint(1, 4))]
        number = next(self._numbers)
        answer = await self._call_perhaps_twice("enqueue", "process", number, new_jobs_text(jobs))
        accepted = accepted_from(jobs, answer)
        known = states(self._client)
        assert all(one.job_id in known for one in accepted if one.outcome == "new"), f"not taken in: {accepted}"
        for job, one in zip(jobs, accepted, strict=True):
            self._judge_throttle(job, one, known)
        return "enqueue"

    def _judge_throttle(self, job: NewJob, accepted: Accepted, known: dict[str, str]) -> None:
        """Within the time of a throttle, which outlasts the walk, no second job is taken in, whatever became of the
        first; where that is gone, the answer names it."""
        if job.unique_mode == "throttle" and accepted.outcome == "new":
            assert job.unique_key not in self._throttles.values(), f"two jobs within the time of {job.unique_key}"
            self._throttles[job.job_id] = job.unique_key
        elif accepted.outcome == "throttled":
            assert self._throttles[accepted.job_id] == job.unique_key, f"{accepted} for {job.unique_key}"
            assert accepted.job_id not in known and accepted.retry_after_s > 0, f"{accepted}, and it is there"

    def _new_job(self) -> NewJob:
        rng = self._rng
        job = NewJob(self._ids.new(QUEUE, "request"), rng.choice(PRIORITIES), SPEC)
        options: dict[str, Any] = {
            "delay_ms": rng.choice((0, 1, 30, 60_000)),
            "expires_in_ms": rng.choice((5, 50, 60_000)),
            "retain_ms": rng.choice((0, 60_000)),
            "give_up_ms": rng.choice((20, 60_000)),
        }
        chosen = {name: value for name, value in options.items() if rng.random() < 0.2}
        if rng.random() < 0.2:
            chosen |= {"unique_key": rng.choice("ab"), "unique_ttl_ms": 60_000 if rng.random() < 0.5 else 0}
        elif rng.random() < 0.2:
            chosen |= {"unique_key": f"t{rng.randint(1, 40)}", "unique_ttl_ms": 3_600_000, "unique_mode": "throttle"}
        if rng.random() < 0.2:
            chosen |= {"idempotency_key": f"caller {rng.randint(1, 30)}", "fingerprint": rng.choice("xy")}
        if rng.random() < 0.3:
            chosen["tags"] = tuple(rng.sample(TAGS, rng.randint(1, 3)))
        return job._replace(**chosen)

    async def _claim(self, source: str = "ready") -> str:
        runner = self._runner()
        assert runner is not None
        source = "suspects" if runner.endswith(".alone") else source
        held = self.held[runner]
        in_list = [job_id for job_id in await self._active_ids(runner) if job_id not in held and job_id != "bell"]
        strays = in_list if self._rng.random() < 0.7 else []
        limit = 1 if source != "ready" else self._rng.randint(1, 5)
        reply = await self._ask(runner, limit, source, *strays)
        assert isinstance(reply, list), f"{runner} is not registered: {reply}"
        script = self._claims_by[runner]
        self._judge_claim(reply, limit, source)
        claim = claim_from(reply)
        if self._rng.random() < 0.1:
            return script  # The reply was lost: the jobs are strays from now on.
        for job in claim.jobs:
            state = self._states[job.job_id]
            assert state in (*WAITING, "active"), f"{job.job_id} was {state}"
            holders = [other for other, jobs in self.held.items() if job.job_id in jobs]
            assert not holders, f"{job.job_id} is held by {holders}, and was handed to {runner}"
            held[job.job_id] = job.token
        return script

    async def _ask(self, runner: str, limit: int, source: str, *strays: str) -> Any:
        """What a claim brings, by the script that the queue wants."""
        script = self._claims_by.setdefault(runner, "claim")
        reply = await self._call(script, runner, limit, source, *strays)
        if not isinstance(reply, bytes) or reply not in OTHER_CLAIM:
            return reply
        self._claims_by[runner] = OTHER_CLAIM[reply]
        return await self._call(self._claims_by[runner], runner, limit, source, *strays)

    async def _active_ids(self, runner: str) -> list[str]:
        return [raw.decode() for raw in await self._link.call("LRANGE", self._keys.active(QUEUE, runner), 0, -1)]

    async def _pop(self) -> str:
        """A BRPOPLPUSH; most of the time with its claim behind it."""
        runner = self._runner(may_be_alone=False)
        assert runner is not None
        await self._link.call("RPOPLPUSH", self._keys.waiting(QUEUE), self._keys.active(QUEUE, runner))
        return await self._claim("popped") if self._rng.random() < 0.7 else "claim"

    async def _end(self) -> str:
        runner = self._runner(is_holding=True)
        if runner is None:
            return await self._claim()
        script = self._rng.choice(("finish", "finish", "fail", "snooze", "release"))
        ends = self._held_some(runner)
        records = records_text([self._ending(script, *end) for end in ends])
        answer = await self._call_perhaps_twice(script, runner, records)
        assert answer == b"1" * len(ends), f"{script} answered {answer} for {ends}"
        self._let_go(runner, ends)
        return script

    async def _hand_over(self) -> str:
        """Services are asked, and most of them take the work."""
        runner = self._runner(is_holding=True)
        if runner is None:
            return await self._claim()
        rng, ends = self._rng, self._held_some(runner)
        for job_id, token in ends:
            assert await self._call_perhaps_twice("expect_callback", job_id, token, "ab") == 1
            self._asked.append((job_id, token))
        if rng.random() < 0.3:
            return "nothing"
        records = [hand_over_record(*end, rng.choice((0, 0.02, 60)), is_last=rng.random() < 0.3) for end in ends]
        answer = await self._call_perhaps_twice("hand_over", runner, records_text(records))
        assert answer == b"1" * len(ends), f"hand_over answered {answer} for {ends}"
        self._let_go(runner, ends)
        return "hand_over"

    async def _call_back(self) -> str:
        """A service calls back, in time or not; and one that nobody has asked."""
        if not self._asked:
            return await self._claim()
        rng, (job_id, token) = self._rng, self._rng.choice(self._asked[-20:])
        sha256, verb = rng.choice(("ab", "ab", "ab", "cd")), rng.choice(("completed", "failed", "extend"))
        ms = "" if verb == "failed" and rng.random() < 0.3 else rng.choice((0, 20, 60_000))
        word, _, _ = await self._call("callback", job_id, token, sha256, verb, '{"said":1}', ms)
        assert word in (b"unknown", b"gone") or sha256 == "ab", f"a forged callback was answered {word}"
        again, _, _ = await self._call("callback", job_id, token, sha256, verb, '{"said":1}', ms)
        assert (word, again) in CALLED_BACK, f"callback answered {word}, and then {again}"
        if word == b"done" and verb != "extend":
            for runner, held in self.held.items():
                if held.get(job_id) == token:
                    self._let_go(runner, [(job_id, token)])
        return "callback"

    async def _overdue(self) -> str:
        await self._call("overdue", 3)
        return "overdue"

    def _let_go(self, runner: str, ends: list[tuple[str, int]]) -> None:
        for job_id, token in ends:
            del self.held[runner][job_id]
            self.over.append((runner, job_id, token, b"01"))

    async def _end_late(self) -> str:
        """An attempt that has ended, or was taken back, is ended once more: that changes nothing."""
        if not self.over:
            return await self._claim()
        runner, job_id, token, good = self._rng.choice(self.over[-20:])
        script = self._rng.choice(("finish", "fail", "snooze", "release"))
        answer = await self._call(script, runner, records_text([self._ending(script, job_id, token)]))
        assert answer in good, f"{script} answered {answer} for an attempt that is over"
        return "nothing"

    def _ending(self, script: str, job_id: str, token: int) -> EndRecord:
        rng = self._rng
        if script == "finish":
            return complete_record(job_id, token, "noop", rng.choice(("", '"done"')))
        if script == "fail":
            return fail_record(job_id, token, ERROR, rng.choice((0, 0.02, 60, None)))
        if script == "snooze":
            return snooze_record(job_id, token, ERROR, rng.choice((0, 0.02, 60)), is_unknown=rng.random() < 0.3)
        return release_record(job_id, token, is_begun=rng.random() < 0.5)

    async def _cancel(self) -> str:
        ids = self._some_and_one_twice()
        forced = self._rng.choice(("", "1"))
        records = [(job_id, forced, *self._keyed(), self._as_seen(job_id)) for job_id in ids]
        words = await self._call("cancel", *itertools.chain(*records))
        return self._checked("cancel", ids, words, {"done", "requested"})

    async def _retry(self) -> str:
        ids = self._some_and_one_twice(*FINISHED, BLOCKED)
        unique_key, is_from_start = self._rng.choice(("", "", "a")), self._rng.choice(("", "1"))
        keys = {job_id: self._throttles.get(job_id, unique_key) for job_id in ids}
        records = [(job_id, keys[job_id], *self._keyed(), is_from_start, self._as_seen(job_id), "") for job_id in ids]
        return self._checked("retry", ids, await self._call("retry", *itertools.chain(*records)), {"done"})

    async def _delete(self) -> str:
        ids = self._some_and_one_twice()
        records = [(job_id, self._as_seen(job_id)) for job_id in ids]
        return self._checked("delete", ids, await self._call("delete", *itertools.chain(*records)), {"done"})

    def _as_seen(self, job_id: str) -> str:
        """How the job was read, a moment ago or earlier: it may be out of date."""
        if self._rng.random() < 0.6:
            return ""
        if self._rng.random() < 0.3:
            return self._rng.choice(("ready ", "dead 1", "completed 1"))
        state = self._states.get(job_id, "")
        finished: Any = self._client.hget(f"{self._base}job:{job_id}", "finished")
        return f"{state} {finished.decode() if finished and state in FINISHED else ''}"

    def _keyed(self) -> tuple[str, str]:
        return (f"caller {self._rng.randint(1, 30)}", "x") if self._rng.random() < 0.2 else ("", "")

    def _checked(self, script: str, ids: list[str], words: list[bytes], good: Iterable[str]) -> str:
        known = {*good, "", "changed", "replayed", "conflict", BLOCKED, "active", *WAITING, *FINISHED}
        assert len(words) == len(ids), f"{script} answered {words} for {ids}"
        assert all(word.decode() in known or word.startswith(b"unique ") for word in words), f"{script}: {words}"
        return script

    async def _patch(self) -> str:
        for job_id in self._some(most=1):
            spec = await self._link.call("HGET", f"{self._base}job:{job_id}", "spec")
            due = self._rng.choice(("", "", "now", str(int(time.time() * 1000) + 30)))
            sha1 = hashlib.sha1(spec, usedforsecurity=False).hexdigest()
            tags = self._rng.choice(("", "", "=", "=eu", "=eu,order-1"))
            key = self._throttles.get(job_id, "")
            await self._call("patch", job_id, sha1, SPEC, self._rng.choice(("", *PRIORITIES)), due, key, tags)
        return "patch"

    async def _promote(self) -> str:
        for job_id in self._some("delayed"):
            if self._rng.random() < 0.5:
                self._client.zadd(self._base + "delayed", {job_id: 1})
        await self._call("promote", 3, self._rng.choice(("", self._runner() or "")))
        return "promote"

    async def _expire(self) -> str:
        await self._call("expire", 3)
        return "expire"

    async def _trim(self) -> str:
        kept = self._rng.randint(0, 8)
        await self._call("trim", kept, 60_000, 60_000, kept, 10)
        return "trim"

    async def _reap(self) -> str:
        """A runner dies or leaves, and another one comes."""
        runner = self._runner()
        assert runner is not None
        await self._call("beat", runner, "48234496 running")
        seen = await self._link.call("HGET", self._base + "beats", runner) if self._rng.random() < 0.3 else b""
        reply: Any = [b"more"]
        while reply[0]:
            reply = await self._call(
                "reap", runner, seen, self._rng.choice(("1", "1", "killed", "")), 3, self._rng.randint(1, 5)
            )
            seen = b""
        self.over += [(runner, job_id, token, b"0") for job_id, token in self.held.pop(runner).items()]
        assert await self._ask(runner, 1, "ready") == b"reaped"
        await self._call("register", self._new_runner(is_alone=runner.endswith(".alone")), "{}")
        return "reap"

    async def _note(self) -> str:
        runner = self._runner(is_holding=True)
        if runner is not None:
            notes = '0\x1dl0 line\x1dp0.5\x1dc{"row":5}'
            records = [note_record(job_id, token, notes) for job_id, token in self._held_some(runner)]
            assert await self._call_perhaps_twice("note", runner, records_text(records)) == len(records)
        return "note"

    async def _enqueue_once(self) -> str:
        runner = self._runner(is_holding=True)
        if runner is not None:
            job_id, token = self._held_some(runner)[0]
            noted = await self._call_perhaps_twice("once", job_id, token, "name", self._ids.new(QUEUE, "request"), 5)
            await self._call("made", job_id, "name", noted, noted)
        return "once"

    async def _plant(self) -> str:
        """Take in a job that waits for a job of another queue, which is never asked."""
        if len(self._states) >= MOST_JOBS:
            return await self._trim()
        job = self._new_job()._replace(unique_key="", unique_ttl_ms=0, unique_mode="keep", idempotency_key="")
        self._edges[job.job_id] = rule, parent = self._rng.choice("cef"), self._ids.new("elsewhere", "request")
        options, spec = new_jobs_text([job]).removesuffix(RECORD).split(FIELD, 3)[2:]
        edge = f"b{rule}{parent} {PART}"
        record = FIELD.join((job.job_id, job.priority, options + edge, spec)) + RECORD
        first = await self._call("plant", 15_000, record, "")
        again = await self._call("plant", 15_000, record, "")
        assert first.endswith(b"1") and again.endswith(b"0"), f"planted twice: {first}, {again}"
        return "plant"

    async def _resolve(self) -> str:
        """Tell a job that waits, or waited, what became of its parent: any word, in any order."""
        for job_id in [job_id for job_id in self._some(most=6) if job_id in self._edges]:
            await self._tell(job_id, self._rng.choice("cdxksg"))
        return "resolve"

    async def _tell(self, job_id: str, mark: str) -> None:
        letters = await self._call("resolve", FIELD.join((job_id, self._edges[job_id][1], mark, "")) + RECORD, "")
        assert letters in (b"0", b"1", b"f", b"e", b"-"), f"{job_id} was told {mark}: {letters}"

    async def _adjust(self) -> str:
        settings = ("paused", "1"), ("paused", ""), ("paused", ""), ("max_depth", "8"), ("max_depth", "")
        await self._call("adjust", QUEUE, *self._keyed(), *self._rng.choice(settings))
        return "adjust"

    async def _schedule(self) -> str:
        """Write a schedule anew, delete it, move its slot, or note a run; by another version that does nothing."""
        rng, name = self._rng, self._rng.choice("st")
        version, seen = await self._version_and_due(name)
        wrong = rng.random() < 0.2
        wanted, due = f"{version}0" if wrong else version, str(rng.choice((1, int(time.time() * 1000) + 30)))
        script = rng.choice(("schedule", "schedule", "unschedule", "shift", "ran"))
        arguments: dict[str, tuple[Argument, ...]] = {
            "schedule": (name, "{}", wanted, 1, "set", str(10**13), "1", "", 10, ""),
            "unschedule": (name, wanted),
            "shift": (name, wanted, seen, due, due, ""),
            "ran": (name, *self._some(most=1)) if self._states else (name, "q-1"),
        }
        answer = await self._call(script, *arguments[script])
        await self._enter(name)
        if wrong and version and script != "ran":
            assert answer in (b"changed", 0), f"{script} answered {answer} for another version"
            assert (await self._version_and_due(name)) == (version, seen), f"{script} did something for another version"
        return "nothing"

    async def _enter(self, name: str) -> None:
        """As ScheduleStore does: the index names the schedules that are there."""
        if await self._link.call("EXISTS", f"{self._base}schedule:{name}"):
            self._client.hset(self._keys.schedules, name, QUEUE)
        else:
            self._client.hdel(self._keys.schedules, name)

    async def _version_and_due(self, name: str) -> tuple[str, str]:
        version = await self._link.call("HGET", f"{self._base}schedule:{name}", "version") or b""
        due = await self._link.call("ZSCORE", self._base + "slots", name) or b""
        return version.decode(), due.decode()

    async def _fire(self) -> str:
        """Each slot that is due gets a job once, whoever comes second."""
        if len(self._states) >= MOST_JOBS:
            return await self._trim()
        for name in "st":
            await self._call("shift", name, *await self._version_and_due(name), 1, 1, "")
        now, _, count, *due = await self._call("due_slots", 0, 10, 1 << 20)
        assert count == len(due) / 7, f"{count} are due, and {len(due) / 7} are told"
        overlap = self._rng.choice(self.overlaps)
        for name, seen, version in zip(due[::7], due[1::7], due[2::7], strict=True):
            job = NewJob(self._ids.new(QUEUE, "request"), self._rng.choice(PRIORITIES), SPEC)
            arguments = (name, version, seen, int(now) + 60_000, 1, "", 1, 0, overlap, new_jobs_text([job]), seen, "")
            outcome, *_ = await self._call("fire", *arguments)
            assert outcome in (b"fired", b"skipped", b"full"), outcome
            again, *_ = await self._call("fire", *arguments)
            assert again == (b"full" if outcome == b"full" else b"changed"), f"fire answered {outcome}, then {again}"
            (found,) = [row for row in [await self._call("read_schedules", name)] if len(row) == 19]
            assert found[1] == name, found
        return "fire"

    async def _look(self) -> str:
        """What only reads, or adds to counters; the census is compared with the jobs."""
        runner = self._runner() or ""
        census = named(await self._call("census", LEASE_MS))
        found = Counter(self._states.values())
        counted = {state: int(census[state]) for state in ("delayed", BLOCKED, *sorted(FINISHED))}
        assert counted == {state: found[state] for state in counted}, f"the census counts {counted}, there are {found}"
        survey = named(await self._call("survey", 100, 60_000, 60_000, 100, 100))
        assert {runner.encode() for runner in self.held} <= set(survey["beats"][::2]), "a runner is not surveyed"
        await self._list_some()
        await self._call("read", *self._some())
        await self._explain_some(found["ready"])
        newest = await self._call("listen", 1)
        await self._call("follow", newest, 10)
        await self._call("meter")
        await self._call("roster", LEASE_MS)
        await self._call("crew", LEASE_MS, 5, 10, 5)
        await self._call("observe", runner, next(self._numbers), "wait 1 noop", 1, "lately wait 9", 1)
        await look_at_numbers(self._call, self._client, self._base, self._rng)
        return "nothing"

    async def _list_some(self) -> None:
        """A list of a state, in any order and of as many jobs as there are, is of the jobs in that state."""
        state = self._rng.choice(STATES)
        orders: list[Order] = ["newest", "oldest", *ORDERS_OF.get(state, ())]
        walk = ListWalk(self._rng.choice(orders), is_back=self._rng.random() < 0.5)
        request_id = self._rng.choice((None, "request"))
        arguments = Wanted(state, request_id=request_id).arguments(None, 1000, walk)
        listed = [place.job_id for place in page_from(await self._call("page", *arguments)).jobs]
        there = [job_id for job_id, own in self._states.items() if own == state]
        is_whole = request_id is not None or sorted(listed) == sorted(there)
        assert is_whole, f"{walk} lists {listed} of those that are {state}: {there}"

    async def _explain_some(self, ready: int) -> None:
        """ready: how many jobs are. The place of each of these is known, and fewer than these are before it."""
        for job_id in self._some():
            facts = named(await self._call("explain", job_id, 100, 100, LEASE_MS))
            if self._states[job_id] == "ready":
                assert facts["precision"] in (b"exact", b"taken"), f"{job_id} is ready, and its place is {facts}"
                assert 0 <= facts["before"] < ready, f"{facts['before']} are before {job_id}, and {ready} are ready"
            else:
                assert facts["precision"] == b"none", f"{job_id} is not ready, and has a place: {facts}"

    async def _remove(self) -> str:
        """A queue that holds jobs, or that runners serve, is not removed."""
        outcome, _ = await self._call("remove", LEASE_MS, *TYPES)
        assert outcome in (b"jobs", b"served"), outcome
        return "nothing"

    # The end.

    async def _drain(self) -> None:
        """Run everything that waits. Raises AssertionError if something is left."""
        for name in "st":
            await self._call("unschedule", name, "")
            await self._enter(name)
        await self._call("adjust", QUEUE, "", "", "paused", "", "max_depth", "")
        await self._let_all_run()
        ends_s = time.monotonic() + DRAINED_WITHIN_S
        left = Counter("?")
        while left and time.monotonic() < ends_s:
            await self._free_blocked()
            left = Counter(state for state in states(self._client).values() if state not in FINISHED)
            for job_id in [job_id for job_id, state in states(self._client).items() if state == "delayed"]:
                self._client.zadd(self._base + "delayed", {job_id: 1})
            for runner, held in self.held.items():
                strays = [one for one in await self._active_ids(runner) if one not in held]
                source = "suspects" if runner.endswith(".alone") else "ready"
                reply = await self._ask(runner, 10, source, *strays)
                ends = [complete_record(job.job_id, job.token, "noop", "") for job in claim_from(reply).jobs]
                ends += [complete_record(job_id, token, "noop", "") for job_id, token in held.items()]
                held.clear()
                if ends:
                    await self._call("finish", runner, records_text(ends))
        assert not left, f"seed {self._seed}: at the end there are {dict(left)}"
        assert_sound(self._client)
        faults = await audit.find_faults(self._link, self._keys)
        assert not faults, f"seed {self._seed}: {faults}"

    async def _let_all_run(self) -> None:
        """Take away what else would keep jobs from running at the end; for a walk with more rules."""

    async def _free_blocked(self) -> None:
        """Let the blocked jobs run; for a walk in which others can tell them."""
        for job_id in await self._link.call("ZRANGE", self._base + "outside", 0, -1):
            self._client.zadd(self._base + "outside", {job_id: 1})
        await self._call("overdue", MOST_JOBS)
        for job_id in [job_id for job_id, state in states(self._client).items() if state == BLOCKED]:
            await self._tell(job_id, "d" if self._edges[job_id][0] == "f" else "c")

    @property
    def uncalled(self) -> set[str]:
        """The scripts that no step has called so far."""
        return WALKED - self.calls.keys()


def _reachable(transitions: set[Transition]) -> set[tuple[str, str]]:
    """Which state may follow which by these transitions, one behind the other."""
    moves = {(one.before, one.after) for one in transitions}
    for _ in transitions:
        moves |= {(first, last) for first, middle in moves for other, last in moves if middle == other != "-"}
    return moves


async def _walk_on(kind: type[Walk], seconds: float, seed: int) -> int:
    ends_s = time.monotonic() + seconds
    with contextlib.closing(PrivateRedis()) as server:
        server.start()
        link = open_link(server.url, timeout_s=5)
        while (left_s := ends_s - time.monotonic()) > 0:
            server.client.flushall()
            walk = kind(link, server.client, seed)
            print(f"seed {seed}: ", end="", flush=True)
            steps = await walk.run(min(left_s, 20))
            print(f"{steps} steps, not called: {sorted(walk.uncalled) or 'none'}", flush=True)
            seed += 1
        await link.close()
    return 0


def main(kind: type[Walk] = Walk) -> int:
    parser = argparse.ArgumentParser(description="A random walk over every script of a queue.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    chosen = parser.parse_args()
    return asyncio.run(_walk_on(kind, chosen.seconds, chosen.seed))


if __name__ == "__main__":
    sys.exit(main())
