"""The supervisor: starts runners, beats for them, takes back what a dead one held, and looks after every queue.

It never runs a handler, so nothing that a job does can stop it. In its own words:
1. A runner's process ends: whatever it held is ready again within milliseconds, and another is started at once.
2. A runner lives: the supervisor beats for it. A handler that blocks the runner's loop costs no lease.
3. A runner's loop is stuck past a job's deadline, or a consumer hears nothing while Redis answers us: it is killed.
4. A runner retires, for a handler that does not end: another is started at once, with the slots that are left
   (quota.py). The old one has SHUTDOWN_GRACE_S to end what it runs.
5. A signal to stop: runners drain for SHUTDOWN_GRACE_S, then give back what is left. A second signal, over a second
   later: give back now.
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from lib.errors import RedisUnavailable
from lib.logs.log import Log
from lib.processes import signals
from lib.processes.spawn import EXIT_FAULT
from lib.processes.start import (
    describe_end,
    keep_trying,
    not_started,
    pause,
    pause_before_restart_s,
    take_over,
)
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.epochs import Epochs
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.queue_names import Walk
from lib.queue.queue_store import NAMES_AT_ONCE, QueueStore
from lib.redis_link import redis_info
from lib.redis_link.link import CALL_TIMEOUT_S, open_link
from lib.settings.config import EXIT_CONFIG, Settings
from lib.work.fates import Fates
from lib.work.supervisor.birth import Newborn, spawn_runner
from lib.work.supervisor.child import Child
from lib.work.supervisor.isolation import Isolation
from lib.work.supervisor.quota import Quota
from lib.work.supervisor.stuck import StuckRunners
from lib.work.supervisor.upkeep import EVERY_S, Upkeep

SECOND_SIGNAL_S = 1.0
LEAVE_S = 6.0  # What a runner may take, beside UNWIND_S, to give back what is left and sign off, before it is killed.
AFTERSHOCKS_S = (0.2, 1.0)


class Supervisor:
    """script: the worker.py to start runners with. newborns: the first runners, one for each place."""

    def __init__(self, settings: Settings, log: Log, script: Path, newborns: Iterable[Newborn]) -> None:
        self._settings = settings
        self._log = log
        self._script = script
        self._leave_s = settings.unwind_s + LEAVE_S
        self._rng = random.Random()
        self._link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
        keys = RedisKeys(settings.key_prefix)
        self._queues = QueueStore(self._link, keys, lease_s=settings.lease_s)
        self._bulkheads = Bulkheads(log)
        self._fates = Fates(JobStore(self._link, keys), log)
        walk = Walk(self._link, keys, page=NAMES_AT_ONCE)
        self._upkeep = Upkeep(self._queues, walk, self._fates, settings, log, self._bulkheads, self._rng)
        self._epochs = Epochs(self._link, keys)
        self._stuck = StuckRunners(self._link, keys, log, self._bulkheads, self._rng)
        self._newborns = list(newborns)
        self._children: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_away = False
        self._places = [Quota(settings.worker_queues) for _ in self._newborns]
        self._isolation = Isolation(settings.worker_queues, self._places, settings.isolation_runners)
        self._is_starting_alone = False
        self._signalled_at_s: float | None = None
        self.exit_code = 0
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Until a signal; returns when every runner has left."""
        loop = asyncio.get_running_loop()
        queues = ", ".join(f"{queue}={limit}" for queue, limit in self._settings.worker_queues.items())
        self._log.info(
            "worker.started", f"Worker started: {self._settings.worker_processes} runners, {queues}", pid=os.getpid()
        )
        # Before any signal is heard: a drain must know of every runner.
        children = [await self._start(newborn) for newborn in self._newborns]
        signals.obey(loop, self._on_signal, self._log)
        signals.go_on()  # They were held since the runners were spawned.
        for child, place in zip(children, self._places, strict=True):
            self._spawn(self._keep(child, place))
        self._spawn(self._beat())
        self._spawn(self._look_after())
        await self._stop.wait()
        await self._drain()
        self._log.info("worker.stopped", "Worker stopped")
        # The loop takes its handlers away when it closes: a second signal that comes then would be the exit code.
        signals.hold()

    def _on_signal(self) -> None:
        now_s = time.monotonic()
        if self._signalled_at_s is None:
            # Not the last that is heard of it: PM2 and a shell may send the same signal twice at once.
            self._signalled_at_s = now_s
            self._stop.set()
        elif now_s - self._signalled_at_s > SECOND_SIGNAL_S:
            self._hurry.set()

    async def _drain(self) -> None:
        """Let what runs come to its end; what has not by the grace's end goes back to the front of its queue."""
        grace_s = self._settings.shutdown_grace_s
        self._log.info("worker.draining", f"Worker draining: running jobs have {grace_s:g} s")
        for child in self._children:
            child.pipe.send(do="drain")
        gone = asyncio.create_task(self._all_gone())
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait([gone, hurry], timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for child in self._children:
            child.pipe.send(do="release")
        await asyncio.wait([gone], timeout=self._leave_s)
        for child in self._children:
            self._log.warning("runner.killed", f"Runner {child.runner_id} did not leave and is killed")
            child.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone, CALL_TIMEOUT_S)
        hurry.cancel()

    async def _all_gone(self) -> None:
        while self._children:
            await asyncio.wait([asyncio.create_task(child.process.wait()) for child in self._children])
            await asyncio.sleep(0.01)  # `_keep` takes back what they held and lets go of them.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.exception("supervisor.failed", "A part of the supervisor ended by a fault of its own", fault)
            self.exit_code = EXIT_FAULT
            self._stop.set()

    # Runners: one `_keep` for each place, which outlives the runners that fill it.

    async def _keep(self, child: Child, quota: Quota) -> None:
        """Have a runner in this place until the end: wait for this one's end, take back what it held, start another."""
        restart_s = 0.0
        while True:
            quota.serve(child)
            retired = asyncio.create_task(self._listen(child, quota))
            await asyncio.wait(
                [retired, asyncio.create_task(child.process.wait())], return_when=asyncio.FIRST_COMPLETED
            )
            if child.process.returncode is None and child.is_retiring:
                # It has yet to end what it runs; its place is filled at once.
                quota.retire(child)
                self._spawn(self._see_out(child, quota))
            else:
                await child.process.wait()
                quota.leave(child)  # First: its slots are free for the suspects that it has left.
                await self._bury(child)
            restart_s = pause_before_restart_s(time.monotonic() - child.started_s, restart_s)
            await self._pause_for(child, restart_s)
            another = await keep_trying(self._start_successor, self._stop, self._log)
            if another is None:
                return
            child = another

    async def _see_out(self, child: Child, quota: Quota) -> None:
        """A runner that retires has the grace of a stop to end what it runs. What is left then goes back."""
        grace_s = self._settings.shutdown_grace_s
        self._spawn(self._bury(child))
        ended = asyncio.create_task(child.process.wait())
        hurry = asyncio.create_task(child.is_in_the_way.wait())
        await asyncio.wait([ended, hurry], timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            why = "too many retire beside it" if hurry.done() else f"it has not ended what it runs in {grace_s:g} s"
            self._log.warning("runner.dismissed", f"Runner {child.runner_id} retires, and is to leave now: {why}")
            child.pipe.send(do="release")
            await asyncio.wait([ended], timeout=self._leave_s)
        if not ended.done():
            self._log.warning("runner.killed", f"Runner {child.runner_id} did not leave and is killed")
            child.kill()
        hurry.cancel()
        await ended
        quota.leave(child)
        self._isolate()

    async def _start_successor(self) -> Child:
        """One that has no slot until it is told what its predecessors have left it. Raises OSError."""
        return await self._start(spawn_runner(self._script, is_waiting=True))

    async def _pause_for(self, dead: Child, pause_s: float) -> None:
        """Before another one is started in its place, if one is to be."""
        if dead.process.returncode == EXIT_CONFIG:
            # It has said why; the next one would say the same.
            self.exit_code = EXIT_CONFIG
            self._stop.set()
        await pause(self._stop, pause_s)

    async def _start(self, newborn: Newborn) -> Child:
        process, pipe = await take_over(newborn.spawned)
        limits = self._settings.worker_queues
        child = Child(newborn.runner_id, process, pipe, limits, is_waiting=newborn.is_waiting)
        self._children.add(child)
        if self._stop.is_set():
            child.pipe.send(do="drain")
        self._log.info("runner.started", f"Runner {child.runner_id} started", pid=process.pid)
        return child

    async def _listen(self, child: Child, quota: Quota) -> None:
        """Hear a runner out until it retires or ends."""
        was_retiring = child.is_retiring
        while (message := await child.pipe.receive()) is not None:
            is_first_word = not child.has_ticked
            slots = child.slots
            child.hear(message)
            if child.slots is not slots:
                quota.tell()
            if child.slots is not slots or (is_first_word and child.has_ticked):
                self._isolate()
            if child.is_retiring and not was_retiring:
                self._spawn(self._listen(child, quota))
                return

    async def _bury(self, child: Child) -> None:
        """Wait for a runner's end and give back what it held, at once; look again for what came too late."""
        code = await child.process.wait()
        is_crash = code != 0 and not child.was_killed
        if code != 0:
            level = self._log.error if is_crash else self._log.warning
            level("runner.died", f"Runner {child.runner_id} ended: {describe_end(code)}", pid=child.process.pid)
        for item in child.late:
            # Before the rest is taken back: a job that blocked its runner is to blame, the others are not.
            with self._bulkheads.around(item.lease.queue, "rescue"):
                if await item.fail(self._rng):
                    self._spawn(self._fates.tell([item.record.job_id]))
        taken_back = await self._take_back(child, is_crash=is_crash)
        child.pipe.close()
        self._children.discard(child)
        self._spawn(self._look_again(child, is_crash=is_crash))
        if child.is_alone:
            self._isolation.gone(child)
        if is_crash:
            self._isolation.crash_seen(child, time.monotonic())
        if (taken_back or code == 0) and not self._stop.is_set():
            await self._look_for_suspects()
        self._isolate()

    async def _take_back(self, child: Child, *, is_crash: bool) -> int:
        """Gives how many jobs."""
        taken_back: list[str] = []
        for queue, runner_id in {*child.runner_ids.items(), *child.former_ids}:
            held = None
            # Where it can't be done now, its lease will run out; whoever sees that takes the jobs back.
            with contextlib.suppress(RedisUnavailable), self._bulkheads.around(queue, "reap"):
                crash_limit = self._settings.crash_limit
                held = await self._queues.reap(queue, runner_id, is_crash=is_crash, crash_limit=crash_limit)
            with contextlib.suppress(RedisUnavailable), self._bulkheads.around(ALL, "count"):
                await self._queues.hide([runner_id])
            if held:
                taken_back += held
                msg = f"{len(held)} jobs of {queue} taken back from {runner_id}"
                self._log.warning("jobs.taken_back", msg, queue=queue, jobs=len(held))
        if taken_back:
            self._spawn(self._fates.tell(taken_back))
        return len(taken_back)

    async def _look_again(self, child: Child, *, is_crash: bool) -> None:
        """A pop that lay in a dead connection's buffer may still put an id into the dead runner's list."""
        for pause_s in AFTERSHOCKS_S:
            await asyncio.sleep(pause_s)
            await self._take_back(child, is_crash=is_crash)

    # Time: beats, upkeep, stuck runners.

    async def _beat(self) -> None:
        """Say for every runner that it lives, five times a lease; ten times as often while that fails.

        WHY: where links are cut again and again five tries may fail one after another, and the living be reaped.
        """
        while True:
            pause_s = self._settings.lease_s / 50
            by_queue: dict[str, list[str]] = {}
            for child in self._children:
                if child.process.returncode is None:
                    for queue, runner_id in child.runner_ids.items():
                        by_queue.setdefault(queue, []).append(runner_id)
            with contextlib.suppress(RedisUnavailable):
                for queue, runner_ids in by_queue.items():
                    with self._bulkheads.around(queue, "beat"):
                        await self._queues.beat(queue, runner_ids)
                if alive := {runner_id for runner_ids in by_queue.values() for runner_id in runner_ids}:
                    with self._bulkheads.around(ALL, "count"):
                        await self._queues.show(sorted(alive), self._settings.lease_s)
                pause_s = self._settings.lease_s / 5
            await asyncio.sleep(pause_s)

    async def _look_after(self) -> None:
        """Once a second: every queue's upkeep, and a look at our own runners."""
        is_first = True
        while True:
            try:
                with self._bulkheads.around(ALL, "epoch"):
                    if loss := await self._epochs.look():
                        self._log.error("redis.emptied", loss.text, queues=loss.queues)
                began_s = time.monotonic()
                self._isolation.found(await self._upkeep.round(began_s), began_s)
                if self._is_away or is_first:
                    redis_info.found(self._settings.redis_url, await redis_info.inspect(self._link), self._log)
                self._is_away = is_first = False
                await self._stuck.look(self._children)
                self._isolation.has_failed = False
                self._isolate()
            except RedisUnavailable as fault:
                if not self._is_away:
                    self._log.warning("redis.lost", f"Database away: {fault.detail}")
                self._is_away = True
            # Jitter, so that the supervisors of a fleet do not all look at the same moment.
            await asyncio.sleep(EVERY_S * self._rng.uniform(0.9, 1.1))

    # Suspects: see isolation.py.

    async def _look_for_suspects(self) -> None:
        """After a crash: what became a suspect by it does not wait for the next round of upkeep."""
        asked_s = time.monotonic()
        suspects = {}
        with contextlib.suppress(RedisUnavailable):
            for queue in self._settings.worker_queues:
                with self._bulkheads.around(queue, "isolation"):
                    suspects[queue] = await self._queues.suspects(queue)
            self._isolation.found(suspects, asked_s)

    def _isolate(self) -> None:
        """Called whenever something has changed by which another suspect may run."""
        if self._stop.is_set():
            return
        now_s = time.monotonic()
        self._isolation.settle(now_s)
        is_served = any(child.is_serving for child in self._children)
        if not self._is_starting_alone and self._isolation.is_short(now_s, is_served=is_served):
            self._is_starting_alone = True
            self._spawn(self._start_alone())

    async def _start_alone(self) -> None:
        """Start an isolation runner, and hear it out until it ends."""
        try:
            child = await self._start(spawn_runner(self._script, is_alone=True))
        except OSError as fault:
            self._isolation.has_failed = True  # The next round of upkeep tries again.
            not_started(fault, self._log)
            return
        finally:
            self._is_starting_alone = False
        self._isolation.born(child)
        self._spawn(self._bury(child))
        while (message := await child.pipe.receive()) is not None:
            if message.get("is") == "looked":
                self._isolation.looked(child, message)
            else:
                child.hear(message)
            self._isolate()
