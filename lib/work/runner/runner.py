"""A runner: the process in which handlers run. Started by the supervisor, and obeys its pipe alone.

It minds no signal: Ctrl-C and PM2 signal the whole tree, and it is for the supervisor to say what a signal
means. Should the supervisor die, the runner beats for itself, ends what it has begun, and leaves.

The programs that its jobs start are in its process group, and end with it (leaving.py).
"""

import asyncio
import contextlib
import gc
import os
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from lib import __version__
from lib.errors import RedisUnavailable
from lib.ids import JobIds, is_alone, new_runner_id
from lib.jobs.registry import Registry, probes_of
from lib.logs.log import Log
from lib.processes import loops
from lib.processes.pipe import Pipe
from lib.processes.spawn import EXIT_FAULT
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.job_store import JobStore
from lib.queue.keys import RedisKeys
from lib.queue.lease import Lease
from lib.queue.meters import Meters
from lib.queue.queue_store import QueueStore
from lib.redis_link.link import CALL_TIMEOUT_S, open_link
from lib.settings.config import Settings
from lib.work.runner.consumer import Consumer
from lib.work.runner.context import Blank, Shared
from lib.work.runner.forks import Forks
from lib.work.runner.leaving import leave, stop_programs
from lib.work.runner.prefetch.surplus import Busy
from lib.work.runner.prefetch.turns import Turns
from lib.work.runner.resources import Resources
from lib.work.runner.timings import Timings
from lib.work.runner.warnings import Warnings
from lib.work.runner.watchdog import Watchdog

TICK_S = 1.0
REPORT_S = 0.05
STRAYS_EVERY_S = 1.0  # So often an isolation runner that has nothing to run looks at its own lists.


