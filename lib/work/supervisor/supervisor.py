"""The supervisor: starts runners, beats for them, takes back what a dead one held, and does the upkeep of every queue.

It never runs a handler, so nothing that a job does can stop it.
1. A runner's process ends: every job that it held is ready again within milliseconds (exit_collector.py), and another
   runner is started at once.
2. A runner lives: the supervisor beats for it (beats.py). A handler that blocks the runner's loop costs no lease.
3. A runner's loop is stuck past a job's deadline, or Redis answers the supervisor but no claim of the runner: the
   runner is killed (stuck.py).
4. A runner retires, for a handler that does not end: another is started at once, with the job slots that are left
   (quota.py). The old one has SHUTDOWN_GRACE_S to end what it runs.
5. A runner is worn, by its jobs or its memory: its successor is started first, and then it retires (replacements.py).
   It has as long as its jobs take.
6. A signal to stop: runners drain for SHUTDOWN_GRACE_S, and then give back what still runs. A second signal, over a
   second later: they give it back now.
"""

import asyncio
import contextlib
import functools
import os
import random
import time
from collections.abc import Iterable
from pathlib import Path

from lib.errors import RedisUnavailable
from lib.ids import JobIds
from lib.logs.log import Log
from lib.processes import signals
from lib.processes.restarts import keep_trying, pause, pause_before_restart_s
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.epochs import Epochs
from lib.queue.fleet import Fleet
from lib.queue.job_spans import open_spans
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.outcome_log import OutcomeLog
from lib.queue.queue_names import NAMES_AT_ONCE, Walk
from lib.queue.queue_store import QueueStore
from lib.queue.schedule_slots import ScheduleSlots
from lib.queue.told_log import logged_notices
from lib.queue.zone_shifts import ZoneShifts
from lib.redis_link.link import open_link
from lib.settings import otel
from lib.settings.config import EXIT_CONFIG, Settings
from lib.work.supervisor.beats import Beats
from lib.work.supervisor.clock import ScheduleClock
from lib.work.supervisor.exit_collector import ExitCollector
from lib.work.supervisor.isolation_runners import IsolationRunners
from lib.work.supervisor.quota import Quota
from lib.work.supervisor.replacements import Replacement, Replacements, Replacer, first_of
from lib.work.supervisor.roster import Roster
from lib.work.supervisor.rounds import Rounds
from lib.work.supervisor.runner_child import RunnerChild
from lib.work.supervisor.shutdown import Shutdown
from lib.work.supervisor.spawn_runner import SpawnedRunner
from lib.work.supervisor.stuck import StuckRunners
from lib.work.supervisor.supervisor_tasks import SupervisorTasks
from lib.work.supervisor.upkeep import Upkeep
from lib.work.supervisor.wear import WearLimits
from lib.work.supervisor.zone_watch import ZoneWatch

CALL_TIMEOUT_S = 5.0
RUNNER_EXIT_S = 6.0
"""What a runner may take beyond UNWIND_S to give back what still runs and to sign off, before it is killed."""


