"""A runner: the process in which handlers run. Started by the supervisor, and told by its pipe alone what to do.

A runner's life:
1. Start: `assemble` makes a consumer for each queue, and `run` starts them. An isolation runner runs suspects in their
   place (suspects.py).
2. Messages (processes/pipe.py lists them): how many slots to use, which suspects to run, drain, release.
3. Drain: claim no more, let the jobs that run come to their end. Release: stop them, and give them back.
4. Retire: a handler does not stop, so a successor is started, and this runner drains. Or it is worn: its supervisor
   has started a successor, and says that it is to retire.
5. Leave: what is known goes to Redis, the runner signs off, and the process exits (runner_process.py).

A runner ignores signals: Ctrl-C and PM2 signal the whole process tree, and the supervisor alone decides what a signal
means. If the supervisor dies, the runner beats for itself, ends what it has begun, and exits.
"""

import asyncio
import contextlib
from typing import Any

from lib.errors import RedisUnavailable
from lib.ids import is_alone
from lib.jobs.registry import Registry
from lib.logs.log import Log
from lib.processes.pipe import Pipe
from lib.queue.bulkheads import ALL
from lib.queue.job_spans import CLOSE_S
from lib.settings.config import Settings
from lib.work.runner.assembly import CALL_TIMEOUT_S, assemble
from lib.work.runner.every_second import EverySecond
from lib.work.runner.runner_exit import terminate_programs
from lib.work.runner.slot_report import SlotReport
from lib.work.runner.suspects import SuspectRounds
from lib.work.runner.watchdog import Watchdog

TELLING_S = 1.0