class Runner:
    """One process's consumers, a queue each. is_waiting: it has no slot until its supervisor says how many."""

    def __init__(
        self, settings: Settings, registry: Registry, log: Log, runner_id: str, pipe: Pipe, *, is_waiting: bool
    ) -> None:
        self._settings = settings
        self._log = log
        self._pipe = pipe
        self._runner_id = runner_id
        self._is_alone = is_alone(runner_id)
        self._is_waiting = is_waiting
        self._link = open_link(settings.redis_url, timeout_s=CALL_TIMEOUT_S)
        self._keys = RedisKeys(settings.key_prefix)
        self._queues = QueueStore(self._link, self._keys)
        self._bulkheads = Bulkheads(log)
        self._drain = asyncio.Event()
        blank = Blank()
        self._shared = Shared(
            settings=settings,
            registry=registry,
            log=log,
            queue=JobStore(self._link, self._keys, ack_replicas=settings.ack_replicas),
            ids=JobIds(),
            threads=ThreadPoolExecutor(sum(settings.worker_queues.values()), "job"),
            resources=Resources(settings, log, blank.context),
            rng=random.Random(),
            timings=Timings(Meters(self._link, self._keys), runner_id, self._bulkheads),
            busy=Busy(),
            turns=Turns(),
            blank=blank,
            bulkheads=self._bulkheads,
            is_draining=self._drain.is_set,
            retire=self._retire,
        )
        self._consumers = [self._consumer(queue, limit) for queue, limit in settings.worker_queues.items()]
        shared = self._shared
        probes = probes_of(settings.job_modules)
        self._warnings = Warnings(probes, shared.resources, self._queues, self._bulkheads, log, shared.rng)
        self._release = asyncio.Event()
        self._look = asyncio.Event()
        self._asked: list[str] = []
        """The queues of which it is to run a suspect."""
        self.is_orphaned = False
        self._is_retiring = False
        self._time_told = 0
        self._report_due = asyncio.Event()

    async def run(self) -> None:
        """Until told to leave, or until the supervisor is gone and all has ended."""
        self._watchdog = Watchdog(
            lambda: [consumer.lanes for consumer in self._consumers], self._pipe, self._log, self._settings.lease_s
        )
        steps = [self._obey, self._tick, self._attend, self._report]
        if not self._is_alone:
            steps.append(self._warnings.run)
        background = [asyncio.create_task(step()) for step in steps]
        for task in background:
            task.add_done_callback(self._background_ended)
        if self._is_alone:
            await self._run_suspects()
        else:
            await self._run_consumers()
        await self._leave()
        if self._is_retiring:
            stop_programs()  # Those of the handler that does not end; exit hooks may wait for them.
        for task in background:
            task.cancel()
        await self._shared.resources.close()

    def _background_ended(self, task: "asyncio.Task[None]") -> None:
        """By a bug: without ticks the runner would be killed as stuck, and without ears never hear that it is to go."""
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.exception("runner.failed", "A part of the runner ended by a fault of its own", fault)
            self._retire("a part of it has ended")

    def _consumer(self, queue: str, limit: int) -> Consumer:
        ids = iter([self._runner_id])

        def tell(fault: Exception | None) -> None:
            if fault is None:
                self._bulkheads.is_well(queue, "ending")
            else:
                self._bulkheads.tell(queue, "ending", fault)

        def make_lease() -> Lease:
            # The id that the supervisor knows first; one of our own whenever that one was taken for dead.
            runner_id = next(ids, None) or new_runner_id(socket.gethostname(), os.getpid(), is_alone=self._is_alone)
            pop_link = open_link(self._settings.redis_url, timeout_s=CALL_TIMEOUT_S)
            return Lease(self._link, pop_link, self._keys, queue, runner_id, self._shared.rng, tell)

        most = 1 if self._is_alone else limit
        about: dict[str, object] = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "concurrency": most,
            "started_ms": time.time_ns() // 1_000_000,
            "version": __version__,
            "lease_s": self._settings.lease_s,
        }
        # An isolation runner has a slot for as long as a suspect needs it.
        is_waiting = self._is_waiting or self._is_alone
        return Consumer(most, make_lease, about, self._queues, self._shared, is_waiting=is_waiting)

    async def _run_consumers(self) -> None:
        rounds = [asyncio.create_task(consumer.run()) for consumer in self._consumers]
        # A consumer ends by itself only through a bug; then the runner must not live on without it.
        for task in rounds:
            task.add_done_callback(lambda _: self._drain.set())
        await self._drain.wait()
        for consumer in self._consumers:
            consumer.stop()
        ended = asyncio.create_task(self._ended(rounds))
        release = asyncio.create_task(self._release.wait())
        await asyncio.wait({ended, release}, return_when=asyncio.FIRST_COMPLETED)
        await self._give_back()
        # Not cancelled: a blocked pop must come to its own end, or the id it brings is told to nobody.
        for fault in await asyncio.gather(*rounds, return_exceptions=True):
            if isinstance(fault, BaseException):
                self._log.exception("consumer.failed", "A consumer ended by a fault of its own", fault)

    async def _ended(self, rounds: list[asyncio.Task[None]]) -> None:
        # First the rounds: a claim that was in flight when the drain began may yet bring jobs, and these are begun.
        await asyncio.wait(rounds)
        for consumer in self._consumers:
            await consumer.ended()

    async def _run_suspects(self) -> None:
        rounds = asyncio.create_task(self._suspect_rounds())
        release = asyncio.create_task(self._release.wait())
        await asyncio.wait({rounds, release}, return_when=asyncio.FIRST_COMPLETED)
        await self._give_back()
        await rounds

    async def _give_back(self) -> None:
        """What still runs, of all queues at once: their handlers have UNWIND_S together. Programs are asked to end
        as soon as the handlers have been told to stop, and are killed with us."""
        releases = [asyncio.create_task(consumer.release()) for consumer in self._consumers]
        await asyncio.sleep(0)
        if any(consumer.running for consumer in self._consumers):
            stop_programs()
        for release in releases:
            await release

    async def _suspect_rounds(self) -> None:
        """One suspect each time that the supervisor asks for one of a queue, and its answer."""
        await self._get_ready_for_suspects()
        while not self._drain.is_set():
            if not self._asked:
                self._look.clear()
                try:
                    await asyncio.wait_for(self._look.wait(), STRAYS_EVERY_S)
                except TimeoutError:
                    await self._get_ready_for_suspects()
                continue
            queue = self._asked.pop(0)
            self._pipe.send(**{"is": "looked", "queue": queue, "found": await self._has_run_suspect(queue)})

    async def _get_ready_for_suspects(self) -> None:
        with contextlib.suppress(RedisUnavailable):
            for consumer in self._consumers:
                with self._bulkheads.around(consumer.queue, "consumer"):
                    await consumer.get_ready_for_suspects()

    async def _has_run_suspect(self, queue: str) -> bool:
        for consumer in self._consumers:
            if consumer.queue == queue:
                with self._bulkheads.around(queue, "consumer"):
                    return await consumer.run_suspect()
        return False

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._shared.timings.flush()
                with self._bulkheads.around(ALL, "warning"):
                    await self._warnings.withdraw()
                for consumer in self._consumers:
                    with self._bulkheads.around(consumer.queue, "farewell"):
                        await consumer.leave()
        except (TimeoutError, RedisUnavailable) as fault:
            # Nothing is lost: what is still in our list is given back by the supervisor, or by whoever reaps us.
            self._log.warning("worker.left_unsigned", f"Worker left without signing off: {fault!r}")

    async def _obey(self) -> None:
        while (message := await self._pipe.receive()) is not None:
            self._look.set()
            if message.get("do") == "use":
                self._use(message)
            elif message.get("do") == "look":
                # A supervisor that was started before this version was there names no queue: it means all of them.
                queues = [str(message["queue"])] if "queue" in message else list(self._settings.worker_queues)
                self._asked += [queue for queue in queues if queue not in self._asked]
            else:
                self._drain.set()
                if message.get("do") == "release":
                    self._release.set()
        self.is_orphaned = True
        self._look.set()
        self._log.warning("supervisor.lost", "Supervisor gone; this runner ends what it has begun and leaves")
        self._drain.set()

    def _use(self, message: dict[str, Any]) -> None:
        """So many slots of each queue are ours from now on; the others are held by somebody else at our place."""
        for consumer in self._consumers:
            consumer.lanes.limit = message["slots"][consumer.queue]
        self._time_told = message["time"]
        self._report_due.set()

    def _slots(self) -> dict[str, int]:
        """How many we may be using."""
        return {consumer.queue: consumer.lanes.occupied for consumer in self._consumers}

    async def _report(self) -> None:
        """Tell the supervisor how many slots we may be using, whenever it has changed them, and while they change by
        themselves: after fewer were granted than are in use, and when we retire."""
        told: tuple[dict[str, int], int] | None = None
        while True:
            await self._report_due.wait()
            self._report_due.clear()
            while True:
                slots = self._slots()
                if told != (told := (slots, self._time_told)):
                    self._pipe.send(**{"is": "using", "slots": slots, "time": self._time_told})
                is_settled = all(slots[consumer.queue] <= consumer.lanes.limit for consumer in self._consumers)
                if is_settled and not self._is_retiring:
                    break
                await asyncio.sleep(REPORT_S)

    async def _tick(self) -> None:
        """Every second: tell the supervisor that the loop turns. Waits for nothing else: silence is a stuck loop."""
        while True:
            self._watchdog.tick()
            workers = {consumer.queue: consumer.runner_id for consumer in self._consumers}
            silent_s = max(consumer.silent_s for consumer in self._consumers)
            running = sum(consumer.running for consumer in self._consumers)
            self._pipe.send(**{"is": "tick", "workers": workers, "running": running, "silent_s": silent_s})
            await asyncio.sleep(TICK_S)

    async def _attend(self) -> None:
        """Every second: tell Redis how long jobs took, stop what was cancelled, and beat where nobody else does."""
        next_beat_s = 0.0
        while True:
            await self._shared.timings.flush()
            with contextlib.suppress(RedisUnavailable):
                for consumer in self._consumers:
                    with self._bulkheads.around(consumer.queue, "cancelling"):
                        await consumer.look_for_cancels()
                if self.is_orphaned and time.monotonic() > next_beat_s:
                    await self._beat()
                    next_beat_s = time.monotonic() + self._settings.lease_s / 5
            await asyncio.sleep(TICK_S)

    async def _beat(self) -> None:
        for consumer in self._consumers:
            with self._bulkheads.around(consumer.queue, "beat"):
                await self._queues.beat(consumer.queue, [consumer.runner_id])
        with self._bulkheads.around(ALL, "count"):
            await self._queues.show([consumer.runner_id for consumer in self._consumers], self._settings.lease_s)

    def _retire(self, why: str) -> None:
        """A handler can't be stopped: begin no more, and have another runner started in our place."""
        if not self._is_retiring:
            self._is_retiring = True
            self._log.warning("worker.retiring", f"Worker {self._runner_id} retires: {why}")
            for consumer in self._consumers:
                consumer.lanes.close()
            self._pipe.send(**{"is": "retiring", "why": why, "slots": self._slots()})
            self._report_due.set()
            self._drain.set()