class Supervisor:
    """script: the worker.py to start runners with. spawned: the first runners, WORKER_PROCESSES of them."""

    def __init__(self, settings: Settings, log: Log, script: Path, spawned: Iterable[SpawnedRunner]) -> None:
        self._settings = settings
        self._log = log
        self._spawned = list(spawned)
        self._shutdown = Shutdown()
        self._tasks = SupervisorTasks(log, self._shutdown)
        self._roster = Roster(settings, script, log, self._shutdown)
        self._quotas = [Quota(settings.worker_queues) for _ in self._spawned]

        rng = random.Random()
        bulkheads = self._bulkheads = Bulkheads(log)
        link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
        keys = RedisKeys(settings.key_prefix)
        queues = self._queues = QueueStore(link, keys, lease_s=settings.lease_s)
        self._spans = open_spans(otel.collector_of(settings, otel.WORKER), link, keys, log)
        outcomes = OutcomeLog(JobStore(link, keys), log, self._spans)
        notices = logged_notices(link, keys, log, outcomes, bulkheads, ack_replicas=settings.ack_replicas)
        self._exits = ExitCollector(
            self._roster,
            queues,
            outcomes,
            crash_limit=settings.crash_limit,
            log=log,
            bulkheads=bulkheads,
            rng=rng,
            start_task=self._tasks.start,
            poke=notices.poke,
        )
        self._isolation_runners = IsolationRunners(
            settings,
            self._quotas,
            self._roster,
            queues,
            bulkheads,
            log,
            self._shutdown,
            self._tasks,
            self._collect_exit,
        )
        self._replacements = Replacements(
            WearLimits(settings.runner_max_jobs, settings.runner_max_mb),
            settings.shutdown_grace_s,
            Replacer(self._start_successor, self._collect_exit, self._count_replacement),
            self._shutdown,
            self._tasks,
            log,
        )
        workflows, sampler = JobStore(link, keys, notices=notices).workflows, otel.sampler_of(settings)
        slots = ScheduleSlots(link, keys, JobIds(), workflows, sampler)
        clock = ScheduleClock(slots, log, bulkheads, rng, self._tasks.start, self._spans)
        self._zone_watch = ZoneWatch(ZoneShifts(link, keys, slots), log, bulkheads)
        self._beats = Beats(settings.lease_s, self._roster, queues, Fleet(link, keys), bulkheads)
        self._rounds = Rounds(
            settings.redis_url,
            link,
            Epochs(link, keys),
            Upkeep(
                queues, Walk(link, keys, page=NAMES_AT_ONCE), outcomes, settings, log, bulkheads, rng, clock, notices
            ),
            StuckRunners(link, keys, log, bulkheads, rng),
            self._isolation_runners,
            self._roster,
            log=log,
            bulkheads=bulkheads,
            rng=rng,
        )

    @property
    def exit_code(self) -> int:
        """The process' exit code, once `run` has returned."""
        return self._shutdown.exit_code

    async def run(self) -> None:
        """Work until a signal to stop; returns when every runner has left."""
        loop = asyncio.get_running_loop()
        queues = ", ".join(f"{queue}={limit}" for queue, limit in self._settings.worker_queues.items())
        self._log.info(
            "worker.started", f"Worker started: {self._settings.worker_processes} runners, {queues}", pid=os.getpid()
        )
        # Before any signal is handled: a drain must know every runner.
        runners = [await self._roster.add(spawned) for spawned in self._spawned]
        for runner, quota in zip(runners, self._quotas, strict=True):
            self._tasks.start(self._read_messages(runner, quota))
        signals.obey(loop, self._shutdown.on_signal, self._log)
        signals.let_through()  # worker.py has held all signals since before it spawned the runners.
        for runner, quota in zip(runners, self._quotas, strict=True):
            self._tasks.start(self._keep(runner, quota))
        self._tasks.start(self._beats.run())
        self._tasks.start(self._rounds.run())
        self._tasks.start(self._zone_watch.run())
        if self._spans is not None:
            self._tasks.start(self._spans.count())
        await self._shutdown.begun.wait()
        await self._drain()
        await self._beats.end()
        if self._spans is not None:
            await self._spans.close()
        self._log.info("worker.stopped", "Worker stopped")
        signals.hold()

    # The stop.

    async def _drain(self) -> None:
        """Let running jobs end. Jobs that still run when the grace is over go back to the front of their queues."""
        grace_s = self._settings.shutdown_grace_s
        self._log.info("worker.draining", f"Worker draining: running jobs have {grace_s:g} s")
        runners = self._roster.runners
        for runner in runners:
            runner.pipe.send(do="drain")
        gone = asyncio.create_task(self._all_gone())
        hurry = asyncio.create_task(self._shutdown.hurry.wait())
        await asyncio.wait([gone, hurry], timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for runner in runners:
            runner.pipe.send(do="release")
        await asyncio.wait([gone], timeout=self._exit_s)
        for runner in runners:
            self._kill_late(runner)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone, CALL_TIMEOUT_S)
        hurry.cancel()

    async def _all_gone(self) -> None:
        while self._roster.runners:
            await asyncio.wait([asyncio.create_task(runner.process.wait()) for runner in self._roster.runners])
            await asyncio.sleep(
                0.01
            )  # Meanwhile `_collect_exit` takes back their jobs, and strikes them off the roster.

    @property
    def _exit_s(self) -> float:
        return self._settings.unwind_s + RUNNER_EXIT_S

    def _kill_late(self, runner: RunnerChild) -> None:
        self._log.warning("runner.killed", f"Runner {runner.runner_id} did not leave and is killed")
        runner.kill()

    # Runners: one task runs `_keep` for each quota, whatever runners come and go.

    async def _keep(self, runner: RunnerChild, quota: Quota) -> None:
        """Have a runner serve this quota until the stop: when one ends or retires, start the next."""
        pause_s = 0.0
        while True:
            quota.serve(runner)
            replacement = Replacement(self._replacements, runner, quota)
            await first_of(runner.retires.wait(), runner.process.wait())
            if runner.process.returncode is None and runner.is_retiring:
                quota.retire(runner)
                self._tasks.start(self._see_out(runner, quota))
            else:
                await runner.process.wait()
                quota.leave(runner)  # First, so that suspects may run in the dead runner's slots.
                await self._collect_exit(runner)
            successor = await replacement.successor()
            if successor is None:
                pause_s = pause_before_restart_s(time.monotonic() - runner.started_s, pause_s)
                await self._pause_before_next(runner, pause_s)
                start = functools.partial(self._start_successor, quota)
                successor = await keep_trying(start, self._shutdown.begun, self._log)
            if successor is None:
                return
            runner = successor

    async def _start_successor(self, quota: Quota) -> RunnerChild:
        """Start a runner for this quota, without job slots, and read its messages. Raises OSError."""
        runner = await self._roster.start_successor()
        self._tasks.start(self._read_messages(runner, quota))
        return runner

    async def _read_messages(self, runner: RunnerChild, quota: Quota) -> None:
        """Read a runner's messages until its pipe ends."""
        while (message := await runner.pipe.receive()) is not None:
            slots, had_ticked = runner.slots, runner.has_ticked
            runner.on_message(message)
            if runner.slots is not slots:
                quota.grant_free()
            if runner.slots is not slots or runner.has_ticked != had_ticked:
                self._isolation_runners.settle()
            self._replacements.heard(runner, quota)

    async def _see_out(self, runner: RunnerChild, quota: Quota) -> None:
        """A retiring runner has the grace of a stop to end what it runs. It then gives back the rest. One that makes
        way for its successor has as long as its jobs take."""
        grace_s = self._settings.shutdown_grace_s
        self._tasks.start(self._collect_exit(runner))
        ended = asyncio.create_task(runner.process.wait())
        hurry = asyncio.create_task(runner.must_leave.wait())
        timeout_s = None if runner.makes_way else grace_s
        await asyncio.wait([ended, hurry], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            why = "too many retire beside it" if hurry.done() else f"it has not ended what it runs in {grace_s:g} s"
            self._log.warning("runner.dismissed", f"Runner {runner.runner_id} retires, and is to leave now: {why}")
            runner.pipe.send(do="release")
            await asyncio.wait([ended], timeout=self._exit_s)
        if not ended.done():
            self._kill_late(runner)
        hurry.cancel()
        await ended
        quota.leave(runner)
        self._isolation_runners.settle()

    async def _pause_before_next(self, ended: RunnerChild, pause_s: float) -> None:
        """Wait before the next runner is started, if one is to be."""
        if ended.process.returncode == EXIT_CONFIG:
            # The runner has logged what is wrong with the settings; the next one would log the same.
            self._shutdown.begin(EXIT_CONFIG)
        await pause(self._shutdown.begun, pause_s)

    async def _collect_exit(self, runner: RunnerChild) -> None:
        """Wait for a runner's end, take back its jobs, and have the suspects among them run in isolation runners."""
        ended = await self._exits.collect_exit(runner)
        await self._isolation_runners.runner_exited(runner, ended)

    async def _count_replacement(self, reason: str) -> None:
        with contextlib.suppress(RedisUnavailable), self._bulkheads.around(ALL, "count"):
            await self._queues.runners.count_replacement(reason)