class Runner:
    """is_waiting: it begins without a slot, until its supervisor grants some."""

    def __init__(
        self, settings: Settings, registry: Registry, log: Log, runner_id: str, pipe: Pipe, *, is_waiting: bool
    ) -> None:
        self._log = log
        self._pipe = pipe
        self._runner_id = runner_id
        self._drain = asyncio.Event()
        self._release = asyncio.Event()
        self._parts = assemble(
            settings,
            registry,
            log,
            runner_id,
            is_waiting=is_waiting,
            is_draining=self._drain.is_set,
            retire=self._retire,
        )
        self._consumers = self._parts.consumers
        self._slots = SlotReport(self._consumers, pipe)
        self._suspects = SuspectRounds(self._consumers, pipe, self._parts.loop.bulkheads, self._drain.is_set)
        self.is_orphaned = False
        """Whether the supervisor is gone."""
        self._is_retiring = False

    async def run(self) -> None:
        """Until told to leave, or until the supervisor is gone and all jobs have ended."""
        background = self._start_background()
        work = self._run_suspects if is_alone(self._runner_id) else self._run_consumers
        await work()
        await self._leave()
        if self._is_retiring:
            terminate_programs()  # The unstoppable handler's programs: an exit hook may wait for them.
        for task in background:
            task.cancel()
        await self._parts.services.resources.close()

    def _start_background(self) -> list["asyncio.Task[None]"]:
        settings = self._parts.loop.settings
        watchdog = Watchdog(
            lambda: [consumer.lanes.jobs for consumer in self._consumers], self._pipe, self._log, settings.lease_s
        )
        every_second = EverySecond(
            self._consumers, self._parts.loop, self._parts.queues, self._pipe, watchdog, lambda: self.is_orphaned
        )
        steps = [self._obey, every_second.tick, every_second.attend, self._slots.run]
        if self._parts.loop.spans is not None:
            steps.append(self._parts.loop.spans.count)
        if not is_alone(self._runner_id):
            steps.append(self._parts.warnings.run)
            if self._parts.schedule_writer is not None:
                steps.append(self._parts.schedule_writer.run)
        background = [asyncio.create_task(step()) for step in steps]
        for task in background:
            task.add_done_callback(self._on_background_ended)
        return background

    def _on_background_ended(self, task: "asyncio.Task[None]") -> None:
        """A bug. Without ticks the runner would be killed as stuck, and without `_obey` it would miss a drain: so it
        retires."""
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.exception("runner.failed", "A part of the runner ended by a fault of its own", fault)
            self._retire("a part of it has ended")

    async def _run_consumers(self) -> None:
        rounds = [asyncio.create_task(consumer.run()) for consumer in self._consumers]
        # A consumer ends by itself only through a bug, and the runner must not go on without it.
        for task in rounds:
            task.add_done_callback(lambda _: self._drain.set())
        await self._drain.wait()
        for consumer in self._consumers:
            consumer.stop()
        ended = asyncio.create_task(self._wait_until_idle(rounds))
        release = asyncio.create_task(self._release.wait())
        await asyncio.wait({ended, release}, return_when=asyncio.FIRST_COMPLETED)
        await self._give_back()
        # Not cancelled: a pop that blocks must come to its own end, or nobody would learn of the id that it brings.
        for fault in await asyncio.gather(*rounds, return_exceptions=True):
            if isinstance(fault, BaseException):
                self._log.exception("consumer.failed", "A consumer ended by a fault of its own", fault)

    async def _wait_until_idle(self, rounds: list[asyncio.Task[None]]) -> None:
        # The rounds first: a claim that was in flight when the drain began may bring jobs, and these are begun.
        await asyncio.wait(rounds)
        for consumer in self._consumers:
            await consumer.lanes.wait_until_idle()

    async def _run_suspects(self) -> None:
        rounds = asyncio.create_task(self._suspects.run())
        release = asyncio.create_task(self._release.wait())
        await asyncio.wait({rounds, release}, return_when=asyncio.FIRST_COMPLETED)
        await self._give_back()
        await rounds

    async def _give_back(self) -> None:
        """Release the jobs of all queues at once: their handlers have UNWIND_S together. Their programs get SIGTERM as
        soon as the handlers have been told to stop, and are killed with this process."""
        releases = [asyncio.create_task(consumer.lanes.release()) for consumer in self._consumers]
        await asyncio.sleep(0)
        if any(consumer.running for consumer in self._consumers):
            terminate_programs()
        for release in releases:
            await release

    async def _leave(self) -> None:
        """Send Redis what it does not have yet, and sign off."""
        bulkheads, is_signed_off = self._parts.loop.bulkheads, True
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._parts.loop.timings.flush()
                with bulkheads.around(ALL, "warning"):
                    await self._parts.warnings.withdraw()
                for consumer in self._consumers:
                    with bulkheads.around(consumer.queue, "farewell"):
                        await consumer.sign_off()
        except (TimeoutError, RedisUnavailable) as fault:
            # No job is lost: the supervisor, or another host's upkeep, gives back the jobs of this runner's lists.
            is_signed_off = False
            self._log.warning("worker.left_unsigned", f"Worker left without signing off: {fault!r}")

        # What these jobs' followers are to be told; else upkeep tells them in a second or two.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELLING_S):
                await self._parts.services.job_store.notices.wait_until_idle()
        if (spans := self._parts.loop.spans) is not None:
            # A supervisor kills a runner that takes long to leave, and signing off took long if it failed.
            await spans.close(CLOSE_S if is_signed_off else CLOSE_S / 4)

    async def _obey(self) -> None:
        """Do what the supervisor's messages say, until it is gone."""
        while (message := await self._pipe.receive()) is not None:
            self._on_message(message)
            self._suspects.wake()
        self.is_orphaned = True
        self._log.warning("supervisor.lost", "Supervisor gone; this runner ends what it has begun and leaves")
        self._drain.set()
        self._suspects.wake()

    def _on_message(self, message: dict[str, Any]) -> None:
        match message.get("do"):
            case "use":
                self._slots.grant(message)
            case "look" if "queue" in message:
                self._suspects.ask([str(message["queue"])])
            case "look":
                # A supervisor of an older version, in an upgrade, names no queue: it means all of them.
                self._suspects.ask(self._parts.loop.settings.worker_queues)
            case "retire":
                self._make_way("its successor has started")
            case "release":
                self._drain.set()
                self._release.set()
            case _:
                self._drain.set()

    def _retire(self, why: str) -> None:
        """Begin no more jobs, and have a successor started."""
        if not self._is_retiring:
            self._is_retiring = True
            self._log.warning("worker.retiring", f"Worker {self._runner_id} retires: {why}")
            self._make_way(why)

    def _make_way(self, why: str) -> None:
        """Begin no more jobs, tell the supervisor how many slots are in use, and leave when they are free."""
        for consumer in self._consumers:
            consumer.lanes.close()
        self._slots.retire(why)
        self._drain.set()