def main(
    settings: Settings, registry: Registry, log: Log, runner_id: str, link_fd: int, *, is_waiting: bool
) -> NoReturn:
    """The whole process."""
    # What was imported stays, and need not be looked through for garbage again. Jobs make many objects, and no cycles
    # but their handlers' own: these wait for more objects to have been made.
    gc.freeze()
    gc.set_threshold(10_000)

    served = settings.worker_queues
    elsewhere = [f"{queue} ({', '.join(types)})" for queue, types in registry.queues.items() if queue not in served]
    if elsewhere:
        log.info("worker.serves_not", f"Queues that WORKER_QUEUES does not name here: {', '.join(elsewhere)}")

    async def run() -> bool:
        Forks.keep_from(log, asyncio.get_running_loop())
        pipe = await Pipe.over(socket.socket(fileno=link_fd))
        runner = Runner(settings, registry, log, runner_id, pipe, is_waiting=is_waiting)
        await runner.run()
        return runner.is_orphaned

    # Not asyncio.run, which would wait at its end for a handler that swallows its cancellation.
    try:
        is_orphaned = loops.runner().run(run())
    except BaseException as fault:
        Forks.end_child(fault)
        log.exception("worker.crashed", "Worker crashed", fault)
        leave(log, EXIT_FAULT, is_orphaned=False)
    leave(log, 0, is_orphaned=is_orphaned)
